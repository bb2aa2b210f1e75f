"""How well a model reads faces that it never saw."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import DIGEST_PREFIX, INTENSITY_COLUMNS
from aufer.au_table import DEFAULT_MIN_CONFIDENCE, LOW_CONFIDENCE, OK, AuTable, complete
from aufer.bundle import CV_PREDICTIONS_NAME, ROWS_NAME
from aufer.classifiers.classifier import Examples
from aufer.classifiers.cross_validation import BASELINES
from aufer.errors import DataError, UsageError
from aufer.groups import FEW_GROUPS, Grouping
from aufer.model import Answers, Model, answer_faces, normalization_of, relate_faces
from aufer.provenance import made_by, versions
from aufer.report.facts import au_profile, figures_of, testset_facts, worst_mistakes
from aufer.report.of_model import (
    describe_model,
    read_cross_predictions,
    read_rows,
)
from aufer.report.page import SCHEMA
from aufer.report.text import CROSS_VALIDATION, HELD_OUT, TESTSET
from aufer.seen import Seen, find_seen, nothing_seen
from aufer.splits import TRAINING_PARTS


@dataclass(frozen=True)
class Evaluation:
    """One model tested on one set of faces.

    Attributes:
        facts: the content of ``report.json`` (docs/evaluation.md).
        predictions: one row per test image: image, sha256, group, status, reason, confidence,
            emotion (truth), predicted, correct, seen_in_training, seen_how, one probability per
            emotion, by_majority and by_prototypes (what the baselines say), and the 17 AUs. Empty
            where there is no face; a face of low confidence has probabilities, but no answer.
    """

    facts: dict[str, Any]
    predictions: pd.DataFrame


def evaluate(
    model: Model,
    faces: AuTable,
    *,
    testset: str = "",
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
) -> Evaluation:
    """Test a model on labelled faces.

    An image without a usable face has no answer: accuracy is given of the answered ones, and of all
    images with those counted as wrong. Faces that the model saw in training (the same file, equal
    AUs, or a near copy) are named, and every figure is given without them too.

    Args:
        model: a bundle or a bare Keras file.
        faces: the test images, each with its emotion.
        testset: where they come from, for the report.
        min_confidence: faces fitted by OpenFace with less are not answered.

    Raises:
        DataError: no image, no usable face, emotions that the model doesn't know, features that the
        data lack, or AUs of another measure than the model's.
    """
    if faces.frame.empty:
        raise DataError(f"The test set {testset} has no images.")
    model.emotions.check(faces.frame["emotion"].unique(), f"The test set {testset}")
    answers = answer_faces(model, faces, 0.0, "the test faces")
    return _test(model, faces, answers, TESTSET, testset, min_confidence)


def evaluate_held_out(
    model: Model, *, min_confidence: float = DEFAULT_MIN_CONFIDENCE
) -> Evaluation:
    """Test a bundle on the rows of its own dataset that it was not fitted to.

    Those are its test rows; where it has none, its cross-validation, in which every row was read by
    a model that was not fitted to it.

    Raises:
        UsageError: the model has neither, or reads pictures, which no bundle holds.
    """
    if model.image_input is not None:
        folder = shlex.quote(str(model.facts.get("dataset", {}).get("path", "FOLDER")))
        raise UsageError(
            f"The model {model.name} reads pictures, and it comes without any.",
            hint=f"name their folder: aufer evaluate --model {model.name} --testset {folder}; the "
            "ones that it was trained on are left out of the first figures",
        )
    rows = read_rows(model)
    if rows is not None and rows["aus"].str.startswith(DIGEST_PREFIX).any():
        raise UsageError(
            f"The model {model.name} came without its faces: none is left to test it on.",
            hint="name some: aufer evaluate --testset FOLDER",
        )
    held = None if rows is None else rows[rows["part"] == "test"]
    if held is not None and len(held):
        faces = _faces_of(held, model)
        # rows.csv has the AUs as the model was given them, so they go straight to it
        probabilities = model.predict_proba(faces.frame[list(model.features)].to_numpy())
        answers = _answers(model, probabilities)
        source = str(Path(model.path) / ROWS_NAME)
        return _test(model, faces, answers, HELD_OUT, source, min_confidence)
    crossed = read_cross_predictions(model)
    if crossed is None or rows is None:
        raise UsageError(
            f"The model {model.name} has no test faces of its own.",
            hint="name some: aufer evaluate --testset FOLDER; or train it so that it has: "
            "aufer train --cv 5",
        )
    faces = _faces_of(rows.iloc[crossed["row"].to_numpy() - 1], model)
    answers = _answers(model, crossed[list(model.emotions.names)].to_numpy())
    source = str(Path(model.path) / CV_PREDICTIONS_NAME)
    return _test(model, faces, answers, CROSS_VALIDATION, source, min_confidence)


def _answers(model: Model, probabilities: np.ndarray) -> Answers:
    """An answer for every face."""
    n = len(probabilities)
    return Answers(
        model.emotions.names,
        np.ones(n, dtype=bool),
        probabilities.astype(np.float64),
        (),
        status=np.full(n, OK, dtype=object),
        reasons=np.full(n, "", dtype=object),
    )


def _faces_of(rows: pd.DataFrame, model: Model) -> AuTable:
    """Rows of a bundle's ``rows.csv`` as an AU table: its column ``aus`` holds the 17 values."""
    values = pd.DataFrame(_values(rows), columns=list(INTENSITY_COLUMNS))
    frame = pd.concat([rows.reset_index(drop=True), values], axis=1)
    numbered = np.array([f"row {n + 1}" for n in rows.index], dtype=object)
    frame["image"] = np.where(frame["image"] == "", numbered, frame["image"])
    if "confidence" in frame:  # not in older bundles; empty where AU rows came without
        frame["confidence"] = pd.to_numeric(frame["confidence"], errors="coerce")
    return AuTable(
        complete(frame.assign(status=OK)),
        model.extractor,
        grouping=Grouping.from_facts(model.facts.get("dataset", {}).get("groups") or {}),
        normalization=normalization_of(model),
    )


