"""Scores of the same face evened out over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_REMEMBERED_S = 2.0
_REMEMBERED_CONSTANTS = 5


class Smoother:
    """An exponential moving average for each face, by the time that passed between its frames."""

    def __init__(self, time_constant_s: float) -> None:
        """Begin with no face.

        Args:
            time_constant_s: after so long a change has come through by 63 %; 0: at once.
        """
        self.time_constant_s = time_constant_s
        self._remembered_s = max(_REMEMBERED_S, _REMEMBERED_CONSTANTS * time_constant_s)
        self._of_face: dict[int, tuple[np.ndarray, float]] = {}

    def smooth(self, ids: Sequence[int], scores: np.ndarray, at_s: float) -> np.ndarray:
        """The scores, each mixed with those of the face before.

        Args:
            ids: of the faces. scores: [n, k], a row each. at_s: when, in seconds; not before the
                last call's.

        Returns:
            [n, k] of the same type. Rows that sum to 1 do so again.
        """
        if self.time_constant_s <= 0 or not len(ids):
            return scores
        smoothed = scores.copy()
        for row, face in enumerate(ids):
            if face in self._of_face:
                last, last_s = self._of_face[face]
                share = -math.expm1(-max(at_s - last_s, 0.0) / self.time_constant_s)
                smoothed[row] = last + share * (scores[row] - last)
            self._of_face[face] = smoothed[row].copy(), at_s
        gone = [face for face, (_, s) in self._of_face.items() if at_s - s > self._remembered_s]
        for face in gone:
            del self._of_face[face]
        return smoothed

    def forget(self) -> None:
        """The next frame is another scene."""
        self._of_face.clear()
