"""Messages made by hand, clients of a TCP server, and somebody who sends to them all the while."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aufer.emotions import Emotions
from aufer.live.box import Box
from aufer.live.event_loop import EventLoop
from aufer.live.expressions import Expressions
from aufer.live.message import Face, Message
from aufer.live.sinks.sink import Step
from aufer.live.sinks.tcp import TcpServer

EXPRESSIONS = Expressions.of(
    Emotions(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
)
PATIENCE_S = 30.0
"""A guard against hanging, never a limit that is asserted on."""


def make_message(seq: int, n_faces: int = 1) -> Message:
    """A message with so many faces, each smaller than the one before; x tells ``seq``."""
    faces = []
    for n in range(n_faces):
        scores = [0.02] * 7
        scores[(3 + n) % 7] = 0.88
        box = Box(1000 + seq % 1000, 700 + n, 400 - n, 400 - n)
        faces.append(Face(n + 1, box, (3 + n) % 7, tuple(scores)))
    return Message(seq, 1.7e9 + seq / 100, 29.97, 1920, 1080, tuple(faces), EXPRESSIONS)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait, but not for ever."""
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, f"it never came that {what}"
        time.sleep(0.005)


@contextmanager
def serving(**options: Any) -> Iterator[TcpServer]:
    """A server on a port of the system's choice."""
    loop = EventLoop()
    server = TcpServer(loop, port=options.pop("port", 0), **options)
    try:
        server.start()
        yield server
    finally:
        server.close()
        loop.close()


@dataclass
class Sender:
    """Sends messages at a steady rate from a thread of its own, as the loop of frames does.

    Attributes:
        n: messages sent so far, numbered from 0.
    """

    server: TcpServer
    per_second: float = 100
    n_faces: int = 1
    n: int = 0
    _ends: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Sender:
        self._thread = threading.Thread(target=self._send, name="sender")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(PATIENCE_S)

    def _send(self) -> None:
        while not self._ends.wait(1 / self.per_second):
            self.server.send(Step(make_message(self.n, self.n_faces)))
            self.n += 1


class LineClient:
    """Reads lines by blocking calls, in the test's own thread."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", port))
        self._rest = b""

    def __enter__(self) -> LineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def line(self) -> bytes:
        """The next line; b"" at the end."""
        while b"\n" not in self._rest:
            data = self.socket.recv(65536)
            if not data:
                assert not self._rest, "the connection ended within a line"
                return b""
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def message(self) -> dict[str, Any]:
        """The next line's object."""
        return json.loads(self.line())

    def rest(self) -> Iterator[dict[str, Any]]:
        """All messages until the end, as they come."""
        return (json.loads(line) for line in iter(self.line, b""))


def vanish(connection: socket.socket) -> None:
    """Close with a reset, as a killed process may."""
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()