def _values(rows: pd.DataFrame) -> np.ndarray:
    """The AU intensities of rows of ``rows.csv``, float64 [n, 17]."""
    values = np.array([text.split() for text in rows["aus"]], dtype=np.float64)
    return values.reshape(len(rows), len(INTENSITY_COLUMNS))


def _test(
    model: Model,
    faces: AuTable,
    answers: Answers,
    what: str,
    source: str,
    min_confidence: float,
) -> Evaluation:
    """Figures, predictions and facts of one test, whoever gave the answers."""
    names = model.emotions.names
    reads_pictures = model.image_input is not None
    asked = answers.answered
    low = np.zeros(len(faces), dtype=bool)
    if not reads_pictures:
        low = faces.answer_status(min_confidence) == LOW_CONFIDENCE
    answers = replace(
        answers,
        answered=asked & ~low,
        status=np.where(low, LOW_CONFIDENCE, answers.status),
        reasons=np.where(low, f"confidence below {min_confidence:g}", answers.reasons),
    )
    if not answers.answered.any():
        counts = ", ".join(f"{n} {status}" for status, n in faces.counts().items())
        if reads_pictures:
            raise DataError(f"The test set {source} has no picture that can be read ({counts}).")
        raise DataError(
            f"The test set {source} has no usable face ({counts}; confidence threshold "
            f"{min_confidence:g}).",
            hint="lower it with --min-confidence, or look at the images",
        )
    told, rows = describe_model(model), read_rows(model)
    if what == CROSS_VALIDATION:  # whoever read a face there was not fitted to it
        seen = nothing_seen(len(faces), checked=True)
    else:
        relative = relate_faces(model, faces)
        values = faces.intensities() if relative is None else relative.values
        seen = find_seen(rows, faces, values, persons_known=told["persons_known"])
    predictions = _tabulate(faces, answers, seen)
    has_aus = not np.isnan(faces.intensities()[asked]).any()
    baselines = _answer_baselines(rows, faces, asked, names, has_aus=has_aus)
    for name, words in baselines.items():
        predictions[f"by_{name}"] = words
    if has_aus:
        predictions[list(INTENSITY_COLUMNS)] = faces.intensities()
    titles = {name: BASELINES[name][0] for name in baselines}
    figures = {"all": figures_of(predictions, names, titles)}
    leading = predictions
    if seen.is_seen.any():
        unseen = predictions[~seen.is_seen]
        figures["unseen"] = figures_of(unseen, names, titles)
        leading = unseen if figures["unseen"]["n_answered"] else predictions
    facts = {
        "schema": SCHEMA,
        **made_by(),
        "tested_on": what,
        "model": told,
        "testset": testset_facts(faces, predictions, source, names),
        "min_confidence": min_confidence,
        "emotions": list(names),
        "seen_in_training": seen.facts(faces),
        "figures": figures,
        "au_profile": au_profile(leading, names) if has_aus else [],
        "mistakes": worst_mistakes(leading, names),
        "n_failed": faces.n_failed,
        "warnings": [*answers.warnings, *seen.warnings(), *_warn_of_few(figures), *faces.notes],
        "versions": versions("aufer", "numpy", "pandas", "scikit-learn", "scipy", "onnxruntime"),
    }
    return Evaluation(facts, predictions)


