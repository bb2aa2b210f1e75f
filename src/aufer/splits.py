"""Splitting a dataset so that one person, or one series of pictures, stays on one side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aufer.errors import DataError

PART_NAMES = ("train", "validation", "test")
MOST_FOLDS = 10


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
    labels: np.ndarray, groups: np.ndarray | None, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut off a share of the rows: stratified by label, no group on both sides.

    The share is rounded to a fraction of at most ten folds (0.25 is one fold of four, 0.3 three of
    ten) of scikit-learn's StratifiedGroupKFold, or StratifiedKFold where no group has two rows.

    Args:
        labels: int [n]. groups: [n] or None. share: between 0 and 1. seed: of the shuffle.

    Returns:
        positions kept and positions held out, each sorted.

    Raises:
        DataError: too few faces of an emotion, or too few groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    fraction = min(
        max(Fraction(share).limit_denominator(MOST_FOLDS), Fraction(1, MOST_FOLDS)),
        Fraction(MOST_FOLDS - 1, MOST_FOLDS),
    )
    n_folds = fraction.denominator
    counts = np.bincount(labels)
    smallest = int(counts[counts > 0].min())
    if smallest < n_folds:
        raise DataError(
            f"The dataset is too small to split: an emotion has {smallest} faces, and {n_folds} "
            "are needed for each emotion to be on both sides.",
            hint="add images of the rare emotions, or leave them out with --emotions",
        )
    if groups is None or len(np.unique(groups.astype(str))) == len(groups):
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(labels, labels)
    else:
        if len(np.unique(groups.astype(str))) < n_folds:
            raise DataError(
                f"There are too few groups to split: {len(np.unique(groups.astype(str)))}, and "
                f"{n_folds} are needed.",
                hint="give more persons, or use images without a group column",
            )
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        folds = splitter.split(labels, labels, groups.astype(str))
    held = np.concatenate([next(folds)[1] for _ in range(fraction.numerator)])
    kept = np.setdiff1d(np.arange(len(labels)), held)
    return kept, np.sort(held)


def split_groups(groups: np.ndarray | None, keys: np.ndarray) -> np.ndarray:
    """Groups for splitting: those that are known, and rows with equal AUs together otherwise.

    Args:
        groups: str [n], empty where a row's group is unknown, or None. keys: `Dataset.keys`, [n].
    """
    if groups is None:
        return keys
    return np.where(groups == "", keys, groups)


def split_stratified(
    labels: np.ndarray,
    groups: np.ndarray | None,
    keys: np.ndarray,
    test_size: float,
    validation_size: float,
    seed: int,
) -> Parts:
    """Cut off test, then validation: stratified, no group and no two equal rows on two sides.

    Args:
        labels, groups, keys: of the dataset, [n]. test_size: share of all rows.
        validation_size: share of the rest.

    Raises:
        DataError: too small to split, or all faces of an emotion fall on one side.
    """
    together = split_groups(groups, keys)
    rest, test = hold_out(labels, together, test_size, seed)
    train, validation = hold_out(labels[rest], together[rest], validation_size, seed)
    parts = Parts(
        rest[train],
        rest[validation],
        test,
        rule="stratified by emotion; "
        + ("a group, and" if groups is not None else "groups are unknown:")
        + " faces with equal AUs stay on one side",
        grouped=groups is not None,
    )
    if missing := set(labels.tolist()) - set(labels[parts.train].tolist()):
        raise DataError(
            f"The dataset is too small to split: all faces of {len(missing)} emotion(s) belong to "
            "groups that fall outside the training part.",
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
