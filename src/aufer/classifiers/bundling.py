"""A fitted classifier as a model bundle: its files, and what ``bundle.json`` says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import (
    AU_INPUT,
    CARD_NAME,
    FACTS_NAME,
    KERAS_NAME,
    ONNX_NAME,
    PLOT_NAME,
)
from aufer.bundle_tables import write_cross_validation, write_history, write_rows
from aufer.classifiers.classifier import INTERRUPTED, Examples
from aufer.classifiers.cross_validation import CrossValidation
from aufer.classifiers.fitting import Fitted
from aufer.classifiers.onnx_export import calibrated, compare_with_onnx, write_onnx
from aufer.classifiers.recipe import RECIPES, Recipe
from aufer.classifiers.refitted import Refitted
from aufer.dataset import Dataset, sidecar_paths
from aufer.files import hash_files, read_json, to_json, write_text
from aufer.metrics import score
from aufer.model_card import write_card
from aufer.provenance import versions
from aufer.splits import Parts
from aufer.training_plot import draw_training

_OF_SIDECAR = (
    "min_confidence",
    "faces",
    "groups",
    "normalization",
    "by_emotion",
    "n_images",
    "sources",
)
"""What a bundle keeps of its dataset's sidecar."""


def write_model(folder: Path, fitted: Fitted, examples: Examples) -> float:
    """Write ``model.onnx`` and, for networks, ``model.keras``.

    Returns:
        the largest difference of a probability between the ONNX file and the classifier.
    """
    features, emotions = examples.features, examples.emotions
    graph = fitted.classifier.to_onnx(features, emotions)
    path = folder / ONNX_NAME
    mended = calibrated(graph, fitted.temperature, fitted.smoothing)
    write_onnx(mended, path, features, emotions)
    network = fitted.classifier.to_keras()
    if network is not None:
        network.save(folder / KERAS_NAME)
    expected = fitted.predict_proba(examples.aus)
    return compare_with_onnx(path, examples.aus, expected, temperature=fitted.temperature)


def write_files(
    folder: Path,
    facts: dict[str, Any],
    dataset: Dataset,
    parts: Parts,
    fitted: Fitted,
    folds: CrossValidation | None,
    *,
    with_data: bool = True,
) -> None:
    """Write all that is not the model itself, and add the hashes to ``facts``."""
    classifier = fitted.classifier
    write_rows(folder, dataset, parts, with_data=with_data)
    if classifier.history:
        write_history(folder, classifier.history)
        draw_training(classifier.history, classifier.best_epoch, facts["name"], folder / PLOT_NAME)
    if folds is not None:
        predictions = folds.predictions if with_data else None
        write_cross_validation(folder, folds.folds, predictions)
    write_text(folder / CARD_NAME, write_card(facts))
    facts["files"] = hash_files(folder, FACTS_NAME)
    # last: a folder with this file is whole
    write_text(folder / FACTS_NAME, to_json(facts))


def describe(
    dataset: Dataset, recipe: Recipe, parts: Parts, fitted: Fitted, seed: int
) -> dict[str, Any]:
    """What ``bundle.json`` says of the data, the split, the training and its figures."""
    return {
        "recipe": recipe.name,
        "input": AU_INPUT,
        "features": list(INTENSITY_COLUMNS),
        "labels": list(dataset.emotions.names),
        "extractor": dataset.extractor.facts(),
        "dataset": _dataset_facts(dataset),
        "split": {
            "rule": parts.rule,
            "seed": seed,
            "sizes": parts.sizes(),
            "grouped": parts.grouped,
        },
        "training": _training_facts(recipe, fitted, seed),
        "calibration": fitted.calibration,
        "interrupted": fitted.classifier.stopped == INTERRUPTED,
        "metrics": _metrics(dataset, parts, fitted),
        "versions": versions("tensorflow", "keras", "scikit-learn", "numpy", "onnx", "onnxruntime"),
    }


def _dataset_facts(dataset: Dataset) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "path": str(dataset.path),
        "sha256": dataset.sha256,
        "n_rows": len(dataset),
        "counts": dataset.counts(),
        "groups_known": dataset.groups is not None,
    }
    if dataset.path is not None and (sidecar := sidecar_paths(dataset.path)["facts"]).exists():
        beside = read_json(sidecar)
        facts |= {key: beside[key] for key in _OF_SIDECAR if key in beside}
    return facts


def _training_facts(recipe: Recipe, fitted: Fitted, seed: int) -> dict[str, Any]:
    classifier = fitted.classifier
    settings = recipe.facts()
    settings.pop("name")
    settings["refit"] = isinstance(classifier, Refitted)  # Ctrl-C may have come before
    if not classifier.history:
        kept = ("stratify", "calibrate", "class_weights", "test_size", "validation_size")
        settings = {key: settings[key] for key in kept}
    return {
        "recipe": recipe.name,
        **settings,
        **classifier.settings,
        "seed": seed,
        "is_recipe_to_the_letter": recipe == RECIPES[recipe.name],
        "epochs_run": len(classifier.history),
        "best_epoch": classifier.best_epoch,
        "stopped": classifier.stopped,
        "seconds": round(sum(row["seconds"] for row in classifier.history), 1),
    }


def _metrics(dataset: Dataset, parts: Parts, fitted: Fitted) -> dict[str, Any]:
    """Figures on validation and test rows, of the model and, if that is another, the last epoch."""
    aus, names = dataset.aus.to_numpy(dtype=np.float32), dataset.emotions.names

    def figures(rows: np.ndarray, probabilities: np.ndarray) -> dict[str, Any] | None:
        if not len(rows):
            return None
        answered = np.ones(len(rows), dtype=bool)
        full = score(dataset.labels[rows], probabilities, answered, names)
        wanted = ("accuracy", "macro_f1", "log_loss", "ece", "brier")
        return {key: full[key] for key in wanted} | {"n": len(rows)}

    last = fitted.last
    by_part = {"test": parts.test, "validation": parts.validation}
    found: dict[str, Any] = {
        "test": figures(parts.test, fitted.predict_proba(aus[parts.test])),
        "validation": figures(parts.validation, fitted.validation),
    }
    if last is not None:
        found["last_epoch"] = {
            name: figures(rows, fitted.calibrate(last.predict_proba(aus[rows])))
            for name, rows in by_part.items()
        }
    return found
