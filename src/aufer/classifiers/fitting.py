"""Fitting any kind of classifier, with as many members as wanted, and finding its temperature."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from aufer.calibration import (
    calibrate,
    expected_calibration_error,
    fit_temperature,
    undo_smoothing,
)
from aufer.classifiers.classifier import (
    EARLY_STOPPING,
    INTERRUPTED,
    Classifier,
    Examples,
    OnEpoch,
    Predictor,
    no_epochs,
)
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.ensemble import fit_members
from aufer.classifiers.recipe import Recipe
from aufer.classifiers.refitted import Refitted
from aufer.errors import UsageError
from aufer.splits import MOST_SEED


class FitClassifier(Protocol):
    """The function ``fit`` of a kind's module."""

    def __call__(
        self,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        *,
        on_epoch: OnEpoch = ...,
        checkpoints: Path | None = ...,
        ctrl_c: CtrlC | None = ...,
    ) -> Classifier:
        """Fit to the training rows."""


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        name: as ``--kind`` has it. title: what people call it. has_epochs: whether it learns in
            epochs, and stops by validation rows. keeps_faces: whether AUs of training faces are
            part of the model, and could be read from its file.
    """

    name: str
    title: str
    has_epochs: bool = False
    keeps_faces: bool = False

    def fit_function(self) -> FitClassifier:
        """The function ``fit`` of the module of the kind's name, imported now."""
        module: Any = importlib.import_module(f"aufer.classifiers.{self.name}")
        return module.fit


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("dense", "dense network", has_epochs=True),
        Kind("logistic", "multinomial logistic regression"),
        Kind("svm", "support vector machine (RBF)", keeps_faces=True),
        Kind("trees", "extremely randomised trees"),
    )
}


def find_kind(name: str) -> Kind:
    """The kind of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in KINDS:
        raise UsageError(f"There is no kind '{name}'; known are {', '.join(KINDS)}.")
    return KINDS[name]


@dataclass(frozen=True)
class Fitted:
    """A classifier and how sure it may be.

    Attributes:
        classifier: fitted to the training rows, then (kinds without epochs, and recipes that
            ``refit``) again to training and validation rows together.
        temperature: see `calibration.fit_temperature`; 1 leaves the probabilities as they are.
        smoothing: see `calibration.undo_smoothing`; 0 changes nothing.
        calibration: facts for bundle.json.
        validation: calibrated probabilities of the validation rows by a classifier that was not
            fitted to them, float64 [validation rows, emotions].
    """

    classifier: Classifier
    temperature: float
    smoothing: float
    calibration: dict[str, Any]
    validation: np.ndarray = field(repr=False)

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64 [n, emotions], of intensities [n, 17]."""
        return self.calibrate(self.classifier.predict_proba(aus))

    def calibrate(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities of the classifier, or of its last epoch, made calibrated."""
        return calibrate(probabilities, self.temperature, self.smoothing)

    @property
    def last(self) -> Predictor | None:
        """The weights of the last epoch, where they are others; not calibrated."""
        return self.classifier.last


def fit_calibrated(
    kind: str,
    examples: Examples,
    recipe: Recipe,
    seed: int,
    *,
    n_members: int = 1,
    on_epoch: OnEpoch = no_epochs,
    on_member: Callable[[int], None] | None = None,
    checkpoints: Path | None = None,
    ctrl_c: CtrlC | None = None,
) -> Fitted:
    """Fit a classifier and measure, on the validation rows, how sure it may be.

    Args:
        kind: a key of `KINDS`. n_members: so many classifiers of seeds ``seed``, ``seed + 1``, …
            whose mean is the answer. on_member: told the number of each before it is fitted.
        checkpoints: the folder for the best epochs' files, for kinds that have some.
        ctrl_c: told to `hold` when there is a model to keep.

    Raises:
        UsageError: no such kind. KeyboardInterrupt: before there was anything to keep.
        AuferError: it diverged.
    """
    found = find_kind(kind)
    ctrl_c = ctrl_c or CtrlC()
    seeds = [(seed + number) % (MOST_SEED + 1) for number in range(n_members)]
    fit = functools.partial(fit_members, found.fit_function(), ctrl_c=ctrl_c)
    classifier = fit(
        examples, recipe, seeds, on_epoch=on_epoch, on_member=on_member, checkpoints=checkpoints
    )
    held = examples.validation
    raw, truth = classifier.predict_proba(examples.aus[held]), examples.labels[held]
    is_smoothed = recipe.calibrate and found.has_epochs  # the other kinds know no smoothing
    smoothing = recipe.label_smoothing if is_smoothed else 0.0
    temperature = 1.0
    if recipe.calibrate and len(held):
        temperature = fit_temperature(undo_smoothing(raw, smoothing), truth)
    calibrated = calibrate(raw, temperature, smoothing)
    facts = {
        "temperature": temperature,
        "label_smoothing_undone": smoothing,
        "rows": "validation",
        "n": len(held),
        "ece_before": expected_calibration_error(raw, truth) if len(held) else None,
        "ece_after": expected_calibration_error(calibrated, truth) if len(held) else None,
    }
    if len(held) and (recipe.refit or not found.has_epochs) and classifier.stopped != INTERRUPTED:
        every = np.sort(np.concatenate([examples.train, held]))
        rows = replace(examples, train=every, validation=held[:0])
        try:
            ctrl_c.let_go()
            again = fit(rows, shorten(recipe, classifier), seeds)
        except KeyboardInterrupt:
            ctrl_c.hold()  # the first one is a whole model too
        else:
            if not found.has_epochs:
                classifier = again
            elif again.stopped != INTERRUPTED:
                classifier = Refitted(again, classifier)
            ctrl_c.hold()  # there is a whole model now
    return Fitted(classifier, temperature, smoothing, facts, calibrated)


def shorten(recipe: Recipe, classifier: Classifier) -> Recipe:
    """The recipe with as many epochs as the classifier was trained before it was stopped."""
    if classifier.stopped != EARLY_STOPPING:
        return recipe
    return recipe.changed(epochs=len(classifier.history))
