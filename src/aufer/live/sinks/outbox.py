"""What waits to be sent to one client: a few things, the oldest of which go where it is slow."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """A bounded queue. Putting never waits. To be used in the event loop's thread only.

    Attributes:
        dropped: how many were dropped because the client was behind.
    """

    def __init__(self, most: int) -> None:
        self.dropped = 0
        self._waiting: deque[T] = deque(maxlen=most)
        self._came = asyncio.Event()

    def put(self, thing: T) -> None:
        """Add it; the oldest goes where `most` wait already."""
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append(thing)
        self._came.set()

    async def take(self) -> T:
        """The oldest, as soon as there is one."""
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        return self._waiting.popleft()
