"""Messages as text: JSON lines on stdout or in a file, or a CSV table."""

from __future__ import annotations

import csv
import io
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from aufer.errors import UsageError
from aufer.live.message import AU_CONFIDENCE, Face, Message, aus_facts
from aufer.live.settings import STDOUT
from aufer.live.sinks.line_file import LineFile
from aufer.live.sinks.outlet import Outlet
from aufer.live.sinks.sink import Sink, Step, StopAsked

log = logging.getLogger("aufer")

ToBytes = Callable[[Message, bool], bytes]
"""A message as whole lines; whether it is the first."""

_SCORE_DIGITS = 4


def text_sink(out: str, *, force: bool = False, may_wait: bool = False) -> Sink:
    """The sink of ``--out``.

    Args:
        out: ``stdout``, or a file that ends in ``.jsonl`` or ``.csv``. force: an older file is
            replaced. may_wait: of stdout: wait for a slow reader instead of dropping messages; for
            sources that wait for us.

    Raises:
        UsageError: another name.
    """
    if out == STDOUT:
        return StdoutSink(may_wait=may_wait)
    path = Path(out)
    written_as = FORMATS.get(path.suffix.lower())
    if written_as is None or path.stem in ("", "."):
        known = " or ".join(FORMATS)
        raise UsageError(
            f"--out '{out}': messages go to {STDOUT}, or to a file whose name ends in {known}.",
            hint=f"--out {path.stem or 'messages'}.jsonl",
        )
    return FileSink(path, written_as, force=force)


def json_line(message: Message, is_first: bool) -> bytes:
    """A message as JSON; the first one names the labels."""
    return message.line(with_labels=is_first)


CSV_COLUMNS = (
    "seq",
    "timestamp",
    "image",
    "frameWidth",
    "frameHeight",
    "fps",
    "faceCount",
    "id",
    "expression",
    "expressionIdx",
    "confidence",
    "x",
    "y",
    "width",
    "height",
)
"""Then one for each expression, by its lower case name: its score; then, where AUs are measured,
one for each, by its label, and `AU_CONFIDENCE`."""


def csv_rows(message: Message, is_first: bool) -> bytes:
    """A row for each face; one with empty cells for a frame without. The first has the header."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    if is_first:
        table.writerow([*CSV_COLUMNS, *message.expressions.names, *_au_columns(message)])
    of_frame = [
        message.seq,
        f"{message.timestamp:.3f}",
        message.image,
        message.width,
        message.height,
        f"{message.fps:.1f}",
        len(message.faces),
    ]
    for face in message.faces:
        table.writerow([*of_frame, *_face_cells(face, message)])
    if not message.faces:
        n_empty = len(CSV_COLUMNS) - len(of_frame) + len(message.expressions.names)
        table.writerow([*of_frame, *[""] * (n_empty + len(_au_columns(message)))])
    # file names need not be UTF-8; the table always is
    return text.getvalue().encode("utf-8", "backslashreplace")


def _au_columns(message: Message) -> list[str]:
    return [*message.units.labels, AU_CONFIDENCE] if message.units else []


def _face_cells(face: Face, message: Message) -> list[object]:
    expressions, box = message.expressions, face.box
    return [
        face.id,
        expressions.words[face.expression],
        expressions.numbers[face.expression],
        round(face.confidence, _SCORE_DIGITS),
        box.x,
        box.y,
        box.width,
        box.height,
        *(round(score, _SCORE_DIGITS) for score in face.scores),
        *_au_cells(face),
    ]


def _au_cells(face: Face) -> list[object]:
    if face.aus is None:
        return []
    facts = aus_facts(face.aus)
    return [*facts["aus"], facts[AU_CONFIDENCE]]


FORMATS: dict[str, ToBytes] = {".jsonl": json_line, ".csv": csv_rows}
"""How messages are written, by the file's ending."""


class FileSink:
    """Writes messages to a file as they come. When it can't any more, it says so and gives up: the
    others go on."""

    def __init__(self, path: Path, written_as: ToBytes, *, force: bool = False) -> None:
        self._file = LineFile(path, force=force)
        self._written_as = written_as
        self._n = 0
        self._failure = ""

    def start(self) -> str:
        """Make the file.

        Raises:
            AuferError: it exists. EnvironmentFailure: it can't be made.
        """
        self._file.open()
        return f"messages: the file {self._file.path}"

    def send(self, step: Step) -> None:
        """Append a message."""
        if self._failure:
            return
        try:
            self._file.write(self._written_as(step.message, self._n == 0))
        except OSError as error:
            self._failure = error.strerror or str(error)
            log.warning(f"{self._file.path} ends after {self._n} messages: {self._failure}.")
            self._file.close()
            return
        self._n += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def summary(self) -> str | None:
        """How many messages it holds, and why not all of them."""
        ends = f"; it ends early: {self._failure}" if self._failure else ""
        return f"{self._file.path}: {self._n} messages{ends}"


class StdoutSink:
    """JSON lines on stdout, each at once. A reader that is slow loses the oldest lines; one that
    leaves ends the run."""

    def __init__(self, *, may_wait: bool = False, descriptor: int | None = None) -> None:
        """Args: ``may_wait``: wait for the reader. descriptor: another file than stdout."""
        self._may_wait = may_wait
        self._descriptor = descriptor
        self._outlet: Outlet[Message] | None = None
        self._has_failed = False

    def start(self) -> str:
        """Begin to write."""
        descriptor = self._descriptor
        if descriptor is None:
            sys.stdout.flush()
            descriptor = sys.stdout.fileno()
        self._descriptor = descriptor
        self._outlet = Outlet(self._write, may_wait=self._may_wait)
        return "messages: stdout"

    def send(self, step: Step) -> None:
        """Hand a line over.

        Raises:
            StopAsked: nobody reads any more.
        """
        outlet = self._outlet
        if outlet is None or self._has_failed:
            return
        outlet.put(step.message)
        if (error := outlet.failure) is not None:
            self._has_failed = True
            if _is_left(error):
                raise StopAsked("Whoever read stdout has left.")
            log.warning(f"No more messages on stdout: {error.strerror or error}.")

    def close(self) -> None:
        """Write what still waits, as far as the reader takes it soon."""
        if self._outlet is not None:
            self._outlet.close()

    def summary(self) -> str | None:
        """How many lines were written and how many dropped."""
        outlet = self._outlet
        if outlet is None:
            return None
        dropped = f", {outlet.n_dropped} dropped: its reader was slow" if outlet.n_dropped else ""
        failed = outlet.failure
        ends = f"; it ended early: {failed.strerror or failed}" if failed else ""
        return f"stdout: {outlet.n_written} messages{dropped}{ends}"

    def _write(self, message: Message) -> None:
        if self._outlet is not None and self._descriptor is not None:
            # the first that is written, not the first that came, which may have been dropped
            _write_all(self._descriptor, message.line(with_labels=self._outlet.n_written == 0))


def _is_left(error: OSError) -> bool:
    # Windows calls a pipe without a reader an invalid argument
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == 22)


def _write_all(descriptor: int, line: bytes) -> None:
    """Write past `sys.stdout`: a thread that waits with its lock would spoil the process's end.

    Raises:
        OSError: it can't be written.
    """
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # somebody made the pipe non-blocking
            time.sleep(0.01)
