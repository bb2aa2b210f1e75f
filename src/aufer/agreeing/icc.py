"""Intraclass correlations of a two-way layout: every subject rated by the same raters.

P. E. Shrout, J. L. Fleiss: Intraclass correlations: uses in assessing rater reliability.
Psychological Bulletin 86, 1979, 420-428. The mean squares are those of the two-way analysis of
variance with one rating per cell. pingouin has the same figures, and five packages more to install.
"""

from __future__ import annotations

import numpy as np


def mean_squares(ratings: np.ndarray) -> tuple[float, float, float]:
    """Between subjects, between raters, and residual.

    Args:
        ratings: float [subjects, raters], none missing, at least two of each.
    """
    n, k = ratings.shape
    mean = ratings.mean()
    of_subjects, of_raters = ratings.mean(axis=1), ratings.mean(axis=0)
    residual = ratings - of_subjects[:, None] - of_raters[None, :] + mean
    return (
        float(k * ((of_subjects - mean) ** 2).sum() / (n - 1)),
        float(n * ((of_raters - mean) ** 2).sum() / (k - 1)),
        float((residual**2).sum() / ((n - 1) * (k - 1))),
    )


def consistency(subjects: np.ndarray, residual: np.ndarray, k: int = 2) -> np.ndarray:
    """ICC(3,1): these raters, single ratings, their levels left aside; of mean squares."""
    found: np.ndarray = (subjects - residual) / (subjects + (k - 1) * residual)
    return found


def absolute_agreement(
    subjects: np.ndarray, raters: np.ndarray, residual: np.ndarray, n: np.ndarray, k: int = 2
) -> np.ndarray:
    """ICC(2,1): raters of many, single ratings, their levels counted; of mean squares."""
    found: np.ndarray = (subjects - residual) / (
        subjects + (k - 1) * residual + k * (raters - residual) / n
    )
    return found


def consistency_limits(
    subjects: float, residual: float, n: int, k: int = 2, level: float = 0.95
) -> tuple[float, float]:
    """The interval of ICC(3,1) by the F distribution (Shrout & Fleiss, 1979, page 424).

    Exact for normal errors of equal size, which AUs that are often 0 don't have.
    """
    from scipy.stats import f

    if residual <= 0:
        return 1.0, 1.0
    ratio = subjects / residual
    tail, df = 1 - (1 - level) / 2, (n - 1) * (k - 1)
    low = ratio / f.ppf(tail, n - 1, df)
    high = ratio * f.ppf(tail, df, n - 1)
    return float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1))
