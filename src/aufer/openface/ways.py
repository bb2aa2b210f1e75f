"""The ways in which a picture can be handed to OpenFace: its size, or larger, with a border or not.

The figures were measured with OpenFace itself. Of 276 faces reduced to 48-128 pixels and enlarged
(cubic) to 192, the AUs agree better with those of the 350-pixel originals than unenlarged (mean
Pearson r at 64 pixels .931, as they are .857; at 176 pixels .952 and .962); enlarging further gains
nothing. A border makes them a little worse, but finds tight crops: of 556 faces of FER2013
(48 pixels) 393 were found with confidence at 192, 473 where those not found were tried in further
ways.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aufer.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

SMALLEST_SIDE = 43
"""OpenFace aborts (134) at a picture with a side of 42 pixels or less."""

SMALLEST_FACE = 60
"""OpenFace's face detector (MTCNN) finds no face below so many pixels."""

LONGEST_SIDE = 4096
"""Nothing is enlarged beyond so many pixels on its longer side: narrow strips are no portraits."""

MOST_PIXELS = 25_000_000
"""Of a further look: OpenFace takes 1 GB of memory for so many, and some seconds."""

DEFAULT_LOOKS = 3
"""So many ways are tried at most, the first included, until a face is found with confidence."""

_LARGEST_TARGET = 2048
_NAME = re.compile(r"(?=.)([1-9]\d*)?(?:\+([1-9]\d*)%)?")
_AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Placement:
    """Where the original lies in the picture that is handed over.

    Attributes:
        width, height: pixels of the enlarged picture, without the border.
        border: pixels on every side.
        scale_x, scale_y: enlarged pixels per original pixel; 1 or more.
    """

    width: int
    height: int
    border: int
    scale_x: float
    scale_y: float

    @property
    def scale(self) -> float:
        """The scale of the shorter side, the one that is rounded least."""
        return self.scale_x if self.width <= self.height else self.scale_y

    @property
    def n_pixels(self) -> int:
        """Of the whole picture, border included."""
        return (self.width + 2 * self.border) * (self.height + 2 * self.border)

    @property
    def is_unchanged(self) -> bool:
        """Whether the picture handed over has just the original's pixels."""
        return not self.border and self.scale_x == self.scale_y == 1

    @property
    def depth_factor(self) -> float:
        """By how much a border makes OpenFace overrate the distance of a face.

        It takes the focal length for 500/640 of the picture's width and 500/480 of its height
        (their mean), border included.
        """
        border = 2 * self.border * (1 / 640 + 1 / 480)
        return 1 + border / (self.width / 640 + self.height / 480)


def to_original(values: np.ndarray, border: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Coordinates in pictures handed over as the originals'; pixels, centres whole numbers.

    Lengths (the width of a box) are only divided by the scale.
    """
    return (values - border + 0.5) / scale - 0.5


@dataclass(frozen=True)
class Way:
    """One way to hand over a picture.

    Attributes:
        side: the shorter side is enlarged to so many pixels, never reduced; 0: size as it is.
        border: percent of the shorter side (once enlarged), replicated on every side; 0: none.
    """

    side: int = 0
    border: int = 0

    @property
    def name(self) -> str:
        """As tables and the store spell it: ``as it is``, ``192``, ``192+25%``, ``+25%``."""
        border = f"+{self.border}%" if self.border else ""
        return f"{self.side or ''}{border}" or _AS_IT_IS

    @classmethod
    def parse(cls, name: str) -> Way:
        """The way of a `name`.

        Raises:
            ValueError: no way is called so.
        """
        if name == _AS_IT_IS:
            return cls()
        parts = _NAME.fullmatch(name)
        if not parts:
            raise ValueError(f"no way to hand over a picture is called {name!r}")
        return cls(int(parts[1] or 0), int(parts[2] or 0))

    def place(self, width: int, height: int) -> Placement:
        """Where an upright original of so many pixels ends up."""
        shorter, longer = sorted((width, height))
        scale = max(1.0, min(self.side / shorter, LONGEST_SIDE / longer))
        new_width, new_height = round(width * scale), round(height * scale)
        border = round(min(new_width, new_height) * self.border / 100)
        return Placement(new_width, new_height, border, new_width / width, new_height / height)


AS_IT_IS = Way()
"""Size as it is, no border."""


@dataclass(frozen=True)
class Enlarge:
    """What ``--enlarge`` asks for: pictures with a shorter side ``below`` are enlarged ``to``.

    Both in pixels; 0 and 0: nothing is enlarged. The default was measured to be best: enlarging to
    192 helps below 150 pixels, and harms a little above.
    """

    below: int = 150
    to: int = 192

    @classmethod
    def parse(cls, text: str) -> Enlarge:
        """``auto``, ``off``, or a number of pixels: what is smaller is enlarged to that.

        Raises:
            UsageError: it is none of these, or a number that makes no sense.
        """
        word = text.strip().lower()
        if word in ("auto", "off"):
            return ENLARGE_AUTO if word == "auto" else ENLARGE_OFF
        if not (word.isascii() and word.isdigit() and len(word) < 9):
            raise UsageError(
                f"--enlarge {text!r} is neither auto, off nor a number of pixels.",
                hint="--enlarge auto is what was measured to be best",
            )
        if not SMALLEST_SIDE <= int(word) <= _LARGEST_TARGET:
            few = f"OpenFace needs at least {SMALLEST_SIDE}"
            why = few if int(word) < SMALLEST_SIDE else f"{_LARGEST_TARGET} is plenty"
            raise UsageError(
                f"--enlarge {word} pixels: {why}.",
                hint="192 is what was measured to be best: --enlarge auto",
            )
        return cls(int(word), int(word))

    def __str__(self) -> str:
        words = {ENLARGE_AUTO: "auto", ENLARGE_OFF: "off"}
        return words.get(self) or str(self.to)


ENLARGE_AUTO = Enlarge()
ENLARGE_OFF = Enlarge(below=0, to=0)


@functools.lru_cache(maxsize=10_000)  # asked several times for each picture
def ways_for(width: int, height: int, enlarge: Enlarge, looks: int) -> tuple[Way, ...]:
    """The ways in which to try a picture, in order; no two come to the same.

    The first is the most accurate one, the others find tight crops: enlarged to the target, and to
    twice as much, with 25 % border, then to the target with 50 %. Where nothing is enlarged, a
    border alone is tried.

    Args:
        width, height: pixels of the upright original.
        enlarge: what to enlarge, and how far.
        looks: at most so many ways, 1 or more.

    Returns:
        nothing if the picture is too small to be handed over (`SMALLEST_SIDE`).
    """
    to = enlarge.to
    first = Way(to if min(width, height) < enlarge.below else 0)
    ways: dict[Placement, Way] = {}
    for way in (first, Way(to, 25), Way(2 * to, 25), Way(to, 50)):
        place = way.place(width, height)
        if min(place.width, place.height) < SMALLEST_SIDE:
            return ()
        if (place.width, place.height) == (width, height):
            way = Way(0, way.border)  # noqa: PLW2901
        if not ways or place.n_pixels <= MOST_PIXELS:
            ways.setdefault(place, way)
    return tuple(ways.values())[:looks]
