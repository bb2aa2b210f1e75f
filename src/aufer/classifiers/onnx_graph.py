"""An ONNX graph from ``aus`` to ``probabilities``, put together node by node.

The kinds of classifiers are each a handful of matrix operations, so they are written by hand: the
files hold nothing else, are the same bytes for the same weights, and no new release of Keras or
scikit-learn can outrun a converter. (tf2onnx 1.17 stops at a Keras 3 Sequential, and makes a
Normalization layer's constants into inputs of the graph.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aufer import __version__
from aufer.bundle import AU_INPUT
from aufer.calibration import LEAST_PROBABILITY, LEAST_UNSMOOTHED

ML_DOMAIN = "ai.onnx.ml"
OPSETS = {"": 13, ML_DOMAIN: 1}
"""Old enough for every onnxruntime since 2020; what we use of them has not changed since."""

IR_VERSION = 8
OUTPUT = "probabilities"


class Graph:
    """A graph under construction. Its values are known by their names."""

    FLOAT, DOUBLE = 1, 11
    """The types float32 and float64, as ``onnx.TensorProto`` numbers them."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._n_parts = 0

    def constant(
        self, values: np.ndarray | Sequence[float] | float, dtype: type = np.float32
    ) -> str:
        """Add weights (or whole numbers, int64) and return their name."""
        from onnx import numpy_helper

        name = f"weight{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **options: Any) -> str:
        """Add a node with one output, and return the output's name."""
        from onnx import helper

        name = f"value{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], domain=domain, **options))
        return name

    def affine(
        self, value: str, kernel: np.ndarray, bias: np.ndarray, dtype: type = np.float32
    ) -> str:
        """Add ``value @ kernel + bias``: [n, a], [a, b], [b] -> [n, b]."""
        return self.add("Gemm", value, self.constant(kernel, dtype), self.constant(bias, dtype))

    def place(self, value: str, columns: Sequence[int], n_columns: int) -> str:
        """Put the columns of ``value`` where they belong among ``n_columns``; the others are 0.

        Args:
            columns: the place of each of the value's columns.
        """
        if list(columns) == list(range(n_columns)):
            return value
        return self.add("MatMul", value, self.constant(np.eye(n_columns)[list(columns)]))

    def calibrate(
        self, value: str, n_emotions: int, temperature: float, smoothing: float = 0.0
    ) -> str:
        """Do to probabilities what `calibration.undo_smoothing`, then `apply_temperature` does."""
        if temperature == 1 and smoothing == 0:
            return value
        least = LEAST_PROBABILITY
        if smoothing:  # the softmax below divides by the sum
            least = LEAST_UNSMOOTHED
            value = self.add("Sub", value, self.constant(smoothing / n_emotions))
            value = self.add("Mul", value, self.constant(1 / (1 - smoothing)))
        value = self.add("Clip", value, self.constant(least), self.constant(1.0))
        value = self.add("Mul", self.add("Log", value), self.constant(1 / temperature))
        return self.add("Softmax", value, axis=1)

    def include(self, model: Any) -> str:
        """Add all of an ``onnx.ModelProto`` of ours, which gets the same ``aus``.

        Returns:
            the name of its probabilities.

        Raises:
            ValueError: its operators are of other versions.
        """
        from onnx import NodeProto, TensorProto

        for opset in model.opset_import:
            if OPSETS.get(opset.domain) != opset.version:
                raise ValueError(f"the model's operators are of {opset.domain} {opset.version}")
        prefix = f"part{self._n_parts}/"
        self._n_parts += 1

        def rename(name: str) -> str:
            return name if name in ("", AU_INPUT) else prefix + name

        for original in model.graph.node:
            node = NodeProto()
            node.CopyFrom(original)
            node.input[:] = [rename(name) for name in original.input]
            node.output[:] = [rename(name) for name in original.output]
            self._nodes.append(node)
        for original in model.graph.initializer:
            weights = TensorProto()
            weights.CopyFrom(original)
            weights.name = rename(original.name)
            self._weights.append(weights)
        return rename(model.graph.output[0].name)

    def to_model(
        self, output: str, shape: int | Sequence[int], n_emotions: int, name: str = AU_INPUT
    ) -> Any:
        """The ``onnx.ModelProto`` that gives the value ``output``.

        Args:
            shape: of one row of the input: the number of features, or a picture's height, width
                and channels. name: the input's.

        Returns:
            a checked model: the input, float32 [n, …], -> ``probabilities`` float32 [n, emotions],
            n free.
        """
        sides = [shape] if isinstance(shape, int) else shape
        return self.to_model_of({output: (OUTPUT, n_emotions)}, sides, name)

    def to_model_of(
        self, outputs: Mapping[str, tuple[str, int]], shape: Sequence[int], name: str
    ) -> Any:
        """The ``onnx.ModelProto`` that gives several values.

        Args:
            outputs: by value, the output's name and how many numbers it has per row. shape, name:
                see `to_model`.
        """
        import onnx
        from onnx import TensorProto, helper

        renamed = {value: output for value, (output, _) in outputs.items()}
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [renamed.get(each, each) for each in names]
        graph = helper.make_graph(
            self._nodes,
            "aufer",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])],
            [
                helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", width])
                for output, width in outputs.values()
            ],
            self._weights,
        )
        domains = sorted({"", *(node.domain for node in self._nodes)})
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(domain, OPSETS[domain]) for domain in domains],
            ir_version=IR_VERSION,
            producer_name="aufer",
            producer_version=__version__,
        )
        onnx.checker.check_model(model)
        return model
