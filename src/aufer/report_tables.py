"""The tables of the report, made of ``report.json`` and ``predictions.csv``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from aufer.report_answer_tables import certainty, face_tables, failures
from aufer.report_facts import shown_figures
from aufer.seen import WAYS
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
PROTOCOL_TITLES = {
    "random": "random folds",
    "grouped": "folds by group",
    "sources": "folds by source",
}


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


def _data(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
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
    protocols = sorted(cross["protocols"], key=lambda p: list(PROTOCOL_TITLES).index(p["name"]))
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
        f"Cross-validation on the training data, {cross['k']} folds"
        + (f", dealt {cross['repeats']} times" if cross.get("repeats", 1) > 1 else "")
        + ": mean ± standard deviation over the folds; all models on the same folds"
        + (f"; all but the accuracy: {PROTOCOL_TITLES[leading['name']]}" if several else "")
        + ".",
        (
            Column("model", "model"),
            *(
                Column(f"accuracy_{p['name']}", f"accuracy, {PROTOCOL_TITLES[p['name']]}", SPREAD)
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
        ),
        blocks.get("rows", []),
    )


def _listed(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
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


Maker = Callable[[dict[str, Any], pd.DataFrame], Iterator[Table]]
_MAKERS: tuple[Maker, ...] = (
    _data,
    _accuracy,
    _cross_validation,
    failures,
    certainty,
    face_tables,
    _listed,
)
