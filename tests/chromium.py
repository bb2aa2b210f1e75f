"""The real Chromium, without a window, driven by its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.require import require

_PATIENCE_S = 60.0
"""A guard against hanging; the machine may be slow."""

_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--no-default-browser-check", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio"),
    *("--disable-features=MediaRouter,OptimizationHints,Translate", "--password-store=basic"),
    *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",),
    *("--hide-scrollbars", "--remote-debugging-port=0"),
)

_KEYS = {
    " ": ("Space", 32),
    "Tab": ("Tab", 9),
    "Enter": ("Enter", 13),
    "Escape": ("Escape", 27),
} | {
    "ArrowLeft": ("ArrowLeft", 37),
    "ArrowRight": ("ArrowRight", 39),
}


class Page:
    """A tab. What it logged and what it asked for is in `complaints` and `requests`."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Go to an address; to be followed by `wait_for`."""
        found = self.call("Page.navigate", url=url)
        assert "errorText" not in found, found

    def evaluate(self, code: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        found = self.call(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, condition: str) -> Any:
        """Wait until a JavaScript expression is true; gives its value."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):  # not loaded yet
                if found := self.evaluate(condition):
                    return found
            time.sleep(0.05)
        raise AssertionError(f"never true: {condition}; the page said: {self.complaints}")

    def text(self, selector: str) -> str:
        """What an element says."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")

    def pixels(
        self, canvas: str, places: Sequence[tuple[float, float]]
    ) -> list[tuple[int, int, int]]:
        """Red, green and blue of a canvas at places given as parts (0-1) of its size."""
        found = self.evaluate(
            f"(c => {{ const all = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            f" return {json.dumps(places)}.map(([x, y]) => 4 * (Math.floor(x * c.width)"
            " + c.width * Math.floor(y * c.height))).map(at => [...all.slice(at, at + 3)]); })"
            f"(document.querySelector({json.dumps(canvas)}))"
        )
        return [(red, green, blue) for red, green, blue in found]

    def pixel(self, canvas: str, x: float, y: float) -> tuple[int, int, int]:
        """The same of one place."""
        return self.pixels(canvas, [(x, y)])[0]

    def press(self, key: str) -> None:
        """Press and release a key."""
        code, number = _KEYS[key]
        facts = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        text = {"text": key} if key == " " else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **facts, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    def click(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        """Click on an element, at a place given as parts of its size."""
        left, top = self.evaluate(
            "(e => { e.scrollIntoView({block: 'nearest'}); const b = e.getBoundingClientRect();"
            f" return [b.x + {x} * b.width, b.y + {y} * b.height]; }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=left, y=top, button="left", clickCount=1
            )

    def resize(self, width: int, height: int = 900, scale: float = 1) -> None:
        """The window's size in CSS pixels; `scale` device pixels to each."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale}
        self.call("Emulation.setDeviceMetricsOverride", mobile=False, **size)

    def prefer(self, **features: str) -> None:
        """What the user prefers: ``color_scheme="dark"``, ``reduced_motion="reduce"``."""
        rows = [{"name": f"prefers-{k.replace('_', '-')}", "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", features=rows)

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG file."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """Close the tab."""
        self.call("Page.close")

    def note(self, method: str, facts: dict[str, Any]) -> None:
        """An event: keep what tests look at."""
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(facts["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(facts["args"]))
        elif method == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
            if "getImageData" not in facts["entry"]["text"]:  # it is the tests who read it back
                self.complaints.append(facts["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(facts["url"])


class Browser:
    """A running Chromium."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._pages: dict[str, Page] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._came = threading.Condition()
        self._calls = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def page(self, width: int = 1280, height: int = 900) -> Page:
        """A new, empty tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        page = self._pages[found["sessionId"]] = Page(self, found["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        return page

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer."""
        with self._came:
            self._calls += 1
            number = self._calls
        request = {"id": number, "method": method, "params": parameters}
        self._connection.send(json.dumps(request | ({"sessionId": session} if session else {})))
        with self._came:
            came = self._came.wait_for(lambda: number in self._answers, _PATIENCE_S)
            assert came, f"Chromium did not answer {method}"
            answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for text in self._connection:
                said = json.loads(text)
                if "id" in said:
                    with self._came:
                        self._answers[said["id"]] = said
                        self._came.notify_all()
                elif page := self._pages.get(said.get("sessionId", "")):
                    page.note(said["method"], said["params"])


@contextlib.contextmanager
def running_chromium(folder: Path) -> Iterator[Browser]:
    """Start it with an empty profile in `folder`; skips the test where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    require("chromium", None if program else "Chromium is not installed")
    command = [str(program), *_OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        port, path = _address(folder, process)
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, compression=None) as connection:
            browser = Browser(connection)
            yield browser
            with contextlib.suppress(AssertionError, ConnectionClosed):
                browser.call("Browser.close")
        process.wait(_PATIENCE_S)
    finally:
        process.kill()
        process.wait()


def _address(folder: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    found = folder / "DevToolsActivePort"
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        lines = found.read_text().splitlines() if found.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        time.sleep(0.05)
    raise AssertionError("Chromium did not start: " + (folder / "log").read_text(errors="replace"))
