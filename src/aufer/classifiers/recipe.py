"""What every kind of classifier takes and gives: recipe, examples, fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from aufer.errors import UsageError
from aufer.splits import Parts

OnEpoch = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number (from 1) and the values of `bundle.HISTORY_COLUMNS`."""

CHECKPOINT_FORMATS = ("keras", "h5")

EARLY_STOPPING = "early stopping"
ALL_EPOCHS = "all epochs done"
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: ``standard`` or ``reference``.
        normalize: shift and scale the inputs inside the model, by the training rows' mean and
            variance.
        stratify: the split is stratified, and keeps groups on one side.
        dropout: share of each hidden layer's outputs dropped in training. l2: weight of the sum of
            squared kernels in the loss. label_smoothing: see Keras's CategoricalCrossentropy.
        class_weights: weigh rare emotions up, so that each counts alike in the loss.
        epochs: at most. patience: epochs without a lower validation loss before stopping.
        test_size: share of all rows. validation_size: share of the rest.
    """

    name: str
    normalize: bool
    stratify: bool
    dropout: float = 0.0
    l2: float = 0.0
    label_smoothing: float = 0.0
    class_weights: bool = False
    epochs: int = 5000
    patience: int = 7
    batch_size: int = 50
    learning_rate: float = 0.001
    test_size: float = 0.25
    validation_size: float = 0.25
    checkpoint_format: str = "keras"

    def changed(self, **values: Any) -> Recipe:
        """The recipe with the given settings changed; None keeps a setting.

        Raises:
            UsageError: a value that can't be meant.
        """
        recipe = replace(self, **{k: v for k, v in values.items() if v is not None})
        for name, low in (("epochs", 1), ("patience", 0), ("batch_size", 1)):
            if getattr(recipe, name) < low:
                raise UsageError(f"{_option(name)} must be at least {low}.")
        if not 0 < recipe.learning_rate < math.inf:
            raise UsageError("--learning-rate must be a number greater than 0.")
        for name in ("test_size", "validation_size"):
            if not 0 < getattr(recipe, name) < 1:
                raise UsageError(f"{_option(name)} must be a share between 0 and 1, e.g. 0.25.")
        if recipe.checkpoint_format not in CHECKPOINT_FORMATS:
            raise UsageError(f"--checkpoint-format is one of {', '.join(CHECKPOINT_FORMATS)}.")
        return recipe

    def facts(self) -> dict[str, Any]:
        """All settings as plain JSON."""
        return asdict(self)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


RECIPES: dict[str, Recipe] = {
    # chosen on validation rows of three splits, test rows never looked at (docs/training.md)
    "standard": Recipe(
        "standard",
        normalize=True,
        stratify=True,
        dropout=0.4,
        l2=3e-4,
        label_smoothing=0.05,
        patience=30,
    ),
    # Happy-ryan/Face-Emotion-Recognition, to the letter
    "reference": Recipe("reference", normalize=False, stratify=False, validation_size=0.33),
}


@dataclass(frozen=True)
class Examples:
    """Labelled faces and the part of the split that each is in.

    Attributes:
        aus: float32 [n, 17], intensities 0-5. labels: int64 [n], positions in ``emotions``.
        features, emotions: the names, in order. parts: positions of rows.
    """

    aus: np.ndarray
    labels: np.ndarray
    features: tuple[str, ...]
    emotions: tuple[str, ...]
    parts: Parts


@dataclass(frozen=True)
class Fit:
    """A trained classifier, whose files lie in the folder that was given.

    Attributes:
        history: one dict of `bundle.HISTORY_COLUMNS` per finished epoch.
        best_epoch: the one with the lowest validation loss, counted from 1.
        stopped: `EARLY_STOPPING`, `ALL_EPOCHS` or `INTERRUPTED`.
        best, last: probabilities of the best checkpoint and of the last finished epoch, float32
            [n, emotions] for all n rows.
        onnx_difference: largest difference of the ONNX file's probabilities from ``best``.
    """

    history: list[dict[str, float]]
    best_epoch: int
    stopped: str
    best: np.ndarray
    last: np.ndarray
    onnx_difference: float
