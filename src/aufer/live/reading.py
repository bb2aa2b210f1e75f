"""A message read back from its line, checked field by field."""

from __future__ import annotations

import json
from typing import Any

from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.live.box import Box
from aufer.live.expressions import Expressions
from aufer.live.message import VERSION, Face, Message

_MOST = 1 << 31
_MOST_PIXELS = 1 << 28
_LARGEST_NUMBER = 1e15  # json reads 1e999 as infinity


class BadLine(ValueError):
    """A line that holds no message of ours; the text says why."""


def read_object(line: bytes) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        BadLine: it is none.
    """
    try:
        facts = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"it is not valid JSON ({error})") from error
    if not isinstance(facts, dict):
        raise BadLine("it holds no JSON object")
    return facts


def read_labels(facts: dict[str, Any]) -> Expressions | None:
    """The expressions that ``labels`` of a message names; None where it has none.

    Raises:
        BadLine: they are no names.
    """
    labels = facts.get("labels")
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(isinstance(word, str) for word in labels):
        raise BadLine("its labels are no list of names")
    try:
        return Expressions.of(Emotions(tuple(word.lower() for word in labels)))
    except DataError as error:
        raise BadLine(f"its labels can't be used: {error.message}") from error


def read_message(facts: dict[str, Any], expressions: Expressions) -> Message:
    """The message that `Message.facts` wrote.

    Args:
        expressions: of its connection or file: the scores' order.

    Raises:
        BadLine: a field is missing, of another type or out of range.
    """
    if (version := _integer(facts, "v", least=1)) > VERSION:
        raise BadLine(f"it is of version {version}; this `aufer` reads {VERSION}")
    faces = facts.get("faces")
    if not isinstance(faces, list) or len(faces) != _integer(facts, "faceCount"):
        raise BadLine("its faces are no list of faceCount faces")
    width, height = (_integer(facts, name, least=1) for name in ("frameWidth", "frameHeight"))
    if width * height > _MOST_PIXELS:
        raise BadLine("its frame is larger than any picture")
    return Message(
        seq=_integer(facts, "seq", most=1 << 53),
        timestamp=_number(facts, "timestamp"),
        fps=_number(facts, "fps"),
        width=width,
        height=height,
        faces=tuple(_face(_object(face), expressions) for face in faces),
        expressions=expressions,
    )


def _face(facts: dict[str, Any], expressions: Expressions) -> Face:
    word = facts.get("expression")
    if not isinstance(word, str) or word not in expressions.words:
        raise BadLine(f"the expression {word!r} is none of its labels")
    scores = facts.get("scores")
    if not isinstance(scores, list) or len(scores) != len(expressions.words):
        raise BadLine("a face has no score for each label")
    place = _object(facts.get("position"))
    return Face(
        id=_integer(facts, "id"),
        box=Box(
            x=_integer(place, "x"),
            y=_integer(place, "y"),
            width=_integer(place, "width", least=1),
            height=_integer(place, "height", least=1),
        ),
        expression=expressions.words.index(word),
        scores=tuple(_number({"score": score}, "score", most=1.0) for score in scores),
    )


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadLine("a face or its position is no object")
    return value


def _integer(facts: dict[str, Any], name: str, *, least: int = 0, most: int = _MOST) -> int:
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadLine(f"{name} is no whole number from {least} on")
    return value


def _number(facts: dict[str, Any], name: str, *, most: float = _LARGEST_NUMBER) -> float:
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise BadLine(f"{name} is no number in its range")
    return float(value)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")
