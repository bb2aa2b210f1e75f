"""The folder of an agreement: ``agreement.html`` to read, and all of it as files.

``agreement.json`` (figures and origin), ``pairs.csv`` (both values of every face), ``left-out.csv``
(images that no figure is of), ``tables/*.csv``, ``figures/*.svg`` and ``.png``. The page carries
its pictures with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from aufer.agreeing import text as words
from aufer.agreeing.tables import make_tables
from aufer.files import (
    check_folder_replaceable,
    hash_files,
    replacing_folder,
    to_json,
    write_text,
)
from aufer.pages import page_environment
from aufer.tables import Table, write_csv, write_tables

SCHEMA = "aufer/agreement/1"
HTML_NAME = "agreement.html"
FACTS_NAME = "agreement.json"
PAIRS_NAME = "pairs.csv"
LEFT_OUT_NAME = "left-out.csv"

_LONGEST_NAME = 80


def check_agreement_folder(folder: Path, *, force: bool) -> None:
    """Raise unless a new agreement may take this folder's place."""
    check_folder_replaceable(folder, "agreement", FACTS_NAME, SCHEMA, force=force)


def agreement_folder(reports: Path, a: Path, b: Path) -> Path:
    """Where an agreement goes unless told: named after the two tables, or after their folders
    where the tables are called the same."""
    names = [path.resolve().stem for path in (a, b)]
    if names[0] == names[1]:
        names = [path.resolve().parent.name for path in (a, b)]
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in "-".join(names))
    return reports / f"agreement-{plain[:_LONGEST_NAME]}"


def write_agreement(
    folder: Path,
    facts: dict[str, Any],
    pairs: pd.DataFrame,
    left_out: pd.DataFrame,
    *,
    force: bool = False,
) -> Path:
    """Write an agreement; the folder appears complete or not at all.

    Args:
        folder: replaced if it is an older agreement of ours, refused if it is anything else.
        facts, pairs, left_out: of `agreement.Agreement`.

    Returns:
        the path of the page.
    """
    check_agreement_folder(folder, force=force)
    tables = make_tables(facts)
    with replacing_folder(folder) as temporary:
        sources = _write_figures(temporary / "figures", facts, pairs)
        write_tables(temporary / "tables", tables.values())
        write_csv(pairs, temporary / PAIRS_NAME)
        write_csv(left_out, temporary / LEFT_OUT_NAME)
        write_text(temporary / HTML_NAME, render(facts, tables, sources))
        full = {**facts, "files": hash_files(temporary, FACTS_NAME)}
        write_text(temporary / FACTS_NAME, to_json(full))
    return folder / HTML_NAME


def _write_figures(folder: Path, facts: dict[str, Any], pairs: pd.DataFrame) -> dict[str, str]:
    """Write each figure as SVG and PNG; give what an ``<img src>`` needs, by its name."""
    from aufer.agreeing.plots import draw_agreement, draw_bland_altman, draw_scatter
    from aufer.plots import write_figure

    a, b = (
        pairs[[f"{row['au']}_{side}" for row in facts["aus"]]].to_numpy(dtype=float)
        for side in ("a", "b")
    )
    figures = {
        "agreement": draw_agreement(facts),
        "bland-altman": draw_bland_altman(facts, a, b),
        "scatter": draw_scatter(facts, a, b),
    }
    return {name: write_figure(figure, folder, name) for name, figure in figures.items()}


def render(facts: dict[str, Any], tables: dict[str, Table], sources: dict[str, str]) -> str:
    """The page as HTML.

    Args:
        sources: of the figures, by name.
    """
    environment = page_environment()
    return environment.get_template("agreement.html").render(
        facts=facts, tables=tables, sources=sources, say=words
    )
