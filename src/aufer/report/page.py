"""The report folder: ``report.html`` to read, and all that is on it as files.

``report.json`` (every number), ``predictions.csv`` (every answer), ``tables/*.csv``,
``figures/*.svg`` and ``.png``, ``methods.txt`` and ``references.bib``. The page carries its
pictures with it; only its links lead to the other files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from aufer.action_units import AU_NAMES
from aufer.errors import DataError
from aufer.files import (
    check_folder_replaceable,
    hash_files,
    read_json,
    replacing_folder,
    to_json,
    write_text,
)
from aufer.metrics import percent
from aufer.model import Model
from aufer.pages import page_environment, unbroken
from aufer.report.facts import shown_figures
from aufer.report.figures import Picture, make_pictures, mistake_pictures, scale_of
from aufer.report.methods import write_methods
from aufer.report.tables import make_tables, protocol_title
from aufer.report.text import (
    TESTSET,
    ask,
    compare_with_baselines,
    describe_test_data,
    describe_training_data,
    leading_interval,
    name_test,
    persons_unknown,
    reads_pictures,
    summarise,
)
from aufer.tables import write_csv, write_tables

SCHEMA = "aufer/report/1"
HTML_NAME = "report.html"
FACTS_NAME = "report.json"
PREDICTIONS_NAME = "predictions.csv"
METHODS_NAME = "methods.txt"
REFERENCES_NAME = "references.bib"


def write_report(
    folder: Path, facts: dict[str, Any], predictions: pd.DataFrame, *, force: bool = False
) -> Path:
    """Write the report of one evaluation; the folder appears complete or not at all.

    Args:
        folder: replaced if it is an older report of ours, refused if it is anything else.
        facts, predictions: of `evaluate.Evaluation`.

    Returns:
        the path of ``report.html``.
    """
    check_report_folder(folder, force=force)
    with replacing_folder(folder) as temporary:
        sources = _write_pictures(temporary / "figures", facts)
        write_tables(temporary / "tables", make_tables(facts, predictions).values())
        write_csv(predictions, temporary / PREDICTIONS_NAME)
        methods = write_methods(facts)
        write_text(temporary / METHODS_NAME, methods.text())
        write_text(temporary / REFERENCES_NAME, methods.bibtex)
        write_text(temporary / HTML_NAME, render(facts, predictions, sources))
        full = {**facts, "files": hash_files(temporary, FACTS_NAME)}
        write_text(temporary / FACTS_NAME, to_json(full))
    return folder / HTML_NAME


def _write_pictures(folder: Path, facts: dict[str, Any]) -> dict[str, str]:
    """Write each picture as SVG and PNG; give what an ``<img src>`` needs, by the picture's name.

    The pictures of single mistakes are on the page alone: their numbers are in a table.
    """
    from aufer.plots import as_data_uri, as_svg, write_figure

    sources = {
        picture.name: write_figure(picture.draw(), folder, picture.name)
        for picture in make_pictures(facts).values()
    }
    for picture in mistake_pictures(facts):
        sources[picture.name] = as_data_uri(as_svg(picture.draw()))
    return sources


def check_report_folder(folder: Path, *, force: bool) -> None:
    """Raise unless a new report may take this folder's place (`files.check_folder_replaceable`)."""
    check_folder_replaceable(folder, "report", FACTS_NAME, SCHEMA, force=force)


def report_folder(reports: Path, model: Model, testset: Path | None) -> Path:
    """Where the report of a model on a test set goes: that of the same two before, or a new one.

    Args:
        testset: None: the model's own held-out faces.
    """
    model_path = model.path.resolve()
    model_name = model_path.stem if model_path.is_file() else model_path.name
    if testset is None:
        testset_path, first = None, reports / f"{model_name}-held-out"
    else:
        testset_path = testset.resolve()
        name = testset_path.stem if testset_path.is_file() else testset_path.name
        first = reports / f"{model_name}-on-{name}"
    folder, number = first, 1
    while (folder / FACTS_NAME).is_file():
        try:
            facts = read_json(folder / FACTS_NAME)
            of_testset = None
            if facts.get("tested_on", TESTSET) == TESTSET:
                of_testset = Path(facts["testset"]["source"]).resolve()
            if (Path(facts["model"]["path"]).resolve(), of_testset) == (model_path, testset_path):
                break
        except (DataError, KeyError, TypeError):  # damaged, or somebody else's: leave it
            pass
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return folder


def render(facts: dict[str, Any], predictions: pd.DataFrame, sources: dict[str, str]) -> str:
    """The page as HTML.

    Args:
        sources: of the pictures, by name.
    """
    shown = shown_figures(facts)
    pictures: dict[str, Picture] = make_pictures(facts)
    mistakes = mistake_pictures(facts)
    environment = page_environment()
    environment.filters["percent"] = lambda share: unbroken(percent(share))
    environment.filters["number"] = lambda v: "–" if v is None else f"{v:.3f}"
    return environment.get_template("report.html").render(
        facts=facts,
        shown=shown,
        shown_is_unseen=shown is not facts["figures"]["all"],
        tables=make_tables(facts, predictions),
        pictures=pictures,
        sources=sources,
        mistakes=list(zip(facts["mistakes"], mistakes, strict=True)) if mistakes else [],
        reads_pictures=reads_pictures(facts),
        methods=write_methods(facts),
        protocol_title=protocol_title,
        au_names=AU_NAMES,
        scale=scale_of(facts),
        brier_of_guessing=1 - 1 / len(facts["emotions"]),
        is_testset=facts["tested_on"] == TESTSET,
        text={
            "tested_on": name_test(facts),
            "asked": ask(facts),
            "answer": unbroken(summarise(facts)),
            "interval": leading_interval(shown),
            "comparison": unbroken(compare_with_baselines(facts)),
            "persons_unknown": persons_unknown(facts),
            "training_data": describe_training_data(facts),
            "test_data": describe_test_data(facts),
        },
    )
