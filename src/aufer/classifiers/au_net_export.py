"""The networks of an AU network as ONNX graphs, written layer by layer (see `onnx_graph`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aufer.au_net.format import PIXELS
from aufer.bundle import open_session
from aufer.classifiers.au_net_network import NORMALISING_LEAST, SHARPENING_LEAST
from aufer.classifiers.onnx_graph import Graph

TOLERANCE = 1e-4
"""Largest difference between an output of the Keras network and of its ONNX file: 0.01 % of an AU's
unit, a thousandth of a pixel of a landmark."""

_PASSED_OVER = ("Dropout", "GaussianNoise", "SpatialDropout2D")
_AT_ONCE = 64


def to_onnx(network: Any, outputs: tuple[str, ...]) -> Any:
    """The ``onnx.ModelProto`` of a network by `au_net_network`; the same weights give the same
    bytes. Each batch normalisation is folded, in float64, into the layer before it.

    Args:
        network: a functional Keras network of pictures [n, h, w, 1], 0-255, each of whose layers
            is used once. outputs: what its outputs are called, in order.

    Raises:
        ValueError: it has a layer that this exporter doesn't know.
    """
    return _Export(network).run(outputs)


class _Export:
    """The walk through one network."""

    def __init__(self, network: Any) -> None:
        self._network, self._graph = network, Graph()
        self._values: dict[int, str] = {}  # by Keras's symbolic tensor
        self._users: dict[int, list[Any]] = {}
        for layer in network.layers[1:]:
            for tensor in _listed(layer.input):
                self._users.setdefault(id(tensor), []).append(layer)

    def run(self, names: tuple[str, ...]) -> Any:
        graph, network = self._graph, self._network
        (source,) = network.inputs
        self._values[id(source)] = graph.add("Transpose", PIXELS, perm=[0, 3, 1, 2])
        for layer in network.layers[1:]:
            if id(layer.output) not in self._values:  # folded into the one before
                self._add(layer)
        outputs = {
            self._values[id(tensor)]: (name, tensor.shape[-1])
            for name, tensor in zip(names, network.outputs, strict=True)
        }
        return graph.to_model_of(outputs, network.input_shape[1:], PIXELS)

    def _add(self, layer: Any) -> None:
        kind = type(layer).__name__
        values = [self._values[id(tensor)] for tensor in _listed(layer.input)]
        if kind in _PASSED_OVER:
            self._values[id(layer.output)] = values[0]
        elif kind in ("Conv2D", "Dense"):
            self._add_weighted(layer, values[0], kind)
        elif kind in _PLAIN:
            self._values[id(layer.output)] = _PLAIN[kind](self._graph, layer, values)
        else:
            raise ValueError(f"no ONNX form for the layer {layer.name} ({kind})")

    def _add_weighted(self, layer: Any, value: str, kind: str) -> None:
        graph, output = self._graph, layer.output
        kernel = np.asarray(layer.kernel, dtype=np.float64)  # [..., in, out]
        bias = np.zeros(kernel.shape[-1])
        if layer.use_bias:
            bias = bias + np.asarray(layer.bias, dtype=np.float64)
        activation = layer.activation.__name__
        users = self._users.get(id(output), [])
        if activation == "linear" and [type(user).__name__ for user in users] == [
            "BatchNormalization"
        ]:
            (scaled,) = users
            factor, offset = _batch_normalization(scaled)
            kernel, bias, output = kernel * factor, bias * factor + offset, scaled.output
        if kind == "Dense":
            value = graph.affine(value, kernel, bias)
        else:
            if layer.padding != "same":
                raise ValueError(f"no ONNX form for the layer {layer.name} (padding)")
            value = graph.add(
                "Conv",
                value,
                graph.constant(kernel.transpose(3, 2, 0, 1)),
                graph.constant(bias),
                strides=list(layer.strides),
                auto_pad="SAME_UPPER",
            )
        if activation == "relu":
            value = graph.add("Relu", value)
        elif activation != "linear":
            raise ValueError(f"no ONNX form for the layer {layer.name} ({activation})")
        self._values[id(output)] = value


def _listed(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]


def _batch_normalization(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in layer.get_weights())
    factor = gamma / np.sqrt(variance + layer.epsilon)
    return factor, beta - mean * factor


def _squares(graph: Graph, value: str) -> str:
    """The sum over the channels of the squares, [n, 1, h, w]."""
    axis = graph.constant([1], np.int64)
    return graph.add("ReduceSum", graph.add("Mul", value, value), axis, keepdims=1)


def _sharpen(graph: Graph, layer: Any, values: list[str]) -> str:
    cube = graph.add("Mul", graph.add("Mul", values[0], values[0]), values[0])
    least = graph.add("Add", _squares(graph, values[0]), graph.constant(SHARPENING_LEAST))
    return graph.add("Div", cube, least)


def _normalise(graph: Graph, layer: Any, values: list[str]) -> str:
    around = graph.add(
        "AveragePool",
        _squares(graph, values[0]),
        kernel_shape=[3, 3],
        strides=[1, 1],
        auto_pad="SAME_UPPER",
    )
    length = graph.add("Sqrt", graph.add("Add", around, graph.constant(NORMALISING_LEAST)))
    value = graph.add("Div", values[0], length)
    return graph.add("Clip", value, graph.constant(0.0), graph.constant(1.0))


def _pool(graph: Graph, layer: Any, values: list[str]) -> str:
    if layer.padding != "valid":
        raise ValueError(f"no ONNX form for the layer {layer.name} (padding)")
    size, strides = list(layer.pool_size), list(layer.strides)
    return graph.add("AveragePool", values[0], kernel_shape=size, strides=strides)


def _relu(graph: Graph, layer: Any, values: list[str]) -> str:
    if layer.negative_slope or layer.threshold or layer.max_value is not None:
        raise ValueError(f"no ONNX form for the layer {layer.name}")
    return graph.add("Relu", values[0])


def _flatten(graph: Graph, layer: Any, values: list[str]) -> str:
    return graph.add("Flatten", graph.add("Transpose", values[0], perm=[0, 2, 3, 1]), axis=1)


_PLAIN: Mapping[str, Callable[[Graph, Any, list[str]], str]] = {
    "Sharpen": _sharpen,
    "Normalise": _normalise,
    "AveragePooling2D": _pool,
    "GlobalAveragePooling2D": lambda graph, layer, values: graph.add(
        "ReduceMean", values[0], axes=[2, 3], keepdims=0
    ),
    "ReLU": _relu,
    "Flatten": _flatten,
    "Concatenate": lambda graph, layer, values: graph.add("Concat", *values, axis=1),
    "Add": lambda graph, layer, values: graph.add("Sum", *values),
}
"""Layers without trained weights; what adds each."""


def write_network(network: Any, path: Path, outputs: tuple[str, ...], pixels: np.ndarray) -> float:
    """Write a network as an ONNX file, and compare the two.

    Args:
        outputs: see `to_onnx`. pixels: pictures to compare on, float32 [n, h, w, 1], 0-255.

    Returns:
        the largest absolute difference of an output.

    Raises:
        ArithmeticError: it is above `TOLERANCE`: the export is wrong, which is a bug.
    """
    path.write_bytes(to_onnx(network, outputs).SerializeToString(deterministic=True))
    session, difference = open_session(path), 0.0
    for start in range(0, len(pixels), _AT_ONCE):
        some = np.ascontiguousarray(pixels[start : start + _AT_ONCE], dtype=np.float32)
        found = session.run(list(outputs), {PIXELS: some})
        for ours, theirs in zip(found, _listed(network(some, training=False)), strict=True):
            difference = float(np.maximum(difference, np.abs(ours - np.asarray(theirs)).max()))
    if not difference <= TOLERANCE:
        raise ArithmeticError(
            f"{path.name} gives other numbers than the network: they differ by {difference:.2g}"
        )
    return difference
