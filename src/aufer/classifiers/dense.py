"""The dense network: 17 AUs -> 300-200-100-50 ReLU -> softmax over the emotions."""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import CHECKPOINTS, HISTORY_COLUMNS, KERAS_NAME, ONNX_NAME
from aufer.classifiers.backend import import_keras
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.onnx_export import compare_with_onnx, write_dense_onnx
from aufer.classifiers.recipe import (
    ALL_EPOCHS,
    EARLY_STOPPING,
    INTERRUPTED,
    Examples,
    Fit,
    OnEpoch,
    Recipe,
)
from aufer.errors import AuferError

log = logging.getLogger("aufer")

HIDDEN_LAYERS = (300, 200, 100, 50)
"""Units of the hidden layers, those of the reference project."""


def build(
    keras: Any, recipe: Recipe, n_outputs: int, mean: np.ndarray, variance: np.ndarray
) -> Any:
    """The network, compiled.

    Args:
        keras: the imported package. mean, variance: [17], of the training rows, for ``normalize``.
    """
    layers = keras.layers
    network = keras.Sequential([keras.Input((len(mean),), name="aus")])  # [n, 17]
    if recipe.normalize:
        network.add(layers.Normalization(mean=mean, variance=variance))
    l2 = keras.regularizers.L2(recipe.l2) if recipe.l2 else None
    for units in HIDDEN_LAYERS:
        network.add(layers.Dense(units, activation="relu", kernel_regularizer=l2))  # [n, units]
        if recipe.dropout:
            network.add(layers.Dropout(recipe.dropout))
    network.add(layers.Dense(n_outputs, activation="softmax"))  # [n, emotions]
    network.compile(
        optimizer=keras.optimizers.Adam(float(recipe.learning_rate)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # compiling takes longer than training does
    )
    return network


def fit(
    examples: Examples,
    recipe: Recipe,
    seed: int,
    folder: Path,
    on_epoch: OnEpoch,
    ctrl_c: CtrlC | None = None,
) -> Fit:
    """Train, and write ``model.keras``, ``model.onnx`` and ``checkpoints/`` into ``folder``.

    The same seed gives the same weights, bit for bit on one machine: random numbers of Python,
    NumPy and TensorFlow are seeded, for the whole process. It runs on the CPU also where there is a
    GPU, which such a small network would only wait for.

    Args:
        ctrl_c: told to `hold` when the epochs are over and the files are written.

    Raises:
        KeyboardInterrupt: interrupted before an epoch was finished; later, what was learnt until
            then is kept and `Fit.stopped` says `INTERRUPTED`.
        AuferError: it diverged: a loss was no finite number.
    """
    keras = import_keras()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    with keras.device("cpu:0"):
        return _fit(keras, examples, recipe, folder, on_epoch, ctrl_c or CtrlC())


def _fit(
    keras: Any,
    examples: Examples,
    recipe: Recipe,
    folder: Path,
    on_epoch: OnEpoch,
    ctrl_c: CtrlC,
) -> Fit:
    parts, n_outputs = examples.parts, len(examples.emotions)
    inputs = examples.aus.astype(np.float32)  # [n, 17]
    # one column per emotion, also where one has no row: widths never depend on the data
    targets = np.eye(n_outputs, dtype=np.float32)[examples.labels]  # [n, emotions]
    train = inputs[parts.train].astype(np.float64)
    network = build(keras, recipe, n_outputs, train.mean(axis=0), train.var(axis=0))
    weights = None
    if recipe.class_weights:
        counts = np.bincount(examples.labels[parts.train], minlength=n_outputs)
        present = int((counts > 0).sum())
        weights = {i: len(train) / (present * n) for i, n in enumerate(counts.tolist()) if n}
    recorder = _recorder(keras, folder / CHECKPOINTS, recipe.checkpoint_format, on_epoch)
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", patience=recipe.patience)
    stopped = ALL_EPOCHS
    try:
        network.fit(
            inputs[parts.train],
            targets[parts.train],
            validation_data=(inputs[parts.validation], targets[parts.validation]),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            class_weight=weights,
            callbacks=[recorder, stopper],
            verbose=0,
        )
        ctrl_c.hold()
        if stopper.stopped_epoch:
            stopped = EARLY_STOPPING
    except KeyboardInterrupt:
        ctrl_c.hold()
        if recorder.kept is None:
            raise
        stopped = INTERRUPTED
        log.info("Ctrl-C: writing the best model so far")
    kept: _Kept | None = recorder.kept
    if kept is None or recorder.diverged_at:
        raise _diverged(recorder.diverged_at or 1, recipe)
    network.set_weights(kept.last_weights)
    last = predict(network, inputs)
    network.set_weights(kept.best_weights)
    best = predict(network, inputs)
    if not (np.isfinite(best).all() and np.isfinite(last).all()):
        raise _diverged(len(kept.history), recipe)
    if recipe.checkpoint_format == "keras":
        shutil.copyfile(kept.best_path, folder / KERAS_NAME)
    else:
        network.save(folder / KERAS_NAME)
    write_dense_onnx(network, folder / ONNX_NAME, examples.features, examples.emotions)
    return Fit(
        history=kept.history,
        best_epoch=kept.best_epoch,
        stopped=stopped,
        best=best,
        last=last,
        onnx_difference=compare_with_onnx(folder / ONNX_NAME, inputs, best),
    )


def _diverged(epoch: int, recipe: Recipe) -> AuferError:
    return AuferError(
        f"Training diverged: in epoch {epoch} the loss was no finite number any more; nothing was "
        "written.",
        hint=f"try a lower --learning-rate than {recipe.learning_rate:g}, e.g. 0.001",
    )


def predict(network: Any, values: np.ndarray) -> np.ndarray:
    """Probabilities by Keras, float32 [n, emotions], of ``values`` [n, 17].

    ``Model.predict`` would build and trace a graph first, which takes longer than the predicting.
    """
    rows = 65536
    found = [
        np.asarray(network(values[start : start + rows], training=False))
        for start in range(0, len(values), rows)
    ]
    return np.concatenate(found) if found else np.zeros((0, network.output_shape[-1]), np.float32)


@dataclass(frozen=True)
class _Kept:
    """What stands after an epoch; replaced in one step, so that Ctrl-C finds it whole."""

    history: list[dict[str, float]]
    best_epoch: int
    best_loss: float
    best_path: Path
    best_weights: list[np.ndarray]
    last_weights: list[np.ndarray]


def _recorder(keras: Any, folder: Path, suffix: str, on_epoch: OnEpoch) -> Any:
    """A Keras callback that keeps history, the best weights, and a file of each best epoch.

    It saves what Keras's ModelCheckpoint(save_best_only=True) saves, under the same names, but no
    file is half-written when Ctrl-C comes, and the weights of the best epoch stay at hand.
    """

    class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kept: _Kept | None = None
            self.history: list[dict[str, float]] = []
            self.diverged_at = 0
            self.started = time.monotonic()

        def on_train_begin(self, logs: Any = None) -> None:
            self.started = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            now = time.monotonic()
            values = {**logs, "epoch": epoch + 1, "seconds": round(now - self.started, 3)}
            self.started = now
            row = {name: values[name] for name in HISTORY_COLUMNS}
            if not (math.isfinite(row["loss"]) and math.isfinite(row["val_loss"])):
                self.diverged_at = epoch + 1
                self.model.stop_training = True
                return
            self.history = [*self.history, row]
            weights, old = self.model.get_weights(), self.kept
            if row["val_loss"] < (old.best_loss if old else np.inf):
                path = self._save(f"{epoch + 1:02d}-{row['val_loss']:.4f}.{suffix}")
                loss = row["val_loss"]
                self.kept = _Kept(self.history, epoch + 1, loss, path, weights, weights)
            elif old:
                self.kept = replace(old, history=self.history, last_weights=weights)
            on_epoch(epoch + 1, row)

        def _save(self, name: str) -> Path:
            folder.mkdir(exist_ok=True)
            partial = folder / f".partial.{suffix}"
            try:
                self.model.save(partial)
                os.replace(partial, folder / name)
            finally:
                partial.unlink(missing_ok=True)
            return folder / name

    return Recorder()
