"""``aufer live --benchmark``: what a session can do on this machine."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from aufer.live.access import token_line
from aufer.live.message import Message
from aufer.live.sinks.sink import Step
from aufer.live.stages import FRAME_TO_SOCKET, STAGES, Stages

if TYPE_CHECKING:
    from aufer.live.sinks.tcp import TcpServer

_PATIENCE_S = 5.0
_WAITING = 1000
"""Frames whose messages may be under way."""


class Benchmark:
    """Measures a session, with a TCP client of its own.

    Args:
        stages: what the session's stages take. server: None where there is none.
        host, token: to reach it.
    """

    def __init__(
        self,
        stages: Stages,
        server: TcpServer | None,
        host: str = "127.0.0.1",
        token: str | None = None,
    ) -> None:
        self._stages, self._server = stages, server
        self._read_at_s: dict[int, float] = {}
        self._first_s = self._last_s = 0.0
        self._n_steps = self._n_faces = 0
        self._socket: socket.socket | None = None
        if server is not None:
            server.on_sent = self._sent
            self._socket = socket.create_connection((_reached_at(host), server.port), _PATIENCE_S)
            if token is not None:
                self._socket.sendall(token_line(token))
            self._socket.settimeout(None)
            threading.Thread(target=_drain, args=(self._socket,), daemon=True).start()

    def expect(self, step: Step) -> None:
        """Count a step that is about to be sent."""
        self._last_s = time.perf_counter()
        self._first_s = self._first_s or self._last_s
        self._n_steps += 1
        self._n_faces += len(step.message.faces)
        if step.frame is not None and self._server is not None:
            self._read_at_s[step.message.seq] = step.frame.read_at_s
            self._read_at_s.pop(step.message.seq - _WAITING, None)

    def facts(self, n_dropped: int) -> dict[str, Any]:
        """The figures, plain JSON: frames a second, milliseconds per stage, memory in MB."""
        seconds = self._last_s - self._first_s
        return {
            "frames": self._n_steps,
            "seconds": round(seconds, 2),
            "fps": round((self._n_steps - 1) / seconds, 1) if seconds > 0 else 0.0,
            "faces_per_frame": round(self._n_faces / max(1, self._n_steps), 2),
            "dropped": n_dropped,
            "stages": self._stages.facts(),
            "peak_mb": round(_peak_mb()),
        }

    def close(self) -> None:
        """Leave the server."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _sent(self, message: Message, at_s: float) -> None:
        read_at_s = self._read_at_s.pop(message.seq, None)
        if read_at_s is not None:
            self._stages.add(FRAME_TO_SOCKET, at_s - read_at_s)


def benchmark_text(facts: dict[str, Any]) -> str:
    """The figures as lines to read."""
    lines = [
        f"{facts['fps']:.1f} frames a second ({facts['frames']} in {facts['seconds']:.1f} s, "
        f"{facts['faces_per_frame']:.2f} faces each), {facts['dropped']} dropped",
        f"{'milliseconds':<16}{'p50':>8}{'p95':>8}{'p99':>8}",
    ]
    titles = {FRAME_TO_SOCKET: "frame to socket"}
    for stage in (*STAGES, FRAME_TO_SOCKET):
        if (of_stage := facts["stages"].get(stage)) is not None:
            figures = "".join(f"{value:>8.1f}" for value in of_stage.values())
            lines.append(f"{titles.get(stage, stage):<16}{figures}")
    return "\n".join([*lines, f"memory: {facts['peak_mb']} MB at most"])


def _reached_at(host: str) -> str:
    """The address of a server that listens at ``host``, maybe at all of them."""
    bare = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bare, bare)  # noqa: S104 - nothing is bound


def _drain(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while client.recv(1 << 16):
            pass


def _peak_mb() -> float:
    """The most resident memory so far, in MB (10^6 bytes)."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
