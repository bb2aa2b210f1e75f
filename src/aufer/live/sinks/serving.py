"""What our two servers for browsers have in common: limits, and who may not read them.

A page of any site can send requests to this machine's ports from its visitor's browser. What gives
it away are two headers that its script can't change: ``Origin`` (the site of the page) and ``Host``
(the name it asked for; a strange one where a site makes its own name mean 127.0.0.1).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

log = logging.getLogger("aufer")
_protocol_log = logging.getLogger("aufer.websockets")
_protocol_log.setLevel(logging.CRITICAL)  # a client that talks nonsense is no error of ours

_LOCAL = re.compile(r"(localhost|\[::1\]|127(\.\d{1,3}){3})(:\d{1,5})?", re.IGNORECASE)
_MOST_BYTES = 1024
_MOST_MESSAGES = 100
_CLOSING_S = 1.0


def is_local_host(host: str) -> bool:
    """Whether a ``Host`` header is this machine's loopback, at any port: it may be tunnelled."""
    return _LOCAL.fullmatch(host) is not None


def is_local_origin(origin: str) -> bool:
    """Whether a page with that ``Origin`` came from this machine's loopback. ``null`` did not."""
    scheme, _, host = origin.partition("://")
    return scheme in ("http", "https") and is_local_host(host)


def header(request: Request, name: str) -> str | None:
    """A header's value; None where it is absent; several of them are no value of any use."""
    values = request.headers.get_all(name)
    return ", ".join(values) if values else None


def refused(connection: ServerConnection, status: HTTPStatus, reason: str) -> Response:
    """The answer to a request that is not granted."""
    return connection.respond(status, reason + "\n")


async def listen(
    handler: Callable[[ServerConnection], Coroutine[Any, Any, None]],
    host: str,
    port: int,
    *,
    answer: Callable[[ServerConnection, Request], Response | None],
    send_buffer: int,
    opening_s: float,
) -> Server:
    """Start a WebSocket server in this loop.

    Args:
        handler: runs as long as a client is there; what it raises ends that client only.
        answer: looks at each request first: a `Response` ends it, None lets it become a WebSocket.
        send_buffer: bytes; what the system holds for a client that does not read.
        opening_s: how long a client may take for its request.

    Raises:
        OSError: the address can't be had (`port_failure` puts it into words).
    """
    from websockets.asyncio.server import serve
    from websockets.exceptions import ConnectionClosed

    async def guarded(connection: ServerConnection) -> None:
        sock = connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        try:
            await handler(connection)
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("serving a WebSocket client failed")

    return await serve(
        guarded,
        host,
        port,
        process_request=answer,
        compression=None,
        server_header=None,
        max_size=_MOST_BYTES,
        max_queue=4,
        open_timeout=opening_s,
        close_timeout=_CLOSING_S,
        logger=_protocol_log,
    )


async def attend(connection: ServerConnection, sending: Coroutine[Any, Any, None]) -> None:
    """Run `sending` until the client leaves. What it says is ignored, and soon too much."""
    both = [asyncio.ensure_future(sending), asyncio.ensure_future(_listen_to(connection))]
    try:
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _listen_to(connection: ServerConnection) -> None:
    for _ in range(_MOST_MESSAGES):
        await connection.recv()
    await connection.close(1008, "nothing is to be sent here")


async def end(server: Server) -> None:
    """Close a server and its clients; the stalled ones are not waited for."""
    server.close()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 2 * _CLOSING_S)


def port_of(server: Server) -> int:
    """The port that it listens at, also where any free one was asked for."""
    return int(next(iter(server.sockets)).getsockname()[1])
