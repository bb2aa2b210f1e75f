"""A small AU network, made by hand: its answers follow from how bright a crop of a face is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.format import (
    ALIGN,
    AUS,
    CONFIDENCE,
    FACTS_NAME,
    FLIP,
    LANDMARKS,
    N_LANDMARKS,
    PIXELS,
    SCHEMA,
)
from aufer.files import sha256_of, to_json, write_text

ALIGN_SIDE, AUS_SIDE = 64, 96
DARK = 20.0
"""Grey: the confidence of a crop of this brightness is 0.5; of darker ones it is less."""


def mean_shape() -> np.ndarray:
    """68 landmarks of a made-up face, upright, about 0, within -1 … 1; float64 [68, 2]."""
    jaw = np.linspace(np.pi, 0, 17)
    parts = [
        np.c_[np.cos(jaw), np.sin(jaw) * 0.9],
        *(np.c_[middle + np.linspace(-0.3, 0.3, 5), np.full(5, -0.6)] for middle in (-0.45, 0.45)),
        np.c_[np.zeros(4), np.linspace(-0.35, 0.1, 4)],
        np.c_[np.linspace(-0.15, 0.15, 5), np.full(5, 0.2)],
        *(_ring(6, middle, -0.35, 0.18, 0.07) for middle in (-0.45, 0.45)),
        _ring(12, 0, 0.5, 0.35, 0.15),
        _ring(8, 0, 0.5, 0.25, 0.06),
    ]
    shape: np.ndarray = np.concatenate(parts)
    assert shape.shape == (N_LANDMARKS, 2)
    return shape - shape.mean(axis=0)


def _ring(n: int, x: float, y: float, across: float, down: float) -> np.ndarray:
    turn = np.linspace(np.pi, -np.pi, n, endpoint=False)
    return np.c_[x + across * np.cos(turn), y - down * np.sin(turn)]


def make_au_net(folder: Path, *, aus: float = 1.0, shift: tuple[float, float] = (0, 0)) -> Path:
    """Write a network of the real format.

    The first one finds the landmarks where the mean shape lies in its crop, so that a face's place
    is its box's. The k-th AU is ``aus * (k + 1) / 17`` times the crop's mean grey / 51.

    Args:
        shift: pixels of the second crop that its landmarks are off the reference, each.
    """
    folder.mkdir(parents=True)
    shape = mean_shape()
    references = {
        ALIGN: shape * 0.354 * ALIGN_SIDE + ALIGN_SIDE / 2,
        AUS: (shape * 0.4 + 0.5) * AUS_SIDE + [0, 0.05 * AUS_SIDE],
    }
    slopes = np.arange(1, len(INTENSITY_COLUMNS) + 1) / len(INTENSITY_COLUMNS) * aus / 51
    still = (np.zeros(2 * N_LANDMARKS), np.zeros(2 * N_LANDMARKS))
    outputs = {
        ALIGN: {LANDMARKS: still},
        AUS: {
            LANDMARKS: (still[0], np.tile(shift, N_LANDMARKS)),
            AUS: (slopes, np.zeros(len(slopes))),
            CONFIDENCE: (np.array([0.2]), np.array([-0.2 * DARK])),
        },
    }
    networks = {}
    for name, side in ((ALIGN, ALIGN_SIDE), (AUS, AUS_SIDE)):
        path = folder / f"{name}.onnx"
        onnx.save(_linear(outputs[name], side), path)
        networks[name] = {
            "file": path.name,
            "sha256": sha256_of(path),
            "side": side,
            "unit": 1.0,
            "reference": references[name].tolist(),
        }
    facts = {
        "schema": SCHEMA,
        "name": folder.name,
        "networks": networks,
        "features": list(INTENSITY_COLUMNS),
        "flip": list(FLIP),
        "mean_shape": shape.tolist(),
        "calibration": {},
        "box": {"scale": 1.235, "right": 0.0, "down": 0.114},
    }
    write_text(folder / FACTS_NAME, to_json(facts))
    return folder


def _linear(outputs: dict[str, tuple[np.ndarray, np.ndarray]], side: int) -> onnx.ModelProto:
    """Each output is a line of the crop's mean grey: slopes and offsets."""
    nodes = [helper.make_node("ReduceMean", [PIXELS], ["grey"], axes=[1, 2, 3], keepdims=0)]
    nodes += [helper.make_node("Reshape", ["grey", "column"], ["mean"])]
    weights = [numpy_helper.from_array(np.array([-1, 1], np.int64), "column")]
    for name, (slopes, offsets) in outputs.items():
        nodes += [helper.make_node("MatMul", ["mean", f"{name}-slopes"], [f"{name}-rise"])]
        nodes += [helper.make_node("Add", [f"{name}-rise", f"{name}-offsets"], [name])]
        for kind, values in (("slopes", slopes), ("offsets", offsets)):
            row = np.asarray(values, np.float32)[None]
            weights.append(numpy_helper.from_array(row, f"{name}-{kind}"))
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", len(slopes)])
        for name, (slopes, _) in outputs.items()
    ]
    pixels = helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["n", side, side, 1])
    graph = helper.make_graph(nodes, "brightness", [pixels], infos, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model
