"""The log of engine calls (``engine-calls.jsonl``): what OpenFace was asked, and what came of it.

JSON Lines: one object per call, appended as soon as the call has ended. Each carries the equivalent
command line, so that a person can repeat it by hand. The log explains a run, and decides nothing.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aufer.openface.engine import EngineRun

talk = logging.getLogger("aufer")

BATCH = "batch"
ALONE = "alone"
ALONE_AGAIN = "alone again"
CONTROL = "control"
"""Why a call was made: many pictures, one that may have killed a batch, one that did so alone, one
that was measured before (to see whether the engine still works)."""

LARGEST_LOG = 10_000_000
"""Bytes; a longer log is moved to ``.1.jsonl``, in place of the one that was moved there before."""

LONGEST_OUTPUT = 500
"""So many characters of the end of what a failing program printed are kept."""


@dataclass(frozen=True)
class Call:
    """One call of an engine.

    Attributes:
        started_at: UTC, ISO 8601. seconds: it took.
        engine: its name. exit_code: as a shell gives it, 124 after a stall; None where the
            whole job was ended.
        n_images: handed over. n_measured: came back whole.
        first_image, last_image: names of the first and last picture handed over.
        why: `BATCH`, `ALONE`, `ALONE_AGAIN` or `CONTROL`.
        memory_bytes: the limit in force; 0 for none.
        stalled: it was ended because a picture took longer than the limit.
        command: the equivalent command line.
        output: the end of what it printed (stderr, else stdout) where the exit code isn't 0.
    """

    started_at: str
    seconds: float
    engine: str
    exit_code: int | None
    n_images: int
    n_measured: int
    first_image: str
    last_image: str
    why: str = BATCH
    memory_bytes: int = 0
    stalled: bool = False
    command: str = ""
    output: str = ""


_TYPES: dict[str, type | tuple[type, ...]] = {
    "seconds": (int, float),
    "exit_code": (int, type(None)),
    "n_images": int,
    "n_measured": int,
    "memory_bytes": int,
    "stalled": bool,
}
"""Of the fields that are no texts."""

_REQUIRED = frozenset({"started_at", "seconds", "engine", "exit_code", "n_images", "n_measured"})


def describe_call(
    run: EngineRun | None,
    *,
    command: str,
    started_at: str,
    seconds: float,
    engine: str,
    images: Sequence[str],
    n_measured: int,
    why: str = BATCH,
    memory_bytes: int = 0,
    stalled: bool = False,
) -> Call:
    """The line of one call.

    Args:
        run: how it came to an end; None where the whole job was ended (Ctrl-C, another failure).
        images: names of the pictures handed over, in order.
    """
    printed = "" if run is None or run.exit_code == 0 else run.stderr.strip() or run.stdout.strip()
    return Call(
        started_at=started_at,
        seconds=round(seconds, 3),
        engine=engine,
        exit_code=None if run is None else run.exit_code,
        n_images=len(images),
        n_measured=n_measured,
        first_image=images[0] if images else "",
        last_image=images[-1] if images else "",
        why=why,
        memory_bytes=memory_bytes,
        stalled=stalled,
        command=command,
        output=printed[-LONGEST_OUTPUT:],
    )


class CallLog:
    """Appends calls to one file; several threads may do so at once.

    A log that can't be written costs no measurement: that is warned of once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._has_warned = False

    def add(self, call: Call) -> None:
        """Write one line, at once."""
        # a stray surrogate becomes \udcXX, which JSON reads as what it was
        line = json.dumps(asdict(call), ensure_ascii=False).encode("utf-8", "backslashreplace")
        with self._lock:
            try:
                self._append(line + b"\n")
            except OSError as error:
                if not self._has_warned:
                    talk.warning(
                        "the log of engine calls can't be written: %s (%s)",
                        error.strerror or error,
                        self._path,
                    )
                self._has_warned = True

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # there is none yet, or somebody has it open (Windows)
            if self._path.stat().st_size + len(line) > LARGEST_LOG:
                os.replace(self._path, older_log(self._path))
        with self._path.open("a+b", buffering=0) as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # the last line was cut by a kill or a full disk
                    line = b"\n" + line
            file.write(line)  # unbuffered: one write of the system, at the file's end


def older_log(path: Path) -> Path:
    """Where the calls before those of a log stand, once it has become too long."""
    return path.with_suffix(".1.jsonl")


def read_calls(path: Path) -> list[Call]:
    """The calls of one log, in order; damaged lines are passed over, as is a log that isn't there.

    Raises:
        OSError: it is there and can't be read.
    """
    calls = []
    try:
        with path.open("rb") as file:
            for line in file:
                call = _read_call(line)
                if call is not None:
                    calls.append(call)
    except FileNotFoundError:
        return []
    return calls


def _read_call(line: bytes) -> Call | None:
    try:
        facts: Any = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or not facts.keys() >= _REQUIRED:
        return None
    known = {field.name: facts[field.name] for field in fields(Call) if field.name in facts}
    for name, value in known.items():
        is_number_as_bool = isinstance(value, bool) and name != "stalled"
        if is_number_as_bool or not isinstance(value, _TYPES.get(name, str)):
            return None
    return Call(**{"first_image": "", "last_image": "", **known})
