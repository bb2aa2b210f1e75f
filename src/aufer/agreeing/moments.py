"""Sums over faces, from which correlations and agreement follow; and of faces drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aufer.agreeing import icc
from aufer.metrics import number_groups

_CELLS_AT_ONCE = 4_000_000
_NO_SPREAD = 1e-10
"""A variance below is rounding: the column is constant."""


@dataclass(frozen=True)
class Moments:
    """Sums over faces of each AU that two tables have; arrays [..., AUs].

    Attributes:
        n: faces with both values. a, b, aa, bb, ab: sums of the values, squares and products.
    """

    n: np.ndarray
    a: np.ndarray
    b: np.ndarray
    aa: np.ndarray
    bb: np.ndarray
    ab: np.ndarray

    @classmethod
    def from_sums(cls, sums: np.ndarray) -> Moments:
        """Of sums of `terms`, [..., 6, AUs]."""
        return cls(*np.moveaxis(sums, -2, 0))

    def covariances(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Variances of A and of B, and their covariance (n - 1); NaN where one is constant."""
        with np.errstate(invalid="ignore", divide="ignore"):
            n = np.where(self.n > 1, self.n, np.nan)
            found = (
                (self.aa - self.a**2 / n) / (n - 1),
                (self.bb - self.b**2 / n) / (n - 1),
                (self.ab - self.a * self.b / n) / (n - 1),
            )
        return _without_constants(*found)

    def pearson(self) -> np.ndarray:
        """Pearson's r."""
        return _correlate(*self.covariances())

    def mean_squares(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Between faces, between the tables, and residual, as `icc.mean_squares`."""
        of_a, of_b, of_both = self.covariances()
        with np.errstate(invalid="ignore", divide="ignore"):
            between = self.n / 2 * (self.a / self.n - self.b / self.n) ** 2
        return (of_a + of_b + 2 * of_both) / 2, between, (of_a + of_b - 2 * of_both) / 2

    def icc_consistency(self) -> np.ndarray:
        """ICC(3,1)."""
        subjects, _, residual = self.mean_squares()
        return icc.consistency(subjects, residual)

    def icc_agreement(self) -> np.ndarray:
        """ICC(2,1)."""
        subjects, between, residual = self.mean_squares()
        return icc.absolute_agreement(subjects, between, residual, self.n)

    def concordance(self) -> np.ndarray:
        """Lin's concordance correlation (L. I.-K. Lin, Biometrics 45, 1989, 255-268), with 1/n."""
        of_a, of_b, of_both = self.covariances()
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = (self.a / self.n - self.b / self.n) ** 2
            found: np.ndarray = 2 * of_both / (of_a + of_b + apart * self.n / (self.n - 1))
        return found


def pearson_within(parts: Moments) -> np.ndarray:
    """Pearson's r with the mean of every part removed.

    Args:
        parts: of the faces of each part (emotion), arrays [..., parts, AUs].
    """
    known = np.maximum(parts.n, 1)
    return _correlate(
        *_without_constants(
            (parts.aa - parts.a**2 / known).sum(axis=-2),
            (parts.bb - parts.b**2 / known).sum(axis=-2),
            (parts.ab - parts.a * parts.b / known).sum(axis=-2),
        )
    )


def _without_constants(*spreads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    of_a, of_b, of_both = spreads
    varies = (of_a > _NO_SPREAD) & (of_b > _NO_SPREAD)
    return (
        np.where(varies, of_a, np.nan),
        np.where(varies, of_b, np.nan),
        np.where(varies, of_both, np.nan),
    )


def _correlate(of_a: np.ndarray, of_b: np.ndarray, of_both: np.ndarray) -> np.ndarray:
    r: np.ndarray = np.clip(of_both / np.sqrt(of_a * of_b), -1, 1)
    return r


def terms(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What each face adds to `Moments`, float64 [faces, 6, AUs]; nothing where a value is missing.

    The values are counted from the AU's mean over both, which changes no figure of spread or
    difference, and loses fewer digits.
    """
    known = np.isfinite(a) & np.isfinite(b)
    n = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, a + b, 0).sum(axis=0) / (2 * n)
    from_a, from_b = np.where(known, a - centre, 0), np.where(known, b - centre, 0)
    return np.stack(
        [known.astype(float), from_a, from_b, from_a**2, from_b**2, from_a * from_b], axis=1
    )


def sum_by_part(each: np.ndarray, parts: np.ndarray, n_parts: int) -> np.ndarray:
    """Sums of `terms` over the faces of each part: [parts, 6, AUs].

    Args:
        parts: int [faces].
    """
    return np.stack([each[parts == part].sum(axis=0) for part in range(n_parts)])


def draw_by_part(
    each: np.ndarray, parts: np.ndarray, n_parts: int, groups: np.ndarray, *, n: int, seed: int
) -> np.ndarray:
    """`sum_by_part` of faces drawn anew: as many whole groups as there are, with replacement.

    Args:
        groups: what is drawn together, a name per face [faces]; without one a face stands alone.
        n: draws.

    Returns:
        [draws, parts, 6, AUs].
    """
    number = number_groups(groups)
    n_groups = int(number.max()) + 1
    random = np.random.default_rng(seed)
    flat = each.reshape(len(each), -1)
    of_part = [np.flatnonzero(parts == part) for part in range(n_parts)]
    found = np.zeros((n, n_parts, flat.shape[1]))
    step = max(1, _CELLS_AT_ONCE // len(flat))
    for start in range(0, n, step):
        stop = min(n, start + step)
        times = np.stack(
            [
                np.bincount(random.integers(0, n_groups, n_groups), minlength=n_groups)[number]
                for _ in range(start, stop)
            ]
        ).astype(float)
        for part, rows in enumerate(of_part):
            found[start:stop, part] = times[:, rows] @ flat[rows]
    return found.reshape(n, n_parts, *each.shape[1:])