def _warn_of_few(figures: dict[str, Any]) -> list[str]:
    bootstrap = figures["all"]["bootstrap"]
    if bootstrap["by"] != "group" or bootstrap["n_groups"] >= FEW_GROUPS:
        return []
    return [
        f"the test faces are of {bootstrap['n_groups']} group"
        f"{'' if bootstrap['n_groups'] == 1 else 's'} only (persons, or series): intervals are "
        f"narrower than the truth; at least {FEW_GROUPS} are needed"
    ]


def _answer_baselines(
    rows: pd.DataFrame | None,
    faces: AuTable,
    asked: np.ndarray,
    names: Sequence[str],
    *,
    has_aus: bool,
) -> dict[str, np.ndarray]:
    """What the baselines say of each face that the model was asked for, object [n]; the most
    frequent emotion is that of the model's training rows, where the model tells of them."""
    labels = np.zeros(0, dtype=np.int64)
    if rows is not None:
        rows = rows[rows["part"].isin(TRAINING_PARTS)]
        labels = np.array([names.index(word) for word in rows["emotion"]], dtype=np.int64)
    examples = Examples(
        # the baselines learn nothing of AUs
        np.zeros((len(labels), len(INTENSITY_COLUMNS)), dtype=np.float32),
        labels,
        INTENSITY_COLUMNS,
        tuple(names),
        train=np.arange(len(labels)),
        validation=np.zeros(0, dtype=np.int64),
    )
    words = np.array(names, dtype=object)
    found = {}
    for name, (_, fit) in BASELINES.items():
        if (name == "majority" and not len(labels)) or (name == "prototypes" and not has_aus):
            continue
        probabilities = fit(examples, 0)[0].predict_proba(faces.intensities()[asked])
        found[name] = np.full(len(faces), "", dtype=object)
        found[name][asked] = words[probabilities.argmax(axis=1)]
    return found


def _tabulate(faces: AuTable, answers: Answers, seen: Seen) -> pd.DataFrame:
    frame = faces.frame
    words = np.array(answers.words, dtype=object)
    table = pd.DataFrame(
        {
            "image": frame["image"],
            "sha256": frame["sha256"],
            "group": frame["group"],
            "status": answers.status,
            "reason": answers.reasons,
            "confidence": frame["confidence"],
            "emotion": frame["emotion"],
            "predicted": words,
            "correct": pd.array(words == frame["emotion"].to_numpy(), dtype="boolean"),
            "seen_in_training": seen.is_seen,
            "seen_how": seen.how,
            **answers.columns(),
        }
    )
    table.loc[~answers.answered, "correct"] = pd.NA
    return table
