"""Training an AU network: the networks, what they learn from, stopping and going on, the files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.agreement import agree
from aufer.au_net.aligning import moved
from aufer.au_net.format import ALIGN, AUS, CARD_NAME, FACTS_NAME, FLIP, LANDMARKS, PIXELS, SCHEMA
from aufer.au_net.network import AuNet
from aufer.au_net.shape import align_reference, aus_reference, mean_shape
from aufer.bundle import open_session
from aufer.classifiers import au_net_recipe
from aufer.classifiers.au_net_calibration import fit_aus, fit_confidence
from aufer.classifiers.au_net_crops import STRONG, Crops
from aufer.classifiers.au_net_export import to_onnx, write_network
from aufer.classifiers.au_net_faces import SIDE, FaceSet, kept_reference, read_face_set
from aufer.classifiers.au_net_network import (
    ALIGN_OUTPUTS,
    AUS_OUTPUTS,
    Sizes,
    build_align,
    build_aus,
    custom_layers,
)
from aufer.classifiers.au_net_recipe import AuNetRecipe
from aufer.classifiers.au_net_spoilt import BAD_KINDS, spoil
from aufer.classifiers.backend import import_keras
from aufer.classifiers.cnn_state import read_state
from aufer.errors import AuferError, DataError, Interrupted, UsageError
from aufer.files import sha256_of
from aufer.live.box import Box
from aufer.runs import training_folder
from aufer.train_au_net import train_au_net
from tests import au_net_model
from tests.drawn_faces import MOVED, save_faces
from tests.running import RunAufer

N = 60
SMALL = Sizes(
    align_side=32,
    aus_side=32,
    directions=6,
    align_channels=(8, 8, 8, 8),
    aus_channels=(8, 8, 8, 8),
    align_width=16,
    aus_width=16,
    straight_width=8,
)
QUICK: dict[str, Any] = {
    "recipe": AuNetRecipe(sizes=SMALL),
    "epochs": 2,
    "steps": 4,
    "batch_size": 8,
    "seed": 3,
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Pictures and OpenFace's files of them; read only."""
    return save_faces(tmp_path_factory.mktemp("drawn"), N)


@pytest.fixture(scope="module")
def faces(drawn: tuple[Path, Path]) -> FaceSet:
    """The same, read."""
    return read_face_set(*drawn, 0.6)


