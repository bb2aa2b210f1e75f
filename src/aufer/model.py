"""What evaluate, predict, compare and explain ask of a model, whatever file it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from aufer.emotions import Emotions
from aufer.provenance import Extractor


class Model(Protocol):
    """A trained model: `bundle.Bundle`, or a bare file (`classifiers.keras_file.KerasFile`)."""

    @property
    def path(self) -> Path:
        """Where it lies."""

    @property
    def name(self) -> str:
        """What the model is called in reports."""

    @property
    def emotions(self) -> Emotions:
        """The emotions in the order of the outputs."""

    @property
    def features(self) -> tuple[str, ...]:
        """The columns in the order of the inputs."""

    @property
    def extractor(self) -> Extractor:
        """How the AUs were measured that it was trained on."""

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of its making, plain JSON."""

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Probabilities, float32 [n, emotions], of ``values`` [n, features]."""
