"""The dense network: 17 AUs -> 300-200-100-50 ReLU -> softmax over the emotions."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aufer.classifiers.backend import import_keras
from aufer.classifiers.classifier import (
    ALL_EPOCHS,
    EARLY_STOPPING,
    INTERRUPTED,
    Examples,
    OnEpoch,
    no_epochs,
)
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.network import HIDDEN_LAYERS, build, predict
from aufer.classifiers.recipe import COMPRESSED, Recipe
from aufer.classifiers.recorder import Kept, Recorder
from aufer.errors import AuferError

log = logging.getLogger("aufer")


@dataclass(frozen=True)
class Weights:
    """A network with the weights of one of its epochs."""

    network: Any
    weights: list[np.ndarray]

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Probabilities, float64 [n, emotions], of intensities [n, 17]."""
        self.network.set_weights(self.weights)
        return predict(self.network, aus.astype(np.float32)).astype(np.float64)


@dataclass(frozen=True)
class DenseClassifier:
    """A trained dense network: the weights of its best epoch, and how it came to them.

    Attributes:
        best: the network with the weights of the best epoch. last: with those of the last finished
            epoch, where they are told of.
        history, best_epoch, stopped, settings: see `classifier.Classifier`.
        best_path: the best epoch's checkpoint file, if files were asked for.
    """

    best: Weights
    last: Weights | None
    history: list[dict[str, float]]
    best_epoch: int
    stopped: str
    best_path: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Probabilities of the best epoch, float64 [n, emotions], of intensities [n, 17]."""
        return self.best.predict_proba(aus)

    def to_keras(self) -> Any:
        """The network with the best epoch's weights."""
        self.best.network.set_weights(self.best.weights)
        return self.best.network

    def to_onnx(self, features: tuple[str, ...], emotions: tuple[str, ...]) -> Any:
        """The ``onnx.ModelProto`` of the best epoch."""
        from aufer.classifiers.onnx_export import dense_to_onnx

        return dense_to_onnx(self.to_keras(), features, emotions)


def fit(
    examples: Examples,
    recipe: Recipe,
    seed: int,
    *,
    on_epoch: OnEpoch = no_epochs,
    checkpoints: Path | None = None,
    ctrl_c: CtrlC | None = None,
) -> DenseClassifier:
    """Train a network on the training rows; the epoch with the lowest validation loss is the best.

    The same seed gives the same weights, bit for bit on one machine: random numbers of Python,
    NumPy and TensorFlow are seeded, for the whole process. It runs on the CPU also where there is a
    GPU, which such a small network would only wait for.

    Args:
        examples: without validation rows the last epoch counts as the best; recipes of our own
            loop only (``is_cosine``).
        checkpoints: the folder for a file of each best epoch.
        ctrl_c: told to `hold` when the epochs are over.

    Raises:
        KeyboardInterrupt: interrupted before an epoch was finished; later, what was learnt until
            then is kept, and ``stopped`` says `INTERRUPTED`.
        AuferError: it diverged: a loss was no finite number.
    """
    ctrl_c = ctrl_c or CtrlC()
    # a KeyboardInterrupt inside an import that C code runs ends the process by SIGINT at its exit
    ctrl_c.hold("")
    keras = import_keras()
    ctrl_c.let_go()
    keras.utils.set_random_seed(seed)
    with keras.device("cpu:0"):
        train = examples.aus[examples.train]
        network = build(keras, recipe, len(examples.emotions), train)

        def tell(epoch: int, values: dict[str, float]) -> None:
            on_epoch(epoch, values)
            if recipe.is_cosine:
                ctrl_c.let_go()  # raises what was pressed during the epoch
                ctrl_c.hold("")

        recorder = Recorder(checkpoints, recipe.checkpoint_format, recipe.patience, tell)
        stopped = ALL_EPOCHS
        try:
            if recipe.is_cosine:
                # an exception in the midst of TensorFlow's own code can end the process
                ctrl_c.hold("")
                _train_by_loop(keras, network, examples, recipe, seed, recorder)
            else:
                _train_by_keras(keras, network, examples, recipe, recorder)
            ctrl_c.hold()
            if not recorder.is_patient:
                stopped = EARLY_STOPPING
        except KeyboardInterrupt:
            ctrl_c.hold()
            if recorder.kept is None:
                raise
            stopped = INTERRUPTED
            log.info("Ctrl-C: writing the best model so far; this takes a few seconds")
        kept = recorder.kept
        if kept is None or recorder.diverged_at:
            raise _diverged(recorder.diverged_at or 1, recipe)
        return _finish(network, examples, recipe, kept, stopped)


