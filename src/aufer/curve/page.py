"""The folder of a learning curve: ``learning-curve.html`` to read, and all of it as files.

``learning-curve.csv`` (the counts of every fit), ``learning-curve.json`` (figures and origin),
``tables/*.csv``, ``figures/*.svg`` and ``.png``. The page carries its pictures with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from aufer.curve import text as curve_text
from aufer.files import (
    check_folder_replaceable,
    hash_files,
    replacing_folder,
    to_json,
    write_text,
)
from aufer.pages import page_environment
from aufer.tables import (
    COUNT,
    LIMITS,
    PERCENT,
    PLAIN,
    SHARE,
    Column,
    Table,
    write_csv,
    write_tables,
)

SCHEMA = "aufer/learning-curve/1"
HTML_NAME = "learning-curve.html"
FACTS_NAME = "learning-curve.json"
COUNTS_NAME = "learning-curve.csv"


def check_curve_folder(folder: Path, *, force: bool) -> None:
    """Raise unless a new curve may take this folder's place (`files.check_folder_replaceable`)."""
    check_folder_replaceable(folder, "learning curve", FACTS_NAME, SCHEMA, force=force)


def write_curve(
    folder: Path, facts: dict[str, Any], counts: pd.DataFrame, *, force: bool = False
) -> Path:
    """Write a learning curve; the folder appears complete or not at all.

    Args:
        folder: replaced if it is an older curve of ours, refused if it is anything else.
        facts, counts: of `learning_curve.LearningCurve`.

    Returns:
        the path of the page.
    """
    check_curve_folder(folder, force=force)
    tables = make_tables(facts)
    with replacing_folder(folder) as temporary:
        sources = _write_pictures(temporary / "figures", facts)
        write_tables(temporary / "tables", tables.values())
        write_csv(counts, temporary / COUNTS_NAME)
        write_text(temporary / HTML_NAME, render(facts, tables, sources))
        full = {**facts, "files": hash_files(temporary, FACTS_NAME)}
        write_text(temporary / FACTS_NAME, to_json(full))
    return folder / HTML_NAME


def _write_pictures(folder: Path, facts: dict[str, Any]) -> dict[str, str]:
    """Write each picture as SVG and PNG; give what an ``<img src>`` needs, by its name."""
    from aufer.curve.plots import draw_curve, draw_emotions
    from aufer.plots import write_figure

    pictures = {"curve": draw_curve, "emotions": draw_emotions}
    return {name: write_figure(draw(facts), folder, name) for name, draw in pictures.items()}


def make_tables(facts: dict[str, Any]) -> dict[str, Table]:
    """The tables of the page, by name."""

    def row(point: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        return {"images": curve_text.name_size(facts, point["size"]), **values}

    points, emotions = facts["points"], facts["points"][0]["per_emotion"]
    by_size = Table(
        "points",
        "All emotions, by training images per emotion. The interval is in brackets.",
        (
            Column("images", "images per emotion"),
            Column("n_train", "images in all", PLAIN),
            Column("accuracy", "accuracy", SHARE),
            Column("macro_f1", "macro-F1", PERCENT),
            Column("limits", "its interval", LIMITS),
        ),
        [
            row(
                point,
                {
                    "n_train": round(point["n_train"]),
                    "accuracy": point["accuracy"],
                    "macro_f1": point["macro_f1"]["value"],
                    "limits": (point["macro_f1"]["low"], point["macro_f1"]["high"]),
                },
            )
            for point in points
        ],
    )
    by_emotion = Table(
        "emotions",
        "Faces of each emotion that were read as labelled (recall).",
        (
            Column("images", "images per emotion"),
            *(Column(one["emotion"], one["emotion"], SHARE) for one in emotions),
        ),
        [row(point, {e["emotion"]: e["recall"] for e in point["per_emotion"]}) for point in points],
    )
    learnt = Table(
        "learnt",
        "Training images of each emotion, on average over the folds.",
        (
            Column("images", "images per emotion"),
            *(Column(one["emotion"], one["emotion"], COUNT) for one in emotions),
        ),
        [
            row(point, {e["emotion"]: round(e["n_train"]) for e in point["per_emotion"]})
            for point in points
        ],
    )
    steps = Table(
        "gains",
        "What each step brought: so many more faces of a hundred read as labelled.",
        (
            Column("from", "from images per emotion"),
            Column("to", "to"),
            Column("gain", "gain", PERCENT),
            Column("limits", "its interval", LIMITS),
            Column("per_doubling", "for twice the images", PERCENT),
        ),
        [
            {
                "from": curve_text.name_size(facts, gain["from"]),
                "to": curve_text.name_size(facts, gain["to"]),
                "gain": gain["gain"],
                "limits": (gain["low"], gain["high"]),
                "per_doubling": gain["per_doubling"],
            }
            for gain in facts["gains"]
        ],
    )
    return {table.name: table for table in (by_size, steps, by_emotion, learnt)}


def render(facts: dict[str, Any], tables: dict[str, Table], sources: dict[str, str]) -> str:
    """The page as HTML.

    Args:
        sources: of the pictures, by name.
    """
    environment = page_environment()
    texts = {
        name: getattr(curve_text, name)(facts)
        for name in (
            "ask",
            "answer",
            "more_images",
            "describe_doubling",
            "describe_emotions",
            "describe_shortage",
            "describe_interval",
        )
    }
    return environment.get_template("learning-curve.html").render(
        facts=facts, tables=tables, sources=sources, text=texts
    )
