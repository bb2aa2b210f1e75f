"""Faces by YuNet, a small network that OpenCV runs; its file is fetched once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aufer.errors import DataError, UsageError
from aufer.live.box import Box
from aufer.pictures.opencv import opencv

DETECT_WIDTH = 320
_FEWEST_OVERLAP = 0.3
_MOST_BOXES = 5000


class YunetFinder:
    """OpenCV's ``FaceDetectorYN``: also turned, covered and small faces, which the cascade misses.

    W. Wu, H. Peng, S. Yu: YuNet: A Tiny Millisecond-level Face Detector. Machine Intelligence
    Research 20, 2023. It sees faces of 10 to 300 pixels of the scaled frame. Its boxes are those of
    the face itself, higher than wide.
    """

    def __init__(
        self,
        path: Path,
        *,
        detect_width: int = DETECT_WIDTH,
        min_face: int = 30,
        score_threshold: float = 0.9,
    ) -> None:
        """Read the network.

        Args:
            path: face_detection_yunet_2023mar.onnx.
            detect_width: pixels that a wider frame is scaled down to; a narrower one stays.
            min_face: the smallest width of a face, in pixels of the frame.
            score_threshold: 0-1; what is less sure is no face. 0.9 is the default of OpenCV's
                demonstration; lower finds more, and more that is none.

        Raises:
            UsageError: there is no such file. DataError: it is no such network.
        """
        if not path.is_file():
            raise UsageError(
                f"There is no file {path} with YuNet's network.", hint="aufer models fetch yunet"
            )
        self.detect_width, self.min_face = detect_width, min_face
        self._detector = _open(path, score_threshold)
        self._size = (0, 0)

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return "YuNet"

    def forget(self) -> None:
        """There is nothing to forget: every frame is searched wholly."""

    def find(self, pixels: np.ndarray, grey: np.ndarray) -> list[Box]:
        """The faces, as `Finder.find` has it; ``grey`` is not looked at."""
        cv2 = opencv()
        height, width = pixels.shape[:2]
        scale = min(1.0, self.detect_width / width)
        size = (round(width * scale), max(1, round(height * scale)))
        if size != self._size:
            self._detector.setInputSize(size)
            self._size = size
        if scale < 1:
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        _, rows = self._detector.detect(np.ascontiguousarray(pixels))
        found = []
        for row in () if rows is None else rows:  # x, y, width, height, 5 points, score
            if not np.isfinite(row[:4]).all():
                continue
            box = Box(*(round(float(side) / scale) for side in row[:4])).inside(width, height)
            if box is not None and box.width >= self.min_face:
                found.append(box)
        return found


def _open(path: Path, score_threshold: float) -> Any:
    """The detector. Python reads the file: OpenCV opens no path with foreign letters on Windows."""
    cv2 = opencv()
    network = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    no_settings = np.zeros(0, dtype=np.uint8)
    shape = (DETECT_WIDTH, DETECT_WIDTH)
    talk = cv2.utils.logging
    level = talk.getLogLevel()
    talk.setLogLevel(talk.LOG_LEVEL_SILENT)  # OpenCV's own words on a file that is none
    try:
        detector = cv2.FaceDetectorYN.create(
            "onnx", network, no_settings, shape, score_threshold, _FEWEST_OVERLAP, _MOST_BOXES
        )
        detector.detect(np.zeros((*shape, 3), dtype=np.uint8))  # another network fails here
    except cv2.error as error:
        raise DataError(
            f"{path} does not hold YuNet's network, or is damaged.",
            hint="aufer models fetch yunet",
        ) from error
    finally:
        talk.setLogLevel(level)
    return detector
