"""The expression of faces, one row each."""

from __future__ import annotations

import pandas as pd

from aufer.au_table import AuTable
from aufer.model import Model, answer_faces


def predict(
    model: Model, faces: AuTable, *, min_confidence: float = 0.0
) -> tuple[pd.DataFrame, list[str]]:
    """Label and probabilities of each face.

    Args:
        model: a bundle or a bare Keras file. faces: one row per image.
        min_confidence: faces that OpenFace fitted with less get no label. 0 answers every face.

    Returns:
        one row per image: ``image``, ``status``, ``confidence`` (OpenFace's), ``label`` and one
        probability per emotion, empty where there is no usable face; and warnings.

    Raises:
        DataError: the faces lack a feature, or were measured in another way than the model's.
    """
    answers = answer_faces(model, faces, min_confidence, "the faces")
    table = pd.DataFrame(
        {
            "image": faces.frame["image"],
            "status": faces.answer_status(min_confidence),
            "confidence": faces.frame["confidence"],
            "label": answers.words,
            **answers.columns(),
        }
    )
    return table, [*answers.warnings, *faces.notes]
