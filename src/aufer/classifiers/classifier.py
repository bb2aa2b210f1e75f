"""What every kind of classifier takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

OnEpoch = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number (from 1) and the values of `bundle.HISTORY_COLUMNS`."""

EARLY_STOPPING = "early stopping"
ALL_EPOCHS = "all epochs done"
INTERRUPTED = "interrupted"


def no_epochs(epoch: int, values: dict[str, float]) -> None:
    """An `OnEpoch` that tells nobody."""


@dataclass(frozen=True)
class Examples:
    """Labelled faces to learn from.

    Attributes:
        aus: float32 [n, 17], intensities 0-5 (differences, -5..5, of a normalised dataset).
        labels: int64 [n], positions in ``emotions``.
        features, emotions: the names, in order.
        train: positions of the rows that weights are fitted to, int.
        validation: positions of the rows that say when to stop and how sure to be, int.
    """

    aus: np.ndarray
    labels: np.ndarray
    features: tuple[str, ...]
    emotions: tuple[str, ...]
    train: np.ndarray
    validation: np.ndarray


class Predictor(Protocol):
    """Anything that gives each emotion a probability."""

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Probabilities, float64 [n, emotions], rows sum to 1, of intensities [n, 17].

        There is a column for every emotion, also for one without a row in training.
        """


class Classifier(Predictor, Protocol):
    """A fitted classifier, as the function ``fit`` of each kind's module gives it."""

    @property
    def settings(self) -> dict[str, Any]:
        """What it was fitted with, plain JSON, for bundle.json."""

    @property
    def history(self) -> list[dict[str, float]]:
        """One dict of `bundle.HISTORY_COLUMNS` per finished epoch; empty for kinds without."""

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights these are, counted from 1; 0 for kinds without epochs."""

    @property
    def stopped(self) -> str:
        """`EARLY_STOPPING`, `ALL_EPOCHS`, `INTERRUPTED`; empty for kinds without epochs."""

    @property
    def last(self) -> Predictor | None:
        """The weights of the last epoch, where those are told of."""

    def to_onnx(self, features: tuple[str, ...], emotions: tuple[str, ...]) -> Any:
        """The ``onnx.ModelProto``: ``aus`` float32 [n, 17] -> ``probabilities`` [n, emotions]."""

    def to_keras(self) -> Any | None:
        """The same as a Keras network, uncalibrated; None for kinds that are no network."""
