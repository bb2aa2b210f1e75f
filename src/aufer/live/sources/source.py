"""What a source of frames is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class SourceLost(Exception):
    """The source has dropped out: it may come back, and is opened again."""


@dataclass(frozen=True)
class Picture:
    """What a source reads.

    Attributes:
        pixels: uint8 [height, width, 3], blue before green before red. name: the file, if it is one
            of many.
        n_dropped_before: so many came since the one before, and were dropped without decoding them.
    """

    pixels: np.ndarray
    name: str = ""
    n_dropped_before: int = 0


class Source(Protocol):
    """A source of frames. One thread opens, reads and closes it; `close` may also come from another
    thread, and then a `read` that waits must come back."""

    @property
    def title(self) -> str:
        """What it is called in sentences: "camera 0", "the video party.mp4"."""

    @property
    def is_live(self) -> bool:
        """Whether pictures come whether we are ready or not (a camera), so that the newest wins;
        False where they wait for us (files)."""

    @property
    def is_series(self) -> bool:
        """Whether a picture follows from the one before; False for a folder of pictures."""

    @property
    def frames_per_s(self) -> float | None:
        """The rate at which a file wants to be played, once it is open; None for none."""

    def open(self) -> None:
        """Open it, for the first time or again.

        Raises:
            UsageError: there is no such file. EnvironmentFailure: it can't be opened.
            DataError: it is no video.
        """

    def read(self) -> Picture | None:
        """The next picture, waiting for it; None at the end.

        Raises:
            SourceLost: it dropped out.
        """

    def close(self) -> None:
        """Release it; may be called at any time, and twice."""
