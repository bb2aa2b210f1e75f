"""The figures of a learning curve, from the counts of its fits.

Two things make such a figure uncertain: which faces were tested, and which images were learnt. Of
accuracy and recall the interval is the wider of two:

* Wilson's, of the share, each face counted once, however often it was tested;
* that of the folds' figures with Student's t and the variance of C. Nadeau & Y. Bengio (Inference
  for the generalization error, Machine Learning 52, 2003), which knows that folds share training
  images: (1 / J + 1 / (k - 1)) s², of J = k folds x repeats with the sample variance s².

Macro-F1, and the gain from one size to the next, have the second one alone; the gain is taken fold
by fold, as each size reads the same faces.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from aufer.metrics import wilson_interval

CURVE_COLUMNS = ("size", "repeat", "fold", "emotion", "n_train", "n_test", "correct", "predicted")
"""Of ``learning-curve.csv``: size in images per emotion; repeat and fold from 1; images learnt,
faces held out and read correctly, of this emotion; faces read as this emotion."""

LEVEL = 0.95
_FOLD = ["repeat", "fold"]


def half_width(values: np.ndarray, k: int) -> float:
    """Half of the corrected interval of a mean over folds (see above); 0 for fewer than two.

    Args:
        values: a figure of each fold of each repeat; NaN where a fold has none. k: folds.
    """
    from scipy.stats import t

    known = values[np.isfinite(values)]
    if len(known) < 2:
        return 0.0
    variance = (1 / len(known) + 1 / (k - 1)) * known.var(ddof=1)
    return float(t.ppf((1 + LEVEL) / 2, len(known) - 1) * math.sqrt(variance))


def _share(counts: pd.DataFrame, k: int) -> dict[str, Any]:
    """The share of ``correct`` in ``n_test`` over rows of one fold each, with its interval."""
    n_correct, n_tested = int(counts["correct"].sum()), int(counts["n_test"].sum())
    if not n_tested:
        return {"value": None, "low": 0.0, "high": 1.0, "k": 0, "n": 0}
    value = n_correct / n_tested
    n_faces = round(n_tested / counts["repeat"].nunique())
    low, high = wilson_interval(round(value * n_faces), n_faces, LEVEL)
    tested = counts[counts["n_test"] > 0]
    half = half_width((tested["correct"] / tested["n_test"]).to_numpy(), k)
    return {
        "value": value,
        "low": max(0.0, min(low, value - half)),
        "high": min(1.0, max(high, value + half)),
        "k": n_correct,
        "n": n_tested,
    }


def _f1(counts: pd.DataFrame) -> float:
    """Macro-F1 over the emotions that occur among the faces; rows are one emotion each."""
    of_emotion = counts.groupby("emotion")[["correct", "n_test", "predicted"]].sum()
    present = of_emotion[of_emotion["n_test"] > 0]
    return float((2 * present["correct"] / (present["n_test"] + present["predicted"])).mean())


def _macro_f1(counts: pd.DataFrame, k: int) -> dict[str, Any]:
    """Macro-F1 of a repeat's pooled faces, mean over repeats, with the folds' interval."""
    value = float(np.mean([_f1(part) for _, part in counts.groupby("repeat")]))
    half = half_width(np.array([_f1(part) for _, part in counts.groupby(_FOLD)]), k)
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half)}


def make_points(counts: pd.DataFrame, k: int) -> list[dict[str, Any]]:
    """The figures of each size.

    Args:
        counts: `CURVE_COLUMNS`. k: number of folds.

    Returns:
        plain JSON, ascending: ``size``; ``n_train``, images learnt on average over the folds;
        ``accuracy`` and each emotion's ``recall`` (value, low, high, and k of n tests, a face
        counted once per repeat); ``macro_f1``; ``per_emotion`` in the order of ``counts``.
    """
    points = []
    for size in sorted(counts["size"].unique().tolist()):
        of_size = counts[counts["size"] == size]
        by_fold = of_size.groupby(_FOLD, as_index=False)[["n_train", "n_test", "correct"]].sum()
        points.append(
            {
                "size": size,
                "n_train": float(by_fold["n_train"].mean()),
                "accuracy": _share(by_fold, k),
                "macro_f1": _macro_f1(of_size, k),
                "per_emotion": [
                    {
                        "emotion": str(name),
                        "n_train": float(part["n_train"].mean()),
                        "recall": _share(part, k),
                    }
                    for name, part in of_size.groupby("emotion", sort=False)
                ],
            }
        )
    return points


def make_gains(counts: pd.DataFrame, k: int) -> list[dict[str, Any]]:
    """What each step to the next size brought.

    Returns:
        plain JSON: ``from`` and ``to`` (sizes), ``gain`` in accuracy with ``low`` and ``high``, and
        ``per_doubling``: the gain divided by how often all training images were doubled.
    """
    by_fold = counts.groupby(["size", *_FOLD])[["n_train", "n_test", "correct"]].sum()
    gains = []
    sizes = sorted(counts["size"].unique().tolist())
    for before, after in pairwise(sizes):
        old, new = by_fold.loc[before], by_fold.loc[after]
        gain = float((new["correct"].sum() - old["correct"].sum()) / new["n_test"].sum())
        half = half_width(((new["correct"] - old["correct"]) / new["n_test"]).to_numpy(), k)
        doublings = math.log2(new["n_train"].sum() / old["n_train"].sum())
        gains.append(
            {
                "from": before,
                "to": after,
                "gain": gain,
                "low": gain - half,
                "high": gain + half,
                "per_doubling": gain / doublings,
            }
        )
    return gains
