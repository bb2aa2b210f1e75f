"""Messages over TCP: one JSON object a line, to whoever connects."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aufer.errors import UsageError
from aufer.live.access import check_access, is_loopback
from aufer.live.event_loop import EventLoop
from aufer.live.listening import bound_host, port_failure, shown_host
from aufer.live.message import Message
from aufer.live.sinks.sink import Step, counted
from aufer.live.sinks.tcp_connection import Connection, Counts, Outgoing, Terms

log = logging.getLogger("aufer")

TOO_MANY = "too many clients"
_UNFINISHED = 16
_GOODBYE_S = 0.5
_MOST_SAID = 200


class TcpServer:
    """A `Sink`: serves any number of clients, which come and go as they like; a slow one misses
    messages (its queue's oldest), the others don't notice.

    Attributes:
        port: the one listened on, also where 0 was asked for.
        on_sent: called in the loop's thread when a message's bytes were given to the first client's
            socket, with `time.perf_counter`.
    """

    def __init__(
        self,
        loop: EventLoop,
        *,
        host: str = "127.0.0.1",
        port: int = 5000,
        token: str | None = None,
        most_clients: int = 64,
        unity_v1: bool = False,
        queue_length: int = 8,
    ) -> None:
        """Nothing is opened yet.

        Args:
            host: the address to listen on; beyond this machine only with a token.
            port: 0 lets the system choose.
            token: what clients send as their first line, ``{"token": "…"}``.
            unity_v1: blocks of 1024 bytes for the published Unity client, instead of lines; what
                the socket can't take at once is dropped but for the newest.
            queue_length: messages that wait for a slow client.

        Raises:
            UsageError: the host needs a token, or can't be had with unity_v1.
        """
        if unity_v1 and not is_loopback(host):
            raise UsageError(
                "--compat unity-v1 is for a client on this machine: it knows no token.",
                hint="--compat unity-v1 --host 127.0.0.1",
            )
        if unity_v1 and token is not None:
            raise UsageError(
                "The client of --compat unity-v1 can't send a token.",
                hint="leave --token away, or --compat",
            )
        check_access(host, token)
        self.port = port
        self.on_sent: Callable[[Message, float], None] | None = None
        self._loop = loop
        self._host = host
        self._most_clients = most_clients
        self._unity_v1 = unity_v1
        self._server: asyncio.Server | None = None
        self._counts = Counts()
        self._terms = Terms(
            token=token,
            queue_length=1 if unity_v1 else max(1, queue_length),
            tells_why=not unity_v1,
            counts=self._counts,
            enter=self._enter,
            leave=self._leave,
            say=self._say,
        )
        self._said: set[tuple[str, str]] = set()
        self._connections: dict[Connection, None] = {}  # all, the oldest first
        self._clients: dict[Connection, None] = {}  # those that get messages

    @property
    def n_clients(self) -> int:
        """Clients that get messages now."""
        return len(self._clients)

    @property
    def n_sent(self) -> int:
        """Messages given to sockets, counted once per client."""
        return self._counts.sent

    @property
    def n_dropped(self) -> int:
        """Messages that were dropped for slow clients, counted once per client."""
        return self._counts.dropped

    @property
    def n_refused(self) -> int:
        """Connections without the token, or past the limit."""
        return self._counts.refused

    def start(self) -> str:
        """Listen. Gives the line that tells the user.

        Raises:
            EnvironmentFailure: the port is taken. UsageError: there is no such host.
        """
        self._loop.run(self._listen())
        shape = "1024 bytes each (unity-v1)" if self._unity_v1 else "one JSON object a line"
        asks = ", with the token" if self._terms.token is not None else ""
        return f"messages: TCP {shown_host(self._host)}:{self.port}, {shape}{asks}"

    def send(self, step: Step) -> None:
        """Hand the message to the loop's thread; never waits."""
        if self._clients:
            self._loop.post(self._spread, step.message)

    def close(self) -> None:
        """End all connections in order and free the port; clients read an end of file."""
        if self._server is not None:
            self._loop.run(self._end())

    def summary(self) -> str | None:
        """How many were served, and what they got."""
        counts = self._counts
        if not counts.served and not counts.refused:
            return "messages: no client came"
        texts = [counted(counts.served, "client")]
        texts.append(f"{counts.sent} sent")
        texts.append(f"{counts.dropped} dropped for slow clients")
        if counts.refused:
            texts.append(f"{counts.refused} refused")
        return f"messages: {', '.join(texts)}"

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        host = bound_host(self._host)
        try:
            self._server = await loop.create_server(self._connection, host, self.port)
        except OSError as error:
            raise port_failure(error, shown_host(self._host), self.port) from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    def _connection(self) -> Connection:
        """For one who just came; who is not in yet must make room when there are too many."""
        if len(self._connections) >= self._most_clients + _UNFINISHED:
            oldest = next((each for each in self._connections if not each.is_in), None)
            if oldest is not None:
                self._leave(oldest)
                oldest.abort()
        connection = Connection(self._terms)
        self._connections[connection] = None
        return connection

    def _enter(self, connection: Connection) -> str | None:
        if len(self._clients) >= self._most_clients:
            return TOO_MANY
        self._clients[connection] = None
        return None

    def _leave(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._clients.pop(connection, None)

    def _spread(self, message: Message) -> None:
        outgoing = Outgoing(message, self._unity_v1, self.on_sent)
        for client in list(self._clients):
            client.offer(outgoing)

    def _say(self, host: str, what: str) -> None:
        """Once each: a client that is refused tries again, for a month."""
        is_new = (host, what) not in self._said and len(self._said) < _MOST_SAID
        self._said |= {(host, what)} if is_new else set()
        log.log(logging.INFO if is_new else logging.DEBUG, f"messages: {host} {what}")

    async def _end(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for connection in list(self._connections):
            connection.end()
        await self._wait_for_goodbyes(_GOODBYE_S)
        for connection in list(self._connections):  # who doesn't read
            connection.abort()
        await self._wait_for_goodbyes(_GOODBYE_S)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.wait_closed(), _GOODBYE_S)

    async def _wait_for_goodbyes(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._connections and loop.time() < until:
            await asyncio.sleep(0.01)
