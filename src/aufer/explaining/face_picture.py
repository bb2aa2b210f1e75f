"""What there is to draw of a face: its picture, its landmarks, its box, where a model looked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aufer.pictures.decoding import Undecodable, decoded, memory_for, upright_pixels

MOST_SIDE = 480
"""Pixels of a side of the picture in a figure: a page carries its pictures with it."""

MARGIN = 0.35
"""Around the landmarks, of their larger side."""

CONTOURS: tuple[tuple[int, ...], ...] = (
    tuple(range(17)),
    tuple(range(17, 22)),
    tuple(range(22, 27)),
    tuple(range(27, 31)),
    tuple(range(31, 36)),
    (*range(36, 42), 36),
    (*range(42, 48), 42),
    (*range(48, 60), 48),
    (*range(60, 68), 60),
)
"""The 68 landmarks as lines: jaw, brows, nose, eyes, lips (the order of iBUG 300-W)."""


@dataclass(frozen=True)
class FacePicture:
    """What is known of how a face looks; any part may be missing.

    Attributes:
        path: of the picture. landmarks: float64 [68, 2], x and y in pixels of the picture that
            OpenFace was given, which need not be this one. box: x, y, width, height, likewise.
        pixels: uint8 [height, width, channels], as an image model takes them.
        saliency: float64 [height, width] of ``pixels``, 0 and more.
    """

    path: Path | None = None
    landmarks: np.ndarray | None = None
    box: tuple[float, float, float, float] | None = None
    pixels: np.ndarray | None = None
    saliency: np.ndarray | None = None

    def read(self) -> np.ndarray | None:
        """The picture, upright, uint8 [h, w] or [h, w, 3]; None where it can't be read."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            with (
                self.path.open("rb") as file,
                decoded(file) as picture,
                memory_for(*picture.size),
            ):
                return upright_pixels(picture)
        except (Undecodable, OSError):
            return None

    def frame(self) -> tuple[float, float, float, float] | None:
        """The face's box: that of the landmarks, else the one that was recorded."""
        if self.landmarks is not None:
            (left, top), (right, bottom) = self.landmarks.min(axis=0), self.landmarks.max(axis=0)
            return float(left), float(top), float(right - left), float(bottom - top)
        return self.box

    def fits(self, pixels: np.ndarray) -> bool:
        """Whether landmarks or box can be of this very picture: their middle lies in it, and they
        are no larger."""
        if (frame := self.frame()) is None:
            return False
        left, top, width, height = frame
        rows, columns = pixels.shape[:2]
        inside = 0 <= left + width / 2 <= columns and 0 <= top + height / 2 <= rows
        return inside and width <= columns * 1.1 and height <= rows * 1.1


def cut_face(
    pixels: np.ndarray, frame: tuple[float, float, float, float]
) -> tuple[np.ndarray, float, float, float]:
    """The part of a picture around a face, made smaller where it is large.

    Returns:
        the pixels; x and y of its corner in the picture; how many pixels of it are one of these.
    """
    left, top, width, height = frame
    margin = MARGIN * max(width, height)
    rows, columns = pixels.shape[:2]
    x0, y0 = max(0, int(left - margin)), max(0, int(top - margin))
    x1, y1 = min(columns, int(left + width + margin)), min(rows, int(top + height + margin))
    small, factor = shrink(pixels[y0:y1, x0:x1])
    return small, x0, y0, factor


def shrink(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """A picture of at most `MOST_SIDE` pixels a side, and how many of its pixels are one now."""
    factor = -(-max(pixels.shape[:2]) // MOST_SIDE)
    if factor <= 1:
        return pixels, 1.0
    rows, columns = (side // factor for side in pixels.shape[:2])
    blocks = pixels[: rows * factor, : columns * factor]
    shape = (rows, factor, columns, factor, *pixels.shape[2:])
    return blocks.reshape(shape).mean(axis=(1, 3)).round().astype(np.uint8), float(factor)
