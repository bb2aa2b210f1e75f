"""A dense Keras network as an ONNX file.

The graph is written by hand with `onnx.helper`: Gemm, Relu, Softmax, in 0.1 s with the check. The
general way, tf2onnx 1.17, stops at a Keras 3 Sequential (KeyError), and where it is given the
traced function it makes a Normalization layer's constants into inputs of the graph. Here the
normalisation is folded into the first layer's weights, in float64.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aufer import __version__
from aufer.bundle import AU_INPUT, open_session

OPSET = 13
"""Old enough for every onnxruntime since 2020; Gemm, Relu and Softmax have not changed since."""

IR_VERSION = 8
OUTPUT = "probabilities"
TOLERANCE = 1e-5
"""Largest difference between the probabilities of Keras and of the ONNX file."""

_PASSED_OVER = ("InputLayer", "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout")
"""Layers that do nothing when predicting."""


def write_dense_onnx(
    model: Any, path: Path, features: Sequence[str], emotions: Sequence[str]
) -> None:
    """Write a Keras Sequential of Normalization, Dense and dropout layers.

    The file's input ``aus`` is float32 [n, features], n free; its output ``probabilities`` is
    float32 [n, emotions]; its metadata hold ``features`` and ``labels`` as JSON lists.

    Raises:
        ValueError: a layer that this exporter doesn't know.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, current = [], [], AU_INPUT
    layers = dense_layers(model)
    for number, (kernel, bias, activation) in enumerate(layers):
        names = [f"kernel{number}", f"bias{number}"]
        for name, values in zip(names, (kernel, bias), strict=True):
            weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        is_last = number == len(layers) - 1
        result = OUTPUT if is_last and activation == "linear" else f"sum{number}"
        nodes.append(helper.make_node("Gemm", [current, *names], [result]))
        if activation != "linear":
            operator, options = {"relu": ("Relu", {}), "softmax": ("Softmax", {"axis": 1})}[
                activation
            ]
            current, result = result, OUTPUT if is_last else f"active{number}"
            nodes.append(helper.make_node(operator, [current], [result], **options))
        current = result
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info(AU_INPUT, TensorProto.FLOAT, ["n", len(features)])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", len(emotions)])],
        weights,
    )
    file = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="aufer",
        producer_version=__version__,
    )
    metadata = {"features": json.dumps(list(features)), "labels": json.dumps(list(emotions))}
    helper.set_model_props(file, metadata)
    onnx.checker.check_model(file)
    path.write_bytes(file.SerializeToString(deterministic=True))


def dense_layers(model: Any) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """The dense layers of a Keras Sequential, a leading Normalization folded into the first.

    Returns:
        kernel float64 [inputs, outputs], bias float64 [outputs] and activation (``relu``,
        ``softmax`` or ``linear``) of each layer.

    Raises:
        ValueError: a layer or activation that is none of these.
    """
    shift: np.ndarray | None = None
    scale = np.ones(1)
    found: list[tuple[np.ndarray, np.ndarray, str]] = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in _PASSED_OVER:
            continue
        if kind == "Normalization" and not found and shift is None:
            # Keras: (x - mean) / max(sqrt(variance), epsilon), epsilon 1e-7
            mean = np.asarray(layer.mean, dtype=np.float64).reshape(-1)
            variance = np.asarray(layer.variance, dtype=np.float64).reshape(-1)
            shift, scale = -mean, 1.0 / np.maximum(np.sqrt(variance), 1e-7)
            continue
        activation = getattr(getattr(layer, "activation", None), "__name__", "")
        if kind != "Dense" or activation not in ("relu", "softmax", "linear"):
            raise ValueError(f"no ONNX form for the layer {layer.name} ({kind} {activation})")
        kernel = np.asarray(layer.kernel, dtype=np.float64)  # [inputs, outputs]
        bias = np.zeros(kernel.shape[1])
        if layer.use_bias:
            bias = np.asarray(layer.bias, dtype=np.float64)
        if shift is not None:
            kernel = kernel * scale[:, None]
            bias = bias + shift @ kernel
            shift = None
        found.append((kernel, bias, activation))
    return found


def compare_with_onnx(path: Path, values: np.ndarray, expected: np.ndarray) -> float:
    """Run an ONNX file and compare.

    Args:
        values: [n, features]. expected: probabilities by Keras, [n, emotions].

    Returns:
        the largest absolute difference of a probability.

    Raises:
        ArithmeticError: it is above `TOLERANCE`: the export is wrong, which is a bug.
    """
    session = open_session(path)
    found = session.run(None, {AU_INPUT: np.ascontiguousarray(values, dtype=np.float32)})[0]
    difference = float(np.max(np.abs(found.astype(np.float64) - expected), initial=0.0))
    if not difference <= TOLERANCE:
        raise ArithmeticError(
            f"{path.name} gives other probabilities than Keras: they differ by {difference:.2g}"
        )
    return difference
