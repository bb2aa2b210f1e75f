"""Answers of long CSVs: the same, part by part, as of the whole; nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.answers import csv_texts, json_texts, write_answers
from aufer.au_table import AuTable, complete, join_tables, write_au_table
from aufer.bundle import ROWS_AT_ONCE, read_bundle
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.openface.face_parts import FaceParts, read_faces_in_parts
from aufer.openface.faces import read_faces
from aufer.predict import Tally, needs_all_faces, predict, predict_parts
from aufer.provenance import MEASURE_DYNAMIC, MEASURE_STATIC, Extractor
from tests.running import RunAufer


def faces_of(n: int, seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).uniform(0, 5, (n, 17)).round(2)
    return pd.DataFrame(values, columns=list(INTENSITY_COLUMNS))


def write_rows(path: Path, n: int = 10, change: Callable | None = None) -> Path:
    frame = faces_of(n)
    (frame if change is None else change(frame)).to_csv(path, index=False)
    return path


def write_table(path: Path, n: int = 10, measure: str = MEASURE_STATIC) -> Path:
    """An AU table of ours with faces, an image without one, and one with little confidence."""
    frame = faces_of(n)
    frame["image"] = [f'happy/{i}, "{i}".jpg' for i in range(n)]
    frame["status"], frame["confidence"] = "ok", 0.9
    frame.loc[1, ["status", "reason"]] = ["no_face", "no face found"]
    frame.loc[1, ["confidence", *INTENSITY_COLUMNS]] = np.nan
    frame.loc[2, "confidence"] = 0.3
    write_au_table(AuTable(complete(frame), Extractor(measure=measure)), path)
    return path


def whole(*paths: Path) -> AuTable:
    tables = [read_faces(path, Emotions(), labelled=False) for path in paths]
    return join_tables(tables, names=[path.as_posix() for path in paths])


def joined(parts: FaceParts) -> pd.DataFrame:
    return pd.concat([part.frame for part in parts.read()], ignore_index=True)


def in_parts(*paths: Path, rows: int = 3) -> FaceParts:
    parts = read_faces_in_parts(paths, rows)
    assert parts is not None
    return parts


# ---- reading in parts


@pytest.mark.parametrize("rows", [1, 3, 10, 11])
@pytest.mark.parametrize("write", [write_rows, write_table])
def test_the_parts_of_a_file_are_the_file(write: Callable, rows: int, tmp_path: Path) -> None:
    path = write(tmp_path / "faces.csv")
    parts, table = in_parts(path, rows=rows), whole(path)
    pd.testing.assert_frame_equal(joined(parts), table.frame)
    assert parts.n_rows == len(table) == 10
    assert len(next(parts.read())) == min(rows, 10)
    for part in parts.read():  # a second time
        assert (part.extractor, part.notes) == (table.extractor, table.notes)


def test_rows_with_names_confidence_and_further_columns(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "faces.csv",
        change=lambda f: f.rename(columns=lambda name: f" {name}").assign(
            image=["007", "NA", "", *"abcdefg"], confidence=np.linspace(0, 1, 10), emotion="happy"
        ),
    )
    pd.testing.assert_frame_equal(joined(in_parts(path)), whole(path).frame)


@pytest.mark.parametrize("clash", [True, False])
def test_several_files_keep_their_names_apart(clash: bool, tmp_path: Path) -> None:
    one, other = write_table(tmp_path / "one.csv"), write_table(tmp_path / "other.csv", n=7)
    if not clash:
        text = other.read_text().replace("happy/", "sad/")
        other.with_suffix(".json").unlink()
        other.write_text(text)
    parts, table = in_parts(one, other), whole(one, other)
    pd.testing.assert_frame_equal(joined(parts), table.frame)
    assert table.frame["image"].is_unique
    assert table.frame["image"][0].startswith(one.as_posix()) == clash
    assert next(parts.read()).notes == table.notes
    assert next(parts.read()).extractor == table.extractor


def test_the_same_file_twice_is_told_apart_by_number(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "faces.csv")
    names = joined(in_parts(path, path))["image"]
    assert names.tolist() == [f"{k}/{n}" for k in (1, 2) for n in range(1, 11)]


def test_what_is_no_csv_of_rows_is_left_to_others(
    sample: Path, sample_dataset: Path, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    one = next((sample / "test" / "happy").glob("*.csv"))
    for source in (sample / "test", one, sample_dataset, tmp_path / "nowhere.csv"):
        assert read_faces_in_parts([source]) is None
        assert read_faces_in_parts([rows, source]) is None


BAD_ROWS = [
    (lambda f: f.assign(AU12_r=np.where(f.index == 8, 7.5, 1)), "AU12_r in data row 9 is 7.5"),
    (lambda f: f.assign(AU12_r=np.where(f.index >= 7, -1, 1)), r"row 8 is -1.*\(at least 1 more"),
    (lambda f: f.assign(AU12_r=np.where(f.index == 8, "much", "1")), "data row 9 is 'much'"),
    (lambda f: f.assign(AU12_r=np.where(f.index == 8, np.nan, 1)), "data row 9 is empty"),
    (lambda f: f.assign(confidence=np.where(f.index == 8, 2, 1)), "confidence in data row 9 is 2"),
    (lambda f: f.drop(columns="AU12_r"), "lacks the column AU12_r"),
    (lambda f: f.assign(frame=1, timestamp=0.1), "another measure"),
    (lambda f: f.head(0), "no row"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ROWS, ids=[m for _, m in BAD_ROWS])
def test_a_bad_row_anywhere_is_found_before_anything_is_answered(
    change: Callable, message: str, tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "rows.csv", change=change)
    with pytest.raises(DataError, match=message):
        read_faces_in_parts([path], rows=3)


def test_a_cut_file_and_a_row_too_long(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv")
    text = path.read_text()
    path.write_text(text[:-30])
    with pytest.raises(DataError, match="is cut"):
        read_faces_in_parts([path], rows=3)
    path.write_text(text.rstrip("\n") + ",1,2\n")
    with pytest.raises(DataError, match=r"not a whole CSV table: .*line 11"):
        read_faces_in_parts([path], rows=3)


def test_an_au_table_is_checked_to_its_end(tmp_path: Path) -> None:
    path = write_table(tmp_path / "aus.csv")
    text = path.read_text()
    lines = text.splitlines()
    path.write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(DataError, match=r'the image happy/0, "0".jpg has more than one row'):
        read_faces_in_parts([path], rows=3)
    path.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(DataError, match=r"is cut: it has 9 rows, and aus\.json tells of 10"):
        read_faces_in_parts([path], rows=3)
    path.write_text(text.replace(",ok,", ",fine,"))
    with pytest.raises(DataError, match="status 'fine' is not known"):
        read_faces_in_parts([path], rows=3)
    path.write_text(text.replace(",0.9,", ",0.8,"))
    (note,) = next(in_parts(path).read()).notes
    assert "was edited" in note


def test_a_wrong_au_is_told_by_its_row_though_rows_without_a_face_come_before(
    tmp_path: Path,
) -> None:
    path = write_table(tmp_path / "aus.csv")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[5, "AU12_r"] = "9"
    frame.to_csv(path, index=False)
    for read in (lambda: read_faces_in_parts([path], rows=4), lambda: whole(path)):
        with pytest.raises(DataError, match="AU12_r in data row 6 is 9, outside 0-5"):
            read()


def test_different_measures_are_never_mixed(tmp_path: Path) -> None:
    one = write_table(tmp_path / "one.csv")
    other = write_table(tmp_path / "other.csv", measure=MEASURE_DYNAMIC)
    with pytest.raises(DataError, match="different measures"):
        read_faces_in_parts([one, other])


# ---- answering in parts


def test_a_model_answers_many_faces_as_it_answers_each(trained: Path) -> None:
    model = read_bundle(trained)
    values = faces_of(2 * ROWS_AT_ONCE + 1).to_numpy()
    found = model.predict_proba(values)
    assert found.shape == (len(values), 6)
    some = [0, 1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE - 1, 2 * ROWS_AT_ONCE]
    alone = np.concatenate([model.predict_proba(values[[row]]) for row in some])
    assert np.allclose(found[some], alone, atol=1e-6)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


def test_answers_in_parts_are_those_of_the_whole(trained: Path, tmp_path: Path) -> None:
    model, path = read_bundle(trained), write_table(tmp_path / "faces.csv")
    expected, warnings = predict(model, whole(path), min_confidence=0.5)
    tally, said = Tally(), []
    found = predict_parts(
        model, in_parts(path).read(), tally, min_confidence=0.5, on_warning=said.append
    )
    tables = list(found)
    assert len(tables) == 4
    pd.testing.assert_frame_equal(pd.concat(tables, ignore_index=True), expected)
    assert said == tally.warnings == warnings
    assert (tally.n, tally.n_unanswered, tally.n_failed) == (10, 2, 0)
    assert tally.statuses == {"ok": 8, "no_face": 1, "low_confidence": 1}
    assert sum(tally.labels.values()) == 8
    # as one table would be written
    csv = expected.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    assert "".join(csv_texts(tables)) == "".join(csv_texts([expected])) == csv
    text = expected.to_json(orient="records", indent=2, double_precision=6, force_ascii=False)
    assert "".join(json_texts(tables)) == "".join(json_texts([expected])) == text + "\n"


def test_no_row_at_all_is_still_csv_and_json(trained: Path) -> None:
    empty, _ = predict(read_bundle(trained), AuTable(complete(pd.DataFrame({"image": []}))))
    names = ",".join(Emotions().names)
    assert "".join(csv_texts([empty])) == f"image,status,confidence,label,{names}\n"
    assert json.loads("".join(json_texts([empty]))) == []


def test_a_model_of_normalised_aus_needs_all_faces(trained: Path) -> None:
    model = read_bundle(trained)
    assert not needs_all_faces(model)
    model.facts["dataset"]["normalization"] = {"how": "group"}
    assert needs_all_faces(model)


# ---- the command


def test_a_model_relative_to_the_person_is_asked_with_groups(
    aufer: RunAufer, bundle: Path, tmp_path: Path
) -> None:
    facts = json.loads((bundle / "bundle.json").read_text())
    facts["dataset"]["normalization"] = {"how": "group", "min_confidence": 0.0}
    (bundle / "bundle.json").write_text(json.dumps(facts))
    names = [f"{person}_{n}.jpg" for person in ("anna", "ben") for n in range(4)] + ["cleo_0.jpg"]
    faces_of(9).assign(image=names).to_csv(tmp_path / "rows.csv", index=False)
    assert "these faces have no groups" in aufer("predict", "rows.csv").check(4).err
    ran = aufer("predict", "rows.csv", "--groups", "^([a-z]+)_").check()
    table = pd.read_csv(StringIO(ran.out), keep_default_na=False)
    assert table["status"].tolist() == ["ok"] * 8 + ["no_baseline"]
    assert (table["label"] == "").tolist() == [False] * 8 + [True]
    values = faces_of(9).to_numpy(copy=True)
    values[:4] -= np.median(values[:4], axis=0)
    expected = read_bundle(bundle).predict_proba(values[:4])
    found = table[list(Emotions().names)].to_numpy()[:4].astype(float)
    assert np.allclose(found, expected, atol=5e-3)  # differences have two decimals


def test_groups_that_change_nothing_are_said(aufer: RunAufer, bundle: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv")
    plain = aufer("predict", path).check()
    ran = aufer("predict", path, "--groups", "person").check()
    assert "--groups changes nothing" in ran.err
    assert ran.out == plain.out


def test_out_writes_the_same_with_what_made_it(
    aufer: RunAufer, bundle: Path, tmp_path: Path
) -> None:
    path = write_table(tmp_path / "faces.csv")
    printed = aufer("predict", path).check().out
    ran = aufer("predict", path, "--out", "answers.csv").check()
    assert ran.out == "answers.csv\n"
    assert "1 of 10 images have no usable face" in ran.err
    assert (tmp_path / "answers.csv").read_text() == printed
    facts = json.loads((tmp_path / "answers.json").read_text())
    assert facts["schema"] == "aufer/answers/1"
    assert facts["model"]["name"] == "small"
    recorded = json.loads((bundle / "bundle.json").read_text())["files"]["model.onnx"]
    assert facts["model"]["sha256"] == recorded
    assert facts["inputs"] == [path.as_posix()]
    table = pd.read_csv(StringIO(printed), keep_default_na=False)
    assert facts["n_rows"] == len(table) == 10
    assert facts["labels"] == table["label"][table["label"] != ""].value_counts().to_dict()
    # again: replaced; edited: kept, unless forced
    aufer("predict", path, "--out", "answers.csv").check()
    (tmp_path / "answers.csv").write_text("mine\n")
    assert "was edited" in aufer("predict", path, "--out", "answers.csv").check(1).err
    assert (tmp_path / "answers.csv").read_text() == "mine\n"
    aufer("predict", path, "--out", "answers.csv", "--force").check()
    assert (tmp_path / "answers.csv").read_text() == printed


def test_out_keeps_what_is_not_ours_to_replace(
    aufer: RunAufer, bundle: Path, tmp_path: Path
) -> None:
    path = write_table(tmp_path / "faces.csv")
    before = {p.name: p.read_bytes() for p in (path, path.with_suffix(".json"))}
    ran = aufer("predict", path, "--out", path).check(1)
    assert "describes another kind of file" in ran.err
    assert {p.name: p.read_bytes() for p in (path, path.with_suffix(".json"))} == before
    ran = aufer("predict", path, "--out", "answers.txt").check(2)
    assert "ends in .csv" in ran.err
    ran = aufer("predict", path, "--out", "answers.csv", "--json").check(2)
    assert "--json is for stdout" in ran.err
    assert not list(tmp_path.glob("answers*"))


def test_answers_that_break_off_leave_no_file(tmp_path: Path) -> None:
    def tables():
        yield pd.DataFrame({"image": ["a"], "label": ["happy"]})
        raise DataError("the disk was pulled out.")

    with pytest.raises(AuferError, match="pulled out"):
        write_answers(tables(), tmp_path / "answers.csv", dict)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError):
        write_answers(tables(), tmp_path / "answers", dict)


def test_nothing_is_printed_when_a_late_row_is_bad(
    aufer: RunAufer, bundle: Path, tmp_path: Path
) -> None:
    frame = pd.concat([faces_of(100)] * 300, ignore_index=True)
    frame.loc[29_990, "AU12_r"] = 9
    frame.to_csv(tmp_path / "rows.csv", index=False)
    ran = aufer("predict", "rows.csv").check(4)
    assert "AU12_r in data row 29991 is 9, outside 0-5" in ran.err
    assert ran.out == ""


def test_json_of_several_parts_is_one_array(aufer: RunAufer, bundle: Path, tmp_path: Path) -> None:
    pd.concat([faces_of(100)] * 205, ignore_index=True).to_csv(tmp_path / "rows.csv", index=False)
    records = json.loads(aufer("predict", "rows.csv", "--json").check().out)
    assert [record["image"] for record in records] == [str(n) for n in range(1, 20_501)]
    lines = aufer("predict", "rows.csv").check().out.splitlines()
    assert len(lines) == 20_501
    assert lines[20_500].split(",")[3] == records[-1]["label"]


def test_a_reader_that_leaves_early_is_no_error(bundle: Path, tmp_path: Path) -> None:
    pd.concat([faces_of(100)] * 500, ignore_index=True).to_csv(tmp_path / "rows.csv", index=False)
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m aufer predict rows.csv | head -2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
