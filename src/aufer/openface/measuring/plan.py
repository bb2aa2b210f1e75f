"""How pictures are measured: in which ways, until when, and which of several looks counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aufer.au_table import DEFAULT_MIN_CONFIDENCE
from aufer.errors import UsageError
from aufer.openface.measuring.deaths import KILLED, STALLED
from aufer.openface.output import FACES_POLICIES
from aufer.openface.store import Limits, Look, Picture
from aufer.openface.ways import DEFAULT_LOOKS, ENLARGE_AUTO, Enlarge, Way, ways_for

DEFAULT_IMAGE_TIMEOUT_S = 120.0
"""A 24-megapixel photo takes some seconds, and five times as long with ``-wild``."""

MORE_MEMORY = 1.5
"""So many times what a picture had may be enough; what is free varies from run to run."""


@dataclass(frozen=True)
class Plan:
    """The settings of a measurement.

    Attributes:
        faces: which face of several: ``largest``, ``best`` (most confident) or ``error``.
        enlarge: which pictures are enlarged before they are measured.
        looks: in how many ways a picture is tried, until a confident face is found.
        annotated: OpenFace's annotated pictures are wanted.
        jobs: so many OpenFace processes at once; 0 for as many as the machine carries.
        image_timeout_s: a picture that takes longer ends the run of OpenFace.
        memory_bytes: limit for each run in a container; 0 for its share of the machine's memory.
        retry_crashed: pictures that crashed OpenFace are tried again.
        fresh: nothing that was measured before counts.
        rehash: files are read again although size, time and inode tell that they are unchanged.
    """

    faces: str = "largest"
    enlarge: Enlarge = ENLARGE_AUTO
    looks: int = DEFAULT_LOOKS
    annotated: bool = False
    jobs: int = 0
    image_timeout_s: float = DEFAULT_IMAGE_TIMEOUT_S
    memory_bytes: int = 0
    retry_crashed: bool = False
    fresh: bool = False
    rehash: bool = False

    def __post_init__(self) -> None:
        if self.faces not in FACES_POLICIES:
            raise UsageError(f"--faces is {' or '.join(FACES_POLICIES)}, not '{self.faces}'.")
        if self.looks < 1:
            raise UsageError("--looks is at least 1: the first look counts.")
        if self.jobs < 0 or self.memory_bytes < 0:
            raise UsageError("--jobs and --memory-limit can't be negative.")
        if not self.image_timeout_s > 0:
            raise UsageError("--image-timeout is more than 0 seconds.")

    def __str__(self) -> str:
        """What the extractor's description says of enlarging."""
        return f"{self.enlarge}, {self.looks} {'look' if self.looks == 1 else 'looks'}"

    def ways(self, picture: Picture) -> tuple[Way, ...]:
        """The ways in which this picture is tried, in order; none: it is too small."""
        return ways_for(picture.width, picture.height, self.enlarge, self.looks)

    def counts(self, look: Look, limits: Limits) -> bool:
        """Whether a look of an earlier run need not be repeated.

        A crash for want of time or memory counts for the limits that were in force; the picture
        is tried again under wider ones.
        """
        if self.fresh:
            return False
        if look.crashed:
            return not (self.retry_crashed or _had_too_little(look, limits))
        return look.has_annotated or not (self.annotated and look.n_faces)

    def is_confident(self, look: Look) -> bool:
        """Whether a look found a face that needs no further look."""
        return self.confidence(look) >= DEFAULT_MIN_CONFIDENCE

    def confidence(self, look: Look) -> float:
        """The confidence of the face that is taken; -1 without a face."""
        policy = "best" if self.faces == "error" and look.n_faces > 1 else self.faces
        return look.confidence.get("largest" if policy == "error" else policy, -1.0)

    def next_way(self, picture: Picture, looks: Mapping[str, Look]) -> Way | None:
        """The way to be tried next; None when no further look is needed."""
        for way in self.ways(picture):
            look = looks.get(way.name)
            if look is None:
                return way
            if look.crashed or self.is_confident(look):
                return None
        return None

    def taken(self, picture: Picture, looks: Mapping[str, Look]) -> Look | None:
        """The look that counts: the most confident; a crashed one only if it was the first.

        None for a picture that was not looked at in all its ways, or that is too small.
        """
        seen: list[Look] = []
        for way in self.ways(picture):
            look = looks.get(way.name)
            if look is None:
                return None
            seen.append(look)
            if look.crashed or self.is_confident(look):
                break
        alive = [look for look in seen if not look.crashed]
        return max(alive, key=self.confidence) if alive else (seen[0] if seen else None)


def _had_too_little(look: Look, now: Limits) -> bool:
    """Whether a picture died of a limit that is clearly wider now."""
    then = look.limits
    if then is None:
        return False
    if look.exit_code == STALLED:
        return now.image_timeout_s > then.image_timeout_s
    if look.exit_code == KILLED and then.memory_bytes:
        return not now.memory_bytes or now.memory_bytes > MORE_MEMORY * then.memory_bytes
    return False
