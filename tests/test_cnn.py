"""Training an image network: the network, the changed pictures, stopping and going on, bundles."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aufer.bundle import ROWS_COLUMNS, read_bundle
from aufer.calibration import apply_temperature, undo_smoothing
from aufer.classifiers.augmentation import COVER_SHARE, augment
from aufer.classifiers.backend import import_keras
from aufer.classifiers.classifier import ALL_EPOCHS, EARLY_STOPPING
from aufer.classifiers.cnn import KEPT_CHECKPOINTS
from aufer.classifiers.cnn_network import build, predict, to_onnx
from aufer.classifiers.cnn_pictures import read_picture_set
from aufer.classifiers.cnn_recipe import CnnRecipe
from aufer.classifiers.cnn_state import STATE_NAME, State, read_state, write_state
from aufer.classifiers.cnn_unfinished import find_newest
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, Interrupted, UsageError
from aufer.evaluate import evaluate_held_out
from aufer.files import sha256_of
from aufer.image_input import ImageInput
from aufer.images import find_images
from aufer.near_copies import join_near_copies
from aufer.runs import training_alone, training_folder
from aufer.train_images import train_images
from tests.running import RunAufer
from tests.stripes import save_striped

EPOCHS = 3
THREE = Emotions(("angry", "happy", "sad"))
QUICK: dict[str, Any] = {"emotions": THREE, "epochs": EPOCHS, "batch_size": 16, "seed": 5}


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of three emotions; read only."""
    return save_striped(tmp_path_factory.mktemp("cnn") / "stripes")


@pytest.fixture(scope="module")
def whole(stripes: Path) -> Path:
    """A bundle trained without a stop; read only."""
    train_images(stripes, out=stripes.parent / "whole", **QUICK)
    return stripes.parent / "whole"


def press_ctrl_c(*told: object) -> None:
    """Press it."""
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def stopped(stripes: Path) -> Path:
    """The future bundle of a training that was stopped after its first epoch; read only."""
    path = stripes.parent / "stopped"
    with pytest.raises(Interrupted, match="every finished epoch is kept") as raised:
        train_images(stripes, out=path, on_epoch=press_ctrl_c, **QUICK)
    assert raised.value.hint is not None
    assert raised.value.hint.endswith(f"--images {stripes} --out {path} --resume")
    assert not path.exists()
    return path


@pytest.fixture
def unfinished(stopped: Path, tmp_path: Path) -> Path:
    """A copy of that, which a test may go on with."""
    path = tmp_path / "model"
    shutil.copytree(training_folder(stopped), training_folder(path))
    return path


# the network


@pytest.mark.parametrize("wanted", [ImageInput(48, 48), ImageInput(37, 40, channels=3)], ids=str)
def test_the_graph_says_what_the_network_says(wanted: ImageInput) -> None:
    import onnxruntime

    keras = import_keras()
    keras.utils.set_random_seed(1)
    network = build(keras, wanted, 7, 0.3)
    chance = np.random.default_rng(0)
    for weights in network.weights:  # as if it had learnt something
        spread = chance.uniform(0.5, 1.5, weights.shape)
        weights.assign(np.asarray(weights) * spread + 0.05 * (len(weights.shape) == 1) * spread)
    pixels = chance.integers(0, 256, (9, *wanted.shape)).astype(np.uint8)
    pixels[0] = 77  # a plain picture has no contrast to divide by
    mirrored = pixels[:, :, ::-1]
    asked = (predict(network, pixels) + predict(network, mirrored)) / 2
    assert np.abs(predict(network, pixels) - predict(network, mirrored)).max() > 1e-3
    assert np.isfinite(asked).all()
    assert asked.std(axis=0).max() > 0.01
    for temperature, smoothing in ((1.0, 0.0), (0.7, 0.0), (2.0, 0.1)):
        model = to_onnx(network, temperature, smoothing).SerializeToString()
        session = onnxruntime.InferenceSession(model)
        found = session.run(None, {"pixels": pixels.astype(np.float32)})[0]
        expected = apply_temperature(undo_smoothing(asked, smoothing), temperature)
        assert found == pytest.approx(expected, abs=2e-5)
    assert to_onnx(network).SerializeToString() == to_onnx(network).SerializeToString()


