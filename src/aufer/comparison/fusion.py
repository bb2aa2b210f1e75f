"""Two models as one: the weighted mean of their probabilities, or of the logarithms of these.

The weight and the kind of mean are those with the least log-loss on validation images, which
neither model was trained on and which are not among the test images. An image that one of the two
doesn't answer (an AU model, where there is no face) is the other one's alone. (T. Heskes: Selecting
weighting factors in logarithmic opinion pools, NIPS 1997, has both kinds of mean.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer.calibration import LEAST_PROBABILITY

PROBABILITIES, LOGARITHMS = "probabilities", "logarithms"
MEANS = (LOGARITHMS, PROBABILITIES)
"""What the mean is taken of."""

STEPS = 100
"""The weight is sought among 0, 0.01, … 1."""

LEAST_IMAGES = 30
"""Fewer validation images can't tell a weight."""


@dataclass(frozen=True)
class Fusion:
    """How two models are put together.

    Attributes:
        mean: one of `MEANS`. weight: of the first model, 0-1; the second has the rest.
        n: validation images, answered by both. losses: log-loss on them of ``first``, ``second``
            and ``fused``, natural logarithm.
        curve: log-loss of the chosen mean at each weight, float64 [STEPS + 1].
    """

    mean: str
    weight: float
    n: int
    losses: dict[str, float]
    curve: np.ndarray

    def facts(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return {
            "mean": self.mean,
            "weight": self.weight,
            "n": self.n,
            "log_loss": self.losses,
            "curve": self.curve.tolist(),
        }


def fuse(first: np.ndarray, second: np.ndarray, weight: float, mean: str) -> np.ndarray:
    """The probabilities of two models as one.

    Args:
        first, second: [n, emotions], NaN in the rows that a model doesn't answer.
        weight: of the first, 0-1. mean: one of `MEANS`.

    Returns:
        float64 [n, emotions], rows sum to 1; one model's where the other has no answer, NaN where
        both have none.
    """
    if mean == PROBABILITIES:
        mixed = weight * first + (1 - weight) * second
    else:
        logs = weight * _logs(first) + (1 - weight) * _logs(second)
        mixed = np.exp(logs - logs.max(axis=1, keepdims=True))
        mixed /= mixed.sum(axis=1, keepdims=True)
    alone = np.isnan(first).any(axis=1), np.isnan(second).any(axis=1)
    mixed[alone[0]] = second[alone[0]]
    mixed[alone[1]] = first[alone[1]]
    return mixed


def fit_fusion(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> Fusion:
    """Find the mean and the weight at which validation images are most probable.

    Of equal losses the weight nearest to a half is taken.

    Args:
        first, second: [n, emotions], of images that both answer. truth: int [n].
    """
    best: Fusion | None = None
    rows = np.arange(len(truth))
    weights = np.arange(STEPS + 1) / STEPS
    for mean in MEANS:
        curve = np.array([_loss(fuse(first, second, w, mean)[rows, truth]) for w in weights])
        least = np.flatnonzero(curve <= curve.min() + 1e-12)
        chosen = int(least[np.argmin(np.abs(weights[least] - 0.5))])
        losses = {
            "first": _loss(first[rows, truth]),
            "second": _loss(second[rows, truth]),
            "fused": float(curve[chosen]),
        }
        if best is None or losses["fused"] < best.losses["fused"]:
            best = Fusion(mean, float(weights[chosen]), len(truth), losses, curve)
    assert best is not None, "there are two kinds of mean"
    return best


def _loss(of_truth: np.ndarray) -> float:
    return float(-np.log(np.clip(of_truth, LEAST_PROBABILITY, 1)).mean())


def _logs(p: np.ndarray) -> np.ndarray:
    logs: np.ndarray = np.log(np.clip(p, LEAST_PROBABILITY, 1))
    return logs
