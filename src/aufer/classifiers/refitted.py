"""A classifier that was fitted again to all rows, with the history of the fit before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer.classifiers.classifier import Classifier, Predictor


@dataclass(frozen=True)
class Refitted:
    """Answers as ``again`` does; its history is that of ``first``, which had validation rows.

    Attributes:
        again: fitted to training and validation rows. first: fitted to the training rows only.
    """

    again: Classifier
    first: Classifier

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Probabilities, float64 [n, emotions], of intensities [n, 17]."""
        return self.again.predict_proba(aus)

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the first fit."""
        return self.first.settings

    @property
    def history(self) -> list[dict[str, float]]:
        """That of the first fit."""
        return self.first.history

    @property
    def best_epoch(self) -> int:
        """That of the first fit."""
        return self.first.best_epoch

    @property
    def stopped(self) -> str:
        """Why the first fit ended."""
        return self.first.stopped

    @property
    def last(self) -> Predictor | None:
        """None: the last epoch's weights are the model."""
        return None

    def to_onnx(self, features: tuple[str, ...], emotions: tuple[str, ...]) -> Any:
        """The ``onnx.ModelProto`` of the second fit."""
        return self.again.to_onnx(features, emotions)

    def to_keras(self) -> Any:
        """The network of the second fit."""
        return self.again.to_keras()
