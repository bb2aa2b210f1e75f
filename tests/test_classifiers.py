"""The dense network, its ONNX file, and bare Keras files from elsewhere."""

from __future__ import annotations

import json
import math
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.classifiers import dense
from aufer.classifiers.backend import import_keras
from aufer.classifiers.classifier import (
    ALL_EPOCHS,
    EARLY_STOPPING,
    INTERRUPTED,
    Examples,
    OnEpoch,
    no_epochs,
)
from aufer.classifiers.dense import DenseClassifier
from aufer.classifiers.epoch_loop import batch_size, learning_rates
from aufer.classifiers.keras_file import load_keras_file
from aufer.classifiers.keras_loading import is_keras_file
from aufer.classifiers.network import average_networks, build, compress, predict
from aufer.classifiers.recipe import RECIPES, Recipe
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.splits import split_reference
from tests.faces import synthetic_faces
from tests.require import require

EMOTIONS = Emotions()


@pytest.fixture(scope="session")
def keras() -> Any:
    return import_keras()


def examples_of(n: int = 240) -> Examples:
    aus, labels = synthetic_faces(n)
    parts = split_reference(n, 0.25, 0.33, seed=0)
    return Examples(
        aus.astype(np.float32),
        labels,
        INTENSITY_COLUMNS,
        EMOTIONS.names,
        parts.train,
        parts.validation,
    )


def fit_in(
    folder: Path, recipe: Recipe, seed: int = 0, on_epoch: OnEpoch = no_epochs
) -> DenseClassifier:
    return dense.fit(examples_of(), recipe, seed, on_epoch=on_epoch, checkpoints=folder)


def onnx_bytes(found: DenseClassifier) -> bytes:
    graph = found.to_onnx(INTENSITY_COLUMNS, EMOTIONS.names)
    return bytes(graph.SerializeToString(deterministic=True))


QUICK = RECIPES["standard"].changed(epochs=2)


# the network


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_both_recipes_have_the_reference_layers(keras: Any, recipe: Recipe) -> None:
    network = build(keras, recipe, 6, examples_of().aus)
    layers = [layer for layer in network.layers if type(layer).__name__ == "Dense"]
    assert [layer.units for layer in layers] == [300, 200, 100, 50, 6]
    assert [layer.activation.__name__ for layer in layers] == ["relu"] * 4 + ["softmax"]


def test_the_reference_recipe_has_nothing_but_these_layers(keras: Any) -> None:
    recipe = RECIPES["reference"]
    network = build(keras, recipe, 6, examples_of().aus)
    assert {type(layer).__name__ for layer in network.layers} == {"InputLayer", "Dense"}
    assert (recipe.epochs, recipe.batch_size, recipe.patience) == (5000, 50, 7)


def test_the_reference_recipe_trains_as_a_bare_keras_script_does(
    keras: Any, tmp_path: Path
) -> None:
    fit = fit_in(tmp_path / "fit", RECIPES["reference"].changed(epochs=3), seed=2)
    examples = examples_of()
    keras.utils.clear_session()
    keras.utils.set_random_seed(2)
    layers = [keras.layers.Dense(units, activation="relu") for units in (300, 200, 100, 50)]
    bare = keras.Sequential(
        [keras.Input((17,)), *layers, keras.layers.Dense(6, activation="softmax")]
    )
    bare.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    rest = np.concatenate([examples.train, examples.validation])
    history = bare.fit(
        examples.aus[rest],
        keras.utils.to_categorical(examples.labels[rest]),
        validation_split=0.33,
        epochs=3,
        batch_size=50,
        verbose=0,
        callbacks=[keras.callbacks.EarlyStopping(monitor="val_loss", patience=7)],
    ).history
    assert [row["val_loss"] for row in fit.history] == history["val_loss"]
    assert np.array_equal(predict(bare, examples.aus), fit.last.predict_proba(examples.aus))


