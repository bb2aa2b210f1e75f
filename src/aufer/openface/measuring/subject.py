"""What measuring many pictures is about: what came in, and what is looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from aufer.images import Image
from aufer.openface.staging import staged_stem
from aufer.openface.store import Look, Picture, Stamp, stamp_of
from aufer.openface.ways import AS_IT_IS, Way


@dataclass
class Inputs:
    """What the images turned out to be.

    Attributes:
        sha256s: by position; empty where the file can't be read.
        failures: position -> why the image can't be measured.
        crashed: sha256 -> the look of a picture that died, where nothing tells whether the picture
            or the engine is to blame: said in the table, and not remembered.
    """

    sha256s: list[str]
    failures: dict[int, str] = field(default_factory=dict)
    crashed: dict[str, Look] = field(default_factory=dict)


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

    def was_changed(self, file: Path) -> bool:
        """Whether ``file``, handed over as a link, was written to since the picture was checked."""
        now = stamp_at(file)
        return now is not None and now.inode == self.stamp.inode and now != self.stamp


def path_key(path: Path) -> bytes:
    """What a file is known by in the store: its absolute path."""
    return os.fsencode(os.path.join(os.getcwd(), path))  # noqa: PTH109 - thousands of them


def stamp_at(path: Path) -> Stamp | None:
    """The stamp of the file at a path; None if it can't be looked at."""
    try:
        return stamp_of(os.stat(path))  # noqa: PTH116
    except OSError:
        return None
