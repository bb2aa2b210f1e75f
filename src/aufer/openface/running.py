"""Getting OpenFace over all pictures although it stops at the first one that it can't bear.

A run that dies has finished what it started before; the picture that it probably died at is tried
once alone, and the rest goes on in a new run. Each new run has at least one picture less.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aufer.errors import AuferError, EnvironmentFailure
from aufer.openface.engine import Engine, EngineRun, is_left_behind, this_host
from aufer.openface.output import DETAILS_SUFFIX
from aufer.progress import Progress, Step

talk = logging.getLogger("aufer")

HOPELESS = 20
"""So many pictures that crash before a single one is measured are the engine's fault."""

LITTLE_SPACE = 1 << 20
"""Bytes; a run that fails with less free than this failed for want of space."""

_NOT_OPENFACES_WORD = re.compile(r"WARN|\b(Aborted|Killed|Segmentation fault)\b")
"""OpenCV's warning, and what a shell says of a program that a signal ended."""

_COULD_NOT_OPEN = re.compile(r"Could not open the image: *(.+)")


_SCRATCH_NAME = re.compile(r"\.aufer-(\w+)-(\d+)-\w+")
_MORE = "-v shows each command, to be tried by hand on a folder with that image"


@contextmanager
def scratch_folder(beside: Path | None) -> Iterator[Path]:
    """A hidden folder for one job, removed at its end whatever happens.

    Those of jobs that were killed, and could not remove theirs, go too.

    Args:
        beside: the folder to make it in: links and renames work within one disk only. None: the
            current folder, which a container can see if it sees the images; else the system's own
            place for temporary files.
    """
    try:
        scratch = _make_scratch(beside or Path())
    except OSError:
        if beside is not None:
            raise
        scratch = _make_scratch(Path(tempfile.gettempdir()))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _make_scratch(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(".aufer-*"):
        owner = _SCRATCH_NAME.fullmatch(path.name)
        if owner and is_left_behind(owner[1], owner[2]):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f".aufer-{this_host()}-{os.getpid()}-", dir=folder))


@dataclass(frozen=True)
class Work:
    """The folders of one job: pictures to measure, OpenFace's files, and room for single tries."""

    input: Path
    output: Path
    alone: Path

    @classmethod
    def within(cls, folder: Path) -> Work:
        """Make the folders below ``folder``."""
        work = cls(folder / "input", folder / "output", folder / "alone")
        for path in (work.input, work.output, work.alone):
            path.mkdir()
        return work


def details_of(folder: Path, file: str) -> Path:
    """What OpenFace writes when it starts a picture."""
    return folder / (Path(file).stem + DETAILS_SUFFIX)


def csv_of(folder: Path, file: str) -> Path:
    """What OpenFace writes when it finds a face in a picture."""
    return folder / (Path(file).stem + ".csv")


def run_over_all(
    files: Mapping[str, str],
    work: Work,
    engine: Engine,
    progress: Progress,
    *,
    annotated: bool = False,
) -> dict[str, str]:
    """Run OpenFace over the files in ``work.input`` until each is measured or known to crash it.

    Args:
        files: file -> the image's own name, for messages.

    Afterwards ``work.output`` holds the details of every file that did not crash, and the CSV of
    every one with a face.

    Returns:
        file -> why it counts as crashed.

    Raises:
        EnvironmentFailure: the engine can't measure anything. AuferError: the disk is full.
    """
    pending = sorted(files)  # the order in which OpenFace takes them
    crashed: dict[str, str] = {}
    n_measured = 0
    with progress(len(pending), "measuring faces") as step:
        while pending:
            count = _Count(pending, work.output, step)
            run = engine.run(work.input, work.output, annotated=annotated, on_poll=count.look)
            talk.debug("exit code %d: %s", run.exit_code, run.command)
            check_environment(run, files[pending[0]])
            started = [file for file in pending if details_of(work.output, file).exists()]
            check_space(work.output, started, run)
            if run.exit_code == 0 and not started:
                raise EnvironmentFailure(
                    f"OpenFace ended well but measured nothing: {run.command}",
                    hint="is that program FaceLandmarkImg? See: aufer doctor",
                )
            suspects = [] if run.exit_code == 0 else find_suspects(run, pending, started, work)
            finished = set(started) - set(suspects)
            n_measured += len(finished)
            for suspect in suspects:
                talk.info("OpenFace ended with %d; trying %s alone", run.exit_code, files[suspect])
                alone = _try_alone(suspect, files[suspect], work, engine, annotated=annotated)
                if alone is None:
                    n_measured += 1
                else:
                    crashed[suspect] = _explain(alone)
                    _check_hope(alone, crashed, n_measured, files)
            for file in finished:
                (work.input / file).unlink()
            pending = [file for file in pending if file not in finished and file not in suspects]
            count.finish(len(finished) + len(suspects))
    return crashed


class _Count:
    """Counts the pictures that one run finished, by the files that appear: OpenFace is silent."""

    def __init__(self, order: Sequence[str], output: Path, step: Step) -> None:
        self._order, self._output, self._step = order, output, step
        self._started = self._told = 0

    def look(self) -> None:
        """Tell of what was finished since the last look; a look costs no more for many files."""
        while self._started < len(self._order):
            if not details_of(self._output, self._order[self._started]).exists():
                break
            self._started += 1
        self.finish(max(self._told, self._started - 1))  # the last one is being measured

    def finish(self, n: int) -> None:
        """Tell that ``n`` are finished."""
        if n != self._told:
            self._step(n - self._told)
            self._told = n


