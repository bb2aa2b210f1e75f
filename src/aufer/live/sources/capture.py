"""Cameras, video files and addresses, by OpenCV."""

from __future__ import annotations

import logging
import math
import os
import re
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from aufer.errors import AuferError, DataError, EnvironmentFailure, UsageError
from aufer.images import printable
from aufer.live.sources.source import Picture, SourceLost
from aufer.pictures.opencv import opencv

log = logging.getLogger("aufer")

MOST_CAMERAS = 100
"""OpenCV takes numbers from here on for something else."""

_PATIENCE_MS = 5000
_CLOSING_S = 0.5
_USUAL_RATE = 25.0
_BELIEVED_RATE = 240.0
_MOST_BROKEN = 100
"""Pictures in a row that can't be read before a video counts as ended early."""


def _quiet_opencv() -> ModuleType:
    """OpenCV, and FFmpeg in it, without lines of their own: what fails is said by us, once."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet; read at the first opening
    cv2 = opencv()
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


class _Capture:
    """A `cv2.VideoCapture` that may be closed by another thread than the one that reads."""

    is_series = True
    frames_per_s: float | None = None

    def __init__(self, title: str) -> None:
        self.title = title
        self._lock = threading.Lock()
        self._capture: Any = None
        self._first: np.ndarray | None = None
        self._is_closed = True

    def close(self) -> None:
        """Release it. Where a read hangs, the thread that reads does, when it comes back."""
        self._is_closed = True
        if self._lock.acquire(timeout=_CLOSING_S):
            try:
                self._release()
            finally:
                self._lock.release()

    def _open(self, what: str | int, backends: tuple[int, ...], settings: dict[int, int]) -> bool:
        """Open it and read one picture, which `_next` gives first; whether there was one."""
        cv2 = _quiet_opencv()
        with self._lock:
            self._release()
            self._is_closed = False
            for backend in backends:
                asked = [each for pair in settings.items() for each in pair]
                try:
                    capture = cv2.VideoCapture(what, backend, asked)
                    self._prepare(capture)
                    is_read, pixels = capture.read() if capture.isOpened() else (False, None)
                except cv2.error:
                    continue
                if is_read and not self._is_closed:
                    self._capture, self._first = capture, pixels
                    return True
                capture.release()
            return False

    def _prepare(self, capture: Any) -> None:
        """Set what must be set before the first picture."""

    def _next(self) -> np.ndarray | None:
        """The next picture, uint8 [h, w, 3], BGR; None where none comes."""
        with self._lock:
            pixels, self._first = self._first, None
            if pixels is None and self._capture is not None:
                cv2 = opencv()
                try:
                    is_read, pixels = self._capture.read()
                except cv2.error:
                    is_read = False
                if not is_read:
                    pixels = None
            if self._is_closed:
                self._release()
                return None
            return pixels

    def _get(self, name: str) -> float:
        """A property by OpenCV's name; 0 where it has none."""
        with self._lock:
            if self._capture is None:
                return 0.0
            value = float(self._capture.get(getattr(opencv(), name)))
            return value if math.isfinite(value) else 0.0

    def _rate(self) -> float:
        """Frames per second, as the file says where that can be believed."""
        rate = self._get("CAP_PROP_FPS")
        return rate if 0 < rate <= _BELIEVED_RATE else _USUAL_RATE

    def _release(self) -> None:
        self._first = None
        if self._capture is not None:
            self._capture.release()
            self._capture = None


class Camera(_Capture):
    """A camera of this machine."""

    is_live = True

    def __init__(self, number: int = 0, *, fps: float | None = None) -> None:
        """Args:
        fps: asked of the camera, which may give another.

        Raises:
            UsageError: no camera has such a number.
        """
        if not 0 <= number < MOST_CAMERAS:
            raise UsageError(f"There is no camera {number}.", hint="aufer live --camera 0")
        super().__init__(f"camera {number}")
        self._number, self._fps = number, fps

    def open(self) -> None:
        """Open it, and see that it gives pictures.

        Raises:
            EnvironmentFailure: it doesn't.
        """
        cv2 = _quiet_opencv()
        if not self._open(self._number, (cv2.CAP_ANY,), {}):
            raise EnvironmentFailure(
                f"Camera {self._number} can't be opened.", hint=_camera_hint(self._number)
            )

    def read(self) -> Picture | None:
        """The next picture; None when closed.

        Raises:
            SourceLost: it was pulled out, or gives no more pictures.
        """
        pixels = self._next()
        if pixels is not None:
            return Picture(pixels)
        if self._is_closed:
            return None
        raise SourceLost(self.title)

    def _prepare(self, capture: Any) -> None:
        cv2 = opencv()
        # old pictures should not wait in a queue; not every camera lets itself be told
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if self._fps is not None:
            capture.set(cv2.CAP_PROP_FPS, self._fps)


