"""Addresses to listen on, and why one can't be had, in words."""

from __future__ import annotations

import errno
import socket

from aufer.errors import AuferError, EnvironmentFailure, UsageError


def bound_host(host: str) -> str:
    """What the system is asked to listen on: "localhost" may be two addresses, and port 0 then two
    ports; an IPv6 address stands without its brackets."""
    return "127.0.0.1" if host.lower() == "localhost" else host.strip("[]")


def shown_host(host: str) -> str:
    """A host as it stands before a colon and a port: an IPv6 address in brackets."""
    bare = host.strip("[]")
    return f"[{bare}]" if ":" in bare else bare or "*"


def port_failure(error: OSError, host: str, port: int, option: str = "--port") -> AuferError:
    """The error that tells the user what to type.

    Args:
        error: what the system said. option: the one that sets the port.
    """
    if isinstance(error, socket.gaierror):
        return UsageError(f"There is no host '{host}'.", hint="--host 127.0.0.1")
    if error.errno in (errno.EADDRNOTAVAIL, None):  # asyncio of Python 3.13 gives no number
        return EnvironmentFailure(f"{host} is no address of this machine.", hint="--host 127.0.0.1")
    if error.errno == errno.EADDRINUSE:
        airplay = "; on macOS the AirPlay receiver takes 5000" if port == 5000 else ""
        return EnvironmentFailure(
            f"Port {port} is taken by another program{airplay}.",
            hint=f"{option} {port + 1 if port < 65535 else port - 1}",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return EnvironmentFailure(
            f"The system doesn't let you listen on port {port}.", hint=f"{option} 5001"
        )
    return EnvironmentFailure(
        f"{host}:{port} can't be listened on: {error.strerror or error}.", hint=f"{option} 5001"
    )
