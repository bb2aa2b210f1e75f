"""A foreign graph between our input and our output: scaling before it, probabilities behind.

The result takes ``pixels``, float32 [n, height, width, channels], 0-255, or ``aus``, and gives
``probabilities``, float32 [n, emotions]: what `bundle.Bundle` runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer import __version__
from aufer.bundle import AU_INPUT, PIXELS
from aufer.classifiers.foreign.original import Original
from aufer.classifiers.foreign.presets import Scale
from aufer.classifiers.onnx_graph import OUTPUT

_PREFIX = "given/"
_LEAST_IR = 8


@dataclass(frozen=True)
class Wrapping:
    """What is put around a foreign graph.

    Attributes:
        scale: of pictures; None for AUs. softmax: whether its outputs become probabilities by one.
        one_by_one: whether rows go through it one after the other.
    """

    scale: Scale | None
    softmax: bool
    one_by_one: bool


def wrap(original: Original, wrapping: Wrapping) -> Any:
    """The ``onnx.ModelProto`` of a bundle.

    Raises:
        onnx.checker.ValidationError: the foreign graph is none, or uses what ours can't hold.
    """
    import onnx
    from onnx import TensorProto, compose, helper

    given = compose.add_prefix(original.graph, _PREFIX)
    parts = _Parts()
    name = PIXELS if original.is_of_pictures else AU_INPUT
    value = name
    if wrapping.scale is not None:
        scale = wrapping.scale
        value = parts.add("Mul", value, parts.constant(np.array(scale.factor, np.float32)))
        value = parts.add("Add", value, parts.constant(np.array(scale.offset, np.float32)))
    shape = original.shape
    if original.channels_first:
        value = parts.add("Transpose", value, perm=[0, 3, 1, 2])
        shape = (shape[2], shape[0], shape[1])
    wanted = helper.np_dtype_to_tensor_dtype(original.input_type)
    if wanted != TensorProto.FLOAT:
        if np.issubdtype(original.input_type, np.integer):
            value = parts.add("Round", value)
        value = parts.add("Cast", value, to=wanted)
    entry, way_out = _PREFIX + original.input_name, _PREFIX + original.output_name
    inner = list(given.graph.node)
    if wrapping.one_by_one:
        value = _one_by_one(parts, value, inner, (entry, way_out), shape, original)
    else:
        parts.nodes.append(helper.make_node("Identity", [value], [entry]))
        parts.nodes.extend(inner)
        value = way_out
    value = parts.add("Cast", value, to=TensorProto.FLOAT)
    last = "Softmax" if wrapping.softmax else "Identity"
    options = {"axis": 1} if wrapping.softmax else {}
    parts.nodes.append(helper.make_node(last, [value], [OUTPUT], **options))
    graph = helper.make_graph(
        parts.nodes,
        "aufer",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *original.shape])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", original.n_outputs])],
        [*given.graph.initializer, *parts.weights],
        sparse_initializer=list(given.graph.sparse_initializer),
    )
    model = helper.make_model(
        graph,
        opset_imports=list(given.opset_import),
        ir_version=max(given.ir_version, _LEAST_IR),
        functions=list(given.functions),
        producer_name="aufer",
        producer_version=__version__,
    )
    onnx.checker.check_model(model)
    return model


class _Parts:
    """Nodes and weights of ours, under names that the foreign graph's can't have."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"weight{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, **options: Any) -> str:
        from onnx import helper

        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **options))
        return name


def _one_by_one(
    parts: _Parts,
    value: str,
    inner: list[Any],
    ends: tuple[str, str],
    shape: tuple[int, ...],
    original: Original,
) -> str:
    """Run the nodes for each row by itself: for graphs that were exported for one row at a time.

    Args:
        inner: the nodes. ends: the names of what they take and give. shape: of one row there.
    """
    from onnx import helper

    types = (original.input_type, original.output_type)
    taken, given = (helper.np_dtype_to_tensor_dtype(one) for one in types)
    row, one = "row", parts.constant(np.array([1, *shape], dtype=np.int64))
    flat = parts.constant(np.array([-1], dtype=np.int64))
    body = helper.make_graph(
        [
            helper.make_node("Reshape", [row, one], [ends[0]]),
            *inner,
            helper.make_node("Reshape", [ends[1], flat], ["answer"]),
        ],
        "one_row",
        [helper.make_tensor_value_info(row, taken, list(shape))],
        [helper.make_tensor_value_info("answer", given, [original.n_outputs])],
    )
    return parts.add("Scan", value, body=body, num_scan_inputs=1)
