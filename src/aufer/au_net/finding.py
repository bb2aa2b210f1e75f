"""Faces in single pictures, by two of OpenCV's cascades: a quick look, then a thorough one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer.live.box import Box
from aufer.live.finding.haar import TRAINED_SIDE, HaarFinder, in_frame, read_cascade
from aufer.pictures.opencv import opencv

SMALLEST_FACE = 30
"""Pixels of the original: of less there is little to be seen."""

STAGES = ((160, 1.2), (240, 1.1), (480, 1.15))
"""The thorough look: to so many pixels the longer side is reduced, and by this factor the sizes of
the faces grow that are looked for; stage after stage until a face is found."""

MIN_NEIGHBORS = 2
"""Of the thorough look. Fewer than live asks for: the network tells a find that is no face by its
confidence."""

QUICK_CASCADE = "haarcascade_frontalface_alt2.xml"
QUICK_SIDE = 20
"""Pixels of the smallest face that it can see."""

GROWTH = 1.15
"""Of the sizes looked for: five in an octave."""

ROOM = 4
"""Pixels of each reduced picture's edge that are repeated beyond it, for faces that fill it."""

AS_SMALL = 2
"""Faces so many times smaller than the largest one are still looked for, at least."""

N_QUICK = 3
"""Octaves in which the quick look must have found a face: the further ones, for faces below an
eighth of the picture's shorter side, take longer than the thorough look's first stage."""

LEAST_SEEN = 2
"""At so many sizes and places the quick look must have seen one face of the picture; the others
may have been seen once."""

_WIDER, _LOWER = 1.03, 0.007
"""What makes a box of the quick cascade as the other one's: medians of 394 web faces, by OpenFace's
landmarks (half of the sizes are within 5 % of it)."""

_SIDES = tuple(2 * QUICK_SIDE << octave for octave in range(8))
"""Pixels of the shorter side for each octave, large faces first."""

_ALIKE = 0.2
"""Of sizes and places: so far apart, two finds are of one face (``groupRectangles``)."""


@dataclass(frozen=True)
class _Find:
    """A face in the picture's pixels; ``n_seen``: at so many sizes and places close together."""

    box: Box
    n_seen: int


class PictureFinder:
    """Looks at each picture alone, on one core: as many processes run as there are cores.

    The quick look goes from large faces to small ones, octave by octave, in pictures reduced so far
    that the smallest of the octave's faces have `QUICK_SIDE` pixels. It ends soon after the first
    face: below half of its size nothing is looked for. (OpenCV goes from small to large, and looks
    at large faces as closely as at small ones: more than half of its time.) Where the quick look is
    not sure of any face, the cascade of `aufer live` takes its time.
    """

    def __init__(self) -> None:
        """Read the cascades.

        Raises:
            EnvironmentFailure: this OpenCV has none.
        """
        self._cascade = read_cascade(QUICK_CASCADE)
        self._thorough = _ThoroughFinder()

    def find_in(self, grey: np.ndarray) -> list[Box]:
        """The faces of a picture, uint8 [h, w], those on the left first; inside it.

        Faces that are smaller than half of the largest one may be left out.
        """
        height, width = grey.shape
        boxes = [_as_of_live(box).inside(width, height) for box in self._quick(grey)]
        found = [box for box in boxes if box is not None] or self._thorough.find_in(grey)
        return sorted(found, key=lambda box: (box.x, box.y, box.width))

    def _quick(self, grey: np.ndarray) -> list[Box]:
        """What the quick look finds; nothing where it is not sure of any."""
        sights: list[Box] = []
        finds: list[_Find] = []
        smallest, is_sure = float(SMALLEST_FACE), False
        for octave, (small, scale) in enumerate(_octaves(grey)):
            if 2 * QUICK_SIDE / scale <= smallest or (octave == N_QUICK and not is_sure):
                break
            sights += self._sights(small, scale, max(QUICK_SIDE, round(smallest * scale)))
            finds = _grouped(sights)
            sure = [find.box.width for find in finds if find.n_seen >= LEAST_SEEN]
            smallest, is_sure = max(SMALLEST_FACE, max(sure, default=0) / AS_SMALL), bool(sure)
        return [find.box for find in finds] if is_sure else []

    def _sights(self, small: np.ndarray, scale: float, smallest: int) -> Iterator[Box]:
        """All that looks like a face of the octave's sizes, in the picture's pixels."""
        cv2 = opencv()
        found: Any = self._cascade.detectMultiScale(
            cv2.copyMakeBorder(small, *(ROOM,) * 4, cv2.BORDER_REPLICATE),
            scaleFactor=GROWTH,
            minNeighbors=0,
            minSize=(smallest, smallest),
            maxSize=(2 * QUICK_SIDE - 1, 2 * QUICK_SIDE - 1),
        )
        for x, y, width, height in found:
            yield in_frame(Box(int(x) - ROOM, int(y) - ROOM, int(width), int(height)), scale)


