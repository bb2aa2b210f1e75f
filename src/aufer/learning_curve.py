"""The verb ``learning-curve``: correct answers as the number of training images grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.classifiers.curve_fits import CurveFits, run_fits
from aufer.classifiers.fitting import Kind, find_kind
from aufer.classifiers.recipe import RECIPES, Recipe
from aufer.curve.figures import CURVE_COLUMNS, make_gains, make_points
from aufer.curve.page import SCHEMA
from aufer.curve.sizes import choose_sizes, rank_within_emotion
from aufer.dataset import Dataset, read_dataset
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.progress import Progress, no_progress
from aufer.provenance import made_by, versions
from aufer.splits import MOST_SEED, make_folds, split_groups

JOB_BYTES = 10**9
"""Memory that one process may take; a network's library alone takes 0.6 GB."""

ENOUGH = 0.95
"""An emotion with less than this share of the images that a size asks for is short of them."""


@dataclass(frozen=True)
class LearningCurve:
    """A measured learning curve.

    Attributes:
        facts: content of ``learning-curve.json``. counts: `figures.CURVE_COLUMNS`, one row
            per size, repeat, fold and emotion.
    """

    facts: dict[str, Any]
    counts: pd.DataFrame


def learning_curve(
    dataset_path: Path,
    *,
    kind: str = "dense",
    recipe: str = "standard",
    sizes: Sequence[int | str] | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    emotions: Emotions | None = None,
    epochs: int | None = None,
    jobs: int | None = None,
    progress: Progress = no_progress,
    command: str = "",
) -> LearningCurve:
    """Fit a model to more and more images, and read the same held-out faces each time.

    Args:
        dataset_path: ``emotion.csv``, or any table that `dataset.read_dataset` takes.
        kind: a key of `classifiers.fitting.KINDS`. recipe: of a network. epochs: at most, of a
            network; None takes the recipe's.
        sizes: training images per emotion, and ``"all"``; None: 10, 20, 50, 100, … up to all.
        folds: 2 or more. repeats: deal the folds so many times. seed: of all chance.
        emotions: in label order; None takes those of the dataset.
        jobs: fits at once, each in a process; None: one per core.
        command: what was typed, for the record.

    Returns:
        figures and counts; `page.write_curve` writes them.

    Raises:
        UsageError: no such file, kind, recipe; an impossible setting. DataError: too few images.
    """
    found = find_kind(kind)
    plan = _choose_recipe(recipe, found, epochs)
    for name, value, least, most in (
        ("folds", folds, 2, 100),
        ("repeats", repeats, 1, 100),
        ("jobs", 1 if jobs is None else jobs, 1, 1000),
        ("seed", seed, 0, MOST_SEED),
    ):
        if not least <= value <= most:
            raise UsageError(f"--{name} is a whole number from {least} to {most}, not {value}.")
    if not dataset_path.is_file():
        raise UsageError(
            f"The dataset {dataset_path} does not exist.", hint="make one: aufer build-dataset"
        )
    dataset = read_dataset(dataset_path, emotions)
    fits, notes = _plan_fits(dataset, kind, plan, sizes, folds, repeats, seed)
    if jobs is None:
        from aufer.openface.capacity import local_capacity

        here = local_capacity()
        jobs = max(1, min(here.cpus, here.memory_bytes // JOB_BYTES))
    with progress(len(fits.points()), "learning curve", "fit") as step:
        counts = pd.DataFrame(run_fits(fits, jobs, step)).reindex(columns=list(CURVE_COLUMNS))
    facts = {
        "schema": SCHEMA,
        **made_by(),
        "command": command,
        "dataset": dataset.facts(),
        "model": {
            "kind": kind,
            "title": found.title,
            "has_epochs": found.has_epochs,
            "recipe": plan.name if found.has_epochs else "",
            "validation_size": plan.validation_size if found.has_epochs else 0,
            "settings": plan.facts() if found.has_epochs else {},
        },
        "protocol": {
            "k": folds,
            "repeats": repeats,
            "seed": seed,
            "rule": _rule(dataset),
            "n_fits": len(fits.points()),
        },
        "sizes": list(fits.sizes),
        "most": int(fits.rank.max()) + 1,
        "majority": max(dataset.counts().values()) / len(dataset),
        "points": _with_shortage(make_points(counts, folds)),
        "gains": make_gains(counts, folds),
        "persons_unknown": dataset.grouping.limits,
        "notes": [*(n for n in dataset.notes if n != dataset.grouping.limits), *notes],
        "versions": versions("numpy", "scikit-learn", *(("keras",) if found.has_epochs else ())),
    }
    return LearningCurve(facts, counts)


def _choose_recipe(name: str, kind: Kind, epochs: int | None) -> Recipe:
    if name not in RECIPES:
        raise UsageError(f"There is no recipe '{name}'; known are {', '.join(RECIPES)}.")
    if not kind.has_epochs and (epochs is not None or name != "standard"):
        raise UsageError(
            f"--recipe and --epochs are about networks; a {kind.title} has neither.",
            hint=f"leave them away, or --kind dense instead of {kind.name}",
        )
    return RECIPES[name].changed(epochs=epochs)


def _plan_fits(
    dataset: Dataset,
    kind: str,
    recipe: Recipe,
    asked: Sequence[int | str] | None,
    folds: int,
    repeats: int,
    seed: int,
) -> tuple[CurveFits, tuple[str, ...]]:
    """Deal the folds, rank the training images, choose the sizes; notes about these."""
    names, labels = dataset.emotions.names, dataset.labels
    if len(np.unique(labels)) < 2:
        raise DataError(
            f"{dataset.path} has faces of one emotion only; a model needs two to tell apart.",
            hint="add images of other emotions, then: aufer extract; aufer build-dataset",
        )
    together = split_groups(dataset.groups, dataset.keys)
    of_row = np.array(
        [make_folds(labels, together, folds, seed + r, names) for r in range(repeats)]
    )
    rank = np.full((repeats, folds, len(labels)), -1)
    for repeat, fold in np.ndindex(repeats, folds):
        rows = np.flatnonzero(of_row[repeat] != fold)
        if len(np.unique(labels[rows])) < len(np.unique(labels)):
            raise DataError(
                "The dataset is too small: all faces of an emotion are in one group, and fall into "
                "one fold.",
                hint="add faces of more persons, or try fewer --folds or another --seed",
            )
        rank[repeat, fold, rows] = rank_within_emotion(
            labels[rows], together[rows], (seed, repeat, fold)
        )
    sizes, notes = choose_sizes(asked, int(rank.max()) + 1)
    fits = CurveFits(
        kind=kind,
        recipe=recipe,
        seed=seed,
        aus=dataset.aus.to_numpy(dtype=np.float32),
        labels=labels,
        features=tuple(dataset.aus.columns),
        emotions=names,
        together=together,
        of_row=of_row,
        rank=rank,
        sizes=sizes,
    )
    return fits, notes


def _rule(dataset: Dataset) -> str:
    if dataset.groups is None:
        return "stratified by emotion, faces with equal AUs in one fold; groups are unknown"
    return f"stratified by emotion, a group in one fold ({dataset.grouping.rule})"


def _with_shortage(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points with the emotions that have fewer images than asked for, and how many."""
    for point in points:
        point["short_of"] = {
            one["emotion"]: one["n_train"]
            for one in point["per_emotion"]
            if one["n_train"] < ENOUGH * point["size"]
        }
    return points
