"""Which face is which from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aufer.live.box import Box

LASTING_FRAMES = 3
"""In fewer frames a find counts as a flicker of the detector, not as a person."""

_LEAST_OVERLAP = 0.2
_FARTHEST = 1.0
"""How far a face may be from where it is expected, in sides of it."""
_MOST_GROWTH = 2.0
_SPEED_TIME_S = 0.15
"""Speeds are averaged over about so long: boxes tremble."""
_MOST_AHEAD_S = 0.3
"""A face that is missing is expected to go on moving for so long, and to stay there then."""


@dataclass
class _Track:
    id: int
    box: Box
    at_s: float
    speed: tuple[float, float] = (0.0, 0.0)
    n_frames: int = 1

    def expected(self, at_s: float) -> Box:
        """Where it should be now."""
        ahead_s = min(at_s - self.at_s, _MOST_AHEAD_S)
        x, y = (round(ahead_s * speed) for speed in self.speed)
        return Box(self.box.x + x, self.box.y + y, self.box.width, self.box.height)

    def move(self, box: Box, at_s: float) -> None:
        """It was seen there."""
        passed_s = at_s - self.at_s
        if passed_s > 0:
            share = -math.expm1(-passed_s / _SPEED_TIME_S)
            steps = zip(self.box.middle, box.middle, self.speed, strict=True)
            x, y = (old + share * ((now - before) / passed_s - old) for before, now, old in steps)
            self.speed = (x, y)
        self.box, self.at_s = box, at_s
        self.n_frames += 1


class Tracker:
    """Gives every face a number that it keeps.

    A box belongs to the track that it overlaps most: the IoU tracker of E. Bochinski, V. Eiselein
    and T. Sikora, "High-Speed Tracking-by-Detection Without Using Image Information" (AVSS 2017).
    As in SORT (A. Bewley et al., ICIP 2016), it is compared with where the track should be by its
    speed, so that faces that pass each other keep their numbers. What overlaps nothing goes to the
    nearest track that is left and no farther than one side of the face.

    Attributes:
        patience_s: a face that is missing for no longer keeps its number when it comes back near
            its place. n_seen: faces that lasted, over all frames.
    """

    def __init__(self, patience_s: float = 1.0) -> None:
        self.patience_s = patience_s
        self.n_seen = 0
        self._tracks: list[_Track] = []
        self._last_id = 0

    def follow(self, boxes: Sequence[Box], at_s: float) -> list[int]:
        """The numbers of a frame's faces, in their order; they count from 1, and none comes twice.

        Args:
            boxes: the faces. at_s: when, in seconds; not before the last call's.
        """
        self._tracks = [t for t in self._tracks if at_s - t.at_s <= self.patience_s]
        owners: dict[int, _Track] = {}
        expected = [track.expected(at_s) for track in self._tracks]
        for measure in (_overlap, _nearness):
            taken = {track.id for track in owners.values()}
            pairs = [
                (value, track.at_s, row, number)
                for row, box in enumerate(boxes)
                if row not in owners
                for number, track in enumerate(self._tracks)
                if track.id not in taken and (value := measure(expected[number], box)) > 0
            ]
            # the best fit first; of equal ones the track that was seen last
            for _, _, row, number in sorted(pairs, key=lambda p: (-p[0], -p[1], p[2], p[3])):
                track = self._tracks[number]
                if row not in owners and track.id not in taken:
                    owners[row] = track
                    taken.add(track.id)
        return [self._seen(owners.get(row), box, at_s) for row, box in enumerate(boxes)]

    def forget(self) -> None:
        """The next frame is another scene: its faces are new ones."""
        self._tracks = []

    def _seen(self, track: _Track | None, box: Box, at_s: float) -> int:
        """Note that a track, or a new one, is there; gives its number."""
        if track is None:
            self._last_id += 1
            self._tracks.append(_Track(self._last_id, box, at_s))
            return self._last_id
        track.move(box, at_s)
        self.n_seen += track.n_frames == LASTING_FRAMES
        return track.id


def _overlap(expected: Box, box: Box) -> float:
    """0-1; 0 where it is too little to count."""
    overlap = expected.overlap(box)
    return overlap if overlap >= _LEAST_OVERLAP else 0.0


def _nearness(expected: Box, box: Box) -> float:
    """1 at the same place, less further away; 0 where it is too far, or of quite another size."""
    side, other = math.sqrt(expected.area), math.sqrt(box.area)
    if max(side, other) > _MOST_GROWTH * min(side, other):
        return 0.0
    return max(0.0, 1 - math.dist(expected.middle, box.middle) / (_FARTHEST * (side + other) / 2))
