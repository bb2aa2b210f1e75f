"""``aufer live`` as a process of its own, and what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PATIENCE_S = 60.0
"""A guard against hanging, never a limit that is asserted on."""


class LiveProcess:
    """Runs ``aufer live`` until the ``with`` block ends. Its messages are at `port`.

    Attributes:
        said: its stderr so far, in lines.
    """

    def __init__(self, *args: object, cwd: Path, stdin: bytes | None = None) -> None:
        self.said: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "aufer", "live", *map(str, args)],
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._out: list[bytes] = []
        streams = ((self._process.stdout, self._out.append), (self._process.stderr, self._hear))
        self._threads = [threading.Thread(target=_follow, args=each) for each in streams]
        for thread in self._threads:
            thread.start()
        if stdin is not None:
            assert self._process.stdin is not None
            self._process.stdin.write(stdin)
            self._process.stdin.close()

    def __enter__(self) -> LiveProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.wait()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def out(self) -> bytes:
        """Its stdout so far."""
        return b"".join(self._out)

    @property
    def port(self) -> int:
        """Where its messages are, as soon as it says so."""
        return int(self.hear(r"TCP 127\.0\.0\.1:(\d+)")[1])

    def hear(self, pattern: str) -> re.Match[str]:
        """Wait for it to say that."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = re.search(pattern, "\n".join(self.said))
            if found is not None:
                return found
            assert self._process.poll() is None, f"it ended: {self.said}"
            time.sleep(0.02)
        raise AssertionError(f"it never said {pattern!r}: {self.said}")

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        code = self._process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return code

    def _hear(self, line: bytes) -> None:
        self.said.append(line.decode("utf-8", "replace").rstrip("\r\n"))


def _follow(stream, tell) -> None:
    for line in stream:
        tell(line)
    stream.close()