def test_it_is_small_and_its_keras_file_loads_in_safe_mode(tmp_path: Path) -> None:
    keras = import_keras()
    network = build(keras, ImageInput(48, 48), 7, 0.3)
    assert 100_000 < network.count_params() < 1_000_000
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1))
    assert predict(again, pixels) == pytest.approx(predict(network, pixels), abs=1e-6)


def test_light_that_only_scales_the_grey_values_changes_little() -> None:
    network = build(import_keras(), ImageInput(48, 48), 6, 0.3)
    pixels = np.random.default_rng(0).integers(0, 200, (4, 48, 48, 1))
    asked, darker, otherwise = (
        predict(network, values) for values in (pixels, 0.7 * pixels + 60, pixels[:, ::-1])
    )
    assert np.abs(darker - asked).max() < 0.01
    assert np.abs(otherwise - asked).max() > 0.01


# changed pictures


def test_the_same_seed_changes_pictures_in_the_same_way() -> None:
    import tensorflow as tf

    pixels = tf.constant(np.random.default_rng(0).uniform(0, 255, (8, 48, 48, 1)), tf.float32)
    once, again, other = (
        augment(pixels, tf.constant(seed)).numpy() for seed in ([1, 4], [1, 4], [1, 6])
    )
    assert once.shape == pixels.shape
    assert (once == again).all()
    assert (np.abs(once - other).mean(axis=(1, 2, 3)) > 5).all()
    assert np.isfinite(once).all()
    assert once.min() >= 0
    assert once.max() <= 255


def test_changes_are_as_large_and_as_frequent_as_they_are_said_to_be() -> None:
    import tensorflow as tf

    spot = np.zeros((400, 48, 48, 1), np.float32)
    spot[:, 20:28, 30:38] = 255  # right of the middle
    changed = augment(tf.constant(spot), tf.constant([3, 0])).numpy()[..., 0]
    weight = changed - np.median(changed, axis=(1, 2), keepdims=True)
    weight = np.clip(weight, 0, None) + 1e-6
    middle = (weight * np.arange(48)).sum(axis=(1, 2)) / weight.sum(axis=(1, 2))
    mirrored = (middle < 23.5).mean()
    assert 0.4 < mirrored < 0.6
    # at most: 10 % of the side, and 15 % and 15 degrees of the 10.5 pixels from the middle
    assert np.abs(np.abs(middle - 23.5) - 10).max() < 9
    noise = np.random.default_rng(0).uniform(60, 190, (400, 48, 48, 1)).astype(np.float32)
    changed = augment(tf.constant(noise), tf.constant([4, 0])).numpy()
    # of noise that was moved and lit otherwise no value comes often, but that of a cover
    n_equal = np.array([np.unique(picture, return_counts=True)[1].max() for picture in changed])
    assert abs((n_equal > 20).mean() - COVER_SHARE) < 0.1


# settings


def test_the_learning_rate_rises_and_falls() -> None:
    recipe = CnnRecipe().changed(epochs=20, batch_size=10, learning_rate=0.01)
    rates = np.concatenate([recipe.learning_rates(105, epoch) for epoch in range(1, 21)])
    assert len(rates) == 200
    top = int(rates.argmax())
    assert top == 19
    assert rates[top] == pytest.approx(0.01)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top + 1 :]) < 0).all()
    assert rates[-1] < 1e-5


def test_with_class_weights_each_emotion_counts_alike() -> None:
    labels = np.array([0] * 8 + [2] * 2)
    assert (CnnRecipe().weights(labels, 3) == 1).all()
    weights = CnnRecipe(class_weights=True).weights(labels, 3)
    assert weights[0] * 8 == pytest.approx(weights[2] * 2)
    assert weights[labels].mean() == pytest.approx(1)


