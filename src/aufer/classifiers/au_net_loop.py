"""Training the two networks of an AU network, so that it can be stopped and gone on with anywhere.

What an epoch does depends on the state after the one before it, the seed and the epoch's number
alone (see `au_net_crops`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from aufer.classifiers.au_net_crops import Batch, Crops, Report
from aufer.classifiers.au_net_faces import FaceSet
from aufer.classifiers.au_net_network import build_align, build_aus
from aufer.classifiers.au_net_recipe import ALIGN, AUS, AuNetRecipe
from aufer.classifiers.backend import import_keras
from aufer.classifiers.cnn_state import State
from aufer.errors import AuferError

WARM_UP = 0.05
"""Share of a stage's steps in which the learning rate rises."""

_LEAST_RATE = 0.01
_LEAST_VARIANCE = 0.05
_AT_ONCE = 128
_MOST_CHECKED = 600


class Stage:
    """One network, its optimizer, and its mean weights.

    Attributes:
        network: with the weights of the last step. n_outputs: 1 or 3.
    """

    def __init__(self, recipe: AuNetRecipe, stage: int, variances: np.ndarray) -> None:
        """Build it.

        Args:
            variances: of the 17 AUs among the training faces; each AU counts alike.
        """
        import tensorflow as tf

        keras = import_keras()
        self._tf, self._recipe, self._stage = tf, recipe, stage
        self._n_steps = recipe.n_steps(stage)
        is_align = stage == ALIGN
        self.network = (
            build_align(recipe.sizes) if is_align else build_aus(recipe.sizes, recipe.dropout)
        )
        trainable = self.network.trainable_variables
        decay = recipe.align_decay if is_align else recipe.aus_decay
        optimizer = keras.optimizers.AdamW(recipe.learning_rate, weight_decay=decay)
        optimizer.build(trainable)
        self._trainable = trainable
        self._means = [tf.Variable(variable.value, trainable=False) for variable in trainable]
        self._variables = [*self.network.variables, *optimizer.variables, *self._means]
        weights = tf.constant(1 / (variances + _LEAST_VARIANCE), tf.float32)
        network = self.network

        def lose_landmarks(batch: Any, training: bool) -> Any:
            pixels, landmarks = batch
            apart = tf.reduce_mean(tf.abs(network(pixels, training=training) - landmarks))
            return apart, apart

        def lose_aus(batch: Any, training: bool) -> Any:
            pixels, landmarks, wanted, good = batch
            points, aus, logit = network(pixels, training=training)
            # OpenFace cuts at 0: what it calls 0 may be anything below
            error = tf.where(wanted <= 0, tf.nn.relu(aus), aus - wanted)
            of_aus = tf.reduce_mean(good * tf.square(error) * weights)
            of_points = tf.reduce_mean(good * tf.abs(points - landmarks))
            of_good = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(good, logit))
            ridge = tf.add_n(network.losses) if training else 0.0
            total = of_aus + of_points + recipe.confidence_weight * of_good + ridge
            return total, of_aus

        lose = lose_landmarks if is_align else lose_aus

        @tf.function  # type: ignore[untyped-decorator]
        def step(batch: Any, rate: Any, keep: Any) -> Any:
            with tf.GradientTape() as tape:
                total, shown = lose(batch, True)
            optimizer.learning_rate.assign(rate)
            optimizer.apply(tape.gradient(total, trainable), trainable)
            for mean, variable in zip(self._means, trainable, strict=True):
                mean.assign(keep * mean + (1 - keep) * variable.value)
            return tf.stack([total, shown])

        @tf.function  # type: ignore[untyped-decorator]
        def check(batch: Any) -> Any:
            return tf.stack(lose(batch, False))

        self._step, self._check = step, check

    def restore(self, values: list[np.ndarray]) -> None:
        """Go on where `now` was read."""
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)

    def now(self) -> list[np.ndarray]:
        """All that the next step depends on."""
        return [np.asarray(variable.numpy()) for variable in self._variables]

    def mean_weights(self) -> list[np.ndarray]:
        """For ``set_weights`` of the network: the means of what is trained, and all else."""
        means = {id(v): mean for v, mean in zip(self._trainable, self._means, strict=True)}
        return [
            np.asarray(means[id(v)].numpy() if id(v) in means else v.numpy())
            for v in self.network.weights
        ]

    def step(self, batch: Batch, number: int) -> Any:
        """One step; ``number`` from 0. Gives [loss, the loss that is shown], not waited for."""
        warm = max(1, round(WARM_UP * self._n_steps))
        falling = 0.5 * (1 + math.cos(math.pi * (number - warm) / max(1, self._n_steps - warm)))
        share = (number + 1) / warm if number < warm else max(_LEAST_RATE, falling)
        keep = min(self._recipe.ema, (1 + number) / (10 + number))
        tf = self._tf
        rate = tf.constant(share * self._recipe.learning_rate, tf.float32)
        return self._step(tuple(map(tf.constant, batch)), rate, tf.constant(keep, tf.float32))

    def check(self, batch: Batch) -> float:
        """The shown loss of unchanged faces, by the mean weights."""
        before = self.network.get_weights()
        self.network.set_weights(self.mean_weights())
        total, n = 0.0, len(batch[0])
        for start in range(0, n, _AT_ONCE):
            some = tuple(part[start : start + _AT_ONCE] for part in batch)
            found = self._check(tuple(map(self._tf.constant, some)))
            total += float(np.asarray(found)[1]) * len(some[0])
        self.network.set_weights(before)
        return total / n


