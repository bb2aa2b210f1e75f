"""The folder of a mask study: ``mask-study.html`` to read, and all of it as files.

``predictions.csv`` (what every model said of every face), ``mask-study.json`` (figures and
origin), ``tables/*.csv``, ``figures/*.svg`` and ``.png``. The page carries its pictures with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from aufer.files import (
    check_folder_replaceable,
    hash_files,
    replacing_folder,
    to_json,
    write_text,
)
from aufer.masking import text as mask_text
from aufer.masking.tables import make_tables
from aufer.pages import page_environment
from aufer.tables import Table, write_tables

SCHEMA = "aufer/mask-study/1"
HTML_NAME = "mask-study.html"
FACTS_NAME = "mask-study.json"
PREDICTIONS_NAME = "predictions.csv"


def check_study_folder(folder: Path, *, force: bool) -> None:
    """Raise unless a new study may take this folder's place (`files.check_folder_replaceable`)."""
    check_folder_replaceable(folder, "mask study", FACTS_NAME, SCHEMA, force=force)


def write_study(
    folder: Path, facts: dict[str, Any], predictions: pd.DataFrame, *, force: bool = False
) -> Path:
    """Write a mask study; the folder appears complete or not at all.

    Args:
        folder: replaced if it is an older study of ours, refused if it is anything else.
        facts, predictions: of `mask_study.MaskStudy`.

    Returns:
        the path of the page.
    """
    check_study_folder(folder, force=force)
    tables = make_tables(facts)
    with replacing_folder(folder) as temporary:
        sources = _write_pictures(temporary / "figures", facts)
        write_tables(temporary / "tables", tables.values())
        predictions.to_csv(
            temporary / PREDICTIONS_NAME, index=False, float_format="%.6g", lineterminator="\n"
        )
        write_text(temporary / HTML_NAME, render(facts, tables, sources))
        full = {**facts, "files": hash_files(temporary, FACTS_NAME)}
        write_text(temporary / FACTS_NAME, to_json(full))
    return folder / HTML_NAME


def _write_pictures(folder: Path, facts: dict[str, Any]) -> dict[str, str]:
    """Write each picture as SVG and PNG; give what an ``<img src>`` needs, by its name."""
    from aufer.masking.plots import draw_confusions, draw_hidden, draw_recall
    from aufer.plots import write_figure

    pictures = {"recall": draw_recall, "hidden": draw_hidden, "confusion": draw_confusions}
    return {
        f"{name}-{result['kind']}": write_figure(
            draw(facts, result), folder, f"{name}-{result['kind']}"
        )
        for result in facts["results"]
        for name, draw in pictures.items()
    }


def render(facts: dict[str, Any], tables: dict[str, Table], sources: dict[str, str]) -> str:
    """The page as HTML.

    Args:
        sources: of the pictures, by name.
    """
    environment = page_environment()
    return environment.get_template("mask-study.html").render(
        facts=facts, tables=tables, sources=sources, say=mask_text
    )
