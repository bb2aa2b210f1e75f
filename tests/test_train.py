"""``aufer train``: from a dataset to a whole bundle, or to a clear error and nothing else."""

from __future__ import annotations

import csv
import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aufer.action_units import INTENSITY_COLUMNS, au_key
from aufer.bundle import ROWS_COLUMNS, Bundle, find_bundle, list_bundles, read_bundle
from aufer.classifiers import bundling
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.fitting import KINDS
from aufer.classifiers.recipe import RECIPES
from aufer.dataset import read_dataset
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, Interrupted, UsageError
from aufer.files import sha256_of, write_with_sidecar
from aufer.metrics import wilson_interval
from aufer.splits import hold_out, split_reference, split_stratified
from aufer.train import train
from tests.faces import synthetic_faces, write_faces
from tests.require import require

QUICK: dict[str, Any] = {"epochs": 2}


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces") / "emotion.csv", 240)


@pytest.fixture(scope="session")
def trained(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("trained")
    return {
        recipe: train(faces, recipe=recipe, out=folder / recipe, epochs=12, command="aufer train")
        for recipe in RECIPES
    }


@pytest.fixture
def standard(trained: dict[str, Bundle]) -> Bundle:
    return trained["standard"]


# the bundle


def test_the_bundle_is_whole(standard: Bundle) -> None:
    names = {path.name for path in standard.path.iterdir()}
    assert names == {
        "README.md",
        "bundle.json",
        "checkpoints",
        "history.csv",
        "model.keras",
        "model.onnx",
        "rows.csv",
        "training.png",
    }
    again = read_bundle(standard.path)
    assert again.facts == standard.facts
    for name, sha256 in again.facts["files"].items():
        assert sha256_of(standard.path / name) == sha256
    assert (standard.path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert not list(standard.path.parent.glob(".*"))


def test_bundle_json_says_how_it_came_to_be(standard: Bundle, faces: Path) -> None:
    facts = json.loads((standard.path / "bundle.json").read_text("utf-8"))
    assert (facts["kind"], facts["recipe"], facts["input"]) == ("dense", "standard", "aus")
    assert facts["features"] == list(INTENSITY_COLUMNS)
    assert facts["labels"] == list(Emotions().names)
    assert facts["dataset"]["sha256"] == sha256_of(faces)
    assert facts["dataset"]["n_rows"] == 240
    assert facts["dataset"]["counts"] == dict.fromkeys(Emotions().names, 40)
    assert sum(facts["split"]["sizes"].values()) == 240
    assert facts["split"]["grouped"] is False
    assert facts["training"]["epochs_run"] == 12
    assert facts["training"]["is_recipe_to_the_letter"] is False  # 12 epochs only
    assert facts["training"]["onnx_difference"] <= 1e-5
    assert facts["interrupted"] is False
    assert facts["versions"]["tensorflow"]
    assert any("groups" in note for note in facts["notes"])


def test_rows_csv_tells_the_part_of_every_row(standard: Bundle, faces: Path) -> None:
    rows = pd.read_csv(standard.path / "rows.csv", dtype=str, keep_default_na=False)
    dataset = read_dataset(faces)
    assert tuple(rows.columns) == ROWS_COLUMNS
    assert rows["part"].value_counts().to_dict() == standard.facts["split"]["sizes"]
    assert rows["aus"].tolist() == [au_key(row) for row in dataset.aus.to_numpy().tolist()]
    assert rows["emotion"].tolist() == [dataset.emotions.names[i] for i in dataset.labels]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_figures_are_those_of_the_onnx_file(
    trained: dict[str, Bundle], faces: Path, recipe: str
) -> None:
    bundle = read_bundle(trained[recipe].path)
    rows = pd.read_csv(bundle.path / "rows.csv", dtype=str)
    dataset = read_dataset(faces)
    guess = bundle.predict_proba(dataset.aus.to_numpy()).argmax(axis=1)
    # fitted again to all rows, standard answers for validation rows that it has learnt by then;
    # their figures are of the fit before
    parts = ("test", "validation") if recipe == "reference" else ("test",)
    for part in parts:
        of_part = (rows["part"] == part).to_numpy()
        right = int((guess == dataset.labels)[of_part].sum())
        figures = bundle.facts["metrics"][part]
        assert (figures["accuracy"]["k"], figures["n"]) == (right, of_part.sum())
        low, high = wilson_interval(right, int(of_part.sum()))
        assert (figures["accuracy"]["low"], figures["accuracy"]["high"]) == (low, high)
    # the prototypes are easy to tell apart: a network that learns anything does
    assert bundle.facts["metrics"]["test"]["accuracy"]["value"] > 0.6


def test_history_csv_has_a_row_per_epoch(standard: Bundle) -> None:
    with (standard.path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    losses = [float(row["val_loss"]) for row in rows]
    assert int(np.argmin(losses)) + 1 == standard.facts["training"]["best_epoch"]
    best = standard.facts["training"]["best_epoch"]
    names = {path.name for path in (standard.path / "checkpoints").iterdir()}
    assert f"{best:02d}-{min(losses):.4f}.keras" in names


def test_the_model_card_says_what_matters(standard: Bundle) -> None:
    card = (standard.path / "README.md").read_text("utf-8")
    accuracy = standard.facts["metrics"]["test"]["accuracy"]
    assert f"({accuracy['k']} of {accuracy['n']})" in card
    for word in ("Wilson", "Article 5(1)(f)", "Research use", "expression of", "Persons were not"):
        assert word in card
    assert "aufer predict --model standard" in card


def test_a_bundle_with_a_file_missing_is_refused(standard: Bundle, tmp_path: Path) -> None:
    import shutil

    for name in ("model.onnx", "bundle.json"):
        copy = shutil.copytree(standard.path, tmp_path / name)
        (copy / name).unlink()
        with pytest.raises(DataError, match=name):
            read_bundle(copy)


# splits


def test_the_reference_split_is_scikit_learns_and_keras() -> None:
    from sklearn.model_selection import train_test_split

    for n, seed in ((4473, 0), (4473, 7), (101, 3)):
        parts = split_reference(n, 0.25, 0.33, seed)
        rest, test = train_test_split(np.arange(n), test_size=0.25, random_state=seed)
        assert np.array_equal(parts.test, test)
        assert np.array_equal(np.concatenate([parts.train, parts.validation]), rest)
        from keras.src.trainers.data_adapters.array_slicing import train_validation_split

        (kept,), (held,) = train_validation_split((rest,), validation_split=0.33)
        assert np.array_equal(parts.train, np.asarray(kept))
        assert np.array_equal(parts.validation, np.asarray(held))
    assert split_reference(4473, 0.25, 0.33, 0).sizes() == {
        "train": 2247,
        "validation": 1107,
        "test": 1119,
    }


def test_groups_and_equal_rows_stay_on_one_side() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 600)
    groups = np.array([f"p{i}" for i in rng.integers(0, 60, 600)], dtype=object)
    keys = np.array([str(i) for i in range(600)], dtype=object)
    for known in (groups, None):
        if known is None:
            keys = groups  # equal AUs instead
        parts = split_stratified(labels, known, keys, 0.25, 0.25, seed=1)
        sides = [set(groups[rows]) for rows in (parts.train, parts.validation, parts.test)]
        assert all(not a & b for a, b in combinations(sides, 2))
        assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == list(
            range(600)
        )
        assert parts.grouped is (known is not None)
        assert abs(len(parts.test) - 150) < 20


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7])
def test_shares_are_kept_and_strata_too(share: float) -> None:
    labels = np.arange(1200) % 6
    kept, held = hold_out(labels, None, share, seed=0)
    assert abs(len(held) / 1200 - share) < 0.005
    assert np.ptp(np.bincount(labels[held])) <= 6
    assert not set(kept) & set(held)


