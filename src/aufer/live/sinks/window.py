"""A window on the desktop with the picture, boxes and labels."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np

from aufer.errors import EnvironmentFailure
from aufer.live.drawing import draw_faces
from aufer.live.sinks.sink import Step, StopAsked
from aufer.pictures.opencv import opencv

TITLE = "aufer live"

_INSTALL = 'pip uninstall -y opencv-python-headless && pip install "opencv-python<5"'
_QUIT_KEYS = (ord("q"), ord("Q"), 27)
_NO_KEY = 255
_TRIAL_S = 30


class Window:
    """Shows each frame; ``q``, Esc and closing the window end the run. All calls come from the main
    thread: macOS has windows nowhere else."""

    def __init__(self, *, with_bars: bool = False) -> None:
        self._with_bars = with_bars
        self._cv2: Any = None
        self._is_sized = False

    def start(self) -> str:
        """Open the window.

        Raises:
            EnvironmentFailure: this OpenCV has no windows, or there is no display.
        """
        cv2 = opencv()
        check_windows(cv2)
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        try:
            cv2.namedWindow(TITLE, flags)
        except (cv2.error, AttributeError) as error:
            raise _no_windows() from error
        self._cv2 = cv2
        return "window: q in it quits"

    def send(self, step: Step) -> None:
        """Show a frame; boxes on black where a replay has no video.

        Raises:
            StopAsked: somebody quit.
        """
        if self._cv2 is None:
            return
        message = step.message
        if not self._is_sized:
            self._cv2.resizeWindow(TITLE, message.width, message.height)
            self._is_sized = True
        if step.frame is not None:
            pixels = step.frame.pixels
        else:
            pixels = np.zeros((message.height, message.width, 3), dtype=np.uint8)
        self._cv2.imshow(TITLE, draw_faces(pixels, message, with_bars=self._with_bars))
        self.poll()

    def poll(self) -> None:
        """Let the window live; to be called several times a second while no frame comes.

        Raises:
            StopAsked: somebody quit.
        """
        if self._cv2 is None:
            return
        key = self._cv2.waitKey(1) & _NO_KEY
        if key in _QUIT_KEYS:
            raise StopAsked("The window was asked to quit.")
        if not self._is_visible():
            raise StopAsked("The window was closed.")

    def _is_visible(self) -> bool:
        try:
            return bool(self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE) >= 1)
        except self._cv2.error:  # with its last window, Qt ends too
            return False

    def close(self) -> None:
        """Close the window."""
        cv2, self._cv2 = self._cv2, None
        if cv2 is not None:
            cv2.destroyAllWindows()
            cv2.waitKey(1)

    def summary(self) -> str | None:
        """Nothing: it was seen."""
        return None


def check_windows(cv2: Any) -> None:
    """Check that this OpenCV can open windows here.

    Raises:
        EnvironmentFailure: it can't; says why.
    """
    framework = getattr(cv2, "currentUIFramework", lambda: "unknown")()
    if not framework:
        raise _no_windows()
    if sys.platform in ("win32", "darwin"):
        return
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise EnvironmentFailure(
            "There is no display for a window: DISPLAY is not set.", hint="aufer live --web"
        )
    # Qt ends the process when it finds no display, so another process tries first
    trial = "import cv2; cv2.namedWindow('aufer'); cv2.waitKey(1); cv2.destroyAllWindows()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", trial], capture_output=True, timeout=_TRIAL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # that is no answer
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = f" ({said[0].strip()})" if said else ""
        display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        raise EnvironmentFailure(
            f"No window can be opened on the display {display}{reason}.", hint="aufer live --web"
        )


def _no_windows() -> EnvironmentFailure:
    return EnvironmentFailure(
        "This OpenCV is the headless build, without windows; --web shows the picture all the same.",
        hint=_INSTALL,
    )
