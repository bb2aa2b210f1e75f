"""Long CSVs of faces, read a part at a time, so that memory doesn't grow with them.

A file is read twice: once to check it from end to end, so that a wrong row at its end is told
before anything is made of its beginning, and again for what is wanted of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from aufer.au_table import (
    AuTable,
    add_sidecar,
    clean_rows,
    complete,
    empty_frame,
    join_tables,
    name_prefixes,
    repeated_image,
)
from aufer.csv_table import read_csv_parts
from aufer.images import is_image
from aufer.openface.faces import AU_ROWS, AU_TABLE, au_rows, kind_of_csv

ROWS_AT_ONCE = 20_000
"""About 15 MB as an AU table; larger parts are no faster."""

_SUSPECTS_AT_ONCE = 1000


@dataclass(frozen=True)
class FaceParts:
    """Faces as AU tables of some rows each.

    Attributes:
        n_rows: of all parts. read: gives them, in order, as often as it is called; at least one.
    """

    n_rows: int
    read: Callable[[], Iterator[AuTable]]

    @classmethod
    def of(cls, table: AuTable) -> FaceParts:
        """A whole table as the only part."""
        return cls(len(table), lambda: iter([table]))


def read_faces_in_parts(sources: Sequence[Path], rows: int = ROWS_AT_ONCE) -> FaceParts | None:
    """The faces of CSVs of AU rows and of AU tables, as `faces.read_faces` and
    `au_table.join_tables` read them without labels, at most ``rows`` of them in memory.

    8 bytes stay of each image's name where two must not be equal: in an AU table, and where there
    are several sources.

    Returns:
        None where a source is something else: images, OpenFace's own files, a dataset with its
        sidecar, or nothing at all.

    Raises:
        DataError: some row of some file can't be used; the files are different measures.
    """
    files = []
    for source in sources:
        if not source.is_file() or is_image(source):
            return None
        kind = kind_of_csv(_columns(source), source, labelled=False)
        if kind not in (AU_TABLE, AU_ROWS):
            return None
        files.append(_LongCsv(source, kind, rows))
    tables, n_rows, hashes = [], 0, []
    for file in files:
        table, n, of_names = file.check(names=len(files) > 1)
        tables.append(table)
        n_rows += n
        hashes += of_names
    names = [source.as_posix() for source in sources]
    blank = join_tables(tables, names)
    prefixes = [""] * len(files)
    if len(files) > 1 and _first_repeated(hashes, lambda: _names(files)) is not None:
        prefixes = [f"{prefix}/" for prefix in name_prefixes(names, len(files))]

    def read() -> Iterator[AuTable]:
        for file, prefix in zip(files, prefixes, strict=True):
            for part in file.parts():
                table = complete(part)
                if prefix:
                    table["image"] = prefix + table["image"]
                yield replace(blank, frame=table, sources=None)

    return FaceParts(n_rows, read)


def _columns(path: Path) -> list[str]:
    return list(next(read_csv_parts(path, 1)).columns)


@dataclass(frozen=True)
class _LongCsv:
    """One file. ``kind`` is `faces.AU_TABLE` or `faces.AU_ROWS`."""

    path: Path
    kind: str
    rows: int

    def parts(self) -> Iterator[pd.DataFrame]:
        """Its rows, checked, not yet `au_table.complete`."""
        clean = clean_rows if self.kind == AU_TABLE else au_rows
        for part in read_csv_parts(self.path, self.rows):
            yield clean(part, self.path, is_part=True)

    def check(self, names: bool) -> tuple[AuTable, int, list[np.ndarray]]:
        """Read it all: what is known of the file as an AU table without rows, the number of rows,
        and a hash of each image's name if ``names`` are wanted."""
        n, hashes = 0, []
        for part in self.parts():
            n += len(part)
            if names or self.kind == AU_TABLE:
                hashes.append(_hash(part["image"]))
        table = AuTable(empty_frame([]))
        if self.kind == AU_TABLE:
            repeated = _first_repeated(hashes, lambda: _names([self]))
            if repeated is not None:
                raise repeated_image(self.path, repeated)
            table = add_sidecar(table, self.path, n)
        return table, n, hashes


def _names(files: Sequence[_LongCsv]) -> Iterator[pd.Series]:
    return (part["image"].fillna("") for file in files for part in file.parts())


def _hash(names: pd.Series) -> np.ndarray:
    return pd.util.hash_array(names.fillna("").to_numpy(dtype=object), categorize=False)


def _first_repeated(
    hashes: Sequence[np.ndarray], names: Callable[[], Iterator[pd.Series]]
) -> str | None:
    """A name that occurs more than once, or None.

    Args:
        hashes: of all names, uint64. names: reads them again, where two hashes are equal.
    """
    every = np.sort(np.concatenate(hashes))
    twice = every[1:][every[1:] == every[:-1]]
    for start in range(0, len(twice), _SUSPECTS_AT_ONCE):
        suspects, seen = twice[start : start + _SUSPECTS_AT_ONCE], set()
        for part in names():
            for name in part[np.isin(_hash(part), suspects)]:
                if name in seen:
                    return str(name)
                seen.add(name)
    return None
