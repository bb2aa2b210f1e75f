"""A file that grows line by line and never holds half of one."""

from __future__ import annotations

import contextlib
from io import FileIO
from pathlib import Path

from aufer.errors import AuferError, EnvironmentFailure


class LineFile:
    """Lines, appended as they come, for as long as a process runs.

    The one kind of file that has its final name from the start: it may grow for a month, is read
    while it grows, and what was written must be there after ``kill -9``. So nothing is kept in a
    buffer of ours, and lines that don't fit on the disk are taken back.
    """

    def __init__(self, path: Path, *, force: bool = False, replace_with: str = "--force") -> None:
        """Args: ``force``: an older file of that name is replaced, by the first line.
        replace_with: for the hint."""
        self.path = path
        self._force = force
        self._replace_with = replace_with
        self._file: FileIO | None = None
        self._is_old = False
        self._whole = 0  # bytes of whole lines

    def open(self) -> None:
        """Make the file.

        Raises:
            AuferError: there is one already. EnvironmentFailure: none can be made.
        """
        path = self.path
        if path.exists() and not path.is_file():
            raise AuferError(f"{path} is not a regular file; nothing can be written there.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._is_old = self._force and path.exists()
            file = path.open("r+b" if self._is_old else "xb", buffering=0)
        except FileExistsError as error:
            if not path.exists():  # it is the folder's place that a file has taken
                raise _cannot_write(path, error) from error
            raise AuferError(
                f"{path} exists; it is kept.",
                hint=f"choose another name, or replace it: {self._replace_with}",
            ) from error
        except OSError as error:
            raise _cannot_write(path, error) from error
        self._file = file
        self._whole = 0

    def write(self, lines: bytes) -> None:
        """Append whole lines; all of them, or none.

        Raises:
            OSError: they can't be written, as on a full disk.
        """
        file = self._file
        if file is None:
            raise OSError(f"{self.path} is not open")
        rest = memoryview(lines)
        try:
            if not self._whole:  # an older file goes now, and not where a start fails
                file.truncate(0)
            while rest:
                rest = rest[file.write(rest) or 0 :]
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(self._whole)
                file.seek(self._whole)
            raise
        self._whole += len(lines)

    def close(self) -> None:
        """Close it; also twice, and where it was never opened. One without a line is taken away
        again: where the start failed, the next one would find it in its way."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
                if not self._whole and not self._is_old:
                    self.path.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> EnvironmentFailure:
    return EnvironmentFailure(f"{path} can't be written: {error.strerror or error}.")
