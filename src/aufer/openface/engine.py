"""What every engine does: run OpenFace's FaceLandmarkImg once over a folder of pictures.

An engine knows where the program is and how to start and end it. What its files and exit codes mean
is the same for all of them (openface/measuring/running.py, deaths.py), and so is the suite of tests
(tests/test_engines.py). `engines.make_engine` makes one by name.
"""

from __future__ import annotations

import logging
import re
import shlex
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from aufer.errors import UsageError
from aufer.progress import Progress
from aufer.provenance import MEASURE_STATIC, Extractor

talk = logging.getLogger("aufer")

MEASURING_FLAGS = ("-aus", "-pose", "-2Dfp")
"""Always given. The landmarks tell a face's size, the pose its turn; AUs don't change."""

ANNOTATED_FLAG = "-tracked"
"""Makes FaceLandmarkImg write ``<stem>.jpg`` too: the picture with its landmarks drawn in."""

DEFAULT_IMAGE = "algebr/openface:latest"

TAIL_BYTES = 16_384
"""So much of the end of what the program printed is kept, of each stream."""

SEE_DOCTOR = "what is there: aufer doctor"
"""The last words of hints; `aufer doctor` itself leaves them out."""

_OURS = {"-f", "-fdir", "-out_dir", "-of", "-inroot", "-root", "-bboxdir"}
_KNOWN = {"-wild", "-nomask", "-gaze", "-3Dfp", "-pdmparams", "-hogalign", "-simalign", "-tracked"}
_KNOWN |= {"-nobadaligned", "-g", "-q", "-au_static", *MEASURING_FLAGS}
_KNOWN_WITH_VALUE = {"-mloc", "-multi_view", "-sigma", "-w_reg", "-reg", "-n_iter"}
_KNOWN_WITH_VALUE |= {"-fx", "-fy", "-cx", "-cy", "-simsize", "-simscale", "-format_aligned"}
_KNOWN_WITH_VALUE |= {"-format_vis_image", "-validate_detections", "-fdloc", "-world_coord"}


@dataclass(frozen=True)
class EngineRun:
    """One run of FaceLandmarkImg that came to an end, well or not.

    Attributes:
        exit_code: as a shell gives it: 128 + N for a death by signal N.
        stdout, stderr: the end of what it printed, decoded with replacement.
        command: the equivalent command line, for messages and logs.
    """

    exit_code: int
    stdout: str
    stderr: str
    command: str


@dataclass(frozen=True)
class Capacity:
    """What there is for OpenFace's processes, where they run.

    Attributes:
        cpus: processors that may be used.
        memory_bytes: memory to share among them; 0 where it isn't known.
    """

    cpus: int
    memory_bytes: int


class Engine(Protocol):
    """A place where FaceLandmarkImg can be run, by several threads at once.

    Attributes:
        limits_memory: whether it can hold a run to a limit of memory.
    """

    name: str
    limits_memory: bool

    def check(self) -> None:
        """Raise `EnvironmentFailure` when it can't be used. Quick; changes nothing."""

    def prepare(self, progress: Progress) -> None:
        """Fetch what is missing (a Docker image). Slow at most once."""

    def extractor(self) -> Extractor:
        """What measures, in full; after `prepare`."""

    def capacity(self) -> Capacity:
        """How much can run at once; after `check`."""

    def run(
        self,
        input_folder: Path,
        output_folder: Path,
        *,
        annotated: bool = False,
        memory_bytes: int = 0,
        on_start: Callable[[str], None] = lambda command: None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> EngineRun:
        """Measure all pictures of a folder; after `prepare`.

        The program has ended, and nothing of it is left, whenever this returns or raises.

        Args:
            output_folder: empty; OpenFace's files appear in it while it works.
            on_start: gets the equivalent command line as soon as it is known.
            memory_bytes: the program is killed when it needs more (exit code 137); 0: no limit. An
                engine that can't limit memory passes over it.
            on_poll: called a few times a second meanwhile, in the thread that called; what it
                raises ends the program and is raised here.
        """

    def close(self) -> None:
        """Let go of connections."""


def this_host() -> str:
    """Where process ids mean what they mean here: this host (and in Linux, this container)."""
    space = Path("/proc/self/ns/pid")
    with suppress(OSError):  # there is none but in Linux
        space = space.readlink()
    return re.sub(r"[^A-Za-z0-9]+", "_", f"{socket.gethostname()[:40]}_{space}").strip("_")


def is_left_behind(host: str, pid: str) -> bool:
    """Whether what a process made can be removed: it ran on this host, and is no more."""
    import psutil

    return host == this_host() and pid.isdecimal() and not psutil.pid_exists(int(pid))


def split_arguments(openface_args: str) -> tuple[str, ...]:
    """The words of ``--openface-args``; flags that `aufer` sets itself are refused.

    FaceLandmarkImg ignores unknown flags without a word, so these are warned of here.
    """
    try:
        words = tuple(shlex.split(openface_args))
    except ValueError as error:
        raise UsageError(f"--openface-args {openface_args!r} can't be read: {error}.") from error
    for position, word in enumerate(words):
        if word in _OURS:
            raise UsageError(
                f"--openface-args holds {word}, which aufer sets itself.",
                hint="name the images as the command's argument, and the table with --out",
            )
        if word in _KNOWN_WITH_VALUE and position + 1 == len(words):
            raise UsageError(f"--openface-args: {word} needs a value after it.")
        is_value = position > 0 and words[position - 1] in _KNOWN_WITH_VALUE
        if word.startswith("-") and not is_value and word not in _KNOWN | _KNOWN_WITH_VALUE:
            talk.warning("OpenFace may not know %s: it ignores unknown flags without a word", word)
    return words


def landmark_model(arguments: Sequence[str]) -> str:
    """The landmark model that the arguments ask for with ``-mloc``; empty: the program's own."""
    model = ""
    for flag, value in pairwise(arguments):
        if flag == "-mloc":
            model = value
    return model


def flags_text(arguments: Sequence[str]) -> str:
    """The flags that measure, as one text for the extractor's description (without the model)."""
    words = list(arguments)
    while "-mloc" in words[:-1]:
        at = words.index("-mloc")
        del words[at : at + 2]
    return shlex.join([*MEASURING_FLAGS, *words])


def describe(engine: str, arguments: Sequence[str], **where: str) -> Extractor:
    """The extractor's description of an engine of FaceLandmarkImg."""
    return Extractor(
        measure=MEASURE_STATIC,
        engine=engine,
        model=landmark_model(arguments),
        flags=flags_text(arguments),
        enlarge="off",
        **where,
    )


def program_arguments(
    input_folder: str, output_folder: str, arguments: Sequence[str], *, annotated: bool
) -> list[str]:
    """The whole command line after the program's name."""
    flags = [*MEASURING_FLAGS, *([ANNOTATED_FLAG] if annotated else [])]
    return ["-fdir", input_folder, "-out_dir", output_folder, *flags, *arguments]
