"""Settings by which an AU network is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from aufer.classifiers.au_net_network import Sizes
from aufer.errors import UsageError

ALIGN, AUS = 0, 1
"""The stages of a training: first the align network, then the AU network."""


@dataclass(frozen=True)
class AuNetRecipe:
    """How an AU network is trained.

    Attributes:
        epochs: of the AU network; the align network gets two thirds as many. steps: of an epoch.
        batch_size: faces per step. learning_rate: AdamW's largest step size. align_decay,
            aus_decay: AdamW's weight decays. ema: how much of the mean weights stays at a step; the
            mean is the result. dropout: of the AU network. confidence_weight: of its loss.
        align_confidence, aus_confidence: faces that OpenFace was less sure of are left out.
        good_weight: how often a face from a large picture is taken, to one from a small one (see
            `au_net_faces.SMALL_FACE`). bad_share: share of the AU network's crops that show no face
            as it should be, for the confidence.
        test_size: share of the faces for the figures. sizes: of the networks.
    """

    epochs: int = 24
    steps: int = 500
    batch_size: int = 64
    learning_rate: float = 2e-3
    align_decay: float = 1e-4
    aus_decay: float = 3e-4
    ema: float = 0.998
    dropout: float = 0.3
    confidence_weight: float = 0.3
    align_confidence: float = 0.6
    aus_confidence: float = 0.65
    good_weight: float = 2.5
    bad_share: float = 0.18
    test_size: float = 0.1
    sizes: Sizes = field(default_factory=Sizes)

    def changed(self, **settings: Any) -> AuNetRecipe:
        """This recipe with some settings changed; None leaves the recipe's.

        Raises:
            UsageError: a setting is impossible.
        """
        recipe = replace(self, **{k: v for k, v in settings.items() if v is not None})
        for name in ("epochs", "steps", "batch_size"):
            if getattr(recipe, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} is at least 1.")
        if not 0 < recipe.learning_rate < math.inf:
            raise UsageError("--learning-rate is above 0.")
        if not 0 < recipe.test_size < 1:
            raise UsageError("--test-size is a share of the faces, between 0 and 1.")
        return recipe

    @property
    def align_epochs(self) -> int:
        """Epochs of the align network."""
        return math.ceil(self.epochs * 2 / 3)

    @property
    def all_epochs(self) -> int:
        """Epochs of both networks together."""
        return self.align_epochs + self.epochs

    def stage(self, done: int) -> tuple[int, int]:
        """The stage of the epoch after ``done`` ones, `ALIGN` or `AUS`, and its number in it."""
        if done < self.align_epochs:
            return ALIGN, done
        return AUS, done - self.align_epochs

    def n_steps(self, stage: int) -> int:
        """Steps of a stage."""
        return self.steps * (self.epochs if stage == AUS else self.align_epochs)

    def facts(self) -> dict[str, Any]:
        """The settings as plain JSON, for au-net.json."""
        return {**asdict(self), "sizes": self.sizes.facts()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> AuNetRecipe:
        """The recipe whose settings these are."""
        known = {name: facts[name] for name in asdict(cls()) if name in facts}
        return cls(**{**known, "sizes": Sizes.from_facts(facts["sizes"])})
