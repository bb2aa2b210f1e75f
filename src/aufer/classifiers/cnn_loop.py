"""Training an image network, step by step, so that it can be stopped and gone on with anywhere.

What an epoch does depends on the state after the one before it, the seed and the epoch's number
alone: the order of the pictures and how they are changed are drawn anew from (seed, epoch, step).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer.classifiers.augmentation import augment
from aufer.classifiers.classifier import ALL_EPOCHS, EARLY_STOPPING
from aufer.classifiers.cnn_recipe import CnnRecipe
from aufer.classifiers.cnn_state import State
from aufer.errors import AuferError

_VALIDATED_AT_ONCE = 256

OnState = Callable[[State, bool], None]
"""Called after each epoch with the state, and whether the epoch is the best so far."""


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures to learn from.

    Attributes:
        pixels: uint8 [n, h, w, c]. labels: int64 [n], positions in the emotions.
        weights: float32 [n], how much each counts in training.
    """

    pixels: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


class CnnLoop:
    """Trains one network by a recipe.

    Attributes:
        network: with the weights of the last step.
    """

    def __init__(self, keras: Any, network: Any, recipe: CnnRecipe, seed: int) -> None:
        import tensorflow as tf

        self.network = network
        self._tf, self._recipe, self._seed = tf, recipe, seed
        trainable = network.trainable_variables
        optimizer = keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay)
        optimizer.exclude_from_weight_decay(var_list=[v for v in trainable if len(v.shape) == 1])
        optimizer.build(trainable)
        self._variables = [*network.variables, *optimizer.variables]
        loss = keras.losses.CategoricalCrossentropy(
            label_smoothing=recipe.label_smoothing, reduction=None
        )
        pixels_like = tf.TensorSpec([None, *recipe.image_input.shape], tf.uint8)
        labels_like = tf.TensorSpec([None], tf.int64)
        n_outputs = network.output_shape[-1]

        def measure(pixels: Any, labels: Any, training: bool) -> tuple[Any, Any]:
            """Loss of each picture, and how many are named rightly."""
            found = network(pixels, training=training)
            right = tf.equal(tf.argmax(found, axis=1), labels)
            losses = loss(tf.one_hot(labels, n_outputs), found)
            return losses, tf.reduce_sum(tf.cast(right, tf.float32))

        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[
                pixels_like,
                labels_like,
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.float32),
            ]
        )
        def step(pixels: Any, labels: Any, weights: Any, seed: Any, rate: Any) -> Any:
            changed = augment(tf.cast(pixels, tf.float32), seed)
            with tf.GradientTape() as tape:
                losses, right = measure(changed, labels, True)
                total = tf.reduce_mean(weights * losses)
            optimizer.learning_rate.assign(rate)
            optimizer.apply(tape.gradient(total, trainable), trainable)
            return tf.stack([total, right])

        @tf.function(input_signature=[pixels_like, labels_like])  # type: ignore[untyped-decorator]
        def validate(pixels: Any, labels: Any) -> Any:
            losses, right = measure(tf.cast(pixels, tf.float32), labels, False)
            return tf.stack([tf.reduce_sum(losses), right])

        self._step, self._validate = step, validate

    def train(
        self,
        train: Pictures,
        validation: Pictures,
        state: State,
        on_state: OnState,
        between: Callable[[], None],
        on_step: Callable[[int, int], None],
    ) -> tuple[State, str]:
        """Train from a state until the epochs are over or none was better for long.

        Args:
            state: a new one, or that of an unfinished training.
            between: called between two steps; an exception from it ends the training.
            on_step: called after each step with its number in the epoch and their number.

        Returns:
            the last state, and `ALL_EPOCHS` or `EARLY_STOPPING`.

        Raises:
            AuferError: it diverged: a loss was no finite number.
        """
        for variable, values in zip(self._variables, state.now, strict=bool(state.now)):
            variable.assign(values)
        for epoch in range(len(state.history) + 1, self._recipe.epochs + 1):
            if not self._is_patient(state):
                return state, EARLY_STOPPING
            started = time.monotonic()
            figures = self._train_epoch(train, epoch, between, on_step)
            figures |= self._validate_epoch(validation, between)
            if not all(map(math.isfinite, figures.values())):
                raise _diverged(epoch, self._recipe)
            row = {"epoch": epoch, **figures, "seconds": round(time.monotonic() - started, 3)}
            now = [variable.numpy() for variable in self._variables]
            state = state.after(row, now, self.network.get_weights())
            on_state(state, state.best_epoch == epoch)
        return state, ALL_EPOCHS if self._is_patient(state) else EARLY_STOPPING

    def _is_patient(self, state: State) -> bool:
        return len(state.history) - state.best_epoch < max(1, self._recipe.patience)

    def _train_epoch(
        self,
        pictures: Pictures,
        epoch: int,
        between: Callable[[], None],
        on_step: Callable[[int, int], None],
    ) -> dict[str, float]:
        rates = self._recipe.learning_rates(len(pictures), epoch)
        size = min(self._recipe.batch_size, len(pictures))
        order = np.random.default_rng([self._seed, epoch]).permutation(len(pictures))
        sums: Any = 0.0
        for number, rate in enumerate(rates):
            between()
            rows = order[number * size : (number + 1) * size]
            draw = 2 * ((epoch - 1) * len(rates) + number)
            seed = np.array([self._seed & 0x7FFFFFFF, draw & 0x7FFFFFFF], dtype=np.int32)
            batch = (pictures.pixels[rows], pictures.labels[rows], pictures.weights[rows])
            sums = sums + self._step(*batch, seed, rate)
            on_step(number + 1, len(rates))
        loss, right = np.asarray(sums).tolist()
        return {"loss": loss / len(rates), "accuracy": right / (len(rates) * size)}

    def _validate_epoch(self, pictures: Pictures, between: Callable[[], None]) -> dict[str, float]:
        sums = np.zeros(2)
        for start in range(0, len(pictures), _VALIDATED_AT_ONCE):
            between()
            rows = slice(start, start + _VALIDATED_AT_ONCE)
            sums += np.asarray(self._validate(pictures.pixels[rows], pictures.labels[rows]))
        loss, right = (sums / len(pictures)).tolist()
        return {"val_loss": loss, "val_accuracy": right}


def _diverged(epoch: int, recipe: CnnRecipe) -> AuferError:
    return AuferError(
        f"Training diverged: in epoch {epoch} the loss was no finite number any more; the state "
        "before that epoch is kept.",
        hint=f"begin again with a lower --learning-rate than {recipe.learning_rate:g}, and --force",
    )
