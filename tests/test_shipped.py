"""The model that comes with the package: whole, usable at once, and without anybody's data."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from aufer.action_units import DIGEST_PREFIX
from aufer.bundle import list_bundles, read_bundle
from aufer.emotions import DEFAULT_NAMES
from aufer.image_input import ImageInput
from aufer.shipped import models_folder, sample_folder
from tests.running import run_aufer

NAME, BUILTIN_NAME, IMAGE_NAME = "openface-aus", "builtin-aus", "face-cnn"


@pytest.fixture(scope="module")
def shipped() -> Path:
    folder = models_folder()
    assert folder is not None
    return folder / NAME


def test_it_is_whole_and_answers(shipped: Path) -> None:
    bundle = read_bundle(shipped)
    assert bundle.emotions.names == DEFAULT_NAMES
    found = bundle.predict_proba(np.zeros((3, 17)))
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    smile = np.zeros((1, 17))
    smile[0, [bundle.features.index(name) for name in ("AU06_r", "AU12_r", "AU25_r")]] = 3
    assert bundle.emotions.names[int(bundle.predict_proba(smile).argmax())] == "happy"


def test_predicting_works_right_after_the_install(tmp_path: Path) -> None:
    done = run_aufer("predict", sample_folder() / "test" / "happy", cwd=tmp_path).check()
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert rows
    labels = [row["label"] for row in rows if row["label"]]
    assert set(labels) <= set(DEFAULT_NAMES)
    assert Counter(labels).most_common(1)[0][0] == "happy"
    listed = json.loads(run_aufer("models", "list", "--json", cwd=tmp_path).check().out)
    shipped = {NAME, BUILTIN_NAME, IMAGE_NAME, "au-net"}
    assert {(row["name"], row["where"]) for row in listed} == {
        (name, "shipped") for name in shipped
    }


def test_its_own_training_faces_are_found_though_their_aus_are_not_in_it(shipped: Path) -> None:
    with (shipped / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 20_000
    assert all(row["aus"].startswith(DIGEST_PREFIX) for row in rows)
    assert not any(row["image"] or row["group"] for row in rows)
    assert not list(shipped.rglob("predictions.csv"))


def test_it_was_chosen_by_leaving_one_source_out(shipped: Path) -> None:
    facts = read_bundle(shipped).facts
    crossed = facts["cross_validation"]
    assert [protocol["name"] for protocol in crossed["protocols"]] == ["sources"]
    assert facts["split"]["sizes"]["test"] == 0
    assert crossed["pooled"]["n_answered"] == facts["dataset"]["n_rows"]
    names = {path.name for path in list_bundles(shipped.parent)}
    assert names == {NAME, BUILTIN_NAME, IMAGE_NAME}


# the one that reads pictures


@pytest.fixture(scope="module")
def face_cnn(shipped: Path) -> Path:
    return shipped.parent / IMAGE_NAME


def test_the_model_of_pictures_is_whole_and_answers(face_cnn: Path) -> None:
    bundle = read_bundle(face_cnn)
    assert bundle.emotions.names == (*DEFAULT_NAMES, "fear")
    assert bundle.image_input == ImageInput(48, 48)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1))
    found = bundle.predict_proba(pixels)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    # an expression has no side
    assert np.allclose(bundle.predict_proba(pixels[:, :, ::-1]), found, atol=1e-5)


def test_it_names_no_picture_and_knows_those_it_was_trained_on(face_cnn: Path) -> None:
    with (face_cnn / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 28_709
    assert {row["part"] for row in rows} == {"train", "validation"}
    assert all(len(row["sha256"]) == 64 and row["phash"] for row in rows)
    assert not any(row["image"] or row["group"] or row["aus"] for row in rows)


def test_it_holds_on_public_test_pictures(face_cnn: Path, data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(data / "fer2013" / "images-public.zip") as archive:
        archive.extractall(tmp_path)
    folder = next(path.parent for path in tmp_path.rglob("happy") if path.is_dir())
    out = tmp_path / "report"
    run_aufer(
        "evaluate", "--model", face_cnn, "--testset", folder, "--out", out, cwd=tmp_path
    ).check()
    figures = json.loads((out / "report.json").read_text())["figures"]
    assert figures["all"]["accuracy"]["value"] >= 0.66
    assert figures["all"]["n_images"] == 3589
    assert 0.63 < figures["unseen"]["accuracy"]["value"] < figures["all"]["accuracy"]["value"]
