"""The figures of agreement, AU by AU, with their intervals.

Intervals are percentiles of draws of whole groups of faces (A. C. Davison, D. V. Hinkley: Bootstrap
methods and their application, 1997, section 3.8); of r the wider of that and Fisher's (R. A.
Fisher, Metron 1, 1921, 3-32), of ICC(3,1) the wider of that and Shrout and Fleiss's, so that few
faces don't look certain. One draw serves all AUs, so that the means over AUs have intervals too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from aufer.agreeing import icc
from aufer.agreeing.moments import (
    Moments,
    draw_by_part,
    pearson_within,
    sum_by_part,
    terms,
)
from aufer.agreeing.pairing import MIN_IMAGES
from aufer.metrics import DRAWS, number_groups

ZERO_BELOW = 0.005
"""OpenFace writes two decimals; what would be written as 0.00 is a zero."""

POOR, MODERATE, GOOD, EXCELLENT = "poor", "moderate", "good", "excellent"
LIMITS_OF_WORDS = ((0.5, POOR), (0.75, MODERATE), (0.9, GOOD))
"""T. K. Koo, M. Y. Li: A guideline of selecting and reporting intraclass correlation coefficients
for reliability research. Journal of Chiropractic Medicine 15, 2016, 155-163. Stricter than D. V.
Cicchetti's (Psychological Assessment 6, 1994, 284-290), whose poor ends at 0.40, excellent begins
at 0.75."""


def judge(value: float | None) -> str:
    """The word for an ICC; empty where there is none."""
    if value is None:
        return ""
    return next((word for limit, word in LIMITS_OF_WORDS if value < limit), EXCELLENT)


def figures_of(
    a: np.ndarray,
    b: np.ndarray,
    names: Sequence[str],
    emotions: np.ndarray,
    groups: np.ndarray,
    seed: int = 0,
) -> dict[str, Any]:
    """All figures of two sets of AU values of the same faces.

    Args:
        a, b: float [faces, AUs], NaN where missing. names: of the AUs.
        emotions: a name per face, object [faces]; empty where unknown.
        groups: what is drawn together, a name per face; empty: a face of its own. seed: of draws.

    Returns:
        plain JSON; None is what can't be said (constant values, fewer than 3 faces):

        * ``aus``, a row per AU: ``au``, ``n``; ``r``, ``within`` and ``icc3`` (value, low, high),
          ``icc2``, ``ccc``, ``verdict`` (`judge` of icc3); ``mae``, ``mae_of_mean`` (had A always
          said B's mean), ``bias`` (A minus B), ``sd_of_difference``, ``limits`` of agreement;
          ``mean_a``, ``mean_b``, ``sd_a``, ``sd_b``, ``zeros_a``, ``zeros_b``, ``kappa`` (of zero
          or not); ``constant``: "A", "B", "A and B" or empty;
        * ``within`` of a row has ``pooled`` besides: r of the same, labelled faces;
        * ``mean``: the same names, over the AUs that have the figure, and ``n_aus``;
        * ``emotions``: how many faces each has; ``n_labelled``;
        * ``draws``: of the intervals: ``n``, ``seed``, ``n_groups``, ``by``.
    """
    labels = [str(name) for name in sorted(set(emotions.tolist()) - {""})]
    counts = {name: int((emotions == name).sum()) for name in labels}
    # the last part is of the faces without a label
    part = np.array([labels.index(e) if e else len(labels) for e in emotions], dtype=np.int64)
    each, n_parts = terms(a, b), len(labels) + 1
    n_groups = int(number_groups(groups).max()) + 1
    observed = sum_by_part(each, part, n_parts)
    drawn = draw_by_part(each, part, n_parts, groups, n=DRAWS, seed=seed)
    views = _Views(observed, drawn, len(labels), n_groups)
    rows = [_row(name, a[:, j], b[:, j], views, j) for j, name in enumerate(names)]
    return {
        "aus": rows,
        "mean": _mean(rows, views),
        "emotions": counts,
        "n_labelled": sum(counts.values()),
        "draws": {
            "n": DRAWS,
            "seed": seed,
            "n_groups": n_groups,
            "by": "group" if (groups != "").any() else "face",
        },
    }


class _Views:
    """The figures that have intervals, of the faces and of those drawn anew."""

    def __init__(
        self, observed: np.ndarray, drawn: np.ndarray, n_emotions: int, n_groups: int
    ) -> None:
        self.n_groups = n_groups
        self.all = Moments.from_sums(observed.sum(axis=0))
        self.by_emotion = Moments.from_sums(observed[:n_emotions])
        self.labelled = Moments.from_sums(observed[:n_emotions].sum(axis=0))
        everyone = Moments.from_sums(drawn.sum(axis=1))
        parts = Moments.from_sums(drawn[:, :n_emotions])
        # with one emotion, or with one face of each, there is nothing to remove, or nothing left
        self.has_within = n_emotions > 1 and bool((self.by_emotion.n >= 2).any())
        self.values = {
            "r": self.all.pearson(),
            "icc3": self.all.icc_consistency(),
            "within": self._within(self.by_emotion),
        }
        self.draws = {
            "r": everyone.pearson(),
            "icc3": everyone.icc_consistency(),
            "within": self._within(parts),
        }
        self.enough = self.all.n >= MIN_IMAGES

    def _within(self, parts: Moments) -> np.ndarray:
        if not self.has_within:
            return np.full((*parts.n.shape[:-2], parts.n.shape[-1]), np.nan)
        return pearson_within(parts)

    def figure(self, name: str, j: int, other: tuple[float, float]) -> dict[str, Any] | None:
        """Value, low, high of one AU; the wider of the draws' interval and the other one."""
        value = _number(self.values[name][j])
        if value is None or not self.enough[j]:
            return None
        low, high = self._limits(self.draws[name][:, j], value)
        return {"value": value, "low": min(low, other[0]), "high": max(high, other[1])}

    def mean(self, name: str, columns: list[int]) -> dict[str, Any] | None:
        """The mean over some AUs, with its interval."""
        if not columns:
            return None
        value = float(self.values[name][columns].mean())
        with np.errstate(invalid="ignore"):
            low, high = self._limits(self.draws[name][:, columns].mean(axis=1), value)
        return {"value": value, "low": low, "high": high}

    def _limits(self, draws: np.ndarray, value: float) -> tuple[float, float]:
        known = draws[np.isfinite(draws)]
        if self.n_groups < 2 or not len(known):
            return -1.0, 1.0
        low, high = np.percentile(known, (2.5, 97.5))
        return min(float(low), value), max(float(high), value)


def fisher_limits(r: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a correlation of n normal pairs; of fewer than four nothing is known.

    Args:
        n: less the number of variables whose part was removed.
    """
    if n <= 3:
        return -1.0, 1.0
    if abs(r) >= 1:
        return r, r
    from scipy.stats import norm

    half = float(norm.ppf(0.975)) / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def _row(name: str, a: np.ndarray, b: np.ndarray, views: _Views, j: int) -> dict[str, Any]:
    known = np.isfinite(a) & np.isfinite(b)
    a, b, n = a[known], b[known], int(known.sum())
    row: dict[str, Any] = {"au": name, "n": n, "r": None, "within": None, "icc3": None}
    is_defined = n >= MIN_IMAGES and _number(views.values["r"][j]) is not None
    if is_defined:
        row["r"] = views.figure("r", j, fisher_limits(float(views.values["r"][j]), n))
        row["within"] = _within_of(views, j)
        subjects, _, residual = (float(square[j]) for square in views.all.mean_squares())
        row["icc3"] = views.figure("icc3", j, icc.consistency_limits(subjects, residual, n))
    row["icc2"] = _number(views.all.icc_agreement()[j]) if is_defined else None
    row["ccc"] = _number(views.all.concordance()[j]) if is_defined else None
    row["verdict"] = judge(row["icc3"]["value"]) if row["icc3"] else ""
    if n < MIN_IMAGES:
        return {**row, **dict.fromkeys(_OF_VALUES), "constant": ""}
    differences = a - b
    bias, sd = float(differences.mean()), float(differences.std(ddof=1))
    zero_a, zero_b = np.abs(a) < ZERO_BELOW, np.abs(b) < ZERO_BELOW
    constant = [side for side, values in (("A", a), ("B", b)) if np.ptp(values) == 0]
    return {
        **row,
        "mae": float(np.abs(differences).mean()),
        "mae_of_mean": float(np.abs(b - b.mean()).mean()),
        "bias": bias,
        "sd_of_difference": sd,
        "limits": [bias - 1.96 * sd, bias + 1.96 * sd],
        "mean_a": float(a.mean()),
        "mean_b": float(b.mean()),
        "sd_a": float(a.std(ddof=1)),
        "sd_b": float(b.std(ddof=1)),
        "zeros_a": float(zero_a.mean()),
        "zeros_b": float(zero_b.mean()),
        "kappa": kappa(zero_a, zero_b),
        "constant": " and ".join(constant),
    }


_OF_VALUES = (
    *("mae", "mae_of_mean", "bias", "sd_of_difference", "limits"),
    *("mean_a", "mean_b", "sd_a", "sd_b", "zeros_a", "zeros_b", "kappa"),
)


def _within_of(views: _Views, j: int) -> dict[str, Any] | None:
    value = _number(views.values["within"][j])
    if value is None:
        return None
    sizes = views.by_emotion.n[:, j]
    # each emotion's mean but the first is one more variable that was removed
    n = sizes.sum() - (int((sizes > 0).sum()) - 1)
    found = views.figure("within", j, fisher_limits(value, n))
    pooled = _number(views.labelled.pearson()[j])
    return found and {**found, "pooled": pooled, "n": int(sizes.sum())}


def kappa(a: np.ndarray, b: np.ndarray) -> float | None:
    """Cohen's kappa of two yes-or-no columns; None where both always say the same one thing."""
    from sklearn.metrics import cohen_kappa_score

    if len(set(a.tolist()) | set(b.tolist())) < 2:
        return None
    return _number(cohen_kappa_score(a, b))


def _mean(rows: list[dict[str, Any]], views: _Views) -> dict[str, Any]:
    found: dict[str, Any] = {"au": "mean", "n": None, "limits": None, "constant": ""}
    for name in ("r", "icc3"):
        columns = [j for j, row in enumerate(rows) if row[name]]
        found[name] = views.mean(name, columns)
    columns = [j for j, row in enumerate(rows) if row["within"]]
    within = views.mean("within", columns)
    pooled = [rows[j]["within"]["pooled"] for j in columns]
    found["within"] = within and {**within, "pooled": float(np.mean(pooled))}
    for name in ("icc2", "ccc", *(name for name in _OF_VALUES if name != "limits")):
        values = [row[name] for row in rows if row[name] is not None]
        found[name] = float(np.mean(values)) if values else None
    found["verdict"] = judge(found["icc3"]["value"]) if found["icc3"] else ""
    found["n_aus"] = sum(row["r"] is not None for row in rows)
    return found


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
