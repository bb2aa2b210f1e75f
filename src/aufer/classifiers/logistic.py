"""Multinomial logistic regression on standardised AUs: the model that can be read.

Each emotion's evidence is a weighted sum of the AUs; the coefficients say how many log-odds one
deviation of an AU adds, and stand in bundle.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import AU_INPUT
from aufer.classifiers.classifier import Examples, OnEpoch, no_epochs
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.recipe import Recipe
from aufer.classifiers.single_fit import Scaling, SingleFit, place, training_rows

C = 1.0
"""Inverse weight of the sum of squared coefficients. Of thousands of rows it shrinks next to
nothing; of few, it keeps the coefficients finite."""


@dataclass(frozen=True)
class LogisticClassifier(SingleFit):
    """A fitted regression.

    Attributes:
        scaling: of the training rows.
        coefficients: float64 [present, 17], log-odds per deviation of an AU. intercepts: [present].
        present: the emotions that had a training row, as positions in ``emotions``.
    """

    scaling: Scaling
    coefficients: np.ndarray
    intercepts: np.ndarray
    present: np.ndarray
    features: tuple[str, ...]
    emotions: tuple[str, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """``C``; ``mean`` and ``deviation`` per AU; ``intercepts`` and ``coefficients`` per emotion
        that had a training row."""
        names = [self.emotions[number] for number in self.present]
        by_au = [dict(zip(self.features, row, strict=True)) for row in self.coefficients.tolist()]
        return {
            "C": C,
            "mean": dict(zip(self.features, self.scaling.mean.tolist(), strict=True)),
            "deviation": dict(zip(self.features, self.scaling.deviation.tolist(), strict=True)),
            "intercepts": dict(zip(names, self.intercepts.tolist(), strict=True)),
            "coefficients": dict(zip(names, by_au, strict=True)),
        }

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Probabilities, float64 [n, emotions], rows sum to 1, of intensities [n, 17]."""
        from scipy.special import softmax

        logits = self.scaling.apply(aus) @ self.coefficients.T + self.intercepts  # [n, present]
        return place(softmax(logits, axis=1), self.present, len(self.emotions))

    def to_onnx(self, features: tuple[str, ...], emotions: tuple[str, ...]) -> Any:
        """The ``onnx.ModelProto``: one sum, with the scaling in its weights, and a softmax."""
        from aufer.classifiers.onnx_graph import Graph

        graph = Graph()
        kernel = (self.coefficients / self.scaling.deviation).T  # [17, present]
        logits = graph.affine(AU_INPUT, kernel, self.intercepts - self.scaling.mean @ kernel)
        found = graph.add("Softmax", logits, axis=1)
        found = graph.place(found, self.present.tolist(), len(emotions))
        return graph.to_model(found, len(features), len(emotions))


def fit(
    examples: Examples,
    recipe: Recipe,
    seed: int,
    *,
    on_epoch: OnEpoch = no_epochs,
    checkpoints: Path | None = None,
    ctrl_c: CtrlC | None = None,
) -> LogisticClassifier:
    """Fit a regression to the training rows; nothing in it is random.

    Raises:
        DataError: the training rows are of one emotion only.
    """
    from sklearn.linear_model import LogisticRegression

    rows = training_rows(examples)
    scaling = Scaling.of(rows.aus)
    weights = "balanced" if recipe.class_weights else None
    found = LogisticRegression(C=C, max_iter=1000, class_weight=weights)
    found.fit(scaling.apply(rows.aus), rows.labels)
    coefficients, intercepts = found.coef_, found.intercept_
    if len(rows.present) == 2:  # scikit-learn gives the second emotion's against the first's
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    return LogisticClassifier(
        scaling, coefficients, intercepts, rows.present, examples.features, examples.emotions
    )
