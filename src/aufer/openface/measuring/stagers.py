"""Threads that check pictures and hand them over, while OpenFace measures the first ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

from aufer.images import Image
from aufer.openface.measuring.subject import Subject
from aufer.openface.staging import Checked, SourceGone, check_picture, hand_over

_AHEAD = 4
"""So many tasks wait for each thread: none is ever idle, and what is asked for last comes soon."""

Event = Callable[[], None]


class Listener(Protocol):
    """Who gets the results, one after the other, in a thread of its own."""

    def on_checked(self, position: int, checked: Checked) -> None:
        """An image was read; what is wrong with it stands in the result."""

    def on_ready(self, subject: Subject, file: str, size: int) -> None:
        """A picture lies ready for OpenFace: the file's name and its bytes."""

    def on_gone(self, subject: Subject, why: str) -> None:
        """A picture was removed or changed since it was checked."""

    def on_failure(self, error: BaseException) -> None:
        """Something else went wrong; the disk is full, say."""


class Stagers:
    """What is to be checked and handed over, and the threads that do it.

    Attributes:
        to_check: positions of images. to_hand_over: pictures that need a look; they come first.
    """

    def __init__(
        self,
        images: Sequence[Image],
        folder: Path,
        n_threads: int,
        listener: Listener,
        tell: Callable[[Event], None],
    ) -> None:
        """``tell`` takes what the listener is to hear, from any thread."""
        self._images, self._folder, self._listener, self._tell = images, folder, listener, tell
        self._limit = _AHEAD * n_threads
        self._pool = ThreadPoolExecutor(n_threads, "check")
        self._n_busy = 0
        self.to_check: deque[int] = deque()
        self.to_hand_over: deque[Subject] = deque()

    @property
    def n_left(self) -> int:
        """How many pictures are not ready yet."""
        return len(self.to_check) + len(self.to_hand_over) + self._n_busy

    @property
    def is_busy(self) -> bool:
        """Whether a result is still to come."""
        return self._n_busy > 0

    def start_more(self) -> None:
        """Give the threads something to do."""
        while self._n_busy < self._limit and (self.to_hand_over or self.to_check):
            self._n_busy += 1
            if self.to_hand_over:
                self._pool.submit(self._run, self._hand_over, self.to_hand_over.popleft())
            else:
                self._pool.submit(self._run, self._check, self.to_check.popleft())

    def close(self) -> None:
        """Wait for what has begun; the rest is left."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, task: Callable[..., Event], subject: object) -> None:  # in a thread
        try:
            event = task(subject)
        except BaseException as error:  # told where it can be raised
            event = partial(self._listener.on_failure, error)
        self._tell(partial(self._finish, event))

    def _finish(self, event: Event) -> None:
        self._n_busy -= 1
        event()

    def _check(self, position: int) -> Event:
        checked = check_picture(self._images[position].path)
        return partial(self._listener.on_checked, position, checked)

    def _hand_over(self, subject: Subject) -> Event:
        path, way, stem = subject.image.path, subject.way, subject.stem
        try:
            file = hand_over(path, way, self._folder, stem, stamp=subject.stamp)
        except SourceGone as gone:
            return partial(self._listener.on_gone, subject, gone.reason)
        size = (self._folder / file).stat().st_size
        return partial(self._listener.on_ready, subject, file, size)
