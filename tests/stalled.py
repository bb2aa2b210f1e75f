"""A WebSocket client down to its socket, which reads only when it is told to."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping

PATIENCE_S = 60.0
"""A guard against hanging; the machine may be slow."""


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until it is true."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


class StalledClient:
    """One that asked, and read the answer's head: ``status`` is its number."""

    def __init__(self, sock: socket.socket, path: str, headers: Mapping[str, str]) -> None:
        self._sock = sock
        asked = {
            "Host": "127.0.0.1",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": b64encode(os.urandom(16)).decode(),
            **headers,
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in asked.items()), "", ""]
        sock.sendall("\r\n".join(lines).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        self.status = int(head.split()[1])

    def texts_until(self, ending: str) -> list[str]:
        """Begin to read: all texts up to the first that has `ending` in it."""
        texts: list[str] = []
        while not texts or ending not in texts[-1]:
            first, length = self._read(2)
            if length == 126:
                (length,) = struct.unpack(">H", self._read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._read(8))
            content = self._read(length)
            if first & 0x0F == 1:
                texts.append(content.decode())
        return texts

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = self._sock.recv(size - len(found))
            assert more, "the connection ended"
            found += more
        return found


@contextlib.contextmanager
def stalled_client(
    port: int, path: str, headers: Mapping[str, str] | None = None
) -> Iterator[StalledClient]:
    """A client with a small buffer of its own; headers replace its own ones."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(PATIENCE_S)
        sock.connect(("127.0.0.1", port))
        yield StalledClient(sock, path, headers or {})
