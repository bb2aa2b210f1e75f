"""An image model on a folder of labelled images: how accurate, and how fast on one core.

Images that are near copies of the model's training pictures (its rows.csv has their perceptual
hashes) are told apart: the figure without them stands beside the one with all. By default the
shipped model on FER2013's images-public, which nothing about it was chosen by.

    python benchmarks/cnn.py [--model face-cnn] [--images DIR] [--quick]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import verdict

from aufer.bundle import ROWS_NAME, Bundle
from aufer.classifiers.cnn_pictures import PictureSet, read_picture_set
from aufer.classifiers.open_model import open_model
from aufer.emotions import Emotions
from aufer.image_input import ImageInput
from aufer.images import find_images
from aufer.metrics import score, with_interval
from aufer.near_copies import find_near_copies
from aufer.splits import TRAINING_PARTS

ACCURACY, MS = 0.66, 1.0
"""Targets, for the shipped model on images-public."""


def read(folder: Path, bundle: Bundle, wanted: ImageInput) -> PictureSet:
    """The images of a folder, of the model's emotions."""
    emotions = Emotions(bundle.emotions.names)
    return read_picture_set(folder, find_images(folder, emotions), emotions, wanted)


def time_one(bundle: Bundle, pixels: np.ndarray, n: int) -> tuple[float, float]:
    """Milliseconds for one image on one core: the median of ``n`` calls, and the fastest."""
    took = []
    for number in range(n + 20):
        one = pixels[number % len(pixels)][None]
        started = time.perf_counter()
        bundle.predict_proba(one)
        took.append(1000 * (time.perf_counter() - started))
    return float(np.median(took[20:])), min(took[20:])


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="face-cnn", help="a bundle, by path or by name")
    parser.add_argument("--images", type=Path, help="a folder per emotion; default: images-public")
    parser.add_argument("--quick", action="store_true", help="time fewer calls")
    options = parser.parse_args()
    bundle = open_model(options.model)
    wanted = bundle.image_input
    if not isinstance(bundle, Bundle) or wanted is None:
        raise SystemExit(f"{options.model} is no bundle of an image model")
    with tempfile.TemporaryDirectory() as name:
        folder = options.images
        if folder is None:
            folder = Path(name)
            data = Path(os.environ.get("AUFER_DATA", ".")) / "fer2013" / "images-public.zip"
            with zipfile.ZipFile(data) as archive:
                archive.extractall(folder)
        pictures = read(folder, bundle, wanted)
    probabilities = bundle.predict_proba(pictures.pixels)
    rows = pd.read_csv(bundle.path / ROWS_NAME, dtype=str, keep_default_na=False)
    trained = rows[rows["part"].isin(TRAINING_PARTS)]
    equal = pictures.rows["sha256"].isin(set(trained["sha256"]) - {""}).to_numpy()
    seen = equal | find_near_copies(pictures.rows["phash"].tolist(), trained["phash"].tolist())
    print(f"{bundle.name} on {len(pictures)} images, {int(seen.sum())} of them copies of training")
    print("test images      accuracy                macro-F1  balanced  ECE")
    every = np.ones(len(pictures), dtype=bool)
    accuracy = 0.0
    for title, part in (("without copies", ~seen), ("all", every)):
        truth, said = pictures.labels[part], probabilities[part]
        figures = score(truth, said, np.ones(len(truth), dtype=bool), bundle.emotions.names)
        accuracy = figures["accuracy"]["value"]
        print(
            f"{title:<15}  {with_interval(figures['accuracy']):<22}  {figures['macro_f1']:.3f}     "
            f"{figures['balanced_accuracy']:.3f}     {figures['ece']:.3f}"
        )
    print("recall, all: ", end="")
    print(
        ", ".join(
            f"{row['emotion']} {row['recall']['value']:.2f}" for row in figures["per_emotion"]
        )
    )
    median, least = time_one(bundle, pictures.pixels, 300 if options.quick else 3000)
    print(f"one core: {median:.2f} ms an image (median), {least:.2f} ms (fastest)")
    if options.images is not None:
        return 0
    met = verdict("accuracy on all", accuracy, ACCURACY, at_least=True)
    return int(not (verdict("ms an image", median, MS) and met))


if __name__ == "__main__":
    raise SystemExit(main())
