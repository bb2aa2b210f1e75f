"""Shapley values: what each feature of a face contributes to a model's output.

An output's difference between a face and a baseline is shared out among the features. Each gets
the mean, over all orders in which the face's features could replace the baseline's, of what its own
replacement changes (L. S. Shapley: A value for n-person games, 1953; as reasons for a model's
output: S. M. Lundberg & S.-I. Lee, NeurIPS 2017; against one baseline row: M. Sundararajan & A.
Najmi, The many Shapley values for model explanation, ICML 2020). The shares add up to the
difference.

Against one baseline they are exact: every subset of the features that differ is asked for. Against
many rows they are estimated from random orders, each taken forwards and backwards (R. Mitchell et
al.: Sampling permutations for Shapley value estimation, JMLR 23, 2022), with the standard error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np

Value = Callable[[np.ndarray], np.ndarray]
"""A model's outputs, float64 [n, outputs], of rows [n, features]; each row for itself."""

MOST_FEATURES = 20
"""So many may differ from the baseline: a million subsets."""

ROWS_AT_ONCE = 1 << 16
"""Rows that are put together for one call; a face of 17 differing AUs alone has twice as many."""

MIN_PAIRS = 2
"""Pairs of orders for each background row; of one, nothing tells the error."""


@dataclass(frozen=True)
class Shares:
    """What the features contribute to each output of each face.

    Attributes:
        shares: float64 [n, features, outputs]; 0 where a feature is the baseline's.
        at_face, at_baseline: the outputs, float64 [n, outputs]. ``shares`` add up to their
            difference, but for the last digits of a float64.
        errors: standard errors of ``shares``; None: they are exact.
        n_rows: rows that the model was asked for.
    """

    shares: np.ndarray
    at_face: np.ndarray
    at_baseline: np.ndarray
    errors: np.ndarray | None
    n_rows: int


def exact_shares(value: Value, faces: np.ndarray, baseline: np.ndarray) -> Shares:
    """Exact Shapley values against one baseline row.

    Of the features that equal the baseline's, nothing can depend: they are left out, and only the
    subsets of the others are asked for. Equal faces are asked for once.

    Args:
        value: the model. faces: [n, features]. baseline: [features].

    Raises:
        ValueError: more than `MOST_FEATURES` differ.
    """
    distinct, which = np.unique(faces, axis=0, return_inverse=True)
    which = which.reshape(-1)  # NumPy 2.0 alone gives it another shape
    base = np.asarray(baseline, dtype=faces.dtype)
    differ = [np.flatnonzero(face != base) for face in distinct]
    if max(map(len, differ), default=0) > MOST_FEATURES:
        raise ValueError(f"more than {MOST_FEATURES} features differ from the baseline")
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    n_rows = 0
    for start, stop in _batches([1 << len(each) for each in differ]):
        parts = [
            _subset_rows(face, base, each)
            for face, each in zip(distinct[start:stop], differ[start:stop], strict=True)
        ]
        outputs = value(np.concatenate(parts))
        n_rows += len(outputs)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        for of_face, each in zip(np.split(outputs, ends), differ[start:stop], strict=True):
            shares = np.zeros((faces.shape[1], outputs.shape[1]))
            shares[each] = _weights(len(each)) @ of_face
            found.append((shares, of_face[-1], of_face[0]))
    if not found:
        outputs = value(base[None])
        empty = np.zeros((0, outputs.shape[1]))
        return Shares(np.zeros((0, faces.shape[1], outputs.shape[1])), empty, empty, None, 1)
    shares, at_face, at_baseline = (np.stack(each)[which] for each in zip(*found, strict=True))
    return Shares(shares, at_face, at_baseline, None, n_rows)


def _batches(sizes: list[int]) -> list[tuple[int, int]]:
    """Neighbours whose rows together stay within `ROWS_AT_ONCE`; at least one in each batch."""
    found, start, total = [], 0, 0
    for position, size in enumerate(sizes):
        if position > start and total + size > ROWS_AT_ONCE:
            found.append((start, position))
            start, total = position, 0
        total += size
    if sizes:
        found.append((start, len(sizes)))
    return found


