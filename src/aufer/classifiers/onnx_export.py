"""Classifiers as ONNX files: a dense Keras network, the mean of several models, a temperature."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import AU_INPUT, open_session
from aufer.classifiers.network import BOTH, STEEP
from aufer.classifiers.onnx_graph import Graph

TOLERANCE = 1e-5
"""Largest difference between the uncalibrated probabilities of a classifier and its ONNX file."""

_ROWS_AT_ONCE = 4096
"""An SVM's kernel takes 4 bytes per row and support vector."""

_PASSED_OVER = ("InputLayer", "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout")
"""Layers that do nothing when predicting."""


# a dense network


@dataclass(frozen=True)
class Affine:
    """``x @ kernel + bias``: kernel float64 [inputs, outputs], bias float64 [outputs]."""

    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Activation:
    """``relu``, cut off at ``most`` where that is given, or ``softmax``."""

    name: str
    most: float | None = None


def dense_to_onnx(network: Any, features: Sequence[str], emotions: Sequence[str]) -> Any:
    """The ``onnx.ModelProto`` of a Keras Sequential, or of a network by `network.build`.

    Args:
        network: of the layers Dense, Normalization, BatchNormalization, Rescaling, ReLU, Softmax,
            Activation, and those that do nothing when predicting; it ends in a softmax.

    Raises:
        ValueError: a layer, or an order of layers, that this exporter doesn't know.
    """
    graph, value = Graph(), AU_INPUT
    layers = list(network.layers)
    names = [layer.name for layer in layers]
    if BOTH in names:
        steepness = layers[names.index(STEEP)].scale
        steep = graph.add("Mul", AU_INPUT, graph.constant(steepness))
        value = graph.add("Concat", AU_INPUT, graph.add("Softsign", steep), axis=1)
        layers = layers[names.index(BOTH) + 1 :]
    for step in read_steps(layers):
        if isinstance(step, Affine):
            value = graph.affine(value, step.kernel, step.bias)
        elif step.name == "softmax":
            value = graph.add("Softmax", value, axis=1)
        elif step.most is None:
            value = graph.add("Relu", value)
        else:
            value = graph.add("Clip", value, graph.constant(0.0), graph.constant(step.most))
    return graph.to_model(value, len(features), len(emotions))


def read_steps(layers: Sequence[Any]) -> list[Affine | Activation]:
    """What a chain of Keras layers does when predicting, step by step.

    Layers that shift and scale each value are folded, in float64, into the dense layer before them,
    or, where an activation or nothing is, into the one behind.

    Raises:
        ValueError: see `dense_to_onnx`.
    """
    steps: list[Affine | Activation] = []
    shift, scale = np.zeros(1), np.ones(1)  # of the values that the next dense layer gets
    for layer in layers:
        kind = type(layer).__name__
        if kind in _PASSED_OVER:
            continue
        if kind == "Dense":
            kernel = _array(layer.kernel)
            bias = _array(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1])
            bias = bias + np.broadcast_to(shift, len(kernel)) @ kernel
            steps.append(Affine(np.broadcast_to(scale, len(kernel))[:, None] * kernel, bias))
            shift, scale = np.zeros(1), np.ones(1)
        elif kind in _SCALING:
            factor, offset = _SCALING[kind](layer)
            if steps and isinstance(steps[-1], Affine):
                steps[-1] = Affine(steps[-1].kernel * factor, steps[-1].bias * factor + offset)
            else:
                shift, scale = shift * factor + offset, scale * factor
        activation = _activation(layer, kind)
        if activation is not None:
            if not (steps and isinstance(steps[-1], Affine)):
                raise ValueError(f"no ONNX form for the layer {layer.name} without a Dense before")
            steps.append(activation)
    if steps[-1:] != [Activation("softmax")] or shift.any() or (scale != 1).any():
        raise ValueError("no ONNX form for a network that doesn't end in a softmax")
    return steps


def _activation(layer: Any, kind: str) -> Activation | None:
    """What a layer does behind its sum; None for nothing."""
    if kind in _SCALING:
        return None
    if kind == "ReLU" and not layer.negative_slope and not layer.threshold:
        return Activation("relu", None if layer.max_value is None else float(layer.max_value))
    if kind == "Softmax" and layer.axis == -1:
        return Activation("softmax")
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    if kind not in ("Dense", "Activation") or name not in ("relu", "softmax", "linear"):
        raise ValueError(f"no ONNX form for the layer {layer.name} ({kind} {name})".rstrip())
    return None if name == "linear" else Activation(name)