def _finish(
    network: Any, examples: Examples, recipe: Recipe, kept: Kept, stopped: str
) -> DenseClassifier:
    settings: dict[str, Any] = {"hidden_layers": list(HIDDEN_LAYERS)}
    if recipe.inputs == COMPRESSED:
        settings["steepness"] = recipe.steepness
    found = DenseClassifier(
        best=Weights(network, kept.best_weights),
        last=None if recipe.refit else Weights(network, kept.last_weights),
        history=kept.history,
        best_epoch=kept.best_epoch,
        stopped=stopped,
        best_path=kept.best_path,
        settings=settings,
    )
    for weights in (Weights(network, kept.last_weights), found.best):
        if not np.isfinite(weights.predict_proba(examples.aus)).all():
            raise _diverged(len(kept.history), recipe)
    return found


def _targets(examples: Examples) -> np.ndarray:
    # one column per emotion, also where one has no row: widths never depend on the data
    return np.eye(len(examples.emotions), dtype=np.float32)[examples.labels]  # [n, emotions]


def _class_weights(examples: Examples, recipe: Recipe) -> dict[int, float] | None:
    if not recipe.class_weights:
        return None
    counts = np.bincount(examples.labels[examples.train], minlength=len(examples.emotions))
    present = int((counts > 0).sum())
    return {i: len(examples.train) / (present * n) for i, n in enumerate(counts.tolist()) if n}


def _train_by_loop(
    keras: Any, network: Any, examples: Examples, recipe: Recipe, seed: int, recorder: Recorder
) -> None:
    from aufer.classifiers.epoch_loop import loop_for

    inputs, targets = examples.aus.astype(np.float32), _targets(examples)
    weights = _class_weights(examples, recipe) or {}
    by_row = np.array([weights.get(i, 1.0) for i in examples.labels[examples.train]], np.float32)
    loop = loop_for(keras, recipe, inputs.shape[1], targets.shape[1])
    loop.train(
        network,
        (inputs[examples.train], targets[examples.train], by_row),
        (inputs[examples.validation], targets[examples.validation]),
        seed,
        recorder,
    )


def _train_by_keras(
    keras: Any, network: Any, examples: Examples, recipe: Recipe, recorder: Recorder
) -> None:
    """Keras's own ``fit``: what a script of the recipe would do, bit for bit."""

    class Record(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            recorder.start()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if not recorder.record(epoch + 1, dict(logs), self.model) or not recorder.is_patient:
                self.model.stop_training = True

    network.compile(
        optimizer=keras.optimizers.Adam(float(recipe.learning_rate)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # compiling takes longer than training does
    )
    inputs, targets = examples.aus.astype(np.float32), _targets(examples)
    held = examples.validation
    network.fit(
        inputs[examples.train],
        targets[examples.train],
        validation_data=(inputs[held], targets[held]),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        class_weight=_class_weights(examples, recipe),
        callbacks=[Record()],
        verbose=0,
    )


def _diverged(epoch: int, recipe: Recipe) -> AuferError:
    return AuferError(
        f"Training diverged: in epoch {epoch} the loss was no finite number any more; nothing was "
        "written.",
        hint=f"try a lower --learning-rate than {recipe.learning_rate:g}, e.g. 0.001",
    )
