"""What a model is, whatever file it comes from, and what it says of the faces of an AU table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import OK, UNREADABLE
from aufer.bundle import check_features
from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.image_input import ImageInput
from aufer.measures import check_measure
from aufer.normalization import NEUTRAL, Normalization, RelativeFaces, relate_to_persons
from aufer.pictures.pixels import read_pixels
from aufer.provenance import Extractor, compare_extractors

if TYPE_CHECKING:
    from aufer.au_table import AuTable

NO_PICTURE = "no_picture"
"""Status, for a model of pictures, of a face whose picture is not at hand."""


class Reader(Protocol):
    """What can be asked for faces: a `Model`, or one that is watched while it answers."""

    @property
    def name(self) -> str:
        """What the model is called in reports."""

    @property
    def emotions(self) -> Emotions:
        """The emotions in the order of the outputs."""

    @property
    def image_input(self) -> ImageInput | None:
        """The pictures that it takes; None for a model of AUs."""

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Probabilities, float32 [n, emotions], of ``values`` [n, features], or of pictures
        [n, height, width, channels], 0-255."""


class Model(Reader, Protocol):
    """A trained model: `bundle.Bundle`, or a bare file (`classifiers.keras_file.KerasFile`)."""

    @property
    def path(self) -> Path:
        """Where it lies."""

    @property
    def features(self) -> tuple[str, ...]:
        """The columns in the order of the inputs; none for a model of pictures."""

    @property
    def extractor(self) -> Extractor:
        """How the AUs were measured that it was trained on."""

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of its making, plain JSON."""


@dataclass(frozen=True)
class Answers:
    """What a model says of the rows of an AU table.

    Attributes:
        names: the emotions in the order of the outputs.
        answered: bool [n]; False where there is no usable face, or no baseline of its person.
        probabilities: float64 [n, emotions], NaN in the rows that are not answered.
        warnings: how the faces and those that the model was trained on differ in their measuring.
        status: object [n]; `AuTable.answer_status`, and ``baseline`` or ``no_baseline`` where the
            model wants AUs relative to the person, and there are none (`normalization`).
        reasons: object [n]; the table's, and why there are none.
    """

    names: tuple[str, ...]
    answered: np.ndarray
    probabilities: np.ndarray
    warnings: tuple[str, ...]
    status: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=object))
    reasons: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=object))

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
    """Ask a model for every face that was measured with enough confidence, or, a model of pictures,
    for every picture that can be read.

    A model of AUs relative to the person gets such: the faces' own persons give the baselines, as
    they did when its dataset was made.

    Args:
        what: the faces, for the warnings: "the test faces".

    Raises:
        DataError: the faces lack a feature, or were measured in another way than the model's; or
        the model wants AUs relative to the person and the faces can't be made so, or the reverse;
        or it reads pictures and there are none.
    """
    if model.image_input is not None:
        return answer_pictures([model], faces)[0]
    check_features(model.features, INTENSITY_COLUMNS, model.name)
    check_measure(model.name, model.extractor, faces.extractor)
    warnings = [
        f"{what} and the model's training faces: {warning}"
        for warning in compare_extractors(model.extractor, faces.extractor)
    ]
    answered = faces.is_usable(min_confidence)
    status = faces.answer_status(min_confidence)
    reasons = faces.frame["reason"].to_numpy(dtype=object).copy()
    relative = relate_faces(model, faces)
    if relative is None:
        values = faces.frame.loc[:, list(model.features)].to_numpy(dtype=np.float64)
    else:
        values = relative.values[:, [INTENSITY_COLUMNS.index(name) for name in model.features]]
        left_out = answered & (relative.status != "")
        answered = answered & ~left_out
        status[left_out], reasons[left_out] = relative.status[left_out], relative.reasons[left_out]
        if left_out.any():
            warnings.append(
                f"{int(left_out.sum())} of {what} have no answer: {relative.reasons[left_out][0]}"
                f"{' …' if left_out.sum() > 1 else ''}"
            )
    probabilities = np.full((len(faces), len(model.emotions)), np.nan)
    probabilities[answered] = model.predict_proba(values[answered])
    return Answers(model.emotions.names, answered, probabilities, tuple(warnings), status, reasons)


def answer_pictures(
    models: Sequence[Reader], faces: AuTable, on_step: Callable[[int], None] = lambda n: None
) -> list[Answers]:
    """Ask models of pictures for every picture that can be read, a face measured in it or not; each
    picture is decoded once for all of them.

    Args:
        on_step: told how many more are answered.

    Raises:
        DataError: no row has a picture.
    """
    inputs = [model.image_input for model in models if model.image_input is not None]
    if faces.paths is None or not faces.paths.astype(bool).any():
        raise DataError(
            f"The model {models[0].name} reads pictures; these faces come without.",
            hint="name the folder of the pictures themselves instead of tables of AUs",
        )
    n = len(faces)
    found = [np.full((n, len(model.emotions)), np.nan) for model in models]
    status = np.full(n, OK, dtype=object)
    reasons = np.full(n, "", dtype=object)
    for part in read_pixels(faces.paths.tolist(), inputs, on_step=on_step):
        for probabilities, model, wanted in zip(found, models, inputs, strict=True):
            probabilities[part.rows] = model.predict_proba(part.of_input[wanted])
        for row, reason in part.failures.items():
            status[row] = NO_PICTURE if faces.paths[row] is None else UNREADABLE
            reasons[row] = reason
    answered = status == OK
    return [
        Answers(model.emotions.names, answered, probabilities, (), status, reasons)
        for model, probabilities in zip(models, found, strict=True)
    ]


def normalization_of(model: Model) -> Normalization:
    """What the AUs are relative to that a model takes."""
    return Normalization.from_facts(model.facts.get("dataset", {}).get("normalization", {}))


def relate_faces(model: Model, faces: AuTable) -> RelativeFaces | None:
    """The faces' AUs relative to their persons; None where the model takes them as they are."""
    wanted, given = normalization_of(model), faces.normalization
    if wanted.how == given.how:
        return None
    if given.is_relative:
        raise DataError(
            f"The faces' AUs are relative to the person (--normalize {given.how}), and the model "
            f"{model.name} was trained on {wanted.rule}.",
            hint="take the AU table that they were made of, or the dataset without --normalize",
        )
    emotions = faces.frame["emotion"].tolist()
    by_person = f"The model {model.name} was trained on {wanted.rule}"
    if not faces.grouping.knows_persons:
        raise DataError(
            f"{by_person}; these faces have no groups.",
            hint="say who is who: --groups COLUMN, or a pattern in the file names: "
            "--groups '^([A-Z]{2}\\d\\d)'",
        )
    if wanted.how == NEUTRAL and not any(emotions):
        raise DataError(
            f"{by_person}; these faces have no labels to find it by.",
            hint="put the neutral faces under their label, or train on AUs relative to the median: "
            "aufer build-dataset --normalize group",
        )
    counts = faces.is_usable(wanted.min_confidence)
    groups = faces.frame["group"].tolist()
    return relate_to_persons(faces.intensities(), groups, counts, emotions, wanted.how)
