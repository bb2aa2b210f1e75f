"""Models that read pictures: their pixels, and the commands that ask models."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from aufer.bundle import FACTS_NAME, ROWS_COLUMNS, ROWS_NAME, read_bundle
from aufer.emotions import DEFAULT_NAMES
from aufer.errors import DataError
from aufer.files import hash_files, sha256_of
from aufer.image_input import ImageInput
from aufer.pictures.pixels import fit_pixels, read_one, read_pixels
from tests.image_model import brightness_of, make_image_bundle, save_pictures
from tests.running import RunAufer


@pytest.fixture
def bright(tmp_path: Path) -> Path:
    return make_image_bundle(tmp_path / "models" / "bright")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return save_pictures(tmp_path / "pictures")


# pixels


def test_a_picture_is_made_as_large_as_wanted_and_of_as_many_channels() -> None:
    grey = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
    small = fit_pixels(grey, ImageInput(8, 6))
    means = grey.reshape(6, 2, 8, 2).mean(axis=(1, 3))
    assert small.shape == (6, 8, 1)
    assert np.abs(small[:, :, 0] - means).max() <= 0.5
    coloured = fit_pixels(grey, ImageInput(16, 12, channels=3))
    assert coloured.shape == (12, 16, 3)
    assert (coloured == grey[:, :, None]).all()
    assert fit_pixels(grey[:, :, None], ImageInput(32, 24)).shape == (24, 32, 1)


def test_red_stays_the_first_channel_and_grey_weighs_green_most() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[:, :, 0] = 200
    assert (fit_pixels(red, ImageInput(4, 4, 3)) == red).all()
    assert (fit_pixels(red, ImageInput(4, 4)) == round(200 * 0.299)).all()


def test_the_middle_square_is_cut_out_where_the_model_wants_that() -> None:
    wide = np.zeros((4, 10), np.uint8)
    wide[:, 3:7] = 255
    assert (fit_pixels(wide, ImageInput(4, 4, fit="crop")) == 255).all()
    assert fit_pixels(wide, ImageInput(4, 4)).min() == 0


def test_pictures_are_upright(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(
        np.array([[0, 255], [0, 255]], np.uint8).repeat(8, 0).repeat(8, 1)
    )
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    upright = read_one(tmp_path / "turned.png", ImageInput(16, 16))[:, :, 0]
    assert upright[0].max() == 0
    assert upright[-1].min() == 255


def test_each_file_is_decoded_once_for_all_inputs_and_failures_have_reasons(
    tmp_path: Path, pictures: Path
) -> None:
    good = sorted(pictures.rglob("*.png"))[:5]
    (tmp_path / "cut.png").write_bytes(good[0].read_bytes()[:-40])
    os.mkfifo(tmp_path / "pipe.png")
    paths = [*good, None, tmp_path / "cut.png", tmp_path / "gone.png", tmp_path / "pipe.png"]
    small, large = ImageInput(8, 8), ImageInput(60, 50, 3)
    steps: list[int] = []
    parts = list(read_pixels(paths, [small, large, small], at_once=4, on_step=steps.append))
    assert [(part.start, part.stop) for part in parts] == [(0, 4), (4, 8), (8, 9)]
    assert steps == [4, 4, 1]
    rows = np.concatenate([part.rows for part in parts])
    assert rows.tolist() == [0, 1, 2, 3, 4]
    found = np.concatenate([part.of_input[large] for part in parts])
    assert found.shape == (5, 50, 60, 3)
    assert (found[3] == read_one(good[3], large)).all()
    failures = {row: why for part in parts for row, why in part.failures.items()}
    assert failures[5] == "no picture is at hand"
    assert failures[6].startswith("damaged")
    assert failures[7] == "there is no such file"
    assert failures[8] == "not a regular file"


@pytest.mark.parametrize(
    "facts",
    [
        {"width": 0, "height": 8, "channels": 1},
        {"width": 8, "height": 8, "channels": 2},
        {"width": 8, "height": 8, "channels": 1, "fit": "zoom"},
        {"width": 8, "height": 8},
        {"width": "wide", "height": 8, "channels": 1},
        None,
    ],
)
def test_what_is_no_description_of_a_picture_is_refused(facts: object) -> None:
    with pytest.raises(DataError):
        ImageInput.from_facts(facts)


# bundles


def test_a_bundle_of_pictures_answers_pixels_and_nothing_else(bright: Path) -> None:
    bundle = read_bundle(bright)
    assert bundle.image_input == ImageInput(8, 8)
    pixels = np.array([np.full((8, 8, 1), brightness_of(n)) for n in range(6)], dtype=np.uint8)
    found = bundle.predict_proba(np.tile(pixels, (30, 1, 1, 1)))  # more than one call
    assert found.argmax(axis=1).tolist() == list(range(6)) * 30
    assert np.allclose(found.sum(axis=1), 1)
    with pytest.raises(DataError, match="pictures of 8x8 grey"):
        bundle.predict_proba(np.zeros((2, 17)))


@pytest.mark.parametrize("changed", [{"image_input": None}, {"input": "sounds"}, {"input": "aus"}])
def test_a_bundle_that_says_nothing_sound_of_its_input_is_refused(
    bright: Path, changed: dict[str, object]
) -> None:
    facts = json.loads((bright / FACTS_NAME).read_text())
    (bright / FACTS_NAME).write_text(json.dumps({**facts, **changed}))
    with pytest.raises(DataError):
        read_bundle(bright)


# commands


def test_predict_reads_pictures_without_openface(
    aufer: RunAufer, bright: Path, pictures: Path
) -> None:
    (pictures / "sad" / "cut.png").write_bytes(b"no picture")
    done = aufer("predict", "pictures", "--model", "bright")
    assert done.code == 5
    table = pd.read_csv(io.StringIO(done.out), keep_default_na=False)
    assert len(table) == 25
    good = table[table["status"] == "ok"]
    assert (good["label"] == [name.split("/")[0] for name in good["image"]]).all()
    assert table.loc[table["label"] == "", ["image", "status"]].values.tolist() == [
        ["sad/cut.png", "unreadable"]
    ]
    assert "1 of 25 images can't be read" in done.err


def test_evaluate_writes_a_report_that_does_not_speak_of_aus(
    aufer: RunAufer, bright: Path, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "sad" / "0.png").rename(pictures / "happy" / "wrong.png")
    aufer("evaluate", "--model", "bright", "--testset", "pictures", "--out", "report").check()
    facts = json.loads((tmp_path / "report" / "report.json").read_text())
    assert facts["figures"]["all"]["accuracy"]["k"] == 23
    assert facts["model"]["input"] == "image"
    assert facts["au_profile"] == []
    assert facts["mistakes"][0]["image"] == "happy/wrong.png"
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "It sees the whole picture, made 8x8 grey" in page
    assert "measured by OpenFace" not in page
    assert "wrong.png" in page
    predictions = pd.read_csv(tmp_path / "report" / "predictions.csv", keep_default_na=False)
    assert "AU01_r" not in predictions
    assert "by_prototypes" not in predictions


def test_pictures_that_the_model_was_trained_on_are_named(
    aufer: RunAufer, bright: Path, pictures: Path, tmp_path: Path
) -> None:
    rows = pd.DataFrame("", index=range(2), columns=list(ROWS_COLUMNS))
    rows["part"], rows["emotion"] = ["train", "test"], "angry"
    rows["sha256"] = [sha256_of(pictures / "angry" / f"{n}.png") for n in range(2)]
    rows.to_csv(bright / ROWS_NAME, index=False)
    facts = json.loads((bright / FACTS_NAME).read_text())
    facts["files"] = hash_files(bright, FACTS_NAME)
    (bright / FACTS_NAME).write_text(json.dumps(facts))
    aufer("evaluate", "--model", "bright", "--testset", "pictures", "--out", "report").check()
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    assert found["seen_in_training"]["images"] == ["angry/0.png"]
    assert found["figures"]["unseen"]["n_images"] == 23


def test_openface_files_need_their_pictures_beside_them(
    aufer: RunAufer, bright: Path, sample: Path, tmp_path: Path
) -> None:
    failed = aufer("evaluate", "--model", "bright", "--testset", sample / "test")
    assert failed.code == 4
    assert "reads pictures; these faces come without" in failed.err
    # one picture for one of the faces
    stem = sorted((sample / "test" / "happy").glob("*.csv"))[0].stem
    (tmp_path / "beside" / "happy").mkdir(parents=True)
    grey = np.full((8, 8), brightness_of(DEFAULT_NAMES.index("happy")), np.uint8)
    PIL.Image.fromarray(grey).save(tmp_path / "beside" / "happy" / f"{stem}.png")
    done = aufer(
        *("evaluate", "--model", "bright", "--testset", sample / "test"),
        *("--images", "beside", "--out", "report"),
    )
    done.check()
    facts = json.loads((tmp_path / "report" / "report.json").read_text())
    assert facts["figures"]["all"]["coverage"]["k"] == 1
    assert facts["figures"]["all"]["accuracy"]["k"] == 1
    answers = pd.read_csv(tmp_path / "report" / "predictions.csv", keep_default_na=False)
    assert set(answers["status"]) == {"ok", "no_picture"}


def test_nothing_but_unreadable_pictures_is_an_error(
    aufer: RunAufer, bright: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad" / "happy").mkdir(parents=True)
    (tmp_path / "bad" / "happy" / "a.png").write_bytes(b"")
    failed = aufer("evaluate", "--model", "bright", "--testset", "bad")
    assert failed.code == 4
    assert "no picture that can be read (1 unreadable)" in failed.err
    assert not (tmp_path / "reports").exists()


def test_a_model_of_aus_still_wants_openface_for_pictures(
    aufer: RunAufer, bundle: Path, pictures: Path
) -> None:
    failed = aufer(
        *("predict", "pictures", "--model", "small"),
        *("--engine", "local", "--openface", "/nonexistent/FaceLandmarkImg"),
    )
    assert failed.code == 3
