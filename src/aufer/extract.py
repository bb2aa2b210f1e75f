"""The verb ``extract``: folders of face photos -> AU table, measured by OpenFace."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aufer.au_table import SCHEMA, AuTable, read_au_table, write_au_table
from aufer.csv_table import csv_writer
from aufer.emotions import Emotions
from aufer.errors import AuferError, UsageError
from aufer.extraction_report import (
    extraction_folder_of,
    read_command,
    read_slowest,
    write_extraction_report,
)
from aufer.extraction_summary import ExtractionSummary, summarize
from aufer.files import check_replaceable, check_table_name, write_with_sidecar
from aufer.images import Image, check_path, find_images, is_image, printable, walk_files
from aufer.openface.keeping import (
    add_files,
    check_openface_folder,
    list_files,
    openface_folder_of,
    put_in_place,
    remove_others,
)
from aufer.openface.measure import key_of, measure, store_of
from aufer.openface.measuring.call_log import CallLog
from aufer.openface.measuring.plan import Plan
from aufer.openface.scratch import scratch_folder
from aufer.openface.store import Store, open_store
from aufer.openface.table import read_landmarks
from aufer.progress import Progress, no_progress
from aufer.provenance import made_by

if TYPE_CHECKING:
    import pandas as pd

    from aufer.openface.engine import Engine

log = logging.getLogger("aufer")

LANDMARKS_SCHEMA = "aufer/landmarks/1"

LONGEST_NAME = 200
"""Bytes of a table's file name: most systems allow 255, and temporary names are longer."""

N_SLOWEST = 50

CALLS_NAME = "engine-calls.jsonl"

KEEPABLE = ("annotated", "landmarks")
"""What ``--keep`` can keep besides OpenFace's CSVs: annotated pictures, a table of landmarks."""


def extract(
    images_folder: Path,
    out: Path = Path("data/aus.csv"),
    *,
    engine: Engine,
    plan: Plan | None = None,
    emotions: Emotions | None = None,
    labels: Path | None = None,
    labelled: bool = True,
    keep: Collection[str] = (),
    keep_openface_files: bool = True,
    force: bool = False,
    command: str = "aufer extract",
    progress: Progress = no_progress,
) -> AuTable:
    """Measure the AUs of all images of a folder and write them as an AU table.

    What was measured before, for any table in the folder of ``out``, is not measured again
    (``.aufer/measured.sqlite`` there), and what was measured until a failure is kept too.

    Args:
        images_folder: one folder per emotion, or flat names such as ``angry001.jpg``.
        out: the table; beside it are written its sidecar (``aus.json``), OpenFace's own files and
            a report (see `aufer.extraction_report`).
        engine: see `aufer.openface.engines.make_engine`.
        plan: how pictures are measured.
        emotions: the emotions that labels may name; the usual six by default.
        labels: CSV with the columns image, emotion and (optionally) group, instead of folders.
        labelled: False for a folder of faces without labels.
        keep: ``annotated`` keeps OpenFace's pictures with the landmarks drawn in, ``landmarks``
            writes the 68 points of each face taken to ``<out>.landmarks.csv``.
        keep_openface_files: OpenFace's own files are kept beside the table, in ``openface`` for a
            table ``aus.csv`` and in ``<name>.openface`` for any other.
        force: replace files that a person edited or made.
        command: what was typed, for hints.

    Returns:
        the table: one row per image, whatever became of it.

    Raises:
        UsageError: no such folder. DataError: no image, or labels that don't fit.
        EnvironmentFailure: the engine can't be used, or another aufer measures into this folder.
        AuferError: an output is to be kept, a folder can't be read, the disk is full. The table
            that was there before is then as it was.
    """
    emotions = emotions or Emotions()
    plan = replace(plan or Plan(), annotated="annotated" in keep)
    _check_choices(keep, out)
    images = find_images(images_folder, emotions, labels=labels, labelled=labelled)
    outputs = _Outputs(out, landmarks="landmarks" in keep, openface=keep_openface_files)
    outputs.check(force=force, command=command)
    check_writable(out.parent)
    engine.check()
    engine.prepare(progress)
    _warn_of_gaps(images, emotions, images_folder, labelled=labelled, by_folder=labels is None)
    with (
        open_store(store_of(out.parent), fresh=plan.fresh) as store,
        scratch_folder(out.parent) as scratch,
    ):
        _remove_cut_off(outputs.report_folder)
        calls = CallLog(outputs.report_folder / CALLS_NAME)
        try:
            measured = measure(
                images, engine, plan, store=store, scratch=scratch, calls=calls, progress=progress
            )
        except KeyboardInterrupt:
            log.warning("what was measured so far is kept: the same command goes on from there")
            raise
        table = replace(measured, images_folder=printable(images_folder.as_posix()))
        key = key_of(measured.extractor)
        kept = list_files(table.frame, key) if outputs.openface_folder else []
        is_annotated = plan.annotated
        if outputs.openface_folder:
            add_files(outputs.openface_folder, kept, store, key, scratch, annotated=is_annotated)
        finished = outputs.write(table, store, key, scratch)
        outputs.check(force=force, command=command)  # measuring may have taken hours
        put_in_place(finished)
        if outputs.openface_folder:
            remove_others(outputs.openface_folder, kept, scratch, annotated=is_annotated)
        paths = {image.name: image.path for image in images}
        write_extraction_report(
            summarize(table, seconds=_slowest(table, store, key)),
            table,
            outputs.report_folder,
            paths.__getitem__,
            {"command": command},
            force=force,
        )
    return table


