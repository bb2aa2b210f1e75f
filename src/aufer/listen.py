"""Listen to what ``aufer live`` sends, as a client in Unity does."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aufer.errors import EnvironmentFailure, UsageError
from aufer.live.access import TOKEN_ERRORS, token_line

BUFFER = 1024
"""Bytes that the published Unity client reads at once."""

LONGEST_LINE = 64 * 1024
"""Bytes; more without a line feed is no message."""

LONGEST_SILENCE_S = 30.0
"""A frame has a message: after so long without one, nobody is there."""

SHORTEST_WAIT_S = 0.25
LONGEST_WAIT_S = 5.0
"""Between attempts to connect: first the one, twice as long each time, at most the other."""

_CONNECT_S = 5.0
_LOOK_UP_S = 0.2  # how often a wait for bytes is interrupted, to see whether it is time to stop
_SILENCE_S = 5.0
_MOST_TOLD = 5
_LONGEST_REASON = 200

Facts = dict[str, Any]


@dataclass
class Heard:
    """What came.

    Attributes:
        messages: objects with faces. missed: gaps in ``seq`` within a connection.
        unreadable: lines (or reads) that were no JSON object. connections: that were made.
    """

    messages: int = 0
    missed: int = 0
    unreadable: int = 0
    connections: int = 0


class Lines:
    """Puts bytes together to lines, however they were cut or glued on their way."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their ends; the rest is kept.

        Raises:
            ValueError: a line has no end; says what may be the reason.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            self._rest = b""
            raise ValueError("no line feed; does it run with --compat unity-v1?")
        return [line for line in lines if line.strip()]


class _Stop(Exception):
    """As many messages, or as much time, as was wanted."""


def listen(
    host: str = "127.0.0.1",
    port: int = 5000,
    *,
    on_message: Callable[[Facts], None],
    on_status: Callable[[str], None] = lambda text: None,
    token: str | None = None,
    unity_v1: bool = False,
    stop_after: int | None = None,
    duration_s: float | None = None,
    poll_s: float = 0.0,
    reconnect: bool = True,
    heard: Heard | None = None,
) -> Heard:
    """Connect and hand over each message, for ever: where nothing listens yet, or the connection is
    lost or silent for 30 s, try again after 0.25 s, then after twice as long each time, up to 5 s.

    Args:
        host, port: of the server.
        on_message: gets each message. on_status: gets lines about the connection.
        token: sent as the first line.
        unity_v1: do as the published Unity client does: blocking reads of at most 1024 bytes, each
            parsed as one message.
        stop_after: return after so many messages. duration_s: return after so long.
        poll_s: sleep so long before each read, as a slow program does.
        reconnect: False: give up where nothing listens, and return when the connection ends.
        heard: counts, for who wants them also after an interruption.

    Returns:
        The counts.

    Raises:
        EnvironmentFailure: the token is refused, or no lines come; without ``reconnect``: nothing
            listens, or the server gave no message. UsageError: unity_v1 with a token.
    """
    if unity_v1 and token is not None:
        raise UsageError(
            "The published Unity client can't send a token.",
            hint="leave --token (AUFER_TOKEN) away, or --compat",
        )
    client = _Client(
        address=(host, port),
        hello=b"" if token is None else token_line(token),
        has_token=token is not None,
        unity_v1=unity_v1,
        on_message=on_message,
        on_status=on_status,
        stop_after=stop_after,
        stop_at=None if duration_s is None else time.monotonic() + duration_s,
        poll_s=poll_s,
        heard=Heard() if heard is None else heard,
    )
    with contextlib.suppress(_Stop):
        client.check_time()
        client.run(reconnect=reconnect)
    return client.heard