@pytest.mark.parametrize("name", RECIPES)
def test_same_seed_same_model(tmp_path: Path, name: str) -> None:
    recipe = RECIPES[name].changed(epochs=3)
    fits = [fit_in(tmp_path / run, recipe, seed) for run, seed in (("a", 4), ("b", 4), ("c", 5))]
    files = [onnx_bytes(found) for found in fits]
    assert files[0] == files[1]
    assert files[0] != files[2]
    probabilities = [found.predict_proba(examples_of().aus) for found in fits]
    assert np.array_equal(probabilities[0], probabilities[1])


def test_the_best_epoch_is_kept_and_the_last_one_told(tmp_path: Path, keras: Any) -> None:
    # a large step makes the loss jump, so that best and last differ
    recipe = RECIPES["reference"].changed(epochs=60, patience=4, learning_rate=0.01)
    seen: list[int] = []
    fit = fit_in(tmp_path / "fit", recipe, on_epoch=lambda epoch, values: seen.append(epoch))
    losses = [row["val_loss"] for row in fit.history]
    assert fit.stopped == EARLY_STOPPING
    assert fit.best_epoch == int(np.argmin(losses)) + 1 == len(losses) - 4
    assert seen == [row["epoch"] for row in fit.history] == list(range(1, len(losses) + 1))
    aus = examples_of().aus
    assert np.abs(fit.predict_proba(aus) - fit.last.predict_proba(aus)).max() > 1e-3
    names = sorted(path.name for path in (tmp_path / "fit").iterdir())
    assert names[-1] == f"{fit.best_epoch:02d}-{min(losses):.4f}.keras"
    # one file for every epoch that was the best until then
    assert len(names) == sum(loss < min([*losses[:i], np.inf]) for i, loss in enumerate(losses))
    best = keras.saving.load_model(str(fit.best_path))
    examples = examples_of()
    assert np.array_equal(predict(best, examples.aus), fit.predict_proba(examples.aus))
    targets = np.eye(6)[examples.labels]
    rows = examples.validation
    assert math.isclose(
        best.evaluate(examples.aus[rows], targets[rows], verbose=0)[0], min(losses), rel_tol=1e-4
    )


def test_checkpoints_as_h5(tmp_path: Path, keras: Any, capfd: pytest.CaptureFixture[str]) -> None:
    fit = fit_in(tmp_path / "fit", QUICK.changed(checkpoint_format="h5"))
    names = sorted((tmp_path / "fit").iterdir())
    assert names
    assert all(path.suffix == ".h5" for path in names)
    loaded = keras.saving.load_model(str(names[-1]), compile=False)
    aus = examples_of().aus
    assert np.allclose(predict(loaded, aus), fit.predict_proba(aus), atol=1e-6)
    assert "legacy" not in capfd.readouterr().err


def test_class_weights_and_l2_train(tmp_path: Path) -> None:
    fit = fit_in(tmp_path / "fit", replace(QUICK, class_weights=True, l2=1e-4))
    assert len(fit.history) == 2


def test_ctrl_c_after_an_epoch_keeps_the_best(tmp_path: Path) -> None:
    def press(epoch: int, values: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    fit = fit_in(tmp_path / "fit", QUICK.changed(epochs=9), on_epoch=press)
    assert fit.stopped == INTERRUPTED
    assert len(fit.history) == 2
    assert len(onnx_bytes(fit)) > 1000


def test_a_loss_that_is_no_number_is_said(tmp_path: Path) -> None:
    with pytest.raises(AuferError, match="diverged: in epoch 1") as raised:
        fit_in(tmp_path / "fit", QUICK.changed(learning_rate=1e30))
    assert "--learning-rate" in str(raised.value.hint)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"patience": -1},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"test_size": 1.0},
        {"validation_size": 0.0},
        {"checkpoint_format": "hdf5"},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        RECIPES["standard"].changed(**wrong)


# the loop of our own


def test_the_network_gets_intensities_and_pressed_ones_standardised(keras: Any) -> None:
    aus = examples_of().aus
    network = build(keras, RECIPES["standard"], 6, aus)
    inner = keras.Model(network.inputs, network.get_layer("scaled").output)
    both = np.hstack([aus, aus / (1 + aus)])
    expected = (both - both.mean(axis=0)) / both.std(axis=0)
    assert np.allclose(inner(aus, training=False), expected, atol=1e-4)
    # differences, of normalised datasets, may be negative
    assert np.allclose(compress(-aus, 2.0), -compress(aus, 2.0))
    assert np.isfinite(predict(build(keras, RECIPES["standard"], 6, 0 * aus), aus)).all()


