"""What a face is compared with: one baseline row, or many background rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.errors import DataError
from aufer.explaining.model_rows import ModelRows, bundle_rows
from aufer.prototypes import NEUTRAL, prototype_of
from aufer.splits import PART_NAMES

if TYPE_CHECKING:
    from aufer.model import Model

ZERO, MEAN_NEUTRAL, ROW, MEAN, BACKGROUND = "zero", "neutral", "row", "mean", "background"
"""Kinds: all AUs 0; the mean neutral training face; a row of a file, or the mean of its rows; many
rows."""

MOST_BACKGROUND = 200
"""So many rows of a larger background are drawn."""

_NAME_ONE = "take all AUs 0 (--baseline zero), or faces of your own: --baseline FILE"


@dataclass(frozen=True)
class Baseline:
    """What faces are compared with.

    Attributes:
        rows: float64 [n, features]; one row is a baseline, several are a background.
        kind: one of the above. n_faces: that ``rows`` were made of, or drawn from.
        source: the file or model that they are of; empty for `ZERO`.
    """

    rows: np.ndarray
    kind: str
    n_faces: int = 0
    source: str = ""

    @property
    def is_background(self) -> bool:
        """Whether the answer is compared with the mean of many rows."""
        return self.kind == BACKGROUND

    def facts(self, features: tuple[str, ...]) -> dict[str, Any]:
        """Plain JSON; ``aus`` of one row only."""
        one = None if self.is_background else self.rows[0].round(6).tolist()
        return {
            "kind": self.kind,
            "n_faces": self.n_faces,
            "n_rows": len(self.rows),
            "source": self.source,
            "aus": None if one is None else dict(zip(features, one, strict=True)),
        }


def zero_baseline(n_features: int) -> Baseline:
    """All AUs 0: a face at rest; of AUs relative to the person, the person's own usual face."""
    return Baseline(np.zeros((1, n_features)), ZERO)


def neutral_baseline(model: Model) -> Baseline:
    """The mean of the neutral faces that a model was trained on.

    Raises:
        DataError: the model's folder doesn't hold them.
    """
    rows = training_faces(model)
    is_neutral = [prototype_of(name) == NEUTRAL for name in model.emotions]
    neutral = rows.values[np.array(is_neutral)[rows.labels]]
    if not len(neutral):
        raise DataError(f"The model {model.name} was trained on no neutral face.", hint=_NAME_ONE)
    return Baseline(neutral.mean(axis=0)[None], MEAN_NEUTRAL, len(neutral), model.name)


def mean_baseline(rows: np.ndarray, source: str) -> Baseline:
    """The mean of the faces of a file, [n, features]; of one, that face."""
    kind = ROW if len(rows) == 1 else MEAN
    return Baseline(rows.mean(axis=0)[None], kind, len(rows), source)


def background_of(rows: np.ndarray, source: str, *, most: int, seed: int) -> Baseline:
    """Background rows: all of them, [n, features], or ``most`` drawn by chance."""
    n = len(rows)
    if n > most:
        rows = rows[np.sort(np.random.default_rng(seed).choice(n, most, replace=False))]
    return Baseline(rows, BACKGROUND, n, source)


def training_faces(model: Model) -> ModelRows:
    """The faces that a model was trained on.

    Raises:
        DataError: its folder doesn't hold them.
    """
    rows = bundle_rows(model, PART_NAMES[:1], f"the training faces of {model.name}")
    if rows is None:
        raise DataError(
            f"The model {model.name} comes without the faces that it was trained on.",
            hint=_NAME_ONE,
        )
    return rows
