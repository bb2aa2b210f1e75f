"""Disks that are full: OpenFace then writes empty files, ends with 0, and says nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from aufer.errors import AuferError, EnvironmentFailure
from aufer.openface.engine import EngineRun
from aufer.openface.measuring.deaths import STALLED
from aufer.openface.output import csv_of, details_of

LITTLE_SPACE = 1 << 20
"""Bytes; a run that fails with less free than this failed for want of space."""

SPACE_PER_IMAGE = 16 << 10
"""Bytes on disk: OpenFace's two small files, their copy in the store, a row of the table."""


def check_room(folder: Path, n_images: int) -> None:
    """Raise when a disk has no room for what so many images need."""
    free, needed = shutil.disk_usage(folder).free, n_images * SPACE_PER_IMAGE
    if free < needed:
        raise AuferError(
            f"The disk of {folder.parent} has {free / 1e6:.1f} MB left; {n_images} images need "
            f"about {needed / 1e6:.1f} MB.",
            hint="free some space there, or choose another place with --out",
        )


def check_space(output: Path, started: Iterable[str], run: EngineRun) -> None:
    """Raise when the disk is full: OpenFace then writes empty files and ends with 0.

    Args:
        started: the pictures that this run finished, and the one at which it ended.
    """
    free = shutil.disk_usage(output).free
    full = run.exit_code not in (0, STALLED) and free < LITTLE_SPACE
    if not full and run.exit_code == 0:
        full = any(_is_empty(path) for file in started for path in _files_of(output, file))
    if full:
        raise disk_full(output)
    if run.exit_code and "output CSV file is not open" in run.stdout + run.stderr:
        raise EnvironmentFailure(
            f"The engine can't write its files to {output}.",
            hint="may the engine's user write there? -v shows the command",
        )


def disk_full(folder: Path) -> AuferError:
    """The error for files that OpenFace left empty."""
    free = shutil.disk_usage(folder).free
    return AuferError(
        f"The disk is full: the engine wrote empty files ({free // 1024} KB are free in {folder}).",
        hint="free some space there and run the command again; what was measured before is kept",
    )


def _files_of(output: Path, file: str) -> tuple[Path, Path]:
    return details_of(output, file), csv_of(output, file)


def _is_empty(path: Path) -> bool:
    try:
        return not path.stat().st_size
    except OSError:  # no CSV: no face
        return False
