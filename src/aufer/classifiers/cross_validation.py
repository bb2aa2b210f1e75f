"""Cross-validation: every face read once by a model that was not fitted to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from aufer.classifiers.baselines import fit_majority, fit_prototypes
from aufer.classifiers.classifier import Examples, OnEpoch, Predictor, no_epochs
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.fitting import KINDS, find_kind
from aufer.classifiers.folds import (
    Folds,
    deal_by_group,
    deal_by_source,
    deal_in_blocks,
    deal_randomly,
)
from aufer.classifiers.held_out import (
    FIGURES,
    FOLD_COLUMNS,
    FitFold,
    Held,
    OnFold,
    fit_of_kind,
    hold_out_each,
    no_folds,
)
from aufer.classifiers.recipe import Recipe
from aufer.dataset import Dataset
from aufer.metrics import bootstrap_by_group, score
from aufer.splits import cut_blocks

BLOCK_SIZES = (1, 10, 30, 60, 120)
"""Rows that stay together where nobody knows who is who: what a longer series would cost."""

BLOCK_KIND = "svm"
"""The kind that the study of blocks is done with: quick, and as good as any on AUs."""


def fit_majority_fold(examples: Examples, number: int) -> tuple[Predictor, float | None]:
    """The baseline that knows only how often each emotion occurs."""
    return fit_majority(examples), None


def fit_prototypes_fold(examples: Examples, number: int) -> tuple[Predictor, float | None]:
    """The baseline of the FACS prototypes, which learns nothing."""
    return fit_prototypes(examples), None


BASELINES: dict[str, tuple[str, FitFold]] = {
    "majority": ("most frequent emotion", fit_majority_fold),
    "prototypes": ("FACS prototypes (nothing learnt)", fit_prototypes_fold),
}
"""Name, title and fit of the baselines that are no kind of model."""


def title_of(model: str, recipe: Recipe | None = None) -> str:
    """What people call a model of the tables."""
    if model in BASELINES:
        return BASELINES[model][0]
    named = f" ({recipe.name})" if recipe and find_kind(model).has_epochs else ""
    return KINDS[model].title + named


def summarise_folds(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean and deviation of each figure over the folds of one model.

    Returns:
        by figure: ``mean``, ``sd`` (of the folds; sample deviation), ``n`` (folds), and, of several
        repeats, ``sd_repeats`` (of the repeats' means).
    """
    frame = pd.DataFrame(rows)
    found: dict[str, dict[str, Any]] = {}
    for name in FIGURES:
        values = frame[name].astype(float)
        found[name] = {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            "n": len(values),
        }
        means = values.groupby(frame["repeat"]).mean()
        if len(means) > 1:
            found[name]["sd_repeats"] = float(means.std(ddof=1))
    return found


@dataclass(frozen=True)
class CrossValidation:
    """A whole cross-validation.

    Attributes:
        facts: for bundle.json (docs/training.md).
        folds: `FOLD_COLUMNS`, a row per protocol, model, repeat and fold.
        predictions: one row per protocol, repeat and face: what one's own model said of it.
    """

    facts: dict[str, Any]
    folds: pd.DataFrame
    predictions: pd.DataFrame


def cross_validate(
    dataset: Dataset,
    kind: str,
    recipe: Recipe,
    *,
    k: int = 5,
    by_source: bool = False,
    repeats: int = 1,
    seed: int = 0,
    n_members: int = 1,
    baselines: bool = True,
    on_fold: OnFold = no_folds,
    on_epoch: OnEpoch = no_epochs,
    ctrl_c: CtrlC | None = None,
) -> CrossValidation:
    """Cross-validate a kind of model beside the baselines, on the same folds.

    Where groups are known, by group and, to show what that costs, randomly; else randomly. Where
    they don't say who is who, also for blocks of rows (`BLOCK_SIZES`) with a quick kind.

    Args:
        k: number of folds. by_source: hold out one source at a time instead (once: no repeats).
        repeats: deal the faces so many times, with seeds ``seed``, ``seed + 1``, …
        n_members: of one's own model. baselines: whether to fit them, and the study of blocks.

    Raises:
        DataError: too few faces or groups for the folds.
    """
    dealt = _deal(dataset, k, by_source, repeats, seed)
    names = [kind, *(iterate_baselines(kind) if baselines else ())]
    rows: list[dict[str, Any]] = []
    protocols: list[dict[str, Any]] = []
    own: list[tuple[Folds, Held]] = []
    for folds in dealt:
        models = []
        for name in names:
            is_own = name == kind
            fit = (
                BASELINES[name][1]
                if name in BASELINES
                else fit_of_kind(
                    name,
                    recipe,
                    seed,
                    folds.together,
                    n_members=n_members if is_own else 1,
                    on_epoch=on_epoch,
                    ctrl_c=ctrl_c,
                )
            )
            held = hold_out_each(dataset, folds, fit, name, on_fold)
            rows += held.folds
            title = title_of(name, recipe)
            if is_own:
                own.append((folds, held))
                title += f", {n_members} members" if n_members > 1 else ""
            models.append({"name": name, "title": title, **summarise_folds(held.folds)})
        protocols.append({"name": folds.protocol, "rule": folds.rule, "models": models})
    leading, held = own[0]
    facts = {
        "k": len(np.unique(leading.of_row[0])),
        "repeats": len(leading.of_row),
        "seed": seed,
        "own": kind,
        "protocols": protocols,
        "blocks": None,
        "pooled": _pool(dataset, leading, held),
    }
    if baselines and not dataset.grouping.knows_persons and not by_source:
        facts["blocks"] = study_blocks(dataset, recipe, k, seed, on_fold)
    return CrossValidation(
        facts,
        pd.DataFrame(rows).reindex(columns=list(FOLD_COLUMNS)),
        pd.concat([_tabulate(dataset, *pair) for pair in own], ignore_index=True),
    )


