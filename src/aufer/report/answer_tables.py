"""The tables of a report about the answers: where it fails, how sure it is, what the faces do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from aufer.action_units import AU_NAMES, INTENSITY_COLUMNS
from aufer.report.facts import shown_figures
from aufer.tables import COUNT, LIMITS, NUMBER, PERCENT, PLAIN, SHARE, Column, Table


def failures(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
    """Where it fails: by emotion, what is taken for what, the most confident mistakes."""
    shown, names = shown_figures(facts), facts["emotions"]
    is_grouped = shown["bootstrap"]["by"] == "group"
    yield Table(
        "by-emotion",
        "Recall: of the faces of this emotion, the share read as it, with its 95 % interval "
        "(Wilson). Precision: of the faces read as it, the share that are.",
        (
            Column("emotion", "expression of"),
            Column("n_images", "images", COUNT),
            Column("n", "answered", COUNT),
            Column("recall", "recall [95 %]", SHARE),
            *([Column("by_group", "by group, 95 %", LIMITS)] if is_grouped else []),
            Column("precision", "precision", PERCENT),
            Column("f1", "F1", NUMBER),
        ),
        [
            {**row, "by_group": limits}
            for row, limits in zip(shown["per_emotion"], shown["bootstrap"]["recall"], strict=True)
        ],
    )
    yield Table(
        "confusion",
        "Number of faces by true emotion (rows) and by what they were read as (columns).",
        (Column("emotion", "true emotion"), *(Column(name, name, COUNT) for name in names)),
        [
            {"emotion": name, **dict(zip(names, counts, strict=True))}
            for name, counts in zip(names, shown["confusion"], strict=True)
        ],
    )
    yield Table(
        "mistakes",
        "The wrong answers that the model was surest of, with the strongest Action Units.",
        (
            Column("image", "image"),
            Column("emotion", "true emotion"),
            Column("predicted", "read as"),
            Column("probability", "probability of that", PERCENT),
            Column("of_truth", "of the truth", PERCENT),
            *([Column("strongest", "strongest Action Units")] if facts["au_profile"] else []),
        ),
        [{**row, "strongest": describe_strongest(row["aus"])} for row in facts["mistakes"]],
    )


def describe_strongest(aus: dict[str, float], most: int = 3) -> str:
    """The strongest AUs of a face in words: ``AU12 lip corner puller 2.31, …``."""
    strongest = sorted(aus, key=lambda au: -aus[au])[:most]
    words = [f"{au} {AU_NAMES[au]} {aus[au]:.2f}" for au in strongest if aus[au] > 0]
    return ", ".join(words) or "all Action Units are 0"


def certainty(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
    """How far its certainty can be trusted: calibration, answering only when sure."""
    shown = shown_figures(facts)
    yield Table(
        "reliability",
        "Answers by their probability: what the model promised, and how many were right.",
        (
            Column("low", "probability above", PERCENT),
            Column("high", "up to", PERCENT),
            Column("n", "faces", COUNT),
            Column("confidence", "mean probability", PERCENT),
            Column("accuracy", "right [95 %]", SHARE),
        ),
        [row for row in shown["reliability"] if row["n"]],
    )
    yield Table(
        "answering-when-sure",
        "Answering only the surest faces: the accuracy of what is answered.",
        (
            Column("share", "share answered (at least)", PERCENT),
            Column("threshold", "least probability answered", PERCENT),
            Column("n", "faces", COUNT),
            Column("accuracy", "accuracy [95 %]", SHARE),
        ),
        shown["by_coverage"],
    )
    yield Table(
        "openface-confidence",
        "Accuracy and coverage, had another --min-confidence been asked for.",
        (
            Column("min_confidence", "--min-confidence", PLAIN),
            Column("coverage", "images answered [95 %]", SHARE),
            Column("accuracy", "accuracy [95 %]", SHARE),
        ),
        shown["by_confidence"],
    )


def face_tables(facts: dict[str, Any], predictions: pd.DataFrame) -> Iterator[Table]:
    """What the faces do, and how the model was trained."""
    yield Table(
        "au-profile",
        "Mean intensity of each Action Unit by true emotion.",
        (
            Column("emotion", "expression of"),
            Column("n", "faces", COUNT),
            *(Column(au := column.removesuffix("_r"), au, NUMBER) for column in INTENSITY_COLUMNS),
        ),
        facts["au_profile"],
    )
    yield Table(
        "training-curve",
        "Loss and accuracy by epoch.",
        (
            Column("epoch", "epoch", COUNT),
            Column("loss", "loss, training", NUMBER),
            Column("val_loss", "loss, validation", NUMBER),
            Column("accuracy", "accuracy, training", PERCENT),
            Column("val_accuracy", "accuracy, validation", PERCENT),
        ),
        facts["model"]["history"],
    )
