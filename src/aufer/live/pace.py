"""When the next frame is due, and whether one comes too soon."""

from __future__ import annotations

import time
from collections.abc import Callable

_BEHIND_S = 1.0
"""Further behind than this (the machine slept), the schedule begins anew: nothing is caught up."""

_EARLY = 0.25
"""A camera's frames come a bit early or late: by this part of the time between two is let pass."""


class Pace:
    """Plays frames at a rate.

    Args:
        rate: per second; None: as fast as they come.
    """

    def __init__(self, rate: float | None) -> None:
        self._period_s = 1 / rate if rate else 0.0
        self._due_s: float | None = None

    def wait(self, wait: Callable[[float], bool]) -> bool:
        """Wait until the next frame is due.

        Args:
            wait: waits that many seconds; True where it was interrupted.

        Returns:
            False where it was.
        """
        if not self._period_s:
            return True
        now = time.perf_counter()
        if self._due_s is None or now - self._due_s > _BEHIND_S:
            self._due_s = now
        left_s = self._due_s - now
        self._due_s += self._period_s
        return not (left_s > 0 and wait(left_s))


class Cap:
    """Lets at most so many frames a second through.

    Args:
        rate: per second; None: all.
    """

    def __init__(self, rate: float | None) -> None:
        self._period_s = 1 / rate if rate else 0.0
        self._due_s = float("-inf")

    def lets_through(self, at_s: float) -> bool:
        """Whether a frame that comes then is wanted, by `time.perf_counter`."""
        if at_s < self._due_s - _EARLY * self._period_s:
            return False
        # by a schedule, so that the rate holds on average; after a pause it begins anew
        is_on_schedule = at_s <= self._due_s + self._period_s
        self._due_s = (self._due_s if is_on_schedule else at_s) + self._period_s
        return True
