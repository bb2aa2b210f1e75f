"""Pictures of any size in frames of one size: scaled to fit, in their middle, black around them."""

from __future__ import annotations

import numpy as np

from aufer.pictures.opencv import opencv


def fit_into(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture in a frame of that size, its shape kept.

    Args:
        pixels: uint8 [h, w, 3].

    Returns:
        uint8 [height, width, 3]; the same array where it has that size.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    left, top, inner_width, inner_height = _place(pixels.shape[1], pixels.shape[0], width, height)
    framed = np.zeros((height, width, 3), dtype=np.uint8)
    inner = _scaled(pixels, inner_width, inner_height)
    framed[top : top + inner_height, left : left + inner_width] = inner
    return framed


def take_out_of(framed: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture of that size that `fit_into` put into a frame, as well as it can be had back.

    Args:
        framed: uint8 [h, w, 3]. width, height: the picture's own.

    Returns:
        uint8 [height, width, 3].
    """
    if framed.shape[:2] == (height, width):
        return framed
    left, top, inner_width, inner_height = _place(width, height, framed.shape[1], framed.shape[0])
    inner = framed[top : top + inner_height, left : left + inner_width]
    return _scaled(np.ascontiguousarray(inner), width, height)


def _place(width: int, height: int, into_width: int, into_height: int) -> tuple[int, int, int, int]:
    """Where a picture comes to lie: left, top, width, height."""
    scale = min(into_width / width, into_height / height)
    inner_width = min(max(round(width * scale), 1), into_width)
    inner_height = min(max(round(height * scale), 1), into_height)
    left, top = (into_width - inner_width) // 2, (into_height - inner_height) // 2
    return left, top, inner_width, inner_height


def _scaled(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    cv2 = opencv()
    shrinks = width < pixels.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method))
