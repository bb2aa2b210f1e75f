"""Training pictures as another camera, another light, another turn of the head could show them.

All of a batch at once, in TensorFlow, on the GPU where there is one. What is drawn depends on the
seed alone: the same seed gives the same pictures.
"""

from __future__ import annotations

import math
from typing import Any

ANGLE = 15.0
"""Turned by up to so many degrees."""

SCALE = 0.15
SHIFT = 0.10
"""Enlarged or shrunk by up to this share; moved by up to this share of its side."""

GAMMA = 0.4
CONTRAST = 0.3
BRIGHTNESS = 25.0
"""Natural logarithms of the exponent and of the factor, and a term, of grey values 0-255. The
network takes out what is linear in these, but not what is cut off at black and white."""

COARSE_SHARE = 0.2
COARSE = (0.4, 0.85)
"""This share of the pictures is shrunk to a size within these limits and enlarged again: a face far
from its camera."""

COVER_SHARE = 0.5
COVER = (0.05, 0.15)
"""A rectangle is laid over this share of the pictures; half of its sides, by the picture's."""

_N_DRAWS = 14


def augment(pixels: Any, seed: Any) -> Any:
    """The pictures of a batch, changed at random.

    Args:
        pixels: float32 tensor [n, h, w, c], 0-255. seed: int32 tensor [2].

    Returns:
        float32 tensor [n, h, w, c], 0-255.
    """
    import tensorflow as tf

    n = tf.shape(pixels)[0]
    draws = tf.unstack(tf.random.stateless_uniform([_N_DRAWS, n], seed, -1.0, 1.0))
    moved = _move(tf, pixels, draws[:5])
    coarse_one = tf.random.stateless_uniform([], tf.add(seed, [0, 1]), *COARSE)
    moved = tf.where(_each(draws[5] < 2 * COARSE_SHARE - 1), _coarsen(tf, moved, coarse_one), moved)
    lit = 255.0 * (moved / 255.0) ** _each(tf.exp(GAMMA * draws[6]))
    mean = tf.reduce_mean(lit, axis=[1, 2, 3], keepdims=True)
    lit = mean + (lit - mean) * _each(tf.exp(CONTRAST * draws[7])) + _each(BRIGHTNESS * draws[8])
    covered = tf.where(_covers(tf, pixels, draws[9:14]), mean, lit)
    return tf.clip_by_value(covered, 0.0, 255.0)


def _each(values: Any) -> Any:
    """A number per picture, to go with pixels: [n] -> [n, 1, 1, 1]."""
    return values[:, None, None, None]


def _move(tf: Any, pixels: Any, draws: list[Any]) -> Any:
    """Mirrored, turned, scaled and shifted; what comes in from outside is the picture mirrored.

    Each new pixel (x, y), from the middle, is the old one at ``A (x, y) + shift``.
    """
    mirror = tf.where(draws[0] < 0, -1.0, 1.0)
    angle, factor = math.radians(ANGLE) * draws[1], 1 + SCALE * draws[2]
    height, width = pixels.shape[1], pixels.shape[2]
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    a, b = mirror * tf.cos(angle) / factor, -mirror * tf.sin(angle) / factor
    c, d = tf.sin(angle) / factor, tf.cos(angle) / factor
    shift_x = middle_x + SHIFT * width * draws[3] - a * middle_x - b * middle_y
    shift_y = middle_y + SHIFT * height * draws[4] - c * middle_x - d * middle_y
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=tf.stack([a, b, shift_x, c, d, shift_y, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _coarsen(tf: Any, pixels: Any, share: Any) -> Any:
    """Shrunk to this share of the size, by means of areas, and enlarged again."""
    height, width = pixels.shape[1], pixels.shape[2]
    sides = [tf.maximum(1, tf.cast(share * side, tf.int32)) for side in (height, width)]
    small = tf.image.resize(pixels, sides, method="area")
    return tf.image.resize(small, [height, width], method="bilinear")


def _covers(tf: Any, pixels: Any, draws: list[Any]) -> Any:
    """Where rectangles lie over the pictures, bool [n, h, w, 1]."""
    height, width = pixels.shape[1], pixels.shape[2]
    least, most = COVER

    def within(side: int, middle: Any, half: Any) -> Any:
        places = tf.range(side, dtype=tf.float32)[None, :] / side - 0.5  # [1, side]
        return tf.abs(places - middle[:, None] / 2) < half[:, None]

    halves = [least + (most - least) * (1 + draw) / 2 for draw in draws[2:4]]
    rows, columns = within(height, draws[0], halves[0]), within(width, draws[1], halves[1])
    is_covered = draws[4] < 2 * COVER_SHARE - 1
    return (rows[:, :, None] & columns[:, None, :])[..., None] & _each(is_covered)


def facts() -> dict[str, Any]:
    """How far pictures are changed, plain JSON, for bundle.json."""
    return {
        "mirrored": 0.5,
        "angle": ANGLE,
        "scale": SCALE,
        "shift": SHIFT,
        "log_gamma": GAMMA,
        "log_contrast": CONTRAST,
        "brightness": BRIGHTNESS,
        "coarse": {"share": COARSE_SHARE, "sizes": list(COARSE)},
        "cover": {"share": COVER_SHARE, "half_sides": list(COVER)},
    }
