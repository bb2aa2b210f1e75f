"""What is set after an AU network's training, on faces that it didn't learn from: how its AUs are
spread, and how its logit becomes a confidence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.aligning import Patch, Region
from aufer.classifiers.au_net_faces import SIDE, FaceSet
from aufer.classifiers.au_net_spoilt import NO_FACE, spoil

AS_FOUND = (0.07, 0.03)
"""Deviations of a finder's box: of its size (logarithm), and of its middle (sides)."""

_ENDS = (-1.0, 6.0)
"""A line of calibration reaches from here to here; AUs are cut to 0-5 after it."""

SURE, SURE_SHARE = 0.7, 0.98
"""So many of the held-out faces get so high a confidence: as strict towards what is none as that
allows."""

_LEAST_SLOPE = 0.01
_SMALLEST_GAP = 1e-7
_STRAIGHT = np.array([[1.0, 0, 0], [0, 1.0, 0]])


def patches_as_found(
    faces: FaceSet, rows: np.ndarray, side: float, rng: np.random.Generator, *, spoilt: bool
) -> list[Patch]:
    """Faces, cut as off their place as a finder's box is.

    Args:
        side: of the region that a rough crop shows, pixels of a kept crop. spoilt: each is made
            what no confidence is due to.
    """
    scale, shift = AS_FOUND
    patches = []
    for row in rows.tolist():
        crop = faces.crops[row]
        if spoilt:
            crop, _ = spoil(crop, faces.landmarks[row], rng, NO_FACE)
        size = side * float(np.exp(rng.normal(0, scale)))
        x, y = (SIDE / 2 + rng.normal(0, shift, 2) * side).tolist()
        patches.append(Patch(crop, _STRAIGHT, Region(x, y, size)))
    return patches


def fit_aus(found: np.ndarray, wanted: np.ndarray) -> dict[str, Any]:
    """By AU a line that gives what was found the mean and the deviation of what is wanted, before
    it is cut to 0-5.

    A regression's answers vary less than the truth; strong AUs come out too weak.

    Args:
        found, wanted: [n, 17], 0-5.

    Returns:
        ``calibration`` of au-net.json; AUs that never vary are left out.
    """
    lines = {}
    for column, name in enumerate(INTENSITY_COLUMNS):
        one, other = found[:, column].astype(np.float64), wanted[:, column].astype(np.float64)
        if min(one.std(), other.std()) <= 0:
            continue
        slope = other.std() / one.std()
        start = other.mean() - slope * one.mean()
        aims = [round(float(start + slope * end), 4) for end in _ENDS]
        lines[name] = {"from": list(_ENDS), "to": aims}
    return lines


def fit_confidence(good: np.ndarray, bad: np.ndarray) -> dict[str, float]:
    """The line from the logit to that of the confidence: as steep as the probability that this is a
    face, and so high that `SURE_SHARE` of the faces have `SURE` or more.

    The slope is that of J. Platt: Probabilistic outputs for support vector machines, 1999.

    Args:
        good, bad: confidences of faces and of what is none, 0-1, by the bare logit.

    Returns:
        ``confidence`` of au-net.json.
    """
    from sklearn.linear_model import LogisticRegression

    logits = np.concatenate([_logit(good), _logit(bad)])
    is_face = np.repeat([1, 0], [len(good), len(bad)])
    fit = LogisticRegression(C=100.0, class_weight="balanced").fit(logits[:, None], is_face)
    slope = max(float(fit.coef_[0, 0]), _LEAST_SLOPE)
    lowest = float(np.quantile(_logit(good), 1 - SURE_SHARE))
    offset = np.log(SURE / (1 - SURE)) - slope * lowest
    return {"slope": round(slope, 4), "offset": round(float(offset), 4)}


def _logit(confidences: np.ndarray) -> np.ndarray:
    sure = confidences.astype(np.float64).clip(_SMALLEST_GAP, 1 - _SMALLEST_GAP)
    return np.asarray(np.log(sure / (1 - sure)))
