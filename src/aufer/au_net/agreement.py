"""How well intensities agree with OpenFace's of the same faces, by Action Unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.agreeing.icc import consistency, mean_squares

_DECIMALS = 4
_LEAST = 2


def agree(found: np.ndarray, wanted: np.ndarray) -> dict[str, Any]:
    """Figures of agreement.

    Args:
        found, wanted: [n, 17], the order of `action_units.INTENSITY_COLUMNS`.

    Returns:
        ``n`` faces; ``mean_r`` over the AUs that have one; ``aus``: by AU, Pearson's ``r``, the
        intraclass correlation ``icc`` (3,1), ``mae``, ``mae_of_mean`` (of who always names the
        mean of ``wanted``). None where there is nothing to tell: fewer than two faces, or no
        change.
    """
    aus: dict[str, dict[str, float | None]] = {}
    for name, a, b in zip(INTENSITY_COLUMNS, found.T, wanted.T, strict=True):
        aus[name] = _agree(a.astype(np.float64), b.astype(np.float64))
    known = [each["r"] for each in aus.values() if each["r"] is not None]
    mean = round(float(np.mean(known)), _DECIMALS) if known else None
    return {"n": len(found), "mean_r": mean, "aus": aus}


def _agree(found: np.ndarray, wanted: np.ndarray) -> dict[str, float | None]:
    if not len(found):
        return dict.fromkeys(("r", "icc", "mae", "mae_of_mean"))
    mae = round(float(np.abs(found - wanted).mean()), _DECIMALS)
    of_mean = round(float(np.abs(wanted - wanted.mean()).mean()), _DECIMALS)
    r = icc = None
    if len(found) >= _LEAST:
        covariance = np.cov(found, wanted)
        product = covariance[0, 0] * covariance[1, 1]
        if product > 0:
            r = round(float(covariance[0, 1] / np.sqrt(product)), _DECIMALS)
            subjects, _, residual = mean_squares(np.stack([found, wanted], axis=1))
            icc = round(float(consistency(np.asarray(subjects), np.asarray(residual))), _DECIMALS)
    return {"r": r, "icc": icc, "mae": mae, "mae_of_mean": of_mean}
