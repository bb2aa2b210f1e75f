"""Why models of AUs say what they say of the images that they disagree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aufer.action_units import AU_NAMES, INTENSITY_COLUMNS
from aufer.au_table import AuTable
from aufer.explaining.outputs import value_of
from aufer.explaining.shapley import exact_shares
from aufer.model import Model, relate_faces

N_AUS = 3
"""So many AUs are named, the weightiest first."""


def add_reasons(
    shown: Sequence[dict[str, Any]],
    models: Mapping[str, Model],
    faces: AuTable,
    rows: np.ndarray,
) -> None:
    """Fill in the ``reason`` of each answer of a model of AUs: the AUs that moved it most.

    They are exact Shapley values of the answer's probability against a face whose AUs are all 0
    (`explaining.shapley`).

    Args:
        shown: of `disagreements.find_disagreements`; changed in place.
        models: by their name in ``shown``. faces: all test images: a model of AUs relative to the
            person finds the person's neutral faces among them. rows: position in them by ``row``.
    """
    for name, model in models.items():
        if model.image_input is not None:
            continue
        answers = [
            (each["row"], answer)
            for each in shown
            for answer in each["models"]
            if answer["name"] == name and answer["predicted"]
        ]
        if not answers:
            continue
        columns = [INTENSITY_COLUMNS.index(feature) for feature in model.features]
        relative = relate_faces(model, faces)
        every = faces.intensities() if relative is None else relative.values
        values = every[rows[[row for row, _ in answers]]][:, columns].astype(np.float32)
        shares = exact_shares(value_of(model), values, np.zeros(len(columns))).shares
        numbers = {word: number for number, word in enumerate(model.emotions.names)}
        for (_, answer), face, of_face in zip(answers, values, shares, strict=True):
            # an extra emotion may have been masked, or an alias written
            if answer["predicted"] in numbers:
                of_answer = of_face[:, numbers[answer["predicted"]]]
                answer["reason"] = _in_words(model.features, face, of_answer)


def _in_words(features: Sequence[str], face: np.ndarray, shares: np.ndarray) -> str:
    """``AU12 lip corner puller 2.1: +0.78, …``."""
    order = np.argsort(-np.abs(shares), kind="stable")[:N_AUS]
    told = []
    for position in order.tolist():
        if round(abs(shares[position]), 2) > 0:
            au = features[position].removesuffix("_r")
            share = f"{shares[position]:+.2f}".replace("-", "−")
            told.append(f"{au} {AU_NAMES[au]} {face[position]:.2g}: {share}")
    return ", ".join(told) or "no AU moves this answer"
