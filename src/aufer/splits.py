"""Splitting a dataset so that one person, or one series of pictures, stays on one side."""

from __future__ import annotations

import numpy as np

from aufer.errors import DataError


def hold_out(
    labels: np.ndarray, groups: np.ndarray | None, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut off a share of the rows: stratified by label, no group on both sides.

    The share is one fold of ``round(1 / share)`` folds (scikit-learn's StratifiedGroupKFold, or
    StratifiedKFold where no group has two rows).

    Args:
        labels: int [n]. groups: [n] or None. share: 0-0.5. seed: of the shuffle.

    Returns:
        positions kept and positions held out, each sorted.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    n_folds = max(2, round(1 / share))
    counts = np.bincount(labels)
    smallest = int(counts[counts > 0].min())
    if smallest < n_folds:
        raise DataError(
            f"The dataset is too small to split: an emotion has {smallest} faces, and {n_folds} are "
            "needed for each emotion to be on both sides.",
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
    kept, held = next(iter(folds))
    return np.sort(kept), np.sort(held)


def split_groups(groups: np.ndarray | None, keys: np.ndarray) -> np.ndarray:
    """Groups for splitting: those that are known, and rows with equal AUs together otherwise.

    Args:
        groups: str [n], empty where a row's group is unknown, or None. keys: `Dataset.keys`, [n].
    """
    if groups is None:
        return keys
    return np.where(groups == "", keys, groups)
