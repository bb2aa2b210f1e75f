"""Every kind's ONNX file says what the classifier says; means and temperatures of models."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import open_session
from aufer.calibration import apply_temperature, undo_smoothing
from aufer.classifiers import network
from aufer.classifiers.backend import import_keras
from aufer.classifiers.classifier import Examples
from aufer.classifiers.onnx_export import (
    TOLERANCE,
    average,
    calibrated,
    compare_with_onnx,
    dense_to_onnx,
    write_onnx,
)
from aufer.classifiers.onnx_graph import OPSETS, Graph
from aufer.classifiers.recipe import RECIPES
from aufer.dataset import read_dataset
from aufer.emotions import DEFAULT_NAMES
from tests.faces import synthetic_faces

KINDS = ("logistic", "svm", "trees")
N_AUS = len(INTENSITY_COLUMNS)


@pytest.fixture(scope="session")
def keras() -> Any:
    return import_keras()


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a model and returns its path."""

    def write(model: Any, name: str = "model.onnx") -> Path:
        write_onnx(model, tmp_path / name, INTENSITY_COLUMNS, DEFAULT_NAMES)
        return tmp_path / name

    return write


def run(path: Path, values: np.ndarray) -> np.ndarray:
    found: np.ndarray = open_session(path).run(None, {"aus": values.astype(np.float32)})[0]
    return found


def fit(kind: str, aus: np.ndarray, labels: np.ndarray, train: np.ndarray | None = None) -> Any:
    train = np.arange(len(labels)) if train is None else train
    module = importlib.import_module(f"aufer.classifiers.{kind}")
    values = aus.astype(np.float32)
    examples = Examples(values, labels, INTENSITY_COLUMNS, DEFAULT_NAMES, train, train[:0])
    return module.fit(examples, RECIPES["standard"], 0)


def to_onnx(classifier: Any) -> Any:
    return classifier.to_onnx(INTENSITY_COLUMNS, DEFAULT_NAMES)


# the kinds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dealt", ["all", "five", "two"])
def test_onnx_is_the_classifier(kind: str, dealt: str, save: Callable[[Any], Path]) -> None:
    aus, labels = synthetic_faces(300)
    emotions = {"all": range(6), "five": (0, 2, 3, 4, 5), "two": (3, 1)}[dealt]
    classifier = fit(kind, aus, labels, np.flatnonzero(np.isin(labels, list(emotions))))
    path = save(to_onnx(classifier))
    # a normalised dataset has differences from a neutral face, -5 to 5
    for values in (aus, aus - 2.5, np.zeros((1, N_AUS)), np.full((1, N_AUS), 5.0)):
        expected = classifier.predict_proba(values.astype(np.float32))
        assert compare_with_onnx(path, values, expected) <= TOLERANCE
        assert np.allclose(run(path, values).sum(axis=1), 1, atol=1e-5)
        absent = sorted(set(range(6)) - set(emotions))
        assert not run(path, values)[:, absent].any()


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_on_real_faces(kind: str, sample_dataset: Path, save: Callable[[Any], Path]) -> None:
    dataset = read_dataset(sample_dataset)
    aus = dataset.aus.to_numpy(np.float32)
    classifier = fit(kind, aus, dataset.labels)
    path = save(to_onnx(classifier))
    assert compare_with_onnx(path, aus, classifier.predict_proba(aus)) <= TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_on_all_reference_faces(kind: str, data: Path, save: Callable[[Any], Path]) -> None:
    dataset = read_dataset(data / "reference" / "emotion.csv")
    aus = dataset.aus.to_numpy(np.float32)
    classifier = fit(kind, aus, dataset.labels, np.arange(0, len(aus), 2))
    path = save(to_onnx(classifier))
    assert path.stat().st_size < 30e6
    assert compare_with_onnx(path, aus, classifier.predict_proba(aus)) <= TOLERANCE


