"""The mean shape of a face, and where it lies in the crops that the networks are trained on."""

from __future__ import annotations

import numpy as np

from aufer.au_net.aligning import moved, similarities
from aufer.au_net.format import N_LANDMARKS

_ALIGN_SHARE = 0.354
"""Half a face's width of the side of a rough crop: a third of the room is for being off."""

_AUS_SHARE, _AUS_DOWN = 0.40, 0.05
"""Of an aligned crop; it lies a little low, for the brows and the forehead above the landmarks."""

_ROUNDS = 4
_MOST_SHAPES = 1000


def mean_shape(shapes: np.ndarray) -> np.ndarray:
    """The mean of shapes that were moved upon each other, upright.

    Args:
        shapes: float [n, 68, 2]; of many, an even choice is taken.

    Returns:
        float32 [68, 2]: eyes level, the mean 0, the largest number 1.
    """
    some = np.asarray(shapes, np.float64)[:: max(1, len(shapes) // _MOST_SHAPES)]
    mean = some[0]
    for _ in range(_ROUNDS):
        mean = moved(some, similarities(some, mean)).mean(axis=0)
        mean = mean - mean.mean(axis=0)
        across = mean[42:48].mean(axis=0) - mean[36:42].mean(axis=0)
        cosine, sine = across / np.hypot(*across)
        mean = mean @ np.array([[cosine, sine], [-sine, cosine]]).T
        mean = mean / np.abs(mean).max()
    return mean.astype(np.float32)


def align_reference(shape: np.ndarray, side: int) -> np.ndarray:
    """Where a mean shape lies in a rough crop, float32 [68, 2], pixels."""
    return np.asarray((shape * _ALIGN_SHARE + 0.5) * side, dtype=np.float32)


def aus_reference(shape: np.ndarray, side: int) -> np.ndarray:
    """Where a mean shape lies in an aligned crop, float32 [68, 2], pixels."""
    return np.asarray((shape * _AUS_SHARE + [0.5, 0.5 + _AUS_DOWN]) * side, dtype=np.float32)


def is_shape(points: np.ndarray) -> bool:
    """Whether points are 68 finite ones, not all at one place."""
    is_finite = points.shape == (N_LANDMARKS, 2) and bool(np.isfinite(points).all())
    return is_finite and float(np.ptp(points, axis=0).min()) > 0
