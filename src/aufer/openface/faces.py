"""Faces from whatever holds them: images, OpenFace's files, an AU table, AU rows -> an AU table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import OK, AuTable, complete, is_au_table, read_au_table
from aufer.csv_table import (
    check_confidence,
    check_intensities,
    check_not_video,
    read_csv,
    to_numbers,
)
from aufer.dataset import (
    LABEL_COLUMN,
    is_dataset,
    read_dataset,
    read_row_texts,
    sidecar_paths,
)
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.groups import GROUP_COLUMN, NAMED, NONE, Grouping, GroupRule, match_names
from aufer.images import Image, find_images, is_image, walk_files
from aufer.openface.imported import IMPORTED, read_openface_folder
from aufer.openface.measuring.plan import Plan
from aufer.openface.output import DETAILS_SUFFIX, choose_faces, read_face_csvs
from aufer.openface.pictures import add_pictures, paths_of, read_pictures
from aufer.progress import Progress, no_progress

if TYPE_CHECKING:
    from aufer.openface.engine import Engine

log = logging.getLogger("aufer")

AU_TABLE, OPENFACE_CSV, DATASET, AU_ROWS = "AU table", "OpenFace CSV", "dataset", "AU rows"
"""What a CSV of faces can be."""

EngineMaker = Callable[[], "Engine"]
"""Makes the engine only when there are images to measure."""


def read_faces(
    source: Path,
    emotions: Emotions,
    *,
    engine: EngineMaker | None = None,
    plan: Plan | None = None,
    labelled: bool = True,
    labels: Path | None = None,
    keep_in: Path | None = None,
    groups: GroupRule | None = None,
    images: Path | None = None,
    pictures_only: bool = False,
    progress: Progress = no_progress,
) -> AuTable:
    """Read faces from a path.

    Args:
        source: a folder of images (one folder per emotion, or flat names), an image, a folder of
            OpenFace's files, one of its CSVs, an AU table, a dataset, or any CSV of AU rows.
        emotions: the emotions that labels may name.
        engine: makes the engine that measures images; None refuses images.
        plan: how images are measured; its ``faces`` is for OpenFace's files too.
        labelled: whether every face must have an emotion.
        labels: CSV with the emotion of each image, for a folder of images.
        keep_in: the folder whose store knows what was measured before, and gets what is measured
            now; without one nothing is kept.
        groups: a column or a pattern that says who is who; other rules, and None, leave the groups
            that the source itself tells.
        images: the folder of the pictures that OpenFace's files were made of; gives their hashes
            and paths.
        pictures_only: of images nothing is measured; for models that read the pictures themselves.

    Raises:
        UsageError: the path doesn't exist. DataError: it holds nothing usable, or a face has no
        group. EnvironmentFailure: images have to be measured and the engine can't.
    """
    if pictures_only:
        engine = None
    plan = plan or Plan()
    table = _read(
        source, emotions, labelled, labels, progress, engine, plan, keep_in, pictures_only
    )
    if images is not None:
        table = add_pictures(table, images, progress)
    return _with_groups(table, groups or GroupRule(), source)


def _read(
    source: Path,
    emotions: Emotions,
    labelled: bool,
    labels: Path | None,
    progress: Progress,
    engine: EngineMaker | None,
    plan: Plan,
    keep_in: Path | None,
    pictures_only: bool,
) -> AuTable:
    faces = plan.faces
    if not source.exists():
        raise UsageError(f"There is no {source}.", hint="check the path, relative to this folder")
    if source.is_file() and not is_image(source):
        return _read_csv_of_faces(source, emotions, faces=faces, labelled=labelled)
    if_empty = engine is None and not pictures_only
    if source.is_dir() and labels is None and holds_openface_files(source, if_empty):
        return read_openface_folder(source, emotions, faces=faces, labelled=labelled)
    if engine is None and not pictures_only:
        raise DataError(
            f"{source} holds images; their AUs have to be measured first.",
            hint=f"aufer extract {source}",
        )
    if source.is_file():
        images = [Image(source, source.name)]
    else:
        images = find_images(source, emotions, labels=labels, labelled=labelled)
    if engine is None:
        return read_pictures(images, source, progress)
    with closing(engine()) as opened:
        table = _measure(images, opened, plan, keep_in, progress)
    return replace(table, paths=paths_of(images))


def _with_groups(table: AuTable, rule: GroupRule, source: Path) -> AuTable:
    """The groups of a column of the source or of the sidecar with a dataset's rows, or of a pattern
    in the names; without such a rule those that were read."""
    if rule.kind != NAMED:
        if table.grouping.kind == NONE:
            groups = table.frame["group"].tolist()
            return replace(table, grouping=Grouping.by_column(groups))
        return table
    is_csv = source.is_file() and not is_image(source)
    found = read_row_texts(source, rule.text) if is_csv else None
    if found is not None and len(found) == len(table):
        groups, grouping = found, Grouping.by_column(found, rule.text)
    else:
        groups, grouping = match_names(rule.text, table.frame["image"].tolist(), str(source))
    return replace(table, frame=table.frame.assign(group=groups), grouping=grouping)


def _measure(
    images: Sequence[Image], engine: Engine, plan: Plan, keep_in: Path | None, progress: Progress
) -> AuTable:
    from aufer.openface.measure import measure, store_of
    from aufer.openface.scratch import scratch_folder
    from aufer.openface.store import open_store

    if keep_in is None:
        return measure(images, engine, plan, progress=progress)
    engine.check()
    try:
        store = open_store(store_of(keep_in), fresh=plan.fresh)
    except AuferError as error:  # another aufer has it open, it is damaged, we may not write
        log.warning("nothing is kept of what is measured: %s", error.message)
        return measure(images, engine, plan, progress=progress)
    with store, scratch_folder(keep_in) as scratch:
        return measure(images, engine, plan, store=store, scratch=scratch, progress=progress)


def holds_openface_files(folder: Path, if_empty: bool) -> bool:
    """Whether OpenFace wrote into this folder: any details file, or CSVs and no image.

    Args:
        if_empty: the answer where there is neither.
    """
    csv = image = False
    for name, path in walk_files(folder):
        if name.endswith(DETAILS_SUFFIX):
            return True
        csv = csv or name.lower().endswith(".csv")
        image = image or is_image(path)
    return not image and (csv or if_empty)


def _read_csv_of_faces(path: Path, emotions: Emotions, *, faces: str, labelled: bool) -> AuTable:
    frame = read_csv(path)
    kind = kind_of_csv(list(frame.columns), path, labelled=labelled)
    if kind == AU_TABLE:
        table = read_au_table(path, emotions if labelled else None)
        if labelled and (table.frame["emotion"] == "").any():
            raise DataError(
                f"Not every row of {path} has an emotion.",
                hint="measure the images with labels: aufer extract IMAGES --labels labels.csv",
            )
        return table
    if kind == OPENFACE_CSV:
        if labelled:
            raise DataError(
                f"{path} is one CSV of OpenFace's, without an emotion.",
                hint="name the folder that has one folder per emotion",
            )
        return _read_one_openface_csv(path, faces)
    if kind == DATASET:
        return _from_dataset(path, emotions, labelled=labelled)
    return AuTable(complete(au_rows(frame, path)))


def kind_of_csv(columns: Sequence[str], path: Path, *, labelled: bool) -> str:
    """What a CSV with these (clean) column names holds: `AU_TABLE`, `OPENFACE_CSV`, …

    Args:
        path: the file; a dataset that needs no labels is one only with its sidecar.

    Raises:
        DataError: a video's AUs, or no AU rows.
    """
    check_not_video(columns, str(path))
    if is_au_table(columns):
        return AU_TABLE
    if {"face", "confidence"} <= set(columns) and LABEL_COLUMN not in columns:
        return OPENFACE_CSV
    if labelled or (is_dataset(list(columns)) and sidecar_paths(path)["facts"].exists()):
        return DATASET
    missing = [name for name in INTENSITY_COLUMNS if name not in columns]
    if missing:
        raise DataError(
            f"{path} has no AU rows: it lacks the column {', '.join(missing[:4])}"
            f"{' and more' if len(missing) > 4 else ''}.",
            hint="the 17 columns AU01_r … AU45_r are needed, by name, in any order",
        )
    return AU_ROWS


def _read_one_openface_csv(path: Path, faces: str) -> AuTable:
    read = read_face_csvs([path])
    if read.problems:
        raise DataError(
            f"{path} {read.problems[0]}.",
            hint="OpenFace's FaceLandmarkImg -aus writes what is needed here",
        )
    row = choose_faces(read, faces).reset_index(drop=True)
    row["image"], row["status"] = path.name, OK
    return AuTable(complete(row), IMPORTED)


def au_rows(frame: pd.DataFrame, path: Path, *, is_part: bool = False) -> pd.DataFrame:
    """AU rows of any origin as rows of an AU table: checked, not yet `au_table.complete`.

    Rows are named by their number in the file unless there is a column image.

    Args:
        frame: from `csv_table.read_csv`. path: the file, for messages.
        is_part: the file has more rows than these.

    Raises:
        DataError: there is none, or a value can't be.
    """
    if frame.empty:
        raise DataError(f"{path} has a header but no row.")
    numbers = to_numbers(frame, INTENSITY_COLUMNS, str(path))
    check_intensities(numbers, str(path), is_part=is_part)
    if "image" in frame:
        numbers["image"] = frame["image"].fillna("").astype(str)
    else:
        numbers["image"] = [str(number + 1) for number in frame.index]
    numbers["status"] = OK
    if GROUP_COLUMN in frame:
        numbers[GROUP_COLUMN] = frame[GROUP_COLUMN]
    if "confidence" in frame:
        numbers["confidence"] = to_numbers(frame, ["confidence"], str(path))["confidence"]
        check_confidence(numbers, str(path))
    return numbers


def _from_dataset(path: Path, emotions: Emotions, *, labelled: bool) -> AuTable:
    dataset = read_dataset(path, emotions if labelled else None)
    frame = pd.concat([dataset.rows, dataset.aus.reset_index(drop=True)], axis=1)
    names = frame["image"].to_numpy(dtype=object)
    numbered = np.array([f"row {number}" for number in range(1, len(frame) + 1)], dtype=object)
    frame["image"] = np.where(names == "", numbered, names)
    frame["status"] = OK
    sources = frame["source"].to_numpy(dtype=object)
    return AuTable(
        complete(frame),
        dataset.extractor,
        notes=tuple(note for note in dataset.notes if note != dataset.grouping.limits),
        grouping=dataset.grouping,
        normalization=dataset.normalization,
        sources=sources if (sources != "").all() else None,
    )
