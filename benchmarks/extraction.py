"""What the benchmarks of `aufer extract` share: made-up photos, and command lines."""

from __future__ import annotations

import os
import shlex
import statistics
import sys
from pathlib import Path

import cv2
import numpy as np
from measuring import run

EMOTIONS = ("angry", "disgust", "happy", "neutral", "sad", "surprise")

STAND_IN = Path(__file__).parents[1] / "tests" / "stand_in" / "FaceLandmarkImg"
"""A shell script that behaves as OpenFace does, and can burn time as OpenFace does."""

FAST_FACE = shlex.join([sys.executable, str(Path(__file__).with_name("fast_face.py"))])

VARIETY = 300
"""So many photos differ to the eye; further ones differ in a comment, so in their bytes alone."""


def make_photos(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """JPEGs, no two with the same bytes, in folders by emotion: smooth noise with a finer grain."""
    rng = np.random.default_rng(0)
    width, height = size
    coarse_size = (max(6, height // 40), max(6, width // 40), 3)
    grain_size = (height // 2, width // 2, 3)
    contents: list[bytes] = []
    for emotion in EMOTIONS:
        (folder / emotion).mkdir(parents=True)
    paths = []
    for number in range(count):
        if number < VARIETY:
            pixels = cv2.resize(rng.uniform(0, 255, coarse_size), size, None, 0, 0, cv2.INTER_CUBIC)
            pixels += cv2.resize(rng.normal(0, 8, grain_size), size)
            contents.append(cv2.imencode(".jpg", pixels.clip(0, 255).astype(np.uint8))[1].tobytes())
        # looks the same -> has the same label
        emotion = EMOTIONS[number % VARIETY % len(EMOTIONS)]
        paths.append(folder / emotion / f"{number:06}.jpg")
        paths[-1].write_bytes(with_comment(contents[number % VARIETY], number))
    return paths


def with_comment(jpeg: bytes, number: int) -> bytes:
    """The same picture in other bytes."""
    comment = f"{number:08}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def flat_links(paths: list[Path], folder: Path) -> Path:
    """A flat folder, as OpenFace wants it, of hard links to pictures."""
    folder.mkdir()
    for path in paths:
        (folder / path.name).hardlink_to(path)
    return folder


def burn(milliseconds: int) -> None:
    """Let the stand-in burn so much CPU time a photo: the same work in each of its runs.

    Left to itself (``STAND_IN_BURN_MS``) it measures anew in each run how much that is, and is out
    by a fifth.
    """
    loops = 500_000
    loop = f"i=0; while [ $i -lt {loops} ]; do i=$((i + 1)); done"
    cpu_s = statistics.median(run(["sh", "-c", loop]).cpu_s for _ in range(3))
    os.environ["STAND_IN_BURN_LOOPS"] = str(round(loops * milliseconds / 1000 / cpu_s))


def bare(photos: Path, output: Path) -> list[str]:
    """OpenFace's own command for a flat folder."""
    places = ["-fdir", str(photos), "-out_dir", str(output)]
    return [str(STAND_IN), *places, "-aus", "-pose", "-2Dfp"]


def extract(photos: Path, out: Path, openface: str, *options: str) -> list[str]:
    """`aufer extract` with a local OpenFace; one look a picture, of its own size."""
    command = [sys.executable, "-m", "aufer", "extract", str(photos), "--out", str(out)]
    command += ["--engine", "local", "--openface", openface, "--enlarge", "off", "--looks", "1"]
    return [*command, *options]
