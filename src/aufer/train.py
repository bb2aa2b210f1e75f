"""The verb ``train``: a dataset in, a model bundle out."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import CHECKPOINTS, SCHEMA, Bundle
from aufer.classifiers.backend import full_disk_is_an_error
from aufer.classifiers.bundling import describe, write_files, write_model
from aufer.classifiers.classifier import INTERRUPTED, Examples, OnEpoch, no_epochs
from aufer.classifiers.cross_validation import cross_validate
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.fitting import find_kind, fit_calibrated
from aufer.classifiers.held_out import OnFold, no_folds
from aufer.classifiers.recipe import RECIPES, Recipe
from aufer.dataset import Dataset, read_dataset
from aufer.emotions import Emotions
from aufer.errors import DataError, Interrupted, UsageError
from aufer.files import replacing_folder
from aufer.provenance import made_by
from aufer.runs import check_bundle_replaceable, named_path, reserve_bundle_path
from aufer.splits import MOST_SEED, Parts, split_reference, split_stratified

log = logging.getLogger("aufer")

SHARE_TOLERANCE = 0.03
"""A part of the split that misses the share asked for by more is told of."""

MOST_MEMBERS = 100

_OF_EPOCHS = ("epochs", "patience", "batch_size", "learning_rate", "checkpoint_format")
"""Settings that only kinds with epochs have."""


@dataclass(frozen=True)
class CvPlan:
    """What cross-validation is asked for.

    Attributes:
        k: number of folds. by_source: hold out one source of the dataset at a time instead.
        repeats: deal the faces so many times. baselines: fit them beside, on the same folds.
    """

    k: int = 5
    by_source: bool = False
    repeats: int = 1
    baselines: bool = True


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
    class_weights: bool | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    test_size: float | None = None,
    validation_size: float | None = None,
    checkpoint_format: str | None = None,
    n_members: int = 1,
    cv: CvPlan | None = None,
    on_epoch: OnEpoch = no_epochs,
    on_fold: OnFold = no_folds,
    on_member: Callable[[int], None] | None = None,
    with_data: bool = True,
    force: bool = False,
    command: str = "",
) -> Bundle:
    """Train a model on a dataset and write its bundle.

    Args:
        dataset_path: ``emotion.csv``, or any table that `dataset.read_dataset` takes.
        recipe: ``standard`` or ``reference``; None for any setting below takes the recipe's.
        kind: a key of `fitting.KINDS`.
        emotions: in label order; None takes those of the dataset.
        out: the bundle's folder; None makes ``models_folder/<name>``, and the name, if None too,
            of dataset, kind and time.
        seed: of the split and of the weights, 0 to 2**32 - 1; same seed, same model.
        class_weights: weigh rare emotions up, so that each counts alike.
        test_size: share of all rows; 0 leaves no row for a test. validation_size: share of the
            rest.
        n_members: train so many with different seeds; their mean is the answer.
        cv: cross-validate first, for an accuracy that doesn't hang on one split.
        on_epoch: called after each epoch with its number and losses. on_fold, on_member: called
            before each fit of the cross-validation, and of a member.
        with_data: without, the bundle names no image and no group, and holds digests of the AUs
            instead of AUs: it can be passed on where the data can't.
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
    changes: dict[str, Any] = {
        "class_weights": class_weights,
        "epochs": epochs,
        "patience": patience,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "test_size": test_size,
        "validation_size": validation_size,
        "checkpoint_format": checkpoint_format,
    }
    plan = _choose_recipe(recipe, kind, changes)
    if not with_data and find_kind(kind).keeps_faces:
        raise UsageError(
            f"A bundle of the kind {kind} can't go without its data: AUs of training faces are "
            "part of the model (support vectors).",
            hint="take another kind: aufer train --without-data --kind dense",
        )
    if not 1 <= n_members <= MOST_MEMBERS:
        raise UsageError(f"--ensemble is a whole number from 1 to {MOST_MEMBERS}, not {n_members}.")
    if not 0 <= seed <= MOST_SEED:
        raise UsageError(f"--seed is a whole number from 0 to {MOST_SEED}, not {seed}.")
    if not dataset_path.is_file():
        raise UsageError(
            f"The dataset {dataset_path} does not exist.", hint="make one: aufer build-dataset"
        )
    named = named_path(out, models_folder, name)
    if named is not None:
        check_bundle_replaceable(named, force=force)
    with CtrlC() as ctrl_c:

        def tell(epoch: int, values: dict[str, float]) -> None:
            on_epoch(epoch, values)
            ctrl_c.raise_if_pressed()

        def tell_fold(protocol: str, model: str, repeat: int, fold: int) -> None:
            on_fold(protocol, model, repeat, fold)
            ctrl_c.let_go()  # a network holds it back at the end of each fit

        try:
            dataset = read_dataset(dataset_path, emotions)
            notes = [*dataset.notes, *check_counts(dataset)]
            parts = _split(dataset, plan, seed)
            notes += check_shares(parts, plan)
            _say_plan(dataset, parts, notes)
            folds = None
            if cv is not None:
                folds = cross_validate(
                    dataset,
                    kind,
                    plan,
                    k=cv.k,
                    by_source=cv.by_source,
                    repeats=cv.repeats,
                    seed=seed,
                    n_members=n_members,
                    baselines=cv.baselines,
                    on_fold=tell_fold,
                    on_epoch=lambda epoch, values: ctrl_c.raise_if_pressed(),
                    ctrl_c=ctrl_c,
                )
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
                    train=parts.train,
                    validation=parts.validation,
                )
                fitted = fit_calibrated(
                    kind,
                    examples,
                    plan,
                    seed,
                    n_members=n_members,
                    on_epoch=tell,
                    on_member=on_member,
                    checkpoints=folder / CHECKPOINTS,
                    ctrl_c=ctrl_c,
                )
                difference = write_model(folder, fitted, examples)
                facts = {
                    "schema": SCHEMA,
                    "name": path.name,
                    "kind": kind,
                    **describe(dataset, plan, parts, fitted, seed),
                    **({"cross_validation": folds.facts} if folds else {}),
                    "notes": notes,
                    **({"command": command} if command else {}),
                    **made_by(),
                }
                facts["training"]["onnx_difference"] = difference
                write_files(folder, facts, dataset, parts, fitted, folds, with_data=with_data)
        except KeyboardInterrupt as error:
            raise Interrupted(
                "Interrupted before there was a model to keep; nothing was written."
            ) from error
    test_it = f"test it: aufer evaluate --model {shlex.quote(str(path))} --testset TESTSET"
    classifier = fitted.classifier
    if classifier.stopped == INTERRUPTED:
        raise Interrupted(
            f"Interrupted after epoch {len(classifier.history)}; the best model so far (epoch "
            f"{classifier.best_epoch}) is in {path}.",
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


def _choose_recipe(name: str, kind: str, changes: dict[str, Any]) -> Recipe:
    if name not in RECIPES:
        raise UsageError(f"There is no recipe '{name}'; known are {', '.join(RECIPES)}.")
    if not find_kind(kind).has_epochs:
        typed = [key for key in _OF_EPOCHS if changes[key] is not None]
        if typed:
            option = "--" + typed[0].replace("_", "-")
            raise UsageError(f"{option} is for kinds that learn in epochs; {kind} doesn't.")
        if name != "standard":
            raise UsageError(
                f"The recipe {name} is one of a dense network, not of {kind}.",
                hint=f"leave --recipe away: aufer train --kind {kind}",
            )
    return RECIPES[name].changed(**changes)


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
