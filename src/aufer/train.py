"""The verb ``train``: a dataset in, a model bundle out."""

from __future__ import annotations

import logging
import shlex
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
    reserve_bundle_path,
    write_history,
    write_rows,
)
from aufer.classifiers import dense
from aufer.classifiers.backend import full_disk_is_an_error
from aufer.classifiers.ctrl_c import CtrlC
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

FitClassifier = Callable[[Examples, Recipe, int, Path, OnEpoch, CtrlC], Fit]

MOST_SEED = 2**32 - 1
"""The largest seed that NumPy takes."""

SHARE_TOLERANCE = 0.03
"""A part of the split that misses the share asked for by more is told of."""

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
        seed: of the split and of the weights, 0 to 2**32 - 1; same seed, same model.
        test_size: share of all rows. validation_size: share of the rest.
        on_epoch: called after each epoch with its number and losses.
        force: replace a bundle in ``out`` that a person edited.
        command: what was typed, for the record.

    Returns:
        the bundle; talk of counts and split goes to the logger ``aufer``.

    Raises:
        UsageError: no such file, kind, recipe; an impossible setting. DataError: the dataset can't
        be used. AuferError: ``out`` holds something else; the disk is full; training diverged.
        Interrupted: Ctrl-C; the best model so far is written if an epoch was finished. A second
        Ctrl-C does not stop that.
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
    if not 0 <= seed <= MOST_SEED:
        raise UsageError(f"--seed is a whole number from 0 to {MOST_SEED}, not {seed}.")
    if not dataset_path.is_file():
        raise UsageError(
            f"The dataset {dataset_path} does not exist.", hint="make one: aufer build-dataset"
        )
    named = _named_path(out, models_folder, name)
    if named is not None:
        check_bundle_replaceable(named, force=force)
    with CtrlC() as ctrl_c:

        def tell(epoch: int, values: dict[str, float]) -> None:
            if on_epoch is not None:
                on_epoch(epoch, values)
            ctrl_c.raise_if_pressed()

        try:
            dataset = read_dataset(dataset_path, emotions)
            notes = [*dataset.notes, *check_counts(dataset)]
            parts = _split(dataset, plan, seed)
            notes += check_shares(parts, plan)
            _say_plan(dataset, parts, notes)
            ctrl_c.hold("")  # or the folders that are made next might stay behind
            with (
                reserve_bundle_path(named, models_folder, dataset_path, kind) as path,
                full_disk_is_an_error(path),
                replacing_folder(path) as folder,
            ):
                ctrl_c.let_go()
                examples = Examples(
                    aus=dataset.aus.to_numpy(dtype=np.float32),
                    labels=dataset.labels,
                    features=INTENSITY_COLUMNS,
                    emotions=dataset.emotions.names,
                    parts=parts,
                )
                fit = fit_classifier(examples, plan, seed, folder, tell, ctrl_c)
                facts = {
                    "schema": SCHEMA,
                    "name": path.name,
                    "kind": kind,
                    **_facts(dataset, plan, parts, fit, seed),
                    "notes": notes,
                    **({"command": command} if command else {}),
                    **made_by(),
                }
                _write_bundle(folder, facts, dataset, parts, fit)
        except KeyboardInterrupt as error:
            raise Interrupted(
                "Interrupted before there was a model to keep; nothing was written."
            ) from error
    test_it = f"test it: aufer evaluate --model {shlex.quote(str(path))} --testset TESTSET"
    if fit.stopped == INTERRUPTED:
        raise Interrupted(
            f"Interrupted after epoch {len(fit.history)}; the best model so far (epoch "
            f"{fit.best_epoch}) is in {path}.",
            hint=test_it,
        )
    if ctrl_c.pressed:
        raise Interrupted(
            f"Interrupted when the training was over; the whole model is in {path}.", hint=test_it
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


def check_shares(parts: Parts, recipe: Recipe) -> list[str]:
    """Notes about parts of the split that are larger or smaller than asked for."""
    asked = (("test", recipe.test_size), ("validation", recipe.validation_size))
    return [
        f"--{name}-size {size:g} was asked for; the nearest share that the faces can be split at "
        f"is {100 * share:.0f} %"
        for (name, size), share in zip(asked, _shares(parts), strict=True)
        if abs(share - size) > SHARE_TOLERANCE
    ]


def _shares(parts: Parts) -> tuple[float, float]:
    """The test part's share of all rows, and the validation part's of the others."""
    n_train, n_validation, n_test = parts.sizes().values()
    rest = n_train + n_validation
    return n_test / (rest + n_test), n_validation / rest


def _choose(known: dict[str, Any], word: str, what: str) -> Any:
    if word not in known:
        raise UsageError(f"There is no {what} '{word}'; known are {', '.join(known)}.")
    return known[word]


def _named_path(out: Path | None, models_folder: Path, name: str | None) -> Path | None:
    if out is not None or name is None:
        return out
    if not name.strip(".") or Path(name).name != name:
        raise UsageError(
            f"'{name}' can't be a model's name.", hint="use --out for a path elsewhere"
        )
    return models_folder / name


def _split(dataset: Dataset, recipe: Recipe, seed: int) -> Parts:
    if recipe.stratify:
        return split_stratified(
            dataset.labels,
            dataset.groups,
            dataset.keys,
            recipe.test_size,
            recipe.validation_size,
            seed,
            dataset.emotions.names,
        )
    return split_reference(len(dataset), recipe.test_size, recipe.validation_size, seed)


def _say_plan(dataset: Dataset, parts: Parts, notes: Sequence[str]) -> None:
    counts = ", ".join(f"{name} {n}" for name, n in dataset.counts().items())
    log.info("%s: %d faces (%s)", dataset.path, len(dataset), counts)
    sizes = ", ".join(f"{name} {n}" for name, n in parts.sizes().items())
    test, validation = _shares(parts)
    log.info(
        "split: %s (test %.0f %%, then validation %.0f %% of the rest); %s",
        sizes,
        100 * test,
        100 * validation,
        parts.rule,
    )
    for note in notes:
        log.warning(note)


def _write_bundle(
    folder: Path, facts: dict[str, Any], dataset: Dataset, parts: Parts, fit: Fit
) -> None:
    """Write all that the classifier did not, and add the hashes to ``facts``."""
    write_rows(folder, dataset, parts)
    write_history(folder, fit.history)
    draw_training(fit.history, fit.best_epoch, facts["name"], folder / PLOT_NAME)
    (folder / CARD_NAME).write_text(write_card(facts), encoding="utf-8", newline="\n")
    facts["files"] = hash_files(folder, FACTS_NAME)
    # last: a folder with this file is whole
    (folder / FACTS_NAME).write_text(to_json(facts), encoding="utf-8", newline="\n")


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
