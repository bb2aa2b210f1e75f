"""Two models on the same images: does chance alone explain that one reads more of them correctly?

Exact McNemar's test (Q. McNemar, Psychometrika 12, 1947, 153-157): only images that one model reads
correctly and the other doesn't tell them apart; were both as good, each would be as likely one way
as the other. Several pairs at once are corrected after S. Holm (Scandinavian Journal of Statistics
6, 1979, 65-70). How many images it would take: R. J. Connor (Biometrics 43, 1987, 207-211).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from aufer.metrics import bootstrap_by_group, proportion

ALPHA = 0.05
"""Chance of calling two equal models different."""

POWER = 0.8
"""Chance of telling two models apart that differ as observed."""

ANSWERED, EVERY = "answered", "all"
"""The images that a pair is compared on: those that both answer, or all of them, no answer being
wrong."""


def mcnemar(first_only: int, second_only: int) -> float:
    """The two-sided p-value of the exact McNemar test.

    Args:
        first_only: images that the first model alone reads correctly. second_only: the second.

    Returns:
        0-1; 1 where there is no such image.
    """
    from scipy.stats import binomtest

    n = first_only + second_only
    return float(binomtest(first_only, n, 0.5).pvalue) if n else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p-values of several tests that may be read one by one.

    Returns:
        each at least as large as before and at most 1, in the order given.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return [float(value) for value in corrected]


def images_needed(
    n: int, first_only: int, second_only: int, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """How many images McNemar's test needs to tell two models apart that differ as observed.

    Connor (1987): (z₁₋ₐ⁄₂ √ψ + z_power √(ψ - δ²))² / δ², of the shares ψ of images that one model
    alone reads correctly, and δ, by how much one's exceeds the other's.

    Args:
        n: images observed. first_only, second_only: as in `mcnemar`. alpha: two-sided.

    Returns:
        a number of images; None where both read as many correctly: no number would do.
    """
    from scipy.stats import norm

    if first_only == second_only:
        return None
    discordance = (first_only + second_only) / n
    difference = abs(first_only - second_only) / n
    spread = math.sqrt(discordance - difference**2)
    z = norm.ppf(1 - alpha / 2) * math.sqrt(discordance) + norm.ppf(power) * spread
    return math.ceil((z / difference) ** 2)


def difference_interval(n: int, first_only: int, second_only: int) -> tuple[float, float]:
    """The 95 % interval of the difference of two accuracies on the same images.

    Wald's with half an image added to each of the four cells (A. Agresti, Y. Min: Simple improved
    confidence intervals for comparing matched proportions, Statistics in Medicine 24, 2005).

    Returns:
        lower and upper limit of first minus second, -1 to 1; (-1, 1) without an image.
    """
    from scipy.stats import norm

    if not n:
        return -1.0, 1.0
    b, c, total = first_only + 0.5, second_only + 0.5, n + 2
    middle = (b - c) / total
    half = norm.ppf(1 - ALPHA / 2) * math.sqrt(b + c - (b - c) ** 2 / total) / total
    return max(-1.0, float(middle - half)), min(1.0, float(middle + half))


def compare_pairs(
    names: Sequence[str],
    right: np.ndarray,
    answered: np.ndarray,
    groups: np.ndarray,
    images: str = ANSWERED,
) -> list[dict[str, Any]]:
    """Every pair of models, corrected for their number.

    Args:
        names: of the models. right, answered: bool [models, n]; what is right is answered.
        groups: as in `metrics.bootstrap_by_group`, object [n].
        images: `ANSWERED` or `EVERY`.

    Returns:
        plain JSON, one per pair: ``first`` and ``second`` (names), ``n`` images, ``accuracy`` of
        both, ``both``, ``first_only``, ``second_only`` and ``neither`` read correctly,
        ``difference`` of the accuracies with ``low`` and ``high``, ``by_group`` (its limits when
        whole groups are drawn; None where groups are unknown), ``p``, ``p_holm``, ``differ``
        (p_holm below `ALPHA`, and 0 outside of ``by_group`` where there is one), ``needed`` images
        (`images_needed`) and ``needed_holm``, the same with alpha divided by the number of pairs.
    """
    counted = np.ones_like(answered) if images == EVERY else answered
    found = [
        {
            "first": names[one],
            "second": names[other],
            **_compare(right[one], right[other], counted[one] & counted[other], groups),
        }
        for one, other in combinations(range(len(names)), 2)
    ]
    for pair, p in zip(found, holm([pair["p"] for pair in found]), strict=True):
        pair["p_holm"] = p
        by_group = pair["by_group"]
        pair["differ"] = p < ALPHA and not (by_group and by_group[0] <= 0 <= by_group[1])
        counts = (pair["n"], pair["first_only"], pair["second_only"])
        pair["needed"] = images_needed(*counts)
        pair["needed_holm"] = images_needed(*counts, alpha=ALPHA / len(found))
    return found


def _compare(
    first: np.ndarray, second: np.ndarray, counted: np.ndarray, groups: np.ndarray
) -> dict[str, Any]:
    """One pair on the counted images; all but what the other pairs have a say in."""
    a, b = first[counted], second[counted]
    n, first_only, second_only = len(a), int((a & ~b).sum()), int((~a & b).sum())
    low, high = difference_interval(n, first_only, second_only)
    of_groups = groups[counted]
    by_group = None
    if len(set(of_groups) - {""}) > 1:
        by_group = list(bootstrap_by_group(a.astype(float) - b, of_groups))
    return {
        "n": n,
        "accuracy": [proportion(int(a.sum()), n), proportion(int(b.sum()), n)],
        "both": int((a & b).sum()),
        "first_only": first_only,
        "second_only": second_only,
        "neither": int((~a & ~b).sum()),
        "difference": (first_only - second_only) / n if n else None,
        "low": low,
        "high": high,
        "by_group": by_group,
        "p": mcnemar(first_only, second_only),
    }