@dataclass
class _Client:
    address: tuple[str, int]
    hello: bytes
    has_token: bool
    unity_v1: bool
    on_message: Callable[[Facts], None]
    on_status: Callable[[str], None]
    stop_after: int | None
    stop_at: float | None
    poll_s: float
    heard: Heard
    last_seq: int | None = None
    told: str = ""

    @property
    def where(self) -> str:
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def run(self, *, reconnect: bool) -> None:
        wait_s = SHORTEST_WAIT_S
        while True:
            n_before = self.heard.messages
            connection = self._connect(reconnect)
            if connection is not None:
                with connection:
                    why = self._converse(connection)
                if not reconnect:
                    self._end(why, self.heard.messages > n_before)
                    return
                self._tell(f"lost the connection to {self.where} ({why}); trying again")
            if self.heard.messages > n_before:
                wait_s = SHORTEST_WAIT_S
            self._sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def check_time(self) -> None:
        if self.stop_at is not None and time.monotonic() >= self.stop_at:
            raise _Stop

    def _connect(self, reconnect: bool) -> socket.socket | None:
        left_s = _CONNECT_S if self.stop_at is None else self.stop_at - time.monotonic()
        try:
            connection = socket.create_connection(
                self.address, timeout=max(0.01, min(_CONNECT_S, left_s))
            )
        except (OSError, UnicodeError) as error:
            self.check_time()
            if isinstance(error, (socket.gaierror, UnicodeError)):
                why = f"There is no host '{self.address[0]}'."
                hint = "aufer listen --host 127.0.0.1"
            else:
                why = f"Nothing listens on {self.where}."
                hint = f"start it first: aufer live --port {self.address[1]}"
            if not reconnect:
                raise EnvironmentFailure(why, hint=hint) from error
            self._tell(f"{why.rstrip('.')}; trying again")
            return None
        connection.settimeout(_LOOK_UP_S)
        with contextlib.suppress(OSError):  # it has gone already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.heard.connections += 1
        self._tell(f"connected to {self.where}")
        return connection

    def _converse(self, connection: socket.socket) -> str:
        """Read until the connection ends; why it did."""
        lines, self.last_seq = Lines(), None
        heard_at = time.monotonic()
        try:
            connection.sendall(self.hello)
        except OSError as error:
            return str(error.strerror or error)
        while True:
            self._sleep(self.poll_s)
            data = self._read(connection)
            if isinstance(data, str):
                return data
            if data is not None:
                heard_at = time.monotonic()
                if (refusal := self._take(data, lines)) is not None:
                    return refusal
            elif time.monotonic() - heard_at > LONGEST_SILENCE_S:
                return "it says nothing"
            elif time.monotonic() - heard_at > _SILENCE_S:
                self._tell(f"connected to {self.where}; nothing has come for a while")

    def _read(self, connection: socket.socket) -> bytes | str | None:
        """Bytes; None where none came yet; or why the connection has ended."""
        try:
            data = connection.recv(BUFFER if self.unity_v1 else 64 * 1024)
        except (socket.timeout, TimeoutError):  # noqa: UP041 - two until Python 3.10
            return None
        except OSError as error:
            return str(error.strerror or error)
        return data or "the server closed it"

    def _take(self, data: bytes, lines: Lines) -> str | None:
        """Hand over what a read brought; why to leave, where the server refuses us."""
        try:
            texts = [data] if self.unity_v1 else lines.feed(data)
        except ValueError as error:  # it would come again and again
            raise EnvironmentFailure(
                f"What {self.where} sends is no message: {error}",
                hint=f"aufer listen --compat unity-v1 --port {self.address[1]}",
            ) from error
        for text in texts:
            try:
                facts = json.loads(text)
                if not isinstance(facts, dict):
                    raise ValueError("it is no object")
            except (ValueError, RecursionError) as error:  # also what is no UTF-8
                self._not_readable(str(error))
                continue
            if "error" in facts and "faces" not in facts:
                return self._refused(_one_line(str(facts["error"])))
            self._count(facts)
            self.on_message(facts)
            if self.stop_after is not None and self.heard.messages >= self.stop_after:
                raise _Stop
        return None

    def _count(self, facts: Facts) -> None:
        self.heard.messages += 1
        seq = facts.get("seq")
        if isinstance(seq, int):
            if self.last_seq is not None and seq > self.last_seq + 1:
                self.heard.missed += seq - self.last_seq - 1
            self.last_seq = seq

    def _not_readable(self, why: str) -> None:
        self.heard.unreadable += 1
        if self.heard.unreadable <= _MOST_TOLD:
            more = "; further ones are only counted" if self.heard.unreadable == _MOST_TOLD else ""
            self.on_status(f"what came is no message: {why}{more}")

    def _refused(self, why: str) -> str:
        if why in TOKEN_ERRORS:
            raise EnvironmentFailure(
                f"{self.where} refuses the token." if self.has_token else f"{self.where}: {why}.",
                hint="the token that `aufer live --token` got: aufer listen --token …",
            )
        return why

    def _end(self, why: str, had_messages: bool) -> None:
        """The end of the only connection."""
        if not had_messages:
            raise EnvironmentFailure(
                f"{self.where} sent no message: {why}.",
                hint=f"start it, then listen: aufer live --port {self.address[1]}",
            )
        self._tell(f"the connection to {self.where} has ended ({why})")

    def _tell(self, text: str) -> None:
        """Each news once, however often it is tried."""
        if text != self.told:
            self.told = text
            self.on_status(text)

    def _sleep(self, seconds: float) -> None:
        """Sleep, but not past the end."""
        left_s = seconds if self.stop_at is None else self.stop_at - time.monotonic()
        if seconds > 0:
            time.sleep(max(0.0, min(seconds, left_s)))
        self.check_time()


def _one_line(text: str) -> str:
    """What a server says, as a line that does nothing to a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_REASON])
