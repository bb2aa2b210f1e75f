"""How long each stage of a frame takes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

STAGES = ("read", "find", "measure", "classify", "send")
"""``measure`` only where AUs are."""
FRAME_TO_SOCKET = "frame_to_socket"
"""From the frame, decoded, to the bytes of its message in the first client's socket."""

PERCENTILES = (50, 95, 99)
_KEPT = 4096


class Stages:
    """Keeps the last few thousand durations of each stage."""

    def __init__(self) -> None:
        self._seconds: dict[str, deque[float]] = {}

    def add(self, stage: str, seconds: float) -> None:
        """Record one duration."""
        self._seconds.setdefault(stage, deque(maxlen=_KEPT)).append(seconds)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Record how long the block takes."""
        started = time.perf_counter()
        yield
        self.add(stage, time.perf_counter() - started)

    def facts(self) -> dict[str, dict[str, float]]:
        """Milliseconds: ``{stage: {"p50_ms": …, "p95_ms": …, "p99_ms": …}}``."""
        found = {}
        for stage, seconds in list(self._seconds.items()):  # another thread may add one
            values = np.percentile(np.array(seconds), PERCENTILES) * 1000
            names = (f"p{each}_ms" for each in PERCENTILES)
            found[stage] = {n: round(float(v), 3) for n, v in zip(names, values, strict=True)}
        return found


class Rate:
    """Counts events per second, over the last one or two seconds."""

    def __init__(self, over_s: float = 1.5) -> None:
        self._over_s = over_s
        self._times: deque[float] = deque()

    def count(self, at_s: float) -> float:
        """Count one at that time; the rate with it, 0 for the first."""
        times = self._times
        times.append(at_s)
        while times[0] < at_s - self._over_s:
            times.popleft()
        gone_s = at_s - times[0]
        return (len(times) - 1) / gone_s if gone_s > 0 else 0.0