class VideoFile(_Capture):
    """A video file. Pictures in it that are damaged are passed over.

    Attributes:
        frames_per_s: the rate it wants to be played at; known when open.
    """

    is_live = False

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        """Args:
        loop: begin again at its end.
        """
        super().__init__(f"the video {printable(path.name)}")
        self._path, self._loop = path, loop
        self._n_read = 0
        self._n_announced = 0

    def open(self) -> None:
        """Open it.

        Raises:
            UsageError: there is no such file. DataError: it holds no picture that can be read.
        """
        name = printable(str(self._path))
        if not self._path.is_file():
            raise UsageError(f"There is no file {name}.", hint="aufer live party.mp4")
        cv2 = _quiet_opencv()
        self._n_read = 0
        # absolute: FFmpeg takes "clip:1.mp4" for an address
        if not self._open(str(self._path.resolve()), (cv2.CAP_FFMPEG, cv2.CAP_ANY), {}):
            raise DataError(
                f"{name} is no video that OpenCV can read.",
                hint="convert it: ffmpeg -i IT party.mp4, then: aufer live party.mp4",
            )
        self.frames_per_s = self._rate()
        self._n_announced = int(self._get("CAP_PROP_FRAME_COUNT"))

    def read(self) -> Picture | None:
        """The next picture; None at the end, and when closed.

        Raises:
            SourceLost: it shall begin again, and is gone.
        """
        pixels = self._next_sound()
        if pixels is None and self._loop and not self._is_closed:
            try:
                self.open()
            except AuferError as error:
                raise SourceLost(self.title) from error
            pixels = self._next_sound()
        return None if pixels is None else Picture(pixels)

    def _next_sound(self) -> np.ndarray | None:
        for _ in range(_MOST_BROKEN):
            pixels = self._next()
            self._n_read += 1
            if pixels is not None or self._is_closed or self._n_read >= self._n_announced:
                return pixels
        return None


class Address(_Capture):
    """A stream of the network: rtsp://, http:// or https://. Its password is never shown.

    Attributes:
        is_live: False where it turns out to be a film with an end.
    """

    def __init__(self, url: str) -> None:
        super().__init__(shown_url(url))
        self.is_live = True
        self._url = url
        self._n_read = self._n_announced = 0

    def open(self) -> None:
        """Connect.

        Raises:
            EnvironmentFailure: nobody answers within seconds, or no pictures come.
        """
        cv2 = _quiet_opencv()
        settings = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: _PATIENCE_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: _PATIENCE_MS,
            cv2.CAP_PROP_N_THREADS: 1,  # more would hold back as many pictures
        }
        self._n_read = 0
        if not self._open(self._url, (cv2.CAP_FFMPEG,), settings):
            raise EnvironmentFailure(
                f"{self.title} gives no picture.",
                hint=f"see whether a player shows it: ffplay {self.title}   "
                "or name its user: aufer live rtsp://user:password@host/…",
            )
        self._n_announced = int(self._get("CAP_PROP_FRAME_COUNT"))
        self.is_live = self._n_announced <= 0
        self.frames_per_s = None if self.is_live else self._rate()

    def read(self) -> Picture | None:
        """The next picture; None when closed, and at a film's end.

        Raises:
            SourceLost: the connection broke, or nothing came for seconds.
        """
        pixels = self._next()
        if pixels is not None:
            self._n_read += 1
            return Picture(pixels)
        if self._is_closed or (not self.is_live and self._n_read >= self._n_announced - 1):
            return None
        raise SourceLost(self.title)


def shown_url(url: str) -> str:
    """An address without what may be secret in it: user, password, query; also such as some
    cameras want in the path (``/user=admin&password=…``)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return re.sub(r"://.*@", "://", url).split("?")[0]
    host = f"[{host}]" if ":" in host else host
    path = re.sub(r"[^/]*[=@].*", "…", parts.path, flags=re.DOTALL)
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"


def _camera_hint(number: int) -> str:
    video = "with a video: aufer live party.mp4"
    if sys.platform == "linux":
        names = [path.name.removeprefix("video") for path in Path("/dev").glob("video*")]
        found = sorted(int(name) for name in names if name.isdecimal())
        if not found:
            return f"this machine shows no camera (no /dev/video*); {video}"
        if others := [other for other in found if other != number]:
            return f"aufer live --camera {others[0]}   or {video}"
        return f"see who uses it: fuser -v /dev/video{number}   or {video}"
    hint = f"aufer live --camera {1 if number == 0 else 0}   or {video}"
    if sys.platform == "darwin":
        hint += "   or let the terminal use it: System Settings, Privacy & Security, Camera"
    return hint