@pytest.mark.parametrize(("n", "size"), [(10, 10), (135, 16), (1000, 40), (3500, 128)])
def test_few_rows_are_cut_into_smaller_batches(n: int, size: int) -> None:
    assert batch_size(RECIPES["standard"], n) == size


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    recipe = RECIPES["standard"].changed(epochs=20, learning_rate=0.01)
    rates = np.concatenate([learning_rates(recipe, 5, epoch) for epoch in range(1, 21)])
    assert rates[4] == rates[5] == rates.max()
    assert math.isclose(rates.max(), 0.01, rel_tol=1e-6)
    assert (np.diff(rates[:5]) > 0).all()
    assert (np.diff(rates[6:]) < 0).all()
    assert 0 <= rates[-1] < 1e-4


def test_a_seed_means_the_same_before_and_after_other_networks() -> None:
    # the traced loop is used again: nothing of the network before may stay in it
    alone = fit_members_of(3)
    other = dense.fit(examples_of(), QUICK, 8)
    again = fit_members_of(3)
    assert onnx_bytes(alone) == onnx_bytes(again) != onnx_bytes(other)


def fit_members_of(seed: int) -> DenseClassifier:
    return dense.fit(examples_of(), QUICK, seed)


def test_a_mean_of_networks_is_one_network(keras: Any) -> None:
    found = [dense.fit(examples_of(), QUICK, seed) for seed in (0, 1)]
    values = examples_of().aus
    mean = np.mean([one.predict_proba(values) for one in found], axis=0)
    network = average_networks(keras, [one.to_keras() for one in found])
    assert np.allclose(predict(network, values), mean, atol=1e-6)


def test_without_an_early_stop_all_epochs_are_done() -> None:
    found = dense.fit(examples_of(), QUICK.changed(epochs=3, patience=3), 0)
    assert (found.stopped, len(found.history)) == (ALL_EPOCHS, 3)


# bare Keras files


def random_network(keras: Any, *layers: Any) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((17,)), *layers])


def reference_like(keras: Any) -> Any:
    return random_network(
        keras,
        keras.layers.Dense(30, activation="relu"),
        keras.layers.Dense(6, activation="softmax"),
    )


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_bare_keras_file_is_a_model(keras: Any, tmp_path: Path, suffix: str) -> None:
    network = reference_like(keras)
    network.compile("adam", "categorical_crossentropy")
    saved = tmp_path / ("m.h5" if suffix == ".hdf5" else f"m{suffix}")  # Keras 3 knows no .hdf5
    network.save(saved)
    path = saved.rename(tmp_path / f"best_model{suffix}")
    assert is_keras_file(path)
    model = load_keras_file(path, EMOTIONS)
    values = np.random.default_rng(0).uniform(0, 5, (9, 17))
    assert np.allclose(model.predict_proba(values), network(values, training=False), atol=1e-6)
    assert model.predict_proba(np.zeros((0, 17))).shape == (0, 6)
    assert model.name == f"best_model{suffix}"
    assert (model.features, model.emotions) == (INTENSITY_COLUMNS, EMOTIONS)
    assert model.extractor.measure == "unknown"
    assert model.facts["kind"] == "keras-file"
    with pytest.raises(DataError, match="17 features"):
        model.predict_proba(np.zeros((2, 16)))


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_keras_file(tmp_path / "none.keras", EMOTIONS)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_truncated_file_is_bad_data(keras: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    reference_like(keras).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="cut"):
        load_keras_file(path, EMOTIONS)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5", ".KERAS"])
