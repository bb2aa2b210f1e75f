"""Which images of two AU tables are the same one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from aufer.au_table import OK, AuTable
from aufer.errors import DataError

SAME_PATH = "their names"
SAME_BYTES = "the sha256 of their files"
SAME_STEM = "their names without the ending"
SAME_END = "the ends of their paths"
SAME_FILE = "their file names alone, whatever the folder"
SAME_ROW = "their place in the table"

OTHER_FILE = "other_file"
"""Why a pair is left out: the same name, and different bytes."""
UNPAIRED = "not in the other"
MIN_IMAGES = 3


@dataclass(frozen=True)
class Pairing:
    """Pairs of rows.

    Attributes:
        rule: how images were known again: one of the texts above.
        a, b: positions in the tables, int [pairs]; each image once.
        n_other_file: of the same name in both that are different files; not among the pairs.
    """

    rule: str
    a: np.ndarray
    b: np.ndarray
    n_other_file: int = 0


def pair_images(a: AuTable, b: AuTable, *, by_rows: bool = False) -> Pairing:
    """Find the images that two tables share.

    Rules are tried in the order of the texts above; the one that pairs most images counts, the
    earlier one of equals. File names alone count only where no other rule pairs any. An image
    that could be two of the other table is paired with neither.

    Args:
        by_rows: neither table names its images: row n is row n.

    Raises:
        DataError: nothing in common; tables without names and of different lengths.
    """
    if by_rows:
        if len(a) != len(b):
            raise DataError(
                f"Neither table names its images, and one has {len(a):,} rows, the other "
                f"{len(b):,}: which is which can't be told.",
                hint="name the column that tells the image: --image COLUMN",
            )
        both = np.arange(len(a))
        return Pairing(SAME_ROW, both, both)
    paths = [[_plain(name) for name in table.frame["image"]] for table in (a, b)]
    stems = [[_without_ending(path) for path in each] for each in paths]
    files = [[stem.rpartition("/")[2] for stem in each] for each in stems]
    digests = [table.frame["sha256"].tolist() for table in (a, b)]
    rules: list[tuple[str, Callable[[], list[tuple[int, int]]]]] = [
        (SAME_PATH, lambda: _equal(*paths)),
        (SAME_BYTES, lambda: _equal(*digests, first=True)),
        (SAME_STEM, lambda: _equal(*stems)),
        (SAME_END, lambda: _same_end(*stems)),
    ]
    found = [(rule, find()) for rule, find in rules]
    rule, pairs = max(found, key=lambda each: len(each[1]))
    if not pairs:
        rule, pairs = SAME_FILE, _equal(*files)
    if not pairs:
        raise DataError(
            f"The two tables have no image in common (A: {len(a):,} images, B: {len(b):,}).",
            hint="images are matched by name, sha256 or path; the first ones are "
            f"{a.frame['image'].iloc[0]} and {b.frame['image'].iloc[0]}; "
            "another column can be named with --image COLUMN",
        )
    at_a, at_b = (np.array(rows, dtype=np.int64) for rows in zip(*pairs, strict=True))
    ours, theirs = (
        np.array(digests[0], dtype=object)[at_a],
        np.array(digests[1], dtype=object)[at_b],
    )
    other = (ours != theirs) & (ours != "") & (theirs != "")
    return Pairing(rule, at_a[~other], at_b[~other], int(other.sum()))


def _plain(name: str) -> str:
    path = name.replace("\\", "/")
    return path.removeprefix("./")


def _without_ending(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    is_ending = dot and stem and 0 < len(ending) <= 5 and not ending.isdecimal()
    return f"{folder}{slash}{stem}" if is_ending else path


def _positions(keys: Sequence[str], first: bool = False) -> dict[str, int]:
    """Where each key is; one that occurs twice is nowhere, or where it was first."""
    found: dict[str, int] = {}
    twice = set()
    for position, key in enumerate(keys):
        if key in found:
            twice.add(key)
        elif key:
            found[key] = position
    return found if first else {key: at for key, at in found.items() if key not in twice}


def _equal(a: Sequence[str], b: Sequence[str], *, first: bool = False) -> list[tuple[int, int]]:
    of_b = _positions(b, first)
    return [(at, of_b[key]) for key, at in _positions(a, first).items() if key in of_b]


def _same_end(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs in which one path is the end of the other, folder by folder."""
    ends_a, ends_b = _ends(a), _ends(b)
    found = {(at, ends_b[key]) for key, at in _positions(a).items() if ends_b.get(key, -1) >= 0}
    found |= {(ends_a[key], at) for key, at in _positions(b).items() if ends_a.get(key, -1) >= 0}
    counts = [pd.Series([pair[side] for pair in found]).value_counts() for side in (0, 1)]
    return sorted(pair for pair in found if counts[0][pair[0]] == counts[1][pair[1]] == 1)


def _ends(paths: Sequence[str]) -> dict[str, int]:
    """Where each end of a path is; -1 where it is the end of several."""
    found: dict[str, int] = {}
    for position, path in enumerate(paths):
        end = ""
        for part in reversed(path.strip("/").split("/")):
            end = f"{part}/{end}" if end else part
            found[end] = -1 if end in found else position
    return found


def count_pairs(a: AuTable, b: AuTable, pairing: Pairing, min_confidence: float) -> dict[str, int]:
    """How many images there are, plain JSON.

    Returns:
        ``a``, ``b``: images; ``paired``; ``only_a``, ``only_b``: images that the other lacks;
        ``other_file``; of the paired ones ``both`` measured with enough confidence, ``a_alone``,
        ``b_alone``, ``neither``.
    """
    in_a = a.is_usable(min_confidence)[pairing.a]
    in_b = b.is_usable(min_confidence)[pairing.b]
    n = len(pairing.a) + pairing.n_other_file
    return {
        "a": len(a),
        "b": len(b),
        "paired": len(pairing.a),
        "only_a": len(a) - n,
        "only_b": len(b) - n,
        "other_file": pairing.n_other_file,
        "both": int((in_a & in_b).sum()),
        "a_alone": int((in_a & ~in_b).sum()),
        "b_alone": int((~in_a & in_b).sum()),
        "neither": int((~in_a & ~in_b).sum()),
    }


def list_left_out(a: AuTable, b: AuTable, pairing: Pairing, min_confidence: float) -> pd.DataFrame:
    """Every image that no figure is of: ``image``, ``table`` (A or B), ``reason``."""
    statuses = [table.answer_status(min_confidence) for table in (a, b)]
    used = (statuses[0][pairing.a] == OK) & (statuses[1][pairing.b] == OK)
    rows = []
    for name, table, at, status, other_status in (
        ("A", a, pairing.a, statuses[0], statuses[1][pairing.b]),
        ("B", b, pairing.b, statuses[1], statuses[0][pairing.a]),
    ):
        reasons = np.full(len(table), UNPAIRED, dtype=object)
        own = status[at]
        reasons[at] = np.where(
            used, "", np.where(own != OK, own, [f"{word} in the other" for word in other_status])
        )
        images = table.frame["image"].to_numpy(dtype=object)
        kept = reasons != ""
        rows.append(pd.DataFrame({"image": images[kept], "table": name, "reason": reasons[kept]}))
    return pd.concat(rows, ignore_index=True)