# bad data: an error, and nothing left behind


def assert_nothing_in(folder: Path) -> None:
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize("recipe", RECIPES)
def test_too_small_to_split(tmp_path: Path, recipe: str) -> None:
    small = write_faces(tmp_path / "small.csv", 12 if recipe == "standard" else 2)
    with pytest.raises(DataError, match="too small to split"):
        train(small, recipe=recipe, models_folder=tmp_path / "models")
    assert_nothing_in(tmp_path / "models")


def test_one_emotion_alone_is_refused(tmp_path: Path, faces: Path) -> None:
    frame = pd.read_csv(faces)
    frame[frame["emotion"] == 2].to_csv(tmp_path / "happy.csv", index=False)
    with pytest.raises(DataError, match="at least two"):
        train(tmp_path / "happy.csv", models_folder=tmp_path / "models")
    assert_nothing_in(tmp_path / "models")


def test_an_emotion_without_a_face_keeps_its_output(tmp_path: Path, faces: Path) -> None:
    frame = pd.read_csv(faces)
    frame[frame["emotion"] != 1].to_csv(tmp_path / "five.csv", index=False)
    bundle = train(tmp_path / "five.csv", out=tmp_path / "model", **QUICK)
    assert bundle.predict_proba(np.zeros((1, 17))).shape == (1, 6)
    assert any("no face of disgust" in note for note in bundle.facts["notes"])


