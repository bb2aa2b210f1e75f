"""How a model is trained: the recipes, and what of them may be changed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from aufer.errors import UsageError

CHECKPOINT_FORMATS = ("keras", "h5")

RAW = "raw"
NORMALISED = "normalised"
COMPRESSED = "compressed"
"""How the network gets the intensities; see `network.build`."""

STEEPNESSES = (1.0, 0.5, 2.0, 8.0)
"""Of a single network, and of the members of an ensemble in turn: each sees weak movements in its
own way, and their mean errs less than that of equals (docs/training.md)."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: ``standard`` or ``reference``.
        inputs: `RAW`; `NORMALISED`: shifted and scaled inside the model, by the training rows'
            mean and variance; `COMPRESSED`: beside each intensity the same one pressed into 0-1
            (`network.compress`), both normalised: it tells weak movements from none, where the
            meaning of a face often lies. steepness: an intensity of 1 / steepness is pressed to
            0.5.
        stratify: the split is stratified, and keeps groups on one side.
        dropout: share of each hidden layer's outputs dropped in training, one number per layer, or
            none. l2: weight of the sum of squared kernels in the loss.
        label_smoothing: see Keras's CategoricalCrossentropy.
        class_weights: weigh rare emotions up, so that each counts alike in the loss.
        epochs: at most. patience: epochs without a lower validation loss before stopping.
        learning_rate: Adam's step size. is_cosine: it rises over the first twentieth of the epochs,
            then falls to 0 along a cosine; such a training is run by a loop of our own.
        calibrate: divide the logits by a temperature that is measured on the validation rows.
        refit: after that fit again, as many epochs, to training and validation rows together.
        test_size: share of all rows; 0 leaves none for a test. validation_size: share of the rest.
    """

    name: str
    inputs: str
    stratify: bool
    calibrate: bool
    refit: bool = False
    dropout: tuple[float, ...] = ()
    l2: float = 0.0
    label_smoothing: float = 0.0
    class_weights: bool = False
    epochs: int = 5000
    patience: int = 7
    batch_size: int = 50
    learning_rate: float = 0.001
    is_cosine: bool = False
    steepness: float = STEEPNESSES[0]
    test_size: float = 0.25
    validation_size: float = 0.25
    checkpoint_format: str = "keras"

    def changed(self, **values: Any) -> Recipe:
        """The recipe with the given settings changed; None keeps a setting.

        Raises:
            UsageError: a value that can't be meant.
        """
        recipe = replace(self, **{k: v for k, v in values.items() if v is not None})
        for name, low in (("epochs", 1), ("patience", 0), ("batch_size", 1)):
            if getattr(recipe, name) < low:
                raise UsageError(f"{_option(name)} must be at least {low}.")
        if not 0 < recipe.learning_rate < math.inf:
            raise UsageError("--learning-rate must be a number greater than 0.")
        for name in ("test_size", "validation_size"):
            is_none = name == "test_size" and recipe.test_size == 0 and recipe.stratify
            if not 0 < getattr(recipe, name) < 1 and not is_none:
                raise UsageError(f"{_option(name)} must be a share between 0 and 1, e.g. 0.25.")
        if recipe.checkpoint_format not in CHECKPOINT_FORMATS:
            raise UsageError(f"--checkpoint-format is one of {', '.join(CHECKPOINT_FORMATS)}.")
        return recipe

    def of_member(self, number: int) -> Recipe:
        """The recipe of an ensemble's member; ``number`` from 0, the first is as a single one."""
        if self.inputs != COMPRESSED:
            return self
        return replace(self, steepness=STEEPNESSES[number % len(STEEPNESSES)])

    def facts(self) -> dict[str, Any]:
        """All settings as plain JSON."""
        return {**asdict(self), "dropout": list(self.dropout)}


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


RECIPES: dict[str, Recipe] = {
    # chosen by cross-validation on fold seeds from 10 on (docs/training.md)
    "standard": Recipe(
        "standard",
        inputs=COMPRESSED,
        stratify=True,
        calibrate=True,
        refit=True,
        dropout=(0.3, 0.3, 0.2, 0.1),
        l2=1e-3,
        label_smoothing=0.05,
        epochs=100,
        patience=60,
        batch_size=128,
        learning_rate=0.002,
        is_cosine=True,
        validation_size=0.2,
    ),
    # Happy-ryan/Face-Emotion-Recognition, to the letter
    "reference": Recipe(
        "reference", inputs=RAW, stratify=False, calibrate=False, validation_size=0.33
    ),
}
