"""Action Units, emotions, errors: the words that everything else speaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aufer.action_units import INTENSITY_COLUMNS, PRESENCE_COLUMNS, au_key, clean_names
from aufer.emotions import ALIASES, DEFAULT_NAMES, Emotions
from aufer.errors import DataError


def test_the_columns_are_openfaces_own_in_its_order() -> None:
    assert len(INTENSITY_COLUMNS) == 17
    assert len(PRESENCE_COLUMNS) == 18
    assert INTENSITY_COLUMNS[0] == "AU01_r"
    assert INTENSITY_COLUMNS[-1] == "AU45_r"
    assert set(PRESENCE_COLUMNS) - {c.replace("_r", "_c") for c in INTENSITY_COLUMNS} == {"AU28_c"}
    assert list(PRESENCE_COLUMNS) == sorted(PRESENCE_COLUMNS)


def test_the_default_order_is_the_reference_projects_label_numbers() -> None:
    assert [Emotions().number(name) for name in DEFAULT_NAMES] == [0, 1, 2, 3, 4, 5]
    assert DEFAULT_NAMES == ("angry", "disgust", "happy", "neutral", "sad", "surprise")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Angry", "angry"),
        ("ANGER", "angry"),
        (" happiness ", "happy"),
        ("sadness", "sad"),
        ("surprised", "surprise"),
        (4, "sad"),
        ("4", "sad"),
        (4.0, "sad"),
        ("fear", None),
        ("6", None),
        ("-1", None),
        ("1.5", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_words_for_emotions(word: object, name: str | None) -> None:
    assert Emotions().find(word) == name


def test_a_set_that_uses_an_alias_as_its_name_knows_the_family() -> None:
    emotions = Emotions.parse("anger,joy")
    assert emotions.find("angry") == "anger"
    assert emotions.find("Happy") == "joy"
    assert emotions.find("anger") == "anger"
    assert emotions.find("sad") is None


def test_every_alias_points_to_a_canonical_name() -> None:
    assert not set(ALIASES) & set(ALIASES.values())


def test_an_unknown_word_is_told_with_the_nearest_known_one() -> None:
    with pytest.raises(DataError) as raised:
        Emotions().check(["angry", "hapy"], "The folder x")
    assert "'hapy'" in raised.value.message
    assert "angry, disgust, happy" in raised.value.message
    assert raised.value.hint is not None
    assert "'happy'" in raised.value.hint


@pytest.mark.parametrize("text", ["angry", "", "sad,sad", "status,happy", "0,1"])
def test_a_set_needs_two_different_emotions(text: str) -> None:
    with pytest.raises(DataError):
        Emotions.parse(text)


def test_names_lose_their_spaces_and_byte_order_mark() -> None:
    assert clean_names(["\ufeffface", " confidence", "AU01_r "]) == ["face", "confidence", "AU01_r"]


@given(st.lists(st.integers(0, 500), min_size=17, max_size=17))
def test_equal_aus_have_equal_keys_and_others_not(hundredths: list[int]) -> None:
    values = [n / 100 for n in hundredths]
    assert au_key(values) == au_key([n * 0.01 for n in hundredths])
    changed = [*values[:-1], values[-1] + 0.01]
    assert au_key(changed) != au_key(values)


def test_an_unmeasured_face_equals_no_other() -> None:
    assert au_key([float("nan")] * 17) == ""
    assert au_key([-0.0] * 17) == au_key([0.0] * 17)
