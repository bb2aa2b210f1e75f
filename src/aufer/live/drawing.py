"""Boxes and labels of a message, drawn on a copy of its frame."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from aufer.live.box import Box
from aufer.live.expressions import Expressions
from aufer.live.message import Face, Message
from aufer.pictures.opencv import opencv

Colour = tuple[int, int, int]
"""Blue, green, red, 0-255."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
GREY: Colour = (70, 70, 70)

_LINES_A_FRAME = 26  # lines of text that would fill a frame's shorter side
_CAP_HEIGHT = 22.0  # pixels of a capital of Hershey's font at scale 1
_SMALLEST_LINE = 12
_BAR_WIDTH_IN_LINES = 5


def draw_faces(pixels: np.ndarray, message: Message, *, with_bars: bool = False) -> np.ndarray:
    """A copy of a frame with a box and a label ("#1 Happy 93 %") for each face.

    Lines and letters grow with the frame. Labels stay inside it, also those of faces at its edge.

    Args:
        pixels: uint8 [h, w, 3], BGR. message: what is said of that frame.
        with_bars: also a bar for each expression, in the box of each face that is large enough.

    Returns:
        uint8 [h, w, 3], BGR.
    """
    drawn = np.ascontiguousarray(pixels).copy()
    pen = _Pen.of(drawn)
    for face in reversed(message.faces):  # the largest last: on top
        colour = to_bgr(message.expressions.colours[face.expression])
        pen.outline(face.box, colour)
        if with_bars:
            pen.bars(face, message.expressions)
        pen.label(label_of(face, message.expressions), face.box, colour)
    return drawn


def label_of(face: Face, expressions: Expressions) -> str:
    """What is written at a face: ``#1 Happy 93 %``."""
    return f"#{face.id} {expressions.words[face.expression]} {face.confidence * 100:.0f} %"


def to_bgr(colour: str) -> Colour:
    """``#rrggbb`` as OpenCV has it."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return blue, green, red


def text_colour(background: Colour) -> Colour:
    """Black or white, whichever has more contrast (WCAG 2's relative luminance)."""
    parts = [value / 255 for value in background]
    blue, green, red = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return BLACK if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else WHITE


@dataclass(frozen=True)
class _Pen:
    """Draws on a frame, in sizes that fit it.

    Attributes:
        line_height: of a line of text, in pixels. stroke: how thick lines are.
    """

    cv2: ModuleType
    pixels: np.ndarray
    line_height: int
    stroke: int

    @classmethod
    def of(cls, pixels: np.ndarray) -> _Pen:
        side = min(pixels.shape[:2])
        return cls(
            opencv(),
            pixels,
            line_height=max(_SMALLEST_LINE, round(side / _LINES_A_FRAME)),
            stroke=max(1, round(side / 240)),
        )

    @property
    def font(self) -> int:
        return int(self.cv2.FONT_HERSHEY_SIMPLEX)

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def outline(self, box: Box, colour: Colour) -> None:
        corner = (box.x + box.width - 1, box.y + box.height - 1)
        self.cv2.rectangle(self.pixels, (box.x, box.y), corner, colour, self.stroke)

    def label(self, text: str, box: Box, colour: Colour) -> None:
        """Above the box; inside it where there is no room above."""
        margin = max(2, self.line_height // 5)
        scale, text_width = self._fitted(text, self.width - 2 * margin)
        height = min(self.line_height, self.height)
        width = min(text_width + 2 * margin, self.width)
        left = min(max(box.x, 0), self.width - width)
        top = min(max(box.y - height if box.y >= height else box.y, 0), self.height - height)
        self._fill(left, top, width, height, colour)
        baseline = top + (height + round(_CAP_HEIGHT * scale)) // 2
        self._write(text, left + margin, baseline, scale, text_colour(colour))

    def bars(self, face: Face, expressions: Expressions) -> None:
        """One for each expression in the box's lower left corner."""
        box = face.box.inside(self.width, self.height)
        row = max(_SMALLEST_LINE, round(self.line_height * 0.75))
        full = _BAR_WIDTH_IN_LINES * self.line_height
        if box is None or box.width < 2 * full or box.height < 2 * row * len(face.scores):
            return  # they would hide the face
        left = box.x + self.stroke
        top = box.y + box.height - self.stroke - row * len(face.scores)
        scale = self._scale(row)
        for k, score in enumerate(face.scores):
            y = top + k * row
            self._fill(left, y, full, row, GREY)
            filled = round(full * min(max(score, 0.0), 1.0))
            self._fill(left, y, filled, row, to_bgr(expressions.colours[k]))
            baseline = y + (row + round(_CAP_HEIGHT * scale)) // 2
            self._write(expressions.words[k], left + 2, baseline, scale, WHITE, edge=BLACK)

    def _scale(self, line_height: int) -> float:
        return 0.55 * line_height / _CAP_HEIGHT

    def _fitted(self, text: str, most: int) -> tuple[float, int]:
        """The font's scale with which the text is at most so wide, and how wide it then is."""
        scale = self._scale(self.line_height)
        (width, _), _ = self.cv2.getTextSize(text, self.font, scale, self._text_stroke)
        if width > most > 0:
            scale, width = scale * most / width, most
        return scale, int(width)

    @property
    def _text_stroke(self) -> int:
        return max(1, self.line_height // 18)

    def _fill(self, left: int, top: int, width: int, height: int, colour: Colour) -> None:
        self.pixels[top : top + height, left : left + width] = colour

    def _write(
        self, text: str, x: int, y: int, scale: float, colour: Colour, edge: Colour | None = None
    ) -> None:
        """The text; with an edge where it stands on more than one colour."""
        antialiased = self.cv2.LINE_AA
        strokes = [(colour, self._text_stroke)]
        if edge is not None:
            strokes.insert(0, (edge, self._text_stroke + 2))
        for ink, stroke in strokes:
            self.cv2.putText(self.pixels, text, (x, y), self.font, scale, ink, stroke, antialiased)