def _array(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def _normalization(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    # Keras: (x - mean) / max(sqrt(variance), epsilon), epsilon 1e-7
    deviation = np.maximum(np.sqrt(_array(layer.variance).reshape(-1)), 1e-7)
    return 1 / deviation, -_array(layer.mean).reshape(-1) / deviation


def _batch_normalization(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    factor = 1 / np.sqrt(_array(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        factor = factor * _array(layer.gamma)
    offset = -_array(layer.moving_mean) * factor
    return factor, offset + _array(layer.beta) if layer.center else offset


def _rescaling(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    return _array(layer.scale).reshape(-1), _array(layer.offset).reshape(-1)


_SCALING = {
    "Normalization": _normalization,
    "BatchNormalization": _batch_normalization,
    "Rescaling": _rescaling,
}
"""Layers that shift and scale; what of each gives (factor, offset)."""


# models of models


def average(models: Sequence[Any]) -> Any:
    """One ``onnx.ModelProto`` that gives the mean of the models' probabilities.

    Args:
        models: at least one; of the same features and emotions, of any kinds.
    """
    if len(models) == 1:
        return models[0]
    graph = Graph()
    results = [graph.include(model) for model in models]
    return graph.to_model(graph.add("Mean", *results), *_widths(models[0]))


def calibrated(model: Any, temperature: float, smoothing: float = 0.0) -> Any:
    """The ``onnx.ModelProto`` whose probabilities are those of `calibration.undo_smoothing`, then
    of `calibration.apply_temperature`.

    Args:
        temperature: above 0. smoothing: 0 to below 1. 1 and 0 give the model itself.
    """
    if temperature == 1 and smoothing == 0:
        return model
    graph, (n_features, n_emotions) = Graph(), _widths(model)
    value = graph.calibrate(graph.include(model), n_emotions, temperature, smoothing)
    return graph.to_model(value, n_features, n_emotions)


def _widths(model: Any) -> tuple[int, int]:
    """Numbers of features and of emotions."""
    ends = (model.graph.input[0], model.graph.output[0])
    features, emotions = (end.type.tensor_type.shape.dim[1].dim_value for end in ends)
    return features, emotions


# files


def write_onnx(model: Any, path: Path, features: Sequence[str], emotions: Sequence[str]) -> None:
    """Write a model; its metadata hold ``features`` and ``labels`` as JSON lists.

    Args:
        model: an ``onnx.ModelProto``. The same model gives the same bytes.
    """
    from onnx import ModelProto, helper

    named = ModelProto()
    named.CopyFrom(model)
    metadata = {"features": json.dumps(list(features)), "labels": json.dumps(list(emotions))}
    helper.set_model_props(named, metadata)
    path.write_bytes(named.SerializeToString(deterministic=True))


def compare_with_onnx(
    path: Path, values: np.ndarray, expected: np.ndarray, temperature: float = 1.0
) -> float:
    """Run an ONNX file and compare.

    Args:
        values: [n, features], or pictures. expected: probabilities by the classifier itself,
            [n, emotions].
        temperature: of the model; one below 1 magnifies the rounding to float32 as it does all
            differences, and the tolerance with it.

    Returns:
        the largest absolute difference of a probability.

    Raises:
        ArithmeticError: it is above the tolerance: the export is wrong, which is a bug.
    """
    session = open_session(path)
    name = session.get_inputs()[0].name
    difference = 0.0
    for start in range(0, len(values), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        feed = {name: np.ascontiguousarray(values[rows], dtype=np.float32)}
        apart = np.abs(session.run(None, feed)[0].astype(np.float64) - expected[rows])
        difference = float(np.maximum(difference, np.max(apart)))  # NaN stays NaN
    if not difference <= TOLERANCE / min(temperature, 1.0):
        raise ArithmeticError(
            f"{path.name} gives other probabilities than the classifier: they differ by "
            f"{difference:.2g}"
        )
    return difference
