"""The verb ``mask-study``: what a mask hides of each emotion, and what the eyes still tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.classifiers.fitting import find_kind
from aufer.classifiers.folds import Folds, deal_by_group
from aufer.classifiers.held_out import FitFold, Held, fit_of_kind, hold_out_each, no_folds
from aufer.classifiers.recipe import RECIPES, Recipe
from aufer.dataset import Dataset, read_dataset
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.face_regions import PARTS
from aufer.masking.figures import figures_of
from aufer.masking.page import SCHEMA
from aufer.masking.text import CAVEAT
from aufer.progress import Progress, Step, no_progress
from aufer.provenance import made_by, versions
from aufer.splits import MOST_SEED

DEFAULT_KINDS = ("svm",)
"""Nearly the best on AUs (docs/mask-study.md), and quick: half a minute for 4,473 faces."""


@dataclass(frozen=True)
class MaskStudy:
    """A mask study.

    Attributes:
        facts: content of ``mask-study.json``.
        predictions: a row per kind, part of the face, round and face: ``kind``, ``aus`` (a key of
            `face_regions.PARTS`), ``repeat``, ``fold``, ``row`` (of the dataset, from 1),
            ``image``, ``group``, ``emotion``, ``predicted`` and a probability per emotion.
    """

    facts: dict[str, Any]
    predictions: pd.DataFrame


def mask_study(
    dataset_path: Path,
    *,
    kinds: Sequence[str] = DEFAULT_KINDS,
    cv: int = 5,
    repeats: int = 1,
    seed: int = 0,
    emotions: Emotions | None = None,
    epochs: int | None = None,
    progress: Progress = no_progress,
    command: str = "",
) -> MaskStudy:
    """Cross-validate models on all AUs, on those of the upper and on those of the lower face.

    Each kind is fitted three times on the same folds, with the settings that `train` has. The
    probabilities are not calibrated: a temperature changes no answer.

    Args:
        dataset_path: ``emotion.csv``, or any table that `dataset.read_dataset` takes.
        kinds: keys of `classifiers.fitting.KINDS`; the page leads with the first.
        cv: folds. repeats: deal them so many times. seed: of all chance.
        emotions: in label order; None takes those of the dataset.
        epochs: of a network, at most; None takes the recipe's.
        command: what was typed, for the record.

    Returns:
        figures and answers; `masking.page.write_study` writes them.

    Raises:
        UsageError: no such file or kind; an impossible setting. DataError: too few faces.
    """
    recipe = _check_settings(kinds, cv, repeats, seed, epochs)
    if not dataset_path.is_file():
        raise UsageError(
            f"The dataset {dataset_path} does not exist.", hint="make one: aufer build-dataset"
        )
    dataset = read_dataset(dataset_path, emotions)
    present = np.unique(dataset.labels)
    if len(present) < 2:
        raise DataError(
            f"{dataset.path} has faces of one emotion only; a model needs two to tell apart.",
            hint="add images of other emotions, then: aufer extract; aufer build-dataset",
        )
    folds = _deal(dataset, cv, repeats, seed)
    assert folds.together is not None, "equal faces stay together"
    names = [dataset.emotions.names[label] for label in present]
    results, tables = [], []
    with progress(len(kinds) * len(PARTS) * cv * repeats, "mask study", "fit") as step:
        for kind in kinds:
            guesses = {}
            for part, columns in PARTS.items():
                seen = replace(dataset, aus=dataset.aus[list(columns)])
                fit = _counted(fit_of_kind(kind, recipe, seed, folds.together), step)
                held = hold_out_each(seen, folds, fit, f"{kind}, {part} AUs", no_folds)
                guesses[part] = held.probabilities[:, :, present].argmax(axis=2)
                words = np.array(names, dtype=object)[guesses[part]]
                model = {"kind": kind, "aus": part}
                tables.append(_tabulate(dataset, folds, held, words, model))
            labels = np.searchsorted(present, dataset.labels)
            found = figures_of(labels, guesses, folds.together, names, seed)
            results.append({"kind": kind, "title": find_kind(kind).title, **found})
    has_epochs = any(find_kind(kind).has_epochs for kind in kinds)
    facts = {
        "schema": SCHEMA,
        **made_by(),
        "command": command,
        "caveat": CAVEAT,
        "dataset": dataset.facts(),
        "parts": {part: list(columns) for part, columns in PARTS.items()},
        "protocol": {"k": cv, "repeats": repeats, "seed": seed, "rule": folds.rule},
        "settings": recipe.facts() if has_epochs else {},
        "emotions": names,
        "majority": _majority(dataset),
        "results": results,
        "persons_unknown": dataset.grouping.limits,
        "notes": [note for note in dataset.notes if note != dataset.grouping.limits],
        "versions": versions("numpy", "scikit-learn", *(("keras",) if has_epochs else ())),
    }
    return MaskStudy(facts, pd.concat(tables, ignore_index=True))


def _check_settings(
    kinds: Sequence[str], cv: int, repeats: int, seed: int, epochs: int | None
) -> Recipe:
    """The recipe; raises `UsageError` for what can't be meant."""
    found = [find_kind(kind) for kind in kinds]
    if not found or len(set(kinds)) < len(found):
        raise UsageError("--kind names each kind once, and one at least.")
    if epochs is not None and not any(kind.has_epochs for kind in found):
        raise UsageError(
            f"--epochs is about networks; a {found[0].title} has none.",
            hint="leave it away, or choose another kind: --kind dense",
        )
    for name, value, least, most in (
        ("cv", cv, 2, 100),
        ("repeats", repeats, 1, 100),
        ("seed", seed, 0, MOST_SEED),
    ):
        if not least <= value <= most:
            raise UsageError(f"--{name} is a whole number from {least} to {most}, not {value}.")
    # no temperature: it changes no answer, and would take faces away and a fit more
    return replace(RECIPES["standard"].changed(epochs=epochs), calibrate=False)


