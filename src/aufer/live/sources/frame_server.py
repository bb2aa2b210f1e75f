"""``--listen-frames``: a program that owns the camera hands over JPEGs by TCP."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import re
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field

from aufer.live.access import (
    LATE_TOKEN,
    LONGEST_TOKEN_LINE,
    TOKEN_PATIENCE_S,
    WRONG_TOKEN,
    check_access,
    check_token_line,
)
from aufer.live.listening import bound_host, port_failure
from aufer.live.sources.jpeg_splitter import JpegSplitter
from aufer.live.sources.jpeg_stream import JpegStream

log = logging.getLogger("aufer")

TAKEN = "another client sends frames already"
NOT_HTTP = "this port takes JPEGs one after the other, not HTTP"
REPLACED = "no frame came for seconds, and another client was there"

_HTTP = re.compile(rb"(GET|POST|PUT|HEAD|OPTIONS|PATCH|DELETE|CONNECT) ")
_METHOD_LENGTH = 8
_CHUNK = 2**18
_TICK_S = 0.1
_SILENT_S = 5.0
"""A client that sent no frame for so long makes way for a new one: it may have lost its power."""

_LEAVING_S = 1.0
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_MOST_CLIENTS = 16


@dataclass(eq=False)
class _Client:
    socket: socket.socket
    address: str
    until_s: float
    """When it is put out: it sent no token, or was refused."""

    is_in: bool = False
    is_leaving: bool = False
    first: bytearray = field(default_factory=bytearray)
    splitter: JpegSplitter = field(default_factory=JpegSplitter)
    last_frame_s: float = 0.0


class FrameServer(JpegStream):
    """Takes JPEGs, one after the other, from one client at a time.

    With a token, the client's first line is ``{"token": "…"}``. Who is refused gets one line
    ``{"error": "…"}``. A client that leaves is no end: the next may come.

    Attributes:
        port: the one listened on, also where 0 was asked for.
    """

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        token: str | None = None,
        every_frame: bool = False,
    ) -> None:
        """Nothing is opened yet.

        Raises:
            UsageError: the host needs a token.
        """
        check_access(host, token)
        super().__init__("", is_live=True, every_frame=every_frame)
        self.port = port
        self._host = bound_host(host)
        self._token = token
        self._clients: set[_Client] = set()
        self._sender: _Client | None = None
        self._thread: threading.Thread | None = None
        self._selector: selectors.BaseSelector | None = None
        self._set_title()

    def open(self) -> None:
        """Listen.

        Raises:
            EnvironmentFailure: the port is taken. UsageError: there is no such host.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listening = socket.create_server((self._host, self.port), family=family)
        except (OSError, OverflowError) as error:
            failure = error if isinstance(error, OSError) else OSError(0, str(error))
            raise port_failure(failure, self._host, self.port, "--listen-frames") from error
        listening.setblocking(False)
        self.port = int(listening.getsockname()[1])
        self._set_title()
        self._begin()
        self._thread = threading.Thread(
            target=self._serve, args=(listening,), name="frame server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Free the port; the client reads an end of file."""
        super().close()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(5 * _TICK_S + _LEAVING_S)

    def _set_title(self) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host or "*"
        self.title = f"frames sent to {host}:{self.port}"

    def _serve(self, listening: socket.socket) -> None:
        selector = self._selector = selectors.DefaultSelector()
        failure: Exception | None = None
        try:
            selector.register(listening, selectors.EVENT_READ)
            while not self._is_closed:
                for key, _ in selector.select(_TICK_S):
                    if key.data is None:
                        self._accept(listening)
                    elif key.data in self._clients:
                        self._receive(key.data)
                self._put_out_the_late()
        except Exception as error:
            failure = error
        finally:
            for client in list(self._clients):
                self._drop(client)
            listening.close()
            selector.close()
            self._end(failure)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, address = listening.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:  # it would come at once again
                time.sleep(_TICK_S)
            return  # else it has gone again
        connection.setblocking(False)
        now = time.monotonic()
        client = _Client(connection, f"{address[0]}:{address[1]}", now + TOKEN_PATIENCE_S)
        if len(self._clients) >= _MOST_CLIENTS:
            connection.close()
            return
        self._clients.add(client)
        assert self._selector is not None
        self._selector.register(connection, selectors.EVENT_READ, client)
        if self._token is None:
            self._let_in(client)

    def _receive(self, client: _Client) -> None:
        try:
            data = client.socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
        elif client.is_leaving:
            pass
        elif not client.is_in:
            self._take_token(client, data)
        else:
            self._take_frames(client, data)

    def _take_token(self, client: _Client, data: bytes) -> None:
        assert self._token is not None
        client.first += data
        line, end, rest = bytes(client.first).partition(b"\n")
        if len(line) >= LONGEST_TOKEN_LINE or (end and not check_token_line(line, self._token)):
            self._refuse(client, WRONG_TOKEN)
        elif end:
            self._let_in(client)
            if rest and client.is_in:
                self._take_frames(client, rest)

    def _let_in(self, client: _Client) -> None:
        now, sender = time.monotonic(), self._sender
        if sender is not None and now - sender.last_frame_s < _SILENT_S:
            self._refuse(client, TAKEN)
            return
        if sender is not None:
            self._refuse(sender, REPLACED)
        client.is_in, client.last_frame_s = True, now
        client.first.clear()
        self._sender = client
        log.info("frames come from %s", client.address)

    def _take_frames(self, client: _Client, data: bytes) -> None:
        if len(client.first) < _METHOD_LENGTH:
            client.first += data[:_METHOD_LENGTH]
            if _HTTP.match(client.first):  # any web page can have a browser send it here
                self._refuse(client, NOT_HTTP)
                return
        if self._take(client.splitter, data):
            client.last_frame_s = time.monotonic()

    def _refuse(self, client: _Client, why: str) -> None:
        log.warning("a client of frames, %s, is refused: %s", client.address, why)
        self._forget_sender(client)
        client.is_in, client.is_leaving = False, True
        client.until_s = time.monotonic() + _LEAVING_S
        with contextlib.suppress(OSError):
            client.socket.send(json.dumps({"error": why}).encode("ascii") + b"\n")
            # what it still sends is read: closing at once would take the line from it
            client.socket.shutdown(socket.SHUT_WR)

    def _put_out_the_late(self) -> None:
        now = time.monotonic()
        for client in [c for c in self._clients if not c.is_in and now > c.until_s]:
            if client.is_leaving:
                self._drop(client)
            else:
                self._refuse(client, LATE_TOKEN)

    def _drop(self, client: _Client) -> None:
        if client is self._sender and not self._is_closed:
            log.info("the client of frames left; waiting for the next")
        self._forget_sender(client)
        self._clients.discard(client)
        assert self._selector is not None
        self._selector.unregister(client.socket)
        client.socket.close()

    def _forget_sender(self, client: _Client) -> None:
        if client is self._sender:
            self._sender = None
