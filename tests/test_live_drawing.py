"""Boxes and labels on frames; frames of any size in those of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aufer.live.drawing import draw_faces, label_of, text_colour, to_bgr
from aufer.live.letterbox import fit_into, take_out_of
from tests.tcp_case import EXPRESSIONS, make_message


@pytest.mark.parametrize("size", [(1920, 1080), (640, 480), (97, 61), (20, 16)])
@pytest.mark.parametrize("with_bars", [False, True])
def test_boxes_and_labels_are_drawn_on_a_copy(size: tuple[int, int], with_bars: bool) -> None:
    width, height = size
    pixels = np.full((height, width, 3), 128, np.uint8)
    message = make_message(0, 3)
    box = replace(message.faces[0].box, x=width // 2, y=0, width=width // 2, height=height)
    faces = (
        replace(message.faces[0], box=box, expression=0),
        replace(message.faces[1], box=replace(box, x=-5, y=height - 6, width=12, height=30)),
        replace(message.faces[2], box=replace(box, x=width - 1, y=height - 1, width=1, height=1)),
    )
    message = replace(message, width=width, height=height, faces=faces)
    drawn = draw_faces(pixels, message, with_bars=with_bars)
    assert drawn.shape == pixels.shape
    assert (pixels == 128).all()
    red = to_bgr(EXPRESSIONS.colours[0])
    assert (drawn == red).all(axis=2).sum() >= width // 2  # at least the box's upper edge
    # a frame in a larger picture: nothing is drawn beside it
    canvas = np.full((height + 20, width + 20, 3), 128, np.uint8)
    draw_on = canvas[10:-10, 10:-10]
    assert (draw_faces(draw_on, message) != 128).any()
    assert (canvas == 128).all()


def test_labels_say_who_what_and_how_sure() -> None:
    message = make_message(0, 2)
    assert label_of(message.faces[0], EXPRESSIONS) == "#1 Happy 88 %"
    assert label_of(message.faces[1], EXPRESSIONS) == "#2 Sad 88 %"


def test_text_can_be_read_on_every_colour() -> None:
    def luminance(bgr: tuple[int, int, int]) -> float:
        parts = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in bgr]
        return 0.0722 * parts[0] + 0.7152 * parts[1] + 0.2126 * parts[2]

    for colour in EXPRESSIONS.colours:
        bgr = to_bgr(colour)
        one, other = sorted((luminance(bgr), luminance(text_colour(bgr))))
        assert (other + 0.05) / (one + 0.05) > 4.5, colour


@pytest.mark.parametrize("size", [(64, 48), (1000, 10), (10, 1000), (1, 1), (63, 49)])
def test_pictures_of_any_size_fit_a_frame_and_come_back(size: tuple[int, int]) -> None:
    width, height = size
    pixels = np.full((height, width, 3), 200, np.uint8)
    framed = fit_into(pixels, 64, 48)
    assert framed.shape == (48, 64, 3)
    assert framed.max() == 200
    back = take_out_of(framed, width, height)
    assert back.shape == pixels.shape
    assert (back == 200).all()
