"""Steps for the tests of sinks: pictures of one colour with faces whose scores the test says."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from aufer.emotions import Emotions
from aufer.live.box import Box
from aufer.live.expressions import Expressions
from aufer.live.frame import Frame
from aufer.live.message import Face, Message
from aufer.live.sinks.sink import Step

EXPRESSIONS = Expressions.of(
    Emotions(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
)
TEAL = (120, 100, 20)
"""Blue, green, red."""


def face(number: int, name: str, score: float = 0.64, box: tuple[int, ...] = ()) -> Face:
    """A face whose answer is that expression; the other scores are equal."""
    top = EXPRESSIONS.names.index(name)
    rest = (1 - score) / (len(EXPRESSIONS.names) - 1)
    scores = tuple(score if at == top else rest for at in range(len(EXPRESSIONS.names)))
    return Face(number, Box(*(box or (100, 120, 200, 200))), top, scores)


def step(
    seq: int,
    faces: Sequence[Face] = (),
    *,
    pixels: np.ndarray | None = None,
    with_frame: bool = True,
) -> Step:
    """A step of 640x480 pixels, or of those that are given."""
    if pixels is None:
        pixels = np.full((480, 640, 3), TEAL, dtype=np.uint8)
    height, width = pixels.shape[:2]
    message = Message(seq, time.time(), 25.0, width, height, tuple(faces), EXPRESSIONS)
    frame = Frame(pixels, seq, time.time(), time.perf_counter()) if with_frame else None
    return Step(message, frame)