@pytest.mark.parametrize(
    "setting",
    [{"epochs": 0}, {"learning_rate": float("nan")}, {"test_size": 1.0}, {"seed": -1}],
    ids=lambda setting: next(iter(setting)),
)
def test_impossible_settings_are_refused(
    stripes: Path, tmp_path: Path, setting: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(setting)).replace('_', '-')}"):
        train_images(stripes, out=tmp_path / "model", **setting)
    assert not list(tmp_path.iterdir())


# bundles


def test_a_training_ends_in_a_whole_bundle(whole: Path, stripes: Path) -> None:
    bundle = read_bundle(whole)
    facts = bundle.facts
    assert bundle.emotions.names == THREE.names
    assert bundle.image_input == ImageInput(48, 48)
    assert facts["kind"] == "cnn"
    assert facts["features"] == []
    assert facts["training"]["stopped"] == ALL_EPOCHS
    assert facts["training"]["onnx_difference"] < 1e-4
    assert facts["dataset"]["counts"] == dict.fromkeys(THREE, 20)
    assert sum(facts["split"]["sizes"].values()) == 60
    assert facts["metrics"]["test"]["n"] == facts["split"]["sizes"]["test"]
    assert not training_folder(whole).exists()
    rows = pd.read_csv(whole / "rows.csv", dtype=str, keep_default_na=False)
    assert tuple(rows.columns) == ROWS_COLUMNS
    assert rows["part"].value_counts().to_dict() == facts["split"]["sizes"]
    for row in rows.sample(3, random_state=0).itertuples():
        assert sha256_of(stripes / row.image) == row.sha256
        assert len(row.phash) == 16
        assert row.image.startswith(row.emotion)
    history = pd.read_csv(whole / "history.csv")
    assert history["epoch"].tolist() == list(range(1, EPOCHS + 1))
    best = facts["training"]["best_epoch"]
    assert best == int(history["val_loss"].argmin()) + 1
    files = [path.name for path in (whole / "checkpoints").iterdir()]
    assert any(name.startswith(f"{best:02d}-") for name in files)
    card = (whole / "README.md").read_text("utf-8")
    assert "48x48 grey" in card
    assert "Action Unit intensities" not in card
    assert "near copies of a picture stay on one side" in card


def test_the_figures_of_the_bundle_are_those_of_its_model(whole: Path, stripes: Path) -> None:
    bundle = read_bundle(whole)
    pictures = read_picture_set(
        stripes, find_images(stripes, THREE), THREE, bundle.image_input or ImageInput(1, 1)
    )
    rows = pd.read_csv(whole / "rows.csv", dtype=str, keep_default_na=False)
    assert rows["image"].tolist() == pictures.rows["image"].tolist()
    for part in ("test", "validation"):
        of_part = (rows["part"] == part).to_numpy()
        said = bundle.predict_proba(pictures.pixels[of_part]).argmax(axis=1)
        accuracy = bundle.facts["metrics"][part]["accuracy"]
        assert accuracy["k"] == (said == pictures.labels[of_part]).sum()


def test_its_own_pictures_are_tested_on_by_their_folder(whole: Path, stripes: Path) -> None:
    with pytest.raises(UsageError, match="reads pictures") as raised:
        evaluate_held_out(read_bundle(whole))
    assert f"--testset {stripes}" in str(raised.value.hint)


def test_early_stopping_and_a_bundle_that_names_no_picture(stripes: Path, tmp_path: Path) -> None:
    shutil.copytree(stripes, tmp_path / "some")
    (tmp_path / "some" / "happy" / "cut.png").write_bytes(b"\x89PNG\r\n")
    bundle = train_images(
        tmp_path / "some",
        out=tmp_path / "model",
        test_size=0,
        with_data=False,
        patience=1,
        learning_rate=0.1,  # so much that not every epoch is better than the one before
        class_weights=True,
        **{**QUICK, "epochs": 60},
    )
    training = bundle.facts["training"]
    assert training["stopped"] == EARLY_STOPPING
    assert training["epochs_run"] == training["best_epoch"] + 1
    assert len(list((bundle.path / "checkpoints").iterdir())) <= KEPT_CHECKPOINTS
    rows = pd.read_csv(bundle.path / "rows.csv", dtype=str, keep_default_na=False)
    assert (rows["image"] == "").all()
    assert (rows["sha256"] != "").all()
    assert "test" not in set(rows["part"])
    assert bundle.facts["metrics"]["test"] is None
    assert bundle.facts["dataset"]["n_unreadable"] == 1
    for path in bundle.path.iterdir():
        if path.suffix in (".json", ".csv", ".md"):
            assert ".png" not in path.read_text("utf-8").replace("training.png", "")


