"""Which faces of an AU table go into a dataset, and why the others don't."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from aufer.action_units import au_key
from aufer.au_table import DEFAULT_MIN_CONFIDENCE, LOW_CONFIDENCE, STATUSES, AuTable
from aufer.emotions import Emotions
from aufer.normalization import BASELINE, NO_BASELINE

if TYPE_CHECKING:
    from aufer.normalization import RelativeFaces

DUPLICATE = "duplicate"
CONFLICT = "conflict"
OTHER_EMOTION = "other_emotion"
IN_DATASET = "in_dataset"


def select_faces(
    table: AuTable,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    emotions: Emotions | None = None,
) -> pd.DataFrame:
    """For each row of the table whether it goes into the dataset, and why not.

    Rows with equal AUs: of those with one label the first is kept (``duplicate``); with different
    labels none is (``conflict``), for nobody can tell which label is right.

    Returns:
        columns ``status`` (``in_dataset``, or why not) and ``reason``; the table's index.
    """
    frame = table.frame
    status = table.answer_status(min_confidence)
    reason = frame["reason"].to_numpy(dtype=object).copy()
    usable = table.is_usable(min_confidence)
    low = status == LOW_CONFIDENCE
    confidence = frame["confidence"].to_numpy(dtype=np.float64)
    reason[low] = [f"confidence {value:g} is below {min_confidence:g}" for value in confidence[low]]
    if emotions is not None:
        other = ~frame["emotion"].isin(emotions.names).to_numpy()
        status[other], reason[other] = OTHER_EMOTION, "not one of the emotions asked for"
        usable &= ~other
    status[usable] = IN_DATASET
    values = table.intensities().tolist()
    first_with: dict[str, int] = {}
    labels_of: dict[str, set[str]] = {}
    keys = {row: au_key(values[row]) for row in np.flatnonzero(usable).tolist()}
    images, words = frame["image"].tolist(), frame["emotion"].tolist()
    for row, key in keys.items():
        labels_of.setdefault(key, set()).add(words[row])
    for row, key in keys.items():
        first = first_with.setdefault(key, row)
        if len(labels_of[key]) > 1:
            status[row] = CONFLICT
            reason[row] = "equal AUs under different emotions: " + ", ".join(sorted(labels_of[key]))
        elif first != row:
            status[row] = DUPLICATE
            reason[row] = f"equal AUs as {images[first]}"
    return pd.DataFrame({"status": status, "reason": reason}, index=frame.index)


def leave_out_baselines(selection: pd.DataFrame, relative: RelativeFaces) -> pd.DataFrame:
    """The selection without the faces that are baselines, or have none (`normalization`)."""
    out = (selection["status"] == IN_DATASET).to_numpy() & (relative.status != "")
    return pd.DataFrame(
        {
            "status": np.where(out, relative.status, selection["status"]),
            "reason": np.where(out, relative.reasons, selection["reason"]),
        },
        index=selection.index,
    )


def count_selection(table: AuTable, selection: pd.DataFrame, emotions: Emotions) -> pd.DataFrame:
    """Images by emotion and fate, with totals; columns that are zero throughout are left out."""
    measured = [DUPLICATE, CONFLICT, BASELINE, NO_BASELINE, IN_DATASET]
    columns = [*STATUSES[1:], OTHER_EMOTION, LOW_CONFIDENCE, *measured]
    others = sorted(set(table.frame["emotion"]) - set(emotions.names))
    counts = pd.crosstab(table.frame["emotion"].to_numpy(), selection["status"].to_numpy())
    counts = counts.reindex(index=[*emotions.names, *others], columns=columns, fill_value=0)
    counts.insert(0, "images", counts.sum(axis=1))
    counts.insert(list(counts.columns).index(DUPLICATE), "ok", counts[measured].sum(axis=1))
    counts.loc["total"] = counts.sum()
    always = {"images", "no_face", LOW_CONFIDENCE, "ok", IN_DATASET}
    totals = {str(name): int(n) for name, n in counts.sum().items()}
    return counts[[name for name, total in totals.items() if name in always or total > 0]]
