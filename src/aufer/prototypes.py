"""How well a face agrees with the FACS prototype of each emotion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aufer.emotions import ALIASES, OPTIONAL_AUS, PROTOTYPES

NEUTRAL = "neutral"

TRACE = 1.0
"""Intensity of a trace (A of FACS's A-E, 1-5): from there on an AU counts as there."""


def prototype_of(emotion: str) -> str | None:
    """The key of `PROTOTYPES` that an emotion's name or alias stands for, or None."""
    name = ALIASES.get(emotion, emotion)
    return name if name in PROTOTYPES else None


def prototype_agreement(
    aus: np.ndarray, features: Sequence[str], emotions: Sequence[str]
) -> np.ndarray:
    """How far the AUs of each emotion's prototype stand out in each face.

    The mean intensity of the prototype's AUs minus that of all others, optional ones left aside on
    both sides. For neutral, whose prototype is that all are low, `TRACE` minus the mean of all.

    Args:
        aus: intensities [n, features]. features: their columns, ``AU01_r`` ….

    Returns:
        float64 [n, emotions], -5 to 5; NaN for an emotion without a prototype, or of whose
        prototype no AU is among the features.
    """
    values = np.asarray(aus, dtype=np.float64)
    names = np.array([feature.removesuffix("_r") for feature in features])
    agreement = np.full((len(values), len(emotions)), np.nan)
    for number, emotion in enumerate(emotions):
        name = prototype_of(emotion)
        if name == NEUTRAL:
            agreement[:, number] = TRACE - values.mean(axis=1)
        elif name is not None:
            own = np.isin(names, PROTOTYPES[name])
            others = ~own & ~np.isin(names, OPTIONAL_AUS.get(name, ()))
            if own.any():
                outside = values[:, others].mean(axis=1) if others.any() else 0.0
                agreement[:, number] = values[:, own].mean(axis=1) - outside
    return agreement
