"""The image classifier: pictures of faces -> a small residual network -> the emotions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import CHECKPOINTS
from aufer.calibration import calibrate
from aufer.classifiers.backend import import_keras
from aufer.classifiers.cnn_loop import CnnLoop, Pictures
from aufer.classifiers.cnn_network import build, predict_both_ways, to_onnx
from aufer.classifiers.cnn_recipe import CnnRecipe
from aufer.classifiers.cnn_state import State, write_state
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.onnx_export import compare_with_onnx, write_onnx

KEPT_CHECKPOINTS = 3
"""So many files of best epochs are kept, the newest."""

_COMPARED = 512


@dataclass(frozen=True)
class CnnClassifier:
    """A trained image network, with the weights of its best epoch.

    Attributes:
        network: the Keras network. state: what stood after the last epoch.
        stopped: `classifier.ALL_EPOCHS` or `classifier.EARLY_STOPPING`.
    """

    network: Any = field(repr=False)
    state: State
    stopped: str

    def predict_proba(self, pixels: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities, float64 [n, emotions], of pixels [n, h, w, c], 0-255."""
        return predict_both_ways(self.network, pixels).astype(np.float64)


def fit(
    train: Pictures,
    validation: Pictures,
    n_emotions: int,
    recipe: CnnRecipe,
    seed: int,
    state: State,
    folder: Path,
    *,
    on_epoch: Callable[[int, dict[str, float]], None],
    on_step: Callable[[int, int], None],
    ctrl_c: CtrlC,
) -> CnnClassifier:
    """Train a network; the epoch with the lowest validation loss is the best.

    It runs on the GPU where TensorFlow sees one.

    Args:
        state: a new one, or that of an unfinished training, which is gone on with.
        folder: exists; gets the state after each epoch, and checkpoints of the best ones.
        on_epoch: called after each epoch with its number and row. on_step: called after each step
            with its number in the epoch, and their number.
        ctrl_c: stops the training between two steps; what was pressed is held back otherwise.

    Raises:
        KeyboardInterrupt: Ctrl-C; the finished epochs are in ``folder``.
        AuferError: it diverged.
    """
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    network = build(keras, recipe.image_input, n_emotions, recipe.dropout)
    loop = CnnLoop(keras, network, recipe, seed)

    def between() -> None:
        ctrl_c.let_go()  # raises what was pressed during the step
        ctrl_c.hold("")  # an exception in the midst of TensorFlow's own code can end the process

    def keep(state: State, is_best: bool) -> None:
        write_state(state, folder)
        row = state.history[-1]
        if is_best:
            _write_checkpoint(network, row, folder / CHECKPOINTS)
        on_epoch(len(state.history), row)

    last, stopped = loop.train(train, validation, state, keep, between, on_step)
    ctrl_c.hold()
    network.set_weights(last.best)
    return CnnClassifier(network, last, stopped)


def write_onnx_file(
    path: Path,
    classifier: CnnClassifier,
    emotions: tuple[str, ...],
    temperature: float,
    smoothing: float,
    pixels: np.ndarray,
) -> float:
    """Write ``model.onnx``, calibrated, and compare it with the network.

    Args:
        temperature, smoothing: see `calibration.calibrate`.
        pixels: pictures to compare on, [n, h, w, c]; the first few hundred are.

    Returns:
        the largest difference of a probability.

    Raises:
        ArithmeticError: it is above the tolerance: the export is wrong, which is a bug.
    """
    write_onnx(to_onnx(classifier.network, temperature, smoothing), path, (), emotions)
    some = pixels[:_COMPARED]
    expected = calibrate(classifier.predict_proba(some), temperature, smoothing)
    return compare_with_onnx(path, some, expected, temperature)


def _write_checkpoint(network: Any, row: dict[str, float], folder: Path) -> None:
    """The network as a file of the epoch's number and loss; older ones than the newest few go."""
    folder.mkdir(exist_ok=True)
    partial = folder / ".partial.keras"
    try:
        network.save(partial)
        os.replace(partial, folder / f"{int(row['epoch']):02d}-{row['val_loss']:.4f}.keras")
    finally:
        partial.unlink(missing_ok=True)
    for old in sorted(folder.glob("*.keras"), key=lambda p: int(p.name.split("-")[0]))[
        :-KEPT_CHECKPOINTS
    ]:
        old.unlink()
