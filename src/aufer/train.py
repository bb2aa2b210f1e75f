"""The verb ``train``: a dataset in, a model bundle out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import (
    AU_INPUT,
    CARD_NAME,
    FACTS_NAME,
    PLOT_NAME,
    SCHEMA,
    Bundle,
    check_bundle_replaceable,
    new_bundle_path,
    write_history,
    write_rows,
)
from aufer.classifiers import dense
from aufer.classifiers.backend import full_disk_is_an_error
from aufer.classifiers.recipe import (
    INTERRUPTED,
    RECIPES,
    Examples,
    Fit,
    OnEpoch,
    Recipe,
)
from aufer.dataset import Dataset, read_dataset, sidecar_paths
from aufer.emotions import Emotions
from aufer.errors import DataError, Interrupted, UsageError
from aufer.files import hash_files, read_json, replacing_folder, to_json
from aufer.metrics import score
from aufer.model_card import write_card
from aufer.provenance import made_by, versions
from aufer.splits import Parts, split_reference, split_stratified
from aufer.training_plot import draw_training

log = logging.getLogger("aufer")

FitClassifier = Callable[[Examples, Recipe, int, Path, OnEpoch], Fit]

KINDS: dict[str, FitClassifier] = {"dense": dense.fit}
"""Each kind of model and the function that trains it."""


def train(
    dataset_path: Path,
    *,
    recipe: str = "standard",
    kind: str = "dense",
    emotions: Emotions | None = None,
    out: Path | None = None,
    models_folder: Path = Path("models"),
    name: str | None = None,
    seed: int = 0,
    epochs: int | None = None,
    patience: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    test_size: float | None = None,
    validation_size: float | None = None,
    checkpoint_format: str | None = None,
    on_epoch: OnEpoch | None = None,
    force: bool = False,
    command: str = "",
) -> Bundle:
    """Train a model on a dataset and write its bundle.

    Args:
        dataset_path: ``emotion.csv``, or any table that `dataset.read_dataset` takes.
        recipe: ``standard`` or ``reference``; None for any setting below takes the recipe's.
        kind: a key of `KINDS`.
        emotions: in label order; None takes those of the dataset.
        out: the bundle's folder; None makes ``models_folder/<name>``, and the name, if None too,
            of dataset, kind and time.
        seed: of the split and of the weights; same seed, same model.
        test_size: share of all rows. validation_size: share of the rest.
        on_epoch: called after each epoch with its number and losses.
        force: replace a bundle in ``out`` that a person edited.
        command: what was typed, for the record.

    Returns:
        the bundle; talk of counts and split goes to the logger ``aufer``.

    Raises:
        UsageError: no such file, kind, recipe; an impossible setting. DataError: the dataset can't
        be used. AuferError: ``out`` holds something else; the disk is full; training diverged.
        Interrupted: Ctrl-C; the best model so far is written if an epoch was finished.
    """
    plan = _choose(RECIPES, recipe, "recipe").changed(
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
        test_size=test_size,
        validation_size=validation_size,
        checkpoint_format=checkpoint_format,
    )
    fit_classifier = _choose(KINDS, kind, "kind")
    path = _bundle_path(dataset_path, kind, out, models_folder, name, force)
    try:
        dataset = read_dataset(dataset_path, emotions)
        notes = [*dataset.notes, *check_counts(dataset)]
        parts = _split(dataset, plan, seed)
        _say_plan(dataset, parts, notes)
        with full_disk_is_an_error(path), replacing_folder(path) as folder:
            examples = Examples(
                aus=dataset.aus.to_numpy(dtype=np.float32),
                labels=dataset.labels,
                features=INTENSITY_COLUMNS,
                emotions=dataset.emotions.names,
                parts=parts,
            )
            fit = fit_classifier(examples, plan, seed, folder, on_epoch or _tell_nobody)
            facts = {
                "schema": SCHEMA,
                "name": path.name,
                "kind": kind,
                **_facts(dataset, plan, parts, fit, seed),
                "notes": notes,
                **({"command": command} if command else {}),
                **made_by(),
            }
            write_rows(folder, dataset, parts)
            write_history(folder, fit.history)
            draw_training(fit.history, fit.best_epoch, path.name, folder / PLOT_NAME)
            (folder / CARD_NAME).write_text(write_card(facts), encoding="utf-8", newline="\n")
            facts["files"] = hash_files(folder, FACTS_NAME)
            # last: a folder with this file is whole
            (folder / FACTS_NAME).write_text(to_json(facts), encoding="utf-8", newline="\n")
    except KeyboardInterrupt as error:
        raise Interrupted(
            "Interrupted before there was a model to keep; nothing was written."
        ) from error
    if fit.stopped == INTERRUPTED:
        raise Interrupted(
            f"Interrupted after epoch {len(fit.history)}; the best model so far (epoch "
            f"{fit.best_epoch}) is in {path}.",
            hint=f"test it: aufer evaluate --model {path} --testset TESTSET",
        )
    return Bundle(path, facts)


def check_counts(dataset: Dataset) -> list[str]:
    """Check that there is something to tell apart; notes name the emotions without a face.

    Raises:
        DataError: fewer than two emotions have rows.
    """
    counts = dataset.counts()
    empty = [name for name, n in counts.items() if n == 0]
    if len(counts) - len(empty) < 2:
        raise DataError(
            f"{dataset.path} has faces of {len(counts) - len(empty)} emotion only; a model needs "
            "at least two to tell apart.",
            hint="add images of other emotions, then: aufer extract; aufer build-dataset",
        )
    if not empty:
        return []
    return [
        f"no face of {', '.join(empty)} is in the dataset: the model keeps an output for it, but "
        "will hardly ever give it"
    ]


def _choose(known: dict[str, Any], word: str, what: str) -> Any:
    if word not in known:
        raise UsageError(f"There is no {what} '{word}'; known are {', '.join(known)}.")
    return known[word]


def _tell_nobody(epoch: int, values: dict[str, float]) -> None:
    pass


def _bundle_path(
    dataset_path: Path,
    kind: str,
    out: Path | None,
    models_folder: Path,
    name: str | None,
    force: bool,
) -> Path:
    if not dataset_path.is_file():
        raise UsageError(
            f"The dataset {dataset_path} does not exist.", hint="make one: aufer build-dataset"
        )
    if out is not None:
        path = out
    elif name is not None:
        if not name.strip(".") or Path(name).name != name:
            raise UsageError(
                f"'{name}' can't be a model's name.", hint="use --out for a path elsewhere"
            )
        path = models_folder / name
    else:
        path = new_bundle_path(models_folder, dataset_path, kind)
    check_bundle_replaceable(path, force=force)
    return path


def _split(dataset: Dataset, recipe: Recipe, seed: int) -> Parts:
    if recipe.stratify:
        return split_stratified(
            dataset.labels,
            dataset.groups,
            dataset.keys,
            recipe.test_size,
            recipe.validation_size,
            seed,
        )
    return split_reference(len(dataset), recipe.test_size, recipe.validation_size, seed)


def _say_plan(dataset: Dataset, parts: Parts, notes: Sequence[str]) -> None:
    counts = ", ".join(f"{name} {n}" for name, n in dataset.counts().items())
    log.info("%s: %d faces (%s)", dataset.path, len(dataset), counts)
    sizes = ", ".join(f"{name} {n}" for name, n in parts.sizes().items())
    log.info("split: %s; %s", sizes, parts.rule)
    for note in notes:
        log.warning(note)


def _facts(dataset: Dataset, recipe: Recipe, parts: Parts, fit: Fit, seed: int) -> dict[str, Any]:
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
        "training": _training_facts(recipe, fit, seed),
        "interrupted": fit.stopped == INTERRUPTED,
        "metrics": _metrics(dataset, parts, fit),
        "versions": versions("tensorflow", "keras", "numpy", "onnx", "onnxruntime"),
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
        facts |= {key: beside[key] for key in ("min_confidence", "faces") if key in beside}
    return facts


def _training_facts(recipe: Recipe, fit: Fit, seed: int) -> dict[str, Any]:
    settings = {**recipe.facts(), "recipe": recipe.name}
    settings.pop("name")
    return {
        **settings,
        "seed": seed,
        "is_recipe_to_the_letter": recipe == RECIPES[recipe.name],
        "hidden_layers": list(dense.HIDDEN_LAYERS),
        "epochs_run": len(fit.history),
        "best_epoch": fit.best_epoch,
        "stopped": fit.stopped,
        "seconds": round(sum(row["seconds"] for row in fit.history), 1),
        "onnx_difference": fit.onnx_difference,
    }


def _metrics(dataset: Dataset, parts: Parts, fit: Fit) -> dict[str, Any]:
    """Figures of the best checkpoint, and of the last epoch, on validation and test rows."""

    def figures(rows: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
        answered = np.ones(len(rows), dtype=bool)
        names = dataset.emotions.names
        full = score(dataset.labels[rows], probabilities[rows], answered, names)
        return {key: full[key] for key in ("accuracy", "macro_f1", "log_loss")} | {"n": len(rows)}

    return {
        "test": figures(parts.test, fit.best),
        "validation": figures(parts.validation, fit.best),
        "last_epoch": {
            "test": figures(parts.test, fit.last),
            "validation": figures(parts.validation, fit.last),
        },
    }
