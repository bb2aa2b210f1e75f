"""The pictures that OpenFace's CSVs were made of: found by name, hashed, and told where missing."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aufer.build_dataset import build_dataset
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.openface.faces import read_faces
from tests.running import RunAufer

TWO = Emotions(("angry", "happy"))


def draw(path: Path, seed: int, side: int = 48) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    Image.fromarray(pixels).resize((side, side)).save(path)
    return path


@pytest.fixture
def output(tmp_path: Path, sample: Path) -> Path:
    """OpenFace's files of six faces: ``angry/0`` … ``happy/2``, without details."""
    for word in TWO:
        (tmp_path / "of" / word).mkdir(parents=True)
        for number, path in enumerate(sorted((sample / "train" / word).glob("*.csv"))[:3]):
            shutil.copy(path, tmp_path / "of" / word / f"{number}.csv")
    return tmp_path / "of"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A picture of each face: ``happy/2`` is a small copy of ``angry/0``."""
    for number, word in enumerate(TWO):
        for n in range(3):
            draw(tmp_path / "faces" / word / f"{n}.png", 3 * number + n)
    draw(tmp_path / "faces" / "happy" / "2.png", 0, side=40)
    return tmp_path / "faces"


def test_pictures_give_hashes_and_near_copies(output: Path, pictures: Path, tmp_path: Path) -> None:
    built = build_dataset([output], tmp_path / "emotion.csv", emotions=TWO, images=pictures)
    rows = built.dataset.rows.set_index("image")
    assert list(rows.index) == [f"{word}/{n}.png" for word in TWO for n in range(3)]
    bytes_of = (pictures / "angry" / "1.png").read_bytes()
    assert rows.loc["angry/1.png", "sha256"] == hashlib.sha256(bytes_of).hexdigest()
    assert rows["phash"].str.fullmatch("[0-9a-f]{16}").all()
    assert rows.loc["angry/0.png", "group"] == rows.loc["happy/2.png", "group"]
    assert rows["group"].nunique() == 5
    assert built.dataset.grouping.kind == "images"
    table = built.table.frame.set_index("image")
    assert table.loc["happy/2.png", ["width", "height"]].tolist() == [40, 40]
    facts = json.loads((tmp_path / "emotion.json").read_text())
    assert facts["images_folder"] == str(pictures)
    assert facts["notes"] == [
        "there are only 5 groups: figures by group will vary much from split to split"
    ]


def test_what_is_missing_damaged_or_doubtful_is_told(
    output: Path, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "angry" / "0.png").unlink()
    (pictures / "angry" / "1.png").write_bytes(b"no picture")
    draw(pictures / "happy" / "0.jpg", 9)  # beside 0.png: which one was measured?
    built = build_dataset([output], tmp_path / "emotion.csv", emotions=TWO, images=pictures)
    rows = built.dataset.rows.set_index("image")
    assert rows.loc["angry/0", ["sha256", "phash"]].tolist() == ["", ""]
    assert rows.loc["happy/0", "phash"] == ""
    assert rows.loc["angry/1.png", "phash"] == ""
    assert len(rows.loc["angry/1.png", "sha256"]) == 64
    text = "\n".join(built.dataset.notes)
    assert "2 of the 6 images have no picture of their name" in text
    assert "(first: angry/0)" in text
    assert "1 of the 4 pictures" in text
    assert "(first: angry/1.png: no picture that can be read" in text
    assert "3 faces without a hash are alone" in built.dataset.grouping.rule


def test_names_that_tell_another_ending_find_their_picture(
    output: Path, pictures: Path, sample: Path
) -> None:
    """The details file says what OpenFace was given: an enlarged BMP of the picture, perhaps."""
    (output / "angry" / "0_of_details.txt").write_text("Input:/tmp/x/0.bmp\n")
    table = read_faces(output, TWO, images=pictures)
    assert table.frame["image"].iloc[0] == "angry/0.png"
    assert (table.frame["phash"] != "").all()
    assert table.images_folder == str(pictures)


def test_what_is_known_is_not_read_again(output: Path, pictures: Path, tmp_path: Path) -> None:
    build_dataset([output], tmp_path / "emotion.csv", emotions=TWO, images=pictures)
    shutil.rmtree(pictures / "angry")
    again = read_faces(tmp_path / "emotion.csv", TWO, images=pictures)
    assert (again.frame["phash"] != "").all()
    assert not again.notes


@pytest.mark.parametrize(
    ("folder", "error", "message"),
    [
        ("nowhere", UsageError, "does not exist"),
        ("empty", DataError, "There is no picture in"),
        ("others", DataError, "No picture in .*others belongs to an image"),
    ],
)
def test_a_folder_that_can_not_be_it(
    output: Path, tmp_path: Path, folder: str, error: type[AuferError], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    draw(tmp_path / "others" / "x.png", 0)
    with pytest.raises(error, match=message) as raised:
        build_dataset([output], tmp_path / "e.csv", emotions=TWO, images=tmp_path / folder)
    assert raised.value.hint
    assert not (tmp_path / "e.csv").exists()


def test_the_command_reads_pictures(
    aufer: RunAufer, output: Path, pictures: Path, tmp_path: Path
) -> None:
    command = ("build-dataset", "of", "--emotions", "angry,happy", "--images", "faces")
    ran = aufer(*command).check()
    assert "5 groups by near copies of a picture" in ran.err
    rows = pd.read_csv(tmp_path / "data" / "emotion.rows.csv")
    assert rows["phash"].notna().all()


def test_the_near_copies_of_fer2013(data: Path, tmp_path: Path) -> None:
    """Every CSV finds its picture; equal AUs are gone, and still one face in eleven is a copy."""
    for name in ("images-train", "openface-train"):
        with zipfile.ZipFile(data / "fer2013" / f"{name}.zip") as archive:
            members = [m for m in archive.namelist() if m.startswith(("disgust/", "surprise/"))]
            archive.extractall(tmp_path / name, members)
    built = build_dataset(
        [tmp_path / "openface-train"],
        tmp_path / "emotion.csv",
        emotions=Emotions(("disgust", "surprise")),
        images=tmp_path / "images-train",
    )
    assert not any("picture" in note for note in built.dataset.notes)
    rows = built.dataset.rows
    n_groups = rows.groupby("emotion")["group"].nunique().to_dict()
    assert built.dataset.counts() == {"disgust": 275, "surprise": 2034}
    assert n_groups == {"disgust": 240, "surprise": 1869}
    assert (built.dataset.grouping.n_groups, built.dataset.grouping.largest) == (2108, 6)
