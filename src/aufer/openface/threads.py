"""Work in a thread of its own, waited for in small steps so that it can be given up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

from aufer.openface.polling import pauses

T = TypeVar("T")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """No Ctrl-C in here: for a short clean-up that one has begun."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def in_thread(work: Callable[[], T], *, forgettable: bool = False) -> Future[T]:
    """Start work in a new thread: a Ctrl-C here does not stop it halfway.

    Unlike an executor's `submit`, this is still allowed while the interpreter comes to its end.

    Args:
        forgettable: the process may end before the work does.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=forgettable).start()
    return future


def result_of(future: Future[T], on_poll: Callable[[], None]) -> T:
    """Wait for a future, calling ``on_poll`` a few times a second; what that raises ends it."""
    for pause_s in pauses():
        if wait([future], timeout=pause_s).done:
            break
        on_poll()
    return future.result()
