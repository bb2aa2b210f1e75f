"""CSV tables that people bring: read with clean names, and checked before anything uses them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS, INTENSITY_RANGE, clean_names
from aufer.errors import DataError, UsageError
from aufer.files import Writer

TEXT_COLUMNS = (
    "image",
    "sha256",
    "duplicate_of",
    "phash",
    "emotion",
    "group",
    "status",
    "reason",
    "way",
)
"""Kept as they are written: a group "NA" or "007", and a hash of digits only, are texts."""

VIDEO_COLUMNS = frozenset({"frame", "timestamp", "success"})
"""FeatureExtraction writes these, FaceLandmarkImg does not."""


def read_csv(path: Path) -> pd.DataFrame:
    """Read any CSV with clean column names; texts such as image and group are kept as written.

    Raises:
        UsageError: there is no such file. DataError: it is empty, cut, or no CSV.
    """
    header = _check_whole(path)
    with _csv_errors(path):
        frame: pd.DataFrame = pd.read_csv(path, **_reading(header))
    return _clean(frame, header, path)


def read_texts(path: Path, column: str) -> list[str] | None:
    """One column of a CSV as it is written, whatever is in it; None where it has no such column."""
    header = _check_whole(path)
    names = clean_names(header)
    if column not in names:
        return None
    name = header[names.index(column)]
    with _csv_errors(path):
        frame = pd.read_csv(path, usecols=[name], dtype=str, keep_default_na=False)
    return [text.strip() for text in frame[name].tolist()]


def read_csv_parts(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """Read a CSV as `read_csv` does, at most ``rows`` rows at a time.

    The index counts on, so that the checks below name the row of the file. A file without a row
    gives one empty part.

    Raises:
        UsageError, DataError: as `read_csv`; what is wrong further on, when it is come to.
    """
    header = _check_whole(path)
    with _csv_errors(path), pd.read_csv(path, chunksize=rows, **_reading(header)) as parts:
        for part in parts:
            yield _clean(part, header, path)


def _reading(header: Sequence[str]) -> dict[str, Any]:
    """What `pandas.read_csv` is told of a file with these column names."""
    texts = [name for name in header if clean_names([name])[0] in TEXT_COLUMNS]
    gaps = {name: ["", "NA", "NaN", "nan", "-nan", "NULL"] for name in header if name not in texts}
    return {
        "low_memory": False,
        "dtype": dict.fromkeys(texts, str),
        "keep_default_na": False,
        "na_values": gaps,
    }


@contextmanager
def _csv_errors(path: Path) -> Iterator[None]:
    """What pandas raises while it reads, as a `DataError`."""
    try:
        yield
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise DataError(f"{path} is not a whole CSV table: {str(error).strip()}.") from error


def _clean(frame: pd.DataFrame, header: Sequence[str], path: Path) -> pd.DataFrame:
    names = clean_names(header)
    for name in header:
        if clean_names([name])[0] in TEXT_COLUMNS:
            frame[name] = frame[name].str.strip()
    frame.columns = pd.Index(clean_names(frame.columns))
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(
            f"{path}: its rows have more values than its header has names.",
            hint="save it again as plain CSV, without an index",
        )
    wanted = (*TEXT_COLUMNS, *INTENSITY_COLUMNS, "confidence")
    repeated = [name for name in names if name in wanted and names.count(name) > 1]
    if repeated:
        raise DataError(f"{path} has the column {repeated[0]} more than once.")
    return frame


def _check_whole(path: Path) -> list[str]:
    """The names in a CSV's header; `DataError` if the file is empty, cut, or not by commas."""
    if not path.is_file():
        raise UsageError(f"The file {path} does not exist.", hint="check the path")
    with path.open("rb") as file:
        header = file.readline()
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 65536))
        last = file.read()
    if not header:
        raise DataError(f"{path} is empty (0 bytes): was the disk full when it was written?")
    text = header.decode("utf-8", errors="replace").rstrip("\r\n")
    if "," not in text and (";" in text or "\t" in text):
        raise DataError(
            f"{path} is separated by semicolons or tabs, not by commas.",
            hint="save it as CSV with commas, and with decimal points",
        )
    if not last.endswith((b"\n", b"\r")):
        row = last.rpartition(b"\n")[2]
        if b'"' not in row and row.count(b",") < header.count(b","):
            raise DataError(
                f"{path} is cut: its last row is shorter than its header.",
                hint="make or copy the file again",
            )
    return next(csv.reader([text]), [])


