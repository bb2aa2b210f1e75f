"""The whole frame is a face."""

from __future__ import annotations

import numpy as np

from aufer.live.box import Box


class WholeFrame:
    """For pictures that are faces already, cut out by somebody else."""

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return "the whole picture as one face"

    def find(self, pixels: np.ndarray, grey: np.ndarray) -> list[Box]:
        """One box, the frame's."""
        height, width = grey.shape
        return [Box(0, 0, width, height)]

    def forget(self) -> None:
        """There is nothing to forget."""
