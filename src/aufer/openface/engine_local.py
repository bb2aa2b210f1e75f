"""The engine ``local``: a FaceLandmarkImg on this machine, or behind any command prefix."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from aufer.errors import EnvironmentFailure
from aufer.files import sha256_of
from aufer.openface.capacity import local_capacity
from aufer.openface.engine import (
    SEE_DOCTOR,
    Capacity,
    EngineRun,
    describe,
    program_arguments,
)
from aufer.openface.process import CannotStart, run_process
from aufer.progress import Progress
from aufer.provenance import Extractor

PROGRAM = "FaceLandmarkImg"
VARIABLE = "AUFER_OPENFACE"
"""Environment variable that stands for ``--openface`` where that isn't given."""

_HINT = (
    "--engine local --openface PATH/TO/FaceLandmarkImg (or a prefix such as 'apptainer exec "
    f"openface.sif FaceLandmarkImg'), or use Docker: --engine docker; {SEE_DOCTOR}"
)


def find_program(openface: str | None = None) -> list[str]:
    """The words that start FaceLandmarkImg.

    A path is taken as it is (spaces included), a folder is searched, anything else is a command
    prefix. Without a value: ``AUFER_OPENFACE``, then the search path.

    Raises:
        EnvironmentFailure: it isn't there, or can't be executed.
    """
    text = openface or os.environ.get(VARIABLE) or PROGRAM
    path = Path(text).expanduser()
    if path.is_dir():
        places = [path / sub / name for sub in ("", "bin", "build/bin") for name in _names()]
        found = [place for place in places if place.is_file()]
        if not found:
            raise EnvironmentFailure(f"There is no {PROGRAM} in the folder {path}.", hint=_HINT)
        path = found[0]
    if path.is_file():
        if not os.access(path, os.X_OK):
            raise EnvironmentFailure(
                f"{path} can't be executed.", hint=f"chmod +x {shlex.quote(str(path))}"
            )
        return [str(path.resolve())]
    try:
        words = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        raise EnvironmentFailure(f"The command {text!r} can't be read: {error}.") from error
    program = shutil.which(words[0]) if words else None
    if program is None:
        what = f"There is no {words[0]} here" if words else "No command was given"
        told = f" (--openface or {VARIABLE})" if text != PROGRAM else ""
        raise EnvironmentFailure(f"{what}{told}.", hint=_HINT)
    if len(words) == 1:
        return [str(Path(program).resolve())]
    return [program, *words[1:]]


def _names() -> tuple[str, ...]:
    return (PROGRAM, f"{PROGRAM}.exe")


class LocalEngine:
    """Runs FaceLandmarkImg as a process of its own group, so that all of it can be ended."""

    name = "local"
    limits_memory = False

    def __init__(self, openface: str | None, arguments: Sequence[str] = ()) -> None:
        self._openface = openface
        self._arguments = tuple(arguments)

    def check(self) -> None:
        """See `Engine.check`."""
        find_program(self._openface)

    def prepare(self, progress: Progress) -> None:
        """Nothing is missing once `check` passed."""

    def extractor(self) -> Extractor:
        """See `Engine.extractor`; a binary is known by its sha256, a prefix by its words."""
        words = find_program(self._openface)
        binary = sha256_of(Path(words[0])) if len(words) == 1 else shlex.join(words)
        return describe(self.name, self._arguments, binary=binary)

    def capacity(self) -> Capacity:
        """See `Engine.capacity`."""
        return local_capacity()

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
        """See `Engine.run`. ``memory_bytes`` is passed over: there is no limit.

        What a system offers for that counts addresses, of which a program reserves many more than
        it uses memory, or needs rights that a user hasn't got.
        """
        words = find_program(self._openface)
        # the models are found relative to the program's folder
        folder = Path(words[0]).parent if len(words) == 1 else None
        places = [str(path.resolve()) for path in (input_folder, output_folder)]
        if Path(words[0]).stem.lower() == "wsl":
            places = [_as_wsl_path(place) for place in places]
        command = words + program_arguments(
            places[0], places[1], self._arguments, annotated=annotated
        )
        try:
            return run_process(command, folder, on_start=on_start, on_poll=on_poll)
        except CannotStart as error:
            raise EnvironmentFailure(
                f"{words[0]} can't be started: {error.strerror or error}.", hint=_HINT
            ) from error

    def close(self) -> None:
        """Nothing is open between runs."""


def _as_wsl_path(path: str) -> str:
    """``C:\\faces\\in`` -> ``/mnt/c/faces/in``, where WSL mounts a drive."""
    drive = re.match(r"^([A-Za-z]):[\\/]*(.*)$", path)
    if not drive:
        return path
    return f"/mnt/{drive.group(1).lower()}/" + drive.group(2).replace("\\", "/")
