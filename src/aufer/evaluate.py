"""How a model does on faces it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS, au_key
from aufer.au_table import DEFAULT_MIN_CONFIDENCE, FAILED_STATUSES, OK, AuTable
from aufer.bundle import ROWS_NAME, check_features
from aufer.errors import DataError
from aufer.metrics import score
from aufer.model import Model
from aufer.provenance import compare_extractors, made_by, versions
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
    check_features(model.features, INTENSITY_COLUMNS, model.name)
    warnings = [
        f"the test faces and the model's training faces: {warning}"
        for warning in compare_extractors(model.extractor, faces.extractor)
    ]
    truth = frame["emotion"].map(model.emotions.number).to_numpy(dtype=np.int64)
    answered = faces.is_usable(min_confidence)
    if not answered.any():
        counts = ", ".join(f"{n} {status}" for status, n in faces.counts().items())
        raise DataError(
            f"The test set {testset} has no usable face ({counts}; confidence threshold "
            f"{min_confidence:g}).",
            hint="lower it with --min-confidence, or look at the images",
        )
    values = frame.loc[:, list(model.features)].to_numpy(dtype=np.float64)
    probabilities = np.full((len(frame), len(names)), np.nan)
    probabilities[answered] = model.predict_proba(values[answered])
    seen, checked = _find_seen(model, faces, answered)
    predictions = _tabulate(faces, truth, probabilities, answered, seen, names, min_confidence)
    figures = {"all": score(truth, probabilities, answered, names)}
    if seen.any():
        unseen = ~seen
        figures["unseen"] = score(truth[unseen], probabilities[unseen], answered[unseen], names)
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
            "n_low_confidence": int(((frame["status"] == OK).to_numpy() & ~answered).sum()),
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
        "n_failed": int(frame["status"].isin(FAILED_STATUSES).sum()),
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
    probabilities: np.ndarray,
    answered: np.ndarray,
    seen: np.ndarray,
    names: list[str],
    min_confidence: float,
) -> pd.DataFrame:
    frame = faces.frame
    guess = np.where(answered, np.nan_to_num(probabilities).argmax(axis=1), -1)
    status = np.where(
        (frame["status"] == OK).to_numpy() & ~answered, "low_confidence", frame["status"]
    )
    reason = np.where(
        status == "low_confidence", f"confidence below {min_confidence:g}", frame["reason"]
    )
    table = pd.DataFrame(
        {
            "image": frame["image"],
            "sha256": frame["sha256"],
            "group": frame["group"],
            "status": status,
            "reason": reason,
            "confidence": frame["confidence"],
            "emotion": [names[label] for label in truth],
            "predicted": [names[g] if g >= 0 else "" for g in guess],
            "correct": pd.array(guess == truth, dtype="boolean"),
            "seen_in_training": seen,
        }
    )
    table.loc[~answered, "correct"] = pd.NA
    for column, name in enumerate(names):
        table[name] = probabilities[:, column]
    return table
