"""How good predictions are: figures with their intervals, by scikit-learn and scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


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
        predicted). Figures that need at least one answer are None without one.
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
    return figures


def percent(value: float | None, digits: int = 1) -> str:
    """A share as text, e.g. ``75.5 %``; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def with_interval(share: dict[str, Any]) -> str:
    """A `proportion` as text, e.g. ``75.0 % [62.8, 84.2] (45 of 60)``."""
    return (
        f"{percent(share['value'])} [{100 * share['low']:.1f}, {100 * share['high']:.1f}] "
        f"({share['k']} of {share['n']})"
    )