def train(
    faces: FaceSet,
    rows: np.ndarray,
    held: np.ndarray,
    recipe: AuNetRecipe,
    seed: int,
    state: State,
    *,
    on_state: Callable[[State], None],
    between: Callable[[], None],
    on_step: Report,
) -> tuple[list[np.ndarray], list[np.ndarray], State]:
    """Train both networks from a state to the end.

    Args:
        rows, held: positions of the faces to learn from, and of those to show a loss of.
        state: a new one, or that of an unfinished training. ``best`` holds the align network's
            weights once it is done.
        on_state: called after each epoch. between: called between two steps; an exception from it
            ends the training. on_step: called after each step.

    Returns:
        the weights of the align and the AU network, and the last state.

    Raises:
        AuferError: it diverged.
    """
    variances = faces.aus[rows].var(axis=0)
    for number in (ALIGN, AUS):
        if number < recipe.stage(len(state.history))[0]:
            continue
        import_keras().utils.set_random_seed(seed + number)
        stage = Stage(recipe, number, variances)
        crops = Crops(faces, recipe, number, seed)
        least = recipe.align_confidence if number == ALIGN else recipe.aus_confidence
        good = rows[faces.confidence[rows] >= least]
        shown = crops.plain(held[:_MOST_CHECKED])
        if state.now:
            stage.restore(state.now)
        n_epochs = recipe.n_steps(number) // recipe.steps
        for epoch in range(len(state.history) - number * recipe.align_epochs, n_epochs):
            began = time.monotonic()
            sums: Any = 0.0
            first = epoch * recipe.steps
            batches = crops.batches(good, first, first + recipe.steps)
            try:
                for step, batch in enumerate(batches):
                    between()
                    sums = sums + stage.step(batch, first + step)
                    on_step(step + 1, recipe.steps)
            finally:
                batches.close()  # type: ignore[attr-defined]
            row = _row(state, number, np.asarray(sums) / recipe.steps, stage.check(shown), began)
            is_over = epoch + 1 == n_epochs
            state = replace(
                state,
                history=[*state.history, row],
                now=[] if is_over and number == ALIGN else stage.now(),
                best=stage.mean_weights() if is_over and number == ALIGN else state.best,
            )
            on_state(state)
    return state.best, stage.mean_weights(), state


def _row(
    state: State, stage: int, losses: np.ndarray, held_out: float, began: float
) -> dict[str, float]:
    row = {
        "epoch": len(state.history) + 1,
        "stage": stage,
        "loss": float(losses[1]),
        "val_loss": held_out,
        "seconds": round(time.monotonic() - began, 3),
    }
    if not all(map(math.isfinite, row.values())):
        raise AuferError(
            f"Training diverged: in epoch {row['epoch']} the loss was no finite number any more; "
            "the state before that epoch is kept.",
            hint="begin again with a lower --learning-rate, and --force",
        )
    return row
