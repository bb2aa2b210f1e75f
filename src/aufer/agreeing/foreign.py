"""Tables of other toolkits, read into AU tables: some of the 17 AUs, any range, a row per image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.agreeing.column_map import ColumnMap, guess_map
from aufer.au_table import MANY_FACES, NO_FACE, OK, AuTable, complete
from aufer.csv_table import VIDEO_COLUMNS, check_confidence, read_csv, read_texts, to_numbers
from aufer.errors import DataError, UsageError

FRAME = "frame"
"""The key of FeatureExtraction's rows, which are frames of a video."""


def is_video(columns: list[str]) -> bool:
    """Whether these are the columns of FeatureExtraction's CSV."""
    return FRAME in columns and len(VIDEO_COLUMNS & set(columns)) > 1


def read_foreign(
    path: Path,
    columns: ColumnMap | None = None,
    image: str | None = None,
    option: str = "--columns",
) -> AuTable:
    """Read any CSV with a column per AU, whatever its range.

    Of several rows of one image the most confident one is taken; without a confidence none is
    (status ``many_faces``). A row without any value has the status ``no_face``. Rows without a
    name are known by their number, from 1.

    Args:
        columns: which columns are which AUs; None takes those named as ours.
        image: the column that names the image; None takes the map's, ``image``, or ``frame``.
        option: that gives the map, for hints.

    Returns:
        an AU table; AUs that the file lacks are empty.

    Raises:
        UsageError: no such file, or it lacks a column that was named. DataError: no AU in it, a
        text among the numbers, or no row.
    """
    frame = read_csv(path)
    named = dict(columns.columns) if columns else {}
    if image:
        named["image"] = image
    _check_named(named, list(frame.columns), path)
    own = [*INTENSITY_COLUMNS, "confidence", "emotion", "group", "image", "sha256"]
    if columns is not None:
        own = own[len(INTENSITY_COLUMNS) :]
    for name in own:
        if name in frame.columns:
            named.setdefault(name, name)
    video = is_video(list(frame.columns))
    if video:
        named.setdefault("image", FRAME)
    aus = {name: named[name] for name in INTENSITY_COLUMNS if name in named}
    if not aus:
        guessed = guess_map(frame.columns) or "AU01_r=THEIR_COLUMN,AU02_r=THEIR_COLUMN"
        raise DataError(
            f"{path} has no column named as one of the 17 AUs (AU01_r … AU45_r).",
            hint=f"say which column is which AU: {option} {guessed}",
        )
    if frame.empty:
        raise DataError(f"{path} has a header but no row.")
    table = _numbers(frame, aus, path)
    for name in ("image", "emotion", "group", "sha256"):
        if name in named:
            table[name] = read_texts(path, named[name])
    if "image" not in named:
        table["image"] = [str(number) for number in range(1, len(table) + 1)]
    elif (table["image"] == "").any():
        row = int(np.flatnonzero(table["image"] == "")[0]) + 1
        raise DataError(f"{path}: data row {row} has no image in the column {named['image']}.")
    if "confidence" in named:
        theirs = {"confidence": named["confidence"]}
        table["confidence"] = _numbers(frame, theirs, path)["confidence"]
        check_confidence(table, str(path))
    table["status"] = np.where(table[list(aus)].notna().any(axis=1), OK, NO_FACE)
    if video and "success" in frame.columns:
        table.loc[(frame["success"] == 0).to_numpy(), "status"] = NO_FACE
    table = _one_row_each(table)
    table.loc[table["status"] != OK, list(aus)] = np.nan
    return AuTable(complete(table))


def _check_named(named: dict[str, str], columns: list[str], path: Path) -> None:
    lacking = [theirs for theirs in named.values() if theirs not in columns]
    if lacking:
        some = ", ".join(columns[:8]) + (", …" if len(columns) > 8 else "")
        raise UsageError(
            f"{path} has no column {', '.join(lacking[:4])}.", hint=f"its columns are {some}"
        )
    repeated = [theirs for theirs in named.values() if columns.count(theirs) > 1]
    if repeated:
        raise DataError(f"{path} has the column {repeated[0]} more than once.")


def _numbers(frame: pd.DataFrame, named: dict[str, str], path: Path) -> pd.DataFrame:
    """The named columns as numbers, under our names; infinite ones are refused."""
    numbers = to_numbers(frame, list(named.values()), str(path))
    wrong = np.argwhere(np.isinf(numbers.to_numpy()))
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        raise DataError(
            f"{path}: {numbers.columns[column]} in data row {frame.index[row] + 1} is infinite."
        )
    return numbers.set_axis(list(named), axis=1)


def _one_row_each(table: pd.DataFrame) -> pd.DataFrame:
    """One row per image: see `read_foreign`; the order is that of the first rows."""
    rows = table.groupby("image", sort=False)["image"].transform("size")
    table["n_faces"] = rows.where(table["status"] == OK, 0)
    if not (rows > 1).any():
        return table
    if "confidence" in table:
        order = table["confidence"].fillna(-1).where(table["status"] == OK, -2)
        best = order.groupby(table["image"], sort=False).idxmax()
        return table.loc[sorted(best)].reset_index(drop=True)
    table.loc[rows > 1, "status"] = MANY_FACES
    return table.drop_duplicates("image").reset_index(drop=True)
