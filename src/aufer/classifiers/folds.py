"""How faces are dealt into folds.

Four protocols: ``random`` ignores who is who, as most published figures do, and flatters;
``grouped`` keeps a person, or a series of pictures, in one fold; ``blocks`` does so with
consecutive rows, where nobody knows who is who; ``sources`` holds out one whole source of data at a
time: people, cameras and raters that the model never met.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aufer.dataset import Dataset
from aufer.errors import DataError
from aufer.splits import cut_blocks, make_folds, split_groups


@dataclass(frozen=True)
class Folds:
    """How the faces are dealt, once per repeat.

    Attributes:
        protocol: ``random``, ``grouped``, ``blocks``, ``sources``. rule: the same for people.
        of_row: int [repeats, n], the fold of each row.
        together: str [n], equal for rows of which none may be in the training part while another
            is held out; None where that is not asked for.
    """

    protocol: str
    rule: str
    of_row: np.ndarray
    together: np.ndarray | None


def deal_randomly(dataset: Dataset, k: int, repeats: int, seed: int) -> Folds:
    """Folds stratified by emotion, whoever is on a picture."""
    names = dataset.emotions.names
    dealt = [make_folds(dataset.labels, None, k, seed + r, names) for r in range(repeats)]
    return Folds("random", "stratified by emotion, groups ignored", np.array(dealt), None)


def deal_by_group(dataset: Dataset, k: int, repeats: int, seed: int) -> Folds:
    """Folds stratified by emotion, each group, and faces with equal AUs, in one of them."""
    together = split_groups(dataset.groups, dataset.keys)
    names = dataset.emotions.names
    dealt = [make_folds(dataset.labels, together, k, seed + r, names) for r in range(repeats)]
    rule = f"stratified by emotion, a group in one fold ({dataset.grouping.rule})"
    return Folds("grouped", rule, np.array(dealt), together)


def deal_in_blocks(dataset: Dataset, size: int, k: int, repeats: int, seed: int) -> Folds:
    """Folds that keep blocks of ``size`` consecutive rows of one label together."""
    blocks = cut_blocks(dataset.labels, size)
    names = dataset.emotions.names
    dealt = [make_folds(dataset.labels, blocks, k, seed + r, names) for r in range(repeats)]
    return Folds("blocks", f"blocks of {size} rows", np.array(dealt), blocks.astype(str))


def deal_by_source(dataset: Dataset) -> Folds:
    """One fold per source of the dataset.

    Raises:
        DataError: it has fewer than two.
    """
    sources = dataset.rows["source"].to_numpy(dtype=object)
    names = sorted(set(sources.tolist()))
    if len(names) < 2:
        raise DataError(
            f"{dataset.path} has rows of one source only, or doesn't say of which.",
            hint="make it of several: aufer build-dataset SOURCE SOURCE …",
        )
    number = {name: i for i, name in enumerate(names)}
    dealt = np.array([[number[name] for name in sources]])
    together = split_groups(dataset.groups, dataset.keys)
    return Folds("sources", "one source held out: " + ", ".join(names), dealt, together)
