"""AU intensities relative to the person: faces at rest differ more than many expressions do.

Heavy brows read as AU04, thin lips as AU23, at rest too; and OpenFace's static models know nothing
of the person. The difference from the person's own baseline takes that away (docs/groups.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import DECIMALS
from aufer.emotions import Emotions
from aufer.errors import DataError

NONE = "none"
GROUP = "group"
NEUTRAL = "neutral"
HOWS = (NONE, GROUP, NEUTRAL)

MIN_FACES = 3
"""The median of one face is that face: all differences would be 0; that of two is half of each."""

BASELINE = "baseline"
"""Status of a face that is its person's baseline: its differences, all 0, would tell its label."""
NO_BASELINE = "no_baseline"
"""Status of a face whose person has no baseline."""

_RULES = {
    NONE: "AUs as they were measured",
    GROUP: f"AUs minus the median of the person's faces (at least {MIN_FACES})",
    NEUTRAL: "AUs minus those of the person's first neutral face",
}


@dataclass(frozen=True)
class Normalization:
    """What the AUs of a dataset are relative to.

    Attributes:
        how: ``none``, ``group`` (the median of the person's faces) or ``neutral`` (the person's
            first neutral face).
        min_confidence: OpenFace's confidence from which on a face counts for a baseline.
        n_persons: persons with a baseline.
    """

    how: str = NONE
    min_confidence: float = 0.0
    n_persons: int = 0

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Normalization:
        """Read it from a sidecar's JSON.

        Raises:
            DataError: AUs relative to what this version doesn't know.
        """
        how = str(facts.get("how", NONE))
        if how not in HOWS:
            raise DataError(
                f"The AUs are normalised by '{how}', which this version doesn't know.",
                hint="update aufer",
            )
        return cls(how, float(facts.get("min_confidence", 0)), int(facts.get("n_persons", 0)))

    def facts(self) -> dict[str, Any]:
        """Plain JSON; ``rule`` says it for people."""
        if not self.is_relative:
            return {"how": self.how, "rule": self.rule}
        return {"how": self.how, "rule": self.rule} | {
            "min_confidence": self.min_confidence,
            "n_persons": self.n_persons,
        }

    @property
    def is_relative(self) -> bool:
        """Whether the AUs are differences, -5..5."""
        return self.how != NONE

    @property
    def rule(self) -> str:
        """What was done, in words."""
        return _RULES[self.how]

    def __str__(self) -> str:
        return f"{self.rule}, of {self.n_persons} persons" if self.is_relative else self.rule


def check_same(normalizations: Sequence[Normalization]) -> None:
    """Raise `DataError` when AUs are relative to different things: they must not be mixed."""
    hows = list(dict.fromkeys(each.how for each in normalizations))
    if len(hows) > 1:
        raise DataError(
            f"The AUs are relative to different things (--normalize {hows[0]} and {hows[1]}).",
            hint="make all datasets alike from their AU tables: aufer build-dataset --normalize",
        )


@dataclass(frozen=True)
class RelativeFaces:
    """AUs as differences from the person's baseline.

    Attributes:
        values: float64 [n, AUs], -5..5, two decimals; NaN where there is no face or no baseline.
        status: object [n], `BASELINE`, `NO_BASELINE`, or empty where there are differences.
        reasons: object [n], the status in words.
        n_persons: persons with a baseline.
    """

    values: np.ndarray
    status: np.ndarray
    reasons: np.ndarray
    n_persons: int


def relate_to_persons(
    values: np.ndarray,
    groups: Sequence[str],
    counts: np.ndarray,
    emotions: Sequence[str],
    how: str,
) -> RelativeFaces:
    """AUs minus those of the person's baseline.

    Args:
        values: AU intensities, [n, AUs], NaN where there is no face.
        groups: the person of each face, [n]; empty where unknown.
        counts: bool [n], the faces that count for baselines.
        emotions: the label of each face, [n], empty where unknown; for ``neutral`` only.
        how: ``group`` or ``neutral``.

    Raises:
        DataError: ``neutral``, and a person has no neutral face.
    """
    person = np.array(groups, dtype=object)
    counts = counts & (person != "")
    if how == NEUTRAL:
        is_baseline = _first_neutral(person, counts, emotions)
    else:
        n_faces = pd.Series(person[counts]).value_counts()
        enough = set(n_faces.index[n_faces >= MIN_FACES])
        is_baseline = counts & np.array([each in enough for each in person], dtype=bool)
    # of one face the median is the face itself
    medians = pd.DataFrame(values[is_baseline]).groupby(person[is_baseline]).median()
    differences = values - medians.reindex(person).to_numpy()
    status = np.full(len(person), "", dtype=object)
    reasons = status.copy()
    unknown = ~np.isin(person.astype(str), medians.index.to_numpy(dtype=str))
    status[unknown] = NO_BASELINE
    reasons[unknown] = [
        f"{each} has fewer than {MIN_FACES} faces: no baseline"
        if each
        else "nobody says whose face it is: no baseline"
        for each in person[unknown]
    ]
    if how == NEUTRAL:
        status[is_baseline] = BASELINE
        reasons[is_baseline] = [f"the baseline of {each}" for each in person[is_baseline]]
    return RelativeFaces(
        np.round(differences, DECIMALS) + 0.0, status, reasons, len(medians)
    )  # + 0.0: no -0.0


def _first_neutral(person: np.ndarray, counts: np.ndarray, emotions: Sequence[str]) -> np.ndarray:
    """Which faces are their person's first neutral one, bool [n]."""
    known = Emotions()
    is_neutral = np.array([known.find_name(word) == NEUTRAL for word in emotions], dtype=bool)
    rows = np.flatnonzero(counts & is_neutral)
    _, first = np.unique(person[rows].astype(str), return_index=True)
    found = np.zeros(len(person), dtype=bool)
    found[rows[first]] = True
    persons = set(person[counts].tolist())
    without = sorted(persons - set(person[found].tolist()))
    if without:
        listed = ", ".join(without[:5]) + (" …" if len(without) > 5 else "")
        raise DataError(
            f"{len(without)} of the {len(persons)} persons have no neutral face to be measured "
            f"against: {listed}.",
            hint="take the median of each person's faces: --normalize group; or add neutral faces",
        )
    return found
