"""One TCP client: its token, its messages, and what it may cost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from aufer.live.access import (
    LATE_TOKEN,
    LONGEST_TOKEN_LINE,
    TOKEN_PATIENCE_S,
    WRONG_TOKEN,
    check_token_line,
)
from aufer.live.message import Message
from aufer.live.unity_v1 import block

log = logging.getLogger("aufer")

MOST_READ = 4096
"""Bytes that a client may send in all, beyond its token: there is nothing to say to us."""

_MOST_READ_OF_REFUSED = 64 * 1024
_REFUSED_LEAVE_S = 1.0
_STALLED_S = 10.0
_SEND_BUFFER = 16 * 1024  # what is behind waits here or at the client, and gets old
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPALIVE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}


@dataclass
class Counts:
    """What happened, over all clients.

    Attributes:
        served: clients that got in. refused: those that didn't. sent, dropped: messages, each
            counted once per client.
    """

    served: int = 0
    refused: int = 0
    sent: int = 0
    dropped: int = 0


@dataclass
class Outgoing:
    """A message on its way to all clients; each form is made once, and only if wanted.

    Attributes:
        on_sent: told when the first client's socket got it, by `time.perf_counter`.
    """

    message: Message
    unity_v1: bool
    on_sent: Callable[[Message, float], None] | None = None

    @cached_property
    def first(self) -> bytes:
        """For a connection that had none before: with the labels."""
        return self.later if self.unity_v1 else self.message.line(with_labels=True)

    @cached_property
    def later(self) -> bytes:
        """For all others."""
        return block(self.message) if self.unity_v1 else self.message.line()

    def has_left(self) -> None:
        """The bytes were given to a socket."""
        told, self.on_sent = self.on_sent, None
        if told is not None:
            told(self.message, time.perf_counter())


@dataclass(frozen=True)
class Terms:
    """How each client is served.

    Attributes:
        token: what it must send first; None for nothing. queue_length: messages that wait for it.
        tells_why: whether an error line is understood.
        enter: called when it may have messages; gives why not, or None. leave: called at its end.
        say: tells the user what a host (first) did (second).
    """

    token: str | None
    queue_length: int
    tells_why: bool
    counts: Counts
    enter: Callable[[Connection], str | None]
    leave: Callable[[Connection], None]
    say: Callable[[str, str], None]


class Connection(asyncio.Protocol):
    """A client. A message is written only when the one before has left this process wholly; until
    then messages wait in a short queue, whose oldest goes when another comes.

    A client that closes its end, or only its writing, has left.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._queue: deque[Outgoing] = deque()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._typed = b""
        self._n_read = 0
        self._n_sent = 0
        self._behind_since: float | None = None
        self._is_refused = False
        self._stall_told = False
        self.is_in = False
        self.host = "?"

    def offer(self, outgoing: Outgoing) -> None:
        """Send it now, or when the client has read enough."""
        if self._behind_since is None:
            self._write(outgoing)
            return
        if len(self._queue) >= self._terms.queue_length:
            self._queue.popleft()
            self._terms.counts.dropped += 1
            self._tell_stall(self._behind_since)
        self._queue.append(outgoing)

    def end(self) -> None:
        """Close when what was begun has left; nothing that waits is sent."""
        self._queue.clear()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._queue.clear()
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        peer = transport.get_extra_info("peername")
        self.host = str(peer[0]) if peer else "?"
        _set_options(transport.get_extra_info("socket"))
        if self._terms.token is None:
            self._enter()
        else:
            self._call_later(TOKEN_PATIENCE_S, lambda: self._refuse(LATE_TOKEN))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or we ended it."""
        self._stop_timer()
        self._queue.clear()
        self._terms.leave(self)

    def pause_writing(self) -> None:
        """The socket is full."""
        self._behind_since = time.monotonic()

    def resume_writing(self) -> None:
        """All that was written has left."""
        self._behind_since = None
        while self._queue and self._behind_since is None:
            self._write(self._queue.popleft())

    def eof_received(self) -> None:
        """The client has closed its end; asyncio then closes ours."""
        if self._behind_since is not None:  # it would wait for ever for a client that stalls
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Read the token, if there is one to be; drop everything else."""
        if self._is_refused:
            self._n_read += len(data)
            if self._n_read > _MOST_READ_OF_REFUSED:
                self.abort()
        elif self.is_in:
            self._discard(data)
        else:
            self._typed += data
            line, feed, rest = self._typed.partition(b"\n")
            if feed or len(line) >= LONGEST_TOKEN_LINE:
                self._typed = b""
                self._stop_timer()
                self._read_token(line, rest)

    def _read_token(self, line: bytes, rest: bytes) -> None:
        token = self._terms.token or ""
        if len(line) < LONGEST_TOKEN_LINE and check_token_line(line, token):
            self._enter()
            if self.is_in and rest:
                self._discard(rest)
        else:
            self._refuse(WRONG_TOKEN)

    def _discard(self, data: bytes) -> None:
        self._n_read += len(data)
        if self._n_read > MOST_READ:
            self._terms.say(self.host, f"sent more than {MOST_READ} bytes; disconnected")
            self.abort()

    def _enter(self) -> None:
        why_not = self._terms.enter(self)
        if why_not is not None:
            self._refuse(why_not)
            return
        self.is_in = True
        self._terms.counts.served += 1
        log.debug(f"messages: a client has come from {self.host}")

    def _refuse(self, why: str) -> None:
        """Say why; then wait a moment for the client to read it, which closing at once prevents
        where the client has sent something that nobody read."""
        assert self._transport is not None
        self._is_refused = True
        self._terms.counts.refused += 1
        self._terms.say(self.host, f"was refused: {why}")
        if not self._terms.tells_why:
            self.abort()
            return
        self._transport.write(json.dumps({"error": why}).encode("ascii") + b"\n")
        with contextlib.suppress(OSError):  # it has gone already
            self._transport.write_eof()
        self._call_later(_REFUSED_LEAVE_S, self.abort)

    def _write(self, outgoing: Outgoing) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(outgoing.later if self._n_sent else outgoing.first)
        self._n_sent += 1
        self._terms.counts.sent += 1
        outgoing.has_left()

    def _tell_stall(self, since: float) -> None:
        if not self._stall_told and time.monotonic() - since > _STALLED_S:
            self._stall_told = True
            self._terms.say(self.host, "doesn't read; it misses messages until it does")

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, call)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _set_options(connection: socket.socket) -> None:
    """No delay, little buffering, and an end for a client whose machine is gone."""
    with contextlib.suppress(OSError):  # it has gone already
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
