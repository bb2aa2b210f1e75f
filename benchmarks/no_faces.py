"""Pictures of no one: noise, gradients, textures, drawn faces and drawn things, made by chance.

They test the AU network's confidence. The training has drawings of its own
(classifiers/au_net_spoilt.py); these are made in another way, so that the test is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np

Chance = np.random.Generator


class Sheet:
    """Grey paper to draw on; places and lengths are parts of its side, (0, 0) is the middle."""

    def __init__(self, chance: Chance, paper: int) -> None:
        self.side = int(chance.integers(120, 480))
        self.grey = np.full((self.side, self.side), paper, np.uint8)
        self._zoom = self.side * chance.uniform(0.7, 1.05)
        self._off = self.side * (0.5 + chance.normal(0, 0.02, 2))

    def _at(self, points: Iterable[Iterable[float]]) -> np.ndarray:
        placed = np.array(list(points), float) * self._zoom + self._off
        return np.asarray((placed * 16).round(), dtype=np.int32)  # sixteenths of a pixel

    def _pen(self, width: float) -> int:
        return max(1, round(width * self._zoom)) if width > 0 else -1

    def oval(
        self, x: float, y: float, across: float, down: float, ink: int, width: float = 0
    ) -> None:
        """An ellipse; ``width`` of its line, 0: filled."""
        angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        self.shape(np.c_[x + across * np.cos(angles), y + down * np.sin(angles)], ink, width)

    def shape(self, points: Iterable[Iterable[float]], ink: int, width: float = 0) -> None:
        """A closed outline; ``width`` 0: filled."""
        placed = self._at(points)
        if width > 0:
            cv2.polylines(self.grey, [placed], True, ink, self._pen(width), cv2.LINE_AA, 4)
        else:
            cv2.fillPoly(self.grey, [placed], ink, cv2.LINE_AA, 4)

    def line(self, points: Iterable[Iterable[float]], ink: int, width: float) -> None:
        """A line through points."""
        cv2.polylines(self.grey, [self._at(points)], False, ink, self._pen(width), cv2.LINE_AA, 4)

    def curve(self, x: float, y: float, across: float, sag: float, ink: int, width: float) -> None:
        """A parabola, ``sag`` down in its middle."""
        t = np.linspace(-1, 1, 25)
        self.line(np.c_[x + across * t, y + sag * (1 - t**2)], ink, width)


def _tones(chance: Chance, n: int) -> list[int]:
    """Greys that differ from each other, in any order."""
    steps = np.linspace(10, 245, n) + chance.uniform(-8, 8, n)
    return [int(value) for value in chance.permutation(np.clip(steps, 0, 255))]


# ---- drawn faces


def smiley(chance: Chance) -> np.ndarray:
    """A disc or a ring, two eyes, a mouth."""
    paper, disc, ink = _tones(chance, 3)
    sheet = Sheet(chance, paper)
    sheet.oval(0, 0, 0.4, 0.4, disc)
    sheet.oval(0, 0, 0.4, 0.4, ink, chance.uniform(0.005, 0.03))
    apart, high = chance.uniform(0.11, 0.18), chance.uniform(0.06, 0.15)
    size = chance.uniform(0.03, 0.07)
    for x in (-apart, apart):
        sheet.oval(x, -high, size, size * chance.uniform(1, 1.9), ink)
    sheet.curve(
        0,
        0.14,
        chance.uniform(0.1, 0.24),
        chance.uniform(-0.12, 0.16),
        ink,
        chance.uniform(0.01, 0.04),
    )
    return sheet.grey


def cartoon(chance: Chance) -> np.ndarray:
    """Large eyes with irises and glints, hair as spikes, a dot of a nose."""
    paper, skin, hair, ink = _tones(chance, 4)
    sheet = Sheet(chance, paper)
    angles = np.linspace(np.pi, 2 * np.pi, 17)
    reach = np.where(np.arange(17) % 2, 0.5, 0.4)
    sheet.shape(np.c_[reach * np.cos(angles), -0.02 + reach * np.sin(angles)], hair)
    chin = np.array([[-0.34, -0.1], [-0.3, 0.2], [0, 0.42], [0.3, 0.2], [0.34, -0.1], [0, -0.3]])
    sheet.shape(chin, skin)
    wide, tall = chance.uniform(0.07, 0.11), chance.uniform(0.07, 0.13)
    for x in (-0.15, 0.15):
        sheet.oval(x, 0, wide, tall, 255)
        sheet.oval(x, 0.01, wide * 0.6, tall * 0.75, ink)
        sheet.oval(x - 0.02, -0.03, wide * 0.2, tall * 0.2, 255)
        sheet.curve(x, 0, wide * 1.1, -tall * 1.2, ink, 0.02)
        sheet.line([(x - 0.09, -0.17), (x + 0.09, -0.17 + chance.normal(0, 0.03))], hair, 0.025)
    sheet.line([(0, 0.1), (0.02, 0.14), (-0.01, 0.15)], ink, 0.01)
    sheet.curve(0, 0.24, chance.uniform(0.05, 0.13), chance.uniform(-0.05, 0.07), ink, 0.015)
    return sheet.grey


def outline(chance: Chance) -> np.ndarray:
    """A portrait of thin lines on paper."""
    paper, ink = (235, 30) if chance.random() < 0.7 else (25, 225)
    sheet, pen = Sheet(chance, paper), chance.uniform(0.004, 0.012)
    sheet.oval(0, 0, chance.uniform(0.26, 0.34), 0.4, ink, pen)
    for x in (-0.13, 0.13):
        sheet.curve(x, -0.06, 0.075, -0.045, ink, pen)
        sheet.curve(x, -0.06, 0.075, 0.03, ink, pen)
        sheet.oval(x, -0.065, 0.025, 0.028, ink, pen)
        sheet.curve(x, -0.14, 0.09, chance.uniform(-0.05, 0.01), ink, 2 * pen)
    sheet.line([(-0.03, -0.05), (-0.045, 0.08), (-0.01, 0.11), (0.04, 0.08)], ink, pen)
    width = chance.uniform(0.08, 0.13)
    sheet.curve(0, 0.2, width, chance.uniform(-0.03, 0.05), ink, pen)
    sheet.curve(0, 0.2, width, 0.06, ink, pen)
    for x in np.linspace(-0.28, 0.28, 14):
        sheet.line([(x, -0.3), (x * 1.25, -0.3 - 0.15 * chance.random())], ink, pen)
    return sheet.grey


def manikin(chance: Chance) -> np.ndarray:
    """A shaded head: soft, lit from a side, as a doll or a bust."""
    paper, skin = int(chance.integers(20, 235)), int(chance.integers(120, 225))
    sheet = Sheet(chance, paper)
    sheet.oval(0, -0.03, 0.36, 0.46, int(chance.integers(10, 90)))
    sheet.oval(0, 0.05, 0.3, 0.4, skin)
    for x in (-0.13, 0.13):
        sheet.oval(x, -0.05, 0.085, 0.055, skin - 55)
        sheet.oval(x, -0.05, 0.06, 0.026, 235)
        sheet.oval(x + chance.normal(0, 0.008), -0.05, 0.026, 0.026, 25)
        sheet.oval(x, -0.125, 0.085, 0.017, 45)
    sheet.oval(0, 0.06, 0.035, 0.11, skin + 20)
    sheet.oval(0, 0.155, 0.05, 0.015, skin - 70)
    sheet.oval(0, 0.26, chance.uniform(0.07, 0.13), chance.uniform(0.015, 0.05), skin - 75)
    soft = cv2.GaussianBlur(sheet.grey, (0, 0), sheet.side / chance.uniform(50, 120))
    light = np.linspace(chance.uniform(0.6, 1), chance.uniform(0.8, 1.2), sheet.side)
    lit = soft * (light if chance.random() < 0.5 else light[::-1])
    return np.clip(lit + chance.normal(0, 3, lit.shape), 0, 255).astype(np.uint8)


def mosaic(chance: Chance) -> np.ndarray:
    """A face of 12 to 20 large squares a side."""
    face, n = (
        (smiley, cartoon, manikin)[int(chance.integers(3))](chance),
        int(chance.integers(12, 21)),
    )
    small = cv2.resize(face, (n, n), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, face.shape, interpolation=cv2.INTER_NEAREST)


def crayon(chance: Chance) -> np.ndarray:
    """A child's drawing: shaky strokes, nothing quite in its place, a body of sticks."""
    sheet = Sheet(chance, int(chance.integers(215, 256)))
    ink, pen = int(chance.integers(0, 110)), chance.uniform(0.01, 0.03)

    def shaky(points: np.ndarray) -> np.ndarray:
        return points + chance.normal(0, 0.008, points.shape)

    angles = np.linspace(0, 2 * np.pi, 30)
    sheet.line(shaky(np.c_[0.28 * np.cos(angles), -0.08 + 0.3 * np.sin(angles)]), ink, pen)
    for x in (-0.11, 0.11):
        circle = np.c_[x + 0.05 * np.cos(angles), -0.14 + 0.05 * np.sin(angles)]
        sheet.line(shaky(circle), ink, pen)
        sheet.oval(x, -0.14, 0.018, 0.018, ink)
    sheet.line(shaky(np.array([(0, -0.1), (-0.03, 0), (0.02, 0)])), ink, pen)
    t = np.linspace(-1, 1, 12)
    sheet.line(shaky(np.c_[0.14 * t, 0.12 - chance.uniform(-0.05, 0.07) * t**2]), ink, pen)
    sheet.line([(0, 0.22), (0, 0.5)], ink, pen)
    return sheet.grey


