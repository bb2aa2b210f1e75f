"""Which images of several sets are the same one: for stored answers, and for validation data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from aufer.action_units import au_key
from aufer.au_table import AuTable
from aufer.errors import DataError
from aufer.near_copies import find_near_copies


def match_images(
    tables: Sequence[AuTable], names: Sequence[str], *, common: bool = False
) -> tuple[list[np.ndarray], list[str]]:
    """Bring the images of several sets into one order, that of the first set.

    Images are the same by their names; where no two sets spell the endings alike, without these;
    where the sets share no name, by the sha256 of their files.

    Args:
        names: of the sets, for messages. common: take the images that all sets have.

    Returns:
        positions of the images in each set, int [n] each, and what was left out, in words.

    Raises:
        DataError: the sets differ, and ``common`` was not asked for, or nothing is in all of them;
        or one image has two truths, or two contents.
    """
    keys = _keys(tables)
    shared = set(keys[0]).intersection(*keys[1:])
    if not shared:
        raise DataError(
            f"No image is in all of the compared sets ({_counts(tables, names)}).",
            hint=f"images are matched by their names; the first ones are {keys[0][0]} and "
            f"{keys[1][0]}",
        )
    notes = []
    if any(len(of_set) != len(shared) for of_set in keys):
        if not common:
            _refuse(keys, tables, names, shared)
        notes.append(
            f"only the {len(shared):,} images are compared that are in all sets "
            f"({_counts(tables, names)})"
        )
    wanted = [key for key in keys[0] if key in shared]
    rows = []
    for of_set in keys:
        positions = {key: position for position, key in enumerate(of_set)}
        rows.append(np.array([positions[key] for key in wanted], dtype=np.int64))
    _check_same(tables, rows, names)
    return rows, notes


def _keys(tables: Sequence[AuTable]) -> list[list[str]]:
    """What an image is known by in each set; distinct within each."""
    full = [table.frame["image"].tolist() for table in tables]
    short = [[str(PurePosixPath(name).with_suffix("")) for name in names] for names in full]
    same = all(set(names) == set(full[0]) for names in full)
    keys = full if same or any(len(set(names)) < len(names) for names in short) else short
    if set(keys[0]).intersection(*keys[1:]):
        return keys
    digests = [table.frame["sha256"].tolist() for table in tables]
    distinct = all("" not in each and len(set(each)) == len(each) for each in digests)
    return digests if distinct else keys


def _counts(tables: Sequence[AuTable], names: Sequence[str]) -> str:
    return ", ".join(f"{name}: {len(t):,}" for name, t in zip(names, tables, strict=True))


def _refuse(
    keys: Sequence[Sequence[str]],
    tables: Sequence[AuTable],
    names: Sequence[str],
    shared: set[str],
) -> None:
    """Raise, naming the first image that is not in every set."""
    for one, of_set in enumerate(keys):
        lacking = next((n for n, key in enumerate(of_set) if key not in shared), None)
        if lacking is None:
            continue
        other = next(n for n, others in enumerate(keys) if of_set[lacking] not in set(others))
        raise DataError(
            f"The compared sets have different images ({_counts(tables, names)}; {len(shared):,} "
            f"are in all of them): {names[other]} lacks {tables[one].frame['image'].iloc[lacking]}"
            f", which {names[one]} has.",
            hint="compare on the images that all have: --common",
        )


def _check_same(
    tables: Sequence[AuTable], rows: Sequence[np.ndarray], names: Sequence[str]
) -> None:
    """Raise where two sets contradict each other about an image."""
    first = tables[0].frame.iloc[rows[0]]
    for name, table, positions in zip(names[1:], tables[1:], rows[1:], strict=True):
        other = table.frame.iloc[positions]
        for column, what in (("emotion", "the emotion"), ("sha256", "the file")):
            a, b = first[column].to_numpy(dtype=object), other[column].to_numpy(dtype=object)
            wrong = np.flatnonzero((a != b) & (a != "") & (b != ""))
            if len(wrong):
                row = int(wrong[0])
                said = f": {a[row]} and {b[row]}" if column == "emotion" else ""
                raise DataError(
                    f"{names[0]} and {name} differ in {what} of {first['image'].iloc[row]}{said} "
                    f"({len(wrong):,} such images).",
                    hint="answers can be compared on the same images with the same labels only",
                )


def find_overlap(faces: AuTable, others: AuTable) -> np.ndarray:
    """Which images of one set are in another: the same file, equal AUs, or a near copy.

    Where neither files nor pictures nor AUs can be compared, images of the same name count.

    Returns:
        bool [n], of ``faces``.
    """
    ours, theirs = faces.frame, others.frame
    found = np.zeros(len(faces), dtype=bool)
    comparable = False
    digests = set(theirs["sha256"]) - {""}
    if digests and (ours["sha256"] != "").any():
        comparable = True
        found |= ours["sha256"].isin(digests).to_numpy()
    hashes = [text for text in dict.fromkeys(theirs["phash"]) if text]
    if hashes and (ours["phash"] != "").any():
        comparable = True
        found |= find_near_copies(ours["phash"].tolist(), hashes)
    keys = {au_key(row) for row in others.intensities().tolist()} - {""}
    own_keys = np.array([au_key(row) for row in faces.intensities().tolist()], dtype=object)
    if keys and (own_keys != "").any():
        comparable = True
        found |= np.isin(own_keys, list(keys))
    if not comparable:
        found = ours["image"].isin(set(theirs["image"])).to_numpy()
    return found
