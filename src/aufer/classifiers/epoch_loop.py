"""A training loop of whole epochs inside TensorFlow.

Keras's ``fit`` spends most of an epoch of such a small network on starting it: about 0.2 s, against
some 0.03 s of arithmetic. Here the rows lie in memory, an epoch is one call, and the traced
function is used again for the next network of the same recipe (folds, members).
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from aufer.classifiers.recipe import STEEPNESSES, Recipe
from aufer.classifiers.recorder import Recorder

WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""

LEAST_STEPS = 25
LEAST_BATCH = 16


class EpochLoop:
    """Trains networks of one recipe and shape, one after the other."""

    def __init__(self, keras: Any, network: Any, recipe: Recipe) -> None:
        import tensorflow as tf

        self._tf, self._recipe = tf, recipe
        self._network = network
        self._optimizer = keras.optimizers.Adam(float(recipe.learning_rate))
        self._optimizer.build(network.trainable_variables)
        n_features, n_outputs = network.input_shape[-1], network.output_shape[-1]
        loss = keras.losses.CategoricalCrossentropy(
            label_smoothing=recipe.label_smoothing, reduction=None
        )

        def measure(values: Any, targets: Any, weights: Any, training: bool) -> tuple[Any, Any]:
            found = network(values, training=training)
            total = tf.reduce_mean(weights * loss(targets, found)) + sum(network.losses)
            right = tf.equal(tf.argmax(found, axis=1), tf.argmax(targets, axis=1))
            return total, tf.reduce_mean(tf.cast(right, tf.float32))

        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[
                tf.TensorSpec([None, n_features], tf.float32),
                tf.TensorSpec([None, n_outputs], tf.float32),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None, n_features], tf.float32),
                tf.TensorSpec([None, n_outputs], tf.float32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([None], tf.float32),
            ]
        )
        def run(
            values: Any,
            targets: Any,
            weights: Any,
            held_values: Any,
            held_targets: Any,
            order: Any,
            size: Any,
            rates: Any,
        ) -> Any:
            loss_sum, right_sum = tf.constant(0.0), tf.constant(0.0)
            for step in tf.range(tf.shape(rates)[0]):
                rows = order[step * size : (step + 1) * size]
                batch, wanted = tf.gather(values, rows), tf.gather(targets, rows)
                with tf.GradientTape() as tape:
                    total, right = measure(batch, wanted, tf.gather(weights, rows), True)
                gradients = tape.gradient(total, network.trainable_variables)
                self._optimizer.learning_rate.assign(rates[step])
                self._optimizer.apply(gradients)
                loss_sum += total
                right_sum += right
            steps = tf.cast(tf.shape(rates)[0], tf.float32)
            ones = tf.ones(tf.shape(held_values)[0])
            held_loss, held_right = measure(held_values, held_targets, ones, False)
            return tf.stack([loss_sum / steps, right_sum / steps, held_loss, held_right])

        self._run = run

    def train(
        self,
        network: Any,
        rows: tuple[np.ndarray, np.ndarray, np.ndarray],
        held: tuple[np.ndarray, np.ndarray],
        seed: int,
        recorder: Recorder,
    ) -> None:
        """Train as ``network`` would be; the recorder gets the weights of each epoch.

        Args:
            network: freshly built, of the loop's recipe; only its variables are read.
            rows: values float32 [n, 17], targets float32 [n, emotions], weights float32 [n].
            held: values and targets of the validation rows, or of none. seed: of the order.
        """
        tf, recipe = self._tf, self._recipe
        for own, fresh in zip(self._network.variables, network.variables, strict=True):
            own.assign(fresh)
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        constants = [tf.constant(values) for values in (*rows, *held)]
        n = len(rows[0])
        size = batch_size(recipe, n)
        n_steps = max(1, n // size)
        order = np.random.default_rng(seed)
        recorder.start()
        for epoch in range(1, recipe.epochs + 1):
            rates = learning_rates(recipe, n_steps, epoch)
            shuffled = order.permutation(n).astype(np.int32)
            values = self._run(
                *constants, tf.constant(shuffled), tf.constant(size), tf.constant(rates)
            ).numpy()
            names = ("loss", "accuracy", "val_loss", "val_accuracy")
            figures = dict(zip(names, values.tolist(), strict=True))
            if not len(held[0]):
                figures |= {"val_loss": None, "val_accuracy": None}
            if not recorder.record(epoch, figures, self._network) or not recorder.is_patient:
                return


def batch_size(recipe: Recipe, n: int) -> int:
    """Rows per step: the recipe's, but few rows are cut into at least `LEAST_STEPS` batches, as
    long as a batch has `LEAST_BATCH` rows."""
    return min(recipe.batch_size, max(LEAST_BATCH, n // LEAST_STEPS), n)


def learning_rates(recipe: Recipe, n_steps: int, epoch: int) -> np.ndarray:
    """The step size of each step of an epoch, float32 [n_steps]: up, then down along a cosine.

    Args:
        epoch: from 1.
    """
    total = recipe.epochs * n_steps
    warm = max(1, math.ceil(WARM_UP * total))
    step = np.arange((epoch - 1) * n_steps, epoch * n_steps)
    rising = (step + 1) / warm
    falling = 0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, total - warm)))
    rates = recipe.learning_rate * np.where(step < warm, rising, falling)
    return rates.astype(np.float32)


@functools.lru_cache(maxsize=len(STEEPNESSES))
def loop_for(keras: Any, recipe: Recipe, n_features: int, n_outputs: int) -> EpochLoop:
    """The loop for networks of a recipe and shape; the same one for the next network."""
    from aufer.classifiers.network import build

    rows = np.zeros((2, n_features))
    return EpochLoop(keras, build(keras, recipe, n_outputs, rows), recipe)
