"""The two networks of an AU network: landmarks of a rough crop, and Action Units of an aligned one.

Both begin with oriented gradients, as OpenFace's own features of the face are: a convolution that
starts as derivatives in twelve directions, each sharpened against the others, summed up over cells
of 4 pixels and normalised by its surroundings. (N. Dalal, B. Triggs: Histograms of oriented
gradients for human detection, CVPR 2005.) What follows are a few plain convolutions.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.format import AUS, CONFIDENCE, LANDMARKS, N_LANDMARKS, PIXELS
from aufer.classifiers.backend import import_keras

ALIGN_OUTPUTS = (LANDMARKS,)
AUS_OUTPUTS = (LANDMARKS, AUS, CONFIDENCE)

SHARPENING_LEAST = 1.0
NORMALISING_LEAST = 4.0
"""Added to sums of squares of gradients, so that noise in plain skin is not magnified."""

_MOMENTUM = 0.98
_RIDGE = 1e-4


@dataclass(frozen=True)
class Sizes:
    """How large the networks are.

    Attributes:
        align_side, aus_side: pixels of their square crops, multiples of 16. directions: of the
            gradients. align_channels, aus_channels: of the four convolutions; the second and the
            fourth halve the picture. align_width, aus_width: of the layer before the outputs.
        straight_width: of the way to the AUs that has no bend in it.
    """

    align_side: int = 64
    aus_side: int = 96
    directions: int = 12
    align_channels: tuple[int, ...] = (48, 64, 96, 96)
    aus_channels: tuple[int, ...] = (48, 64, 96, 128)
    align_width: int = 256
    aus_width: int = 192
    straight_width: int = 96

    def facts(self) -> dict[str, Any]:
        """The sizes as plain JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Sizes:
        """The sizes that `facts` gave."""
        known: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()
        }
        return cls(**known)


@functools.cache
def custom_layers() -> dict[str, Any]:
    """The layers that Keras has not, by their names: for ``custom_objects``."""
    keras = import_keras()
    ops = keras.ops

    class Sharpen(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """``d^3 / (|d|^2 + 1)`` over the directions d: the strongest ones prevail."""

        def call(self, values: Any) -> Any:
            squares = ops.sum(ops.square(values), axis=-1, keepdims=True)
            return values * values * values / (squares + SHARPENING_LEAST)

    class Normalise(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """Divided by the strength of the 3 x 3 cells around, cut to 0-1."""

        def call(self, values: Any) -> Any:
            squares = ops.sum(ops.square(values), axis=-1, keepdims=True)
            around = ops.average_pool(squares, 3, strides=1, padding="same")
            return ops.clip(values / ops.sqrt(around + NORMALISING_LEAST), 0, 1)

    return {"Sharpen": Sharpen, "Normalise": Normalise}


def derivatives(directions: int, size: int = 5) -> np.ndarray:
    """Kernels of Gaussian derivatives, float32 [size, size, 1, directions]."""
    along = np.arange(size) - size // 2
    x, y = np.meshgrid(along, along)
    bell = np.exp(-(x * x + y * y) / 2)
    angles = 2 * np.pi * np.arange(directions) / directions
    kernels = (x[..., None] * np.cos(angles) + y[..., None] * np.sin(angles)) * bell[..., None]
    kernels = kernels / np.abs(kernels).sum(axis=(0, 1), keepdims=True)
    return kernels[:, :, None, :].astype(np.float32)


def build_align(sizes: Sizes) -> Any:
    """The align network: ``pixels`` [n, side, side, 1], 0-255 -> landmarks [n, 136]."""
    layers = import_keras().layers
    inputs, value = _begin(sizes.align_side, sizes.directions, sizes.align_channels)
    value = layers.Dense(sizes.align_width, activation="relu")(layers.Flatten()(value))
    return import_keras().Model(inputs, layers.Dense(2 * N_LANDMARKS, name=LANDMARKS)(value))


def build_aus(sizes: Sizes, dropout: float) -> Any:
    """The AU network: ``pixels`` -> landmarks [n, 136], AUs [n, 17], confidence's logit [n, 1].

    The AUs are a sum: of a way through a bend, which sees the landmarks too, and a straight one.
    """
    keras = import_keras()
    layers = keras.layers
    n_aus = len(INTENSITY_COLUMNS)
    inputs, value = _begin(sizes.aus_side, sizes.directions, sizes.aus_channels)
    value = layers.Dropout(dropout)(layers.Flatten()(value))
    bent = layers.BatchNormalization(momentum=_MOMENTUM)(layers.Dense(sizes.aus_width)(value))
    bent = layers.ReLU()(bent)
    landmarks = layers.Dense(2 * N_LANDMARKS, name=LANDMARKS)(bent)
    seen = layers.Concatenate()([layers.Dropout(dropout)(bent), landmarks])
    straight = layers.Dense(sizes.straight_width, use_bias=False)(value)
    straight = layers.Dense(
        n_aus, use_bias=False, kernel_regularizer=keras.regularizers.L2(_RIDGE)
    )(straight)
    aus = layers.Add(name=AUS)([layers.Dense(n_aus)(seen), straight])
    return keras.Model(inputs, [landmarks, aus, layers.Dense(1, name=CONFIDENCE)(bent)])


def _begin(side: int, directions: int, channels: tuple[int, ...]) -> tuple[Any, Any]:
    """The input, and the values behind the gradients and the convolutions."""
    keras = import_keras()
    layers, custom = keras.layers, custom_layers()
    inputs = keras.Input((side, side, 1), name=PIXELS)
    oriented = layers.Conv2D(
        directions, 5, padding="same", use_bias=False, activation="relu", name="oriented"
    )
    value = custom["Sharpen"]()(oriented(inputs))
    oriented.set_weights([derivatives(directions)])
    value = custom["Normalise"]()(layers.AveragePooling2D(4, strides=4)(value))
    for number, n_channels in enumerate(channels):
        value = layers.Conv2D(
            n_channels, 3, strides=1 + number % 2, padding="same", use_bias=False
        )(value)
        value = layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(value))
    return inputs, value
