"""How a model does on faces it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import au_key
from aufer.au_table import DEFAULT_MIN_CONFIDENCE, LOW_CONFIDENCE, AuTable
from aufer.bundle import ROWS_NAME
from aufer.errors import DataError
from aufer.metrics import score
from aufer.model import Answers, Model, answer_faces
from aufer.provenance import made_by, versions
from aufer.report import SCHEMA

TRAINING_PARTS = ("train", "validation")
"""Faces of these parts shaped the model: it saw them."""


@dataclass(frozen=True)
class Evaluation:
    """One model tested on one set of faces.

    Attributes:
        facts: the content of ``report.json`` (docs/files.md).
        predictions: one row per test image: image, sha256, group, status, reason, confidence,
            emotion (truth), predicted, correct, seen_in_training, and one probability per emotion;
            empty where there is no usable face.
        intensities: float64 [n, 17] of the same rows.
    """

    facts: dict[str, Any]
    predictions: pd.DataFrame
    intensities: np.ndarray


def evaluate(
    model: Model,
    faces: AuTable,
    *,
    testset: str = "",
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
) -> Evaluation:
    """Test a model on labelled faces.

    An image without a usable face has no answer: accuracy is given of the answered ones, and of all
    images with those counted as wrong. Faces that the model saw in training (same bytes, or equal
    AUs) are named, and every figure is given without them too.

    Args:
        model: a bundle or a bare Keras file.
        faces: the test images, each with its emotion.
        testset: where they come from, for the report.
        min_confidence: faces fitted by OpenFace with less are not answered.

    Raises:
        DataError: no image, no usable face, emotions that the model doesn't know, features that the
        data lack, or AUs of another measure than the model's.
    """
    names = list(model.emotions.names)
    frame = faces.frame
    if frame.empty:
        raise DataError(f"The test set {testset} has no images.")
    model.emotions.check(frame["emotion"].unique(), f"The test set {testset}")
    answers = answer_faces(model, faces, min_confidence, "the test faces")
    answered, probabilities = answers.answered, answers.probabilities
    if not answered.any():
        counts = ", ".join(f"{n} {status}" for status, n in faces.counts().items())
        raise DataError(
            f"The test set {testset} has no usable face ({counts}; confidence threshold "
            f"{min_confidence:g}).",
            hint="lower it with --min-confidence, or look at the images",
        )
    truth = frame["emotion"].map(model.emotions.number).to_numpy(dtype=np.int64)
    seen, checked = _find_seen(model, faces, answered)
    predictions = _tabulate(faces, truth, answers, seen, min_confidence)
    figures = {"all": score(truth, probabilities, answered, names)}
    if seen.any():
        unseen = ~seen
        figures["unseen"] = score(truth[unseen], probabilities[unseen], answered[unseen], names)
    warnings = list(answers.warnings)
    if not checked:
        warnings.append(
            "which faces the model was trained on is not known: "
            "test faces that it saw can't be found"
        )
    facts = {
        "schema": SCHEMA,
        **made_by(),
        "model": {
            "name": model.name,
            "path": str(model.path),
            "kind": model.facts.get("kind", ""),
            "recipe": model.facts.get("recipe", ""),
            "made_at": model.facts.get("made_at", ""),
            "dataset": model.facts.get("dataset", {}),
            "extractor": model.extractor.facts(),
        },
        "testset": {
            "source": testset,
            "n_images": len(frame),
            "statuses": faces.counts(),
            "n_low_confidence": int((predictions["status"] == LOW_CONFIDENCE).sum()),
            "by_emotion": {n: int((truth == i).sum()) for i, n in enumerate(names)},
            "groups_known": bool((frame["group"] != "").any()),
            "extractor": faces.extractor.facts(),
        },
        "min_confidence": min_confidence,
        "emotions": names,
        "seen_in_training": {
            "checked": checked,
            "n": int(seen.sum()),
            "images": frame.loc[seen, "image"].tolist(),
        },
        "figures": figures,
        "n_failed": faces.n_failed,
        "warnings": [*warnings, *faces.notes],
        "versions": versions("aufer", "numpy", "pandas", "scikit-learn", "scipy", "onnxruntime"),
    }
    return Evaluation(facts, predictions, faces.intensities())


def _find_seen(model: Model, faces: AuTable, answered: np.ndarray) -> tuple[np.ndarray, bool]:
    """Which test images were training images too, bool [n]; and whether that could be checked."""
    rows_path = Path(model.path) / ROWS_NAME
    frame = faces.frame
    if not rows_path.is_file():
        return np.zeros(len(frame), dtype=bool), False
    rows = pd.read_csv(rows_path, dtype=str, keep_default_na=False)
    rows = rows[rows["part"].isin(TRAINING_PARTS)]
    hashes = set(rows["sha256"]) - {""}
    keys = set(rows["aus"]) - {""}
    same_bytes = frame["sha256"].isin(hashes).to_numpy()
    values = faces.intensities().tolist()
    same_aus = np.array(
        [bool(ok) and au_key(row) in keys for row, ok in zip(values, answered, strict=True)]
    )
    return same_bytes | same_aus, True


def _tabulate(
    faces: AuTable,
    truth: np.ndarray,
    answers: Answers,
    seen: np.ndarray,
    min_confidence: float,
) -> pd.DataFrame:
    frame = faces.frame
    status = faces.answer_status(min_confidence)
    low = status == LOW_CONFIDENCE
    table = pd.DataFrame(
        {
            "image": frame["image"],
            "sha256": frame["sha256"],
            "group": frame["group"],
            "status": status,
            "reason": np.where(low, f"confidence below {min_confidence:g}", frame["reason"]),
            "confidence": frame["confidence"],
            "emotion": [answers.names[label] for label in truth],
            "predicted": answers.words,
            "correct": pd.array(answers.labels == truth, dtype="boolean"),
            "seen_in_training": seen,
            **answers.columns(),
        }
    )
    table.loc[~answers.answered, "correct"] = pd.NA
    return table
