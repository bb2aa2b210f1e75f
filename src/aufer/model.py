"""What a model is, whatever file it comes from, and what it says of the faces of an AU table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import check_features
from aufer.emotions import Emotions
from aufer.provenance import Extractor, compare_extractors

if TYPE_CHECKING:
    from aufer.au_table import AuTable


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


@dataclass(frozen=True)
class Answers:
    """What a model says of the rows of an AU table.

    Attributes:
        names: the emotions in the order of the outputs.
        answered: bool [n]; False where there is no usable face.
        probabilities: float64 [n, emotions], NaN in the rows that are not answered.
        warnings: how the faces and those that the model was trained on differ in their measuring.
    """

    names: tuple[str, ...]
    answered: np.ndarray
    probabilities: np.ndarray
    warnings: tuple[str, ...]

    @property
    def labels(self) -> np.ndarray:
        """The most probable emotion's number, int64 [n]; -1 where there is no answer."""
        return np.where(self.answered, np.nan_to_num(self.probabilities).argmax(axis=1), -1)

    @property
    def words(self) -> list[str]:
        """The most probable emotion's name, [n]; empty where there is no answer."""
        return [self.names[label] if label >= 0 else "" for label in self.labels]

    def columns(self) -> dict[str, np.ndarray]:
        """The probabilities of each emotion, float64 [n], by its name."""
        return dict(zip(self.names, self.probabilities.T, strict=True))


def answer_faces(model: Model, faces: AuTable, min_confidence: float, what: str) -> Answers:
    """Ask a model for every face that was measured with enough confidence.

    Args:
        what: the faces, for the warnings: "the test faces".

    Raises:
        DataError: the faces lack a feature, or were measured in another way than the model's.
    """
    check_features(model.features, INTENSITY_COLUMNS, model.name)
    warnings = tuple(
        f"{what} and the model's training faces: {warning}"
        for warning in compare_extractors(model.extractor, faces.extractor)
    )
    answered = faces.is_usable(min_confidence)
    values = faces.frame.loc[:, list(model.features)].to_numpy(dtype=np.float64)
    probabilities = np.full((len(faces), len(model.emotions)), np.nan)
    probabilities[answered] = model.predict_proba(values[answered])
    return Answers(model.emotions.names, answered, probabilities, warnings)
