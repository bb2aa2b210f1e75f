"""The expression of faces, one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from aufer.au_table import FAILED_STATUSES, AuTable
from aufer.bundle import ONNX_NAME
from aufer.model import Model, answer_faces, normalization_of


def predict(
    model: Model, faces: AuTable, *, min_confidence: float = 0.0
) -> tuple[pd.DataFrame, list[str]]:
    """Label and probabilities of each face.

    Args:
        model: a bundle or a bare Keras file. faces: one row per image.
        min_confidence: faces that OpenFace fitted with less get no label. 0 answers every face.

    Returns:
        one row per image: ``image``, ``status``, ``confidence`` (OpenFace's), ``label`` and one
        probability per emotion, empty where there is no usable face (or no baseline of the
        person, for a model that needs one); and warnings.

    Raises:
        DataError: the faces lack a feature, or were measured in another way than the model's.
    """
    answers = answer_faces(model, faces, min_confidence, "the faces")
    table = pd.DataFrame(
        {
            "image": faces.frame["image"],
            "status": answers.status,
            "confidence": faces.frame["confidence"],
            "label": answers.words,
            **answers.columns(),
        }
    )
    return table, [*answers.warnings, *faces.notes]


@dataclass
class Tally:
    """What was counted of the faces so far.

    Attributes:
        n: all. n_unanswered: without a label. n_failed: those that could not be read or measured.
        labels, statuses: how often each occurs; a face without a label is in no label's count.
        warnings: what a user should know, each once.
    """

    n: int = 0
    n_unanswered: int = 0
    n_failed: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, table: pd.DataFrame) -> None:
        """Count the rows of a part of `predict`'s table."""
        self.n += len(table)
        self.n_unanswered += int((table["label"] == "").sum())
        self.n_failed += int(table["status"].isin(FAILED_STATUSES).sum())
        for name, counts in (("label", self.labels), ("status", self.statuses)):
            for word, count in table[name].value_counts(sort=False).items():
                if word:
                    counts[str(word)] = counts.get(str(word), 0) + int(count)

    def facts(self) -> dict[str, Any]:
        """The counts and warnings as plain JSON."""
        return {
            "n_rows": self.n,
            "n_unanswered": self.n_unanswered,
            "labels": self.labels,
            "statuses": self.statuses,
            "warnings": self.warnings,
        }


def predict_parts(
    model: Model,
    parts: Iterable[AuTable],
    tally: Tally,
    *,
    min_confidence: float = 0.0,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Iterator[pd.DataFrame]:
    """`predict` for faces that come in parts (`openface.face_parts`), one table for each.

    Args:
        tally: counts what goes by. on_warning: told each warning once, before the part it is of.
    """
    for part in parts:
        table, warnings = predict(model, part, min_confidence=min_confidence)
        for warning in warnings:
            if warning not in tally.warnings:
                tally.warnings.append(warning)
                on_warning(warning)
        tally.add(table)
        yield table


def needs_all_faces(model: Model) -> bool:
    """Whether an answer depends on the other faces: the model takes AUs relative to the person."""
    return normalization_of(model).is_relative


def answer_facts(
    model: Model, inputs: Sequence[Path], min_confidence: float, tally: Tally
) -> dict[str, Any]:
    """What the answers were made of and by, plain JSON."""
    files = model.facts.get("files", {})
    return {
        "model": {
            "name": model.name,
            "path": model.path.as_posix(),
            "kind": model.facts.get("kind"),
            "sha256": files.get(ONNX_NAME, model.facts.get("sha256")),
        },
        "inputs": [path.as_posix() for path in inputs],
        "min_confidence": min_confidence,
        **tally.facts(),
    }
