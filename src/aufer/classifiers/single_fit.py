"""What the kinds without epochs have in common: they are fitted once, to the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer.classifiers.classifier import Examples, Predictor
from aufer.errors import DataError


class SingleFit:
    """What `classifier.Classifier` asks of a kind, for one that has no epochs and no network."""

    @property
    def history(self) -> list[dict[str, float]]:
        """No epochs."""
        return []

    @property
    def best_epoch(self) -> int:
        """0."""
        return 0

    @property
    def stopped(self) -> str:
        """Empty."""
        return ""

    @property
    def last(self) -> Predictor | None:
        """None."""
        return None

    def to_keras(self) -> Any | None:
        """None."""
        return None


@dataclass(frozen=True)
class TrainingRows:
    """The rows to fit to.

    Attributes:
        aus: float64 [n, 17]. labels: int64 [n], positions in ``present``.
        present: int64, the emotions with a row among them, as positions in all emotions, ascending.
    """

    aus: np.ndarray
    labels: np.ndarray
    present: np.ndarray


def training_rows(examples: Examples) -> TrainingRows:
    """The training rows, and which emotions occur in them.

    Raises:
        DataError: fewer than two do: there is nothing to tell apart.
    """
    present, labels = np.unique(examples.labels[examples.train], return_inverse=True)
    if len(present) < 2:
        named = ", ".join(examples.emotions[number] for number in present) or "no emotion"
        raise DataError(
            f"There is nothing to tell apart: the training rows are of {named} only.",
            hint="add faces of other emotions, then: aufer build-dataset",
        )
    return TrainingRows(examples.aus[examples.train].astype(np.float64), labels, present)


@dataclass(frozen=True)
class Scaling:
    """Mean and deviation of each AU in the training rows, float64 [17]."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, aus: np.ndarray) -> Scaling:
        """Of intensities [n, 17]; an AU that never moves has the deviation 1."""
        deviation = aus.std(axis=0)
        return cls(aus.mean(axis=0), np.where(deviation < 1e-6, 1.0, deviation))

    def apply(self, aus: np.ndarray) -> np.ndarray:
        """Standardised intensities, float64 [n, 17]: mean 0, deviation 1 in the training rows."""
        scaled: np.ndarray = (aus.astype(np.float64) - self.mean) / self.deviation
        return scaled


def place(values: np.ndarray, present: np.ndarray, n_emotions: int) -> np.ndarray:
    """Columns of the emotions in training among those of all emotions, [n, n_emotions]; else 0."""
    placed = np.zeros((len(values), n_emotions))
    placed[:, present] = values
    return placed
