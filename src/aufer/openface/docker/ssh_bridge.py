"""A Docker engine behind ssh, as a Unix socket on this machine.

Each connection to the socket is one call of the system's ssh client, so that its configuration,
keys and agent serve as they do for ``docker``. What docker's Python package has for this starts ssh
for every request, and then waits for an answer without any limit.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from aufer.errors import EnvironmentFailure

CONNECT_S = 15
"""So long ssh tries to reach the machine."""


def ssh_command(url: str) -> list[str]:
    """What ``docker`` itself calls for ``ssh://[user@]host[:port][/path/of/the/engine's.sock]``."""
    address = urlsplit(url)
    words = ["ssh", "-o", f"ConnectTimeout={CONNECT_S}", "-T"]
    if address.username:
        words += ["-l", address.username]
    if address.port:  # else the configuration's
        words += ["-p", str(address.port)]
    words += ["--", address.hostname or "", "docker"]
    if address.path.strip("/"):
        words += ["--host", f"unix://{address.path}"]
    return [*words, "system", "dial-stdio"]


class SshBridge:
    """Listens at `address` until it is closed; only this user can get there.

    Raises:
        EnvironmentFailure: there is no ssh client.
    """

    def __init__(self, url: str) -> None:
        self._command = ssh_command(url)
        if shutil.which(self._command[0]) is None:
            raise EnvironmentFailure(
                f"There is no ssh client to reach the Docker engine {url}.",
                hint="install OpenSSH's client, or unset DOCKER_HOST to use this machine's engine",
            )
        self._folder = Path(tempfile.mkdtemp(prefix="aufer-ssh-"))
        self._log = self._folder / "ssh.log"
        self._calls: list[subprocess.Popen[bytes]] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._folder / "engine.sock"))
        self._server.listen(64)
        self.address = f"unix://{self._folder / 'engine.sock'}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:  # closed
                return
            with near, suppress(OSError), self._log.open("ab") as log:
                # in a session of its own: a Ctrl-C is for us, and the connection is still needed
                call = subprocess.Popen(
                    self._command,
                    stdin=near.fileno(),
                    stdout=near.fileno(),
                    stderr=log,
                    start_new_session=True,
                )
                self._calls = [*(old for old in self._calls if old.poll() is None), call]

    def complaint(self) -> str:
        """The last line of what ssh printed; empty if it had nothing to say."""
        with suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def close(self) -> None:
        """End all connections, and remove the socket."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for call in self._calls:
            with suppress(OSError):
                call.terminate()
        for call in self._calls:
            call.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
