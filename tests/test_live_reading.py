"""Messages read back from their lines, and whatever else a line may hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from aufer.emotions import Emotions
from aufer.live.expressions import Expressions
from aufer.live.reading import BadLine, read_labels, read_message, read_object
from tests.tcp_case import EXPRESSIONS, make_message


def test_other_models_expressions_come_back() -> None:
    expressions = Expressions.of(Emotions(("joy", "bored", "neutral")))
    face = replace(make_message(0).faces[0], expression=1, scores=(0.25, 0.5, 0.25))
    message = replace(make_message(0), faces=(face,), expressions=expressions)
    facts = read_object(message.line(with_labels=True))
    assert (found := read_labels(facts)) == expressions
    assert read_message(facts, expressions).line() == message.line()
    assert found is not None


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": None},
        {"seq": -1},
        {"seq": True},
        {"seq": 1.5},
        {"timestamp": "now"},
        {"timestamp": float("inf")},
        {"fps": -1},
        {"frameWidth": 0},
        {"frameWidth": 1 << 30},
        {"faceCount": 2},
        {"faces": {}},
        {"faces": [1]},
        {"labels": ["Happy"]},
        {"labels": "Happy"},
        {"labels": ["Happy", 1]},
        {"face": {"expression": "Amused"}},
        {"face": {"expression": ["Happy"]}},
        {"face": {"scores": [0.5]}},
        {"face": {"scores": [2.0] * 7}},
        {"face": {"scores": None}},
        {"face": {"position": None}},
        {"face": {"position": {"x": 0, "y": 0, "width": 0, "height": 1}}},
        {"face": {"id": "one"}},
    ],
)
def test_bad_fields_are_refused(change: dict[str, Any]) -> None:
    facts = make_message(0).facts(with_labels=True)
    facts["faces"][0].update(change.pop("face", {}))
    facts.update(change)
    line = json.dumps(facts).replace("Infinity", "1e999").encode()
    with pytest.raises(BadLine):
        read_labels(found := read_object(line))
        read_message(found, EXPRESSIONS)


@pytest.mark.parametrize("line", [b"", b"[]", b"nul", b'{"v": NaN}', b"\xff", b"[" * 99_999])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(BadLine):
        read_object(line)
