"""The folder of a comparison: ``comparison.html`` to read, and all of it as files.

``comparison.json`` (every number), ``predictions.csv`` (every answer), ``tables/*.csv``,
``figures/*.svg`` and ``.png``. The page carries its pictures with it: small ones of the images on
which the models disagree too, where these are at hand, unless it shall not.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from aufer.comparison import text as words
from aufer.comparison.disagreements import N_SHOWN
from aufer.comparison.figures import leading_view
from aufer.comparison.tables import make_tables
from aufer.contact_sheet import Thumbnail, make_thumbnail
from aufer.files import (
    check_folder_replaceable,
    hash_files,
    replacing_folder,
    to_json,
    write_text,
)
from aufer.metrics import percent
from aufer.pages import page_environment, unbroken
from aufer.tables import Table, write_csv, write_tables

SCHEMA = "aufer/comparison/1"
HTML_NAME = "comparison.html"
FACTS_NAME = "comparison.json"
PREDICTIONS_NAME = "predictions.csv"

_LONGEST_NAME = 80


def check_comparison_folder(folder: Path, *, force: bool) -> None:
    """Raise unless a new comparison may take this folder's place."""
    check_folder_replaceable(folder, "comparison", FACTS_NAME, SCHEMA, force=force)


def comparison_folder(reports: Path, names: list[str], testset: Path | None) -> Path:
    """Where a comparison goes unless told: named after the models and the test set.

    Stored answers are called ``predictions.csv`` everywhere: their folders tell them apart.
    """
    of_models = "-".join(
        Path(name).resolve().parent.name if Path(name).name == PREDICTIONS_NAME
        else Path(name).stem if name.endswith(".csv") else name
        for name in names
    )  # fmt: skip
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in of_models)[:_LONGEST_NAME]
    ending = "" if testset is None else f"-on-{testset.resolve().stem}"
    return reports / f"compare-{plain}{ending}"


def write_comparison(
    folder: Path,
    facts: dict[str, Any],
    predictions: pd.DataFrame,
    disagreements: list[dict[str, Any]],
    pictures: Mapping[str, Path],
    *,
    force: bool = False,
) -> Path:
    """Write a comparison; the folder appears complete or not at all.

    Args:
        folder: replaced if it is an older comparison of ours, refused if it is anything else.
        facts, predictions, disagreements: of `compare.Comparison`.
        pictures: where images lie that the page may show small; none: it shows none.

    Returns:
        the path of the page.
    """
    check_comparison_folder(folder, force=force)
    tables = make_tables(facts, disagreements)
    with replacing_folder(folder) as temporary:
        sources = _write_figures(temporary / "figures", facts)
        write_tables(temporary / "tables", tables.values())
        write_csv(predictions, temporary / PREDICTIONS_NAME)
        shown = disagreements[:N_SHOWN]
        thumbnails = _thumbnails([each["image"] for each in shown], pictures)
        page = render(facts, tables, sources, shown, thumbnails)
        write_text(temporary / HTML_NAME, page)
        full = {**facts, "files": hash_files(temporary, FACTS_NAME)}
        write_text(temporary / FACTS_NAME, to_json(full))
    return folder / HTML_NAME


def _write_figures(folder: Path, facts: dict[str, Any]) -> dict[str, str]:
    """Write each figure as SVG and PNG; give what an ``<img src>`` needs, by its name."""
    from aufer.comparison.plots import draw_accuracy, draw_pairs, draw_recall, draw_reliability
    from aufer.plots import write_figure

    figures = {
        "accuracy": draw_accuracy,
        "pairs": draw_pairs,
        "recall": draw_recall,
        "reliability": draw_reliability,
    }
    return {name: write_figure(draw(facts), folder, name) for name, draw in figures.items()}


def _thumbnails(images: list[str], pictures: Mapping[str, Path]) -> dict[str, Thumbnail]:
    found = {}
    with warnings.catch_warnings():  # of damaged EXIF
        warnings.simplefilter("ignore")
        for image in images:
            path = pictures.get(image)
            thumbnail = None if path is None else make_thumbnail(path)
            if thumbnail is not None:
                found[image] = thumbnail
    return found


def render(
    facts: dict[str, Any],
    tables: dict[str, Table],
    sources: dict[str, str],
    disagreements: list[dict[str, Any]],
    thumbnails: dict[str, Thumbnail],
) -> str:
    """The page as HTML.

    Args:
        sources: of the figures, by name. disagreements: those shown. thumbnails: by image.
    """
    environment = page_environment()
    environment.filters["percent"] = lambda share: unbroken(percent(share, 0))
    said = {
        name: getattr(words, name)(facts)
        for name in (
            "ask",
            "answer",
            "verdict",
            "describe_coverage",
            "describe_copies",
            "describe_extras",
            "describe_fusion",
            "describe_tests",
        )
    }
    view = leading_view(facts)
    return environment.get_template("compare.html").render(
        facts=facts,
        view=view,
        tables=tables,
        sources=sources,
        disagreements=disagreements,
        thumbnails=thumbnails,
        pairs=[words.describe_pair(pair) for pair in view["pairs"]["answered"]],
        pairs_all=[words.describe_pair(pair) for pair in view["pairs"]["all"]],
        text=said,
    )
