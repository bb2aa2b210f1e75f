"""Looking a dataset over: what a person should see before trusting it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.au_table import DEFAULT_MIN_CONFIDENCE, AuTable
from aufer.check_page import render_check, title_of
from aufer.classifiers.label_outliers import JUDGES, N_FOLDS, find_label_outliers
from aufer.csv_table import csv_writer
from aufer.dataset import Dataset
from aufer.errors import DataError
from aufer.files import check_replaceable, write_with_sidecar
from aufer.findings import (
    KINDS,
    Finding,
    describe_columns,
    find_conflicts,
    find_imbalance,
    find_misplaced,
    find_outliers,
    find_turned_heads,
    find_unsure,
    find_weak_columns,
    find_weaknesses_of_groups,
    tabulate,
)
from aufer.progress import Progress, no_progress
from aufer.provenance import made_by

SCHEMA = "aufer/data-check/1"

_LONGEST = 80
_TITLE_WIDTH = max(len(title_of(what)) for what in KINDS)


@dataclass(frozen=True)
class DataCheck:
    """What was found.

    Attributes:
        findings: by kind (`findings.KINDS`), the gravest of each first.
        unchecked: what could not be looked at, and why, in sentences.
        columns: the AUs one by one (`findings.describe_columns`).
    """

    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    columns: list[dict[str, Any]]

    def counts(self) -> dict[str, int]:
        """Number of findings of each kind, zeros included."""
        return {what: sum(each.what == what for each in self.findings) for what in KINDS}

    def lines(self) -> list[str]:
        """What was found for a terminal: a line per kind, with its first finding."""
        found = []
        for what, n in self.counts().items():
            if n:
                first = next(each for each in self.findings if each.what == what)
                place = f"{first.image}: " if len(first.images) == 1 else ""
                text = place + first.detail
                cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
                found.append(f"{n:>7}  {title_of(what):<{_TITLE_WIDTH}}  {cut}")
        found += [f"not checked: {text}" for text in self.unchecked]
        return found or ["nothing was found that asks for a second look"]


def check_paths(dataset: Path) -> dict[str, Path]:
    """Where the files of a check lie, beside the dataset: table, page, facts."""
    stem = dataset.stem
    return {
        "table": dataset.with_name(f"{stem}.check.csv"),
        "page": dataset.with_name(f"{stem}.check.html"),
        "facts": dataset.with_name(f"{stem}.check.json"),
    }


def check_check_replaceable(dataset: Path, *, force: bool) -> None:
    """Raise `AuferError` when a person edited one of the files that a check would replace."""
    paths = check_paths(dataset)
    outputs = {paths["table"]: paths["facts"], paths["page"]: paths["facts"]}
    check_replaceable(outputs, force=force, schema=SCHEMA)


def check_data(
    dataset: Dataset,
    table: AuTable,
    rows: np.ndarray,
    *,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    seed: int = 0,
    progress: Progress = no_progress,
) -> DataCheck:
    """Look for what may be wrong in a dataset; it isn't changed.

    Args:
        dataset: as `build_dataset` made it. table: the AU table that it was made of.
        rows: int [len(table)], each image's data row in the dataset, from 1 on; 0: not in it.
        min_confidence: that the dataset was made with. seed: of the folds and the models.
        progress: told of the fits of the models that read the labels.
    """
    unchecked = []
    findings = find_conflicts(table, rows, dataset.emotions.names, min_confidence)
    if not (table.frame["phash"] != "").any():
        unchecked.append(
            "near copies under different emotions: the pictures are not known (--images FOLDER)"
        )
    images = dataset.rows["image"].tolist()
    findings += find_misplaced(dataset, images)
    try:
        with progress(N_FOLDS * len(JUDGES), "labels", "fit") as step:
            outliers = find_label_outliers(dataset, seed, lambda *fit: step(1))
    except DataError as error:
        unchecked.append(f"labels that models doubt: {error.message}")
    else:
        findings += find_outliers(dataset, images, outliers.suggested, outliers.probability)
    if table.frame["pose_Ry"].isna().all():
        unchecked.append("turned heads: the sources don't tell the heads' pose")
    findings += find_turned_heads(table, rows)
    columns = describe_columns(dataset)
    findings += find_weak_columns(columns, len(dataset))
    findings += find_imbalance(dataset)
    findings += find_weaknesses_of_groups(dataset)
    if table.frame["confidence"].isna().all():
        unchecked.append("unsure faces: the sources don't tell the confidence of the measuring")
    findings += find_unsure(table, dataset.emotions.names, min_confidence)
    return DataCheck(tuple(findings), tuple(unchecked), columns)


def write_check(
    check: DataCheck, dataset: Dataset, pictures: Path | None, *, force: bool = False
) -> Path:
    """Write ``emotion.check.csv``, ``.html`` and ``.json`` (hashes, counts) beside the dataset.

    Args:
        pictures: the folder that the images' names are relative to; None: there are no pictures.

    Returns:
        the page's path.

    Raises:
        AuferError: one of them was edited by a person.
    """
    assert dataset.path is not None, "a dataset that was built has a path"
    check_check_replaceable(dataset.path, force=force)
    paths = check_paths(dataset.path)
    page = render_check(
        check.findings,
        check.unchecked,
        check.columns,
        dataset=str(dataset.path),
        n_faces=len(dataset),
        all_of_them=paths["table"].name,
        pictures=None if pictures is None else pictures.joinpath,
    )
    write_with_sidecar(
        {
            paths["table"]: csv_writer(tabulate(check.findings)),
            paths["page"]: lambda path: path.write_bytes(page.encode()),
        },
        paths["facts"],
        {
            "schema": SCHEMA,
            **made_by(),
            "dataset": dataset.path.name,
            "dataset_sha256": dataset.sha256,
            "n_rows": len(dataset),
            "counts": check.counts(),
            "unchecked": list(check.unchecked),
        },
    )
    return paths["page"]
