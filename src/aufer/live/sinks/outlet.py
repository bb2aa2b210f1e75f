"""A thread that writes where writing may wait, with a queue that forgets its oldest."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST_WAITING = 300
_PATIENCE_S = 2.0
_TICK_S = 0.2
"""The main thread waits in such pieces: on Windows, Ctrl-C doesn't end a wait."""


class Outlet(Generic[T]):
    """Takes things without waiting and writes them in order.

    Attributes:
        n_written, n_dropped: how many. failure: why nothing is written any more.
    """

    def __init__(
        self,
        write: Callable[[T], None],
        *,
        may_wait: bool = False,
        most_waiting: int = _MOST_WAITING,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """Args: write: writes one; may wait, raises `OSError`. may_wait: so may `put`, where the
        queue is full: nothing is dropped. patience_s: how long `close` waits for a reader that
        sleeps."""
        self.n_written = self.n_dropped = 0
        self.failure: OSError | None = None
        self._write = write
        self._may_wait = may_wait
        self._most_waiting = most_waiting
        self._patience_s = patience_s
        self._waiting: deque[T] = deque()
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
        self._thread.start()

    def put(self, thing: T) -> None:
        """Hand one over; where too many wait, the oldest is dropped."""
        with self._changed:
            while self._may_wait and self.failure is None and self._is_full():
                self._changed.wait(_TICK_S)
            if self.failure is not None or self._is_closed:
                return
            if self._is_full():
                self._waiting.popleft()
                self.n_dropped += 1
            self._waiting.append(thing)
            self._changed.notify_all()

    def close(self) -> None:
        """Let what waits be written, as long as it gets on; what is left then is dropped."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        before = -1
        while self._thread.is_alive() and before != self.n_written:
            before = self.n_written
            self._thread.join(self._patience_s)
        with self._changed:
            self.n_dropped += len(self._waiting)
            self._waiting.clear()

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._most_waiting

    def _run(self) -> None:
        while (thing := self._next()) is not None:
            try:
                self._write(thing)
            except OSError as error:
                with self._changed:
                    self.failure = error
                    self._waiting.clear()
                    self._changed.notify_all()
                return
            self.n_written += 1

    def _next(self) -> T | None:
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            if not self._waiting:
                return None
            thing = self._waiting.popleft()
            self._changed.notify_all()
            return thing
