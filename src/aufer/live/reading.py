"""A message read back from its line, checked field by field."""

from __future__ import annotations

import json
from typing import Any

from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.live.box import Box
from aufer.live.expressions import Expressions
from aufer.live.message import AU_CONFIDENCE, VERSION, Face, Message
from aufer.live.units import MOST as MOST_INTENSITY
from aufer.live.units import NO_UNITS, Intensities, Units

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


def read_units(facts: dict[str, Any]) -> Units | None:
    """The Action Units that ``auLabels`` of a message names; None where it has none.

    Raises:
        BadLine: they are no names, or don't belong together.
    """
    if facts.get("auLabels") is None:
        return None
    labels, names = (_texts(facts, key) for key in ("auLabels", "auNames"))
    measure = facts.get("auMeasure")
    if len(names) != len(labels) or not isinstance(measure, str):
        raise BadLine("its AUs have not a name each, or no measure")
    return Units(labels, names, measure)


def read_message(
    facts: dict[str, Any], expressions: Expressions, units: Units = NO_UNITS
) -> Message:
    """The message that `Message.facts` wrote.

    Args:
        expressions, units: of its connection or file: the order of the scores and of the AUs.

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
        faces=tuple(_face(_object(face), expressions, units) for face in faces),
        expressions=expressions,
        units=units,
    )


def _face(facts: dict[str, Any], expressions: Expressions, units: Units) -> Face:
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
        aus=_intensities(facts, units) if units else None,
    )


def _intensities(facts: dict[str, Any], units: Units) -> Intensities:
    aus = facts.get("aus")
    if not isinstance(aus, list) or len(aus) != len(units.labels):
        raise BadLine("a face has no intensity for each of the auLabels")
    return Intensities(
        tuple(_number({"AU": value}, "AU", most=MOST_INTENSITY) for value in aus),
        _number(facts, AU_CONFIDENCE, most=1.0),
    )


def _texts(facts: dict[str, Any], name: str) -> tuple[str, ...]:
    texts = facts.get(name)
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise BadLine(f"{name} is no list of names")
    if len(set(texts)) < len(texts):
        raise BadLine(f"{name} has a name twice")
    return tuple(texts)


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
