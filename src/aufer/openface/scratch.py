"""A hidden folder for one job, and no trace of it afterwards."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aufer.openface.engine import is_left_behind, this_host

_SCRATCH_NAME = re.compile(r"\.aufer-(\w+)-(\d+)-\w+")


@contextmanager
def scratch_folder(beside: Path | None) -> Iterator[Path]:
    """A hidden folder for one job, removed at its end whatever happens.

    Those of jobs that were killed, and could not remove theirs, go too.

    Args:
        beside: the folder to make it in: links and renames work within one disk only. None: the
            current folder, which a container can see if it sees the images; else the system's own
            place for temporary files.
    """
    try:
        scratch = _make_scratch(beside or Path())
    except OSError:
        if beside is not None:
            raise
        scratch = _make_scratch(Path(tempfile.gettempdir()))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _make_scratch(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(".aufer-*"):
        owner = _SCRATCH_NAME.fullmatch(path.name)
        if owner and is_left_behind(owner[1], owner[2]):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f".aufer-{this_host()}-{os.getpid()}-", dir=folder))