def test_trees_agree_on_intensities_at_their_thresholds(save: Callable[[Any], Path]) -> None:
    aus, labels = synthetic_faces(200)
    classifier = fit("trees", aus, labels)
    path = save(to_onnx(classifier))
    rows = []
    for estimator in classifier.forest.estimators_[:20]:
        tree = estimator.tree_
        for node in np.flatnonzero(tree.children_left >= 0)[:20]:
            near = np.float32(tree.threshold[node])
            for value in (
                near,
                np.nextafter(near, np.float32(-9)),
                np.nextafter(near, np.float32(9)),
            ):
                row = aus[node % len(aus)].astype(np.float32)
                row[tree.feature[node]] = value
                rows.append(row)
    values = np.array(rows)
    assert compare_with_onnx(path, values, classifier.predict_proba(values)) <= TOLERANCE


# dense networks


def random_network(keras: Any, *layers: Any) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((N_AUS,)), *layers])


def softmax_layer(keras: Any) -> Any:
    return keras.layers.Dense(6, activation="softmax")


def check_dense(built: Any, values: np.ndarray, path: Path) -> None:
    write_onnx(
        dense_to_onnx(built, INTENSITY_COLUMNS, DEFAULT_NAMES),
        path,
        INTENSITY_COLUMNS,
        DEFAULT_NAMES,
    )
    values = values.astype(np.float32)
    assert compare_with_onnx(path, values, network.predict(built, values)) <= TOLERANCE


