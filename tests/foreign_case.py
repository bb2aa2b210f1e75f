"""Foreign models for tests: a structurally true Teachable Machine export, small ONNX graphs."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import Bundle, read_bundle
from aufer.import_model import import_model

Take = Callable[..., Bundle]
SIDE = 224


@dataclass(frozen=True)
class Export:
    """A Teachable Machine export that the legacy Keras package made.

    Attributes:
        folder: with keras_model.h5 and labels.txt ("0 Happy", "1 sad", "2 neutral").
        pixels: uint8 [n, 224, 224, 3]. expected: the legacy package's own answers, [n, 3].
    """

    folder: Path
    pixels: np.ndarray
    expected: np.ndarray


def make_export(legacy: Any, folder: Path) -> Export:
    """Save Sequential[Sequential[MobileNet-like model, pooling], Sequential[Dense, Dense]].

    Args:
        legacy: the package ``tf_keras``.
    """
    layers = legacy.layers
    given = layers.Input((SIDE, SIDE, 3), name="input_1")
    value = _convolution(layers, given, 8, "Conv1")
    value = _block(layers, value, 12, stride=2)
    value = _block(layers, value, 12, stride=1)  # the one with a bypass
    value = _block(layers, value, 16, stride=2)
    features = legacy.Sequential(
        [legacy.Model(given, value, name="model1"), layers.GlobalAveragePooling2D()],
        name="sequential_1",
    )
    features.trainable = False  # so its weights are saved in another order
    head = legacy.Sequential(
        [
            layers.Dense(20, activation="relu", input_shape=(16,), name="dense_Dense1"),
            layers.Dense(3, activation="softmax", use_bias=False, name="dense_Dense2"),
        ],
        name="sequential_3",
    )
    network = legacy.Sequential([features, head], name="sequential_4")
    network.build((None, SIDE, SIDE, 3))
    rng = np.random.default_rng(1)
    network.set_weights(  # variances above 0; none is what a new layer has
        [
            np.abs(old) + rng.random(old.shape)
            if "variance" in variable.name
            else old + rng.normal(0, 0.3, old.shape)
            for variable, old in zip(network.weights, network.get_weights(), strict=True)
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    network.save(folder / "keras_model.h5", include_optimizer=False)
    (folder / "labels.txt").write_text("0 Happy\n1 sad\n2 neutral\n")
    pixels = rng.integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)
    pixels[0, :, : SIDE // 2] = 0
    expected = network(pixels.astype(np.float32) / 127.5 - 1, training=False)
    return Export(folder, pixels, np.asarray(expected))


def _convolution(layers: Any, value: Any, filters: int, name: str) -> Any:
    value = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(value)
    value = layers.Conv2D(filters, 3, strides=2, use_bias=False, name=name)(value)
    return layers.ReLU(6.0)(layers.BatchNormalization()(value))


def _block(layers: Any, before: Any, filters: int, stride: int) -> Any:
    value = layers.Conv2D(2 * filters, 1, use_bias=False)(before)
    value = layers.ReLU(6.0)(layers.BatchNormalization()(value))
    padding = "same"
    if stride == 2:
        value, padding = layers.ZeroPadding2D(((0, 1), (0, 1)))(value), "valid"
    value = layers.DepthwiseConv2D(3, strides=stride, padding=padding, use_bias=False)(value)
    value = layers.ReLU(6.0)(layers.BatchNormalization()(value))
    value = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(value))
    return layers.Add()([before, value]) if stride == 1 else value


def edit_config(path: Path, change: Any) -> None:
    """Apply ``change`` to the JSON that describes the layers of an HDF5 file."""
    import h5py

    with h5py.File(path, "r+") as file:
        config = change(copy.deepcopy(json.loads(file.attrs["model_config"])))
        file.attrs["model_config"] = json.dumps(config)


def as_tensorflow_2_4(config: Any) -> Any:
    """A config as TensorFlow 2.4 wrote it: classes without modules, ``groups`` everywhere."""
    if isinstance(config, list):
        return [as_tensorflow_2_4(one) for one in config]
    if not isinstance(config, dict):
        return config
    plain = {key: as_tensorflow_2_4(value) for key, value in config.items()}
    if "class_name" in plain:
        for key in ("module", "registered_name", "build_config"):
            plain.pop(key, None)
        if plain["class_name"] == "DepthwiseConv2D":
            plain["config"]["groups"] = 1
    return plain


def as_tensorflow_2_1(config: Any) -> Any:
    """A config as TensorFlow 2.1 wrote it: a Sequential doesn't list its input layer, and a
    Functional is called Model."""
    if isinstance(config, list):
        return [as_tensorflow_2_1(one) for one in config]
    if not isinstance(config, dict):
        return config
    plain = {key: as_tensorflow_2_1(value) for key, value in config.items()}
    if plain.get("class_name") == "Functional":
        plain["class_name"] = "Model"
    if plain.get("class_name") == "Sequential":
        inner = plain["config"]["layers"]
        plain["config"]["layers"] = [one for one in inner if one["class_name"] != "InputLayer"]
    return as_tensorflow_2_4(plain)


def linear_onnx(
    path: Path,
    shape: Sequence[int | str],
    n_outputs: int,
    *,
    last: str = "Softmax",
    kind: str = "float32",
    opset: int = 13,
    weights_as_inputs: bool = False,
    labels_too: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Write a graph whose answer is a linear function of its flat input.

    Args:
        shape: of the input, the batch first; a batch of 1 is baked in with a Reshape.
        last: the operator at the end; empty: none.

    Returns:
        kernel [values, outputs] and bias [outputs].
    """
    import onnx
    from onnx import helper, numpy_helper

    sides = [int(side) for side in shape[1:]]
    n_values = int(np.prod(sides))
    rng = np.random.default_rng(3)
    kernel = rng.normal(0, 1 / (50 * np.sqrt(n_values)), (n_values, n_outputs)).astype(np.float32)
    bias = rng.normal(0, 1, n_outputs).astype(np.float32)
    flat = np.array([1 if shape[0] == 1 else -1, n_values], dtype=np.int64)
    weights = {"kernel": kernel, "bias": bias, "flat": flat}
    nodes = [
        helper.make_node("Cast", ["pixels"], ["cast"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Reshape", ["cast", "flat"], ["rows"]),
        helper.make_node("Gemm", ["rows", "kernel", "bias"], ["answer" if not last else "sum"]),
    ]
    if last:
        options = {"axis": 1} if last == "Softmax" else {}
        nodes.append(helper.make_node(last, ["sum"], ["answer"], **options))
    outputs = [
        helper.make_tensor_value_info("answer", onnx.TensorProto.FLOAT, [shape[0], n_outputs])
    ]
    if labels_too:
        nodes.append(helper.make_node("ArgMax", ["answer"], ["label"], axis=1, keepdims=0))
        outputs.insert(0, helper.make_tensor_value_info("label", onnx.TensorProto.INT64, None))
    number = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    inputs = [helper.make_tensor_value_info("pixels", number, list(shape))]
    if weights_as_inputs:  # as files before IR version 4 do
        inputs += [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape
            )
            for name, values in weights.items()
        ]
    graph = helper.make_graph(
        nodes,
        "small",
        inputs,
        outputs,
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return kernel, bias


def softmax(sums: np.ndarray) -> np.ndarray:
    """Probabilities of each row."""
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    found: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return found


def importer(models: Path) -> Take:
    """A function that imports a model into a folder of models, and reads its bundle."""

    def take(source: Path, **options: Any) -> Bundle:
        return read_bundle(import_model(source, models_folder=models, **options).path)

    return take


def nothing_is_left(models: Path) -> bool:
    """Whether a folder of models is as it was before the first import."""
    return not models.exists() or not list(models.iterdir())


def pictures(*shape: int) -> np.ndarray:
    """Random pixels, uint8."""
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


def zipped(folder: Path, path: Path) -> Path:
    """All files of a folder as a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def make_zip(path: Path, entries: dict[str, bytes]) -> Path:
    """A zip of a labels.txt and of other entries, whatever their names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"labels.txt": b"0 happy\n1 sad\n", **entries}.items():
            archive.writestr(name, data)
    return path
