"""Reading OpenFace's CSVs: real files of every layout, and broken ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aufer.action_units import INTENSITY_COLUMNS, PRESENCE_COLUMNS
from aufer.openface.output import choose_faces, read_face_csvs

HEADER = ",".join(["face", "confidence", *INTENSITY_COLUMNS, *PRESENCE_COLUMNS])


def row(face: int = 0, confidence: float = 0.98, value: float = 1.0) -> str:
    return ",".join([str(face), f"{confidence:.3f}", *[f"{value:.2f}"] * 17, *["0.0"] * 18])


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_real_files_of_all_layouts_agree_with_pandas(data: Path) -> None:
    folder = data / "openface-examples"
    paths = sorted(
        [
            *folder.glob("aus/*.csv"),
            *folder.glob("all-columns/*.csv"),
            *folder.glob("astronaut/*.csv"),
        ]
    )
    read = read_face_csvs(paths)
    assert read.problems == {}
    assert len({len(pd.read_csv(path).columns) for path in paths}) == 3  # 37, 179, 711
    for number, path in enumerate(paths):
        expected = pd.read_csv(path)
        assert list(expected.columns[-35:-18]) == list(INTENSITY_COLUMNS)
        ours = read.frame[read.frame["file"] == number].reset_index(drop=True)
        names = ["face", "confidence", *INTENSITY_COLUMNS, *PRESENCE_COLUMNS]
        pd.testing.assert_frame_equal(ours[names], expected[names], check_dtype=False)
        if "x_0" in expected:
            x = expected[[f"x_{i}" for i in range(68)]]
            assert ours["face_x"].tolist() == pytest.approx(x.min(axis=1).tolist())
            width = (x.max(axis=1) - x.min(axis=1)).tolist()
            assert ours["face_width"].tolist() == pytest.approx(width, abs=0.01)


def test_three_and_twelve_faces(data: Path) -> None:
    folder = data / "openface-examples" / "aus"
    read = read_face_csvs([folder / "sample2.csv", folder / "sample6.csv"])
    chosen = choose_faces(read)
    assert chosen["n_faces"].tolist() == [3, 12]
    assert not read.has_landmarks
    # no landmarks in -aus files: the most confident face
    for number in (0, 1):
        of_file = read.frame[read.frame["file"] == number]
        assert chosen.loc[number, "confidence"] == of_file["confidence"].max()


def test_the_real_broken_files_are_told_apart(data: Path) -> None:
    folder = data / "openface-examples" / "broken"
    names = [
        "cut_at_8191.csv",
        "cut_header.csv",
        "empty.csv",
        "header_only.csv",
        "spaced_header.csv",
    ]
    video = folder.parent / "feature_extraction_live.csv"
    read = read_face_csvs([*(folder / name for name in names), video])
    assert sorted(read.problems) == [0, 1, 2, 3, 5]
    assert "no end" in read.problems[0]
    assert "header" in read.problems[1]
    assert "0 bytes" in read.problems[2]
    assert "no row" in read.problems[3]
    assert "FeatureExtraction" in read.problems[5]
    assert read.frame["file"].tolist() == [4]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 bytes"),
        (HEADER, "header"),
        (HEADER + "\n", "no row"),
        (HEADER + "\n" + row(), "no end"),
        (HEADER + "\n" + row()[:-8] + "\n", "not as long"),
        (HEADER + "\n" + row() + "\n" + row(1) + ",1\n", "not as long"),
        (HEADER + "\n" + row().replace("1.00", "high", 1) + "\n", "'high', not a number"),
        (HEADER + "\n" + row(value=5.5) + "\n", "outside 0-5"),
        (HEADER + "\n" + row(value=-0.5) + "\n", "outside 0-5"),
        (HEADER + "\n" + row(value=math.nan) + "\n", "no number"),
        (HEADER + "\n" + row(confidence=math.nan) + "\n", "confidence is nan"),
        (HEADER + "\n" + row(confidence=95) + "\n", "confidence is 95"),
        ("a,b\n1,2\n", "no AU columns"),
        (HEADER.replace("AU12_r", "AU12") + "\n" + row() + "\n", "lacks the column AU12_r"),
        ("\x00\x01\x02 binary \n", "no AU columns"),
    ],
)
def test_a_file_that_is_not_whole_is_named_and_the_others_are_read(
    tmp_path: Path, text: str, reason: str
) -> None:
    good = write(tmp_path / "good.csv", f"{HEADER}\n{row(value=2.5)}\n")
    bad = write(tmp_path / "bad.csv", text)
    read = read_face_csvs([good, bad, good])
    assert reason in read.problems[1]
    assert sorted(read.problems) == [1]
    assert read.frame["file"].tolist() == [0, 2]
    assert (read.frame[list(INTENSITY_COLUMNS)].to_numpy() == 2.5).all()


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    read = read_face_csvs([tmp_path / "gone.csv"])
    assert "can't be read" in read.problems[0]
    assert len(choose_faces(read)) == 0


def test_windows_line_ends_and_columns_in_another_order_are_read(tmp_path: Path) -> None:
    names, values = HEADER.split(","), row(value=3.25).split(",")
    text = ", ".join(reversed(names)) + "\r\n" + ", ".join(reversed(values)) + "\r\n"
    read = read_face_csvs([write(tmp_path / "a.csv", text)])
    assert read.problems == {}
    assert read.frame["AU45_r"].tolist() == [3.25]
    assert read.frame["confidence"].tolist() == [0.98]


def landmarks(size: float) -> tuple[str, str]:
    names = ",".join([*(f"x_{i}" for i in range(68)), *(f"y_{i}" for i in range(68))])
    return names, ",".join(f"{10 + size * i / 67:.1f}" for _ in range(2) for i in range(68))


def test_policies_for_several_faces(tmp_path: Path) -> None:
    names, _ = landmarks(1)
    rows = [
        f"{row(face, confidence, face)},{landmarks(size)[1]}"
        for face, (confidence, size) in enumerate([(0.5, 20), (0.7, 50), (0.9, 30), (0.7, 50)])
    ]
    read = read_face_csvs(
        [write(tmp_path / "a.csv", f"{HEADER},{names}\n" + "\n".join(rows) + "\n")]
    )
    assert choose_faces(read, "largest")["face"].tolist() == [1]  # equals go to the lower number
    assert choose_faces(read, "best")["face"].tolist() == [2]
    assert choose_faces(read, "largest")["face_width"].tolist() == [50]
    assert choose_faces(read, "error")["n_faces"].tolist() == [4]
    with pytest.raises(ValueError, match="policy"):
        choose_faces(read, "first")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_no_bytes_make_the_reader_fail(tmp_path_factory, noise: bytes, cut: int) -> None:
    """Whatever is in a file, it is either read as whole rows or named; never an exception."""
    folder = tmp_path_factory.mktemp("noise")
    good = f"{HEADER}\n{row()}\n".encode()
    for number, content in enumerate((noise, good[:cut], HEADER.encode() + b"\n" + noise, good)):
        (folder / f"{number}.csv").write_bytes(content)
    read = read_face_csvs([folder / f"{number}.csv" for number in range(4)])
    assert 3 not in read.problems
    for number in range(4):
        assert (number in read.problems) != (number in read.frame["file"].tolist())
    values = read.frame[list(INTENSITY_COLUMNS)].to_numpy()
    assert ((values >= 0) & (values <= 5)).all()


def test_the_bundled_sample_is_read_as_pandas_reads_it(sample: Path) -> None:
    paths = sorted((sample / "test").rglob("*.csv"))
    assert len(paths) == 60
    frame = read_face_csvs(paths).frame
    expected = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    for name in INTENSITY_COLUMNS:
        assert np.array_equal(frame[name].to_numpy(), expected[name].to_numpy())


_intensity = st.integers(0, 500).map(lambda hundredths: hundredths / 100)
_faces = st.lists(
    st.tuples(st.integers(0, 1000), st.lists(_intensity, min_size=17, max_size=17)),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(st.lists(_faces, min_size=1, max_size=5), st.data())
def test_what_is_written_is_read_and_what_is_cut_is_refused(files: list, data) -> None:
    texts = []
    for faces in files:
        rows = [
            ",".join([f"{n}", f"{c / 1000:.3f}", *(f"{v:.2f}" for v in values), *["1.0"] * 18])
            for n, (c, values) in enumerate(faces)
        ]
        texts.append("\n".join([HEADER, *rows, ""]).encode())
    victim = data.draw(st.integers(0, len(texts) - 1))
    cut = data.draw(st.integers(0, len(texts[victim]) - 1))
    # at the end of a row nothing tells that another one is missing
    is_whole = texts[victim][:cut].count(b"\n") > 1 and texts[victim][cut - 1 : cut] == b"\n"
    read = read_face_csvs([*texts, texts[victim][:cut]])
    assert set(read.problems) == (set() if is_whole else {len(texts)})
    for number, faces in enumerate(files):
        ours = read.frame[read.frame["file"] == number]
        assert ours["confidence"].tolist() == [c / 1000 for c, _ in faces]
        assert ours[list(INTENSITY_COLUMNS)].to_numpy().tolist() == [v for _, v in faces]
