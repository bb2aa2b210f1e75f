"""What a model must beat: the most frequent emotion, and the FACS prototypes.

Neither learns from AUs, so neither is a model that could be kept: they only give probabilities
(`classifier.Predictor`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aufer.classifiers.classifier import Examples
from aufer.prototypes import prototype_agreement


@dataclass(frozen=True)
class Majority:
    """Says the same of every face.

    Attributes:
        shares: of each emotion in the training rows, float64 [emotions].
    """

    shares: np.ndarray

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """The shares, float64 [n, emotions], for n faces."""
        return np.tile(self.shares, (len(aus), 1))


@dataclass(frozen=True)
class Prototypes:
    """Says the emotion with whose FACS prototype a face agrees most."""

    features: tuple[str, ...]
    emotions: tuple[str, ...]

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Softmax of `prototypes.prototype_agreement`, float64 [n, emotions].

        0 for an emotion without a prototype; where none has one, all are equally probable.
        """
        from scipy.special import softmax

        agreement = prototype_agreement(aus, self.features, self.emotions)
        known = ~np.isnan(agreement)
        scores = np.where(known, agreement, -np.inf if known.any() else 0.0)
        found: np.ndarray = softmax(scores, axis=1)
        return found


def fit_majority(examples: Examples) -> Majority:
    """Count the emotions of the training rows; of none, all are equally probable."""
    counts = np.bincount(examples.labels[examples.train], minlength=len(examples.emotions))
    total = counts.sum()
    return Majority(counts / total if total else np.full(len(counts), 1 / len(counts)))


def fit_prototypes(examples: Examples) -> Prototypes:
    """Take the names of features and emotions; nothing is learnt."""
    return Prototypes(examples.features, examples.emotions)
