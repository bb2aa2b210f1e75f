"""The loop: every new frame is watched, and its message goes to every sink."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from aufer.live.newest import FrameReader
from aufer.live.sinks.sink import Sink, Step, StopAsked
from aufer.live.watcher import Watcher

WAIT_S = 0.05
"""How long a frame is waited for before those that idle are asked: a window's keys."""


def watch(
    reader: FrameReader,
    watcher: Watcher,
    *,
    duration_s: float | None = None,
    on_idle: Callable[[], None] = lambda: None,
) -> Iterator[Step]:
    """Steps until the source ends or the time is over.

    Args:
        duration_s: None: without end.
        on_idle: called while no frame comes; may raise `StopAsked`.
    """
    started_s = time.perf_counter()
    while duration_s is None or time.perf_counter() - started_s < duration_s:
        frame = reader.next_frame(WAIT_S)
        if frame is not None:
            yield Step(watcher.look(frame), frame)
        elif reader.has_ended:
            return
        else:
            on_idle()


def run(
    steps: Iterable[Step],
    sinks: Sequence[Sink],
    on_step: Callable[[Step, float], None] = lambda step, send_s: None,
) -> None:
    """Send every step to every started sink, until there are no more or somebody asks to stop.

    Args:
        on_step: told each step, and how many seconds its sending took.
    """
    with suppress(StopAsked):
        for step in steps:
            started = time.perf_counter()
            for sink in sinks:
                sink.send(step)
            on_step(step, time.perf_counter() - started)
