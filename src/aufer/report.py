"""The report folder: ``report.html`` (self-contained), ``report.json``, ``predictions.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import AU_NAMES, INTENSITY_COLUMNS
from aufer.errors import DataError
from aufer.files import (
    check_folder_replaceable,
    hash_files,
    read_json,
    replacing_folder,
    to_json,
)
from aufer.metrics import percent, with_interval
from aufer.model import Model
from aufer.pages import page_environment

SCHEMA = "aufer/report/1"
HTML_NAME = "report.html"
FACTS_NAME = "report.json"
PREDICTIONS_NAME = "predictions.csv"
N_MISTAKES = 12
N_LISTED = 200
"""So many images are listed on the page; all of them are in predictions.csv."""


def write_report(
    folder: Path,
    facts: dict[str, Any],
    predictions: pd.DataFrame,
    intensities: np.ndarray,
    *,
    force: bool = False,
) -> Path:
    """Write the report of one evaluation; the folder appears complete or not at all.

    Args:
        folder: replaced if it is an older report of ours, refused if it is anything else.
        facts: content of ``report.json``. predictions: one row per test image.
        intensities: [n, 17] of the same rows, for the AU profiles.

    Returns:
        the path of ``report.html``.
    """
    check_report_folder(folder, force=force)
    page = render(facts, predictions, intensities)
    with replacing_folder(folder) as temporary:
        (temporary / HTML_NAME).write_text(page, encoding="utf-8", newline="\n")
        predictions.to_csv(
            temporary / PREDICTIONS_NAME, index=False, float_format="%.6g", lineterminator="\n"
        )
        full = {**facts, "files": hash_files(temporary, FACTS_NAME)}
        (temporary / FACTS_NAME).write_text(to_json(full), encoding="utf-8", newline="\n")
    return folder / HTML_NAME


def check_report_folder(folder: Path, *, force: bool) -> None:
    """Raise unless a new report may take this folder's place (`files.check_folder_replaceable`)."""
    check_folder_replaceable(folder, "report", FACTS_NAME, SCHEMA, force=force)


def report_folder(reports: Path, model: Model, testset: Path) -> Path:
    """Where the report of a model on a test set goes: that of the same two before, or a new one."""
    model_path, testset_path = model.path.resolve(), testset.resolve()
    model_name = model_path.stem if model_path.is_file() else model_path.name
    testset_name = testset_path.stem if testset_path.is_file() else testset_path.name
    first = reports / f"{model_name}-on-{testset_name}"
    folder, number = first, 1
    while (folder / FACTS_NAME).is_file():
        try:
            facts = read_json(folder / FACTS_NAME)
            of_model = Path(facts["model"]["path"]).resolve()
            of_testset = Path(facts["testset"]["source"]).resolve()
            if (of_model, of_testset) == (model_path, testset_path):
                break
        except (DataError, KeyError, TypeError):  # damaged, or somebody else's: leave it
            pass
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return folder


def shown_figures(facts: dict[str, Any]) -> dict[str, Any]:
    """The figures to lead with: of the faces that the model did not see in training, if any."""
    figures = facts["figures"]
    unseen = figures.get("unseen")
    leading: dict[str, Any] = unseen if unseen and unseen["n_answered"] else figures["all"]
    return leading


def render(facts: dict[str, Any], predictions: pd.DataFrame, intensities: np.ndarray) -> str:
    """The page as HTML; every picture is inside."""
    from aufer.plots import as_data_uri, as_svg, draw_au_profile, draw_confusion, draw_recall

    names = facts["emotions"]
    shown = shown_figures(facts)
    answered = predictions["predicted"].to_numpy() != ""
    pictures = {
        "confusion": draw_confusion(shown["confusion"], names),
        "recall": draw_recall(shown["per_emotion"]),
        "aus": draw_au_profile(
            intensities[answered], predictions["emotion"].to_numpy()[answered], names
        ),
    }
    environment = page_environment()
    environment.filters["percent"] = percent
    environment.filters["interval"] = with_interval
    environment.filters["number"] = lambda v: "–" if v is None else f"{v:.3f}"
    unanswered = predictions[~answered]
    return environment.get_template("report.html").render(
        facts=facts,
        shown=shown,
        shown_is_unseen=shown is not facts["figures"]["all"],
        names=names,
        pictures={name: as_data_uri(as_svg(figure)) for name, figure in pictures.items()},
        mistakes=_worst_mistakes(predictions, intensities, names),
        unanswered=unanswered.head(N_LISTED).to_dict("records"),
        n_unanswered=len(unanswered),
        n_listed=N_LISTED,
        au_names=AU_NAMES,
        sentence=summarise(facts),
    )


def _worst_mistakes(
    predictions: pd.DataFrame, intensities: np.ndarray, names: list[str]
) -> list[dict[str, Any]]:
    """The most confident wrong answers, with the three strongest AUs of each face."""
    wrong = np.flatnonzero((predictions["correct"] == False).fillna(False))  # noqa: E712
    certainty = predictions[names].to_numpy()[wrong].max(axis=1) if len(wrong) else []
    order = wrong[np.argsort(-np.asarray(certainty), kind="stable")][:N_MISTAKES]
    mistakes = []
    for row in order:
        strongest = np.argsort(-intensities[row], kind="stable")[:3]
        record = predictions.iloc[row]
        mistakes.append(
            {
                "image": record["image"],
                "emotion": record["emotion"],
                "predicted": record["predicted"],
                "probability": float(record[record["predicted"]]),
                "aus": ", ".join(
                    f"{(au := INTENSITY_COLUMNS[i].removesuffix('_r'))} {AU_NAMES[au]} "
                    f"{intensities[row, i]:.2f}"
                    for i in strongest
                    if intensities[row, i] > 0
                )
                or "all AUs are 0",
            }
        )
    return mistakes


def summarise(facts: dict[str, Any]) -> str:
    """The result in one or two plain sentences."""
    figures = facts["figures"]["all"]
    text = (
        f"{facts['model']['name']} read {with_interval(figures['accuracy'])} of the answered faces "
        f"correctly; it could answer {percent(figures['coverage']['value'])} of the "
        f"{figures['n_images']} images."
    )
    n_seen = facts["seen_in_training"]["n"]
    if not n_seen:
        return text
    shown = shown_figures(facts)
    if shown is figures:
        return f"{text} All of them were training faces too: this says nothing about new faces."
    return (
        f"{text} Of the test images {n_seen} were training images too; without them it is "
        f"{with_interval(shown['accuracy'])}."
    )
