"""The tables of a report about its data: what became of the images, and which ones it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from aufer.seen import WAYS
from aufer.tables import COUNT, Column, Table

N_LISTED = 200
"""So many images are listed on the page; all of them are in the CSV."""

STATUS_TITLES = {
    "images": "images",
    "ok": "usable face",
    "no_face": "no face",
    "many_faces": "several faces",
    "too_small": "too small",
    "unreadable": "unreadable",
    "crashed": "crashed",
    "low_confidence": "low confidence",
    "other_emotion": "other emotion",
    "baseline": "the person's neutral face",
    "no_baseline": "person without a baseline",
    "duplicate": "duplicate",
    "conflict": "conflicting labels",
    "in_dataset": "in the dataset",
}


def data_tables(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
    """What became of the images, by emotion: of the training data and of the test data."""
    dataset = facts["model"]["dataset"]
    by_emotion = dataset.get("by_emotion") or {
        name: {"in_dataset": n} for name, n in dataset.get("counts", {}).items()
    }
    by_emotion = {
        name: {status: n for status, n in row.items() if status != "ok"}  # the sum of the rest
        for name, row in by_emotion.items()
    }
    if by_emotion and "total" not in by_emotion:
        by_emotion = {**by_emotion, "total": _sums(by_emotion)}
    yield Table(
        "training-data",
        "The training data by emotion: what became of the images. Only faces in the dataset were "
        "used.",
        (Column("emotion", "expression of"), *_status_columns(by_emotion)),
        [{"emotion": name, **row} for name, row in by_emotion.items()],
    )
    testset = facts["testset"]
    by_status = testset["status_by_emotion"]
    rows = {
        name: {"images": n, **by_status.get(name, {})} for name, n in testset["by_emotion"].items()
    }
    seen = predictions[predictions["seen_in_training"].astype(bool)]
    for name, row in rows.items():
        if facts["seen_in_training"]["n"]:
            row["seen"] = int((seen["emotion"] == name).sum())
    rows["total"] = _sums(rows)
    columns = _status_columns(rows)
    if facts["seen_in_training"]["n"]:
        columns = (*columns, Column("seen", "seen in training", COUNT))
    yield Table(
        "test-data",
        "The test data by emotion: what became of the images. Only images with a usable face are "
        "answered.",
        (Column("emotion", "expression of"), *columns),
        [{"emotion": name, **row} for name, row in rows.items()],
    )


def _sums(rows: dict[str, dict[str, int]]) -> dict[str, int]:
    return {
        key: sum(row.get(key, 0) for row in rows.values())
        for key in dict.fromkeys(key for row in rows.values() for key in row)
    }


def _status_columns(rows: dict[str, dict[str, int]]) -> tuple[Column, ...]:
    """A column for every status that occurs; what is missing in a row is shown as 0 by the CSV."""
    for row in rows.values():
        for key in STATUS_TITLES:
            if any(key in other for other in rows.values()):
                row.setdefault(key, 0)
    return tuple(
        Column(key, title, COUNT)
        for key, title in STATUS_TITLES.items()
        if any(row.get(key) for row in rows.values())
    )


def listed_images(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
    """Images without an answer, and images that were training images."""
    unanswered: list[Any] = predictions[predictions["predicted"] == ""].to_dict("records")
    yield Table(
        "without-answer",
        "Images without an answer, and why.",
        (
            Column("image", "image"),
            Column("emotion", "emotion"),
            Column("status", "status"),
            Column("reason", "reason"),
        ),
        unanswered,
        shown=N_LISTED,
    )
    seen = predictions[predictions["seen_in_training"].astype(bool)]
    rows: list[Any] = seen.assign(how=seen["seen_how"].map(WAYS)).to_dict("records")
    yield Table(
        "seen",
        "Test images that were training images too.",
        (Column("image", "image"), Column("emotion", "emotion"), Column("how", "how it was found")),
        rows,
        shown=N_LISTED,
    )
