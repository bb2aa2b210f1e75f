"""Images -> AU table: every image gets its row and its status, whatever happens to OpenFace."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS, PRESENCE_COLUMNS
from aufer.au_table import (
    BOX_COLUMNS,
    CRASHED,
    MANY_FACES,
    NO_FACE,
    OK,
    POSE_COLUMNS,
    AuTable,
    complete,
    empty_frame,
)
from aufer.errors import AuferError, EnvironmentFailure
from aufer.images import Image
from aufer.openface.engine import Engine
from aufer.openface.keeping import read_landmarks, sort_files
from aufer.openface.output import choose_faces, read_face_csvs
from aufer.openface.running import Work, csv_of, run_over_all, scratch_folder
from aufer.openface.staging import SMALLEST_FACE, Staged, stage
from aufer.progress import Progress, no_progress

KEEPABLE = ("annotated", "landmarks")
"""What ``--keep`` can keep besides OpenFace's CSVs: annotated pictures, a table of landmarks."""

_VALUES = ("face", "confidence", *BOX_COLUMNS, *POSE_COLUMNS, *INTENSITY_COLUMNS, *PRESENCE_COLUMNS)


@dataclass(frozen=True)
class Measured:
    """What came of a list of images.

    Attributes:
        table: one row per image, in the order given.
        landmarks: of the faces taken (see `read_landmarks`), if they were to be kept.
        kept: the folder of OpenFace's files, ready to be put in place, if they were to be kept.
    """

    table: AuTable
    landmarks: pd.DataFrame | None = None
    kept: Path | None = None


def measure(
    images: Sequence[Image],
    engine: Engine,
    *,
    faces: str = "largest",
    progress: Progress = no_progress,
) -> AuTable:
    """Measure the AUs of images with OpenFace; nothing is kept but the table.

    Args:
        faces: which face of several: ``largest``, ``best`` (most confident) or ``error``.

    Raises:
        EnvironmentFailure: the engine can't measure anything, or vanished. AuferError: disk full.
    """
    with measuring(images, engine, faces=faces, progress=progress) as measured:
        return measured.table


@contextmanager
def measuring(
    images: Sequence[Image],
    engine: Engine,
    *,
    faces: str = "largest",
    keep: Collection[str] = (),
    openface_folder: Path | None = None,
    progress: Progress = no_progress,
) -> Iterator[Measured]:
    """Like `measure`, and OpenFace's own files are there until the end of the ``with`` block.

    Args:
        keep: any of `KEEPABLE`.
        openface_folder: where OpenFace's files are to be kept. Nothing is changed there: that is
            for the caller, with `put_in_place`, once all else went well.
    """
    engine.check()
    engine.prepare(progress)
    with scratch_folder(openface_folder.parent if openface_folder else None) as scratch:
        try:
            work = Work.within(scratch)
            staged = stage(images, work.input, progress)
            files = {
                entry.file: entry.image.name
                for entry in staged
                if entry.file and not entry.duplicate_of
            }
            crashed: dict[str, str] = {}
            if files:
                annotated = "annotated" in keep
                crashed = run_over_all(files, work, engine, progress, annotated=annotated)
            frame = _fill_table(staged, crashed, work.output, faces)
            landmarks = _landmarks_of(frame, staged, work.output) if "landmarks" in keep else None
            kept = None
            if openface_folder is not None:
                kept = scratch / "kept"
                sort_files(staged, work.output, kept)
        except PermissionError as error:
            raise EnvironmentFailure(
                f"OpenFace's files in {scratch} can't be read or moved: {error.strerror}.",
                hint="the engine writes as another user; is it set to map users (userns-remap)?",
            ) from error
        yield Measured(AuTable(frame, engine.extractor()), landmarks, kept)


def _fill_table(
    staged: Sequence[Staged], crashed: dict[str, str], output: Path, faces: str
) -> pd.DataFrame:
    """The rows of all images: those not handed over, those that crashed, and those measured."""
    files = dict.fromkeys(entry.file for entry in staged if entry.file not in crashed)
    with_csv = [file for file in files if file and csv_of(output, file).exists()]
    position_of = {file: position for position, file in enumerate(with_csv)}
    read = read_face_csvs([csv_of(output, file) for file in with_csv])
    if with_csv and len(read.problems) == len(with_csv):
        raise AuferError(
            f"None of the {len(with_csv)} CSVs that OpenFace wrote can be used: the first "
            f"{read.problems[0]}.",
            hint="check --openface-args, and the disk's free space",
        )
    chosen = choose_faces(read, faces)
    positions = np.array([position_of.get(entry.file, -1) for entry in staged], dtype=np.int64)
    taken = chosen.reindex(positions)
    n_faces = taken["n_faces"].to_numpy(dtype=np.float64, copy=True)
    verdicts = [
        _judge(entry, crashed, read.problems.get(position), n, faces)
        for entry, position, n in zip(staged, positions.tolist(), n_faces, strict=True)
    ]
    status = np.array([verdict[0] for verdict in verdicts], dtype=object)
    n_faces[status == NO_FACE] = 0
    frame = empty_frame([entry.image for entry in staged])
    frame["sha256"] = [entry.sha256 for entry in staged]
    frame["duplicate_of"] = [entry.duplicate_of for entry in staged]
    frame["status"] = status
    frame["reason"] = [verdict[1] for verdict in verdicts]
    frame["n_faces"] = pd.array(n_faces, dtype="Float64").astype("Int64")
    frame["width"] = pd.array([entry.width for entry in staged], dtype="Int64")
    frame["height"] = pd.array([entry.height for entry in staged], dtype="Int64")
    frame["scale"] = [1.0 if entry.file else np.nan for entry in staged]
    values = taken[list(_VALUES)].to_numpy(dtype=np.float64, copy=True)
    values[status != OK] = np.nan
    frame[list(_VALUES)] = values
    return complete(frame)


def _judge(
    entry: Staged, crashed: dict[str, str], problem: str | None, n_faces: float, faces: str
) -> tuple[str, str]:
    """Status and reason of one image."""
    if entry.status:
        return entry.status, entry.reason
    if entry.file in crashed:
        return CRASHED, crashed[entry.file]
    if problem:
        return CRASHED, f"OpenFace's CSV {problem}"
    if np.isnan(n_faces):
        side = min(entry.width or 0, entry.height or 0)
        if side < SMALLEST_FACE:
            size = f"{entry.width}x{entry.height}"
            return NO_FACE, f"{size}: OpenFace finds no face below {SMALLEST_FACE} pixels"
        return NO_FACE, ""
    if n_faces > 1 and faces == "error":
        return MANY_FACES, f"{n_faces:.0f} faces"
    return OK, ""


def _landmarks_of(frame: pd.DataFrame, staged: Sequence[Staged], output: Path) -> pd.DataFrame:
    measured = frame["status"] == OK
    return read_landmarks(
        {
            entry.image.name: (csv_of(output, entry.file), int(face))
            for entry, face, is_ok in zip(staged, frame["face"], measured, strict=True)
            if is_ok
        }
    )
