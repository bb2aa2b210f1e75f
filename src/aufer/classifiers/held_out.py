"""Fitting a model fold by fold, and asking it for the faces that were held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aufer.classifiers.classifier import Examples, OnEpoch, Predictor, no_epochs
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.fitting import find_kind, fit_calibrated
from aufer.classifiers.folds import Folds
from aufer.classifiers.recipe import Recipe
from aufer.dataset import Dataset
from aufer.errors import DataError
from aufer.metrics import score
from aufer.splits import hold_out

FIGURES = ("accuracy", "macro_f1", "log_loss", "brier", "ece")
FOLD_COLUMNS = ("protocol", "model", "repeat", "fold", "n", *FIGURES, "temperature")

OnFold = Callable[[str, str, int, int], None]
"""Told protocol, model, repeat and fold (both from 1) before each fit."""


def no_folds(protocol: str, model: str, repeat: int, fold: int) -> None:
    """An `OnFold` that tells nobody."""


FitFold = Callable[[Examples, int], tuple[Predictor, float | None]]
"""Fits a fold's training rows; the number is the fit's, from 0. Gives the predictor, and its
temperature where it has one."""


@dataclass(frozen=True)
class Held:
    """What one model said of the faces that were held out.

    Attributes:
        folds: rows of `FOLD_COLUMNS`. probabilities: float64 [repeats, n, emotions].
    """

    folds: list[dict[str, Any]]
    probabilities: np.ndarray


def hold_out_each(dataset: Dataset, folds: Folds, fit: FitFold, model: str, tell: OnFold) -> Held:
    """Fit a model once per fold and repeat, and ask it for the rows held out.

    Rows that must stay with a held-out one are in no training part.

    Args:
        fit: gets `Examples` with all rows, the fold's training rows, and no validation row.

    Raises:
        DataError: a fold leaves nothing to train on.
    """
    names, n = dataset.emotions.names, len(dataset)
    aus = dataset.aus.to_numpy(dtype=np.float32)
    probabilities = np.zeros((len(folds.of_row), n, len(names)))
    rows = []
    for repeat, of_row in enumerate(folds.of_row):
        for fold in range(int(of_row.max()) + 1):
            held = of_row == fold
            train = ~held
            if folds.together is not None:
                train &= ~np.isin(folds.together, np.unique(folds.together[held]))
            if not train.any():
                raise DataError(
                    f"Nothing is left to train on when fold {fold + 1} is held out: its groups "
                    f"hold all other rows too ({folds.rule}).",
                    hint="look at the groups of the dataset, or make it without: aufer "
                    "build-dataset --groups none",
                )
            tell(folds.protocol, model, repeat + 1, fold + 1)
            examples = Examples(
                aus,
                dataset.labels,
                tuple(dataset.aus.columns),
                names,
                train=np.flatnonzero(train),
                validation=np.zeros(0, dtype=np.int64),
            )
            predictor, temperature = fit(examples, repeat * (int(of_row.max()) + 1) + fold)
            found = predictor.predict_proba(aus[held])
            probabilities[repeat, held] = found
            full = score(dataset.labels[held], found, np.ones(len(found), dtype=bool), names)
            rows.append(
                {
                    "protocol": folds.protocol,
                    "model": model,
                    "repeat": repeat + 1,
                    "fold": fold + 1,
                    "n": len(found),
                    **{name: full[name] for name in FIGURES if name != "accuracy"},
                    "accuracy": full["accuracy"]["value"],
                    "temperature": temperature,
                }
            )
    return Held(rows, probabilities)


def fit_of_kind(
    kind: str,
    recipe: Recipe,
    seed: int,
    groups: np.ndarray | None,
    *,
    n_members: int = 1,
    on_epoch: OnEpoch = no_epochs,
    ctrl_c: CtrlC | None = None,
) -> FitFold:
    """What fits a kind of model in a fold. A part of the training rows is cut off, by the same
    rule, to stop by and to measure the temperature on, unless there is no need of either.

    Args:
        groups: str [n], equal for rows that stay together; None: nothing does.
    """

    def fit(examples: Examples, number: int) -> tuple[Predictor, float | None]:
        rows = examples.train
        stops_early = find_kind(kind).has_epochs and not recipe.refit
        if stops_early or recipe.calibrate:
            kept, cut = hold_out(
                examples.labels[rows],
                None if groups is None else groups[rows],
                recipe.validation_size,
                seed + number,
                examples.emotions,
            )
            examples = replace(examples, train=rows[kept], validation=rows[cut])
        fitted = fit_calibrated(
            kind,
            examples,
            recipe,
            seed + number,
            n_members=n_members,
            on_epoch=on_epoch,
            ctrl_c=ctrl_c,
        )
        return fitted, fitted.temperature

    return fit
