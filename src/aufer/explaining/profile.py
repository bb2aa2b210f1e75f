"""What the faces of each emotion look like, in AUs, beside the FACS prototypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.emotions import OPTIONAL_AUS, PROTOTYPES
from aufer.prototypes import prototype_agreement, prototype_of
from aufer.report.facts import au_profile

if TYPE_CHECKING:
    from aufer.explaining.model_rows import ModelRows

STANDS_OUT = 0.5
"""A difference of means of so many deviations stands out: a medium effect after J. Cohen
(Statistical power analysis for the behavioral sciences, 2nd ed., 1988)."""


def profile_facts(
    rows: ModelRows, features: Sequence[str], emotions: Sequence[str]
) -> dict[str, Any]:
    """Mean AUs per emotion, which of them stand out, and how far that is the prototype.

    Returns:
        plain JSON: ``n``; ``means``, a row per emotion (`report.facts.au_profile`);
        ``prototypes``, a row per emotion that has a face and a prototype: ``emotion``, ``n``,
        ``prototype`` and ``optional`` AUs that the model takes, ``stand_out`` (AUs and by how many
        deviations they are higher than in the other faces, highest first, from `STANDS_OUT` on),
        ``shared`` (AUs of both), ``missing`` (of the prototype, and don't stand out), and
        ``agreeing``: share of its faces that agree most with this prototype.
    """
    table = pd.DataFrame(rows.values, columns=list(features)).reindex(
        columns=list(INTENSITY_COLUMNS)
    )
    words = np.array(emotions, dtype=object)[rows.labels]
    means = au_profile(table.assign(emotion=words, predicted=words), emotions)
    for row in means:  # AUs that the model doesn't take
        row.update({n.removesuffix("_r"): None for n in INTENSITY_COLUMNS if n not in features})
    agreement = prototype_agreement(rows.values, features, emotions)
    known = ~np.isnan(agreement).all(axis=0)
    nearest = np.where(np.isnan(agreement), -np.inf, agreement).argmax(axis=1)
    aus = [feature.removesuffix("_r") for feature in features]
    listed = []
    for label, emotion in enumerate(emotions):
        of, name = rows.labels == label, prototype_of(emotion)
        if not of.any() or name is None or not known[label]:
            continue
        prototype = [au for au in PROTOTYPES[name] if au in aus]
        effects = dict(zip(aus, effect_sizes(rows.values, of).tolist(), strict=True))
        stand_out = sorted(
            (au for au in aus if effects[au] >= STANDS_OUT), key=lambda a: -effects[a]
        )
        listed.append(
            {
                "emotion": emotion,
                "n": int(of.sum()),
                "prototype": prototype,
                "optional": [au for au in OPTIONAL_AUS.get(name, ()) if au in aus],
                "stand_out": [{"au": au, "by": effects[au]} for au in stand_out],
                "shared": [au for au in prototype if au in stand_out],
                "missing": [au for au in prototype if au not in stand_out],
                "agreeing": float((nearest[of] == label).mean()),
            }
        )
    return {"n": len(rows), "means": means, "prototypes": listed}


def effect_sizes(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Cohen's d of each AU: mean of the faces ``of`` minus that of the others, in deviations.

    Args:
        values: [n, features]. of: bool [n].

    Returns:
        float64 [features]; the deviation is pooled of both sides; 0 where there is none, or a side
        has no face.
    """
    inside, outside = values[of], values[~of]
    if not len(inside) or not len(outside) or len(values) < 3:
        return np.zeros(values.shape[1])
    squares = inside.var(axis=0) * len(inside) + outside.var(axis=0) * len(outside)
    deviation = np.sqrt(squares / (len(values) - 2))
    difference = inside.mean(axis=0) - outside.mean(axis=0)
    return np.divide(difference, deviation, out=np.zeros(len(difference)), where=deviation > 1e-9)
