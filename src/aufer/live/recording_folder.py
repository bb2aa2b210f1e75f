"""The folder of a recording: what lies in it, and whether it can be played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aufer.errors import DataError, UsageError
from aufer.files import read_json
from aufer.live.expressions import Expressions
from aufer.live.reading import BadLine, read_labels, read_message, read_object, read_units
from aufer.live.units import NO_UNITS, Units

SCHEMA = "aufer/recording/1"
FACTS_NAME = "recording.json"
MESSAGES_NAME = "messages.jsonl"
VIDEO_NAME = "video.avi"
NAMES = (FACTS_NAME, MESSAGES_NAME, VIDEO_NAME)

_LONGEST_LINE = 1 << 22
_LOOKED_AT = 1000


@dataclass(frozen=True)
class Recording:
    """A recording that can be played.

    Attributes:
        folder: where it lies. facts: of its recording.json.
        expressions: what its model could answer. units: the AUs that were measured.
        video: its video, where it was saved.
    """

    folder: Path
    facts: dict[str, Any]
    expressions: Expressions
    units: Units
    video: Path | None

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return f"the recording {self.folder}"

    @property
    def messages(self) -> Path:
        """Its lines."""
        return self.folder / MESSAGES_NAME


def open_recording(folder: Path) -> Recording:
    """Check that a folder is a recording and can be played.

    Raises:
        UsageError: there is no such folder. DataError: it is no recording, or a broken one.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise UsageError(
            f"The recording '{folder}' {what}.", hint="aufer live --record FOLDER makes one"
        )
    facts_path = folder / FACTS_NAME
    if not facts_path.is_file():
        raise DataError(f"'{folder}' is no recording: there is no {FACTS_NAME} in it.")
    facts = read_json(facts_path)
    if (schema := facts.get("schema")) != SCHEMA:
        raise DataError(f"{facts_path} is of the schema {schema!r}; {SCHEMA} can be played.")
    video = folder / VIDEO_NAME
    messages = folder / MESSAGES_NAME
    if not messages.is_file():
        raise DataError(f"'{folder}' is no whole recording: there is no {MESSAGES_NAME} in it.")
    expressions, units = _legend_of(messages, facts)
    return Recording(
        folder=folder,
        facts=facts,
        expressions=expressions,
        units=units,
        video=video if video.is_file() else None,
    )


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file with their line feeds; an endless one ends the file."""
    with path.open("rb") as file:
        while (line := file.readline(_LONGEST_LINE)) and len(line) < _LONGEST_LINE:
            yield line


def _legend_of(messages: Path, facts: dict[str, Any]) -> tuple[Expressions, Units]:
    """What the first good message names, else recording.json.

    Raises:
        DataError: there is no message that can be read, or nobody says what the scores are of.
    """
    try:
        expressions, units = read_labels(facts), read_units(facts) or NO_UNITS
    except BadLine:
        expressions, units = None, NO_UNITS
    reason = "it holds no message"
    for number, line in enumerate(read_lines(messages), 1):
        try:
            found = read_object(line)
            expressions, units = read_labels(found) or expressions, read_units(found) or units
            if expressions is None:
                raise BadLine("nobody says what its scores are of")
            read_message(found, expressions, units)
        except BadLine as error:
            reason = f"line {number}: {error}"
            if number == _LOOKED_AT:
                break
            continue
        return expressions, units
    raise DataError(f"{messages} can't be played: {reason}.")
