"""What a report tells of the model: its data, split, training, calibration, cross-validation.

All of it comes from the bundle's own files. An older bundle, or a bare Keras file, says less:
what is missing is left out, never guessed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from aufer.bundle import (
    AU_INPUT,
    CV_FOLDS_NAME,
    CV_PREDICTIONS_NAME,
    HISTORY_NAME,
    IMAGE_INPUT,
    ROWS_NAME,
)
from aufer.groups import Grouping
from aufer.model import Model

_TOLD = (
    "kind",
    "recipe",
    "made_at",
    "dataset",
    "split",
    "training",
    "calibration",
    "cross_validation",
    "notes",
    "versions",
)
_TEXTS = ("kind", "recipe", "made_at")
_LISTS = ("notes",)


def describe_model(model: Model) -> dict[str, Any]:
    """The model's facts for ``report.json``; what it doesn't say is empty.

    Returns:
        plain JSON: ``name``, ``path``, ``kind``, ``recipe``, ``made_at`` (texts), ``dataset``,
        ``split``, ``training``, ``calibration``, ``cross_validation``, ``versions`` (objects),
        ``notes``, ``extractor``, ``input`` and ``image_input`` (what it reads), ``persons_known``,
        ``history`` (a row per epoch) and ``folds`` (a row per fold of the cross-validation).
    """
    told: dict[str, Any] = {"name": model.name, "path": str(model.path)}
    for key in _TOLD:
        empty: Any = "" if key in _TEXTS else [] if key in _LISTS else {}
        found = model.facts.get(key)
        told[key] = found if isinstance(found, type(empty)) else empty
    told["extractor"] = model.extractor.facts()
    told["input"] = AU_INPUT if model.image_input is None else IMAGE_INPUT
    told["image_input"] = None if model.image_input is None else model.image_input.facts()
    told["persons_known"] = knows_persons(told["dataset"])
    folder = Path(model.path)
    told["history"] = _records(folder / HISTORY_NAME)
    told["folds"] = _records(folder / CV_FOLDS_NAME)
    return told


def knows_persons(dataset: dict[str, Any]) -> bool:
    """Whether somebody said who is who in the data that a model was trained on."""
    groups = dataset.get("groups")
    if isinstance(groups, dict):
        return Grouping.from_facts(groups).knows_persons
    return bool(dataset.get("groups_known", False))  # a bundle from before there were kinds


def read_rows(model: Model) -> pd.DataFrame | None:
    """The bundle's ``rows.csv``, all texts, a row per face of its dataset; None without one.

    Columns `bundle.ROWS_COLUMNS`, and ``phash``, empty in older bundles.
    """
    path = Path(model.path) / ROWS_NAME
    if not path.is_file():
        return None
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    return rows if "phash" in rows else rows.assign(phash="")


def read_cross_predictions(model: Model) -> pd.DataFrame | None:
    """What the model's cross-validation said of each held-out face: leading protocol, first repeat.

    Returns:
        columns protocol, repeat, fold, row (of the dataset, from 1), image, group, emotion,
        predicted and one probability per emotion; None where there was no cross-validation.
    """
    path = Path(model.path) / CV_PREDICTIONS_NAME
    if not path.is_file():
        return None
    found = pd.read_csv(
        path, keep_default_na=False, dtype={"image": str, "group": str, "protocol": str}
    )
    leading = "grouped" if (found["protocol"] == "grouped").any() else found["protocol"].iloc[0]
    found = found[(found["protocol"] == leading) & (found["repeat"] == found["repeat"].min())]
    return found.sort_values("row", kind="stable").reset_index(drop=True)


def _records(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV as plain JSON; none where there is no such file."""
    if not path.is_file():
        return []
    records = pd.read_csv(path).to_dict("records")
    return [
        {
            str(key): None if isinstance(value, float) and math.isnan(value) else value
            for key, value in record.items()
        }
        for record in records
    ]