class _ThoroughFinder(HaarFinder):
    """The cascade of `aufer live`; each stage finds less large faces, and takes longer."""

    def __init__(self) -> None:
        super().__init__(
            min_face=SMALLEST_FACE, min_neighbors=MIN_NEIGHBORS, look_everywhere_every=1
        )

    def find_in(self, grey: np.ndarray) -> list[Box]:
        """The faces of the first stage that finds any."""
        height, width = grey.shape
        for side, self.scale_factor in STAGES:
            scale = min(1.0, side / max(height, width))
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            small = _reduced(grey, size)
            smallest = max(TRAINED_SIDE, round(self.min_face * scale))
            boxes = self._search(small, smallest, self.min_neighbors)
            inside = [_enlarged(box, 1 / scale).inside(width, height) for box in boxes]
            if found := [box for box in inside if box is not None]:
                return found
            if scale == 1 and self.scale_factor == STAGES[-1][1]:
                break  # the further stages are the same
        return []


def _octaves(grey: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """The picture reduced for the largest octave of faces, for the next, …, and by how much."""
    height, width = grey.shape
    shorter = min(height, width)
    scales = [side / shorter for side in _SIDES if side <= shorter]
    sizes = [(round(width * scale), round(height * scale)) for scale in scales]
    small: list[np.ndarray] = []
    for size in reversed(sizes[:N_QUICK]):  # each from the next larger one: a third of the time
        small.append(_reduced(small[-1] if small else grey, size))
    for size, scale in zip(sizes, scales, strict=True):
        yield small.pop() if small else _reduced(grey, size), scale


def _reduced(grey: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if (grey.shape[1], grey.shape[0]) == size:
        return np.ascontiguousarray(grey)
    cv2 = opencv()
    reduced: np.ndarray = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return reduced


def _grouped(sights: list[Box]) -> list[_Find]:
    """Faces of what was seen; of those that lie upon each other the one that was seen most."""
    if not sights:
        return []
    corners = [(box.x, box.y, box.width, box.height) for box in sights]
    # each twice, since it leaves out what is there only once
    groups, counts = opencv().groupRectangles(corners * 2, 1, _ALIKE)
    counts = np.ravel(counts) // 2
    finds: list[_Find] = []
    for number in sorted(range(len(groups)), key=lambda n: (-counts[n], -groups[n][2])):
        find = _Find(Box(*map(int, groups[number])), int(counts[number]))
        if not any(_holds(find.box, other.box) for other in finds):
            finds.append(find)
    return finds


def _holds(box: Box, other: Box) -> bool:
    """Whether the middle of one lies in the other."""
    return any(
        a.x < b.middle[0] < a.x + a.width and a.y < b.middle[1] < a.y + a.height
        for a, b in ((box, other), (other, box))
    )


def _as_of_live(box: Box) -> Box:
    """What the cascade of `aufer live` would have said."""
    more = (_WIDER - 1) / 2
    x, y = box.x - more * box.width, box.y - (more - _LOWER) * box.height
    return Box(round(x), round(y), round(_WIDER * box.width), round(_WIDER * box.height))


def _enlarged(box: Box, factor: float) -> Box:
    return Box(*(round(side * factor) for side in (box.x, box.y, box.width, box.height)))