def test_groups_of_the_dataset_are_kept_apart(tmp_path: Path) -> None:
    path = write_faces(tmp_path / "emotion.csv", 240)
    dataset = read_dataset(path)
    groups = [f"person {row // 6}" for row in range(240)]
    rows = dataset.rows.assign(group=groups, image=[f"{i}.jpg" for i in range(240)])
    text = path.read_bytes()
    write_with_sidecar(
        {
            path: lambda target: target.write_bytes(text),
            tmp_path / "emotion.rows.csv": lambda target: rows.to_csv(target, index=False),
        },
        tmp_path / "emotion.json",
        {"schema": "aufer/dataset/1", "emotions": list(Emotions().names), "min_confidence": 0.8},
    )
    bundle = train(path, out=tmp_path / "model", **QUICK)
    assert bundle.facts["split"]["grouped"] is True
    assert bundle.facts["dataset"]["min_confidence"] == 0.8
    written = pd.read_csv(tmp_path / "model" / "rows.csv", dtype=str)
    assert (written.groupby("group")["part"].nunique() == 1).all()
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert "confidence below 0.8" in card
    assert "Persons were not kept apart" not in card


@pytest.mark.parametrize(
    "names",
    [
        ("sad", "happy", "neutral"),
        ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
    ],
    ids=["3", "7"],
)
def test_other_emotions_than_the_usual_ones(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = write_faces(tmp_path / "emotion.csv", 240, emotions=names)
    text = path.read_bytes()
    write_with_sidecar(
        {path: lambda target: target.write_bytes(text)},
        tmp_path / "emotion.json",
        {"schema": "aufer/dataset/1", "emotions": list(names)},
    )
    bundle = train(path, out=tmp_path / "model", epochs=15)
    assert strict_json(tmp_path / "model" / "bundle.json")["labels"] == list(names)
    assert bundle.emotions.names == names
    dataset = read_dataset(path)
    test = (pd.read_csv(bundle.path / "rows.csv")["part"] == "test").to_numpy()
    probabilities = bundle.predict_proba(dataset.aus.to_numpy()[test])
    assert probabilities.shape == (test.sum(), len(names))
    assert (probabilities.argmax(axis=1) == dataset.labels[test]).mean() > 0.6
    card = (bundle.path / "README.md").read_text("utf-8")
    assert f"expression of a face ({', '.join(names)})" in card
    assert "| " + " | ".join(names) + " |" in card


def test_a_share_that_can_not_be_met_is_told(
    tmp_path: Path, faces: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("aufer"), "propagate", True)
    with caplog.at_level(logging.INFO, "aufer"):
        bundle = train(faces, out=tmp_path / "model", test_size=0.01, **QUICK)
    n_test = bundle.facts["split"]["sizes"]["test"]
    assert n_test == 24  # a tenth
    note = "--test-size 0.01 was asked for; the nearest share that the faces can be split at is"
    assert f"{note} 10 %" in caplog.text
    assert any(note in text for text in bundle.facts["notes"])
    assert "(test 10 %, then validation 20 % of the rest)" in caplog.text
    assert not any("validation-size" in text for text in bundle.facts["notes"])


def test_an_error_of_the_split_names_the_emotion_and_a_command(tmp_path: Path) -> None:
    frame = pd.read_csv(write_faces(tmp_path / "all.csv", 120))
    rare = frame[frame["emotion"] == 4].iloc[:4]
    path = tmp_path / "rare.csv"
    pd.concat([frame[frame["emotion"] != 4], rare]).to_csv(path, index=False)
    with pytest.raises(DataError, match="too small to split: sad has 4 faces; ") as raised:
        train(path, out=tmp_path / "model")
    hint = str(raised.value.hint)
    assert hint.startswith("add images of sad, or leave")
    assert hint.endswith("aufer build-dataset --emotions angry,disgust,happy,neutral,surprise")
    assert not (tmp_path / "model").exists()


def test_bad_values_are_named(tmp_path: Path, faces: Path) -> None:
    frame = pd.read_csv(faces)
    frame.loc[4, "AU12_r"] = 7.5
    frame.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(DataError, match=r"AU12_r in data row 5 is 7\.5, outside 0-5"):
        train(tmp_path / "bad.csv", models_folder=tmp_path / "models")
    assert_nothing_in(tmp_path / "models")


@pytest.mark.parametrize("seed", [-1, 2**32, 99999999999])
def test_a_seed_that_numpy_does_not_take(tmp_path: Path, faces: Path, seed: int) -> None:
    with pytest.raises(UsageError, match="--seed is a whole number from 0 to 4294967295"):
        train(faces, models_folder=tmp_path / "models", seed=seed)
    assert_nothing_in(tmp_path / "models")


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    ("rate", "batch_size", "epoch"), [(1e20, 50, "1"), (1e6, 50, "1"), (1e5, 500, "[1-8]")]
)
def test_a_training_that_diverges_is_a_clear_error(
    tmp_path: Path, faces: Path, rate: float, batch_size: int, epoch: str, recipe: str
) -> None:
    """Also where the loss is a number first and none later."""
    with pytest.raises(AuferError, match=f"Training diverged: in epoch {epoch} ") as raised:
        train(
            faces,
            out=tmp_path / "model",
            recipe=recipe,
            learning_rate=rate,
            batch_size=batch_size,
            epochs=8,
        )
    assert type(raised.value) is AuferError
    assert "try a lower --learning-rate" in str(raised.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_a_bold_step_that_does_not_diverge_gives_a_strict_bundle(
    tmp_path: Path, faces: Path
) -> None:
    for rate in (1, 1000.0):  # a whole number is one, too
        bundle = train(faces, out=tmp_path / f"{rate}", learning_rate=rate, **QUICK)
        strict_json(bundle.path / "bundle.json")


def strict_json(path: Path) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(path.read_text("utf-8"), parse_constant=refuse)


def test_wrong_words_are_usage_errors(tmp_path: Path, faces: Path) -> None:
    for wrong in ({"recipe": "secret"}, {"kind": "cnn"}, {"epochs": 0}, {"name": "a/b"}):
        with pytest.raises(UsageError):
            train(faces, models_folder=tmp_path / "models", **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="does not exist"):
        train(tmp_path / "none.csv", models_folder=tmp_path / "models")
    assert_nothing_in(tmp_path / "models")


def test_bad_input_costs_no_tensorflow(tmp_path: Path) -> None:
    small = write_faces(tmp_path / "small.csv", 12)
    code = (
        "import sys\nfrom pathlib import Path\nfrom aufer.train import train\n"
        "try:\n    train(Path(sys.argv[1]))\n"
        "except Exception as error:\n    print(type(error).__name__, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(small)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["DataError", "False"]


# where it goes


def test_run_names_and_finding_the_newest(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    first = train(faces, models_folder=models, name="first", **QUICK)
    assert first.path == models / "first"
    second = train(faces, models_folder=models, **QUICK)
    assert second.name.startswith("emotion-dense-20")
    assert {path.name for path in list_bundles(models)} == {"first", second.name}
    assert find_bundle("first", models) == first.path


def test_two_runs_at_once_never_take_one_name(tmp_path: Path, faces: Path) -> None:
    arguments = [str(faces), "--epochs", "1"]
    processes = [start([*arguments, "--seed", str(seed)], tmp_path) for seed in range(3)]
    paths = []
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        paths.append(tmp_path / out.strip())
    assert len(set(paths)) == 3
    assert [read_bundle(path).facts["split"]["seed"] for path in paths] == [0, 1, 2]
    assert [read_bundle(path).facts["name"] for path in paths] == [path.name for path in paths]
    assert len(list((tmp_path / "models").iterdir())) == 3  # no reservation is left


def test_only_a_bundle_of_ours_is_replaced(
    tmp_path: Path, faces: Path, standard: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    own = tmp_path / "thesis"
    own.mkdir()
    (own / "chapter.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(AuferError, match="no model bundle; it is kept"):
            train(faces, out=own, force=force, **QUICK)
    assert (own / "chapter.txt").read_text() == "mine"
    monkeypatch.chdir(own)
    for here in (".", ".."):
        with pytest.raises(AuferError, match="the folder we are in"):
            train(faces, out=Path(here), force=True, **QUICK)
    out = Path(shutil.copytree(standard.path, tmp_path / "model"))
    train(faces, out=out, **QUICK)  # as aufer wrote it: replaced
    assert read_bundle(out).facts["training"]["epochs_run"] == 2
    (out / "README.md").write_text("my own words")
    with pytest.raises(AuferError, match="was edited since"):
        train(faces, out=out, **QUICK)
    assert (out / "README.md").read_text() == "my own words"
    train(faces, out=out, force=True, **QUICK)
    assert (out / "README.md").read_text("utf-8").startswith("# model")
    assert {path.name for path in tmp_path.iterdir()} == {"thesis", "model"}


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Can't write data (file write failed: errno = 28, error message = 'No space')"),
    ],
    ids=["system", "hdf5"],
)
def test_a_full_disk_leaves_the_old_bundle(
    tmp_path: Path,
    faces: Path,
    standard: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    failure: OSError,
) -> None:
    import shutil

    out = Path(shutil.copytree(standard.path, tmp_path / "model"))

    def fail(*args: Any) -> None:
        raise failure

    monkeypatch.setattr(bundling, "draw_training", fail)
    with pytest.raises(AuferError, match="disk is full"):
        train(faces, out=out, **QUICK)
    assert read_bundle(out).facts == standard.facts
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


# Ctrl-C


def start(arguments: list[str], cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "aufer", "train", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.fixture
def interrupt_at(tmp_path: Path, faces: Path) -> Any:
    if os.name == "nt":
        pytest.skip("no SIGINT for another process on Windows")

    def interrupt(beginning: str, again_after: float | None = None) -> tuple[int, str, str]:
        process = start(
            [str(faces), "--epochs", "100000", "--patience", "100000", "--out", "model"], tmp_path
        )
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(beginning):
                break
        process.send_signal(signal.SIGINT)
        while again_after is not None and process.poll() is None:
            time.sleep(again_after or 0.01)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return interrupt


def test_ctrl_c_keeps_the_best_model_and_says_so(tmp_path: Path, interrupt_at: Any) -> None:
    code, out, err = interrupt_at("epoch   3")
    assert code == 130
    assert "the best model so far" in err
    assert "is in model" in err
    assert out == ""
    bundle = read_bundle(tmp_path / "model")
    assert bundle.facts["interrupted"] is True
    assert bundle.facts["training"]["stopped"] == "interrupted"
    assert bundle.facts["training"]["epochs_run"] >= 3
    assert bundle.facts["training"]["refit"] is False
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert "interrupted" in card
    assert "That epoch is the model." in card
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_ctrl_c_before_the_first_epoch_leaves_nothing(tmp_path: Path, interrupt_at: Any) -> None:
    code, out, err = interrupt_at("split:")
    assert (code, out) == (130, "")
    assert "nothing was written" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_a_second_ctrl_c_does_not_throw_the_model_away(
    tmp_path: Path, interrupt_at: Any, pause: float
) -> None:
    code, out, err = interrupt_at("epoch   5", again_after=pause)
    assert (code, out) == (130, ""), err
    assert "the best model so far" in err
    assert "Traceback" not in err
    assert read_bundle(tmp_path / "model").facts["interrupted"] is True
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_ctrl_c_while_the_model_is_written_waits(
    tmp_path: Path,
    faces: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert before is signal.default_int_handler

    def press(*args: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        draw(*args)

    draw = bundling.draw_training
    monkeypatch.setattr(bundling, "draw_training", press)
    monkeypatch.setattr(logging.getLogger("aufer"), "propagate", True)
    with pytest.raises(Interrupted, match="the whole model is in"):
        train(faces, out=tmp_path / "model", **QUICK)
    assert "Ctrl-C: finishing" in caplog.text
    facts = read_bundle(tmp_path / "model").facts
    assert facts["interrupted"] is False
    assert facts["training"]["epochs_run"] == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_changes_nothing_outside_the_main_thread(tmp_path: Path, faces: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        bundle = pool.submit(train, faces, out=tmp_path / "model", **QUICK).result()
    assert bundle.path.is_dir()
    with CtrlC() as ctrl_c:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # only noted
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.raise_if_pressed()  # a library swallowed the first
        ctrl_c.hold()
        ctrl_c.raise_if_pressed()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.let_go()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts `train &`
    try:
        with CtrlC():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_as_a_library(tmp_path: Path, faces: Path) -> None:
    def press(epoch: int, values: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="after epoch 1"):
        train(faces, out=tmp_path / "model", on_epoch=press)
    assert read_bundle(tmp_path / "model").facts["interrupted"] is True


# the command


def test_the_command_talks_on_stderr_and_gives_the_path_on_stdout(
    tmp_path: Path, faces: Path
) -> None:
    process = start(
        [str(faces), "--epochs", "1", "--out", "model", "--recipe", "reference"], tmp_path
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.strip() == "model"
    for words in ("240 faces", "train 120, validation 60, test 60", "warning: groups", "epoch   1"):
        assert words in err
    assert "Test accuracy of the best epoch" in err
    assert "95 % interval (Wilson)" in err
    assert "cuda" not in err.lower()
    assert "absl" not in err
    facts = read_bundle(tmp_path / "model").facts
    assert facts["command"] == "aufer train " + " ".join(
        [str(faces), "--epochs", "1", "--out", "model", "--recipe", "reference"]
    )


def test_the_command_refuses_bad_data_with_exit_4(tmp_path: Path) -> None:
    small = write_faces(tmp_path / "small.csv", 12)
    process = start([str(small)], tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "")
    assert "error: The dataset is too small to split" in err
    assert "hint: " in err
    assert not (tmp_path / "models").exists()


# the reference project's dataset


def test_the_reference_recipe_on_the_reference_data(tmp_path: Path) -> None:
    data = os.environ.get("AUFER_DATA")
    require("data", None if data else "AUFER_DATA is not set")
    path = Path(data or "") / "reference" / "emotion.csv"
    bundle = train(path, recipe="reference", out=tmp_path / "model", epochs=4)
    assert bundle.facts["split"]["sizes"] == {"train": 2247, "validation": 1107, "test": 1119}
    assert bundle.facts["metrics"]["test"]["accuracy"]["value"] > 0.68


def test_synthetic_faces_are_what_openface_could_write() -> None:
    aus, labels = synthetic_faces(60)
    assert aus.min() >= 0
    assert aus.max() <= 5
    assert np.array_equal(np.bincount(labels), [10] * 6)


def test_the_command_offers_all_recipes_and_kinds() -> None:
    from aufer.cli.train import command

    choices = {option.name: getattr(option.type, "choices", ()) for option in command.params}
    assert list(choices["recipe"]) == list(RECIPES)
    assert list(choices["kind"]) == [*KINDS, "cnn", "au-net"]


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_on_a_terminal_the_epochs_are_one_line(tmp_path: Path, faces: Path) -> None:
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 140, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "aufer", "train", str(faces), "--epochs", "3", "--out", "model"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    said = b""
    with suppress(OSError):  # EIO: the other side is closed
        while piece := os.read(master, 4096):
            said += piece
    os.close(master)
    assert process.wait(timeout=60) == 0
    text = said.decode()
    assert "epoch   3" in text
    assert "best " in text
    lines = [line.split("\r")[-1] for line in text.replace("\r\n", "\n").split("\n")]
    assert not any(line.startswith("epoch") for line in lines)  # rewritten, then wiped
    assert any(line.startswith("3 epochs (all epochs done)") for line in lines)
