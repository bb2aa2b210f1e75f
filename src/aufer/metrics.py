"""How good predictions are: figures with their intervals, by scikit-learn and scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from aufer.calibration import brier_score, expected_calibration_error, reliability

COVERAGES = tuple(share / 100 for share in (100, *range(95, 5, -5)))
"""Shares of the answered faces at which the accuracy of the surest answers is given."""

DRAWS = 2000
"""Draws of a bootstrap."""


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (E. B. Wilson, JASA 22, 1927, 209-212).

    Args:
        successes: 0..n. n: number of trials; 0 gives (0, 1), for nothing is known.

    Returns:
        lower and upper limit, 0-1.
    """
    from scipy.stats import binomtest

    if n == 0:
        return 0.0, 1.0
    interval = binomtest(successes, n).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def proportion(successes: int, n: int) -> dict[str, Any]:
    """A proportion as reports have it: value (None where n is 0), Wilson's 95 % limits, k, n."""
    low, high = wilson_interval(successes, n)
    return {
        "value": successes / n if n else None,
        "low": low,
        "high": high,
        "k": int(successes),
        "n": int(n),
    }


def score(
    truth: np.ndarray, probabilities: np.ndarray, answered: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """All figures of one test.

    Args:
        truth: int [n], positions in ``names``.
        probabilities: [n, len(names)]; rows that are not answered are ignored.
        answered: bool [n]; False where there was no usable face.
        names: the emotions in label order.

    Returns:
        plain JSON: ``n_images``, ``coverage`` and ``accuracy`` (of the answered) and
        ``accuracy_all`` (an image without an answer counts as wrong), each with Wilson's 95 %
        interval; ``macro_f1`` and ``balanced_accuracy`` over the emotions that occur in ``truth``,
        ``log_loss`` (natural logarithm), ``per_emotion``, ``confusion`` (rows truth, columns
        predicted), ``ece``, ``brier`` and ``reliability`` (calibration.py), ``by_coverage``
        (`accuracy_by_coverage`). Figures that need at least one answer are None without one.
    """
    from sklearn import metrics

    n = len(truth)
    y = truth[answered]
    p = np.asarray(probabilities, dtype=np.float64)[answered]
    guess = p.argmax(axis=1) if len(y) else np.zeros(0, dtype=np.int64)
    right = int((guess == y).sum())
    labels = list(range(len(names)))
    figures: dict[str, Any] = {
        "n_images": n,
        "n_answered": len(y),
        "coverage": proportion(len(y), n),
        "accuracy": proportion(right, len(y)),
        "accuracy_all": proportion(right, n),
        "macro_f1": None,
        "balanced_accuracy": None,
        "log_loss": None,
        "brier": None,
        "ece": None,
    }
    if len(y):
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            y, guess, labels=labels, zero_division=0
        )
        confusion = metrics.confusion_matrix(y, guess, labels=labels)
        present = support > 0
        figures["macro_f1"] = float(f1[present].mean())
        figures["balanced_accuracy"] = float(recall[present].mean())
        clipped = np.clip(p, 1e-15, None)
        clipped /= clipped.sum(axis=1, keepdims=True)
        figures["log_loss"] = float(metrics.log_loss(y, clipped, labels=labels))
        figures["brier"] = brier_score(p, y)
        figures["ece"] = expected_calibration_error(p, y)
    else:
        precision = recall = f1 = np.zeros(len(names))
        confusion = np.zeros((len(names), len(names)), dtype=np.int64)
    per_emotion = []
    for label, name in enumerate(names):
        of_label = truth == label
        n_answered = int(confusion[label].sum())
        n_predicted = int(confusion[:, label].sum())
        hits = int(confusion[label, label])
        per_emotion.append(
            {
                "emotion": name,
                "n": n_answered,
                "n_images": int(of_label.sum()),
                "coverage": proportion(n_answered, int(of_label.sum())),
                "precision": float(precision[label]) if n_predicted else None,
                "recall": proportion(hits, n_answered),
                "f1": float(f1[label]) if n_answered else None,
            }
        )
    figures["per_emotion"] = per_emotion
    figures["confusion"] = confusion.tolist()
    figures["reliability"] = [
        {
            "low": row["low"],
            "high": row["high"],
            "n": row["n"],
            "confidence": row["confidence"],
            "accuracy": proportion(row["k"], row["n"]),
        }
        for row in reliability(p, y)
    ]
    figures["by_coverage"] = accuracy_by_coverage(p, y)
    return figures


