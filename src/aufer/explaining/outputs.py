"""What of a model's answer the reasons are about: a probability, or its log-odds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from aufer.explaining.shapley import Value
    from aufer.model import Model

PROBABILITY, LOG_ODDS = "probability", "log-odds"
SCALES = (PROBABILITY, LOG_ODDS)

LEAST = 1e-12
"""A lower probability counts as this one where its logarithm is taken: one of 0 has none."""


def value_of(model: Model, scale: str = PROBABILITY) -> Value:
    """What gives a model's outputs, float64 [n, emotions], of rows [n, features].

    Args:
        scale: `PROBABILITY`; or `LOG_ODDS`: the natural logarithm of an emotion's probability minus
            the mean of the logarithms of all (the centred log-ratio; J. Aitchison, 1982). Of a
            multinomial logistic regression that is its linear score minus the mean of all scores:
            each AU's share is its (centred) coefficient times its difference from the baseline.

    Raises:
        ValueError: no such scale.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, not {scale!r}")

    def value(rows: np.ndarray) -> np.ndarray:
        probabilities = model.predict_proba(rows).astype(np.float64)
        return probabilities if scale == PROBABILITY else log_odds(probabilities)

    return value


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """The logarithms minus their mean, float64 [n, emotions], of probabilities of that shape."""
    logarithms = np.log(np.maximum(probabilities, LEAST))
    centred: np.ndarray = logarithms - logarithms.mean(axis=1, keepdims=True)
    return centred
