"""A Docker engine of one's own, which may be killed: the shared one is nobody's to touch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests import docker_engine

IMAGE = "aufer-stand-in:own"
_PATIENCE_S = 60


def reason() -> str | None:
    """Why none can be started here; None if one can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "starting a Docker engine needs root, on Linux"
    if shutil.which("dockerd") is None:
        return "dockerd is missing (apt-get install docker.io)"
    return docker_engine.busybox_reason()


class OwnDocker:
    """A dockerd with folders and a socket of its own, without a network, and with the stand-in.

    A context manager: it is gone at the end, and its folder too.
    """

    def __init__(self) -> None:
        # short: a socket's path may have 107 bytes
        self.folder = Path(tempfile.mkdtemp(prefix="aufer-dockerd-"))
        self.host = f"unix://{self.folder}/socket"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> OwnDocker:
        try:
            self.start()
            with self._as_the_usual_one():
                docker_engine.import_stand_in_image(IMAGE)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, if it isn't running, and wait until it answers."""
        if self._process and self._process.poll() is None:
            return
        # of one that was killed; its number may be another process's by now, or a zombie's
        for name in ("pid", "exec/containerd/containerd.pid"):
            (self.folder / name).unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("dockerd", "--host", self.host, "--pidfile", str(self.folder / "pid")),
                    *("--data-root", str(self.folder / "data")),
                    *("--exec-root", str(self.folder / "exec")),
                    *("--bridge=none", "--iptables=false"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _PATIENCE_S
        while why := self._engine_reason():
            if time.monotonic() > deadline or self._process.poll() is not None:
                said = (self.folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"dockerd does not answer: {why}\n{said}")
            time.sleep(0.05)

    def _engine_reason(self) -> str | None:
        with self._as_the_usual_one():
            return docker_engine.engine_reason()

    @contextmanager
    def _as_the_usual_one(self) -> Iterator[None]:
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = self.host
        try:
            yield
        finally:
            os.environ.pop("DOCKER_HOST")
            if before is not None:
                os.environ["DOCKER_HOST"] = before

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Stop it in good order, and remove its folder."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(_PATIENCE_S)
        self._end_shims()
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            mounted = line.split()[1]
            if mounted.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_shims(self) -> None:
        """End what a killed engine left of containers that it was just about to start."""
        import psutil

        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if any(word.startswith(f"{self.folder}/") for word in words):
                with suppress(psutil.NoSuchProcess):
                    for each in (*process.children(recursive=True), process):
                        each.kill()
