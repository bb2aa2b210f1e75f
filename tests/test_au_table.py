"""The AU table as a file and in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import COLUMNS, AuTable, complete, read_au_table, write_au_table
from aufer.csv_table import TEXT_COLUMNS


def table_of(**columns: list[object]) -> AuTable:
    """A table of measured images whose AUs are all 1, with these columns."""
    frame = pd.DataFrame(columns)
    frame = frame.assign(image=[f"{number}.jpg" for number in range(len(frame))])
    aus = dict.fromkeys(INTENSITY_COLUMNS, 1.0)
    return AuTable(complete(frame.assign(**{"status": "ok", **aus, **columns})))


def test_every_text_column_has_one_place_in_the_table() -> None:
    assert set(TEXT_COLUMNS) <= set(COLUMNS)
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_a_hash_or_way_of_digits_only_stays_a_text(tmp_path: Path) -> None:
    hashes, ways = ["0012345678901234", "1e00000000000000", ""], ["192", "as it is", "192+25%"]
    write_au_table(table_of(phash=hashes, way=ways), tmp_path / "aus.csv")
    frame = read_au_table(tmp_path / "aus.csv").frame
    assert frame["phash"].tolist() == hashes
    assert frame["way"].tolist() == ways
    assert tuple(pd.read_csv(tmp_path / "aus.csv").columns) == COLUMNS


def test_a_table_from_before_hashes_and_ways_is_read(tmp_path: Path) -> None:
    path = tmp_path / "aus.csv"
    old = table_of(scale=[1.5, np.nan], group=["007", "NA"]).frame.drop(columns=["phash", "way"])
    old.to_csv(path, index=False)
    frame = read_au_table(path).frame
    assert tuple(frame.columns) == COLUMNS
    assert frame["phash"].tolist() == frame["way"].tolist() == ["", ""]
    assert frame["group"].tolist() == ["007", "NA"]
    assert frame["scale"].iloc[0] == 1.5
    write_au_table(AuTable(frame), tmp_path / "new.csv")
    assert read_au_table(tmp_path / "new.csv").frame.equals(frame)


def test_low_confidence_is_said_of_measured_faces_only() -> None:
    table = table_of(
        status=["ok", "ok", "ok", "no_face", "crashed"], confidence=[0.69, 0.7, np.nan, 0.0, np.nan]
    )
    said = table.answer_status(0.7)
    assert said.tolist() == ["low_confidence", "ok", "ok", "no_face", "crashed"]
    assert table.frame["status"].tolist()[0] == "ok", "the table itself is left as it was"
    assert table.answer_status(0.0).tolist() == table.frame["status"].tolist()
