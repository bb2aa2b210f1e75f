"""Messages to any number of WebSocket clients: browsers, games, scripts."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from aufer.live.access import (
    LATE_TOKEN,
    TOKEN_PATIENCE_S,
    WRONG_TOKEN,
    check_access,
    check_token_line,
)
from aufer.live.event_loop import EventLoop
from aufer.live.listening import bound_host, port_failure, shown_host
from aufer.live.message import Message
from aufer.live.sinks.outbox import Outbox
from aufer.live.sinks.serving import (
    attend,
    end,
    header,
    is_local_host,
    is_local_origin,
    listen,
    port_of,
    refused,
)
from aufer.live.sinks.sink import Step, counted

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

_MOST_WAITING = 8
_MOST_STRANGERS = 16
_SEND_BUFFER = 64 * 1024
_OPENING_S = 5.0


class WebSocketServer:
    """A sink: each message as a text frame, one JSON object; a connection's first has ``labels``.

    Beyond loopback a client's first text is ``{"token": "…"}``, within 5 s. Without a token, pages
    of other sites are refused by their ``Origin``, and by a strange ``Host``.

    Args:
        loop: where it runs. host, port: where it listens; port 0 is any free one.
        token: what clients must know; None for none.
        most_clients: how many at a time; further ones are sent away (1013).

    Raises:
        UsageError: beyond loopback without a token.

    Attributes:
        port: the one it listens at. n_sent, n_dropped: messages, counted once per client.
    """

    def __init__(
        self,
        loop: EventLoop,
        *,
        host: str = "127.0.0.1",
        port: int,
        token: str | None = None,
        most_clients: int = 64,
    ) -> None:
        check_access(host, token)
        self.port = port
        self.n_sent = 0
        self.n_dropped = 0
        self._loop = loop
        self._host = host
        self._token = token
        self._most_clients = most_clients
        self._strangers: dict[ServerConnection, None] = {}  # without token yet, the oldest first
        self._ever = 0
        self._outboxes: set[Outbox[tuple[Message, str]]] = set()
        self._server: Server | None = None

    @property
    def n_clients(self) -> int:
        """How many get messages now."""
        return len(self._outboxes)

    def start(self) -> str:
        """Listen.

        Raises:
            EnvironmentFailure: the port is taken. UsageError: there is no such host.
        """
        try:
            self._server = self._loop.run(self._listen())
        except OSError as error:
            raise port_failure(error, self._host, self.port, "--websocket") from error
        self.port = port_of(self._server)
        asked = ", for clients with the token" if self._token else ""
        return f"websocket: ws://{shown_host(self._host)}:{self.port}/{asked}"

    def send(self, step: Step) -> None:
        """Hand the message to each client's queue."""
        if self._outboxes:
            self._loop.post(self._spread, step.message)

    def close(self) -> None:
        """Say goodbye to all (1001)."""
        server, self._server = self._server, None
        if server is not None:
            self._loop.run(end(server))

    def summary(self) -> str | None:
        """What was sent and dropped."""
        if not self._ever:
            return "websocket: no client came"
        clients = counted(self._ever, "client")
        return (
            f"websocket: {clients}, {self.n_sent} sent, {self.n_dropped} dropped for slow clients"
        )

    async def _listen(self) -> Server:
        return await listen(
            self._serve,
            bound_host(self._host),
            self.port,
            answer=self._answer,
            send_buffer=_SEND_BUFFER,
            opening_s=_OPENING_S,
        )

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._token is not None:
            return None
        if not is_local_host(header(request, "Host") or ""):
            return refused(connection, HTTPStatus.FORBIDDEN, "This server is for this machine.")
        origin = header(request, "Origin")
        if origin is not None and not is_local_origin(origin):
            return refused(
                connection, HTTPStatus.FORBIDDEN, "Pages of other sites may not read this."
            )
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        refusal = await self._refusal(connection)
        if refusal:
            await connection.close(1008, refusal)
        elif len(self._outboxes) >= self._most_clients:
            await connection.close(1013, "too many clients")
        else:
            await self._attend(connection)

    async def _refusal(self, connection: ServerConnection) -> str:
        """Why a client that connected gets nothing; "" where it does. Who has no token takes no
        client's place: when there are too many of them, the oldest goes."""
        if self._token is None:
            return ""
        if len(self._strangers) >= _MOST_STRANGERS:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.transport.abort()
        self._strangers[connection] = None
        try:
            said = await asyncio.wait_for(connection.recv(), TOKEN_PATIENCE_S)
        except asyncio.TimeoutError:
            return LATE_TOKEN
        finally:
            self._strangers.pop(connection, None)
        return "" if check_token_line(said, self._token) else WRONG_TOKEN

    async def _attend(self, connection: ServerConnection) -> None:
        outbox: Outbox[tuple[Message, str]] = Outbox(_MOST_WAITING)
        self._ever += 1
        self._outboxes.add(outbox)
        try:
            await attend(connection, self._send_all(connection, outbox))
        finally:
            self._outboxes.discard(outbox)

    async def _send_all(
        self, connection: ServerConnection, outbox: Outbox[tuple[Message, str]]
    ) -> None:
        message, _ = await outbox.take()  # labels are added here: what is in the queue may go
        await connection.send(_text(message, with_labels=True))
        self.n_sent += 1
        while True:
            _, text = await outbox.take()
            await connection.send(text)
            self.n_sent += 1

    def _spread(self, message: Message) -> None:
        text = _text(message)
        before = sum(outbox.dropped for outbox in self._outboxes)
        for outbox in self._outboxes:
            outbox.put((message, text))
        self.n_dropped += sum(outbox.dropped for outbox in self._outboxes) - before


def _text(message: Message, *, with_labels: bool = False) -> str:
    return message.line(with_labels=with_labels).decode().rstrip("\n")
