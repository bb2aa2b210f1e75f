"""How far a model's probabilities can be believed, and the one number that mends them.

A model is calibrated when of the faces that it reads with a probability of 80 %, 80 % are right.
Its *temperature* T flattens (T > 1) or sharpens (T < 1) all of its probabilities alike; the emotion
that is read never changes. (C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger: On calibration of modern
neural networks, ICML 2017.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

BINS = 15
"""Bins of the top probability, equally wide, as in Guo et al."""

LEAST_PROBABILITY = 1e-7
"""Smaller probabilities count as this one: the logarithm of 0 is nobody's certainty."""

LEAST_UNSMOOTHED = 1e-3
"""What smoothed labels leave of a smaller probability is noise."""

TEMPERATURES = (0.1, 10.0)
"""Between these the temperature is sought; beyond, few rows would have said too much."""


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which held-out faces are most probable (least log-loss).

    Args:
        probabilities: [n, emotions], of rows that the model was not fitted to.
        labels: int [n], the true emotions' numbers.

    Returns:
        a number within `TEMPERATURES`; 1 where there are no rows.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    if not len(labels):
        return 1.0
    logs = _logs(probabilities)
    of_truth = logs[np.arange(len(labels)), labels]

    def loss(sharpness: float) -> float:
        return float(np.mean(logsumexp(sharpness * logs, axis=1) - sharpness * of_truth))

    # convex in 1 / T, so that the bounded search can't end in a valley beside the lowest
    coldest, hottest = TEMPERATURES
    found = minimize_scalar(
        loss, bounds=(1 / hottest, 1 / coldest), method="bounded", options={"xatol": 1e-6}
    )
    return float(1 / found.x)


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities flattened (T > 1) or sharpened (T < 1): softmax(log p / T).

    Args:
        probabilities: [n, emotions]. temperature: above 0; 1 changes nothing.

    Returns:
        float64 [n, emotions], rows sum to 1.
    """
    from scipy.special import softmax

    if temperature == 1:
        return np.asarray(probabilities, dtype=np.float64)
    flattened: np.ndarray = softmax(_logs(probabilities) / temperature, axis=1)
    return flattened


def calibrate(probabilities: np.ndarray, temperature: float, smoothing: float = 0.0) -> np.ndarray:
    """A network's probabilities as they are given out: `undo_smoothing`, then `apply_temperature`.

    Args:
        probabilities: [n, emotions]. temperature: above 0. smoothing: 0 to below 1.

    Returns:
        float64 [n, emotions], rows sum to 1.
    """
    return apply_temperature(undo_smoothing(probabilities, smoothing), temperature)


def undo_smoothing(probabilities: np.ndarray, smoothing: float) -> np.ndarray:
    """The probabilities that a network would give had its labels not been smoothed.

    Label smoothing spreads a share s of each label over all K emotions, so that the network is
    rewarded for saying ``(1 - s) p + s / K`` where it means p: too little where it is sure, too
    much where it excludes something. No temperature mends both at once. (Smoothing: C. Szegedy
    et al., Rethinking the Inception architecture, CVPR 2016.)

    Args:
        probabilities: [n, emotions]. smoothing: s, 0 to below 1; 0 changes nothing.

    Returns:
        float64 [n, emotions], rows sum to 1, none below about `LEAST_UNSMOOTHED`; the emotion that
        is read never changes.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if smoothing == 0:
        return p
    meant = np.clip((p - smoothing / p.shape[1]) / (1 - smoothing), LEAST_UNSMOOTHED, 1)
    undone: np.ndarray = meant / meant.sum(axis=1, keepdims=True)
    return undone


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> list[dict[str, Any]]:
    """What the model promised and what it kept, by its top probability.

    Args:
        probabilities: [n, emotions]. labels: int [n].
        bins: equally wide, open at their lower end: (0, 1/15], … (14/15, 1].

    Returns:
        one row per bin, empty ones too: ``low`` and ``high`` (its limits), ``n``, ``k`` (how many
        were right), ``confidence`` (mean top probability) and ``accuracy`` (both None without a
        face).
    """
    p = np.asarray(probabilities, dtype=np.float64)
    top = p.max(axis=1) if len(p) else np.zeros(0)
    right = p.argmax(axis=1) == labels if len(p) else np.zeros(0, dtype=bool)
    number = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    n = np.bincount(number, minlength=bins)
    k = np.bincount(number, weights=right, minlength=bins)
    sums = np.bincount(number, weights=top, minlength=bins)
    return [
        {
            "low": i / bins,
            "high": (i + 1) / bins,
            "n": int(n[i]),
            "k": int(k[i]),
            "confidence": float(sums[i] / n[i]) if n[i] else None,
            "accuracy": float(k[i] / n[i]) if n[i] else None,
        }
        for i in range(bins)
    ]


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> float:
    """ECE: by how much confidence and accuracy differ, mean over the faces (0 is best).

    Args:
        probabilities: [n, emotions]. labels: int [n].

    Returns:
        0-1; NaN where there are no rows.
    """
    if not len(labels):
        return float("nan")
    rows = [row for row in reliability(probabilities, labels, bins) if row["n"]]
    return float(sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in rows)) / len(
        labels
    )


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Brier's score: squared differences of probabilities and truth, summed over the emotions.

    (G. W. Brier, Monthly Weather Review 78, 1950, 1-3.)

    Args:
        probabilities: [n, emotions]. labels: int [n].

    Returns:
        mean over the faces, 0 (certain and right) to 2 (certain and wrong); NaN without rows.
    """
    if not len(labels):
        return float("nan")
    p = np.asarray(probabilities, dtype=np.float64)
    truth = np.zeros(p.shape)
    truth[np.arange(len(labels)), labels] = 1
    return float(((p - truth) ** 2).sum(axis=1).mean())


def _logs(probabilities: np.ndarray) -> np.ndarray:
    logs: np.ndarray = np.log(
        np.clip(np.asarray(probabilities, dtype=np.float64), LEAST_PROBABILITY, 1)
    )
    return logs