def _slowest(table: AuTable, store: Store, key: str) -> dict[str, float]:
    """The slowest pictures of a table; the store may know slower ones of other tables."""
    ours = set(table.frame["sha256"])
    n = N_SLOWEST
    while True:
        listed = store.slowest(key, n)
        found = [(sha256, seconds) for sha256, seconds in listed if sha256 in ours]
        if len(found) >= N_SLOWEST or len(listed) < n:
            return dict(found[:N_SLOWEST])
        n *= 10


def report_again(out: Path) -> ExtractionSummary:
    """Write the report of an existing table anew, without measuring anything.

    Raises:
        UsageError, DataError: there is no such table, or it is damaged.
    """
    if not out.exists():
        raise UsageError(
            f"There is no table {out} to report of.",
            hint=f"measure images first: aufer extract IMAGES --out {shlex.quote(str(out))}",
        )
    table = read_au_table(out)
    folder = extraction_folder_of(out)
    summary = summarize(table, seconds=read_slowest(folder))
    made = {"command": read_command(folder)}
    write_extraction_report(summary, table, folder, Path(table.images_folder), made)
    return summary


@dataclass(frozen=True)
class _Outputs:
    """What is written beside a table, and where."""

    out: Path
    landmarks: bool
    openface: bool

    @property
    def landmarks_file(self) -> Path:
        return self.out.with_name(f"{self.out.stem}.landmarks.csv")

    @property
    def openface_folder(self) -> Path | None:
        return openface_folder_of(self.out) if self.openface else None

    @property
    def report_folder(self) -> Path:
        return extraction_folder_of(self.out)

    @property
    def sidecars(self) -> dict[Path, Path]:
        tables = [self.out, *([self.landmarks_file] if self.landmarks else [])]
        return {path: path.with_suffix(".json") for path in tables}

    def check(self, *, force: bool, command: str) -> None:
        """Raise when something would be replaced that a person edited or made."""
        for path, sidecar in self.sidecars.items():
            schema = SCHEMA if path == self.out else LANDMARKS_SCHEMA
            check_replaceable({path: sidecar}, force=force, command=command, schema=schema)
        if self.openface_folder is not None:
            check_openface_folder(self.openface_folder, force=force, command=command)

    def write(self, table: AuTable, store: Store, key: str, scratch: Path) -> dict[Path, Path]:
        """Write the tables into a scratch folder: where each belongs -> where it lies."""
        for sidecar in self.sidecars.values():  # they tell the new ones what they replace
            if sidecar.exists():
                shutil.copyfile(sidecar, scratch / sidecar.name)
        if self.landmarks:
            landmarks = read_landmarks(table.frame, store, key)
            _write_landmarks(landmarks, table, scratch / self.landmarks_file.name)
        write_au_table(table, scratch / self.out.name, force=True)
        # a table that its sidecar does not know would look edited, so the sidecar goes first
        paths = [path for pair in self.sidecars.items() for path in reversed(pair)]
        return {path: scratch / path.name for path in paths}


def _remove_cut_off(folder: Path) -> None:
    """Remove what a killed run of ours left half-written; nobody else writes there meanwhile."""
    for path in folder.glob(".*.tmp") if folder.is_dir() else ():
        path.unlink(missing_ok=True)


def _check_choices(keep: Collection[str], out: Path) -> None:
    check_path(out)
    check_table_name(out)
    if len(os.fsencode(out.name)) > LONGEST_NAME:
        raise UsageError(
            f"--out {printable(str(out))[:80]} can't be the table's name.",
            hint=f"a name such as faces.csv, of {LONGEST_NAME} letters at most; its description "
            "becomes faces.json",
        )
    unknown = sorted(set(keep) - set(KEEPABLE))
    if unknown:
        raise UsageError(f"--keep knows {' and '.join(KEEPABLE)}, not '{unknown[0]}'.")


def check_writable(folder: Path) -> None:
    """Raise when a folder can't be written to, or made."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise AuferError(
            f"{there} can't be written to.", hint="choose another place with --out, or its owner"
        )


def _warn_of_gaps(
    images: Sequence[Image], emotions: Emotions, folder: Path, *, labelled: bool, by_folder: bool
) -> None:
    """Say which emotions have no image, and which files are no pictures that can be read."""
    found = Counter(image.emotion for image in images)
    if labelled:
        without = [name for name in emotions if not found[name]]
        if without:
            log.warning("no image of: %s", ", ".join(without))
    if by_folder:
        endings = Counter(
            path.suffix.lower() or path.name for _, path in walk_files(folder) if not is_image(path)
        )
        if endings:
            listed = ", ".join(f"{ending} ({n})" for ending, n in endings.most_common(5))
            log.warning(
                "files passed over, as their endings are no picture's: %d, namely %s",
                endings.total(),
                listed,
            )


def _write_landmarks(landmarks: pd.DataFrame, table: AuTable, path: Path) -> None:
    facts = {
        "schema": LANDMARKS_SCHEMA,
        **made_by(),
        "extractor": table.extractor.facts(),
        "unit": "pixels of the upright picture",
        "n_images": len(landmarks),
    }
    write_with_sidecar(
        {path: csv_writer(landmarks)},
        path.with_suffix(".json"),
        facts,
    )
