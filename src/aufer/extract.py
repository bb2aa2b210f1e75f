"""The verb ``extract``: folders of face photos -> AU table, measured by OpenFace."""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aufer.au_table import SCHEMA, AuTable, write_au_table
from aufer.emotions import Emotions
from aufer.errors import AuferError, UsageError
from aufer.files import check_replaceable, check_table_name, write_with_sidecar
from aufer.images import Image, check_path, find_images, is_image, printable, walk_files
from aufer.openface.keeping import check_openface_folder, openface_folder_of, put_in_place
from aufer.openface.measure import KEEPABLE, measuring
from aufer.openface.output import FACES_POLICIES
from aufer.openface.running import scratch_folder
from aufer.progress import Progress, no_progress
from aufer.provenance import made_by

if TYPE_CHECKING:
    import pandas as pd

    from aufer.openface.engine import Engine

log = logging.getLogger("aufer")

LANDMARKS_SCHEMA = "aufer/landmarks/1"

LONGEST_NAME = 200
"""Bytes of a table's file name: most systems allow 255, and temporary names are longer."""

SPACE_PER_IMAGE = 16 << 10
"""Bytes on disk: OpenFace's two small files, the table's row, a link in a folder."""


def extract(
    images_folder: Path,
    out: Path = Path("data/aus.csv"),
    *,
    engine: Engine,
    emotions: Emotions | None = None,
    labels: Path | None = None,
    labelled: bool = True,
    faces: str = "largest",
    keep: Collection[str] = (),
    keep_openface_files: bool = True,
    force: bool = False,
    command: str = "aufer extract",
    progress: Progress = no_progress,
) -> AuTable:
    """Measure the AUs of all images of a folder and write them as an AU table.

    Args:
        images_folder: one folder per emotion, or flat names such as ``angry001.jpg``.
        out: the table; its sidecar is written beside it (``aus.json``).
        engine: see `aufer.openface.engines.make_engine`.
        emotions: the emotions that labels may name; the usual six by default.
        labels: CSV with the columns image, emotion and (optionally) group, instead of folders.
        labelled: False for a folder of faces without labels.
        faces: which face of several: ``largest``, ``best`` (most confident) or ``error``.
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
        EnvironmentFailure: the engine can't be used. AuferError: an output is to be kept, a folder
            can't be read, the disk is full. What was there before is then as it was.
    """
    emotions = emotions or Emotions()
    _check_choices(faces, keep, out)
    images = find_images(images_folder, emotions, labels=labels, labelled=labelled)
    landmarks_file = out.with_name(f"{out.stem}.landmarks.csv")
    outputs = [out, *([landmarks_file] if "landmarks" in keep else [])]
    sidecars = {path: path.with_suffix(".json") for path in outputs}
    openface_folder = openface_folder_of(out) if keep_openface_files else None

    def check_outputs() -> None:
        for path, sidecar in sidecars.items():
            schema = SCHEMA if path == out else LANDMARKS_SCHEMA
            check_replaceable({path: sidecar}, force=force, command=command, schema=schema)
        if openface_folder is not None:
            check_openface_folder(openface_folder, force=force, command=command)

    check_outputs()
    _check_room(out.parent, len(images))
    engine.check()
    _warn_of_gaps(images, emotions, images_folder, labelled=labelled, by_folder=labels is None)
    with (
        scratch_folder(out.parent) as scratch,
        measuring(
            images,
            engine,
            faces=faces,
            keep=keep,
            openface_folder=openface_folder,
            progress=progress,
        ) as measured,
    ):
        table = replace(measured.table, images_folder=printable(images_folder.as_posix()))
        for sidecar in sidecars.values():  # they tell the new ones what they replace
            if sidecar.exists():
                shutil.copyfile(sidecar, scratch / sidecar.name)
        if measured.landmarks is not None:
            _write_landmarks(measured.landmarks, table, scratch / landmarks_file.name)
        write_au_table(table, scratch / out.name, force=True)
        check_outputs()  # measuring may have taken hours
        # a table that its sidecar does not know would look edited, so the sidecar goes first
        pairs = [path for pair in sidecars.items() for path in reversed(pair)]
        finished = {path: scratch / path.name for path in pairs}
        if openface_folder is not None and measured.kept is not None:
            finished[openface_folder] = measured.kept
        put_in_place(finished)
    return table


def _check_choices(faces: str, keep: Collection[str], out: Path) -> None:
    check_path(out)
    check_table_name(out)
    if len(os.fsencode(out.name)) > LONGEST_NAME:
        raise UsageError(
            f"--out {printable(str(out))[:80]} can't be the table's name.",
            hint=f"a name such as faces.csv, of {LONGEST_NAME} letters at most; its description "
            "becomes faces.json",
        )
    if faces not in FACES_POLICIES:
        raise UsageError(f"--faces is {' or '.join(FACES_POLICIES)}, not '{faces}'.")
    unknown = sorted(set(keep) - set(KEEPABLE))
    if unknown:
        raise UsageError(f"--keep knows {' and '.join(KEEPABLE)}, not '{unknown[0]}'.")


def _check_room(folder: Path, n_images: int) -> None:
    """Raise when a folder can't be written to, or its disk has no room for the files of a run."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise AuferError(
            f"{there} can't be written to.", hint="choose another place with --out, or its owner"
        )
    free, needed = shutil.disk_usage(there).free, n_images * SPACE_PER_IMAGE
    if free < needed:
        raise AuferError(
            f"The disk of {there} has {free / 1e6:.1f} MB left; {n_images} images need about "
            f"{needed / 1e6:.1f} MB.",
            hint="free some space there, or choose another place with --out",
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
        {path: lambda temporary: landmarks.to_csv(temporary, index=False, lineterminator="\n")},
        path.with_suffix(".json"),
        facts,
    )
