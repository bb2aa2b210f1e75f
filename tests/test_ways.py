"""In which ways a picture is handed over, and where its pixels are then."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aufer.errors import UsageError
from aufer.openface.ways import (
    AS_IT_IS,
    ENLARGE_AUTO,
    ENLARGE_OFF,
    LONGEST_SIDE,
    SMALLEST_SIDE,
    Enlarge,
    Way,
    to_original,
    ways_for,
)

_sides = st.integers(1, 6000)
_ways = st.builds(Way, side=st.integers(0, 800), border=st.integers(0, 100))
_enlarge = st.one_of(
    st.just(ENLARGE_AUTO), st.just(ENLARGE_OFF), st.integers(43, 2048).map(lambda n: Enlarge(n, n))
)


def _names(width: int, height: int, enlarge: Enlarge, looks: int = 9) -> list[str]:
    return [way.name for way in ways_for(width, height, enlarge, looks)]


@pytest.mark.parametrize(
    ("size", "text", "names"),
    [
        ((48, 48), "auto", ["192", "192+25%", "384+25%", "192+50%"]),
        ((640, 149), "auto", ["192", "192+25%", "384+25%", "192+50%"]),
        ((150, 640), "auto", ["as it is", "192+25%", "384+25%", "192+50%"]),
        ((192, 192), "auto", ["as it is", "+25%", "384+25%", "+50%"]),
        ((384, 400), "auto", ["as it is", "+25%", "+50%"]),
        ((3000, 4000), "auto", ["as it is", "+25%"]),  # with 50 % more than 25 megapixels
        ((4000, 6000), "auto", ["as it is"]),
        ((48, 48), "off", ["as it is", "+25%", "+50%"]),
        ((43, 43), "off", ["as it is", "+25%", "+50%"]),
        ((42, 400), "off", []),
        ((400, 42), "off", []),
        ((42, 42), "auto", ["192", "192+25%", "384+25%", "192+50%"]),
        ((1, 1), "auto", ["192", "192+25%", "384+25%", "192+50%"]),
        ((100, 120), "100", ["as it is", "+25%", "200+25%", "+50%"]),
        ((99, 120), "100", ["100", "100+25%", "200+25%", "100+50%"]),
        ((43, 4000), "auto", ["192", "192+25%", "192+50%"]),  # all of them 44x4096
        ((43, 4096), "auto", ["as it is", "+25%", "+50%"]),
        ((30, 4000), "auto", []),
        ((5, 9000), "auto", []),
    ],
)
def test_ways_by_size(size: tuple[int, int], text: str, names: list[str]) -> None:
    assert _names(*size, Enlarge.parse(text)) == names


def test_no_more_ways_than_looks() -> None:
    assert _names(48, 48, ENLARGE_AUTO, 1) == ["192"]
    assert _names(48, 48, ENLARGE_AUTO, 3) == ["192", "192+25%", "384+25%"]


@given(_sides, _sides, _enlarge, st.integers(1, 5))
def test_ways_differ_and_none_is_what_openface_aborts_at(width, height, enlarge, looks) -> None:
    ways = ways_for(width, height, enlarge, looks)
    places = [way.place(width, height) for way in ways]
    assert len(set(places)) == len({way.name for way in ways}) == len(ways) <= looks
    for way, place in zip(ways, places, strict=True):
        assert min(place.width, place.height) >= SMALLEST_SIDE
        assert place.is_unchanged == (way == AS_IT_IS)
    # a turned picture is tried in the same ways
    assert ways_for(height, width, enlarge, looks) == ways


@given(_ways, _sides, _sides)
def test_a_picture_never_shrinks_keeps_its_shape_and_stays_below_the_limit(way, width, height):
    place = way.place(width, height)
    assert place.width >= width
    assert place.height >= height
    assert max(place.width, place.height) <= max(LONGEST_SIDE, width, height)
    assert place.scale_x == pytest.approx(place.scale_y, abs=0.5 / min(width, height) + 1e-6)
    assert place.border == round(way.border / 100 * min(place.width, place.height))
    if way.side and way.side >= min(width, height) and max(place.width, place.height) < 4096:
        assert min(place.width, place.height) == way.side


@given(_ways, st.integers(1, 900), st.integers(1, 900), st.data())
def test_a_pixels_middle_is_mapped_back_into_it(way, width, height, data) -> None:
    place = way.place(width, height)
    x = data.draw(st.integers(0, width - 1))
    first, last = x * place.scale_x, (x + 1) * place.scale_x  # its edges when enlarged
    middle = np.array([(first + last) / 2 - 0.5 + place.border])
    assert to_original(middle, place.border, place.scale_x) == pytest.approx([x], abs=1e-6)
    edges = np.array([-0.5, place.height - 0.5]) + place.border
    assert to_original(edges, place.border, place.scale_y) == pytest.approx(
        [-0.5, height - 0.5], abs=1e-6
    )


def test_the_scale_is_the_shorter_sides() -> None:
    place = Way(192, 25).place(48, 61)
    assert (place.width, place.height, place.border, place.scale) == (192, 244, 48, 4.0)
    assert Way(192).place(61, 48).scale == 4.0
    unchanged = AS_IT_IS.place(640, 480)
    assert (unchanged.scale, unchanged.border) == (1.0, 0)


@given(_ways)
def test_a_ways_name_reads_back(way: Way) -> None:
    assert Way.parse(way.name) == way


@pytest.mark.parametrize("name", ["", "+", "192+", "192+%", "0", "+0%", "192 + 25%", "AS IT IS"])
def test_no_other_name_is_a_way(name: str) -> None:
    with pytest.raises(ValueError, match="no way"):
        Way.parse(name)


@pytest.mark.parametrize("text", ["auto", "off", "43", "192", "2048"])
def test_enlarge_reads_back(text: str) -> None:
    assert str(Enlarge.parse(text.upper())) == text


@pytest.mark.parametrize("text", ["", "on", "-1", "0", "42", "2049", "1.5", "²", "9" * 5000])
def test_other_enlargements_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--enlarge") as failure:
        Enlarge.parse(text)
    assert "--enlarge auto" in (failure.value.hint or "")
