"""Drawn faces, and files as OpenFace would write of them: to train an AU network on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.openface.output import LANDMARK_COLUMNS
from tests.au_net_model import mean_shape

SIDE = 96
MOVED = ("AU01_r", "AU25_r")
"""The AUs that are drawn: how high the brows are, and how far open the mouth is."""

_BROWS, _LOWER_LIPS = slice(17, 27), [*range(54, 60), *range(64, 68)]


def draw_face(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, uint8 [SIDE, SIDE]; its landmarks [68, 2]; 17 intensities."""
    aus = np.zeros(len(INTENSITY_COLUMNS))
    for name in MOVED:
        aus[INTENSITY_COLUMNS.index(name)] = max(0.0, chance.uniform(-1, 4))
    shape = mean_shape()
    shape[_BROWS, 1] -= 0.06 * aus[INTENSITY_COLUMNS.index("AU01_r")]
    shape[_LOWER_LIPS, 1] += 0.08 * aus[INTENSITY_COLUMNS.index("AU25_r")]
    angle = np.radians(chance.normal(0, 5))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = SIDE / 2 + chance.normal(0, 2, 2)
    points = shape @ turn.T * SIDE * chance.uniform(0.26, 0.32) + middle
    coarse = chance.integers(20, 235, (7, 7)).astype(np.uint8)
    pixels = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    whole = points.round().astype(np.int32)
    skin = int(chance.integers(120, 220))
    cv2.fillConvexPoly(pixels, cv2.convexHull(whole), skin)
    for part in (slice(17, 22), slice(22, 27), slice(27, 31)):
        cv2.polylines(pixels, [whole[part]], False, skin - 70, 2, cv2.LINE_AA)
    for part in (slice(36, 42), slice(42, 48), slice(48, 60)):
        cv2.fillPoly(pixels, [whole[part]], skin - 100, cv2.LINE_AA)
    return pixels, points, aus.round(2)


def write_csv(path: Path, points: np.ndarray | None, aus: np.ndarray) -> None:
    """A file of FaceLandmarkImg; without points, as without ``-2Dfp``."""
    names = ["face", "confidence"]
    values = ["0", "0.98"]
    if points is not None:
        names += LANDMARK_COLUMNS
        values += [f"{value:.1f}" for value in points.T.ravel()]
    names += INTENSITY_COLUMNS
    values += [f"{value:.2f}" for value in aus]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",".join(names) + "\n" + ",".join(values) + "\n", encoding="ascii")


def save_faces(
    folder: Path, n: int, seed: int = 0, *, landmarks: bool = True, enlarged: float = 1.0
) -> tuple[Path, Path]:
    """Save pictures and the files of them; their two folders.

    Args:
        enlarged: OpenFace was given the pictures so much larger.
    """
    chance = np.random.default_rng(seed)
    images, aus = folder / "images", folder / "openface"
    images.mkdir(parents=True)
    for number in range(n):
        pixels, points, values = draw_face(chance)
        cv2.imwrite(str(images / f"{number:03d}.png"), pixels)
        write_csv(aus / f"{number:03d}.csv", points * enlarged if landmarks else None, values)
    return images, aus
