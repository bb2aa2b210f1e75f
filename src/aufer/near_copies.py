"""Near copies: pictures that a person would call the same one, found by their perceptual hashes.

The hash is `imagehash.phash`: 64 bits, one for each of the picture's coarsest waves, set where it
is stronger than the middle one (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
Functions, 2010). Another size, quality, crop or caption changes a few bits; of another picture half
of them differ. docs/groups.md has what `NEAR_BITS` finds in FER2013.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from aufer.errors import DataError

HASH_BITS = 64
NEAR_BITS = 6
"""Hashes that differ in so many bits or fewer are near copies'. Two more, and FER2013's largest
group grows from 20 copies of one photograph to 276 pictures of many people."""

_STRUCTURED = (16, 48)
"""So many bits are set in the hash of a picture: half of them, as the middle wave divides them. A
black or plain picture has no waves, and a hash of nearly equal bits."""

_HASH = re.compile(r"[0-9a-fA-F]{16}")
_PAIRS_AT_ONCE = 1_000_000
_ONES_OF_16_BITS = np.array([bin(n).count("1") for n in range(1 << 16)], dtype=np.uint8)


def join_near_copies(hashes: Sequence[str], bits: int = NEAR_BITS) -> np.ndarray:
    """Which pictures belong together: near copies, and all that a chain of these links.

    A picture without a hash is alone. A black or plain picture is joined with those of the equal
    hash only: the hashes of such pictures are near each other, whatever they show.

    Args:
        hashes: 16 hexadecimal digits each, empty where unknown.
        bits: near copies' hashes differ in so many bits at most, 0-63.

    Returns:
        a number per picture, int64 [n], equal for pictures that belong together; from 0, in the
        order of the first pictures.

    Raises:
        DataError: a text is no such hash.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known, values = _to_integers(hashes)
    distinct, positions = np.unique(values, return_inverse=True)
    part = np.arange(len(distinct))
    for first, second in _near_pairs(distinct, bits):
        edges = (np.ones(len(first), dtype=np.int8), (part[first], part[second]))
        graph = coo_array(edges, shape=(len(distinct), len(distinct)))
        part = connected_components(graph, directed=False)[1][part]
    together = len(distinct) + np.arange(len(hashes))  # alone, until known to be otherwise
    together[known] = part[positions]
    _, appears, number = np.unique(together, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(appears))[number]


def find_near_copies(
    hashes: Sequence[str], among: Sequence[str], bits: int = NEAR_BITS
) -> np.ndarray:
    """Which pictures have a near copy among others, such as the training pictures.

    There are no chains here: the copy itself is near. Black and plain pictures count as in
    `join_near_copies`.

    Args:
        hashes: of the pictures asked for, 16 hexadecimal digits each, empty where unknown.
        among: of the others.

    Returns:
        bool [n]; False where there is no hash.

    Raises:
        DataError: a text is no such hash.
    """
    known, values = _to_integers(hashes)
    others = _to_integers(among)[1]
    distinct = np.unique(np.concatenate([values, others]))
    is_other = np.isin(distinct, others)
    has_copy = is_other.copy()
    for first, second in _near_pairs(distinct, bits):
        has_copy[first[is_other[second]]] = True
        has_copy[second[is_other[first]]] = True
    found = np.zeros(len(hashes), dtype=bool)
    found[known] = has_copy[np.searchsorted(distinct, values)]
    return found


def _to_integers(hashes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which texts are there, bool [n], and these as uint64."""
    for text in hashes:
        if text and not _HASH.fullmatch(text):
            raise DataError(
                f"'{text[:40]}' is no perceptual hash: 16 hexadecimal digits are.",
                hint="correct the column phash, or measure the images again: aufer extract",
            )
    known = np.array([text != "" for text in hashes], dtype=bool)
    return known, np.array([int(text, 16) for text in hashes if text], dtype=np.uint64)


def _near_pairs(distinct: np.ndarray, bits: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions of hashes that differ in at most so many bits, some at a time; a pair may come more
    than once.

    Cut into ``bits + 1`` bands, such hashes are equal in one of them at least: only those that are
    have to be compared, a hundredth of all pairs.

    Args:
        distinct: uint64 [n], no two equal.
    """
    n_ones = _count_ones(distinct)
    rows = np.flatnonzero((n_ones >= _STRUCTURED[0]) & (n_ones <= _STRUCTURED[1]))
    values = distinct[rows]
    limits = np.linspace(0, HASH_BITS, bits + 2).astype(int).tolist()
    found: list[tuple[np.ndarray, np.ndarray]] = []
    n_found = 0
    for low, high in pairwise(limits):
        band = (values >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        sorted_band, sorted_values = band[order], values[order]
        here = np.arange(len(values))
        for step in range(1, len(values)):  # each with the next one of its band, the one after it …
            here = here[: np.searchsorted(here, len(values) - step)]
            here = here[sorted_band[here] == sorted_band[here + step]]
            if not len(here):
                break
            n_differing = _count_ones(sorted_values[here] ^ sorted_values[here + step])
            near = here[n_differing <= bits]
            found.append((rows[order[near]], rows[order[near + step]]))
            n_found += len(near)
            if n_found >= _PAIRS_AT_ONCE:
                yield _joined(found)
                found, n_found = [], 0
    if found:
        yield _joined(found)


def _joined(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def _count_ones(values: np.ndarray) -> np.ndarray:
    """How many bits are set in each of uint64 [n]."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        return np.asarray(np.bitwise_count(values))
    by_16 = np.ascontiguousarray(values).view(np.uint16).reshape(-1, 4)
    return _ONES_OF_16_BITS[by_16].sum(axis=1, dtype=np.uint8)