def csv_writer(table: pd.DataFrame) -> Writer:
    """What writes a table as `aufer` does, for `files.write_with_sidecar`: no index, LF."""
    return lambda path: table.to_csv(path, index=False, lineterminator="\n")


def to_numbers(frame: pd.DataFrame, columns: Sequence[str], where: str) -> pd.DataFrame:
    """The named columns as float64; `DataError` names the first text among them."""
    result = {}
    for name in columns:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            result[name] = values.astype(np.float64)
            continue
        numbers = pd.to_numeric(values, errors="coerce")
        given = values.notna() & (values.astype(str).str.strip() != "")
        wrong = np.flatnonzero((numbers.isna() & given).to_numpy())
        if len(wrong):
            text, row = str(values.iloc[wrong[0]])[:30], frame.index[wrong[0]] + 1
            raise DataError(
                f"{where}: {name} in data row {row} is {text!r}, not a number.",
                hint="use a decimal point, and no text, in the AU columns",
            )
        result[name] = numbers.astype(np.float64)
    return pd.DataFrame(result, index=frame.index)


def check_intensities(
    frame: pd.DataFrame, where: str, *, is_part: bool = False, are_differences: bool = False
) -> None:
    """Raise `DataError` naming the first row with an AU that is no number within 0-5.

    Args:
        frame: has the 17 intensity columns as numbers; every row is expected to be measured.
        where: the file, for the message. is_part: there may be such rows beyond these.
        are_differences: of a person's baseline: -5 to 5.
    """
    values = frame.loc[:, list(INTENSITY_COLUMNS)].to_numpy(dtype=np.float64)
    low, high = INTENSITY_RANGE
    low, limits = (
        (-high, f"-{high:g} to {high:g}") if are_differences else (low, f"{low:g}-{high:g}")
    )
    bad = ~((values >= low) & (values <= high))
    if not bad.any():
        return
    row, column = (int(i) for i in np.argwhere(bad)[0])
    value = values[row, column]
    what = "is empty or no number" if np.isnan(value) else f"is {value:g}, outside {limits}"
    others = int(bad.any(axis=1).sum()) - 1
    least = "at least " if is_part else ""
    more = f" ({least}{others} more rows have such values)" if others else ""
    raise DataError(
        f"{where}: {INTENSITY_COLUMNS[column]} in data row {frame.index[row] + 1} {what}{more}.",
        hint="AU_r intensities are OpenFace's numbers from 0 to 5; correct or remove the row "
        "(differences from a person's baseline are read with the .json beside them only)",
    )


def check_confidence(frame: pd.DataFrame, where: str) -> None:
    """Raise `DataError` when the column confidence, if there is one, goes beyond 0-1."""
    if "confidence" not in frame:
        return
    bad = np.flatnonzero(((frame["confidence"] < 0) | (frame["confidence"] > 1)).to_numpy())
    if len(bad):
        value = frame["confidence"].iloc[bad[0]]
        raise DataError(
            f"{where}: confidence in data row {frame.index[bad[0]] + 1} is {value:g}, outside 0-1."
        )


def check_not_video(columns: Sequence[str], where: str) -> None:
    """Raise `DataError` for the columns of FeatureExtraction: a video's AUs are another measure."""
    if len(VIDEO_COLUMNS & set(columns)) > 1:
        raise DataError(
            f"{where} is FeatureExtraction's (video), not FaceLandmarkImg's: its AUs are adapted "
            "to the person over the video, which makes them another measure.",
            hint="measure single pictures: aufer extract; or, if it was run with -au_static, "
            "remove the columns frame, timestamp and success",
        )