def accuracy_by_coverage(probabilities: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """The accuracy of the surest answers alone: what is gained by answering only when sure.

    Args:
        probabilities: [n, emotions]. truth: int [n].

    Returns:
        for each of `COVERAGES` that any face is left for: ``share`` asked for, ``threshold`` (the
        least top probability that is answered), ``n`` (equal probabilities are answered together,
        so it can be more than the share), ``coverage`` (n of all) and ``accuracy``, a `proportion`.
    """
    if not len(truth):
        return []
    top = probabilities.max(axis=1)
    order = np.argsort(-top, kind="stable")
    descending = top[order]
    n_right = np.cumsum(probabilities.argmax(axis=1)[order] == truth[order])
    rows = []
    for share in COVERAGES:
        wanted = max(1, math.ceil(round(share * len(top), 9)))
        threshold = float(descending[wanted - 1])
        n = int(np.searchsorted(-descending, -threshold, side="right"))
        rows.append(
            {
                "share": share,
                "threshold": threshold,
                "n": n,
                "coverage": n / len(top),
                "accuracy": proportion(int(n_right[n - 1]), n),
            }
        )
    return rows


def bootstrap_by_group(
    hits: np.ndarray, groups: np.ndarray, n: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a mean whose rows come in groups (persons), by the cluster bootstrap.

    Whole groups are drawn with replacement, as many as there are; the limits are the 2.5th and the
    97.5th percentile of the means. (A. C. Davison, D. V. Hinkley: Bootstrap methods and their
    application, 1997, section 3.8.)

    Args:
        hits: bool or number [rows]. groups: a name per row [rows]; a row without one (empty text)
            is a group of its own.
        n: number of draws.

    Returns:
        lower and upper limit; (0, 1) where there are fewer than two groups, for nothing is known.
    """
    number = number_groups(groups)
    sums = np.bincount(number, weights=np.asarray(hits, dtype=np.float64))
    totals = np.column_stack([sums, np.bincount(number)]) if len(number) else np.zeros((0, 2))
    if len(totals) < 2:
        return 0.0, 1.0
    drawn = _draw_groups(totals, n, seed)
    return _limits(drawn[:, 0] / drawn[:, 1])


def bootstrap_figures(
    truth: np.ndarray,
    guess: np.ndarray,
    groups: np.ndarray,
    n_emotions: int,
    n: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """95 % intervals of all figures of one confusion matrix, by the bootstrap of whole groups.

    Args:
        truth, guess: int [rows], of the answered faces. groups: as in `bootstrap_by_group`; where
            no row has one, single faces are drawn.

    Returns:
        plain JSON: ``by`` ("group" or "face"), ``n_groups`` drawn from, the ``largest``'s faces,
        ``draws``, ``seed``; ``accuracy``, ``macro_f1``, ``balanced_accuracy`` as [low, high], and
        ``recall`` as one [low, high] per emotion; None where fewer than two groups are there, and
        for an emotion without a face.
    """
    names = np.asarray(groups, dtype=object)
    number = number_groups(names)
    cells = n_emotions * n_emotions
    n_groups = int(number.max()) + 1 if len(number) else 0
    found: dict[str, Any] = {
        "by": "group" if (names != "").any() else "face",
        "n_groups": n_groups,
        "largest": int(np.bincount(number).max()) if n_groups else 0,
        "draws": n,
        "seed": seed,
        "accuracy": None,
        "macro_f1": None,
        "balanced_accuracy": None,
        "recall": [None] * n_emotions,
    }
    if n_groups < 2:
        return found
    totals = np.zeros((n_groups, cells))
    np.add.at(totals, (number, truth * n_emotions + guess), 1)
    drawn = _draw_groups(totals, n, seed).reshape(n, n_emotions, n_emotions)
    right = np.diagonal(drawn, axis1=1, axis2=2)
    of_truth, of_guess = drawn.sum(axis=2), drawn.sum(axis=1)
    with np.errstate(invalid="ignore"):  # an emotion that was not drawn has no recall
        recall = right / of_truth
        f1 = np.where(of_truth > 0, 2 * right / (of_truth + of_guess), np.nan)
    found["accuracy"] = list(_limits(right.sum(axis=1) / of_truth.sum(axis=1)))
    found["macro_f1"] = list(_limits(np.nanmean(f1, axis=1)))
    found["balanced_accuracy"] = list(_limits(np.nanmean(recall, axis=1)))
    found["recall"] = [
        list(_limits(column[~np.isnan(column)])) if (truth == label).any() else None
        for label, column in enumerate(recall.T)
    ]
    return found


def number_groups(groups: np.ndarray) -> np.ndarray:
    """A group number per row, int [rows], from 0; a row without a name is a group of its own."""
    names = np.asarray(groups, dtype=object)
    alone = names == ""
    known, number = np.unique(names[~alone].astype(str), return_inverse=True)
    of_row = np.empty(len(names), dtype=np.int64)
    of_row[~alone] = number
    of_row[alone] = len(known) + np.arange(int(alone.sum()))
    return of_row


def _draw_groups(totals: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Sums over as many groups as there are, drawn with replacement ``n`` times: [n, columns].

    Args:
        totals: [groups, columns], what each group adds. Groups that add the same are drawn as one
            kind: the same distribution, and thousands of single faces cost nothing.
    """
    kinds, counts = np.unique(totals, axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn: np.ndarray = rng.multinomial(len(totals), counts / len(totals), size=n) @ kinds
    return drawn


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def percent(value: float | None, digits: int = 1) -> str:
    """A share as text, e.g. ``75.5 %``; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def with_deviation(spread: dict[str, Any]) -> str:
    """A figure over folds (``mean``, ``sd`` or None) as text, e.g. ``0.755 ± 0.011``."""
    deviation = "" if spread["sd"] is None else f" ± {spread['sd']:.3f}"
    return f"{spread['mean']:.3f}{deviation}"


def with_interval(share: dict[str, Any]) -> str:
    """A `proportion` as text, e.g. ``75.0 % [62.8, 84.2] (45 of 60)``."""
    return (
        f"{percent(share['value'])} [{100 * share['low']:.1f}, {100 * share['high']:.1f}] "
        f"({share['k']} of {share['n']})"
    )
