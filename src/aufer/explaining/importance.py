"""Which AUs a model's accuracy hangs on: permutation importance.

The values of one AU, or of all AUs of a region together, are shuffled among the faces: how much
worse does the model read them (L. Breiman, Random forests, Machine Learning 45, 2001; for any model
A. Fisher, C. Rudin & F. Dominici, JMLR 20, 2019)? AUs that move together stand in for each other:
each alone then looks less important than both are. That is what the regions are for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.action_units import AU_NAMES
from aufer.face_regions import REGIONS
from aufer.masking.confusion import accuracy, count, macro_f1
from aufer.metrics import bootstrap_by_group, number_groups
from aufer.progress import Progress, no_progress

if TYPE_CHECKING:
    from aufer.explaining.model_rows import ModelRows

REPEATS = 10
"""Shuffles of each AU and region: their mean is surer by far than the choice of faces is."""

_LEAST = 1e-15
"""Probabilities are cut there before their logarithm is taken."""

Predict = Callable[[np.ndarray], np.ndarray]
"""Probabilities [n, emotions] of AUs [n, features]."""


def permutation_importance(
    predict: Predict,
    rows: ModelRows,
    features: Sequence[str],
    emotions: Sequence[str],
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """What shuffling each AU alone, and each region, costs on labelled faces.

    Args:
        predict: a model's `predict_proba`. rows: faces it was not fitted to. features: the columns
            of their values. repeats: shuffles; mean and deviation are over these.

    Returns:
        plain JSON: ``n`` faces, ``n_groups``, ``repeats``, ``seed``, ``before`` (``accuracy``,
        ``macro_f1``, ``log_loss`` of the faces as they are), and ``aus`` and ``regions``, the most
        important first: ``name``, ``title``, ``region``, ``columns``, and what is lost, a positive
        number where the model reads worse: ``accuracy``, ``macro_f1`` (both fall by so much) and
        ``log_loss`` (rises), each ``mean`` and ``sd``; ``low`` and ``high``, the 95 % interval of
        the loss of accuracy when whole groups, or single faces, are drawn anew; None where there
        are fewer than two.
    """
    found = predict(rows.values)
    before = _figures(rows.labels, found, len(emotions))
    n_groups = int(number_groups(rows.groups).max(initial=-1)) + 1
    alone = {name: [name] for name in features}
    regions = {
        name: [column for column in columns if column in features]
        for name, columns in REGIONS.items()
    }
    regions = {name: columns for name, columns in regions.items() if columns}
    random = np.random.default_rng(seed)
    of: dict[str, dict[str, Any]] = {}
    with progress(len(alone) + len(regions), "importance", "shuffle") as step:
        for name, columns in [*alone.items(), *regions.items()]:
            positions = [list(features).index(column) for column in columns]
            of[name] = _shuffle(predict, rows, positions, before, len(emotions), repeats, random)
            if n_groups < 2:
                of[name] |= {"low": None, "high": None}
            step(1)
    region_of = {column: name for name, columns in regions.items() for column in columns}
    aus = [
        {
            "name": name.removesuffix("_r"),
            "title": AU_NAMES.get(name.removesuffix("_r"), ""),
            "region": region_of.get(name, ""),
            "columns": columns,
            **of[name],
        }
        for name, columns in alone.items()
    ]
    whole = [
        {"name": name, "title": name, "region": name, "columns": columns, **of[name]}
        for name, columns in regions.items()
    ]

    def order(row: dict[str, Any]) -> tuple[float, float]:
        return -row["accuracy"]["mean"], -row["log_loss"]["mean"]

    return {
        "n": len(rows),
        "n_groups": n_groups,
        "by": "group" if (rows.groups != "").any() else "face",
        "repeats": repeats,
        "seed": seed,
        "before": {name: value for name, value in before.items() if name != "hits"},
        "aus": sorted(aus, key=order),
        "regions": sorted(whole, key=order),
    }


def _figures(labels: np.ndarray, probabilities: np.ndarray, n_emotions: int) -> dict[str, Any]:
    guess = probabilities.argmax(axis=1)
    confusion = count(labels, guess, n_emotions)
    of_truth = np.clip(
        probabilities[np.arange(len(labels)), labels].astype(np.float64), _LEAST, None
    )
    return {
        "accuracy": float(accuracy(confusion)),
        "macro_f1": float(macro_f1(confusion)),
        "log_loss": float(-np.log(of_truth).mean()),
        "hits": guess == labels,
    }


def _shuffle(
    predict: Predict,
    rows: ModelRows,
    positions: Sequence[int],
    before: dict[str, Any],
    n_emotions: int,
    repeats: int,
    random: np.random.Generator,
) -> dict[str, Any]:
    """The losses when these columns are shuffled, together: a face gets all of another face's."""
    lost: dict[str, list[float]] = {"accuracy": [], "macro_f1": [], "log_loss": []}
    missed = np.zeros(len(rows))
    for _ in range(repeats):
        values = rows.values.copy()
        values[:, positions] = values[random.permutation(len(rows))][:, positions]
        after = _figures(rows.labels, predict(values), n_emotions)
        for name, losses in lost.items():
            sign = -1 if name == "log_loss" else 1
            losses.append(sign * (before[name] - after[name]))
        missed += before["hits"].astype(float) - after["hits"]
    low, high = bootstrap_by_group(missed / repeats, rows.groups)
    return {
        **{
            name: {
                "mean": float(np.mean(losses)),
                "sd": float(np.std(losses, ddof=1)) if repeats > 1 else None,
            }
            for name, losses in lost.items()
        },
        "low": low,
        "high": high,
    }
