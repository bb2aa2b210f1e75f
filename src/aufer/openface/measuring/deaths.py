"""What a run of OpenFace that ended badly tells: of a bad picture, or of an engine that can't.

The exit codes and messages are those that the program was seen to give (docs/openface.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from aufer.errors import EnvironmentFailure
from aufer.openface.engine import EngineRun
from aufer.openface.output import csv_of

STALLED = 124
"""The exit code, as a shell's ``timeout`` gives it, of a run that we ended for want of progress."""

SEE_COMMANDS = "-v shows each command, to be tried by hand on a folder with that image"

KILLED = 137

_NOT_OPENFACES_WORD = re.compile(
    r"WARN|\b(Aborted|Killed|Segmentation fault)\b|probably ran out of memory"
)
"""OpenCV's warning, and what a shell or an engine says of a program that a signal ended."""

_COULD_NOT_OPEN = re.compile(r"Could not open the image: *(.+)")


def find_suspects(
    run: EngineRun, files: Sequence[str], n_started: int, output: Path
) -> tuple[str, ...]:
    """The pictures that a run which died may have died at; at least one.

    The one that it names; else the one started last. If that has its CSV already, the run may have
    died at a further face of it, or at the next picture before it wrote anything.

    Args:
        files: in the order in which OpenFace takes them.
        n_started: so many of them were started.
    """
    named = [Path(path.strip()).name for path in _COULD_NOT_OPEN.findall(run.stdout)]
    suspects = [file for file in named if file in set(files)]
    if suspects:
        return (suspects[-1],)
    if not n_started:
        return (files[0],)
    last = files[n_started - 1]
    if not csv_of(output, last).exists():
        return (last,)
    return tuple(files[n_started - 1 :][:2])


def explain(run: EngineRun) -> str:
    """Why a picture counts as crashed, for its row in the table."""
    if run.exit_code == STALLED:
        return f"{run.stderr}, twice alone"
    if run.exit_code == 0:
        return "the engine passed over it without a word, twice alone"
    if _COULD_NOT_OPEN.search(run.stdout):
        said = "the engine could not open it"
    else:
        lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
        lines = [line for line in lines if not _NOT_OPENFACES_WORD.search(line)]
        said = lines[-1][:120] if lines else ""
    if run.exit_code == KILLED and not said:
        said = "killed (out of memory?)"
    return f"exit code {run.exit_code}, twice alone" + (f": {said}" if said else "")


def is_silent(run: EngineRun) -> bool:
    """Whether the program died before it looked at any picture."""
    return not _COULD_NOT_OPEN.search(run.stdout) and "Starting tracking" not in run.stdout


def no_hope(run: EngineRun, images: Iterable[str]) -> EnvironmentFailure:
    """What looks like one bad picture after another is an engine that doesn't work."""
    named = sorted(images)
    more = len(named) - 3
    said = " ".join((run.stderr.strip() or run.stdout.strip()).splitlines()[-2:])[:300]
    return EnvironmentFailure(
        f"The engine measured no image, and ended at {', '.join(named[:3])}"
        f"{f' and {more} more' if more > 0 else ''} with exit code {run.exit_code}"
        f"{': ' + said if said else ''}.",
        hint=SEE_COMMANDS,
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
            hint=f"has it all its libraries? First image: {image}; {SEE_COMMANDS}",
        )
    if "Could not find the landmark detection model" in said:
        raise EnvironmentFailure(
            "OpenFace does not find its landmark model.",
            hint="its folder 'model' belongs beside FaceLandmarkImg, with the models that "
            "OpenFace's download_models.sh fetches; or correct -mloc in --openface-args",
        )
    if "No images found in the directory" in said or "Could not open any images" in said:
        raise EnvironmentFailure(
            "The engine does not see the folder that it was given.",
            hint="share the workspace's folder with the engine (Docker Desktop: Settings > "
            "Resources > File sharing), or keep the workspace below your home folder",
        )
    if "boost::filesystem" in said:
        raise EnvironmentFailure(
            f"The engine can't read or write the folders it was given: {run.stderr.strip()[-300:]}",
            hint=f"first image: {image}; {SEE_COMMANDS}",
        )
