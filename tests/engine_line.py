"""A way to the Docker engine that a test can hold up and cut; the engine itself is shared."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

ENGINE_SOCKET = "/var/run/docker.sock"


def own_address() -> str | None:
    """An address of this machine by which it looks like another one; None if it has none."""
    import psutil

    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET and not address.address.startswith("127."):
                return str(address.address)
    return None


class Line:
    """A TCP port that leads to the engine's socket until it is cut; for this machine only."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._address = address
        self._server = socket.create_server((address, 0))
        self.host = f"tcp://{address}:{self._server.getsockname()[1]}"
        self.n_connections = 0
        self._open: list[socket.socket] = [self._server]
        self._flows = threading.Event()
        self._flows.set()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, (peer, _) = self._server.accept()
                if peer != self._address:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX)
                far.connect(ENGINE_SOCKET)
            except OSError:
                return
            self.n_connections += 1
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def hold(self) -> None:
        """Nothing comes through any more, as if the engine hung."""
        self._flows.clear()

    def cut(self) -> None:
        """End all connections; there are no new ones."""
        self._flows.set()
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
