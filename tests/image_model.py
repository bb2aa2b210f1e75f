"""A small model of pictures, made by hand: how bright a picture is says which emotion it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import PIL.Image
from onnx import TensorProto, helper, numpy_helper

from aufer.bundle import FACTS_NAME, IMAGE_INPUT, ONNX_NAME, PIXELS, SCHEMA
from aufer.classifiers.onnx_export import write_onnx
from aufer.emotions import DEFAULT_NAMES
from aufer.files import hash_files, to_json, write_text
from aufer.image_input import ImageInput
from aufer.provenance import made_by


def brightness_of(number: int, n_emotions: int = 6) -> int:
    """The grey value that stands for an emotion, 0-255."""
    return round((number + 0.5) * 255 / n_emotions)


def make_image_bundle(
    folder: Path,
    names: tuple[str, ...] = DEFAULT_NAMES,
    wanted: ImageInput | None = None,
    sharpness: float = 0.1,
) -> Path:
    """Write a bundle: softmax of ``-sharpness * |mean of the pixels - that of the emotion|``."""
    wanted = wanted or ImageInput(8, 8)
    middles = np.array([[brightness_of(n, len(names)) for n in range(len(names))]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", [PIXELS], ["grey"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["grey", "column"], ["mean"]),
        helper.make_node("Sub", ["mean", "middles"], ["apart"]),
        helper.make_node("Abs", ["apart"], ["distance"]),
        helper.make_node("Mul", ["distance", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    weights = [
        numpy_helper.from_array(middles, "middles"),
        numpy_helper.from_array(np.array([-1, 1], np.int64), "column"),
        numpy_helper.from_array(np.array(-sharpness, np.float32), "sharpness"),
    ]
    shape = ["n", *wanted.shape]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(names)])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True)
    write_onnx(model, folder / ONNX_NAME, [], names)
    facts = {
        "schema": SCHEMA,
        "name": folder.name,
        "kind": "brightness",
        "input": IMAGE_INPUT,
        "image_input": wanted.facts(),
        "features": [],
        "labels": list(names),
        **made_by(),
    }
    facts["files"] = hash_files(folder, FACTS_NAME)
    write_text(folder / FACTS_NAME, to_json(facts))
    return folder


def save_pictures(
    folder: Path, names: tuple[str, ...] = DEFAULT_NAMES, n_each: int = 4, seed: int = 0
) -> Path:
    """Write ``folder/<emotion>/<n>.png``: noise about the emotion's brightness, each its own."""
    random = np.random.default_rng(seed)
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for n in range(n_each):
            coarse = random.integers(-10, 11, (6, 6))
            grey = np.kron(brightness_of(number, len(names)) + coarse, np.ones((8, 8)))
            picture = PIL.Image.fromarray(grey.clip(0, 255).astype(np.uint8))
            picture.save(folder / name / f"{n}.png")
    return folder