@pytest.fixture(scope="module")
def whole(drawn: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An AU network trained without a stop; read only."""
    return train_au_net(*drawn, out=tmp_path_factory.mktemp("au-net") / "whole", **QUICK).path


@pytest.fixture
def unfinished(drawn: tuple[Path, Path], tmp_path: Path) -> Path:
    """One whose training was stopped in the midst of its last network."""
    return stop_at(3, drawn, tmp_path / "unfinished")


def stop_at(epoch: int, drawn: tuple[Path, Path], out: Path) -> Path:
    def interrupt(number: int, row: dict[str, float]) -> None:
        if number == epoch:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="every finished epoch is kept") as raised:
        train_au_net(*drawn, out=out, on_epoch=interrupt, **QUICK)
    assert f"--kind au-net --images {drawn[0]} --aus {drawn[1]}" in str(raised.value.hint)
    assert "--resume" in str(raised.value.hint)
    return out


# networks


def stirred(network: Any, seed: int = 0) -> Any:
    """Random weights, those of batch normalisations too, as after a training."""
    rng = np.random.default_rng(seed)
    network.set_weights(
        [w + (rng.uniform(0, 0.2, w.shape) if w.ndim == 1 else 0) for w in network.get_weights()]
    )
    return network


@pytest.mark.parametrize(
    ("build", "outputs", "side"),
    [(build_align, ALIGN_OUTPUTS, 32), (lambda sizes: build_aus(sizes, 0.3), AUS_OUTPUTS, 32)],
    ids=[ALIGN, AUS],
)
def test_the_onnx_files_say_what_the_networks_say(
    tmp_path: Path, build: Any, outputs: tuple[str, ...], side: int
) -> None:
    network = stirred(build(SMALL))
    rng = np.random.default_rng(1)
    pixels = rng.uniform(0, 255, (70, side, side, 1)).astype(np.float32)
    pixels[0] = 0
    assert write_network(network, tmp_path / "a.onnx", outputs, pixels) < 1e-4
    assert to_onnx(network, outputs).SerializeToString(deterministic=True) == (
        (tmp_path / "a.onnx").read_bytes()
    )
    found = open_session(tmp_path / "a.onnx").run([LANDMARKS], {PIXELS: pixels})[0]
    assert found.std(axis=0).min() > 0  # or agreeing would say nothing


def test_a_network_with_a_foreign_layer_is_not_exported() -> None:
    keras = import_keras()
    inputs = keras.Input((8, 8, 1))
    network = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Flatten()(inputs)))
    with pytest.raises(ValueError, match=r"no ONNX form for the layer .*Softmax"):
        to_onnx(network, (LANDMARKS,))


def test_a_wrong_export_is_noticed(tmp_path: Path) -> None:
    network = build_align(SMALL)
    layer = custom_layers()["Normalise"]
    original = layer.call
    try:
        layer.call = lambda self, values: original(self, values) * 1.01
        pixels = np.random.default_rng(1).uniform(0, 255, (4, 32, 32, 1))
        with pytest.raises(ArithmeticError, match="other numbers than the network"):
            write_network(stirred(network), tmp_path / "a.onnx", ALIGN_OUTPUTS, pixels)
    finally:
        layer.call = original


def test_the_first_convolution_begins_as_derivatives() -> None:
    oriented = next(layer for layer in build_align(SMALL).layers if layer.name == "oriented")
    kernel = np.asarray(oriented.kernel)
    assert kernel.sum(axis=(0, 1)) == pytest.approx(0, abs=1e-6)
    assert kernel[2, 4, 0, 0] > 0 > kernel[2, 0, 0, 0]  # along x
    assert kernel[:, :, 0, 3] == pytest.approx(-kernel[:, :, 0, 0], abs=1e-6)  # the other way


# shapes


def test_the_mean_shape_is_that_of_its_moved_copies() -> None:
    rng = np.random.default_rng(0)
    shape = au_net_model.mean_shape()
    angle = rng.uniform(-0.4, 0.4, 30)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1)
    maps = np.concatenate(
        [
            turn.reshape(-1, 2, 2) * rng.uniform(5, 90, (30, 1, 1)),
            rng.uniform(-50, 50, (30, 2, 1)),
        ],
        axis=2,
    )
    found = mean_shape(moved(np.broadcast_to(shape, (30, 68, 2)), maps))
    assert found == pytest.approx(shape / np.abs(shape).max(), abs=1e-5)
    for reference in (align_reference(found, 64), aus_reference(found, 64)):
        assert reference.min() > 0
        assert reference.max() < 64


def test_the_mirrored_landmark_of_the_mirrored_one_is_itself() -> None:
    assert sorted(FLIP) == list(range(68))
    assert [FLIP[k] for k in FLIP] == list(range(68))
    shape = au_net_model.mean_shape()
    jaw_brows_eyes = [*range(27), 36, 39, 42, 45]
    mirrored = (shape * [-1, 1])[list(FLIP)]
    assert mirrored[jaw_brows_eyes] == pytest.approx(shape[jaw_brows_eyes], abs=1e-6)


# what is learned from


def test_faces_are_cut_out_where_their_landmarks_are(faces: FaceSet) -> None:
    assert len(faces) == N
    assert faces.crops.shape == (N, SIDE, SIDE)
    assert np.abs(faces.landmarks - kept_reference(faces.shape)).mean() < 6
    mouths = faces.landmarks[:, 60:68].mean(axis=1).round().astype(int)
    nose_sides = faces.landmarks[:, [31, 35]].mean(axis=1).round().astype(int)
    rows = np.arange(N)
    of_mouths = faces.crops[rows, mouths[:, 1], mouths[:, 0]].astype(float)
    of_skin = faces.crops[rows, nose_sides[:, 1] + 4, nose_sides[:, 0]].astype(float)
    assert (of_mouths < of_skin - 50).mean() > 0.9
    moved_aus = [name in MOVED for name in INTENSITY_COLUMNS]
    assert (faces.aus.max(axis=0) > 0).tolist() == moved_aus
    assert 0 < faces.is_small.mean() < 1


def test_near_copies_are_not_held_out_of_what_is_learned_from(
    drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    images, aus = (shutil.copytree(path, tmp_path / path.name) for path in drawn)
    for number in range(0, N, 2):
        shutil.copy(images / f"{number:03d}.png", images / f"copy{number:03d}.png")
        shutil.copy(aus / f"{number:03d}.csv", aus / f"copy{number:03d}.csv")
    faces = read_face_set(images, aus, 0.6)
    assert len(faces) == N + N // 2
    rows, held = faces.split(0.3, 0)
    assert sorted([*rows, *held]) == list(range(len(faces)))
    assert 0.15 < len(held) / len(faces) < 0.45
    parts = [{faces.names[n].removeprefix("copy") for n in part} for part in (rows, held)]
    assert not parts[0] & parts[1]


def test_crops_follow_from_seed_stage_and_step_alone(faces: FaceSet) -> None:
    recipe = AuNetRecipe(sizes=SMALL, batch_size=8)
    rows = np.arange(40)
    for stage in (au_net_recipe.ALIGN, au_net_recipe.AUS):
        crops = Crops(faces, recipe, stage, 1)
        whole, later = list(crops.batches(rows, 0, 6)), list(crops.batches(rows, 4, 6))
        assert len(whole) == 6
        assert len(later) == 2
        for one, other in zip(whole[4:], later, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert not np.array_equal(whole[0][0], whole[1][0])
        other = next(Crops(faces, recipe, stage, 2).batches(rows, 0, 1))
        assert not np.array_equal(whole[0][0], other[0])


def test_the_landmarks_that_are_told_lie_on_the_crops(faces: FaceSet) -> None:
    crops = Crops(faces, AuNetRecipe(), au_net_recipe.ALIGN, 0)
    pixels, landmarks = crops.plain(np.arange(N), STRONG)
    points = landmarks.reshape(N, 68, 2) / 10 * crops.side + crops.reference
    assert np.abs(landmarks).mean() > 0.3  # jittered
    mouth = points[:, 60:68].mean(axis=1).round().astype(int)
    beside = (points[:, 51] * 0.5 + points[:, 33] * 0.5).round().astype(int)
    is_in = ((mouth >= 0) & (mouth < 64) & (beside >= 0) & (beside < 64)).all(axis=1)
    rows = np.flatnonzero(is_in)
    grey = pixels[..., 0]
    darker = (
        grey[rows, mouth[rows, 1], mouth[rows, 0]] < grey[rows, beside[rows, 1], beside[rows, 0]]
    )
    assert len(rows) > N / 2
    assert darker.mean() > 0.85


def test_some_crops_show_no_face_for_the_confidence(faces: FaceSet) -> None:
    recipe = AuNetRecipe(sizes=SMALL, batch_size=200, bad_share=0.3)
    crops = Crops(faces, recipe, au_net_recipe.AUS, 0)
    _, _, aus, good = next(crops.batches(np.arange(N), 0, 1))
    assert 0.15 < (good == 0).mean() < 0.45
    assert aus.shape == (200, 17)


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_each_kind_of_no_face_is_another_picture(faces: FaceSet, kind: str) -> None:
    rng = np.random.default_rng(0)
    crop, points = faces.crops[0], faces.landmarks[0]
    before = crop.copy()
    drawn = [spoil(crop, points, rng, (kind,)) for _ in range(6)]
    assert np.array_equal(crop, before)  # the faces themselves stay
    for other, off in drawn:
        assert (other.shape, other.dtype) == (crop.shape, np.uint8)
        assert not np.array_equal(other, crop) or off[1] > 0.5  # or it is looked for far off
    again = spoil(crop, points, np.random.default_rng(0), (kind,))
    assert np.array_equal(again[0], drawn[0][0])


def test_halves_share_no_near_copies(faces: FaceSet) -> None:
    grouped = replace(faces, groups=np.arange(N) // 7)
    rows = np.arange(3, N)
    first, second = grouped.halve(rows, 0)
    assert sorted([*first, *second]) == rows.tolist()
    assert not set(grouped.groups[first]) & set(grouped.groups[second])
    assert 15 < len(first) < 45
    one, none = replace(faces, groups=np.zeros(N, int)).halve(rows, 0)
    assert (len(one), len(none)) == (len(rows), 0)


def test_calibration_gives_openfaces_mean_and_deviation() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.normal(2.5, 0.5, (4000, 17)).clip(0, 5)
    found = 1 + 0.4 * (wanted - 2.5) + rng.normal(0, 0.05, wanted.shape)
    found[:, 3] = 1.5
    lines = fit_aus(found, wanted)
    assert set(lines) == {name for i, name in enumerate(INTENSITY_COLUMNS) if i != 3}
    line = lines["AU01_r"]
    calibrated = np.interp(found[:, 0], line["from"], line["to"])
    assert calibrated.mean() == pytest.approx(wanted[:, 0].mean(), abs=1e-3)
    assert calibrated.std() == pytest.approx(wanted[:, 0].std(), abs=1e-3)


def test_nearly_all_faces_are_sure_and_as_little_else_as_that_allows() -> None:
    rng = np.random.default_rng(0)

    def bare(logits: Any) -> Any:
        return 1 / (1 + np.exp(-logits))

    good, bad = rng.normal(6, 2, 20000), rng.normal(2, 2, 4000)
    fitted = fit_confidence(bare(good), bare(bad))
    assert fitted["slope"] == pytest.approx(1, abs=0.1)  # the log odds of these normals: x - 4
    sure = bare(fitted["slope"] * good + fitted["offset"])
    assert (sure >= 0.7).mean() == pytest.approx(0.98, abs=0.001)
    same = fit_confidence(np.full(50, 1.0), np.full(50, 1.0))  # nothing can be told apart
    assert bare(same["slope"] * np.log(1e7) + same["offset"]) == pytest.approx(0.7, abs=1e-3)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda images, aus: shutil.rmtree(aus), "There is no"),
        (lambda images, aus: [p.unlink() for p in aus.iterdir()], "no OpenFace files"),
        (lambda images, aus: [p.rename(p.with_stem(f"x{p.stem}")) for p in images.iterdir()], ""),
        (lambda images, aus: [p.unlink() for p in sorted(aus.iterdir())[20:]], "20 faces to learn"),
        (lambda images, aus: [p.write_bytes(b"x") for p in images.iterdir()], "There are 0 faces"),
        (lambda images, aus: shutil.rmtree(images), "images folder"),
    ],
    ids=["no aus", "empty", "other names", "few", "damaged", "no images"],
)
def test_what_can_not_be_learned_from_is_refused(
    drawn: tuple[Path, Path], tmp_path: Path, break_it: Any, message: str
) -> None:
    images, aus = (shutil.copytree(path, tmp_path / path.name) for path in drawn)
    break_it(images, aus)
    with pytest.raises((DataError, UsageError), match=message or "has its picture in"):
        train_au_net(images, aus, out=tmp_path / "model", **QUICK)
    assert not (tmp_path / "model").exists()
    assert not training_folder(tmp_path / "model").exists()


def test_files_without_landmarks_and_of_enlarged_pictures_are_refused(tmp_path: Path) -> None:
    without = save_faces(tmp_path / "without", 40, landmarks=False)
    with pytest.raises(DataError, match="has no landmarks") as raised:
        train_au_net(*without, out=tmp_path / "model", **QUICK)
    assert "-2Dfp" in str(raised.value.hint)
    enlarged = save_faces(tmp_path / "enlarged", 40, enlarged=4)
    with pytest.raises(DataError, match="don't lie in these pictures"):
        train_au_net(*enlarged, out=tmp_path / "model", **QUICK)


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": 0},
        {"steps": 0},
        {"learning_rate": float("nan")},
        {"test_size": 0.0},
        {"batch_size": 0},
        {"seed": -1},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_impossible_settings_are_refused(
    drawn: tuple[Path, Path], tmp_path: Path, setting: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(setting)).replace('_', '-')}"):
        train_au_net(*drawn, out=tmp_path / "model", **setting)
    assert not list(tmp_path.iterdir())


# the files


def test_a_training_ends_in_files_that_measure(whole: Path, drawn: tuple[Path, Path]) -> None:
    facts = json.loads((whole / FACTS_NAME).read_text("utf-8"))
    assert facts["schema"] == SCHEMA
    assert sorted(path.name for path in whole.iterdir()) == sorted(
        ["align.onnx", "aus.onnx", FACTS_NAME, CARD_NAME]
    )
    assert facts["files"] == {p.name: sha256_of(p) for p in whole.iterdir() if p.name != FACTS_NAME}
    training = facts["training"]
    assert training["n_train"] + training["n_tuned"] + facts["agreement"]["held_out"]["n"] == N
    assert facts["confidence"]["slope"] > 0
    assert set(facts["calibration"]) <= set(INTENSITY_COLUMNS)
    assert [row["stage"] for row in facts["training"]["history"]] == [0, 0, 1, 1]
    assert set(facts["agreement"]["held_out"]["aus"]) == set(INTENSITY_COLUMNS)
    assert not training_folder(whole).exists()
    found = AuNet(whole).measure(np.full((90, 90), 90, np.uint8), [Box(10, 10, 60, 60)])
    assert found.aus.shape == (1, 17)
    card = (whole / CARD_NAME).read_text("utf-8")
    assert "approximate" in card
    assert "Research use, not commercial" in card
    assert "AU12 lip corner puller" in card


def test_a_little_training_learns_something(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = AuNetRecipe(
        sizes=replace(SMALL, align_width=64, aus_width=32),
        epochs=4,
        steps=50,
        batch_size=32,
        learning_rate=0.01,
        ema=0.95,
        dropout=0,
        bad_share=0.05,
        test_size=0.3,
    )
    facts = train_au_net(*drawn, out=tmp_path / "model", recipe=recipe, seed=0).facts
    landmarks, aus = ([r for r in facts["training"]["history"] if r["stage"] == k] for k in (0, 1))
    assert landmarks[-1]["loss"] < 0.9 * landmarks[0]["loss"]
    assert aus[-1]["loss"] < 0.5 * aus[0]["loss"]
    assert aus[-1]["val_loss"] < 0.8 * aus[0]["val_loss"]


def test_a_training_that_diverges_says_so(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(AuferError, match="diverged: in epoch 1"):
        train_au_net(*drawn, out=tmp_path / "model", **QUICK, learning_rate=1e30)
    assert not (tmp_path / "model").exists()


def test_agreement_is_what_the_textbooks_say() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.gamma(1, 1, (500, 17))
    found = wanted + 0.5 + rng.normal(0, 0.3, wanted.shape)
    found[:, 1] = 2.0
    figures = agree(found, wanted)
    assert figures["n"] == 500
    first, second = (figures["aus"][name] for name in INTENSITY_COLUMNS[:2])
    a, b = found[:, 0], wanted[:, 0]
    assert first["r"] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-4)
    assert first["mae"] == pytest.approx(np.abs(a - b).mean(), abs=1e-4)
    # ICC(3,1) from the sums of squares of a two-way analysis of variance
    pairs = np.c_[a, b]
    of_rows = 2 * ((pairs.mean(axis=1) - pairs.mean()) ** 2).sum() / 499
    rest = pairs - pairs.mean(axis=1, keepdims=True) - pairs.mean(axis=0) + pairs.mean()
    of_rest = (rest**2).sum() / 499
    assert first["icc"] == pytest.approx((of_rows - of_rest) / (of_rows + of_rest), abs=1e-4)
    assert second["r"] is None
    assert agree(found[:0], wanted[:0])["mean_r"] is None


# stopping and going on


@pytest.mark.parametrize("epoch", [2, 3], ids=["between", "in the midst"])
def test_going_on_ends_as_if_it_had_never_been_stopped(
    drawn: tuple[Path, Path], whole: Path, tmp_path: Path, epoch: int
) -> None:
    path = stop_at(epoch, drawn, tmp_path / "model")
    assert len(read_state(training_folder(path)).history) == epoch
    facts = train_au_net(*drawn, out=path, resume=True).facts
    expected = AuNet(whole).facts
    for one, other in zip(
        facts["training"]["history"], expected["training"]["history"], strict=True
    ):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3)
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-3)
    pixels = np.random.default_rng(0).uniform(0, 255, (9, 32, 32, 1)).astype(np.float32)
    for name in (ALIGN, AUS):
        ours, theirs = (
            open_session(folder / f"{name}.onnx").run(None, {PIXELS: pixels})
            for folder in (path, whole)
        )
        for a, b in zip(ours, theirs, strict=True):
            assert a == pytest.approx(b, abs=1e-2)
    assert not training_folder(path).exists()


def test_it_is_gone_on_with_by_the_same_settings_on_the_same_faces(
    unfinished: Path, drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="was begun with steps 4, not 9"):
        train_au_net(*drawn, out=unfinished, resume=True, steps=9)
    with pytest.raises(UsageError, match="unfinished training in"):
        train_au_net(*drawn, out=unfinished, **QUICK)
    with pytest.raises(UsageError, match="no unfinished training of"):
        train_au_net(*drawn, out=tmp_path / "other", resume=True)
    fewer = save_faces(tmp_path / "fewer", 50, seed=0)
    with pytest.raises(DataError, match="are not those that this training was begun with"):
        train_au_net(*fewer, out=unfinished, resume=True)
    assert len(read_state(training_folder(unfinished)).history) == 3
    newest = train_au_net(*drawn, models_folder=tmp_path, resume=True)
    assert newest.path == unfinished


def test_a_network_that_a_person_edited_is_kept(
    whole: Path, drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "mine")
    (tmp_path / "mine" / CARD_NAME).write_text("my notes", encoding="utf-8")
    with pytest.raises(AuferError, match=r"README\.md"):
        train_au_net(*drawn, out=tmp_path / "mine", **QUICK)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("a", encoding="utf-8")
    with pytest.raises(AuferError, match="is no AU network"):
        train_au_net(*drawn, out=tmp_path / "other", **QUICK)


# the command line


def test_the_options_of_each_kind(aufer: RunAufer, drawn: tuple[Path, Path]) -> None:
    images, aus = map(str, drawn)
    au_net = ["train", "--kind", "au-net"]
    for typed, message in (
        ([*au_net, "--images", images], "needs --aus"),
        ([*au_net, "--images", images, "--aus", aus, "--patience", "3"], "--patience is for"),
        ([*au_net, "--images", images, "--aus", aus, "--cv", "5"], "--cv is for models of AUs"),
        (["train", "--kind", "cnn", "--images", images, "--aus", aus], "--aus goes with"),
        (["train", "--steps", "5"], "--steps goes with --kind au-net"),
    ):
        assert message in aufer(*typed).check(2).err


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one child")
def test_ctrl_c_keeps_the_epochs_and_resume_goes_on(
    drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    images, aus = map(str, drawn)
    typed = [sys.executable, "-m", "aufer", "train", "--kind", "au-net", "--images", images]
    typed += ["--aus", aus, "--out", str(tmp_path / "model")]
    settings = ["--epochs", "1", "--steps", "1", "--batch-size", "4"]
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen([*typed, *settings], stderr=stderr, stdout=subprocess.PIPE)
        deadline = time.monotonic() + 120
        while b"epoch   1" not in log.read_bytes() and time.monotonic() < deadline:
            assert process.poll() is None, log.read_text("utf-8")
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    text = log.read_text("utf-8")
    if process.returncode == 0:  # it was over before the signal came
        assert out.decode().strip() == str(tmp_path / "model")
        return
    assert process.returncode == 130, text
    assert "Traceback" not in text
    assert "--resume" in text
    done = subprocess.run([*typed, "--resume"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on after epoch" in done.stderr
    assert "Mean correlation with OpenFace" in done.stderr
    assert done.stdout.strip() == str(tmp_path / "model")
    assert AuNet(tmp_path / "model").name == "model"
