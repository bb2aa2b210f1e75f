"""A rectangle around a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """Where a face is, in pixels of the full frame; the origin is at the top left.

    Attributes:
        x, y: the left upper corner. width, height: at least 1.
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def area(self) -> int:
        """Square pixels."""
        return self.width * self.height

    @property
    def middle(self) -> tuple[float, float]:
        """The centre's x and y."""
        return self.x + self.width / 2, self.y + self.height / 2

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0-1."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        both = width * height
        return both / (self.area + other.area - both)

    def enlarged(self, margin: float) -> Box:
        """A box about the same middle with ``margin`` of its sides more on each of the four."""
        across, down = round(self.width * margin), round(self.height * margin)
        width, height = max(1, self.width + 2 * across), max(1, self.height + 2 * down)
        return Box(self.x - across, self.y - down, width, height)

    def inside(self, width: int, height: int) -> Box | None:
        """The part of it that lies in a frame of that size; None where none does."""
        left, top = max(self.x, 0), max(self.y, 0)
        right, bottom = min(self.x + self.width, width), min(self.y + self.height, height)
        if right <= left or bottom <= top:
            return None
        return Box(left, top, right - left, bottom - top)

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """The pixels [h, w] or [h, w, c] that it holds of a frame's; it must lie inside."""
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]
