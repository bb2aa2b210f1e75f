"""The folder of a model's explanation as a whole: ``explain-model.html``, and all of it as files.

``explain-model.json`` (figures and origin), ``tables/*.csv``, ``figures/*.svg`` and ``.png``. The
page carries its pictures with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aufer.explaining import whole_text
from aufer.explaining.whole_model import SCHEMA
from aufer.explaining.whole_tables import make_tables
from aufer.files import (
    check_folder_replaceable,
    hash_files,
    replacing_folder,
    to_json,
    write_text,
)
from aufer.pages import page_environment
from aufer.tables import write_tables

HTML_NAME = "explain-model.html"
FACTS_NAME = "explain-model.json"


def check_whole_folder(folder: Path, *, force: bool) -> None:
    """Raise unless a new explanation may take this folder's place (`files`)."""
    check_folder_replaceable(folder, "model's explanation", FACTS_NAME, SCHEMA, force=force)


def write_whole(folder: Path, facts: dict[str, Any], *, force: bool = False) -> Path:
    """Write a model's explanation; the folder appears complete or not at all.

    Args:
        folder: replaced if it is an older one of ours, refused if it is anything else.
        facts: of `whole_model.explain_whole`.

    Returns:
        the path of the page.
    """
    check_whole_folder(folder, force=force)
    tables = make_tables(facts)
    with replacing_folder(folder) as temporary:
        sources = _write_pictures(temporary / "figures", facts)
        if tables:
            write_tables(temporary / "tables", tables.values())
        environment = page_environment()
        page = environment.get_template("explain-model.html").render(
            facts=facts, tables=tables, sources=sources, say=whole_text
        )
        write_text(temporary / HTML_NAME, page)
        full = {**facts, "files": hash_files(temporary, FACTS_NAME)}
        write_text(temporary / FACTS_NAME, to_json(full))
    return folder / HTML_NAME


def _write_pictures(folder: Path, facts: dict[str, Any]) -> dict[str, str]:
    """Write each picture as SVG and PNG; give what an ``<img src>`` needs, by its name."""
    from aufer.explaining.whole_plots import draw_coefficients, draw_importance, draw_profile
    from aufer.plots import write_figure

    pictures = {
        "importance": draw_importance,
        "coefficients": draw_coefficients,
        "profile": draw_profile,
    }
    return {
        name: write_figure(draw(facts), folder, name)
        for name, draw in pictures.items()
        if facts[name]
    }
