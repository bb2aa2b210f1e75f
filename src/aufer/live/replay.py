"""A recording played back with its timing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aufer.errors import DataError, UsageError
from aufer.live.frame import Frame
from aufer.live.letterbox import take_out_of
from aufer.live.message import Message
from aufer.live.reading import BadLine, read_labels, read_message, read_object, read_units
from aufer.live.recording_folder import Recording, open_recording, read_lines
from aufer.live.sinks.sink import Step
from aufer.pictures.opencv import opencv

log = logging.getLogger("aufer")

_BEHIND_AT_MOST_S = 1.0
_USUAL_GAP_S = 0.04
_IDLE_S = 0.05


def replay(
    folder: Path,
    *,
    loop: bool = False,
    speed: float = 1.0,
    stop: threading.Event | None = None,
    on_idle: Callable[[], None] = lambda: None,
) -> Iterator[Step]:
    """The steps of a recording, each when its time has come, with its frame where there is a video.

    Messages are as they were recorded. In further rounds (``loop``) `seq` and `timestamp` count on.
    Lines that can't be read are skipped, with one warning at the end of the first round.

    Args:
        speed: 2 for twice as fast. stop: ends it, also while it waits. on_idle: called several
            times a second while it waits.

    Raises:
        UsageError, DataError: at once; see `open_recording`.
    """
    if speed <= 0:
        raise UsageError(f"A recording can't be played at {speed} times its speed.")
    clock = _Clock(speed, stop or threading.Event(), on_idle)
    return _play(open_recording(folder), loop, clock)


def _play(recording: Recording, loop: bool, clock: _Clock) -> Iterator[Step]:
    round_ = _Round(recording)
    while True:
        for message, pixels, read_s in round_.play():
            if not clock.wait_for(message.timestamp):
                return
            yield Step(message, _frame_of(message, pixels, read_s))
        round_.warn()
        if not round_.n:  # the file has changed since it was opened
            raise DataError(f"{recording.messages} holds no message any more.")
        if not loop:
            return
        round_ = round_.next()


def _frame_of(message: Message, pixels: np.ndarray | None, read_s: float) -> Frame | None:
    if pixels is None:
        return None
    return Frame(
        pixels=take_out_of(pixels, message.width, message.height),
        number=message.seq,
        taken_at=message.timestamp,
        read_at_s=time.perf_counter(),
        read_s=read_s,
    )


class _Round:
    """One time through the recording.

    Attributes:
        n: messages so far. skipped: lines that could not be read, with the first's reason.
    """

    def __init__(self, recording: Recording, seq_from: int = 0, later_s: float = 0.0) -> None:
        self.n = 0
        self._recording = recording
        self._expressions, self._units = recording.expressions, recording.units
        self._is_first = seq_from == 0
        self._seq_from = seq_from
        self._later_s = later_s
        self._n_skipped = 0
        self._reason = ""
        self._first: Message | None = None
        self._last: Message | None = None

    def play(self) -> Iterator[tuple[Message, np.ndarray | None, float]]:
        """Messages in the order of the file, their frames, and how long reading took (s)."""
        with _Video(self._recording.video) as video:
            for number, line in enumerate(read_lines(self._recording.messages), 1):
                started_s = time.perf_counter()
                pixels = video.read()  # frame and line belong together, also where the line is bad
                message = self._read(number, line)
                if message is not None:
                    yield message, pixels, time.perf_counter() - started_s

    def warn(self) -> None:
        """Tell of skipped lines, once."""
        if self._is_first and self._n_skipped:
            log.warning(
                f"{self._n_skipped} lines of {self._recording.messages} were skipped; the first: "
                f"{self._reason}."
            )

    def next(self) -> _Round:
        """The one after this one."""
        first, last = self._first, self._last
        if first is None or last is None:
            return _Round(self._recording, self._seq_from, self._later_s)
        lasts_s = max(last.timestamp - first.timestamp, 0.0)
        gap_s = lasts_s / (self.n - 1) if self.n > 1 and lasts_s else _USUAL_GAP_S
        return _Round(
            self._recording,
            seq_from=self._seq_from + last.seq + 1,
            later_s=self._later_s + lasts_s + gap_s,
        )

    def _read(self, number: int, line: bytes) -> Message | None:
        try:
            facts = read_object(line)
            expressions = read_labels(facts) or self._expressions
            units = read_units(facts) or self._units
            message = read_message(facts, expressions, units)
        except BadLine as error:
            if line.endswith(b"\n"):
                self._n_skipped += 1
                self._reason = self._reason or f"line {number}: {error}"
            elif self._is_first:
                log.info(f"The last line of {self._recording.messages} is cut.")
            return None
        self.n += 1
        self._first = self._first or message
        self._last = message
        self._expressions, self._units = expressions, units
        if self._is_first:
            return message
        seq, timestamp = message.seq + self._seq_from, message.timestamp + self._later_s
        return replace(message, seq=seq, timestamp=timestamp)


class _Video:
    """The frames of a recording, in order; None after the last, or without a video."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._capture: Any = None

    def __enter__(self) -> _Video:
        if self._path is not None:
            # absolute: FFmpeg takes "monday:1/video.avi" for an address
            self._capture = opencv().VideoCapture(str(self._path.resolve()))
            if not self._capture.isOpened():
                log.warning(f"{self._path} can't be played; the messages are, without it.")
        return self

    def __exit__(self, *_: object) -> None:
        if self._capture is not None:
            self._capture.release()

    def read(self) -> np.ndarray | None:
        if self._capture is None:
            return None
        is_read, pixels = self._capture.read()
        return pixels if is_read else None


@dataclass
class _Clock:
    """Waits for the times of a recording."""

    speed: float
    stop: threading.Event
    on_idle: Callable[[], None]
    last_timestamp: float | None = None
    due_at_s: float = 0.0

    def wait_for(self, timestamp: float) -> bool:
        """Wait until then; False where it is to stop."""
        now_s = time.perf_counter()
        if self.last_timestamp is None:
            self.due_at_s = now_s
        else:  # a clock that was set back while recording costs no time
            self.due_at_s += max(timestamp - self.last_timestamp, 0.0) / self.speed
        self.last_timestamp = timestamp
        # who was held up for long goes on from here instead of hurrying after
        self.due_at_s = max(self.due_at_s, now_s - _BEHIND_AT_MOST_S)
        while (left_s := self.due_at_s - time.perf_counter()) > _IDLE_S:
            if self.stop.wait(_IDLE_S):
                return False
            self.on_idle()
        return not self.stop.wait(max(left_s, 0.0))
