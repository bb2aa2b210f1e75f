"""Threads that run OpenFace over batches, several at once, and log each call."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

from aufer.openface.measuring.call_log import describe_call
from aufer.openface.measuring.deaths import STALLED
from aufer.openface.measuring.job import Job
from aufer.openface.measuring.running import (
    Batch,
    Ended,
    Finished,
    Outcome,
    Stopped,
    make_batch,
    run_batch,
)

talk = logging.getLogger("aufer")


class Listener(Protocol):
    """Who hears of ended runs, one after the other, in a thread of its own."""

    def on_ended(self, batch: Batch, outcome: Outcome) -> None:
        """A run came to an end, well or not; the pictures it finished were told before."""

    def on_failure(self, error: BaseException) -> None:
        """The engine can't be used, or the disk is full."""


class Runners:
    """Runs batches, as many at once as there are jobs.

    Attributes:
        finished: pictures as they are finished, with their batch; filled by the threads.
        n_running: how many runs there are now.
    """

    def __init__(
        self, job: Job, listener: Listener, tell: Callable[[Callable[[], None]], None]
    ) -> None:
        """``tell`` takes what the listener is to hear, from any thread."""
        self._job, self._listener, self._tell = job, listener, tell
        self._pool = ThreadPoolExecutor(job.resources.jobs, "openface")
        self._stop = threading.Event()
        self._n_started = 0
        self.n_running = 0
        self.finished: deque[tuple[Batch, list[Finished]]] = deque()

    @property
    def is_free(self) -> bool:
        """Whether one more run can be started."""
        return self.n_running < self._job.resources.jobs

    def start(
        self, files: Sequence[tuple[Path, str, str]], why: str, *, all_memory: bool = False
    ) -> None:
        """Start a run over pictures, which are moved.

        Args:
            files: where each lies, its image's name, and the name of its way.
            all_memory: nothing else runs meanwhile.
        """
        self.n_running += 1
        self._n_started += 1
        folder = self._job.scratch / f"batch-{self._n_started}"
        self._pool.submit(self._run, make_batch(folder, files, why, all_memory=all_memory))

    def close(self) -> None:
        """End all runs."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, batch: Batch) -> None:  # in a thread
        job, resources = self._job, self._job.resources
        memory_bytes = resources.memory_alone_bytes if batch.all_memory else resources.memory_bytes
        try:
            outcome = run_batch(
                batch,
                job.engine,
                lambda finished: self.finished.append((batch, finished)),
                self._stop,
                image_timeout_s=job.plan.image_timeout_s,
                memory_bytes=memory_bytes,
                annotated=job.plan.annotated,
                extras=job.extras,
                on_end=lambda ended: self._log(batch, ended, memory_bytes),
            )
        except Stopped:
            return
        except BaseException as error:  # told where it can be raised
            event = partial(self._listener.on_failure, error)
        else:
            event = partial(self._listener.on_ended, batch, outcome)
        self._tell(partial(self._finish, event))

    def _finish(self, event: Callable[[], None]) -> None:
        self.n_running -= 1
        event()

    def _log(self, batch: Batch, ended: Ended, memory_bytes: int) -> None:  # in a thread
        run = ended.run
        went_well = run is not None and run.exit_code == 0
        talk.debug("exit code %s: %s", run.exit_code if run else "none", ended.command)
        if self._job.calls is not None:
            call = describe_call(
                run,
                command=ended.command,
                started_at=ended.started_at,
                seconds=ended.seconds,
                engine=self._job.engine.name,
                images=batch.images,
                n_measured=ended.n_started if went_well else max(0, ended.n_started - 1),
                why=batch.why,
                memory_bytes=memory_bytes,
                stalled=run is not None and run.exit_code == STALLED,
            )
            self._job.calls.add(call)
