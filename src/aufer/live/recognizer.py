"""What a model of pictures says of the faces of a frame, all of them in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aufer.bundle import Bundle
from aufer.errors import DataError
from aufer.image_input import GREY, ImageInput
from aufer.live.box import Box
from aufer.live.expressions import Expressions
from aufer.pictures.pixels import fit_pixels

MARGIN = 0.1
"""What is cut out beyond a face's box. Pictures that models are trained on hold that much more than
the Haar cascade's box; face-cnn reads 62 % of web faces so, and 57 % without (face_margin.py)."""


class Recognizer:
    """Asks a bundle for the expressions of faces.

    Attributes:
        model: the bundle. expressions: what it can answer.
        margin: how much more than a face's box is cut out, on each side, in parts of the box's.
    """

    def __init__(self, model: Bundle, margin: float = MARGIN) -> None:
        self.model, self.margin = model, margin
        self.expressions = Expressions.of(model.emotions)
        self._input = _pictures_of(model)

    def scores(self, pixels: np.ndarray, grey: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Probabilities, float32 [faces, expressions]; rows sum to 1.

        Args:
            pixels: the frame, uint8 [h, w, 3], BGR. grey: uint8 [h, w], the same.
            boxes: the faces, inside the frame.
        """
        if not boxes:
            return np.zeros((0, len(self.expressions.names)), dtype=np.float32)
        return self.model.predict_proba(np.stack([self._cut(pixels, grey, box) for box in boxes]))

    def warm_up(self) -> None:
        """Open the network now, so that the first face does not wait for it."""
        self.model.predict_proba(np.zeros((1, *self._input.shape), dtype=np.uint8))

    def _cut(self, pixels: np.ndarray, grey: np.ndarray, box: Box) -> np.ndarray:
        height, width = grey.shape
        box = box.enlarged(self.margin).inside(width, height) or box
        if self._input.channels == GREY:
            return fit_pixels(box.cut(grey), self._input)
        return fit_pixels(box.cut(pixels)[:, :, ::-1], self._input)


def _pictures_of(model: Bundle) -> ImageInput:
    if model.image_input is None:
        raise DataError(
            f"The model {model.name} reads Action Units, and a camera gives pictures.",
            hint="name a model of pictures: aufer live --model face-cnn",
        )
    return model.image_input
