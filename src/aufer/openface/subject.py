"""What measuring many pictures is about: what may be used, what is looked at, what came in."""

from __future__ import annotations

from dataclasses import dataclass, field

from aufer.images import Image
from aufer.openface.staging import staged_stem
from aufer.openface.store import Look, Picture, Stamp
from aufer.openface.ways import AS_IT_IS, Way


@dataclass(frozen=True)
class Resources:
    """What the measurement may use.

    Attributes:
        jobs: OpenFace processes at once. threads: that check pictures.
        memory_bytes: of each run; 0 where the engine sets no limit.
        memory_alone_bytes: of a run while no other runs.
    """

    jobs: int
    threads: int
    memory_bytes: int = 0
    memory_alone_bytes: int = 0


@dataclass
class Inputs:
    """What the images turned out to be.

    Attributes:
        sha256s: by position; empty where the file can't be read.
        failures: position -> why the image can't be measured.
    """

    sha256s: list[str]
    failures: dict[int, str] = field(default_factory=dict)


@dataclass
class Subject:
    """A picture on its way through; one of several equal files stands for all."""

    sha256: str
    image: Image
    stamp: Stamp
    picture: Picture
    looks: dict[str, Look]
    way: Way = AS_IT_IS

    @property
    def stem(self) -> str:
        """Its file's name, without the ending, for OpenFace."""
        return staged_stem(self.image.name, self.sha256)
