"""How well intensities agree with OpenFace's of the same faces, by Action Unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.agreeing.moments import Moments, terms

_DECIMALS = 4


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
    found, wanted = (np.asarray(values, dtype=np.float64) for values in (found, wanted))
    moments = Moments.from_sums(terms(found, wanted).sum(axis=0))
    nothing = np.full(len(INTENSITY_COLUMNS), np.nan)
    figures = {
        "r": moments.pearson(),
        "icc": moments.icc_consistency(),
        "mae": np.abs(found - wanted).mean(axis=0) if len(found) else nothing,
        "mae_of_mean": np.abs(wanted - wanted.mean(axis=0)).mean(axis=0) if len(found) else nothing,
    }
    aus = {
        name: {key: _rounded(values[column]) for key, values in figures.items()}
        for column, name in enumerate(INTENSITY_COLUMNS)
    }
    known = [each["r"] for each in aus.values() if each["r"] is not None]
    mean = _rounded(float(np.mean(known))) if known else None
    return {"n": len(found), "mean_r": mean, "aus": aus}


def _rounded(value: float) -> float | None:
    return round(float(value), _DECIMALS) if np.isfinite(value) else None
