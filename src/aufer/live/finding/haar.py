"""Faces by OpenCV's Haar cascade, searched for everywhere only now and then."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.errors import EnvironmentFailure
from aufer.live.box import Box
from aufer.pictures.opencv import opencv

CASCADE = "haarcascade_frontalface_default.xml"
DETECT_WIDTH = 320
TRAINED_SIDE = 24
"""Pixels of the smallest face that the cascade can see."""

_MOST_THREADS = 4
_AROUND = 0.25
"""A known face is looked for this much of its side beyond its box."""
_SMALLEST, _LARGEST = 0.8, 1.25
"""How a known face may have shrunk or grown."""
_KNOWN_NEIGHBORS = 3
"""Of a face that was there a moment ago fewer finds are asked for than ``min_neighbors``, as the
narrow range of sizes leaves fewer, and so that it does not flicker."""
_SAME = 0.5
"""Overlap of two boxes of one face."""


@dataclass(frozen=True)
class _Place:
    """Where a face was last found, in pixels of the scaled frame; ``n_missed``: frames ago."""

    box: Box
    n_missed: int = 0


class HaarFinder:
    """The frontal face cascade of OpenCV on a grey frame that is scaled down.

    A search of the whole frame is expensive, so it is done every few frames; in between, only the
    surroundings of the faces of the last frame are searched. When one of them is no longer there,
    the whole frame is searched at once, and its place is looked at for some frames more. A new face
    appears within ``look_everywhere_every`` frames.
    """

    def __init__(
        self,
        *,
        detect_width: int = DETECT_WIDTH,
        min_face: int = 30,
        scale_factor: float = 1.1,
        min_neighbors: int = 5,
        look_everywhere_every: int = 5,
    ) -> None:
        """Read the cascade.

        Args:
            detect_width: pixels that a wider frame is scaled down to; a narrower one stays.
            min_face: the smallest side of a face, in pixels of the frame. It can't be less than
                `TRAINED_SIDE` of the scaled frame: 7.5 % of the width, 48 pixels of 640.
            scale_factor, min_neighbors: of ``detectMultiScale``.
            look_everywhere_every: frames; 1 searches every frame wholly, for unconnected pictures.

        Raises:
            EnvironmentFailure: this OpenCV has no cascade.
        """
        self.detect_width, self.min_face = detect_width, min_face
        self.scale_factor, self.min_neighbors = scale_factor, min_neighbors
        self.look_everywhere_every = look_everywhere_every
        self._cascade = read_cascade()
        self._places: list[_Place] = []
        self._shape: tuple[int, ...] = ()
        self._n_since = -1  # frames since the last search of everything; -1: before the first

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return "OpenCV's Haar cascade"

    def forget(self) -> None:
        """The next frame is another scene: it is searched wholly."""
        self._places, self._n_since = [], -1

    def find(self, pixels: np.ndarray, grey: np.ndarray) -> list[Box]:
        """The faces, as `Finder.find` has it; ``pixels`` are not looked at."""
        height, width = grey.shape
        if grey.shape != self._shape:
            self._shape = grey.shape
            self.forget()
        scale = min(1.0, self.detect_width / width)
        small = _scaled(grey, scale)
        smallest = max(TRAINED_SIDE, round(self.min_face * scale))
        self._places = self._look(small, smallest)
        found = (in_frame(place.box, scale) for place in self._places if not place.n_missed)
        inside = (box.inside(width, height) for box in found)
        return [box for box in inside if box is not None]

    def _look(self, small: np.ndarray, smallest: int) -> list[_Place]:
        """Where the faces are now, and where they were until a moment ago."""
        places: list[_Place] | None = None
        if 0 <= self._n_since < self.look_everywhere_every - 1:
            self._n_since += 1
            places = self._look_again(self._places, small, smallest)
            if not any(place.n_missed == 1 for place in places):
                return places
        self._n_since = 0
        with _several_threads():
            boxes = self._search(small, smallest, self.min_neighbors)
        found = [_Place(box) for box in boxes]
        if self.look_everywhere_every == 1:
            return found
        if places is None:
            others = [place for place in self._places if not _is_among(place, found)]
            places = self._look_again(others, small, smallest)
        return found + [place for place in places if not _is_among(place, found)]

    def _look_again(
        self, places: Sequence[_Place], small: np.ndarray, smallest: int
    ) -> list[_Place]:
        """These faces where they are now; those that are missing, at their old places."""
        height, width = small.shape
        now: list[_Place] = []
        for place in places:
            box, around = place.box, place.box.enlarged(_AROUND).inside(width, height)
            if around is None:
                continue
            candidates = self._search(
                around.cut(small),
                max(smallest, int(box.width * _SMALLEST)),
                min(self.min_neighbors, _KNOWN_NEIGHBORS),
                math.ceil(box.width * _LARGEST),
            )
            moved = [Box(around.x + c.x, around.y + c.y, c.width, c.height) for c in candidates]
            best = max(moved, key=box.overlap, default=None)
            after = _Place(box, place.n_missed + 1) if best is None else _Place(best)
            if after.n_missed < self.look_everywhere_every and not _is_among(after, now):
                now.append(after)
        return now

    def _search(
        self, grey: np.ndarray, smallest: int, neighbors: int, largest: int = 0
    ) -> list[Box]:
        if min(grey.shape) < smallest:
            return []
        found: Sequence[Any] = self._cascade.detectMultiScale(
            np.ascontiguousarray(grey),
            scaleFactor=self.scale_factor,
            minNeighbors=neighbors,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        return [Box(*map(int, box)) for box in found]


def read_cascade(name: str = CASCADE) -> Any:
    """One of OpenCV's cascades. Its text goes through Python: OpenCV opens no path with foreign
    letters on Windows.

    Raises:
        EnvironmentFailure: this OpenCV has none.
    """
    cv2 = opencv()
    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    path = Path(folder) / name
    if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
        raise EnvironmentFailure(
            f"OpenCV {cv2.__version__} has no Haar cascades.",
            hint='pip install "opencv-python-headless<5"',
        )
    text = path.read_text(encoding="utf-8")
    storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
    cascade = cv2.CascadeClassifier()
    cascade.read(storage.getFirstTopLevelNode())
    return cascade


def _is_among(place: _Place, others: Sequence[_Place]) -> bool:
    return any(place.box.overlap(other.box) >= _SAME for other in others)


def _scaled(grey: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return grey
    cv2 = opencv()
    height, width = grey.shape
    size = (round(width * scale), max(1, round(height * scale)))
    scaled: np.ndarray = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return scaled


def in_frame(box: Box, scale: float) -> Box:
    """A box of the scaled frame in pixels of the frame."""
    return Box(*(round(side / scale) for side in (box.x, box.y, box.width, box.height)))


@contextmanager
def _several_threads() -> Iterator[None]:
    """Let OpenCV use more cores for a search of everything: with a second one it is 1.6 to 1.9
    times as fast, and the change costs less than a microsecond. A search around a face gains
    nothing; all else of this process keeps to one."""
    cv2 = opencv()
    before = cv2.getNumThreads()
    cv2.setNumThreads(min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        yield
    finally:
        cv2.setNumThreads(before)
