"""The dense Keras network: how it is built, asked, and averaged.

Everything is made of Keras's own layers, so that ``model.keras`` loads in safe mode anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aufer.classifiers.recipe import COMPRESSED, RAW, Recipe

HIDDEN_LAYERS = (300, 200, 100, 50)
"""Units of the hidden layers, those of the reference project."""

STEEP, BOTH = "steep", "both"
"""Names of the layers that multiply the intensities before these are pressed, and that puts both
side by side."""

_ROWS_AT_ONCE = 65536


def build(keras: Any, recipe: Recipe, n_outputs: int, aus: np.ndarray) -> Any:
    """The network, not compiled.

    Args:
        keras: the imported package. aus: the training rows, [n, 17], whose means and variances the
            input layers hold.
    """
    layers = keras.layers
    inputs = keras.Input((aus.shape[1],), name="aus")  # [n, 17]
    value, values = inputs, aus.astype(np.float64)
    if recipe.inputs == COMPRESSED:
        steep = layers.Rescaling(recipe.steepness, name=STEEP)(inputs)
        pressed = layers.Activation("softsign", name="pressed")(steep)
        value = layers.Concatenate(name=BOTH)([inputs, pressed])  # [n, 34]
        values = np.hstack([values, compress(values, recipe.steepness)])
    if recipe.inputs != RAW:
        # frozen: Keras's Normalization makes its numbers constants, and a traced function of the
        # network would not hold for the next one of its kind
        scaling = layers.BatchNormalization(
            center=False, scale=False, epsilon=1e-7, trainable=False, name="scaled"
        )
        value = scaling(value)
        scaling.set_weights([values.mean(axis=0), values.var(axis=0)])
    l2 = keras.regularizers.L2(recipe.l2) if recipe.l2 else None
    start = "glorot_uniform" if recipe.inputs == RAW else "he_uniform"
    for number, units in enumerate(HIDDEN_LAYERS):
        value = layers.Dense(
            units, activation="relu", kernel_initializer=start, kernel_regularizer=l2
        )(value)  # [n, units]
        if recipe.dropout and recipe.dropout[number]:
            value = layers.Dropout(recipe.dropout[number])(value)
    outputs = layers.Dense(n_outputs, activation="softmax", kernel_regularizer=l2)(value)
    return keras.Model(inputs, outputs)  # [n, emotions]


def compress(aus: np.ndarray, steepness: float) -> np.ndarray:
    """Intensities pressed into -1..1, ``s x / (1 + |s x|)``: what the network gets beside them."""
    steep = steepness * aus
    pressed: np.ndarray = steep / (1 + np.abs(steep))
    return pressed


def predict(network: Any, values: np.ndarray) -> np.ndarray:
    """Probabilities by Keras, float32 [n, emotions], of ``values`` float32 [n, 17].

    ``Model.predict`` would build and trace a graph first, which takes longer than the predicting.
    """
    found = [
        np.asarray(network(values[start : start + _ROWS_AT_ONCE], training=False))
        for start in range(0, len(values), _ROWS_AT_ONCE)
    ]
    return np.concatenate(found) if found else np.zeros((0, network.output_shape[-1]), np.float32)


def average_networks(keras: Any, networks: Sequence[Any]) -> Any:
    """One network that gives the mean of the networks' probabilities."""
    inputs = keras.Input((networks[0].input_shape[-1],), name="aus")
    outputs = []
    for number, network in enumerate(networks, start=1):
        member = keras.models.clone_model(network)
        member.set_weights(network.get_weights())
        member.name = f"member_{number:02d}"
        outputs.append(member(inputs))
    return keras.Model(inputs, keras.layers.Average()(outputs))