def _deal(dataset: Dataset, k: int, repeats: int, seed: int) -> Folds:
    """The folds: groups, and faces with equal AUs (all of them), on one side.

    Raises:
        DataError: too few faces or groups; all of an emotion fall into one fold.
    """
    folds = deal_by_group(dataset, k, repeats, seed)
    if dataset.groups is None:
        rule = "stratified by emotion, faces with equal AUs in one fold; groups are unknown"
        folds = replace(folds, protocol="random", rule=rule)
    for of_row in folds.of_row:
        for label in np.unique(dataset.labels):
            if len(np.unique(of_row[dataset.labels == label])) < 2:
                raise DataError(
                    f"The dataset is too small: all faces of {dataset.emotions.names[label]} are "
                    "in groups that fall into one fold.",
                    hint="add faces of more persons, or try another --cv or --seed",
                )
    return folds


def _counted(fit: FitFold, step: Step) -> FitFold:
    """The same fit, told of when it is done."""

    def fit_and_tell(examples: Any, number: int) -> Any:
        found = fit(examples, number)
        step(1)
        return found

    return fit_and_tell


def _tabulate(
    dataset: Dataset, folds: Folds, held: Held, words: np.ndarray, model: dict[str, str]
) -> pd.DataFrame:
    """What a model said of each face, one table for all rounds; ``words`` are its answers."""
    names = np.array(dataset.emotions.names, dtype=object)
    rounds = [
        pd.DataFrame(
            {
                **model,
                "repeat": repeat + 1,
                "fold": of_row + 1,
                "row": np.arange(1, len(dataset) + 1),
                "image": dataset.rows["image"].to_numpy(),
                "group": dataset.rows["group"].to_numpy(),
                "emotion": names[dataset.labels],
                "predicted": words[repeat],
                **dict(zip(names, probabilities.T, strict=True)),
            }
        )
        for repeat, (of_row, probabilities) in enumerate(
            zip(folds.of_row, held.probabilities, strict=True)
        )
    ]
    return pd.concat(rounds, ignore_index=True)


def _majority(dataset: Dataset) -> dict[str, Any]:
    counts = dataset.counts()
    name = max(counts, key=lambda one: counts[one])
    return {"emotion": name, "share": counts[name] / len(dataset)}
