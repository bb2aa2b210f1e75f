"""Which columns of another toolkit's table are which of ours: ``AU01_r=au1,AU02_r=au2``, or a file.

A file is TOML (``AU01_r = "au1"``), JSON (an object) or CSV (two columns: ours, theirs).
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aufer.action_units import INTENSITY_COLUMNS
from aufer.errors import UsageError

OTHER_KEYS = ("image", "confidence", "emotion", "group")
"""What a map may name besides AUs."""

_AU = re.compile(r"AU_?0*(\d{1,2})(_r)?", re.IGNORECASE)
_EXAMPLE = "--columns AU01_r=au1,AU02_r=au2, or a TOML, JSON or CSV file of such pairs"


@dataclass(frozen=True)
class ColumnMap:
    """A map of columns.

    Attributes:
        columns: ours (an intensity column, or one of `OTHER_KEYS`) -> theirs.
        source: as it was typed.
    """

    columns: dict[str, str]
    source: str = ""

    @classmethod
    def parse(cls, text: str) -> ColumnMap:
        """Read a map that was typed, or the file of one.

        Raises:
            UsageError: it names no AU of ours, one twice, or nothing.
        """
        path = Path(text)
        is_file = path.suffix.lower() in _READERS and ("=" not in text or path.is_file())
        pairs = _read_file(path) if is_file else _split(text)
        return cls(_check(pairs, text), text)

    @property
    def aus(self) -> dict[str, str]:
        """The AUs alone, ours -> theirs."""
        return {ours: theirs for ours, theirs in self.columns.items() if ours in INTENSITY_COLUMNS}


def au_column(word: str) -> str | None:
    """Our intensity column that a word such as ``AU01_r``, ``AU1`` or ``au_01`` means, or None."""
    found = _AU.fullmatch(word.strip())
    column = f"AU{int(found.group(1)):02d}_r" if found else ""
    return column if column in INTENSITY_COLUMNS else None


def guess_map(columns: Iterable[str]) -> str:
    """The map to type for a table whose columns look like AUs; empty where none does."""
    pairs = {column: name for name in columns if (column := au_column(name)) and "," not in name}
    return ",".join(f"{ours}={theirs}" for ours, theirs in pairs.items())


def _split(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split(","):
        if not part.strip():
            continue
        ours, equals, theirs = part.partition("=")
        if not equals:
            raise UsageError(
                f"'{part.strip()}' in a map of columns is no pair, and {text[:60]} is no file of "
                "one.",
                hint=_EXAMPLE,
            )
        pairs.append((ours.strip(), theirs.strip()))
    return pairs


def _read_file(path: Path) -> list[tuple[str, str]]:
    if not path.is_file():
        raise UsageError(f"There is no map of columns {path}.", hint=_EXAMPLE)
    try:
        text = path.read_text(encoding="utf-8-sig")
        return [(str(a).strip(), str(b).strip()) for a, b in _READERS[path.suffix.lower()](text)]
    except (ValueError, TypeError) as error:  # JSON's and TOML's errors, and wrong UTF-8, too
        raise UsageError(f"{path} is no map of columns: {error}.", hint=_EXAMPLE) from error


def _of_json(text: str) -> list[tuple[str, str]]:
    found = json.loads(text, object_pairs_hook=list)
    if not isinstance(found, list) or not all(isinstance(pair, tuple) for pair in found):
        raise ValueError("it is no JSON object")
    return found


def _of_toml(text: str) -> list[tuple[str, str]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return list(tomllib.loads(text).items())


def _of_csv(text: str) -> list[tuple[str, str]]:
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    if any(len(row) != 2 for row in rows):
        raise ValueError("each line has two cells: our column, and theirs")
    if rows and au_column(rows[0][0]) is None and rows[0][0].strip() not in OTHER_KEYS:
        del rows[0]  # a header
    return [(row[0], row[1]) for row in rows]


_READERS = {".json": _of_json, ".toml": _of_toml, ".csv": _of_csv}


def _check(pairs: list[tuple[str, str]], text: str) -> dict[str, str]:
    """The pairs under our names; raises for what can't be meant."""
    found: dict[str, str] = {}
    for ours, theirs in pairs:
        name = ours if ours in OTHER_KEYS else au_column(ours)
        if name is None:
            raise UsageError(
                f"The map of columns names '{ours}', which is no column of ours.",
                hint=f"ours are {', '.join(INTENSITY_COLUMNS)}; and {', '.join(OTHER_KEYS)}",
            )
        if not theirs:
            raise UsageError(f"The map of columns gives no column for {name}.", hint=_EXAMPLE)
        if name in found:
            raise UsageError(f"The map of columns names {name} twice: {found[name]} and {theirs}.")
        if theirs in found.values():
            raise UsageError(f"The map of columns gives the column {theirs} to two of ours.")
        found[name] = theirs
    if not any(name in INTENSITY_COLUMNS for name in found):
        raise UsageError(f"The map of columns '{text[:60]}' names no AU.", hint=_EXAMPLE)
    return found
