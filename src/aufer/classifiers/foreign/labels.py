"""The words of a foreign model's outputs, and the emotions that they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from aufer.emotions import Emotions
from aufer.errors import DataError

LABELS_NAME = "labels.txt"
_NUMBERED = re.compile(r"(\d+)\s+(\S.*)")
_MOST_BYTES = 1 << 16


def read_labels(path: Path) -> list[str]:
    """The lines of a Teachable Machine ``labels.txt``: "0 happy", or only "happy".

    Returns:
        the words in the order of the outputs.

    Raises:
        DataError: it is empty, no text, or its numbers are not 0, 1, 2 …
    """
    data = path.read_bytes()[: _MOST_BYTES + 1]
    try:
        if len(data) > _MOST_BYTES:
            raise ValueError("it is far too long")
        text = data.decode("utf-8-sig")
    except ValueError as error:
        raise DataError(f"{path.name} is no list of labels: {error}.") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path.name} is empty.", hint="name the outputs in order: --emotions a,b")
    found = [_NUMBERED.fullmatch(line) for line in lines]
    if not all(found):
        return lines
    by_number = {int(match[1]): match[2].strip() for match in found if match}
    if sorted(by_number) != list(range(len(lines))):
        raise DataError(
            f"The numbers in {path.name} are not 0 to {len(lines) - 1}, each once.",
            hint="export the model again, or name the outputs in order: --emotions a,b,c",
        )
    return [by_number[number] for number in range(len(lines))]


def to_emotions(words: Sequence[str], where: str) -> Emotions:
    """The emotions that words stand for, in their order; aliases count (``anger``, ``joy``).

    Args:
        where: what the words are, for the message.

    Raises:
        DataError: a word is no known emotion, or two stand for the same one.
    """
    known = Emotions().with_others()
    names = [known.find_name(word) for word in words]
    listed = ", ".join(f"{number} {word}" for number, word in enumerate(words))
    hint = "say which emotion each output is, in this order: --emotions happy,sad,…"
    unknown = [word for word, name in zip(words, names, strict=True) if name is None]
    if unknown:
        raise DataError(
            f"{where}: '{unknown[0]}' is no emotion that is known here (labels: {listed}).", hint
        )
    if len(set(names)) < len(names):
        raise DataError(f"{where}: two labels stand for one emotion (labels: {listed}).", hint)
    return Emotions(tuple(name for name in names if name is not None))