def _deal(dataset: Dataset, k: int, by_source: bool, repeats: int, seed: int) -> list[Folds]:
    """The folds of each protocol, the leading one first."""
    if by_source:
        return [deal_by_source(dataset)]
    randomly = deal_randomly(dataset, k, repeats, seed)
    if dataset.groups is None:
        return [randomly]
    return [deal_by_group(dataset, k, repeats, seed), randomly]


def _pool(dataset: Dataset, folds: Folds, held: Held) -> dict[str, Any]:
    """The figures of all held-out rows of the first repeat together."""
    probabilities = held.probabilities[0]
    everybody = np.ones(len(dataset), dtype=bool)
    pooled = score(dataset.labels, probabilities, everybody, dataset.emotions.names)
    if folds.protocol == "grouped" and folds.together is not None:
        hits = probabilities.argmax(axis=1) == dataset.labels
        low, high = bootstrap_by_group(hits, folds.together)
        n_groups = len(np.unique(folds.together))
        pooled["accuracy_by_group"] = {"low": low, "high": high, "n_groups": n_groups}
    return pooled


def study_blocks(
    dataset: Dataset, recipe: Recipe, k: int, seed: int, on_fold: OnFold
) -> dict[str, Any]:
    """The accuracy of a quick kind where blocks of rows are kept in one fold, by block size.

    Sizes that leave an emotion a single block are left out: no fold could be trained without it.
    """
    plain = replace(recipe, calibrate=False)
    found = []
    for size in BLOCK_SIZES:
        blocks = cut_blocks(dataset.labels, size)
        counts = [len(set(blocks[dataset.labels == i])) for i in np.unique(dataset.labels)]
        if min(counts) < 2:
            break
        folds = deal_in_blocks(dataset, size, k, 1, seed)
        fit = fit_of_kind(BLOCK_KIND, plain, seed, folds.together)
        held = hold_out_each(dataset, folds, fit, f"{BLOCK_KIND}, blocks of {size}", on_fold)
        accuracy = summarise_folds(held.folds)["accuracy"]
        found.append({"size": size, "accuracy": accuracy, "fewest_blocks": min(counts)})
    return {"model": BLOCK_KIND, "rows": found}


def _tabulate(dataset: Dataset, folds: Folds, held: Held) -> pd.DataFrame:
    names = np.array(dataset.emotions.names, dtype=object)
    tables = []
    for repeat, (of_row, probabilities) in enumerate(
        zip(folds.of_row, held.probabilities, strict=True)
    ):
        tables.append(
            pd.DataFrame(
                {
                    "protocol": folds.protocol,
                    "repeat": repeat + 1,
                    "fold": of_row + 1,
                    "row": np.arange(1, len(dataset) + 1),
                    "image": dataset.rows["image"].to_numpy(),
                    "group": dataset.rows["group"].to_numpy(),
                    "emotion": names[dataset.labels],
                    "predicted": names[probabilities.argmax(axis=1)],
                    **dict(zip(names, probabilities.T, strict=True)),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def iterate_baselines(own: str) -> Iterator[str]:
    """Names of the models that stand beside one's own, in the order of the table."""
    yield from BASELINES
    yield from (kind for kind in KINDS if kind not in (own, "dense"))
