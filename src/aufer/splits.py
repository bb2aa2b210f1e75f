"""Splitting a dataset so that one person, or one series of pictures, stays on one side."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aufer.errors import DataError

PART_NAMES = ("train", "validation", "test")
TRAINING_PARTS = ("train", "validation")
"""Faces of these parts shaped the model: it saw them."""

MOST_FOLDS = 10
MOST_SEED = 2**32 - 1
"""The largest seed that NumPy takes."""


@dataclass(frozen=True)
class Parts:
    """Positions of a dataset's rows, int [n] each, that share no row.

    Attributes:
        train: rows that weights are fitted to. validation: rows that say when to stop.
        test: rows that nothing was chosen by. rule: how they were cut, for a person to read.
        grouped: whether known groups were kept on one side.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    rule: str
    grouped: bool

    def sizes(self) -> dict[str, int]:
        """Number of rows in each part."""
        return {name: len(getattr(self, name)) for name in PART_NAMES}

    def names(self) -> np.ndarray:
        """The part of each row, str [n], in the dataset's order."""
        parts = np.full(sum(self.sizes().values()), "", dtype=object)
        for name in PART_NAMES:
            parts[getattr(self, name)] = name
        return parts


def hold_out(
    labels: np.ndarray,
    groups: np.ndarray | None,
    share: float,
    seed: int,
    emotions: Sequence[str] = (),
    counts: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut off a share of the rows: stratified by label, no group on both sides.

    The share is rounded to a fraction of at most ten folds (0.25 is one fold of four, 0.3 three of
    ten) of scikit-learn's StratifiedGroupKFold, or StratifiedKFold where no group has two rows.

    Args:
        labels: int [n]. groups: [n] or None. share: between 0 and 1. seed: of the shuffle.
        emotions: the labels' names, for errors. counts: faces per label to name there, int
            [emotions], where ``labels`` are a part of the dataset only; None counts ``labels``.

    Returns:
        positions kept and positions held out, each sorted.

    Raises:
        DataError: too few faces of an emotion, or too few groups.
    """
    fraction = min(
        max(Fraction(share).limit_denominator(MOST_FOLDS), Fraction(1, MOST_FOLDS)),
        Fraction(MOST_FOLDS - 1, MOST_FOLDS),
    )
    folds = make_folds(labels, groups, fraction.denominator, seed, emotions, counts)
    return np.flatnonzero(folds >= fraction.numerator), np.flatnonzero(folds < fraction.numerator)


def make_folds(
    labels: np.ndarray,
    groups: np.ndarray | None,
    n_folds: int,
    seed: int,
    emotions: Sequence[str] = (),
    counts: np.ndarray | None = None,
) -> np.ndarray:
    """Deal the rows into folds, stratified by label, a group in one fold only.

    By scikit-learn's shuffled StratifiedGroupKFold, or StratifiedKFold where no group has two rows.

    Args:
        labels: int [n]. groups: [n] or None. n_folds: at least 2. seed: of the shuffle;
            beyond NumPy's largest it begins again at 0.
        emotions, counts: for errors, see `hold_out`.

    Returns:
        the fold of each row, int [n], 0 to ``n_folds - 1``.

    Raises:
        DataError: an emotion has fewer faces than there are folds, or there are fewer groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    _check_enough_faces(labels, n_folds, emotions, counts)
    seed %= MOST_SEED + 1
    together, n_groups = None, len(labels)
    if groups is not None:
        named = groups.astype(str) if groups.dtype == object else groups
        together = np.unique(named, return_inverse=True)[1]
        n_groups = int(together.max(initial=-1)) + 1
    if together is None or n_groups == len(labels):
        splits = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(labels, labels)
    elif n_groups < n_folds:
        raise DataError(
            f"There are too few groups to split: {n_groups}, and {n_folds} are needed.",
            hint="give more persons, or make the dataset without them: aufer build-dataset "
            "--groups none",
        )
    else:
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        splits = splitter.split(labels, labels, together)
    folds = np.zeros(len(labels), dtype=np.int64)
    for number, (_, held) in enumerate(splits):
        folds[held] = number
    return folds


def cut_blocks(labels: np.ndarray, size: int) -> np.ndarray:
    """Blocks of consecutive rows of one label, as groups.

    Within each run of one label the first ``size`` rows are a block, then the next; the last may be
    shorter. Where persons are unknown, neighbouring rows are likely to be of one person or series.

    Args:
        labels: int [n], in the order of the file. size: at least 1.

    Returns:
        the block's number of each row, int [n], from 0 on.
    """
    n = len(labels)
    starts_run = np.r_[True, labels[1:] != labels[:-1]] if n else np.zeros(0, dtype=bool)
    run = np.cumsum(starts_run) - 1
    position = np.arange(n) - np.flatnonzero(starts_run)[run] if n else np.arange(0)
    starts_block = starts_run | (position % size == 0)
    return np.cumsum(starts_block) - 1


def _check_enough_faces(
    labels: np.ndarray, n_folds: int, emotions: Sequence[str], counts: np.ndarray | None
) -> None:
    here = np.bincount(labels, minlength=len(emotions))
    shown = here if counts is None else counts
    rare = [i for i, n in enumerate(here) if 0 < n < n_folds]
    if not rare:
        return
    names = [emotions[i] if i < len(emotions) else f"emotion {i}" for i in range(len(here))]
    listed = ", ".join(
        f"{names[i]} has {shown[i]} face{'' if shown[i] == 1 else 's'}" for i in rare
    )
    hint = f"add images of {', '.join(names[i] for i in rare)}"
    left = [names[i] for i, n in enumerate(here) if n >= n_folds]
    if emotions and len(left) > 1:
        hint += f", or leave them out: aufer build-dataset --emotions {shlex.quote(','.join(left))}"
    raise DataError(
        f"The dataset is too small to split: {listed}; that is not enough for each emotion to be "
        "in the training, validation and test part.",
        hint=hint,
    )


def split_groups(groups: np.ndarray | None, keys: np.ndarray) -> np.ndarray:
    """What must stay together in a split: rows of one group, rows with equal AUs, and all rows that
    are linked by a chain of these.

    Args:
        groups: str [n], empty where a row's group is unknown, or None. keys: `Dataset.keys`, [n].

    Returns:
        a text per row, str [n], that is equal for rows that stay together.
    """
    if groups is None:
        return keys
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(keys)
    known = np.flatnonzero(groups != "")
    row_key = np.unique(keys.astype(str), return_inverse=True)[1]
    row_group = np.unique(groups.astype(str), return_inverse=True)[1]
    # one node per distinct key, then one per group; each row of a known group is an edge
    edges = (row_key[known], n + row_group[known])
    graph = coo_array((np.ones(len(known)), edges), shape=(2 * n, 2 * n))
    components = connected_components(graph, directed=False)[1]
    return components[row_key].astype(str).astype(object)


def split_stratified(
    labels: np.ndarray,
    groups: np.ndarray | None,
    keys: np.ndarray,
    test_size: float,
    validation_size: float,
    seed: int,
    emotions: Sequence[str] = (),
) -> Parts:
    """Cut off test, then validation: stratified, no group and no two equal rows on two sides.

    Args:
        labels, groups, keys: of the dataset, [n]. test_size: share of all rows; 0 for no test.
        validation_size: share of the rest. emotions: the labels' names, for errors.

    Raises:
        DataError: too small to split, or all faces of an emotion fall on one side.
    """
    together = split_groups(groups, keys)
    counts = np.bincount(labels, minlength=len(emotions))
    rest, test = np.arange(len(labels)), np.zeros(0, dtype=np.int64)
    if test_size > 0:
        rest, test = hold_out(labels, together, test_size, seed, emotions)
    train, validation = hold_out(
        labels[rest], together[rest], validation_size, seed, emotions, counts
    )
    parts = Parts(
        rest[train],
        rest[validation],
        test,
        rule="stratified by emotion; "
        + (
            "groups are unknown: faces with equal AUs stay on one side"
            if groups is None
            else "a group, and faces with equal AUs, stay on one side"
        ),
        grouped=groups is not None,
    )
    if missing := sorted(set(labels.tolist()) - set(labels[parts.train].tolist())):
        named = [f"{emotions[i] if i < len(emotions) else i} ({counts[i]})" for i in missing]
        raise DataError(
            f"The dataset is too small to split: all faces of {', '.join(named)} belong to groups "
            "that fall outside the training part.",
            hint="add faces of more persons, or try another --seed",
        )
    return parts


def split_reference(n: int, test_size: float, validation_size: float, seed: int) -> Parts:
    """The reference project's split: random rows, then the last of what is left for validation.

    Row for row scikit-learn's ``train_test_split(range(n), test_size=..., random_state=seed)``,
    whose import would cost 2 s, then Keras's ``validation_split``.
    Neither stratified nor aware of groups: accuracy looks better than on new people.

    Raises:
        DataError: a part would have no row.
    """
    order = np.random.RandomState(seed).permutation(n)
    n_test = math.ceil(test_size * n)
    rest = order[n_test:]
    n_train = math.floor(len(rest) * (1.0 - validation_size))
    if min(n_test, n_train, len(rest) - n_train) < 1:
        raise DataError(
            f"The dataset is too small to split: it has {n} rows, and training, validation and "
            "test need at least one each.",
            hint="add images, then: aufer build-dataset",
        )
    return Parts(
        rest[:n_train],
        rest[n_train:],
        order[:n_test],
        rule="random rows, not stratified; validation is the last of the rest",
        grouped=False,
    )