def test_a_training_that_diverges_says_so(stripes: Path, tmp_path: Path) -> None:
    with pytest.raises(AuferError, match="diverged: in epoch 1"):
        train_images(stripes, out=tmp_path / "model", **QUICK, learning_rate=1e30)
    assert not (tmp_path / "model").exists()


# stopping and going on


def test_going_on_ends_as_if_it_had_never_been_stopped(
    unfinished: Path, whole: Path, stripes: Path
) -> None:
    bundle = train_images(stripes, out=unfinished, resume=True)
    assert bundle.facts["split"] == read_bundle(whole).facts["split"]
    columns = ["loss", "accuracy", "val_loss", "val_accuracy"]
    uninterrupted, resumed = (pd.read_csv(path / "history.csv") for path in (whole, bundle.path))
    assert resumed["epoch"].tolist() == uninterrupted["epoch"].tolist()
    assert resumed[columns].to_numpy() == pytest.approx(uninterrupted[columns].to_numpy(), rel=1e-3)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 48, 48, 1))
    expected = read_bundle(whole).predict_proba(pixels)
    assert bundle.predict_proba(pixels) == pytest.approx(expected, abs=1e-3)
    assert not training_folder(unfinished).exists()


def test_the_newest_training_on_the_images_is_gone_on_with(
    unfinished: Path, stripes: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no unfinished training on"):
        train_images(tmp_path, models_folder=tmp_path, resume=True)
    with pytest.raises(UsageError, match="was begun with epochs 3, not 9"):
        train_images(stripes, models_folder=tmp_path, resume=True, epochs=9)
    with pytest.raises(UsageError, match="no unfinished training of"):
        train_images(stripes, out=tmp_path / "other", resume=True)
    assert read_state(training_folder(unfinished)).best_epoch == 1


@pytest.mark.parametrize(
    "changed", [{"seed": 6}, {"batch_size": 8}, {"emotions": Emotions()}, {"test_size": 0.0}]
)
def test_other_settings_than_it_was_begun_with_are_refused(
    unfinished: Path, stripes: Path, changed: dict[str, Any]
) -> None:
    name = next(iter(changed)).replace("_", "-")
    with pytest.raises(UsageError, match=f"was begun with {name}"):
        train_images(stripes, out=unfinished, resume=True, **changed)


def test_other_images_than_it_was_begun_with_are_refused(
    unfinished: Path, stripes: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(stripes, tmp_path / "stripes")
    (moved / "happy" / "00.png").rename(moved / "sad" / "99.png")
    with pytest.raises(DataError, match=r"not those .* \(60 readable ones then, 60 now"):
        train_images(moved, out=unfinished, resume=True)


def test_settings_of_another_version_are_refused(unfinished: Path, stripes: Path) -> None:
    folder = training_folder(unfinished)
    state = read_state(folder)
    settings = {**state.facts["settings"], "augmentation": {}}
    write_state(State({**state.facts, "settings": settings}, state.history), folder)
    with pytest.raises(DataError, match="begun by another version"):
        train_images(stripes, out=unfinished, resume=True)


def test_a_damaged_state_is_refused(unfinished: Path, stripes: Path) -> None:
    state = training_folder(unfinished) / STATE_NAME
    whole = state.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"\x80\x04N."):
        state.write_bytes(damaged)
        with pytest.raises(DataError, match="can't be read") as raised:
            train_images(stripes, out=unfinished, resume=True)
        assert "--force" in str(raised.value.hint)


def test_an_unfinished_training_is_not_lost_by_beginning_anew(
    unfinished: Path, stripes: Path
) -> None:
    with pytest.raises(UsageError, match="There is an unfinished training") as raised:
        train_images(stripes, out=unfinished, **QUICK)
    assert raised.value.hint == "go on with it: --resume; or begin again: --force"
    with pytest.raises(Interrupted):
        train_images(stripes, out=unfinished, force=True, on_start=press_ctrl_c, **QUICK)
    assert read_state(training_folder(unfinished)).history == []


@pytest.mark.parametrize("how", ["resume", "force"])
def test_two_processes_do_not_train_one_bundle(unfinished: Path, stripes: Path, how: str) -> None:
    before = (training_folder(unfinished) / STATE_NAME).read_bytes()
    with (
        training_alone(unfinished),
        pytest.raises(AuferError, match=r"Another process is training .* now"),
    ):
        train_images(stripes, out=unfinished, **{how: True})
    assert (training_folder(unfinished) / STATE_NAME).read_bytes() == before


def test_a_training_holds_its_name_from_the_first_step_on(stripes: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(*told: object) -> None:
        (folder,) = tmp_path.iterdir()
        seen.extend([folder.name, *sorted(path.name for path in folder.iterdir())])
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(folder / "lock", timeout=0).execute("BEGIN EXCLUSIVE")
        press_ctrl_c()

    with pytest.raises(Interrupted):
        train_images(stripes, models_folder=tmp_path, on_start=look, **QUICK)
    assert seen[0].startswith(".stripes-cnn-")
    assert seen[1:] == ["lock", STATE_NAME]


def test_what_is_refused_costs_no_unfinished_training(unfinished: Path, stripes: Path) -> None:
    with pytest.raises(DataError, match="is no emotion of this study"):
        wrong = {**QUICK, "emotions": Emotions(("angry", "happy"))}
        train_images(stripes, out=unfinished, force=True, **wrong)
    assert read_state(training_folder(unfinished)).best_epoch == 1
    with training_alone(unfinished.with_name("nothing")) as folder:
        assert folder.is_dir()
    assert not folder.exists()


def test_the_same_images_by_another_name(
    unfinished: Path, stripes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (unfinished.parent / ".killed-at-once.training").mkdir()
    monkeypatch.chdir(stripes.parent)
    assert find_newest(unfinished.parent, Path("stripes")) == unfinished


def test_the_state_survives_the_disk(tmp_path: Path) -> None:
    row = {"epoch": 1, "loss": 2.0, "accuracy": 0.5, "val_loss": 1.5, "val_accuracy": 0.5}
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, dtype=np.int64)]
    better = State({"seed": 1}).after(row, weights, weights[:1])
    worse = better.after({**row, "epoch": 2, "val_loss": 1.6}, weights[::-1], [])
    write_state(worse, tmp_path)
    found = read_state(tmp_path)
    assert (found.best_epoch, len(found.history), found.best_loss) == (1, 2, 1.5)
    assert [array.dtype for array in found.now] == [np.int64, np.float32]
    assert (found.best[0] == weights[0]).all()
    assert found.facts == {"seed": 1}
    assert [path.name for path in tmp_path.iterdir()] == [STATE_NAME]


# the pictures


def test_near_copies_stay_on_one_side(stripes: Path, tmp_path: Path) -> None:
    import PIL.Image

    shutil.copytree(stripes, tmp_path / "copied")
    for path in sorted((tmp_path / "copied").rglob("*.png")):
        with PIL.Image.open(path) as picture:
            picture.resize((56, 56)).save(path.with_suffix(".jpg"))
    images = find_images(tmp_path / "copied", THREE)
    pictures = read_picture_set(tmp_path / "copied", images, THREE, ImageInput(48, 48))
    assert pictures.pixels.shape == (120, 48, 48, 1)
    groups = join_near_copies(pictures.rows["phash"].tolist())
    assert len(set(groups.tolist())) <= 60
    parts = pictures.split(0.1, 0.1, seed=0)
    by_group = pd.Series(parts.names()).groupby(groups).nunique()
    assert (by_group == 1).all()
    assert min(parts.sizes().values()) > 0


def test_pictures_that_can_not_be_read_are_told_of(
    stripes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(stripes, tmp_path / "some")
    (tmp_path / "some" / "angry" / "empty.png").write_bytes(b"")
    (tmp_path / "some" / "sad" / "text.jpg").write_text("no picture")
    images = find_images(tmp_path / "some", THREE)
    pictures = read_picture_set(tmp_path / "some", images, THREE, ImageInput(48, 48))
    assert len(pictures) == len(pictures.pixels) == len(pictures.rows) == 60
    assert list(pictures.failures) == ["angry/empty.png", "sad/text.jpg"]
    (note,) = pictures.notes()
    assert note.startswith("pictures that can't be read, and were left out: 2 (angry/empty.png")
    (note,) = pictures.notes(with_names=False)
    assert note == "pictures that can't be read, and were left out: 2"


def test_images_that_can_not_be_learnt_from_are_refused(stripes: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'sad' is no emotion of this study"):
        train_images(stripes, out=tmp_path / "model", emotions=Emotions(("angry", "happy")))
    shutil.copytree(stripes / "happy", tmp_path / "one" / "happy")
    with pytest.raises(DataError, match="of 1 emotion only"):
        train_images(tmp_path / "one", out=tmp_path / "model")
    shutil.copytree(stripes / "sad", tmp_path / "one" / "sad")
    for path in sorted((tmp_path / "one" / "sad").iterdir())[4:]:
        path.unlink()
    with pytest.raises(DataError, match="too small to split: sad has 4 faces"):
        train_images(tmp_path / "one", out=tmp_path / "model")
    with pytest.raises(UsageError, match="does not exist"):
        train_images(tmp_path / "none", out=tmp_path / "model")
    assert not (tmp_path / "model").exists()
    assert not training_folder(tmp_path / "model").exists()


# the command line


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--kind cnn", "--kind cnn needs --images"),
        (
            "--images stripes",
            "--images is for models of pictures; only --kind cnn and au-net take it",
        ),
        ("--resume", "--resume is for models of pictures"),
        ("emotion.csv --kind cnn --images stripes", "not from a dataset of AUs"),
        ("--kind cnn --images stripes --recipe reference", "--recipe is for models of AUs"),
        ("--kind cnn --images stripes --ensemble 3", "--ensemble is for models of AUs"),
        ("--kind cnn --images stripes --cv 5", "--cv is for models of AUs"),
        (". --kind cnn", "train --kind cnn --images ."),
        (".", "train --kind cnn --images ."),
        ("--kind cnn --images nowhere", "The images folder nowhere does not exist"),
    ],
)
def test_options_that_do_not_go_together(aufer: RunAufer, typed: str, said: str) -> None:
    done = aufer("train", *typed.split()).check(2)
    assert said in done.err
    assert "hint: " in done.err
    assert done.out == ""


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_ctrl_c_and_resume_on_the_command_line(
    stripes: Path, tmp_path: Path, aufer: RunAufer
) -> None:
    options = ["train", "--kind", "cnn", "--images", str(stripes), "--batch-size", "16"]
    typed = [*options, "--emotions", "angry,happy,sad", "--epochs", "400", "--name", "mine"]
    process = subprocess.Popen(
        [sys.executable, "-m", "aufer", *typed],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("epoch   1"):
            break
    assert "left" in said.splitlines()[-1]
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, said + err
    assert out == ""
    assert "hint: go on with it: aufer train --kind cnn" in err
    folder = training_folder(tmp_path / "models" / "mine")
    state = read_state(folder)
    # so that it ends soon
    settings = {**state.facts["settings"], "epochs": len(state.history) + 1}
    write_state(
        State(
            {**state.facts, "settings": settings},
            state.history,
            state.best_epoch,
            state.best,
            state.now,
        ),
        folder,
    )
    done = aufer(*options[:5], "--resume", "--json").check()
    assert f"going on after epoch {len(state.history)}" in done.err
    facts = json.loads(done.out)
    assert facts["name"] == "mine"
    assert facts["training"]["epochs_run"] == len(state.history) + 1
    assert facts["command"].startswith("aufer train")
