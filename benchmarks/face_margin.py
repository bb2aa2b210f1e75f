"""How much around a found face an image model should be shown: accuracy by the margin of the cut.

The face of each picture is found as `aufer live` finds it (the Haar cascade, the largest box), cut
out with more or less around it, and classified. The margin is chosen on the web faces; FER2013's
images-public are a check. "whole" is the picture uncut. Pictures without a find are left out.

A cut ends where the picture does, so margins beyond what these pictures hold can't be judged here.
How much they hold is printed first: a model that was trained on such pictures wants the same.

    python benchmarks/face_margin.py [--model face-cnn --model …] [--web 1500] [--fer 1000]
"""

from __future__ import annotations

import argparse
import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aufer.bundle import Bundle, find_bundle, read_bundle
from aufer.emotions import Emotions
from aufer.live.box import Box
from aufer.live.finding.haar import HaarFinder
from aufer.pictures.opencv import opencv
from aufer.pictures.pixels import fit_pixels
from aufer.shipped import models_folder

MARGINS = (-0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3)
"""Parts of the box's side that are added on each of the four sides."""

SEED = 0


def read_pictures(path: Path, n: int) -> Iterator[tuple[str, np.ndarray]]:
    """Emotion and grey pixels of a random ``n`` pictures; those for testing only are left out."""
    cv2 = opencv()
    with zipfile.ZipFile(path) as archive:
        names = [name for name in sorted(archive.namelist()) if name.endswith(".jpg")]
        if path.parent.name == "web":
            names = [name for name in names if not name.removesuffix(".jpg").endswith("7")]
        for name in random.Random(SEED).sample(names, min(n, len(names))):
            data = np.frombuffer(archive.read(name), dtype=np.uint8)
            yield name.partition("/")[0], cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def find_faces(path: Path, n: int) -> tuple[list[str], list[np.ndarray], list[Box], int]:
    """Emotions, pixels and largest boxes of the pictures with a face, and how many had none."""
    finder = HaarFinder(look_everywhere_every=1)
    emotions, pictures, boxes = [], [], []
    n_without = 0
    for emotion, grey in read_pictures(path, n):
        found = finder.find(grey, grey)
        if not found:
            n_without += 1
            continue
        emotions.append(emotion)
        pictures.append(grey)
        boxes.append(max(found, key=lambda box: box.area))
    return emotions, pictures, boxes, n_without


def room(pictures: list[np.ndarray], boxes: list[Box]) -> np.ndarray:
    """How much the pictures show beyond the boxes, in parts of their sides: medians of the left,
    the right, above and below."""
    beyond = [
        (
            box.x / box.width,
            (grey.shape[1] - box.x - box.width) / box.width,
            box.y / box.height,
            (grey.shape[0] - box.y - box.height) / box.height,
        )
        for grey, box in zip(pictures, boxes, strict=True)
    ]
    return np.median(np.array(beyond), axis=0)


def accuracies(
    bundle: Bundle, emotions: list[str], pictures: list[np.ndarray], boxes: list[Box]
) -> dict[str, float]:
    """The share of right answers by margin, and of whole pictures, over the model's emotions."""
    names, wanted = Emotions(bundle.emotions.names), bundle.image_input
    if wanted is None:
        raise SystemExit(f"{bundle.name} is no model of pictures")
    found = [names.find_name(emotion) for emotion in emotions]
    known = [number for number, name in enumerate(found) if name is not None]
    truth = np.array([names.names.index(str(found[number])) for number in known])
    shares = {}
    for margin in (*MARGINS, None):
        cuts = []
        for number in known:
            grey, box = pictures[number], boxes[number]
            if margin is not None:
                height, width = grey.shape
                grey = (box.enlarged(margin).inside(width, height) or box).cut(grey)
            cuts.append(fit_pixels(grey, wanted))
        right = bundle.predict_proba(np.stack(cuts)).argmax(axis=1) == truth
        shares["whole" if margin is None else f"{margin:+.2f}"] = float(right.mean())
    return shares


def main() -> int:
    """Print a table for each set of pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="bundles, by path or by name")
    parser.add_argument("--web", type=int, default=1500, help="pictures of web/images.zip")
    parser.add_argument("--fer", type=int, default=1000, help="pictures of images-public.zip")
    parser.add_argument("--quick", action="store_true", help="fewer pictures")
    options = parser.parse_args()
    data = os.environ.get("AUFER_DATA")
    if not data:
        raise SystemExit("AUFER_DATA does not name the development data")
    share = 5 if options.quick else 1
    for path, n in (
        (Path(data) / "web" / "images.zip", options.web // share),
        (Path(data) / "fer2013" / "images-public.zip", options.fer // share),
    ):
        emotions, pictures, boxes, n_without = find_faces(path, n)
        n_faces = len(pictures)
        print(f"{path.parent.name}: a face found in {n_faces} of {n_faces + n_without} pictures")
        sides = " ".join(f"{value:.3f}" for value in room(pictures, boxes))
        print(f"  beyond the box, left right above below: {sides}")
        for name in options.model or ["face-cnn"]:
            bundle = read_bundle(find_bundle(name, shipped_models=models_folder()))
            shares = accuracies(bundle, emotions, pictures, boxes)
            cells = "  ".join(f"{margin} {value:.3f}" for margin, value in shares.items())
            print(f"  {bundle.name}: {cells}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