def find_suspects(
    run: EngineRun, pending: Sequence[str], started: Sequence[str], work: Work
) -> list[str]:
    """The pictures of ``pending`` that a run which died may have died at; at least one.

    The one that it names; else the one started last. If that has its CSV already, the run may have
    died at a further face of it, or at the next picture before it wrote anything.
    """
    named = [Path(path.strip()).name for path in _COULD_NOT_OPEN.findall(run.stdout)]
    suspects = [file for file in named if file in set(pending)]
    if suspects:
        return suspects[-1:]
    if not started:
        return [pending[0]]
    last = started[-1]
    if not csv_of(work.output, last).exists():
        return [last]
    return list(pending[pending.index(last) :][:2])


def _try_alone(
    file: str, image: str, work: Work, engine: Engine, *, annotated: bool
) -> EngineRun | None:
    """Measure one picture alone; None if that went well, else the run that died again.

    The picture leaves ``work.input``; its files end up in ``work.output`` only if it went well.
    """
    stem = Path(file).stem
    for stale in (*work.output.glob(f"{stem}.*"), *work.output.glob(f"{stem}_*")):
        shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
    alone = Work.within(_emptied(work.alone))
    (work.input / file).rename(alone.input / file)
    run = engine.run(alone.input, alone.output, annotated=annotated)
    talk.debug("exit code %d: %s", run.exit_code, run.command)
    check_environment(run, image)
    started = [file] if details_of(alone.output, file).exists() else []
    check_space(alone.output, started, run)
    if run.exit_code != 0 or not started:
        return run
    for path in alone.output.iterdir():
        path.rename(work.output / path.name)
    return None


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def _explain(run: EngineRun) -> str:
    lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not _NOT_OPENFACES_WORD.search(line)]
    if _COULD_NOT_OPEN.search(run.stdout):
        said = "could not open the image"
    elif run.exit_code == 0:
        return "OpenFace passed over it without a word"
    else:
        said = lines[-1][:120] if lines else "without a word"
    killed = " (killed: out of memory?)" if run.exit_code == 137 else ""
    return f"OpenFace ended with exit code {run.exit_code}{killed} at it, alone too: {said}"


def _check_hope(
    run: EngineRun, crashed: dict[str, str], n_measured: int, files: Mapping[str, str]
) -> None:
    """Raise when what looks like one bad picture after another is an engine that doesn't work."""
    if n_measured:
        return
    silent = not _COULD_NOT_OPEN.search(run.stdout) and "Starting tracking" not in run.stdout
    if len(crashed) >= HOPELESS or (silent and len(crashed) >= min(3, len(files))):
        named, more = [files[file] for file in crashed], len(crashed) - 3
        said = " ".join((run.stderr.strip() or run.stdout.strip()).splitlines()[-2:])[:300]
        raise EnvironmentFailure(
            f"OpenFace measured no image, and ended at {', '.join(sorted(named)[:3])}"
            f"{f' and {more} more' if more > 0 else ''} with exit code {run.exit_code}"
            f"{': ' + said if said else ''}.",
            hint=_MORE,
        )


def check_environment(run: EngineRun, image: str) -> None:
    """Raise `EnvironmentFailure` when a run failed for a reason that no picture has.

    Args:
        image: the first that it was to measure, for the message.
    """
    if run.exit_code == 0:
        return
    said = run.stdout + run.stderr
    if run.exit_code in (125, 126, 127):
        raise EnvironmentFailure(
            f"FaceLandmarkImg can't be executed (exit code {run.exit_code}): "
            f"{' '.join(said.split())[-300:] or 'no message'}",
            hint=f"has it all its libraries? First image: {image}; {_MORE}",
        )
    if "Could not find the landmark detection model" in said:
        raise EnvironmentFailure(
            "OpenFace does not find its landmark model.",
            hint="its folder 'model' belongs beside FaceLandmarkImg, with the models that "
            "OpenFace's download_models.sh fetches; or correct -mloc in --openface-args",
        )
    if "No images found in the directory" in said or "Could not open any images" in said:
        raise EnvironmentFailure(
            "OpenFace does not see the folder that it was given: its engine can't look there.",
            hint="share the workspace's folder with the engine (Docker Desktop: Settings > "
            "Resources > File sharing), or keep the workspace below your home folder",
        )
    if "boost::filesystem" in said:
        raise EnvironmentFailure(
            f"OpenFace can't read or write the folders it was given: {run.stderr.strip()[-300:]}",
            hint=f"first image: {image}; {_MORE}",
        )


def check_space(output: Path, started: Sequence[str], run: EngineRun) -> None:
    """Raise when the disk is full: OpenFace then writes empty files and ends with 0."""
    free = shutil.disk_usage(output).free
    full = run.exit_code != 0 and free < LITTLE_SPACE
    for file in started:
        csv = csv_of(output, file)
        if details_of(output, file).stat().st_size == 0 or (
            csv.exists() and not csv.stat().st_size
        ):
            full = True
            break
    if full:
        raise AuferError(
            f"The disk is full: OpenFace wrote empty files "
            f"({free // 1024} KB are free in {output}).",
            hint="free some space there and run the command again; what was there before is kept",
        )
    if run.exit_code and "output CSV file is not open" in run.stdout + run.stderr:
        raise EnvironmentFailure(
            f"OpenFace can't write its files to {output}.",
            hint="may its engine's user write there? -v shows the command",
        )