@pytest.mark.parametrize("constant_column", [False, True])
def test_onnx_equals_keras_with_normalisation_inside(
    keras: Any, tmp_path: Path, constant_column: bool
) -> None:
    rng = np.random.default_rng(0)
    mean, variance = rng.uniform(0, 2, N_AUS), rng.uniform(0.01, 3, N_AUS)
    values = rng.uniform(0, 5, (500, N_AUS)).astype(np.float32)
    if constant_column:  # an AU that never moves in the training rows
        mean[3], variance[3], values[:, 3] = 0.0, 0.0, 0.0
    built = random_network(
        keras,
        keras.layers.Normalization(mean=mean, variance=variance),
        keras.layers.Dense(300, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(50, activation="relu", use_bias=False),
        softmax_layer(keras),
    )
    path = tmp_path / "model.onnx"
    check_dense(built, values, path)
    # and by the network's own definition, in float64
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    active = (values.astype(np.float64) - mean) / deviation
    for layer in [layer for layer in built.layers if hasattr(layer, "kernel")]:
        active = active @ np.asarray(layer.kernel, dtype=np.float64)
        active = active + (np.asarray(layer.bias) if layer.use_bias else 0)
        active = np.maximum(active, 0) if layer.activation.__name__ == "relu" else active
    active = np.exp(active - active.max(axis=1, keepdims=True))
    expected = active / active.sum(axis=1, keepdims=True)
    assert np.allclose(run(path, values), expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", RECIPES)
def test_the_networks_of_our_recipes(keras: Any, tmp_path: Path, name: str) -> None:
    aus = synthetic_faces(200)[0].astype(np.float32)
    keras.utils.set_random_seed(3)
    check_dense(network.build(keras, RECIPES[name], 6, aus), aus, tmp_path / "model.onnx")


@pytest.mark.parametrize("place", ["first", "behind a sum", "behind an activation"])
@pytest.mark.parametrize("has_scale", [True, False])
def test_batch_normalisation_is_folded(
    keras: Any, tmp_path: Path, place: str, has_scale: bool
) -> None:
    layers = keras.layers

    def normalise() -> Any:
        return layers.BatchNormalization(scale=has_scale, center=has_scale)

    built = random_network(
        keras,
        *([normalise()] if place == "first" else []),
        layers.Dense(40, activation="relu" if place == "behind an activation" else None),
        *([] if place == "first" else [normalise()]),
        *([layers.Activation("relu")] if place == "behind a sum" else []),
        layers.GaussianNoise(0.1),
        softmax_layer(keras),
    )
    rng = np.random.default_rng(0)
    for layer in built.layers:
        if type(layer).__name__ == "BatchNormalization":
            shapes = [np.asarray(weight).shape for weight in layer.weights]
            layer.set_weights([rng.uniform(0.3, 2, shape) for shape in shapes])
    check_dense(built, rng.uniform(0, 5, (300, N_AUS)), tmp_path / "model.onnx")
    graph = dense_to_onnx(built, INTENSITY_COLUMNS, DEFAULT_NAMES).graph
    relu = [] if place == "first" else ["Relu"]
    assert [node.op_type for node in graph.node] == ["Gemm", *relu, "Gemm", "Softmax"]


def test_rescaling_and_a_cut_relu(keras: Any, tmp_path: Path) -> None:
    built = random_network(
        keras,
        keras.layers.Rescaling(0.2, offset=-0.1),
        keras.layers.Rescaling(3.0),
        keras.layers.Dense(40),
        keras.layers.ReLU(max_value=1.0),
        keras.layers.Rescaling(2.0, offset=-1.0),
        keras.layers.Dense(6),
        keras.layers.Softmax(),
    )
    values = np.random.default_rng(0).uniform(0, 5, (300, N_AUS))
    check_dense(built, values, tmp_path / "model.onnx")


def test_what_has_no_onnx_form_is_refused(keras: Any) -> None:
    layers = keras.layers
    wrong = [
        [layers.Dense(6, activation="tanh")],
        [layers.Dense(6)],
        [layers.Dense(6, activation="softmax"), layers.Rescaling(2.0)],
        [layers.LeakyReLU(), softmax_layer(keras)],
        [layers.Dense(9), layers.ReLU(negative_slope=0.1), softmax_layer(keras)],
        [layers.Activation("relu"), softmax_layer(keras)],
        [layers.LayerNormalization(), softmax_layer(keras)],
    ]
    for parts in wrong:
        with pytest.raises(ValueError, match="no ONNX form"):
            dense_to_onnx(random_network(keras, *parts), INTENSITY_COLUMNS, DEFAULT_NAMES)


# several models, temperatures


@pytest.fixture(scope="module")
def members() -> list[Any]:
    aus, labels = synthetic_faces(200)
    # five emotions in the training rows of the last: its file has another shape inside
    rows = [None, None, None, np.flatnonzero(labels != 2)]
    kinds = ("logistic", "svm", "trees", "logistic")
    return [fit(kind, aus, labels, train) for kind, train in zip(kinds, rows, strict=True)]


def test_the_mean_of_models_of_several_kinds(
    members: list[Any], save: Callable[[Any], Path]
) -> None:
    aus = synthetic_faces(300, seed=5)[0].astype(np.float32)
    path = save(average([to_onnx(member) for member in members]))
    expected = np.mean([member.predict_proba(aus) for member in members], axis=0)
    assert compare_with_onnx(path, aus, expected) <= TOLERANCE
    session = open_session(path)
    assert [end.name for end in session.get_inputs()] == ["aus"]
    assert [end.name for end in session.get_outputs()] == ["probabilities"]


def test_the_mean_of_means_and_of_one(members: list[Any], save: Callable[[Any], Path]) -> None:
    models = [to_onnx(member) for member in members]
    assert average(models[:1]) is models[0]
    aus = synthetic_faces(50, seed=5)[0].astype(np.float32)
    found = run(save(average([average(models[:2]), average(models[1:3])])), aus)
    first, second, third = (member.predict_proba(aus) for member in members[:3])
    assert np.allclose(found, (first + 2 * second + third) / 4, atol=TOLERANCE)


def test_operators_of_other_versions_are_not_mixed(members: list[Any]) -> None:
    import onnx

    other = onnx.ModelProto()
    other.CopyFrom(to_onnx(members[0]))
    other.opset_import[0].version = 18
    with pytest.raises(ValueError, match="operators"):
        average([other, to_onnx(members[0])])


@pytest.mark.parametrize("temperature", [0.25, 0.9, 1.7, 6.0])
def test_temperature_is_the_formula_and_keeps_the_answer(
    members: list[Any], save: Callable[[Any], Path], temperature: float
) -> None:
    aus = synthetic_faces(300, seed=5)[0].astype(np.float32)
    for member in members:
        path = save(calibrated(to_onnx(member), temperature))
        raw = member.predict_proba(aus)  # the trees' has exact zeros
        expected = apply_temperature(raw, temperature)
        assert compare_with_onnx(path, aus, expected, temperature) <= TOLERANCE / min(
            temperature, 1
        )
        second, first = np.sort(raw, axis=1)[:, -2:].T
        clear = first - second > 1e-5
        assert clear.sum() > 250
        assert (run(path, aus).argmax(axis=1) == raw.argmax(axis=1))[clear].all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_smoothing_is_undone_before_the_temperature(
    members: list[Any], save: Callable[[Any], Path], temperature: float
) -> None:
    aus = synthetic_faces(300, seed=5)[0].astype(np.float32)
    for member in members:
        path = save(calibrated(to_onnx(member), temperature, 0.1))
        expected = apply_temperature(undo_smoothing(member.predict_proba(aus), 0.1), temperature)
        assert compare_with_onnx(path, aus, expected, temperature) <= 2 * TOLERANCE


def test_a_temperature_of_one_changes_nothing(members: list[Any]) -> None:
    model = to_onnx(members[0])
    assert calibrated(model, 1.0) is model


def test_temperature_of_a_mean(members: list[Any], save: Callable[[Any], Path]) -> None:
    aus = synthetic_faces(100, seed=5)[0].astype(np.float32)
    path = save(calibrated(average([to_onnx(member) for member in members]), 2.0))
    mean = np.mean([member.predict_proba(aus) for member in members], axis=0)
    assert compare_with_onnx(path, aus, apply_temperature(mean, 2.0)) <= TOLERANCE


# files


def test_files_carry_names_and_take_any_number_of_rows(
    members: list[Any], save: Callable[[Any], Path]
) -> None:
    for model in [to_onnx(members[0]), average([to_onnx(member) for member in members])]:
        session = open_session(save(calibrated(model, 1.5)))
        metadata = session.get_modelmeta().custom_metadata_map
        assert json.loads(metadata["features"]) == list(INTENSITY_COLUMNS)
        assert json.loads(metadata["labels"]) == list(DEFAULT_NAMES)
        assert session.get_inputs()[0].name == "aus"
        assert session.get_inputs()[0].shape == ["n", N_AUS]
        assert session.get_outputs()[0].name == "probabilities"
        for n in (0, 1, 7):
            found = session.run(None, {"aus": np.zeros((n, N_AUS), np.float32)})[0]
            assert found.shape == (n, 6)
            assert found.dtype == np.float32


def test_the_same_weights_are_the_same_bytes(
    members: list[Any], save: Callable[[Any], Path]
) -> None:
    def model() -> Any:
        return calibrated(average([to_onnx(member) for member in members]), 1.5)

    assert save(model(), "a.onnx").read_bytes() == save(model(), "b.onnx").read_bytes()


def test_files_are_old_enough_for_any_onnxruntime(members: list[Any]) -> None:
    import onnx

    model = average([to_onnx(member) for member in members])
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain: opset.version for opset in model.opset_import} == OPSETS
    assert model.ir_version <= 8
    plain = to_onnx(members[0])
    assert [opset.domain for opset in plain.opset_import] == [""]


def test_a_wrong_export_does_not_pass(members: list[Any], save: Callable[[Any], Path]) -> None:
    aus = synthetic_faces(30)[0].astype(np.float32)
    path = save(to_onnx(members[0]))
    expected = members[0].predict_proba(aus)
    with pytest.raises(ArithmeticError, match="other probabilities than the classifier"):
        compare_with_onnx(path, aus, expected + 2e-5)
    assert compare_with_onnx(path, aus, expected + 2e-5, temperature=0.25) > TOLERANCE
    expected[4, 2] = np.nan
    with pytest.raises(ArithmeticError):
        compare_with_onnx(path, aus, expected)


def test_an_end_that_is_also_used_inside_keeps_its_value(save: Callable[[Any], Path]) -> None:
    graph = Graph()
    found = graph.add("Softmax", graph.affine("aus", np.eye(N_AUS)[:, :6], np.zeros(6)), axis=1)
    graph.add("Neg", found)
    values = synthetic_faces(5)[0]
    odds = np.exp(values[:, :6])
    path = save(graph.to_model(found, N_AUS, 6))
    assert np.allclose(run(path, values), odds / odds.sum(axis=1, keepdims=True), atol=1e-6)