# ---- drawn things that eyes take for faces


def socket(chance: Chance) -> np.ndarray:
    """A power socket: a plate with two or three holes."""
    wall, plate, hole = sorted(_tones(chance, 3), reverse=chance.random() < 0.5)
    sheet = Sheet(chance, wall)
    sheet.shape([(-0.4, -0.4), (0.4, -0.4), (0.4, 0.4), (-0.4, 0.4)], plate)
    sheet.oval(0, 0, 0.3, 0.3, hole, 0.015)
    for x in (-0.12, 0.12):
        sheet.oval(x, -0.05, 0.035, chance.uniform(0.03, 0.08), hole)
    sheet.oval(0, 0.14, chance.uniform(0.03, 0.09), 0.035, hole)
    return sheet.grey


def car(chance: Chance) -> np.ndarray:
    """A car from before: two lamps, a grille."""
    road, body, dark, lamp = _tones(chance, 4)
    sheet = Sheet(chance, road)
    sheet.shape([(-0.3, -0.4), (0.3, -0.4), (0.42, -0.1), (-0.42, -0.1)], dark)
    sheet.shape([(-0.45, -0.12), (0.45, -0.12), (0.42, 0.32), (-0.42, 0.32)], body)
    for x in (-0.28, 0.28):
        sheet.oval(x, 0, 0.09, chance.uniform(0.05, 0.09), lamp)
        sheet.oval(x, 0, 0.03, 0.03, dark)
    for y in np.linspace(0.1, 0.24, 5):
        sheet.line([(-0.2, y), (0.2, y)], dark, 0.015)
    return sheet.grey


