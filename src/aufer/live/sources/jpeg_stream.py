"""Pictures that come as JPEGs, one after the other: the box they wait in, and standard input."""

from __future__ import annotations

import io
import logging
import os
import stat
import sys
import threading
from collections import deque

from aufer.errors import DataError, UsageError
from aufer.live.sources.jpeg_splitter import JpegSplitter
from aufer.live.sources.pictures import decode_picture
from aufer.live.sources.source import Picture
from aufer.pictures.decoding import Undecodable

log = logging.getLogger("aufer")

_CHUNK = 2**18
_WAITING = 2
_ODD = 2**20
"""So many bytes without a JPEG are worth a word."""

_HINT = "ffmpeg -i party.mp4 -q:v 3 -f mjpeg - | aufer live - --every-frame"


class JpegStream:
    """What sources of JPEGs have in common: a thread of theirs puts them in, `read` decodes them.

    Attributes:
        n_damaged: JPEGs that were cut, too large, or could not be decoded.
    """

    is_series = True
    frames_per_s: float | None = None

    def __init__(self, title: str, *, is_live: bool, every_frame: bool) -> None:
        """Args:
        every_frame: who sends has to wait for us; else an undecoded JPEG makes way for a newer one.
        """
        self.title = title
        self.is_live = is_live
        self.n_damaged = 0
        self._keeps_all = every_frame
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._n_dropped = self._n_found = 0
        self._is_closed = self._is_over = False
        self._failure: Exception | None = None

    def read(self) -> Picture | None:
        """The next picture; None at the end, and when closed. A bug of who reads is raised."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_over or self._is_closed)
                if self._is_closed or not self._waiting:
                    if self._failure is not None:
                        raise self._failure
                    return None
                data = self._waiting.popleft()
                n_dropped, self._n_dropped = self._n_dropped, 0
                self._changed.notify_all()
            try:
                return Picture(decode_picture(io.BytesIO(data)), n_dropped_before=n_dropped)
            except Undecodable:
                with self._changed:
                    self._n_dropped += n_dropped
                self._count_damaged(1)

    def close(self) -> None:
        """A `read` that waits comes back."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _begin(self) -> None:
        with self._changed:
            self._is_closed = self._is_over = False

    def _take(self, splitter: JpegSplitter, data: bytes) -> int:
        """Take bytes of whoever sends; how many JPEGs were complete. Waits for room only where
        every one is wanted."""
        n_broken, is_new = splitter.n_broken, splitter.n_passed_over < _ODD
        found = splitter.feed(data)
        if splitter.n_broken > n_broken:
            self._count_damaged(splitter.n_broken - n_broken)
        if is_new and splitter.n_passed_over >= _ODD and not self._n_found:
            log.warning("%s: a megabyte came, and no JPEG in it", self.title)
        for one in found:
            self._n_found += 1
            self._put(one)
        return len(found)

    def _count_damaged(self, n: int) -> None:
        if not self.n_damaged:
            log.warning("%s: a damaged JPEG is passed over (said once)", self.title)
        self.n_damaged += n

    def _put(self, data: bytes) -> None:
        with self._changed:
            if self._keeps_all:
                self._changed.wait_for(lambda: len(self._waiting) < _WAITING or self._is_closed)
            elif self._waiting:
                self._n_dropped += len(self._waiting)
                self._waiting.clear()
            if not self._is_closed:
                self._waiting.append(data)
                self._changed.notify_all()

    def _end(self, failure: Exception | None = None) -> None:
        with self._changed:
            self._failure = failure
            self._is_over = True
            self._changed.notify_all()


class StandardInput(JpegStream):
    """JPEGs one after the other on standard input, as ``ffmpeg -f mjpeg -`` writes them.

    A pipe is live, since a camera may be at its other end; a file is not.
    """

    def __init__(self, fd: int | None = None, *, every_frame: bool = False) -> None:
        """Args:
        fd: another file descriptor to read.
        """
        self._fd = _stdin() if fd is None else fd
        is_file = self._fd is not None and stat.S_ISREG(os.fstat(self._fd).st_mode)
        super().__init__("standard input", is_live=not is_file, every_frame=every_frame or is_file)
        self._splitter = JpegSplitter()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begin to read.

        Raises:
            UsageError: it is a keyboard, or closed.
        """
        if self._fd is None or os.isatty(self._fd):
            raise UsageError("Nothing is piped into aufer's standard input.", hint=_HINT)
        self._begin()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._take_in, args=(self._fd,), name="standard input", daemon=True
            )
            self._thread.start()

    def read(self) -> Picture | None:
        """The next picture; None at the end, and when closed.

        Raises:
            DataError: it ended without a single JPEG.
        """
        picture = super().read()
        if picture is None and not self._is_closed and not self._n_found:
            raise DataError(
                "Standard input held no JPEG, and `aufer live -` reads only those.", hint=_HINT
            )
        return picture

    def _take_in(self, fd: int) -> None:
        # a read that waits can't be ended from outside: the thread then ends with the process
        try:
            while not self._is_closed and (data := os.read(fd, _CHUNK)):
                self._take(self._splitter, data)
        except OSError as error:
            log.warning("standard input can't be read any more: %s", error.strerror or error)
        finally:
            self._end()


def _stdin() -> int | None:
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # there is none, or it is closed
        return None
