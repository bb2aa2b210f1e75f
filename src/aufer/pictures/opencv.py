"""OpenCV, which enlarges and reduces pictures, as the figures in openface/ways.py were measured."""

from __future__ import annotations

import functools
from types import ModuleType


@functools.cache
def opencv() -> ModuleType:
    """The module ``cv2``, set to one thread: several pictures at a time are ours to do."""
    import cv2

    cv2.setNumThreads(1)
    return cv2
