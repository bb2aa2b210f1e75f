"""Labels that models doubt: faces that every kind reads as something else, though none saw them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aufer.classifiers.folds import deal_by_group
from aufer.classifiers.held_out import OnFold, fit_of_kind, hold_out_each, no_folds
from aufer.classifiers.recipe import RECIPES
from aufer.dataset import Dataset

JUDGES = ("logistic", "svm", "trees")
"""Kinds that err in different ways; none of them learns a wrong label by heart in a few epochs."""

N_FOLDS = 5


@dataclass(frozen=True)
class LabelOutliers:
    """What the judges say of each face of a dataset.

    Attributes:
        suggested: int64 [n], the emotion that all of them read instead of the label; -1 where they
            don't agree, or agree with it.
        probability: float64 [n], their mean probability of what is suggested; NaN where nothing is.
    """

    suggested: np.ndarray
    probability: np.ndarray


def find_label_outliers(
    dataset: Dataset, seed: int = 0, on_fold: OnFold = no_folds
) -> LabelOutliers:
    """Ask each kind of `JUDGES` for every face, in a cross-validation that keeps groups, and faces
    with equal AUs, in one fold.

    An outlier need not be wrong: it is a face to look at (C. Northcutt, L. Jiang & I. Chuang,
    Confident learning, JAIR 70, 2021, on finding label errors by held-out predictions).

    Args:
        on_fold: told protocol, kind, repeat and fold before each of the 15 fits.

    Raises:
        DataError: too few faces of an emotion, or too few groups, for five folds.
    """
    folds = deal_by_group(dataset, N_FOLDS, 1, seed)
    recipe = replace(RECIPES["standard"], calibrate=False)
    every = np.stack(
        [
            hold_out_each(
                dataset, folds, fit_of_kind(kind, recipe, seed, folds.together), kind, on_fold
            ).probabilities[0]
            for kind in JUDGES
        ]
    )  # [judges, n, emotions]
    guesses = every.argmax(axis=2)
    doubted = (guesses == guesses[0]).all(axis=0) & (guesses[0] != dataset.labels)
    mean = every.mean(axis=0)[np.arange(len(dataset)), guesses[0]]
    return LabelOutliers(np.where(doubted, guesses[0], -1), np.where(doubted, mean, np.nan))
