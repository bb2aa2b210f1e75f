"""One run of OpenFace over a batch of pictures, followed by the files that appear.

OpenFace is silent while it measures, takes the pictures in the order of their names, and stops at
the first that it can't bear. When it starts a picture, all before it are finished: their files are
read at once, so that whatever happens next costs only the pictures in flight.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aufer.errors import EnvironmentFailure
from aufer.openface.engine import Engine, EngineRun
from aufer.openface.measuring.call_log import BATCH
from aufer.openface.measuring.deaths import STALLED, check_environment, find_suspects
from aufer.openface.measuring.space import check_space, disk_full
from aufer.openface.output import csv_of, details_of
from aufer.openface.store import LookFiles
from aufer.provenance import now

READ_AT_ONCE, READ_AFTER_S = 32, 1.0
"""So many finished pictures are read together, or all there are after this time: pandas needs some
10 ms for any number of files."""

START_S = 60.0
"""So long may it take, beyond the time for a picture, until the first one is started."""


class Stopped(Exception):
    """The run was ended because the whole job is."""


class _Stalled(Exception):
    """No picture was started for too long."""


@dataclass(frozen=True)
class Batch:
    """Pictures in a folder of their own, measured by one run.

    Attributes:
        folder: holds ``input`` and ``output``.
        files: names in ``input``, in the order in which OpenFace takes them.
        images: the images' own names, for messages and the log.
        ways: the names of the ways in which they are measured.
        why: see `aufer.openface.measuring.call_log`.
        all_memory: no other run goes on meanwhile.
    """

    folder: Path
    files: Sequence[str]
    images: Sequence[str]
    ways: Sequence[str]
    why: str = BATCH
    all_memory: bool = False

    @property
    def input(self) -> Path:
        """Where the pictures lie."""
        return self.folder / "input"

    @property
    def output(self) -> Path:
        """Where OpenFace writes."""
        return self.folder / "output"


@dataclass(frozen=True)
class Finished:
    """What OpenFace left of one picture."""

    file: str
    files: LookFiles
    seconds: float


@dataclass(frozen=True)
class Ended:
    """A run that has ended, before anything is made of it.

    Attributes:
        run: None if it was ended because the whole job is.
        started_at: UTC, ISO 8601.
        n_started: so many pictures were started; the last one may not be finished.
    """

    run: EngineRun | None
    command: str
    started_at: str
    seconds: float
    n_started: int


@dataclass(frozen=True)
class Outcome:
    """What a run leaves to do; the pictures that it finished were told of.

    Attributes:
        suspects: pictures that it may have died at. untouched: those after them.
    """

    run: EngineRun
    seconds: float
    suspects: tuple[str, ...] = ()
    untouched: tuple[str, ...] = ()


def run_batch(
    batch: Batch,
    engine: Engine,
    tell: Callable[[list[Finished]], None],
    stop: threading.Event,
    *,
    image_timeout_s: float,
    memory_bytes: int = 0,
    annotated: bool = False,
    extras: Sequence[str] = (),
    on_end: Callable[[Ended], None] = lambda ended: None,
) -> Outcome:
    """Run OpenFace once over a batch.

    Args:
        tell: gets the pictures that were finished since it was called last.
        stop: set when the whole job ends; the run is then ended too.
        image_timeout_s: a picture that takes longer is given up, and the run with it.
        memory_bytes: limit for the run, where the engine can set one; 0 for none.
        annotated: OpenFace's annotated pictures are wanted.
        extras: what follows the stem in the names of further files that OpenFace writes.
        on_end: called as soon as the program has ended, whatever that means.

    Raises:
        Stopped: ``stop`` was set. EnvironmentFailure: it failed for a reason that no picture has.
        AuferError: the disk is full.
    """
    watch = _Watch(batch, tell, stop, image_timeout_s, extras)
    started_at, clock = now(), time.monotonic()
    try:
        run = engine.run(
            batch.input,
            batch.output,
            annotated=annotated,
            memory_bytes=memory_bytes,
            on_start=watch.start,
            on_poll=watch.look,
        )
    except Stopped:
        seconds = time.monotonic() - clock
        on_end(Ended(None, watch.command, started_at, seconds, watch.count_started()))
        raise
    except _Stalled:
        said = f"the engine did not get over it in {image_timeout_s:g} s"
        reached = "Starting tracking" if watch.count_started() else ""
        run = EngineRun(STALLED, reached, said, command=watch.command)
    seconds = time.monotonic() - clock
    n_started = watch.count_started()
    on_end(Ended(run, run.command, started_at, seconds, n_started))
    check_environment(run, batch.images[0])
    check_space(batch.output, batch.files[:n_started], run)
    if run.exit_code == 0:
        watch.read_until(n_started)
        left = tuple(batch.files[n_started:])
        if left and not n_started and batch.why == BATCH:
            raise EnvironmentFailure(
                f"The engine ended well but measured nothing: {run.command}",
                hint="is that program FaceLandmarkImg? See: aufer doctor",
            )
        # it passed over the next one without a word
        return Outcome(run, seconds, suspects=left[:1], untouched=left[1:])
    suspects = find_suspects(run, batch.files, n_started, batch.output)
    first = batch.files.index(suspects[0])
    watch.read_until(first)
    untouched = tuple(file for file in batch.files[first:] if file not in suspects)
    return Outcome(run, seconds, suspects, untouched)


class _Watch:
    """Follows one run: which pictures were started, and reads what is finished."""

    def __init__(
        self,
        batch: Batch,
        tell: Callable[[list[Finished]], None],
        stop: threading.Event,
        image_timeout_s: float,
        extras: Sequence[str],
    ) -> None:
        self._batch, self._tell, self._stop, self._extras = batch, tell, stop, extras
        self._timeout_s = image_timeout_s
        self._n_started = self._n_read = 0
        self._read_at = 0.0
        self._moved_at = 0.0  # until the program is started: pictures may be copied far before
        self.command = ""
        self._ended_at: float | None = None  # the last picture, by the clock of its files

    def start(self, command: str) -> None:
        """The program is started now."""
        self.command, self._moved_at = command, time.monotonic()

    def look(self) -> None:
        """See what was started and read what was finished since the last look."""
        if self._stop.is_set():
            raise Stopped
        before = self._n_started
        if self.count_started() > before:
            self._moved_at = time.monotonic()
            if self._ended_at is None:
                self._ended_at = time.time()
        n_finished = self._n_started - 1  # the last one is being measured
        is_due = time.monotonic() - self._read_at > READ_AFTER_S
        if is_due or n_finished - self._n_read >= READ_AT_ONCE:
            self.read_until(n_finished)
        allowed = self._timeout_s + (0 if self._n_started else START_S)
        if self._moved_at and time.monotonic() - self._moved_at > allowed:
            raise _Stalled

    def count_started(self) -> int:
        """How many pictures were started so far; costs no more for a large batch."""
        files, output = self._batch.files, self._batch.output
        while self._n_started < len(files):
            if not details_of(output, files[self._n_started]).exists():
                break
            self._n_started += 1
        return self._n_started

    def read_until(self, n: int) -> None:
        """Read the files of the first ``n`` pictures, as far as that wasn't done, and tell."""
        try:
            finished = [self._read(file) for file in self._batch.files[self._n_read : max(n, 0)]]
        except FileNotFoundError as error:
            raise EnvironmentFailure(
                f"The engine's files were removed while it was running ({error.filename}).",
                hint="does another program clean up there? Run the command again: it goes on",
            ) from error
        if finished:
            self._n_read += len(finished)
            self._read_at = time.monotonic()
            self._tell(finished)

    def _read(self, file: str) -> Finished:
        output = self._batch.output
        details, csv = details_of(output, file), csv_of(output, file)
        ended_at = details.stat().st_mtime
        content = None
        if csv.exists():
            content = csv.read_bytes()
            ended_at = max(ended_at, csv.stat().st_mtime)
        about = details.read_bytes()
        if not about or content == b"":
            raise disk_full(output)
        seconds = max(0.0, ended_at - (self._ended_at or ended_at))
        self._ended_at = ended_at
        return Finished(file, LookFiles(content, about, self._read_extras(file)), seconds)

    def _read_extras(self, file: str) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for suffix in self._extras:
            path = self._batch.output / (Path(file).stem + suffix)
            if path.is_dir():
                for inner in sorted(path.iterdir()):
                    found[f"{suffix}/{inner.name}"] = inner.read_bytes()
            elif path.is_file():
                found[suffix] = path.read_bytes()
        return found


def make_batch(
    folder: Path, files: Sequence[tuple[Path, str, str]], why: str, *, all_memory: bool = False
) -> Batch:
    """Move pictures into a new folder of their own.

    Args:
        files: where each lies, its image's own name, and the name of its way.
    """
    order = sorted(files, key=lambda entry: entry[0].name)
    names, images, ways = zip(*((path.name, *facts) for path, *facts in order), strict=True)
    batch = Batch(folder, names, images, ways, why, all_memory)
    batch.input.mkdir(parents=True)
    batch.output.mkdir()
    for path, _, _ in order:
        os.rename(path, batch.input / path.name)
    return batch


def drop_batch(batch: Batch, keep: Sequence[str], staged: Path) -> None:
    """Remove a batch's folder; pictures to ``keep`` go back to where they came from."""
    for file in keep:
        os.rename(batch.input / file, staged / file)
    shutil.rmtree(batch.folder, ignore_errors=True)