def house(chance: Chance) -> np.ndarray:
    """A house front: a roof, two windows, a door."""
    sky, wall, roof, pane = _tones(chance, 4)
    sheet = Sheet(chance, sky)
    sheet.shape([(-0.36, -0.15), (0.36, -0.15), (0.36, 0.45), (-0.36, 0.45)], wall)
    sheet.shape([(-0.42, -0.15), (0, -0.45), (0.42, -0.15)], roof)
    for x in (-0.18, 0.18):
        sheet.shape([(x - 0.08, -0.04), (x + 0.08, -0.04), (x + 0.08, 0.1), (x - 0.08, 0.1)], pane)
        sheet.line([(x, -0.04), (x, 0.1)], roof, 0.012)
    sheet.shape([(-0.07, 0.22), (0.07, 0.22), (0.07, 0.45), (-0.07, 0.45)], roof)
    return sheet.grey


def cat(chance: Chance) -> np.ndarray:
    """A cat's head: ears, slit eyes, whiskers."""
    paper, fur, eye, ink = _tones(chance, 4)
    sheet = Sheet(chance, paper)
    for x in (-1, 1):
        sheet.shape([(0.36 * x, -0.42), (0.06 * x, -0.25), (0.34 * x, -0.02)], fur)
    sheet.oval(0, 0.05, 0.38, 0.33, fur)
    for x in (-1, 1):
        sheet.oval(0.16 * x, -0.02, 0.085, 0.06, eye)
        sheet.oval(0.16 * x, -0.02, 0.015, 0.055, ink)
        for y in (0.14, 0.18, 0.22):
            sheet.line([(0.1 * x, y), (0.45 * x, y + chance.normal(0, 0.03))], ink, 0.006)
    sheet.shape([(-0.04, 0.1), (0.04, 0.1), (0, 0.15)], ink)
    for x in (-0.06, 0.06):
        sheet.curve(x, 0.18, 0.06, 0.04, ink, 0.01)
    return sheet.grey


