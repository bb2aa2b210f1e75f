"""The thread that reads a source, so that whoever works on frames always gets the newest."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from aufer.errors import AuferError
from aufer.live.frame import Frame
from aufer.live.pace import Cap, Pace
from aufer.live.sources.source import Picture, Source, SourceLost
from aufer.pictures.opencv import opencv

log = logging.getLogger("aufer")

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 5.0
_CLOSING_S = 2.0
_TELL_EVERY_S = 60.0
_TICK_S = 0.2
"""Waits are cut into such pieces: on Windows, Ctrl-C doesn't end a wait."""


class FrameReader:
    """Reads a source in a thread of its own.

    A live source, and a video that is played at its own rate, don't wait: of two frames that are
    there the newer one wins, and the other is counted as dropped. A folder of pictures, a file
    without a rate, and anything with ``every_frame`` wait: each frame is handed over once, in
    order, and one may be read ahead. A source that drops out is opened again and again, until it
    is back or `close` is called.

    Always ``n_read == taken + dropped + skipped`` once it is closed, or at its end.

    Attributes:
        source: what it reads. n_read: frames that came. dropped: those that a newer one replaced.
        skipped: those that came faster than ``fps``. reopened: how often the source was back.
    """

    def __init__(
        self,
        source: Source,
        *,
        every_frame: bool = False,
        fps: float | None = None,
        mirror: bool = False,
        play_at_rate: bool = True,
    ) -> None:
        """Nothing is opened yet.

        Args:
            every_frame: drop none. A file is then read as fast as frames are taken.
            fps: hand over at most so many per second; more are skipped, or, with ``every_frame``
                and folders, waited with.
            mirror: left and right change places.
            play_at_rate: False reads a file as fast as frames are taken, every one, whatever its
                rate.
        """
        if fps is not None and not fps > 0:
            raise ValueError("fps is more than 0")
        self.source = source
        self.n_read = self.dropped = self.skipped = self.reopened = 0
        self._every_frame = every_frame or not play_at_rate
        self._fps = fps if play_at_rate else None
        self._mirror = mirror
        self._changed = threading.Condition()
        self._waiting: Frame | None = None
        self._error: BaseException | None = None
        self._is_over = self._is_lost = False
        self._told_s = -_TELL_EVERY_S
        self._level_of_return = logging.INFO
        self._closing = threading.Event()
        self._is_wanted = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the source has dropped out and is not back yet."""
        return self._is_lost

    @property
    def has_ended(self) -> bool:
        """Whether no frame will come any more."""
        with self._changed:
            return self._error is None and self._is_over and self._waiting is None

    def start(self) -> None:
        """Open the source, here and now, then read it in the thread.

        Raises:
            AuferError: it can't be opened.
        """
        try:
            self.source.open()
        except BaseException:
            self.source.close()
            raise
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def next_frame(self, timeout_s: float) -> Frame | None:
        """The next frame; None where none comes in time, and at the end (`has_ended`).

        Raises:
            AuferError: the source can't be used after all. Exception: a bug in reading it.
        """
        self._is_wanted.set()
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while self._waiting is None and not self._is_over:
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return None
                self._changed.wait(min(left_s, _TICK_S))
            frame, self._waiting = self._waiting, None
            self._changed.notify_all()
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def frames(self) -> Iterator[Frame]:
        """Frames until the end, each waited for; raises like `next_frame`."""
        while not self.has_ended:
            frame = self.next_frame(_TICK_S)
            if frame is not None:
                yield frame

    def close(self) -> None:
        """Release the source; returns within seconds, also where it hangs. May be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        with self._changed:
            self._is_over = True
            if self._waiting is not None:
                self._waiting = None
                self.dropped += 1
            self._changed.notify_all()
        self.source.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSING_S)

    def _run(self) -> None:
        try:
            self._read_all()
        except BaseException as error:  # raised again where frames are taken
            self._error = error
        finally:
            self.source.close()  # `close` may have come while it was opened again
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _read_all(self) -> None:
        source = self.source
        if not source.is_live:  # nothing of a film is played before somebody looks
            while not self._is_wanted.wait(_TICK_S):
                if self._closing.is_set():
                    return
        waits = self._every_frame or not (source.is_live or source.frames_per_s)
        rate = None if source.is_live else source.frames_per_s
        pace = Pace(self._fps if waits else rate)
        cap = Cap(None if waits else self._fps)
        began_at = time.time()
        while not self._closing.is_set():
            started_s = time.perf_counter()
            picture = self._read()
            if picture is None:
                return
            pixels = opencv().flip(picture.pixels, 1) if self._mirror else picture.pixels
            read_s = time.perf_counter() - started_s
            if not pace.wait(self._closing.wait):
                return
            number = self.n_read + picture.n_dropped_before
            frame = Frame(pixels, number, time.time(), time.perf_counter(), read_s, picture.name)
            if waits and rate:  # a film keeps its own time, however fast it is worked through
                frame = replace(frame, taken_at=began_at + number / rate)
            is_wanted = cap.lets_through(frame.read_at_s)
            self._hand_over(frame, picture, waits=waits, is_wanted=is_wanted)

    def _read(self) -> Picture | None:
        """The next picture, also of a source that has to come back first; None at the end."""
        wait_s = _FIRST_WAIT_S
        while not self._closing.is_set():
            try:
                picture = self.source.read()
            except SourceLost:
                picture = None
                if not self._is_lost:
                    self._is_lost = True
                    self._tell_loss()
            else:
                if picture is not None and self._is_lost:
                    self._is_lost = False
                    self.reopened += 1
                    log.log(self._level_of_return, "%s is back", self.source.title)
                return picture
            wait_s = self._open_again(wait_s)
        return None

    def _tell_loss(self) -> None:
        """Say it, unless it was said just now: a source may drop out each second, for a month."""
        now_s = time.monotonic()
        is_news = now_s - self._told_s >= _TELL_EVERY_S
        self._told_s = now_s if is_news else self._told_s
        self._level_of_return = logging.INFO if is_news else logging.DEBUG
        level = logging.WARNING if is_news else logging.DEBUG
        title = _upper(self.source.title)
        log.log(level, "%s dropped out; waiting for it to come back", title)

    def _open_again(self, wait_s: float) -> float:
        """Wait, then open it, until that works; how long to wait the next time."""
        while True:
            self.source.close()
            if self._closing.wait(wait_s):
                return wait_s
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            try:
                self.source.open()
            except AuferError as error:
                log.debug("%s is still lost: %s", self.source.title, error)
            else:
                return wait_s

    def _hand_over(self, frame: Frame, picture: Picture, *, waits: bool, is_wanted: bool) -> None:
        with self._changed:
            while waits and self._waiting is not None and not self._is_over:
                self._changed.wait(_TICK_S)
            if self._is_over:  # closed
                return
            self.n_read += 1 + picture.n_dropped_before
            self.dropped += picture.n_dropped_before
            if not is_wanted:
                self.skipped += 1
                return
            if self._waiting is not None:
                self.dropped += 1
            self._waiting = frame
            self._changed.notify_all()


def _upper(title: str) -> str:
    return title if "://" in title else title[:1].upper() + title[1:]
