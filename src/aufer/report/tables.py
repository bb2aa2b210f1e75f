"""The tables of the report, made of ``report.json`` and ``predictions.csv``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from aufer.report.answer_tables import certainty, face_tables, failures
from aufer.report.data_tables import data_tables, listed_images
from aufer.report.facts import shown_figures
from aufer.tables import (
    COUNT,
    LIMITS,
    MIXED,
    NUMBER,
    NUMBER_LIMITS,
    PERCENT,
    SHARE,
    SPREAD,
    SPREAD_NUMBER,
    Column,
    Table,
)

PROTOCOL_TITLES = {
    "random": "random folds",
    "grouped": "folds by group",
    "sources": "folds by source",
}


def protocol_title(name: str) -> str:
    """What people call a protocol of cross-validation."""
    return PROTOCOL_TITLES.get(name, name)


def make_tables(facts: dict[str, Any], predictions: pd.DataFrame) -> dict[str, Table]:
    """Every table that these facts have the numbers for, by its name, in the page's order."""
    found: dict[str, Table] = {}
    for make in _MAKERS:
        for table in make(facts, predictions):
            if table.rows:
                found[table.name] = table
    return found


def leading_protocol(facts: dict[str, Any]) -> dict[str, Any] | None:
    """The protocol of the cross-validation whose figures count: by group where there is one."""
    protocols = facts["model"]["cross_validation"].get("protocols", [])
    by_name = {protocol["name"]: protocol for protocol in protocols}
    return by_name.get("grouped") or (protocols[0] if protocols else None)


def _accuracy(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
    figures, shown = facts["figures"], shown_figures(facts)
    is_grouped = shown["bootstrap"]["by"] == "group"

    def of_model(title: str, found: dict[str, Any]) -> dict[str, Any]:
        return {
            "model": title,
            **found,
            "n": found["n_answered"],
            "by_group": found["bootstrap"]["accuracy"],
            "macro_f1_limits": found["bootstrap"]["macro_f1"],
        }

    rows = [of_model(facts["model"]["name"], shown)]
    rows += [{"model": b["title"], **b, "n": b["accuracy"]["n"]} for b in shown["baselines"]]
    if shown is not figures["all"]:
        rows.append(of_model(f"{facts['model']['name']}, seen faces included", figures["all"]))
    yield Table(
        "accuracy",
        "How many faces are read correctly, beside what needs no training. In brackets the 95 % "
        "interval (Wilson); "
        + (
            "by group: the 95 % interval when whole groups are drawn anew (bootstrap)."
            if is_grouped
            else "of macro-F1 by bootstrap of single faces."
        ),
        (
            Column("model", "who reads"),
            Column("n", "faces", COUNT),
            Column("accuracy", "accuracy [95 %]", SHARE),
            *([Column("by_group", "by group, 95 %", LIMITS)] if is_grouped else []),
            Column("macro_f1", "macro-F1", NUMBER),
            Column("macro_f1_limits", "macro-F1, 95 %", NUMBER_LIMITS),
            Column("balanced_accuracy", "balanced accuracy", PERCENT),
        ),
        rows,
    )
    columns = [Column("figure", "figure")]
    if shown is not figures["all"]:
        columns.append(Column("unseen", "without seen faces", MIXED))
    columns.append(Column("all", "all test images", MIXED))
    yield Table(
        "figures",
        "All figures of the test. Log-loss, Brier score and ECE are of the probabilities: lower is "
        "better.",
        tuple(columns),
        [
            {
                "figure": title,
                "all": (kind, figures["all"][key]),
                "unseen": (kind, shown[key]),
            }
            for key, title, kind in _FIGURES
        ],
    )


_FIGURES = (
    ("n_images", "images", COUNT),
    ("n_answered", "images with a usable face (answered)", COUNT),
    ("coverage", "coverage: share of images answered [95 %]", SHARE),
    ("accuracy", "accuracy, of the answered [95 %]", SHARE),
    ("accuracy_all", "accuracy, unanswered images counted as wrong [95 %]", SHARE),
    ("macro_f1", "macro-F1", NUMBER),
    ("balanced_accuracy", "balanced accuracy", PERCENT),
    ("log_loss", "log-loss", NUMBER),
    ("brier", "Brier score", NUMBER),
    ("ece", "ECE: expected calibration error", PERCENT),
)


def _cross_validation(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
    cross = facts["model"]["cross_validation"]
    leading = leading_protocol(facts)
    if leading is None:
        return
    protocols = sorted(cross["protocols"], key=lambda p: p["name"] != "random")
    several = len(protocols) > 1
    rows: dict[str, dict[str, Any]] = {}
    for model in leading["models"]:
        rows[model["name"]] = {**model, "model": model["title"]}
    for protocol in protocols:
        for model in protocol["models"]:
            rows.setdefault(model["name"], {"model": model["title"]})[
                f"accuracy_{protocol['name']}"
            ] = model["accuracy"]
    yield Table(
        "cross-validation",
        f"Cross-validation on the model's dataset, {cross['k']} folds"
        + (f", dealt {cross['repeats']} times" if cross.get("repeats", 1) > 1 else "")
        + ": mean ± standard deviation over the folds; all models on the same folds"
        + (f"; all but the accuracy: {protocol_title(leading['name'])}" if several else "")
        + ".",
        (
            Column("model", "model"),
            *(
                Column(f"accuracy_{p['name']}", f"accuracy, {protocol_title(p['name'])}", SPREAD)
                for p in protocols
            ),
            Column("macro_f1", "macro-F1", SPREAD_NUMBER),
            Column("log_loss", "log-loss", SPREAD_NUMBER),
            Column("brier", "Brier", SPREAD_NUMBER),
            Column("ece", "ECE", SPREAD),
        ),
        list(rows.values()),
    )
    titles = {name: row["model"] for name, row in rows.items()}
    yield Table(
        "folds",
        "Every fold of the cross-validation.",
        (
            Column("protocol", "folds"),
            Column("model", "model"),
            Column("repeat", "repeat", COUNT),
            Column("fold", "fold", COUNT),
            Column("n", "faces", COUNT),
            Column("accuracy", "accuracy", PERCENT),
            Column("macro_f1", "macro-F1", NUMBER),
            Column("log_loss", "log-loss", NUMBER),
            Column("brier", "Brier", NUMBER),
            Column("ece", "ECE", PERCENT),
            Column("temperature", "temperature", NUMBER),
        ),
        [
            {**row, "model": titles.get(row["model"], row["model"])}
            for row in facts["model"]["folds"]
        ],
    )
    blocks = cross.get("blocks") or {}
    yield Table(
        "blocks",
        "Cross-validated accuracy when so many neighbouring rows of one emotion stay together"
        + (" (support vector machine)." if blocks.get("model") == "svm" else "."),
        (
            Column("size", "rows that stay together", COUNT),
            Column("accuracy", "accuracy, mean ± sd", SPREAD),
            Column("fewest_blocks", "such blocks of the rarest emotion", COUNT),
        ),
        [{"fewest_blocks": None, **row} for row in blocks.get("rows", [])],
    )


Maker = Callable[[dict[str, Any], pd.DataFrame], Iterator[Table]]
_MAKERS: tuple[Maker, ...] = (
    data_tables,
    _accuracy,
    _cross_validation,
    failures,
    certainty,
    face_tables,
    listed_images,
)
