"""The expression of faces, one row each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import OK, AuTable
from aufer.bundle import check_features
from aufer.model import Model
from aufer.provenance import compare_extractors

LOW_CONFIDENCE = "low_confidence"


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
    check_features(model.features, INTENSITY_COLUMNS, model.name)
    warnings = [
        f"the faces and the model's training faces: {warning}"
        for warning in compare_extractors(model.extractor, faces.extractor)
    ]
    frame = faces.frame
    names = list(model.emotions.names)
    answered = faces.is_usable(min_confidence)
    probabilities = np.full((len(frame), len(names)), np.nan, dtype=np.float64)
    values = frame.loc[:, list(model.features)].to_numpy(dtype=np.float32)
    probabilities[answered] = model.predict_proba(values[answered])
    labels = np.full(len(frame), "", dtype=object)
    labels[answered] = np.array(names, dtype=object)[probabilities[answered].argmax(axis=1)]
    low = (frame["status"] == OK).to_numpy() & ~answered
    table = pd.DataFrame(
        {
            "image": frame["image"],
            "status": np.where(low, LOW_CONFIDENCE, frame["status"]),
            "confidence": frame["confidence"],
            "label": labels,
        }
    )
    for column, name in enumerate(names):
        table[name] = probabilities[:, column]
    return table, [*warnings, *faces.notes]
