"""Measuring a folder of pictures in one process: found one by one, measured some at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aufer.au_net.aligning import Patch
from aufer.au_net.files import read_grey, write_results
from aufer.au_net.finding import PictureFinder
from aufer.au_net.network import AT_ONCE, AuNet, Measured

LEAST_CONFIDENCE = 0.1
"""What the network itself takes for no face gets no row."""

_PICTURES_AT_ONCE = 64
_LONGEST_S = 1.0
"""So long at most until what was seen is written: the pipeline watches the files."""


@dataclass(frozen=True)
class _Seen:
    """A picture whose faces were found and not yet measured; its pixels are gone."""

    path: Path
    size: tuple[int, int]
    patches: list[Patch]


class FolderRun:
    """One run of the AU network over pictures."""

    def __init__(self, network: AuNet, output: Path, *, annotated: bool = False) -> None:
        """``annotated``: pictures with the landmarks drawn in are wanted too.

        Raises:
            EnvironmentFailure: there is no detector of faces.
        """
        self._network, self._finder = network, PictureFinder()
        self._output, self._annotated = output, annotated
        self._seen: list[_Seen] = []
        self._since = time.monotonic()

    def measure(self, pictures: Sequence[Path], say: Callable[[str], None]) -> int:
        """Measure pictures in this order; their files appear in the same.

        Args:
            say: gets a line about what goes wrong.

        Returns:
            0, or 1 at the first picture that can't be opened; those after it are left.

        Raises:
            OSError: nothing can be written (any more).
        """
        n_faces = 0
        for path in pictures:
            grey = read_grey(path)
            if grey is None:
                self._write()
                say(f"Error: Could not open the image: {path}")
                return 1
            patches = [self._network.cut(grey, box) for box in self._finder.find_in(grey)]
            self._seen.append(_Seen(path, (grey.shape[1], grey.shape[0]), patches))
            n_faces += len(patches)
            is_late = time.monotonic() - self._since > _LONGEST_S
            if n_faces >= AT_ONCE or len(self._seen) >= _PICTURES_AT_ONCE or is_late:
                self._write()
                n_faces = 0
        self._write()
        return 0

    def _write(self) -> None:
        """Measure and write what was seen, in the order in which it was seen."""
        found = self._network.measure_patches([p for each in self._seen for p in each.patches])
        start = 0
        for each in self._seen:
            rows = np.arange(start, start + len(each.patches))
            start += len(each.patches)
            rows = rows[found.confidence[rows] >= LEAST_CONFIDENCE]
            faces = Measured(found.aus[rows], found.landmarks[rows], found.confidence[rows])
            write_results(each.path, self._output, each.size, faces, annotated=self._annotated)
        self._seen, self._since = [], time.monotonic()
