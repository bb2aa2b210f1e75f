"""A network with the inputs and outputs of YuNet that takes white spots for faces."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDE = 16
"""A spot is a white square of so many pixels, at a multiple of it."""

FACE_SIDE = 64
"""Pixels of a found face, whose middle is the spot's left upper corner."""


def write_spot_model(path: Path) -> Path:
    """Write it: of the three strides of YuNet only the one of 16 pixels sees anything."""
    nodes, constants, outputs = [], [], []

    def constant(name: str, values: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    def output(name: str, source: str, n_values: int) -> None:
        shape = constant(f"shape_{name}", np.array([1, -1, n_values], dtype=np.int64))
        nodes.append(helper.make_node("Transpose", [source], [f"last_{name}"], perm=[0, 2, 3, 1]))
        nodes.append(helper.make_node("Reshape", [f"last_{name}", shape], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, n_values]))

    size = math.log(FACE_SIDE / STRIDE)
    for stride in (8, 16, 32):
        pooled = f"pooled_{stride}"
        shape = [stride, stride]
        nodes.append(
            helper.make_node("AveragePool", ["input"], [pooled], kernel_shape=shape, strides=shape)
        )
        white = 1 / 3 / 255 if stride == STRIDE else 0.0
        for name, weight, bias in (
            ("cls", np.full((1, 3), white), np.zeros(1)),
            ("obj", np.full((1, 3), white), np.zeros(1)),
            ("bbox", np.zeros((4, 3)), np.array([0, 0, size, size])),
            ("kps", np.zeros((10, 3)), np.zeros(10)),
        ):
            inputs = [
                pooled,
                constant(f"w_{name}_{stride}", weight[:, :, None, None].astype(np.float32)),
                constant(f"b_{name}_{stride}", bias.astype(np.float32)),
            ]
            nodes.append(helper.make_node("Conv", inputs, [f"conv_{name}_{stride}"]))
            output(f"{name}_{stride}", f"conv_{name}_{stride}", len(bias))
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    graph = helper.make_graph(nodes, "spots", [picture], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
