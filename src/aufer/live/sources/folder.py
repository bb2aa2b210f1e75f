"""A folder of pictures, or a single one, as frames."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from aufer.errors import DataError
from aufer.images import check_folder, is_image, printable, walk_files
from aufer.live.sources.pictures import decode_picture
from aufer.live.sources.source import Picture
from aufer.pictures.decoding import Undecodable

log = logging.getLogger("aufer")


class Folder:
    """The pictures below a folder, ``a2`` before ``a10``, or one picture.

    Attributes:
        title: how sentences call it. n_unreadable: those that were passed over.
    """

    is_live = False
    is_series = False
    frames_per_s: float | None = None

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        """Args:
        loop: begin again after the last.
        """
        self.title = f"the {'folder' if path.is_dir() else 'picture'} {printable(str(path))}"
        self.n_unreadable = 0
        self._path = path
        self._loop = loop
        self._pictures: list[tuple[str, Path]] = []
        self._next = self._n_read = 0

    def open(self) -> None:
        """List the pictures.

        Raises:
            UsageError: there is no such folder. DataError: it holds no picture.
            AuferError: a folder can't be read.
        """
        if self._path.is_file():
            self._pictures = [(printable(self._path.name), self._path)]
        else:
            check_folder(self._path, "folder")
            found = [(name, path) for name, path in walk_files(self._path) if is_image(path)]
            self._pictures = sorted(found, key=lambda one: natural_key(one[0]))
        if not self._pictures:
            raise DataError(
                f"There is no picture in {printable(str(self._path))}.",
                hint="a video is named by its file: aufer live party.mp4",
            )
        self._next = self._n_read = self.n_unreadable = 0

    def read(self) -> Picture | None:
        """The next picture that can be read, upright.

        Raises:
            DataError: none can.
        """
        pictures = self._pictures  # `close` empties it
        for _ in pictures:  # as many failures in a row are enough, also where it loops
            turn, place = divmod(self._next, len(pictures))
            if turn and not self._loop:
                break
            self._next += 1
            name, path = pictures[place]
            try:
                picture = Picture(read_picture(path), name)
            except Undecodable as error:
                if not turn:
                    self.n_unreadable += 1
                    log.warning("%s is passed over: %s", name, error.reason)
            else:
                self._n_read += 1
                return picture
        if pictures and not self._n_read:
            raise DataError(f"None of the {len(pictures)} pictures of {self.title} can be read.")
        return None

    def close(self) -> None:
        """The next `read` gives None."""
        self._pictures = []


def read_picture(path: Path) -> np.ndarray:
    """A file's picture, upright: uint8 [h, w, 3], BGR.

    Raises:
        Undecodable: it is none that can be read.
    """
    if not path.is_file():  # opening a FIFO would wait for ever
        raise Undecodable("not a regular file" if path.exists() else "there is no such file")
    try:
        with path.open("rb") as file:
            return decode_picture(file)
    except OSError as error:
        raise Undecodable(f"can't be read: {error.strerror or error}") from error


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sorts names as people count: ``a2`` before ``a10``."""
    parts = re.split(r"([0-9]+)", name.casefold())
    key = [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]
    return (*key, (0, name))
