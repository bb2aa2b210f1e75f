"""What finds the faces of a frame."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from aufer.live.box import Box


class Finder(Protocol):
    """Finds faces. It may remember where they were, to be quick: `forget` where the next frame has
    nothing to do with the last."""

    @property
    def title(self) -> str:
        """What it is called in sentences."""

    def find(self, pixels: np.ndarray, grey: np.ndarray) -> list[Box]:
        """The faces of a frame, in its pixels, wholly inside it, in any order.

        Args:
            pixels: uint8 [h, w, 3], BGR. grey: uint8 [h, w], the same.
        """

    def forget(self) -> None:
        """The next frame is another scene."""
