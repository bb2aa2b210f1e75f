"""A video of JPEG pictures (MJPG in AVI), one frame for each message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aufer.live.letterbox import fit_into
from aufer.pictures.opencv import opencv

_USUAL_FRAMES_PER_S = 25.0


class VideoFile:
    """Grows frame by frame, all of the first one's size; a killed process leaves one that plays.

    Each frame is coded by itself: nothing of a frame waits for the next ones.

    Attributes:
        n: frames so far. is_closed: no more come.
    """

    def __init__(self, path: Path, frames_per_s: float | None = None) -> None:
        """Args: frames_per_s: for players, which know nothing of the messages' times."""
        self.path = path
        self.frames_per_s = frames_per_s or _USUAL_FRAMES_PER_S
        self.n = 0
        self.is_closed = False
        self._writer: Any = None
        self._size = (0, 0)
        self._n_missing = 0  # messages without a frame, before the first with one

    def add(self, pixels: np.ndarray | None) -> None:
        """Append a frame.

        Args:
            pixels: uint8 [h, w, 3], BGR; of another size than the first: scaled to fit, with black
                around. None: a black one.

        Raises:
            OSError: no video can be written there.
        """
        if self.is_closed:
            return
        if self._writer is None:
            if pixels is None:  # its size is not known yet
                self._n_missing += 1
                return
            self._open(int(pixels.shape[1]), int(pixels.shape[0]))
        width, height = self._size
        if pixels is None:
            pixels = np.zeros((height, width, 3), dtype=np.uint8)
        self._write(fit_into(pixels, width, height))

    def close(self) -> None:
        """Write its index; also twice."""
        self.is_closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.release()

    def _open(self, width: int, height: int) -> None:
        cv2 = opencv()
        coding = cv2.VideoWriter_fourcc(*"MJPG")
        path = str(self.path.resolve())  # FFmpeg takes "monday:1/video.avi" for an address
        self._writer = cv2.VideoWriter(path, coding, self.frames_per_s, (width, height))
        if not self._writer.isOpened():
            self._writer = None
            raise OSError(f"OpenCV can't write {self.path.name}")
        self._size = (width, height)
        for _ in range(self._n_missing):
            self._write(np.zeros((height, width, 3), dtype=np.uint8))

    def _write(self, pixels: np.ndarray) -> None:
        self._writer.write(pixels)
        self.n += 1
