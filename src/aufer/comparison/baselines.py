"""What needs no training, on the same images: one emotion for all, and the FACS prototypes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable
from aufer.prototypes import prototype_agreement
from aufer.splits import TRAINING_PARTS

MAJORITY, PROTOTYPES = "majority", "prototypes"


def answer_baselines(
    faces: AuTable,
    names: Sequence[str],
    trained: Sequence[tuple[str, pd.DataFrame | None]],
    min_confidence: float,
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """The answers of the baselines.

    The most frequent emotion is that of the training rows of the first model that tells of them,
    among the emotions asked for; where none tells, that of the test images, which is the best that
    such a guess can be.

    Args:
        faces: the test images. names: the emotions asked for.
        trained: name and ``rows.csv`` of each model.
        min_confidence: the prototypes answer faces measured with at least this.

    Returns:
        answers by the baseline's name, object [n], and plain JSON about each: ``name``, ``short``
        and ``title`` (in words).
    """
    title, counts = "of the test images", Counter(faces.frame["emotion"])
    for name, rows in trained:
        if rows is None:
            continue
        of_training = rows.loc[rows["part"].isin(TRAINING_PARTS), "emotion"]
        found = Counter(word for word in of_training if word in names)
        if found:
            title, counts = f"in the training data of {name}", found
            break
    most = max(names, key=lambda name: counts[name])
    answers = {MAJORITY: np.full(len(faces), most, dtype=object)}
    told = [
        {
            "name": MAJORITY,
            "short": f"always {most}",
            "title": f"always {most}, the most frequent {title}",
        }
    ]
    agreement = prototype_agreement(faces.intensities(), INTENSITY_COLUMNS, names)
    known = ~np.isnan(agreement).all(axis=1) & faces.is_usable(min_confidence)
    if known.any():
        scores = np.where(np.isnan(agreement), -np.inf, agreement)
        words = np.array(names, dtype=object)[scores.argmax(axis=1)]
        answers[PROTOTYPES] = np.where(known, words, "")
        told.append(
            {
                "name": PROTOTYPES,
                "short": "FACS prototypes",
                "title": "the FACS prototype that fits best",
            }
        )
    return answers, told