@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 nothing", b"\x89HDF\r\n\x1a\n nothing"]
)
def test_something_else_is_bad_data(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no Keras model"):
        load_keras_file(path, EMOTIONS)


def test_weights_alone_are_bad_data(keras: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    reference_like(keras).save_weights(path)
    with pytest.raises(DataError, match="without the layers"):
        load_keras_file(path, EMOTIONS)


def test_other_inputs_outputs_and_emotions_are_bad_data(keras: Any, tmp_path: Path) -> None:
    image_model = keras.Sequential(
        [keras.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(6)]
    )
    image_model.save(tmp_path / "image.keras")
    with pytest.raises(DataError, match="not the 17 AU intensities"):
        load_keras_file(tmp_path / "image.keras", EMOTIONS)
    reference_like(keras).save(tmp_path / "six.keras")
    with pytest.raises(DataError, match="6 outputs, and 2 emotions") as raised:
        load_keras_file(tmp_path / "six.keras", Emotions(("happy", "sad")))
    assert "--emotions" in str(raised.value.hint)
    random_network(keras, keras.layers.Dense(6)).save(tmp_path / "logits.keras")
    with pytest.raises(DataError, match="no probabilities"):
        load_keras_file(tmp_path / "logits.keras", EMOTIONS)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_layer_is_refused_and_not_run(keras: Any, tmp_path: Path, suffix: str) -> None:
    marker = tmp_path / "ran"
    target = str(marker)
    inner = keras.Sequential(
        [
            keras.Input((17,)),
            keras.layers.Lambda(lambda x: (os.system(f"touch '{target}'"), x)[1]),
            keras.layers.Dense(6, activation="softmax"),
        ]
    )
    nested = keras.Sequential([keras.Input((17,)), inner])  # hidden one level deeper
    path = tmp_path / f"m{suffix}"
    nested.save(path)
    marker.unlink(missing_ok=True)
    with pytest.raises(DataError, match="runs code of its own") as raised:
        load_keras_file(path, EMOTIONS)
    assert "Lambda" in str(raised.value)
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_file_that_is_two_things_at_once_is_refused(
    keras: Any, tmp_path: Path, suffix: str
) -> None:
    """A harmless model in front, a harmful one behind: each library finds the one it looks for."""
    import h5py

    good, bad, path = tmp_path / "good", tmp_path / "bad", tmp_path / f"m{suffix}"
    if suffix == ".keras":  # a zip file is found from its end
        reference_like(keras).save(good.with_suffix(".h5"))
        reference_like(keras).save(bad.with_suffix(".keras"))
        path.write_bytes(
            good.with_suffix(".h5").read_bytes() + bad.with_suffix(".keras").read_bytes()
        )
        assert zipfile.is_zipfile(path)
    else:  # HDF5 may begin at byte 512, 1024, 2048 …
        reference_like(keras).save(good.with_suffix(".keras"))
        front = good.with_suffix(".keras").read_bytes()
        block = 512
        while block < len(front):
            block *= 2
        with h5py.File(path, "w", userblock_size=block) as file:
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {}})
        with path.open("r+b") as raw:
            raw.write(front)
        assert h5py.is_hdf5(path)
    with pytest.raises(DataError, match="does not begin as"):
        load_keras_file(path, EMOTIONS)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("subprocess", "Popen"),
        ("keras.utils", "get_file"),
        ("keras.config", "enable_unsafe_deserialization"),
        ("keras.src.utils.file_utils", "get_file"),
        ("kerasx.layers", "Dense"),
    ],
)
def test_classes_from_elsewhere_are_refused(
    keras: Any, tmp_path: Path, module: str, name: str
) -> None:
    path, changed = tmp_path / "m.keras", tmp_path / "changed.keras"
    reference_like(keras).save(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if member == "config.json":
                config = json.loads(data)
                config["config"]["layers"][1]["module"] = module
                config["config"]["layers"][1]["class_name"] = name
                data = json.dumps(config).encode()
            new.writestr(member, data)
    with pytest.raises(DataError, match=f"code of its own .{name}."):
        load_keras_file(changed, EMOTIONS)


def test_an_image_model_of_the_field_is_told_apart() -> None:
    data = os.environ.get("AUFER_DATA")
    require("data", None if data else "AUFER_DATA is not set")
    path = Path(data or "") / "models" / "fer2013_mini_XCEPTION.102-0.66.hdf5"
    with pytest.raises(DataError, match="not the 17 AU intensities"):
        load_keras_file(path, EMOTIONS)
