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
from aufer.bundle import open_session
from aufer.classifiers import dense
from aufer.classifiers.backend import import_keras
from aufer.classifiers.keras_file import is_keras_file, load_keras_file
from aufer.classifiers.onnx_export import TOLERANCE, compare_with_onnx, write_dense_onnx
from aufer.classifiers.recipe import (
    EARLY_STOPPING,
    INTERRUPTED,
    RECIPES,
    Examples,
    Fit,
    OnEpoch,
    Recipe,
)
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
    return Examples(aus.astype(np.float32), labels, INTENSITY_COLUMNS, EMOTIONS.names, parts)


def nobody(epoch: int, values: dict[str, float]) -> None:
    pass


def fit_in(folder: Path, recipe: Recipe, seed: int = 0, on_epoch: OnEpoch = nobody) -> Fit:
    folder.mkdir()
    return dense.fit(examples_of(), recipe, seed, folder, on_epoch)


QUICK = RECIPES["standard"].changed(epochs=2)


# the network


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_both_recipes_have_the_reference_layers(keras: Any, recipe: Recipe) -> None:
    network = dense.build(keras, recipe, 6, np.zeros(17), np.ones(17))
    layers = [layer for layer in network.layers if type(layer).__name__ == "Dense"]
    assert [layer.units for layer in layers] == [300, 200, 100, 50, 6]
    assert [layer.activation.__name__ for layer in layers] == ["relu"] * 4 + ["softmax"]


def test_the_reference_recipe_has_nothing_but_these_layers(keras: Any) -> None:
    recipe = RECIPES["reference"]
    network = dense.build(keras, recipe, 6, np.zeros(17), np.ones(17))
    assert {type(layer).__name__ for layer in network.layers} == {"Dense"}
    assert (recipe.epochs, recipe.batch_size, recipe.patience) == (5000, 50, 7)
    assert type(network.optimizer).__name__ == "Adam"
    assert math.isclose(float(network.optimizer.learning_rate), 0.001, rel_tol=1e-6)
    assert network.loss.name == "categorical_crossentropy"


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
    rest = np.concatenate([examples.parts.train, examples.parts.validation])
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
    assert np.array_equal(dense.predict(bare, examples.aus), fit.last)


@pytest.mark.parametrize("name", RECIPES)
def test_same_seed_same_model(tmp_path: Path, name: str) -> None:
    recipe = RECIPES[name].changed(epochs=3)
    fits = [fit_in(tmp_path / run, recipe, seed) for run, seed in (("a", 4), ("b", 4), ("c", 5))]
    files = [(tmp_path / run / "model.onnx").read_bytes() for run in "abc"]
    assert files[0] == files[1]
    assert files[0] != files[2]
    assert np.array_equal(fits[0].best, fits[1].best)


def test_the_best_epoch_is_kept_and_the_last_one_told(tmp_path: Path, keras: Any) -> None:
    # a large step makes the loss jump, so that best and last differ
    recipe = RECIPES["reference"].changed(epochs=60, patience=4, learning_rate=0.01)
    seen: list[int] = []
    fit = fit_in(tmp_path / "fit", recipe, on_epoch=lambda epoch, values: seen.append(epoch))
    losses = [row["val_loss"] for row in fit.history]
    assert fit.stopped == EARLY_STOPPING
    assert fit.best_epoch == int(np.argmin(losses)) + 1 == len(losses) - 4
    assert seen == [row["epoch"] for row in fit.history] == list(range(1, len(losses) + 1))
    assert np.abs(fit.best - fit.last).max() > 1e-3
    names = sorted(path.name for path in (tmp_path / "fit" / "checkpoints").iterdir())
    assert names[-1] == f"{fit.best_epoch:02d}-{min(losses):.4f}.keras"
    # one file for every epoch that was the best until then
    assert len(names) == sum(loss < min([*losses[:i], np.inf]) for i, loss in enumerate(losses))
    best = keras.saving.load_model(str(tmp_path / "fit" / "model.keras"))
    examples = examples_of()
    assert np.array_equal(dense.predict(best, examples.aus), fit.best)
    targets = np.eye(6)[examples.labels]
    rows = examples.parts.validation
    assert math.isclose(
        best.evaluate(examples.aus[rows], targets[rows], verbose=0)[0], min(losses), rel_tol=1e-4
    )


