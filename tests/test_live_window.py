"""The window, under Xvfb with the OpenCV build that has windows, and what is said without one.

AUFER_WINDOW_OPENCV names a folder with that build, beside the headless one that is installed:
``pip install --target FOLDER --no-deps "opencv-python<5"``. Xvfb, openbox and xdotool are Debian
packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from aufer.errors import EnvironmentFailure
from aufer.live.drawing import to_bgr
from aufer.live.sinks.window import TITLE, Window
from tests.require import require
from tests.tcp_case import EXPRESSIONS, PATIENCE_S, wait_until

ROOT = Path(__file__).parents[1]
SCREEN = "1000x700x24"
NEEDED = ("Xvfb", "openbox", "xdotool")
HAPPY = EXPRESSIONS.colours[EXPRESSIONS.names.index("happy")]
BACKGROUND = "#5a5a5a"  # of numbered frames

SHOW = """
import sys
import time
from aufer.errors import EnvironmentFailure
from aufer.live.sinks.sink import Step, StopAsked
from aufer.live.sinks.window import Window
from tests.test_live_recording import step_of
window = Window(with_bars=True)
try:
    print(window.start(), flush=True)
    started = time.monotonic()
    for seq in range(10):
        step = step_of(seq, size=(640, 480))
        window.send(Step(step.message) if "without video" in sys.argv else step)
    while time.monotonic() - started < 60:
        window.poll()
        time.sleep(0.02)
except StopAsked as stop:
    print(f"stopped: {stop}", flush=True)
except EnvironmentFailure as error:
    print(f"failed: {error.message} hint: {error.hint}", flush=True)
finally:
    window.close()
"""


@pytest.fixture(scope="module")
def window_opencv() -> str:
    """The folder with the OpenCV that has windows."""
    folder = os.environ.get("AUFER_WINDOW_OPENCV", "")
    reason = None if folder else "AUFER_WINDOW_OPENCV names no OpenCV with windows"
    require("window", reason)
    return str(Path(folder).resolve())


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A screen of our own, on a display that is free."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    require("window", f"not installed: {', '.join(missing)}" if missing else None)
    reading, writing = os.pipe()
    # a server that resets itself when the last client leaves refuses one that comes just then
    with subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            SCREEN,
            "-nolisten",
            "tcp",
            "-noreset",
        ],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(writing)
        with os.fdopen(reading) as numbers:
            number = numbers.readline().strip()
        assert number, "Xvfb did not start"
        # as on a desktop: without a window manager, Qt now and then leaves a window black
        with subprocess.Popen(["openbox"], env=environment(None, f":{number}")) as manager:
            wait_until(
                lambda: bool(xdotool(f":{number}", "get_num_desktops")), "windows were managed"
            )
            yield f":{number}"
            manager.terminate()
        server.terminate()


def environment(opencv: str | None, display: str | None) -> dict[str, str]:
    """That of a process with another OpenCV or another display; None: without."""
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    if opencv is not None:
        kept["PYTHONPATH"] = os.pathsep.join([opencv, kept.get("PYTHONPATH", "")]).rstrip(
            os.pathsep
        )
    return kept | ({"DISPLAY": display} if display else {})


@contextmanager
def showing(opencv: str, display: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", SHOW, *args],
        cwd=ROOT,
        env=environment(opencv, display),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def xdotool(display: str, *words: str) -> str:
    done = subprocess.run(
        ["xdotool", *words],
        env=environment(None, display),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.stdout.strip()


def find_window(display: str) -> str:
    """The id of the visible window with our title, once it is there."""
    found = ""

    def is_there() -> bool:
        nonlocal found
        found = xdotool(display, "search", "--onlyvisible", "--name", f"^{TITLE}$")
        return bool(found)

    wait_until(is_there, "there was a window")
    return found.splitlines()[0]


def n_pixels(display: str, colour: str) -> int:
    """How many pixels of the screen have a colour, ``#rrggbb``."""
    from PIL import ImageGrab

    screen = np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))
    return int((screen == to_bgr(colour)[::-1]).all(axis=2).sum())


def end_of(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out


def test_the_window_shows_boxes_and_quits_on_q(window_opencv: str, display: str) -> None:
    assert n_pixels(display, HAPPY) == 0
    with showing(window_opencv, display) as process:
        window = find_window(display)
        wait_until(lambda: n_pixels(display, HAPPY) > 1000, "box and label were seen")
        assert n_pixels(display, BACKGROUND) > 50_000
        xdotool(display, "key", "--window", window, "a")
        xdotool(display, "windowactivate", "--sync", window)
        xdotool(display, "key", "q")
        out = end_of(process)
    assert "stopped: The window was asked to quit." in out
    assert n_pixels(display, HAPPY) == 0


def test_a_replay_without_video_shows_boxes_and_esc_quits_too(
    window_opencv: str, display: str
) -> None:
    with showing(window_opencv, display, "without video") as process:
        window = find_window(display)
        wait_until(lambda: n_pixels(display, HAPPY) > 1000, "box and label were seen")
        assert n_pixels(display, BACKGROUND) < 100  # letters have soft edges
        xdotool(display, "windowactivate", "--sync", window)
        xdotool(display, "key", "Escape")
        assert "stopped: The window was asked to quit." in end_of(process)


def test_closing_the_window_ends_the_run(window_opencv: str, display: str) -> None:
    with showing(window_opencv, display) as process:
        xdotool(display, "windowactivate", "--sync", find_window(display))
        xdotool(display, "key", "alt+F4")  # openbox closes it, as by its cross
        assert "stopped: The window was closed." in end_of(process)


@pytest.mark.parametrize(
    ("shown_on", "says"),
    [(None, "DISPLAY is not set"), (":4711", "No window can be opened on the display :4711")],
)
def test_without_a_display_it_says_so(window_opencv: str, shown_on: str | None, says: str) -> None:
    with showing(window_opencv, shown_on or "") as process:
        out = end_of(process)
    assert says in out
    assert "--web" in out


def test_the_headless_build_is_named_with_what_to_install() -> None:
    cv2 = pytest.importorskip("cv2")
    if cv2.currentUIFramework():
        pytest.skip("this OpenCV has windows")
    window = Window()
    with pytest.raises(EnvironmentFailure, match=r"headless build.*--web") as caught:
        window.start()
    assert caught.value.hint == (
        'pip uninstall -y opencv-python-headless && pip install "opencv-python<5"'
    )
    window.poll()
    window.close()
    assert window.summary() is None
