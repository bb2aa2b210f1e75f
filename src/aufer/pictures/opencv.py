"""OpenCV, which enlarges and reduces pictures, as the figures in openface/ways.py were measured."""

from __future__ import annotations

import functools
import threading
from types import ModuleType

_importing = threading.Lock()


def opencv() -> ModuleType:
    """The module ``cv2``, set to one thread: several pictures at a time are ours to do."""
    with _importing:  # it takes itself out of sys.modules while it is imported
        return _import()


@functools.cache
def _import() -> ModuleType:
    import cv2

    cv2.setNumThreads(1)
    return cv2