def test_checkpoints_as_h5(tmp_path: Path, keras: Any, capfd: pytest.CaptureFixture[str]) -> None:
    fit = fit_in(tmp_path / "fit", QUICK.changed(checkpoint_format="h5"))
    names = sorted((tmp_path / "fit" / "checkpoints").iterdir())
    assert names
    assert all(path.suffix == ".h5" for path in names)
    loaded = keras.saving.load_model(str(names[-1]), compile=False)
    assert np.allclose(dense.predict(loaded, examples_of().aus), fit.best, atol=1e-6)
    assert (tmp_path / "fit" / "model.keras").is_file()
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
    assert (tmp_path / "fit" / "model.onnx").is_file()


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


# ONNX


def random_network(keras: Any, *layers: Any) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((17,)), *layers])


@pytest.mark.parametrize("constant_column", [False, True])
def test_onnx_equals_keras_with_normalisation_inside(
    keras: Any, tmp_path: Path, constant_column: bool
) -> None:
    rng = np.random.default_rng(0)
    mean, variance = rng.uniform(0, 2, 17), rng.uniform(0.01, 3, 17)
    values = rng.uniform(0, 5, (500, 17)).astype(np.float32)
    if constant_column:  # an AU that never moves in the training rows
        mean[3], variance[3], values[:, 3] = 0.0, 0.0, 0.0
    network = random_network(
        keras,
        keras.layers.Normalization(mean=mean, variance=variance),
        keras.layers.Dense(300, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(50, activation="relu", use_bias=False),
        keras.layers.Dense(6, activation="softmax"),
    )
    path = tmp_path / "model.onnx"
    write_dense_onnx(network, path, INTENSITY_COLUMNS, EMOTIONS.names)
    expected = dense.predict(network, values)
    assert compare_with_onnx(path, values, expected) <= TOLERANCE
    # and by the network's own definition, in float64
    found = open_session(path).run(None, {"aus": values})[0]
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    active = (values.astype(np.float64) - mean) / deviation
    for layer in [layer for layer in network.layers if hasattr(layer, "kernel")]:
        active = active @ np.asarray(layer.kernel, dtype=np.float64)
        active = active + (np.asarray(layer.bias) if layer.use_bias else 0)
        active = np.maximum(active, 0) if layer.activation.__name__ == "relu" else active
    active = np.exp(active - active.max(axis=1, keepdims=True))
    assert np.allclose(found, active / active.sum(axis=1, keepdims=True), atol=TOLERANCE)


def test_onnx_carries_names_and_takes_any_number_of_rows(keras: Any, tmp_path: Path) -> None:
    network = random_network(keras, keras.layers.Dense(6, activation="softmax"))
    write_dense_onnx(network, tmp_path / "m.onnx", INTENSITY_COLUMNS, EMOTIONS.names)
    session = open_session(tmp_path / "m.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["features"]) == list(INTENSITY_COLUMNS)
    assert json.loads(metadata["labels"]) == list(EMOTIONS.names)
    assert session.get_inputs()[0].name == "aus"
    assert session.get_outputs()[0].name == "probabilities"
    for n in (1, 7):
        assert session.run(None, {"aus": np.zeros((n, 17), np.float32)})[0].shape == (n, 6)


def test_a_wrong_export_does_not_pass(keras: Any, tmp_path: Path) -> None:
    network = random_network(keras, keras.layers.Dense(6, activation="softmax"))
    write_dense_onnx(network, tmp_path / "m.onnx", INTENSITY_COLUMNS, EMOTIONS.names)
    values = np.ones((3, 17), dtype=np.float32)
    with pytest.raises(ArithmeticError, match="other probabilities than Keras"):
        compare_with_onnx(tmp_path / "m.onnx", values, dense.predict(network, values) + 2e-5)


def test_a_layer_without_an_onnx_form_is_refused(keras: Any, tmp_path: Path) -> None:
    network = random_network(keras, keras.layers.Dense(6, activation="tanh"))
    with pytest.raises(ValueError, match="no ONNX form"):
        write_dense_onnx(network, tmp_path / "m.onnx", INTENSITY_COLUMNS, EMOTIONS.names)


# bare Keras files


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
