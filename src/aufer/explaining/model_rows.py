"""The faces that a model is explained on: its own test and training rows, or given ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aufer.action_units import DIGEST_PREFIX, INTENSITY_COLUMNS
from aufer.model import answer_faces, relate_faces
from aufer.report.of_model import knows_persons, read_rows
from aufer.seen import find_seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aufer.au_table import AuTable
    from aufer.model import Model

LEAST_UNSEEN = 50
"""Fewer given faces that a model was not trained on are not worth leaving the others out."""


@dataclass(frozen=True)
class ModelRows:
    """Labelled faces as a model takes them.

    Attributes:
        values: float64 [n, features]. labels: int64 [n], positions in the model's emotions.
        groups: object [n], a name per row, empty where unknown.
        source: what they are, for people: "the model's 1,118 test rows".
        unseen: whether the model was neither fitted to any of them nor stopped by it; None where
            nobody knows.
    """

    values: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    source: str
    unseen: bool | None

    def __len__(self) -> int:
        return len(self.labels)


def bundle_rows(model: Model, parts: Sequence[str], what: str) -> ModelRows | None:
    """Rows of a model's own dataset; None where it has none, or keeps digests of them only.

    Args:
        parts: of the split, names in `splits.PART_NAMES`. what: what these rows are called.
    """
    rows = read_rows(model)
    if rows is None:
        return None
    rows = rows[rows["part"].isin(parts) & rows["emotion"].isin(model.emotions.names)]
    texts = rows["aus"].tolist()
    if not texts or any(not text or text.startswith(DIGEST_PREFIX) for text in texts):
        return None
    every = np.array([text.split() for text in texts], dtype=np.float64)  # [n, 17]
    columns = [INTENSITY_COLUMNS.index(name) for name in model.features]
    return ModelRows(
        every[:, columns],
        np.array([model.emotions.number(name) for name in rows["emotion"]], dtype=np.int64),
        rows["group"].to_numpy(dtype=object),
        f"the model's {len(texts):,} {what} rows",
        unseen="test" in parts and len(parts) == 1,
    )


def given_rows(
    model: Model, faces: AuTable, min_confidence: float
) -> tuple[ModelRows, tuple[str, ...]]:
    """Given faces that the model can answer, whose label it knows, and which it was not trained on.

    Where fewer than `LEAST_UNSEEN` would be left, all are taken; `ModelRows.unseen` and a note say
    so.

    Returns:
        the rows, of which there may be none, and notes about those left out.

    Raises:
        DataError: see `model.answer_faces`.
    """
    answers = answer_faces(model, faces, min_confidence, "the given faces")
    relative = relate_faces(model, faces)
    every = faces.intensities() if relative is None else relative.values  # [n, 17]
    words = faces.frame["emotion"].tolist()
    found = [model.emotions.find_name(word) if word else None for word in words]
    labels = np.array([-1 if name is None else model.emotions.number(name) for name in found])
    usable = answers.answered & (labels >= 0)
    rows, persons = read_rows(model), knows_persons(model.facts.get("dataset", {}))
    found_seen = find_seen(rows, faces, every, persons_known=persons)
    fresh, n_seen = usable & ~found_seen.is_seen, int((usable & found_seen.is_seen).sum())
    taken, unseen, notes = usable, True if found_seen.checked else None, list(answers.warnings)
    if not found_seen.checked:
        notes.append("the model doesn't say what it was trained on: it may know the given faces")
    elif n_seen and fresh.sum() >= LEAST_UNSEEN:
        taken = fresh
        notes.append(f"{n_seen:,} of the given faces were in the model's training and are left out")
    elif n_seen:
        unseen = False
        notes.append(
            f"the model was trained on {n_seen:,} of the {int(usable.sum()):,} given faces: on "
            "unseen ones it reads less, and other AUs may count"
        )
    if n_left := int((~usable).sum()):
        notes.append(f"{n_left:,} of the given faces have no usable measurement or label")
    columns = [INTENSITY_COLUMNS.index(name) for name in model.features]
    n = int(taken.sum())
    return (
        ModelRows(
            every[taken][:, columns],
            labels[taken].astype(np.int64),
            faces.frame["group"].to_numpy(dtype=object)[taken],
            f"{n:,} given faces",
            unseen,
        ),
        tuple(notes),
    )
