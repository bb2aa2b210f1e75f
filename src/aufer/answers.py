"""What `aufer predict` says, as CSV or JSON, a part at a time: memory doesn't grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.files import check_replaceable, check_table_name, write_with_sidecar
from aufer.provenance import made_by

SCHEMA = "aufer/answers/1"


def csv_texts(tables: Iterable[pd.DataFrame]) -> Iterator[str]:
    """The parts of a table as the pieces of one CSV: numbers with six digits, LF line ends."""
    header = True
    for table in tables:
        texts = table.copy(deep=False)
        for name in table.select_dtypes("float64"):
            texts[name] = _six_digits(table[name])
        yield texts.to_csv(index=False, header=header, lineterminator="\n")
        header = False


def _six_digits(column: pd.Series) -> np.ndarray:
    """Numbers as texts, empty where missing: `to_csv(float_format="%.6g")` takes 1.5 times as
    long for the same."""
    values = column.to_numpy(dtype=np.float64)
    texts = np.array(list(map("%.6g".__mod__, values.tolist())), dtype=object)
    texts[np.isnan(values)] = ""
    return texts


def json_texts(tables: Iterable[pd.DataFrame]) -> Iterator[str]:
    """The parts of a table as the pieces of one JSON array, an object per row."""
    before = "[\n"
    for table in tables:
        text = table.to_json(orient="records", indent=2, double_precision=6, force_ascii=False)
        rows = text.removeprefix("[").removesuffix("]").strip("\n")
        if rows:
            yield before + rows
            before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def check_answers_replaceable(path: Path, *, force: bool) -> None:
    """Raise when answers can't be written there, or would replace what is not ours to replace."""
    check_table_name(path)
    check_replaceable({path: path.with_suffix(".json")}, force=force, schema=SCHEMA)


def write_answers(
    tables: Iterable[pd.DataFrame],
    path: Path,
    facts: Callable[[], dict[str, Any]],
    *,
    force: bool = False,
) -> None:
    """Write the CSV, complete or not at all, and beside it a JSON file that says what made it.

    Args:
        tables: parts of `predict.predict`'s table. path: ends in ``.csv``.
        facts: gives the content of the JSON file, when the last row is written.
        force: replace a file that a person edited or made.

    Raises:
        UsageError: no name for a table. AuferError: what lies there is kept.
    """
    check_answers_replaceable(path, force=force)
    full: dict[str, Any] = {"schema": SCHEMA, **made_by()}

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(csv_texts(tables))
        full.update(facts())

    write_with_sidecar({path: write}, path.with_suffix(".json"), full)
