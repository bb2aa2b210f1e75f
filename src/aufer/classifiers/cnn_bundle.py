"""A trained image network as a model bundle: its files, and what ``bundle.json`` says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import (
    CARD_NAME,
    FACTS_NAME,
    IMAGE_INPUT,
    KERAS_NAME,
    ONNX_NAME,
    PLOT_NAME,
    ROWS_COLUMNS,
    ROWS_NAME,
    SCHEMA,
)
from aufer.bundle_tables import write_history
from aufer.calibration import (
    calibrate,
    expected_calibration_error,
    fit_temperature,
    undo_smoothing,
)
from aufer.classifiers.cnn import CnnClassifier, write_onnx_file
from aufer.classifiers.cnn_network import STAGES, STEM
from aufer.classifiers.cnn_pictures import PictureSet
from aufer.classifiers.cnn_recipe import CnnRecipe
from aufer.files import hash_files, to_json, write_text
from aufer.metrics import score
from aufer.model_card import write_card
from aufer.provenance import Extractor, made_by, versions
from aufer.splits import Parts
from aufer.training_plot import draw_training


@dataclass(frozen=True)
class Trained:
    """All that a bundle is made of.

    Attributes:
        classifier: the network. recipe, seed: what it was trained by.
        pictures: all of the folder. parts: of their split. notes: what a reader must know of them.
    """

    classifier: CnnClassifier
    recipe: CnnRecipe
    seed: int
    pictures: PictureSet
    parts: Parts
    notes: list[str]


def write_bundle(
    folder: Path, name: str, trained: Trained, *, with_data: bool, command: str
) -> dict[str, Any]:
    """Write every file of a bundle but its checkpoints, which lie in the folder before.

    Args:
        name: of the bundle. with_data: without, ``rows.csv`` names no image. command: what was
            typed; empty if nothing.

    Returns:
        the content of ``bundle.json``.
    """
    classifier, parts, pictures = trained.classifier, trained.parts, trained.pictures
    pixels, labels, names = pictures.pixels, pictures.labels, pictures.emotions.names
    held, smoothing = parts.validation, trained.recipe.label_smoothing
    raw = classifier.predict_proba(pixels[held])
    temperature = fit_temperature(undo_smoothing(raw, smoothing), labels[held])
    validated = calibrate(raw, temperature, smoothing)
    tested = calibrate(classifier.predict_proba(pixels[parts.test]), temperature, smoothing)
    difference = write_onnx_file(
        folder / ONNX_NAME, classifier, names, temperature, smoothing, pixels[held]
    )
    classifier.network.save(folder / KERAS_NAME)
    facts = {
        "schema": SCHEMA,
        "name": name,
        "kind": "cnn",
        "input": IMAGE_INPUT,
        "image_input": trained.recipe.image_input.facts(),
        "features": [],
        "labels": list(names),
        "extractor": Extractor().facts(),
        "dataset": pictures.facts(),
        "split": {
            "rule": parts.rule,
            "seed": trained.seed,
            "sizes": parts.sizes(),
            "grouped": parts.grouped,
        },
        "training": {**_training(trained), "onnx_difference": difference},
        "calibration": {
            "temperature": temperature,
            "label_smoothing_undone": smoothing,
            "rows": "validation",
            "n": len(held),
            "ece_before": expected_calibration_error(raw, labels[held]),
            "ece_after": expected_calibration_error(validated, labels[held]),
        },
        "interrupted": False,
        "metrics": {
            "test": _figures(labels[parts.test], tested, names),
            "validation": _figures(labels[held], validated, names),
        },
        "versions": versions("tensorflow", "keras", "numpy", "onnx", "onnxruntime"),
        "notes": trained.notes,
        **({"command": command} if command else {}),
        **made_by(),
    }
    _write_rows(folder, trained, with_data=with_data)
    history, best = classifier.state.history, classifier.state.best_epoch
    write_history(folder, history)
    draw_training(history, best, name, folder / PLOT_NAME)
    write_text(folder / CARD_NAME, write_card(facts))
    facts["files"] = hash_files(folder, FACTS_NAME)
    # last: a folder with this file is whole
    write_text(folder / FACTS_NAME, to_json(facts))
    return facts


def _training(trained: Trained) -> dict[str, Any]:
    classifier, state = trained.classifier, trained.classifier.state
    return {
        "recipe": "images",
        **trained.recipe.facts(),
        "network": {"stem": STEM, "stages": list(STAGES)},
        "n_weights": int(classifier.network.count_params()),
        "seed": trained.seed,
        "is_recipe_to_the_letter": trained.recipe == CnnRecipe(),
        "epochs_run": len(state.history),
        "best_epoch": state.best_epoch,
        "stopped": classifier.stopped,
        "seconds": round(sum(row["seconds"] for row in state.history), 1),
    }


def _figures(
    labels: np.ndarray, probabilities: np.ndarray, names: tuple[str, ...]
) -> dict[str, Any] | None:
    if not len(labels):
        return None
    full = score(labels, probabilities, np.ones(len(labels), dtype=bool), names)
    wanted = ("accuracy", "macro_f1", "log_loss", "ece", "brier")
    return {key: full[key] for key in wanted} | {"n": len(labels)}


def _write_rows(folder: Path, trained: Trained, *, with_data: bool) -> None:
    empty = {"group": "", "confidence": "", "aus": ""}
    rows = trained.pictures.rows.assign(part=trained.parts.names(), **empty)
    if not with_data:
        rows["image"] = ""
    rows.loc[:, list(ROWS_COLUMNS)].to_csv(folder / ROWS_NAME, index=False, lineterminator="\n")
