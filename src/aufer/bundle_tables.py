"""The tables in a bundle: its rows, its history, its cross-validation."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aufer.action_units import au_digest
from aufer.bundle import (
    CV_FOLDS_NAME,
    CV_PREDICTIONS_NAME,
    HISTORY_COLUMNS,
    HISTORY_NAME,
    ROWS_COLUMNS,
    ROWS_NAME,
)

if TYPE_CHECKING:
    import pandas as pd

    from aufer.dataset import Dataset
    from aufer.splits import Parts


def write_rows(folder: Path, dataset: Dataset, parts: Parts, *, with_data: bool = True) -> None:
    """Write ``rows.csv``: every row of the dataset, in its order, and its part of the split.

    Args:
        with_data: without, names of images and groups are left out and AUs are digests: enough to
            find a test face that was trained on.
    """
    rows = dataset.rows.assign(part=parts.names(), aus=dataset.keys)
    if not with_data:
        rows["aus"] = [au_digest(key) for key in rows["aus"]]
        rows[["image", "group", "confidence"]] = ""
    rows.loc[:, list(ROWS_COLUMNS)].to_csv(folder / ROWS_NAME, index=False, lineterminator="\n")


def write_history(folder: Path, history: Sequence[dict[str, float]]) -> None:
    """Write ``history.csv``: one row of `HISTORY_COLUMNS` per epoch; seconds are wall clock."""
    with (folder / HISTORY_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def write_cross_validation(
    folder: Path, folds: pd.DataFrame, predictions: pd.DataFrame | None
) -> None:
    """Write a row per fold and model, and what one's own model said of each held-out face."""
    for name, table in ((CV_FOLDS_NAME, folds), (CV_PREDICTIONS_NAME, predictions)):
        (folder / name).parent.mkdir(exist_ok=True)
        if table is None:
            continue
        table.to_csv(folder / name, index=False, float_format="%.6g", lineterminator="\n")
