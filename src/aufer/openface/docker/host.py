"""Where the Docker engine is: ``DOCKER_HOST``, docker's current context, or the usual socket."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from docker.tls import TLSConfig


@dataclass(frozen=True)
class DockerHost:
    """The address of an engine.

    Attributes:
        url: as in ``DOCKER_HOST``; empty for the usual socket of this system.
        tls: how to know it, and to be known by it.
    """

    url: str
    tls: TLSConfig | None = None

    @property
    def is_ssh(self) -> bool:
        """Whether it is reached through ssh."""
        return self.url.startswith("ssh://")

    @property
    def is_remote(self) -> bool:
        """Whether it can't see this machine's folders: it is reached over a network."""
        if self.is_ssh:
            return True
        address = urlsplit(self.url)
        name = address.hostname or "localhost"
        if address.scheme not in ("tcp", "http", "https") or name == "localhost":
            return False
        try:
            return not ipaddress.ip_address(name).is_loopback
        except ValueError:
            return True


def find_docker_host() -> DockerHost:
    """The engine that ``docker`` on the command line would use; its package must be there."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    if url := os.environ.get("DOCKER_HOST", "").strip():
        return DockerHost(url if "://" in url else f"tcp://{url}", kwargs_from_env().get("tls"))
    try:
        name = os.environ.get("DOCKER_CONTEXT")
        context = ContextAPI.get_context(name) if name else ContextAPI.get_current_context()
        return DockerHost(str(context.Host or ""), context.TLSConfig) if context else DockerHost("")
    except Exception:  # a damaged docker configuration is docker's to report
        return DockerHost("")