# ---- nothing at all


def noise(chance: Chance) -> np.ndarray:
    """Grains of 1 to 40 pixels, hard or soft."""
    side = int(chance.integers(120, 480))
    n = max(3, side // int(chance.choice((1, 2, 4, 8, 16, 40))))
    grains = chance.integers(0, 256, (n, n)).astype(np.uint8)
    method = cv2.INTER_NEAREST if chance.random() < 0.5 else cv2.INTER_CUBIC
    return cv2.resize(grains, (side, side), interpolation=method)


def clouds(chance: Chance) -> np.ndarray:
    """Noise of all sizes at once, as of clouds, stone, foliage."""
    side = int(chance.integers(120, 480))
    total = np.zeros((side, side))
    fall = chance.uniform(0.4, 0.8)
    for octave in range(1, 7):
        grains = chance.normal(0, 1, (2**octave,) * 2)
        total += fall**octave * cv2.resize(grains, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 55 * total / total.std(), 0, 255).astype(np.uint8)


def gradient(chance: Chance) -> np.ndarray:
    """From a tone to another: along a line, or from a point outwards."""
    side = int(chance.integers(120, 480))
    ys, xs = np.indices((side, side)) / side
    first, last = chance.uniform(0, 255, 2)
    angle, (x, y) = chance.uniform(0, 2 * np.pi), chance.uniform(0.3, 0.7, 2)
    along = xs * np.cos(angle) + ys * np.sin(angle)
    way = along if chance.random() < 0.5 else np.hypot(xs - x, ys - y)
    way = (way - way.min()) / np.ptp(way)
    return (first + (last - first) * way).astype(np.uint8)


def texture(chance: Chance) -> np.ndarray:
    """Stripes, checks, rings, dots or bricks."""
    side, (dark, light) = int(chance.integers(120, 480)), sorted(chance.uniform(0, 255, 2))
    ys, xs = np.indices((side, side)) / side - 0.5
    n, angle = chance.uniform(3, 30), chance.uniform(0, np.pi)
    u, v = xs * np.cos(angle) - ys * np.sin(angle), xs * np.sin(angle) + ys * np.cos(angle)
    wave = (
        np.sin(2 * np.pi * n * u),
        np.sign(np.sin(2 * np.pi * n * u) * np.sin(2 * np.pi * n * v)),
        np.sin(2 * np.pi * n * np.hypot(xs, ys)),
        np.sin(2 * np.pi * n * u) + np.sin(2 * np.pi * n * v) - 1,
        np.where(np.abs(np.sin(np.pi * n * ys)) < 0.15, -1, 1)
        * np.where(np.abs(np.sin(np.pi * n * xs / 2 + (n * ys // 1) * np.pi / 2)) < 0.08, -1, 1),
    )[int(chance.integers(5))]
    share = np.clip((wave + 1) / 2, 0, 1)
    return (dark + (light - dark) * share).astype(np.uint8)


def plain(chance: Chance) -> np.ndarray:
    """One tone, black and white among them."""
    side = int(chance.integers(120, 480))
    return np.full((side, side), int(chance.choice((0, 255, chance.integers(256)))), np.uint8)


Maker = Callable[[Chance], np.ndarray]
FACES: tuple[Maker, ...] = (smiley, cartoon, outline, manikin, mosaic, crayon)
THINGS: tuple[Maker, ...] = (socket, car, house, cat)
NOTHING: dict[str, tuple[Maker, ...]] = {
    "noise, clouds": (noise, clouds),
    "gradients": (gradient,),
    "textures": (texture,),
    "plain": (plain,),
}


def draw(makers: tuple[Maker, ...], n: int, seed: int = 0) -> list[np.ndarray]:
    """So many pictures uint8 [h, w], the makers in turn; the same for the same seed."""
    chance = np.random.default_rng(seed)
    return [makers[k % len(makers)](chance) for k in range(n)]
