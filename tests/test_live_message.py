"""Messages are what docs/live-message.schema.json and the published Unity client expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aufer.emotions import ALIASES, DEFAULT_NAMES, Emotions
from aufer.live.box import Box
from aufer.live.expressions import COLOURS, NUMBERS, OTHER_COLOUR, Expressions
from aufer.live.message import VERSION, Face, Message, reference_face

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "live-message.schema.json").read_text(encoding="utf-8")
)
MESSAGE = jsonschema.Draft202012Validator(SCHEMA)
UNITY_V1 = jsonschema.Draft202012Validator({"$ref": "#/$defs/unityV1", "$defs": SCHEMA["$defs"]})
SEVEN = Emotions(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))


def make_message(
    n_faces: int = 1, emotions: Emotions = SEVEN, answer: int = 0, **facts: Any
) -> Message:
    """A message with faces one below the other, all of which answer `answer`."""
    scores = [0.1 / (len(emotions) - 1)] * len(emotions)
    scores[answer] = 0.9
    faces = tuple(
        Face(n + 1, Box(20, 10 + 40 * n, 30, 35), answer, tuple(scores)) for n in range(n_faces)
    )
    given = {"seq": 7, "timestamp": 1_700_000_000.12345, "fps": 29.97, "width": 640, "height": 480}
    return Message(faces=faces, expressions=Expressions.of(emotions), **(given | facts))


def sent(message: Message, **options: bool) -> dict[str, Any]:
    """What a client makes of its line."""
    line = message.line(**options)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return json.loads(line)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"].endswith(f"version {VERSION}")
    assert SCHEMA["properties"]["v"]["const"] == VERSION


@pytest.mark.parametrize("with_labels", [False, True])
@pytest.mark.parametrize("n_faces", [0, 1, 12])
def test_messages_are_what_the_schema_says(n_faces: int, with_labels: bool) -> None:
    MESSAGE.validate(sent(make_message(n_faces), with_labels=with_labels))


def test_a_message_has_the_fields_of_the_schema_and_no_other() -> None:
    message = sent(make_message(), with_labels=True)
    of_aus = {"auLabels", "auNames", "auMeasure"}  # only where AUs are: test_live_aus.py
    assert set(message) == set(SCHEMA["properties"]) - of_aus
    assert set(message) - set(SCHEMA["required"]) == {"labels"}
    face = set(SCHEMA["$defs"]["face"]["properties"])
    assert set(message["faces"][0]) == face - {"aus", "auConfidence"}
    assert set(message["faces"][0]["position"]) == set(SCHEMA["$defs"]["position"]["properties"])


def test_every_field_is_described() -> None:
    for owner in (SCHEMA, SCHEMA["$defs"]["face"], SCHEMA["$defs"]["position"]):
        for name, rule in owner["properties"].items():
            target = SCHEMA["$defs"].get(rule.get("$ref", "").rpartition("/")[2], rule)
            assert target["description"].endswith("."), name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("v",), 2),
        (("seq",), -1),
        (("faceCount",), "1"),
        (("labels",), "Angry"),
        (("frameWidth",), 640.5),
        (("faces", 0, "id"), 0),
        (("faces", 0, "confidence"), 1.2),
        (("faces", 0, "expressionIdx"), None),
        (("faces", 0, "scores"), {"Angry": 1.0}),
        (("faces", 0, "position", "x"), -1),
        (("faces", 0, "position", "width"), 0),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: tuple[str | int, ...], value: object) -> None:
    message: Any = sent(make_message(), with_labels=True)
    owner = message
    for step in path[:-1]:
        owner = owner[step]
    owner[path[-1]] = value
    assert not MESSAGE.is_valid(message)


def test_a_field_that_comes_later_does_no_harm() -> None:
    MESSAGE.validate(sent(make_message()) | {"mood": "mild"})


def test_the_references_fields_come_first_in_its_order_and_types() -> None:
    text = make_message(1, answer=3).line().decode()
    assert text.startswith(
        '{"faceCount":1,"faces":[{"expressionIdx":3,"expression":"Happy",'
        '"position":{"x":20,"y":10,"width":30,"height":35},'
    )


def test_the_references_object_alone_has_no_other_field() -> None:
    message = make_message(2, answer=6)
    faces = [reference_face(face, message.expressions) for face in message.faces]
    assert json.dumps(faces[0]) == (
        '{"expressionIdx": 6, "expression": "Neutral", '
        '"position": {"x": 20, "y": 10, "width": 30, "height": 35}}'
    )
    UNITY_V1.validate({"faceCount": 2, "faces": faces})
    assert not UNITY_V1.is_valid({"faceCount": 2, "faces": faces, "v": 1})
    assert not UNITY_V1.is_valid({"faceCount": 1, "faces": [faces[0] | {"id": 1}]})


def test_labels_only_where_they_are_asked_for() -> None:
    message = make_message(1, Emotions())
    assert "labels" not in sent(message)
    labels = sent(message, with_labels=True)["labels"]
    assert labels == ["Angry", "Disgust", "Happy", "Neutral", "Sad", "Surprise"]


def test_labels_say_which_score_is_whose() -> None:
    for answer, name in enumerate(DEFAULT_NAMES):
        message = sent(make_message(1, Emotions(), answer), with_labels=True)
        face = message["faces"][0]
        best = message["labels"][int(np.argmax(face["scores"]))]
        assert best == face["expression"] == name.capitalize()
        assert face["confidence"] == max(face["scores"]) == 0.9


@pytest.mark.parametrize(
    "names",
    [
        SEVEN.names,
        DEFAULT_NAMES,
        ("neutral", "surprise", "sad", "happy", "fear", "disgust", "angry"),
    ],
)
def test_numbers_are_the_references_whatever_the_models_order(names: tuple[str, ...]) -> None:
    reference = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
    for answer, name in enumerate(names):
        face = sent(make_message(1, Emotions(names), answer))["faces"][0]
        assert face["expression"] == name.capitalize()
        assert reference[face["expressionIdx"]] == face["expression"]


@pytest.mark.parametrize(
    ("name", "word", "number"),
    [("joy", "Happy", 3), ("anger", "Angry", 0), ("fearful", "Fear", 2), ("sadness", "Sad", 4)],
)
def test_a_model_may_use_other_words(name: str, word: str, number: int) -> None:
    face = sent(make_message(1, Emotions((name, "neutral"))))["faces"][0]
    assert (face["expression"], face["expressionIdx"]) == (word, number)


def test_every_known_alias_has_the_number_of_what_it_stands_for() -> None:
    for alias, name in ALIASES.items():
        (number, _) = Expressions.of(Emotions((alias, "boredom"))).numbers
        assert number == NUMBERS.get(name, 7), alias


def test_other_emotions_are_numbered_after_the_references() -> None:
    found = Expressions.of(Emotions(("contempt", "happy", "boredom")))
    assert found.words == ("Contempt", "Happy", "Boredom")
    assert found.numbers == (7, 3, 8)
    assert found.colours == (OTHER_COLOUR, COLOURS["happy"], OTHER_COLOUR)


def test_a_model_with_two_words_for_one_emotion_keeps_them_apart() -> None:
    found = Expressions.of(Emotions(("joy", "happy", "sad")))
    assert found.words == ("Joy", "Happy", "Sad")
    assert len(set(found.numbers)) == 3
    assert found.numbers[1:] == (NUMBERS["happy"], NUMBERS["sad"])


@given(
    names=st.lists(
        st.one_of(st.sampled_from(list(NUMBERS) + list(ALIASES)), st.text("abcäß -", min_size=1)),
        min_size=2,
        max_size=9,
        unique=True,
    )
)
def test_words_and_numbers_of_a_model_are_all_different(names: list[str]) -> None:
    plain = [n for n in names if n.strip(" -") == n and n]
    assume(len(plain) >= 2)
    found = Expressions.of(Emotions(tuple(plain)))
    assert len(set(found.names)) == len(set(found.numbers)) == len(plain)
    message = Message(0, 0.0, 0.0, 1, 1, (), found)
    assert sent(message, with_labels=True)["labels"] == list(found.words)


def test_figures_are_rounded_to_what_they_can_say() -> None:
    message = sent(make_message(timestamp=12.34567, fps=29.9712))
    assert (message["timestamp"], message["fps"]) == (12.346, 30.0)
    thirds = Face(1, Box(0, 0, 2, 2), 0, (1 / 3,) * 3)
    expressions = Expressions.of(Emotions(("angry", "happy", "sad")))
    face = sent(Message(0, 0.0, 0.0, 4, 4, (thirds,), expressions))["faces"][0]
    assert face["scores"] == [0.3333] * 3
    assert face["confidence"] == 0.3333


def test_a_line_is_plain_ascii_also_where_a_name_is_not() -> None:
    message = make_message(1, Emotions(("überrascht", "sad")))
    assert message.line(with_labels=True).isascii()
    assert sent(message)["faces"][0]["expression"] == "Überrascht"


def test_the_pictures_name_is_not_told() -> None:
    assert b"secret" not in make_message(image="secret.jpg").line(with_labels=True)


@pytest.mark.parametrize(
    ("other", "overlap"),
    [
        (Box(0, 0, 10, 10), 1.0),
        (Box(5, 0, 10, 10), 50 / 150),
        (Box(2, 2, 5, 5), 0.25),
        (Box(10, 0, 10, 10), 0.0),
        (Box(30, 30, 10, 10), 0.0),
        (Box(-5, -5, 10, 10), 25 / 175),
    ],
)
def test_how_much_two_boxes_have_in_common(other: Box, overlap: float) -> None:
    box = Box(0, 0, 10, 10)
    assert box.overlap(other) == pytest.approx(overlap)
    assert other.overlap(box) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        (Box(1, 2, 3, 4), Box(1, 2, 3, 4)),
        (Box(-2, -3, 10, 10), Box(0, 0, 8, 7)),
        (Box(15, 5, 10, 10), Box(15, 5, 5, 5)),
        (Box(-5, -5, 100, 100), Box(0, 0, 20, 10)),
        (Box(20, 0, 5, 5), None),
        (Box(0, -5, 5, 5), None),
    ],
)
def test_the_part_of_a_box_that_lies_in_the_frame(box: Box, inside: Box | None) -> None:
    assert box.inside(20, 10) == inside


def test_a_box_cuts_its_pixels_out_of_a_frame() -> None:
    frame = np.arange(20 * 10 * 3).reshape(10, 20, 3)
    cut = Box(4, 2, 3, 5).cut(frame)
    assert cut.shape == (5, 3, 3)
    assert (cut == frame[2:7, 4:7]).all()
    assert Box(4, 2, 3, 5).cut(frame[:, :, 0]).shape == (5, 3)


def test_a_box_knows_its_middle_and_area() -> None:
    box = Box(4, 2, 3, 5)
    assert box.middle == (5.5, 4.5)
    assert box.area == 15
