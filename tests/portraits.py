"""Drawn portraits, simple ones, that Haar's cascade takes for faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import PIL.Image


def draw_portrait(side: int = 200, skin: int = 190, seed: int = 0) -> np.ndarray:
    """A face on grey, uint8 [side, side]; every seed has pixels of its own."""
    grey = np.full((side, side), 90, np.uint8)

    def ellipse(x: float, y: float, across: float, down: float, value: int) -> None:
        middle = (round(side / 2 + x * side / 200), round(side / 2 + y * side / 200))
        axes = (round(across * side / 200), round(down * side / 200))
        cv2.ellipse(grey, middle, axes, 0, 0, 360, value, -1, cv2.LINE_AA)

    ellipse(0, -5, 66, 80, 50)  # hair
    ellipse(0, 10, 56, 72, skin)
    for x in (-24, 24):
        for y, across, down, value in (
            *((-12, 17, 11, skin - 60), (-26, 18, 4, 40), (-11, 11, 5, 235)),
            (-11, 5, 5, 30),
        ):
            ellipse(x, y, across, down, value)
    ellipse(0, 10, 7, 22, skin + 25)  # nose
    for x in (-7, 7):
        ellipse(x, 28, 4, 3, skin - 90)
    ellipse(0, 52, 22, 6, skin - 90)  # mouth
    ellipse(0, 62, 20, 4, skin + 20)
    soft = cv2.GaussianBlur(grey, (0, 0), side / 100)
    grain = np.random.default_rng(seed).normal(0, 2, soft.shape)
    return np.clip(soft + grain, 0, 255).astype(np.uint8)


def save_portrait(path: Path, side: int = 200, skin: int = 190, seed: int = 0) -> Path:
    """Write one, in the format of the path's suffix."""
    return save_pixels(path, draw_portrait(side, skin, seed))


def save_pixels(path: Path, grey: np.ndarray) -> Path:
    """Write grey pixels as a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    PIL.Image.fromarray(grey).save(path, **options)
    return path
