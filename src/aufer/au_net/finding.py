"""Faces in single pictures, by the cascade of `aufer live`."""

from __future__ import annotations

import numpy as np

from aufer.live.box import Box
from aufer.live.finding.haar import TRAINED_SIDE, HaarFinder
from aufer.pictures.opencv import opencv

STAGES = ((160, 1.2), (240, 1.1), (480, 1.15))
"""To so many pixels the longer side is reduced, and by this factor the sizes of the faces grow that
are looked for; stage after stage until a face is found. The first takes a small part of the time of
the second, and finds faces from a sixth of the longer side on: smaller ones count only where
there is no such."""

SMALLEST_FACE = 30
"""Pixels of the original: of less there is little to be seen."""

MIN_NEIGHBORS = 2
"""Fewer than live asks for: the network tells a find that is no face by its confidence."""


class PictureFinder(HaarFinder):
    """Looks at each picture alone, on one core: as many processes run as there are cores."""

    def __init__(self) -> None:
        """Read the cascade.

        Raises:
            EnvironmentFailure: this OpenCV has none.
        """
        super().__init__(
            min_face=SMALLEST_FACE, min_neighbors=MIN_NEIGHBORS, look_everywhere_every=1
        )

    def find_in(self, grey: np.ndarray) -> list[Box]:
        """The faces of a picture, uint8 [h, w], those on the left first; inside it."""
        cv2 = opencv()
        height, width = grey.shape
        for side, self.scale_factor in STAGES:
            scale = min(1.0, side / max(height, width))
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            small = grey if scale == 1 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
            smallest = max(TRAINED_SIDE, round(self.min_face * scale))
            boxes = self._search(small, smallest, self.min_neighbors)
            inside = [_enlarged(box, 1 / scale).inside(width, height) for box in boxes]
            if found := [box for box in inside if box is not None]:
                return sorted(found, key=lambda box: (box.x, box.y, box.width))
            if scale == 1 and self.scale_factor == STAGES[-1][1]:
                break  # the further stages are the same
        return []


def _enlarged(box: Box, factor: float) -> Box:
    return Box(*(round(side * factor) for side in (box.x, box.y, box.width, box.height)))
