"""Where in a picture an image model finds its answer: occlusion sensitivity.

A grey patch is moved over the picture; where it costs the answer much of its probability, the model
had looked (M. Zeiler & R. Fergus, Visualizing and understanding convolutional networks, ECCV 2014,
section 4.2). It asks the model itself, many times, and needs nothing but its answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aufer.errors import UsageError

if TYPE_CHECKING:
    from aufer.model import Model

PATCH = 0.2
"""Side of the patch, as a share of the picture's: about an eye, or half a mouth, of a face crop."""

STRIDE = 0.25
"""Steps of the patch, as a share of its side."""

_AT_ONCE = 64
"""Pictures in memory at a time."""

_BLUE, _ORANGE = (0, 114, 178), (213, 94, 0)
"""`plots.BLUE` and `plots.ORANGE`, red, green, blue."""

_STRONGEST = 0.65
"""Share of the colour where the map is 1 or -1."""


def patches_of(height: int, width: int) -> list[tuple[slice, slice]]:
    """Rows and columns of every place of the patch; together they cover the picture."""
    sides = []
    for length in (height, width):
        side = min(length, max(2, round(PATCH * length)))
        step = max(1, round(STRIDE * side))
        starts = [*range(0, length - side, step), length - side]
        sides.append([slice(start, start + side) for start in starts])
    return [(rows, columns) for rows in sides[0] for columns in sides[1]]


def saliency_map(lost: np.ndarray) -> np.ndarray:
    """`probability_lost` divided by its largest value, -1 to 1; all 0 where nothing is lost."""
    top = float(np.abs(lost).max())
    return lost / top if top > 0 else lost


def probability_lost(model: Model, pixels: np.ndarray, label: int) -> np.ndarray:
    """How much each pixel's neighbourhood speaks for an emotion.

    Args:
        model: one of pictures. pixels: one picture as the model takes it, [height, width,
            channels] of its `image_input`, 0-255. label: position in the model's emotions.

    Returns:
        float64 [height, width], -1 to 1: the probability that the emotion loses when a patch in
        the picture's mean colour covers the pixel, mean over the patches that do. Positive: what is
        seen there speaks for the emotion; negative: against it.

    Raises:
        UsageError: a model of AUs; another shape; no such label.
    """
    wanted = model.image_input
    if wanted is None:
        raise UsageError(
            f"The model {model.name} takes AUs: it has no picture to point at.",
            hint="the AUs that drove its answer: aufer explain MODEL INPUT",
        )
    if pixels.shape != wanted.shape:
        raise UsageError(
            f"The model {model.name} takes pictures of the shape {wanted.shape} (height, width, "
            f"channels), not {pixels.shape}."
        )
    if not 0 <= label < len(model.emotions):
        raise UsageError(f"The model {model.name} has no emotion number {label}.")
    height, width, _ = wanted.shape
    picture = pixels.astype(np.float32)
    patches = patches_of(height, width)
    grey = picture.mean(axis=(0, 1))
    whole = float(model.predict_proba(picture[None])[0, label])
    lost, covered = np.zeros((height, width)), np.zeros((height, width))
    for start in range(0, len(patches), _AT_ONCE):
        some = patches[start : start + _AT_ONCE]
        hidden = np.repeat(picture[None], len(some), axis=0)
        for number, (rows, columns) in enumerate(some):
            hidden[number, rows, columns] = grey
        left = model.predict_proba(hidden)[:, label].astype(np.float64)
        for (rows, columns), probability in zip(some, left, strict=True):
            lost[rows, columns] += whole - probability
            covered[rows, columns] += 1
    found: np.ndarray = lost / covered
    return found


def overlay(pixels: np.ndarray, saliency: np.ndarray) -> np.ndarray:
    """A picture with its map over it: orange speaks for the emotion, blue against it.

    Args:
        pixels: [height, width, 1 or 3], 0-255. saliency: `saliency_map`, [height, width].

    Returns:
        uint8 [height, width, 3]; the picture itself is grey, so that colours are the map's alone.
    """
    grey = pixels.astype(np.float64).mean(axis=2, keepdims=True)
    colour = np.where(saliency[..., None] >= 0, np.array(_ORANGE), np.array(_BLUE))
    share = _STRONGEST * np.abs(saliency)[..., None]
    mixed: np.ndarray = ((1 - share) * grey + share * colour).round().clip(0, 255).astype(np.uint8)
    return mixed
