"""Settings by which an image network is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from aufer.classifiers.augmentation import facts as augmentation_facts
from aufer.errors import UsageError
from aufer.image_input import ImageInput

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True)
class CnnRecipe:
    """How an image network is trained.

    Attributes:
        image_input: the pictures that the network gets.
        epochs: at most. patience: stop after so many epochs without a lower validation loss.
        batch_size: pictures per step. learning_rate: AdamW's largest step size.
        weight_decay: AdamW's (I. Loshchilov, F. Hutter: Decoupled weight decay regularization, ICLR
            2019), of the kernels alone. label_smoothing: share of a target that goes to all
            emotions alike. dropout: share of the last layer's inputs left out in training.
        class_weights: weigh rare emotions up, so that each counts alike. Off: probabilities mean
            what they say where the emotions are mixed as in training.
        test_size: share of all pictures; 0 for none. validation_size: share of the rest.
    """

    image_input: ImageInput = field(default_factory=lambda: ImageInput(48, 48))
    epochs: int = 40
    patience: int = 12
    batch_size: int = 128
    learning_rate: float = 0.003
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    dropout: float = 0.3
    class_weights: bool = False
    test_size: float = 0.1
    validation_size: float = 0.1

    def changed(self, **settings: Any) -> CnnRecipe:
        """This recipe with some settings changed; None leaves the recipe's.

        Raises:
            UsageError: a setting is impossible.
        """
        recipe = replace(self, **{k: v for k, v in settings.items() if v is not None})
        for name in ("epochs", "batch_size"):
            if getattr(recipe, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} is at least 1.")
        if not 0 < recipe.learning_rate < math.inf:
            raise UsageError("--learning-rate is above 0.")
        if not 0 <= recipe.test_size < 1:
            raise UsageError("--test-size is a share of the images, from 0 to below 1.")
        if not 0 < recipe.validation_size < 1:
            raise UsageError("--validation-size is a share of the images, between 0 and 1.")
        return recipe

    def facts(self) -> dict[str, Any]:
        """The settings as plain JSON, for bundle.json."""
        facts = asdict(self)
        return {**facts, "augmentation": augmentation_facts()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> CnnRecipe:
        """The recipe whose settings these are."""
        known = {name: facts[name] for name in asdict(cls()) if name in facts}
        return cls(**{**known, "image_input": ImageInput.from_facts(facts["image_input"])})

    def steps(self, n: int) -> int:
        """Steps of an epoch of ``n`` pictures; the last few of each shuffled epoch are left out."""
        return max(1, n // self.batch_size)

    def learning_rates(self, n: int, epoch: int) -> np.ndarray:
        """The step size of each step of an epoch, float32 [steps]: up, then down along a cosine.

        Args:
            n: training pictures. epoch: from 1.
        """
        n_steps = self.steps(n)
        total = self.epochs * n_steps
        warm = max(1, math.ceil(WARM_UP * total))
        step = np.arange((epoch - 1) * n_steps, epoch * n_steps)
        falling = 0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, total - warm)))
        rates = self.learning_rate * np.where(step < warm, (step + 1) / warm, falling)
        return rates.astype(np.float32)

    def weights(self, labels: np.ndarray, n_emotions: int) -> np.ndarray:
        """How much a picture of each emotion counts, float32 [emotions].

        Args:
            labels: int [n], of the training pictures, for which the weights' mean is 1.
        """
        if not self.class_weights:
            return np.ones(n_emotions, dtype=np.float32)
        counts = np.bincount(labels, minlength=n_emotions)
        n_present = max(1, int((counts > 0).sum()))
        return (len(labels) / (n_present * np.maximum(counts, 1))).astype(np.float32)
