"""A page on loopback that shows the picture, the faces and their expressions."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.live.event_loop import EventLoop
from aufer.live.listening import port_failure
from aufer.live.message import Message
from aufer.live.sinks.outbox import Outbox
from aufer.live.sinks.serving import (
    attend,
    end,
    header,
    is_local_host,
    listen,
    port_of,
    refused,
)
from aufer.live.sinks.sink import Step, counted

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

log = logging.getLogger("aufer")

_HOST = "127.0.0.1"
_STREAM = "/stream"
_FILES = {
    "/": ("live.html", "text/html"),
    "/live.css": ("live.css", "text/css"),
    "/live.js": ("live.js", "text/javascript"),
    "/live-drawing.js": ("live-drawing.js", "text/javascript"),
    "/live-units.js": ("live-units.js", "text/javascript"),
}
_MOST_VIEWERS = 32
_MOST_WAITING = 60
"""Texts: two seconds of them; of pictures only the newest waits."""

_SEND_BUFFER = 256 * 1024
_OPENING_S = 2.0
_STATUS_S = 1.0


class _Viewer:
    """What waits for one viewer: texts, and the newest picture; a None in the queue is its turn."""

    def __init__(self) -> None:
        self.waiting: Outbox[str | None] = Outbox(_MOST_WAITING)
        self._picture = b""

    def show(self, picture: bytes) -> None:
        self._picture = picture
        self.waiting.put(None)

    async def send_all(self, connection: ServerConnection) -> None:
        while True:
            text = await self.waiting.take()
            if text is not None:
                await connection.send(text)
            elif self._picture:
                picture, self._picture = self._picture, b""
                await connection.send(picture)


class WebPage:
    """A sink: serves the page, and to each one who looks at it messages and pictures.

    A text is a message, or ``{"expressions": [{"name", "word", "colour"}, …], "units": [{"label",
    "name"}, …]}`` (before the first message; units are the AUs, none or in their order), or
    ``{"status": {…}}`` (each second). A picture is the message's ``seq`` as 4 bytes, big endian,
    and a JPEG. Pictures are encoded only while somebody looks, once for all, in a thread of their
    own.

    Args:
        loop: where it runs. port: on 127.0.0.1; 0 is any free one.
        jpeg_quality: 0-100. most_width: wider pictures are scaled down to so many pixels.
        most_fps: so many pictures a second at most; messages all go.
        facts: what the page tells besides: ``title`` (the source), ``model``, ``clients``,
            ``dropped``, ``recording`` (a text or a bool); each may be absent. Called each second
            in the loop's thread, so it must be quick.

    Attributes:
        port: the one it listens at.
    """

    def __init__(
        self,
        loop: EventLoop,
        *,
        port: int = 8000,
        jpeg_quality: int = 75,
        most_width: int = 640,
        most_fps: float = 15,
        facts: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.port = port
        self._loop = loop
        self._jpeg_quality = jpeg_quality
        self._most_width = most_width
        self._pause_s = 1 / most_fps
        self._facts = facts
        self._files: dict[str, tuple[str, bytes]] = {}
        self._viewers: set[_Viewer] = set()
        self._ever = 0
        self._pictures = 0
        self._legend = ""
        self._newest: Step | None = None
        self._came = asyncio.Event()
        self._server: Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._encoder: ThreadPoolExecutor | None = None

    @property
    def n_viewers(self) -> int:
        """How many look at it now."""
        return len(self._viewers)

    def start(self) -> str:
        """Serve the page.

        Raises:
            EnvironmentFailure: the port is taken.
        """
        folder = resources.files("aufer") / "templates"
        self._files = {
            path: (kind, (folder / name).read_bytes()) for path, (name, kind) in _FILES.items()
        }
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        try:
            self._server = self._loop.run(self._listen())
        except OSError as error:
            raise port_failure(error, _HOST, self.port, "--web-port") from error
        self.port = port_of(self._server)
        return f"page: http://{_HOST}:{self.port}/"

    def send(self, step: Step) -> None:
        """Hand it over where somebody looks; nothing is encoded here."""
        if self._viewers:
            self._loop.post(self._spread, step)

    def close(self) -> None:
        """Say goodbye to all."""
        server, self._server = self._server, None
        encoder, self._encoder = self._encoder, None
        if server is not None:
            self._loop.run(self._end(server))
        if encoder is not None:
            encoder.shutdown()

    def summary(self) -> str | None:
        """How many looked."""
        if not self._ever:
            return "page: nobody looked"
        return f"page: {counted(self._ever, 'viewer')}, {counted(self._pictures, 'picture')}"

    async def _listen(self) -> Server:
        server = await listen(
            self._serve,
            _HOST,
            self.port,
            answer=self._answer,
            send_buffer=_SEND_BUFFER,
            opening_s=_OPENING_S,
        )
        self._tasks = [
            asyncio.ensure_future(self._show_pictures()),
            asyncio.ensure_future(self._tell_status()),
        ]
        return server

    async def _end(self, server: Server) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await end(server)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        from websockets.datastructures import Headers
        from websockets.http11 import Response

        host = header(request, "Host") or ""
        if not is_local_host(host):
            return refused(connection, HTTPStatus.FORBIDDEN, "This page is for this machine.")
        path = request.path.partition("?")[0]
        if path == _STREAM:
            if header(request, "Origin") in (None, f"http://{host}"):
                return None
            return refused(connection, HTTPStatus.FORBIDDEN, "Other sites may not read this.")
        if path not in self._files:
            return refused(connection, HTTPStatus.NOT_FOUND, "There is nothing here.")
        kind, body = self._files[path]
        return Response(200, "OK", Headers(_headers(kind, len(body), host)), body)

    async def _serve(self, connection: ServerConnection) -> None:
        if len(self._viewers) >= _MOST_VIEWERS:
            await connection.close(1013, "too many viewers")
            return
        viewer = _Viewer()
        if self._legend:
            viewer.waiting.put(self._legend)
        viewer.waiting.put(self._status(len(self._viewers) + 1))
        self._viewers.add(viewer)
        self._ever += 1
        try:
            await attend(connection, viewer.send_all(connection))
        finally:
            self._viewers.discard(viewer)

    def _spread(self, step: Step) -> None:
        if not self._legend:
            self._legend = _legend_of(step.message)
            self._tell(self._legend)
        self._tell(step.message.line().decode().rstrip("\n"))
        if step.frame is not None:
            self._newest = step
            self._came.set()

    def _tell(self, text: str) -> None:
        for viewer in self._viewers:
            viewer.waiting.put(text)

    async def _show_pictures(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._came.wait()
            self._came.clear()
            step, self._newest = self._newest, None
            if step is None or step.frame is None or not self._viewers:
                continue
            due = loop.time() + self._pause_s
            jpeg = await loop.run_in_executor(
                self._encoder, as_jpeg, step.frame.pixels, self._most_width, self._jpeg_quality
            )
            self._pictures += 1
            picture = (step.message.seq & 0xFFFFFFFF).to_bytes(4, "big") + jpeg
            for viewer in self._viewers:
                viewer.show(picture)
            await asyncio.sleep(due - loop.time())

    async def _tell_status(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_S)
            if self._viewers:
                self._tell(self._status(len(self._viewers)))

    def _status(self, n_viewers: int) -> str:
        try:
            facts = dict(self._facts())
        except Exception:
            log.exception("the page could not be told how things are")
            facts = {}
        return json.dumps({"status": {**facts, "viewers": n_viewers}}, default=str)


def as_jpeg(pixels: np.ndarray, most_width: int, quality: int) -> bytes:
    """A picture as JPEG.

    Args:
        pixels: uint8 [height, width, 3], blue before red; not changed.
        most_width: a wider picture is scaled down to it. quality: 0-100.
    """
    from aufer.pictures.opencv import opencv

    cv2 = opencv()
    height, width = pixels.shape[:2]
    if width > most_width:
        size = (most_width, max(1, round(height * most_width / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(coded)


def _legend_of(message: Message) -> str:
    expressions, units = message.expressions, message.units
    each = zip(expressions.names, expressions.words, expressions.colours, strict=True)
    rows = [{"name": name, "word": word, "colour": colour} for name, word, colour in each]
    named = zip(units.labels, units.names, strict=True)
    aus = [{"label": label, "name": name} for label, name in named]
    return json.dumps({"expressions": rows, "units": aus})


def _headers(kind: str, length: int, host: str) -> dict[str, str]:
    """The browser may load nothing but these files and the stream, and nobody may frame them.

    Args:
        host: checked before; browsers that don't count WebSockets as ``'self'`` need it.
    """
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
        f"connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "Content-Type": f"{kind}; charset=utf-8",
        "Content-Length": str(length),
        "Connection": "close",
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
