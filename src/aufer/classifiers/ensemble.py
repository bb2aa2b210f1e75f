"""Several classifiers of one kind, fitted with different seeds, whose mean is the answer.

The mean of the members' probabilities (a deep ensemble: Lakshminarayanan, Pritzel & Blundell, 2017)
errs less than one of them, and is less sure where they disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.classifiers.classifier import (
    INTERRUPTED,
    Classifier,
    Examples,
    OnEpoch,
    Predictor,
    no_epochs,
)
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.recipe import Recipe

if TYPE_CHECKING:
    from aufer.classifiers.fitting import FitClassifier


@dataclass(frozen=True)
class Mean:
    """Predictors whose mean is the answer."""

    members: tuple[Predictor, ...]

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Mean of the members' probabilities, float64 [n, emotions], of intensities [n, 17]."""
        found = [member.predict_proba(aus) for member in self.members]
        return np.mean(np.asarray(found, dtype=np.float64), axis=0)


@dataclass(frozen=True)
class Ensemble:
    """Classifiers of one kind as one; history and epochs are the first member's.

    Attributes:
        members: at least one. n_wanted: fewer are there if Ctrl-C came.
    """

    members: tuple[Classifier, ...]
    n_wanted: int

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Mean of the members' probabilities, float64 [n, emotions], of intensities [n, 17]."""
        return Mean(self.members).predict_proba(aus)

    @property
    def settings(self) -> dict[str, Any]:
        """The first member's, how many there are, and what each has of its own."""
        own: dict[str, Any] = {"best_epochs": [member.best_epoch for member in self.members]}
        if "steepness" in self.members[0].settings:
            own["steepness"] = [member.settings["steepness"] for member in self.members]
        return {**self.members[0].settings, "members": len(self.members), **own}

    @property
    def history(self) -> list[dict[str, float]]:
        """The first member's."""
        return self.members[0].history

    @property
    def best_epoch(self) -> int:
        """The first member's."""
        return self.members[0].best_epoch

    @property
    def stopped(self) -> str:
        """`INTERRUPTED` where a member is missing or was, else the first member's."""
        is_cut = len(self.members) < self.n_wanted or self.members[-1].stopped == INTERRUPTED
        return INTERRUPTED if is_cut else self.members[0].stopped

    @property
    def last(self) -> Predictor | None:
        """The mean of the members' last epochs, where they have any."""
        lasts = [member.last for member in self.members if member.last is not None]
        return Mean(tuple(lasts)) if len(lasts) == len(self.members) else None

    def to_onnx(self, features: tuple[str, ...], emotions: tuple[str, ...]) -> Any:
        """One ``onnx.ModelProto`` of all members."""
        from aufer.classifiers.onnx_export import average

        return average([member.to_onnx(features, emotions) for member in self.members])

    def to_keras(self) -> Any:
        """One Keras network of all members, or None where the kind has none."""
        networks = [member.to_keras() for member in self.members]
        if any(network is None for network in networks):
            return None
        from aufer.classifiers.backend import import_keras
        from aufer.classifiers.network import average_networks

        return average_networks(import_keras(), networks)


def fit_members(
    fit: FitClassifier,
    examples: Examples,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    ctrl_c: CtrlC,
    on_epoch: OnEpoch = no_epochs,
    on_member: Callable[[int], None] | None = None,
    checkpoints: Path | None = None,
) -> Classifier:
    """Fit a classifier per seed, each by its own variety of the recipe (`Recipe.of_member`).

    Ctrl-C keeps the members that are there, the one at work included if it has finished an epoch.

    Args:
        checkpoints: several members have a folder each in it: ``member-01`` …

    Raises:
        KeyboardInterrupt: before there was anything to keep.
    """
    members: list[Classifier] = []
    for number, seed in enumerate(seeds, start=1):
        folder = checkpoints
        if checkpoints is not None and len(seeds) > 1:
            folder = checkpoints / f"member-{number:02d}"
        try:
            if members:
                ctrl_c.let_go()
            if on_member is not None:
                on_member(number)
            member = fit(
                examples,
                recipe.of_member(number - 1),
                seed,
                on_epoch=on_epoch,
                checkpoints=folder,
                ctrl_c=ctrl_c,
            )
        except KeyboardInterrupt:
            ctrl_c.hold()
            if not members:
                raise
            break
        members.append(member)
        if member.stopped == INTERRUPTED:
            break
    return Ensemble(tuple(members), len(seeds)) if len(seeds) > 1 else members[0]
