"""An asyncio loop in a thread of its own, which all servers of a process share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_PATIENCE_S = 5.0


class EventLoop:
    """Sockets are served in this loop, so that no client ever delays the thread that finds faces.

    Usage: ``loop.run(coroutine)`` from the main thread waits for a result; ``loop.post(call, …)``
    hands something over without waiting.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = _PATIENCE_S) -> T:
        """Run it in the loop and wait for its result, or for what it raises."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started()).result(timeout_s)

    def post(self, call: Callable[..., object], *args: Any) -> None:
        """Have it called in the loop, soon; lost where the loop is closed."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # closed just now
                loop.call_soon_threadsafe(call, *args)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE_S)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name="servers", daemon=True
            )
            self._thread.start()
        return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        running = asyncio.all_tasks(loop)
        for task in running:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*running, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