@cache
def _subsets(n: int) -> np.ndarray:
    """All subsets of n features, bool [2^n, n]: row s has the bits of the number s."""
    found: np.ndarray = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1 == 1
    return found


@cache
def _weights(n: int) -> np.ndarray:
    """What turns the outputs of all subsets into Shapley values, float64 [n, 2^n].

    Feature i's is the sum, over the subsets S without it, of |S|! (n - |S| - 1)! / n! times what
    its joining changes: each subset counts once with a plus (as the one with i) or a minus.
    """
    subsets = _subsets(n)
    of_size = np.array([1 / (n * comb(n - 1, size)) for size in range(n)] + [0.0])
    sizes = subsets.sum(axis=1)
    with_it, without_it = of_size[sizes - 1], -of_size[sizes]
    return np.where(subsets.T, with_it, without_it)


def _subset_rows(face: np.ndarray, base: np.ndarray, differ: np.ndarray) -> np.ndarray:
    """The baseline with each subset of the face's differing features, [2^m, features]."""
    subsets = _subsets(len(differ))
    rows = np.repeat(base[None], len(subsets), axis=0)
    rows[:, differ] = np.where(subsets, face[differ], base[differ])
    return rows


def sampled_shares(
    value: Value, face: np.ndarray, background: np.ndarray, *, pairs: int = 1000, seed: int = 0
) -> Shares:
    """Shapley values of one face against the mean of many rows, from random orders.

    Every background row gets the same number of pairs of orders (an order and its reverse), so that
    the shares add up to the face's output minus the mean of the background's, whatever was drawn.
    The standard error is that of the drawing: it takes the background as it is.

    Args:
        value: the model. face: [features]. background: [rows, features], at least one row.
        pairs: of orders, at least; `MIN_PAIRS` for each row. seed: of the drawing.

    Returns:
        one face's: ``shares`` [1, features, outputs], and so on.
    """
    n_background, n_features = background.shape
    each = max(MIN_PAIRS, -(-pairs // n_background))
    rng = np.random.default_rng(seed)
    of_pair = np.repeat(np.arange(n_background), each)
    background = background.astype(face.dtype)
    at_once = max(1, ROWS_AT_ONCE // (2 * n_features + 2))
    found, at_baseline, at_face = [], [], []
    for start in range(0, len(of_pair), at_once):
        rows = background[of_pair[start : start + at_once]]
        ranks = rng.permuted(np.tile(np.arange(n_features), (len(rows), 1)), axis=1)
        both = np.concatenate([ranks, n_features - 1 - ranks])
        outputs = _walk(value, face, np.concatenate([rows, rows]), both)
        steps = np.diff(outputs, axis=1)  # [2 pairs, features, outputs], in the orders' order
        changes = np.take_along_axis(steps, both[:, :, None], axis=1)
        found.append((changes[: len(rows)] + changes[len(rows) :]) / 2)
        at_baseline.append(outputs[:, 0])
        at_face.append(outputs[:, -1])  # the face each time, but for the last digits
    of_rows = np.concatenate(found).reshape(n_background, each, n_features, -1)
    variance = of_rows.var(axis=1, ddof=1).sum(axis=0) / each / n_background**2
    return Shares(
        of_rows.mean(axis=(0, 1))[None],
        np.concatenate(at_face).mean(axis=0)[None],
        np.concatenate(at_baseline).mean(axis=0)[None],
        np.sqrt(variance)[None],
        len(of_pair) * 2 * (n_features + 1),
    )


def _walk(value: Value, face: np.ndarray, starts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """The outputs on the way from each start to the face, [n, features + 1, outputs].

    Args:
        ranks: int [n, features]: when each feature becomes the face's.
    """
    n, n_features = starts.shape
    passed = ranks[:, None, :] < np.arange(n_features + 1)[None, :, None]
    rows = np.where(passed, face, starts[:, None, :]).reshape(-1, n_features)
    return value(rows).reshape(n, n_features + 1, -1)
