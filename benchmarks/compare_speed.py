"""`aufer compare`: three models on 3,000 pictures, against what the models themselves take.

    python benchmarks/compare_speed.py [--pictures 3000] [--quick]

Two networks of different pictures (48x48 grey and 64x64 grey, of a mini-XCEPTION's size) and a
model of AUs. The sum of the models' own inference is that of bare `predict_proba` calls on arrays
that are ready; asking all of them together decodes each picture once, for both sizes, and may take
1.3 times that. Beside it: asking one after the other, and the whole comparison with its statistics.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import PIL.Image
from measuring import verdict
from onnx import TensorProto, helper, numpy_helper

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable, complete
from aufer.bundle import FACTS_NAME, IMAGE_INPUT, ONNX_NAME, PIXELS, SCHEMA, Bundle, read_bundle
from aufer.compare import compare
from aufer.comparison.asking import ask_models
from aufer.emotions import DEFAULT_NAMES
from aufer.files import hash_files, to_json, write_text
from aufer.image_input import ImageInput
from aufer.model import answer_faces
from aufer.pictures.pixels import read_pixels
from aufer.provenance import MEASURE_STATIC, Extractor, made_by
from aufer.shipped import models_folder

RATIO = 1.3
N_ROUNDS = 5
WIDTHS = (40, 80, 128, 192)
"""Channels of the four blocks: 0.3 and 0.6 ms a picture on a core, as networks for faces take."""


def make_network(folder: Path, side: int) -> Bundle:
    """A bundle with a small separable network of random weights, as fast as a trained one."""
    random = np.random.default_rng(side)
    weights, nodes = [], [helper.make_node("Transpose", [PIXELS], ["x0"], perm=[0, 3, 1, 2])]

    def weight(name: str, *shape: int) -> str:
        values = random.normal(0, 0.3 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        return name

    before = 1
    for n, width in enumerate(WIDTHS):
        of_block = {"strides": [2, 2] if n else [1, 1], "pads": [1, 1, 1, 1]}
        deep, points = weight(f"d{n}", before, 1, 3, 3), weight(f"p{n}", width, before, 1, 1)
        nodes += [
            helper.make_node("Conv", [f"x{n}", deep], [f"a{n}"], group=before, **of_block),
            helper.make_node("Conv", [f"a{n}", points], [f"b{n}"]),
            helper.make_node("Relu", [f"b{n}"], [f"x{n + 1}"]),
        ]
        before = width
    last = weight("w", before, len(DEFAULT_NAMES))
    nodes += [
        helper.make_node("ReduceMean", [f"x{len(WIDTHS)}"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["m", last], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    wanted = ImageInput(side, side)
    names = list(DEFAULT_NAMES)
    given = helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["n", *wanted.shape])
    out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(names)])
    graph = helper.make_graph(nodes, "network", [given], [out], weights)
    folder.mkdir(parents=True)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / ONNX_NAME)
    facts = {
        "schema": SCHEMA,
        "kind": "network",
        "input": IMAGE_INPUT,
        "image_input": wanted.facts(),
        "features": [],
        "labels": names,
        **made_by(),
    }
    facts["files"] = hash_files(folder, FACTS_NAME)
    write_text(folder / FACTS_NAME, to_json(facts))
    return read_bundle(folder)


def make_faces(folder: Path, n: int) -> AuTable:
    """Pictures of 48x48 as FER2013's are, with AUs by chance."""
    random = np.random.default_rng(0)
    folder.mkdir()
    paths = np.empty(n, dtype=object)
    for number in range(n):
        coarse = random.integers(0, 255, (12, 12)).astype(np.uint8)
        paths[number] = folder / f"{number}.jpg"
        picture = PIL.Image.fromarray(coarse).resize((48, 48), PIL.Image.Resampling.BICUBIC)
        picture.save(paths[number], quality=92)
    import pandas as pd

    frame = pd.DataFrame(random.uniform(0, 3, (n, 17)).round(2), columns=list(INTENSITY_COLUMNS))
    frame["image"] = [path.name for path in paths]
    frame["emotion"] = [DEFAULT_NAMES[number % 6] for number in range(n)]
    frame["status"] = "ok"
    return AuTable(complete(frame), Extractor(measure=MEASURE_STATIC), paths=paths)


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of a call, by the clock, and of CPU time."""
    started, of_cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - of_cpu


def main() -> int:
    """Print the figures; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    options = parser.parse_args()
    shipped = models_folder()
    assert shipped is not None, "a checkout has models/"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        faces = make_faces(folder / "pictures", options.pictures)
        models = {
            "openface-aus": read_bundle(shipped / "openface-aus"),
            "48x48": make_network(folder / "small", 48),
            "64x64": make_network(folder / "large", 64),
        }
        assert faces.paths is not None
        ready: dict[str, np.ndarray] = {"openface-aus": faces.intensities()}
        for title, model in models.items():
            if model.image_input is not None:
                parts = read_pixels(faces.paths.tolist(), [model.image_input])
                ready[title] = np.concatenate([p.of_input[model.image_input] for p in parts])
        rows = np.arange(len(faces))
        named, every = list(models.items()), list(models.values())

        def bare() -> None:
            for title, model in models.items():
                model.predict_proba(ready[title])

        def together() -> None:
            ask_models(named, faces, rows, 0.7)

        def one_by_one() -> None:
            for model in models.values():
                answer_faces(model, faces, 0.7, "the faces")

        work = {
            "the models' own inference": bare,
            "asked together": together,
            "one by one": one_by_one,
            "whole comparison": lambda: compare(every, faces),
        }
        for each in work.values():
            each()  # sessions, imports
        took: dict[str, list[tuple[float, float]]] = {title: [] for title in work}
        for _ in range(2 if options.quick else N_ROUNDS):
            for title, each in work.items():
                took[title].append(seconds(each))
        for title, found in took.items():
            wall, of_cpu = (statistics.median(column) for column in zip(*found, strict=True))
            ms = 1000 * wall / options.pictures
            print(f"{title}: {wall:.2f} s ({of_cpu:.2f} s of CPU), {ms:.3f} ms a picture")
        own = took["the models' own inference"]

        def ratio(title: str) -> float:
            pairs = zip(took[title], own, strict=True)
            return statistics.median(ours[0] / bare[0] for ours, bare in pairs)

        print(f"one by one: {ratio('one by one'):.2f} times their own inference")
        print(f"whole comparison, its statistics too: {ratio('whole comparison'):.2f} times")
        met = verdict("asked together, to their own inference", ratio("asked together"), RATIO)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
