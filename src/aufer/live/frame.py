"""A picture of a source, and when it came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """One picture.

    Attributes:
        pixels: uint8 [height, width, 3], blue before green before red, as OpenCV has them.
        number: its position in the source, from 0; those that were dropped count.
        taken_at: seconds since the epoch, when it was read.
        read_at_s: the same by `time.perf_counter`, for durations.
        read_s: how long reading and decoding took.
        name: the file, of a folder of pictures.
    """

    pixels: np.ndarray
    number: int
    taken_at: float
    read_at_s: float
    read_s: float = 0.0
    name: str = ""

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[0])
