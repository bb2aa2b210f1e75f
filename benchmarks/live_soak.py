"""`aufer live` for a long time, with clients that come, stall, vanish and talk nonsense.

    python benchmarks/live_soak.py [--minutes 20] [--clients 20] [--seed 0]

A video plays in a loop. Memory (resident) and file descriptors of the process are taken every two
seconds; early ones, after everything has been used once, are compared with the last. One healthy
client reads all the time: no message may be missing for it. With AUFER_DATA the video has a real
face, else none.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from measuring import verdict

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

MOST_GROWTH_MB = 10.0
MOST_NEW_DESCRIPTORS = 2
LEAST_RATE = 0.9
"""Of the video's rate, at the healthy client."""

FPS = 30.0
VIDEO_S = 20
SAMPLE_EVERY_S = 2.0
TELL_EVERY_S = 60.0
SHARE = 0.1
"""Of the samples: the second tenth is compared with the last one, by their medians."""

PATIENCE_S = 30.0
SMALL_BUFFER = 4096
"""Bytes that the system keeps for a client that doesn't read; with more, stalling doesn't show."""


@dataclass
class Healthy:
    """A client that reads every line as it comes.

    Attributes:
        n: messages. n_missing: those that their numbers leave out. worst_gap_s: between two.
        passed_s: from the first to the last. failure: what it could not read.
    """

    n: int = 0
    n_missing: int = 0
    worst_gap_s: float = 0.0
    passed_s: float = 0.0
    failure: str = ""

    def read(self, port: int) -> None:
        """Until the server ends."""
        first_s = last_s = 0.0
        last_seq = -1
        try:
            with socket.create_connection(("127.0.0.1", port)) as client, client.makefile() as file:
                for line in file:
                    seq, now_s = json.loads(line)["seq"], time.monotonic()
                    if self.n:
                        self.n_missing += seq - last_seq - 1
                        self.worst_gap_s = max(self.worst_gap_s, now_s - last_s)
                    first_s = first_s or now_s
                    last_seq, last_s = seq, now_s
                    self.n += 1
                    self.passed_s = now_s - first_s
        except (OSError, ValueError) as error:
            self.failure = repr(error)


def read_some(client: socket.socket, chance: random.Random, stop: threading.Event) -> None:
    """Read for a while, and leave in order."""
    until_s = time.monotonic() + chance.uniform(0.1, 5)
    while time.monotonic() < until_s and not stop.is_set() and client.recv(4096):
        pass


def stall(client: socket.socket, chance: random.Random, stop: threading.Event) -> None:
    """Never read; the buffers fill."""
    stop.wait(chance.uniform(1, 30))


def vanish(client: socket.socket, chance: random.Random, stop: threading.Event) -> None:
    """Be killed: a reset, in the middle of a message."""
    client.recv(chance.randint(1, 300))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def shout(client: socket.socket, chance: random.Random, stop: threading.Event) -> None:
    """Send a megabyte of garbage."""
    client.sendall(chance.randbytes(1 << 20))


def leave(client: socket.socket, chance: random.Random, stop: threading.Event) -> None:
    """Go at once."""


HABITS = (read_some, stall, vanish, shout, leave)


def bother(port: int, chance: random.Random, stop: threading.Event, came: Counter[str]) -> None:
    """One client after the other, each with a habit, until it is time to stop."""
    while not stop.is_set():
        habit = chance.choice(HABITS)
        with suppress(OSError), socket.socket() as client:
            client.settimeout(5)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            client.connect(("127.0.0.1", port))
            habit(client, chance, stop)
        came[habit.__name__] += 1
        stop.wait(chance.uniform(0, 0.5))


@contextmanager
def bothered(port: int, n_clients: int, seed: int) -> Iterator[Counter[str]]:
    """So many clients at a time; counts who came. At the end all have left."""
    stop, came = threading.Event(), Counter[str]()
    threads = [
        threading.Thread(target=bother, args=(port, random.Random(seed + n), stop, came))
        for n in range(n_clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield came
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@dataclass
class Watched:
    """What the process holds, over time."""

    process: psutil.Process
    mb: list[float] = field(default_factory=list)

    @property
    def n_descriptors(self) -> int:
        """Open now."""
        if sys.platform == "win32":
            return self.process.num_handles()
        return self.process.num_fds()

    def watch(self, seconds: float, came: Counter[str]) -> None:
        """Take samples, and tell once a minute.

        Raises:
            psutil.NoSuchProcess: it has died.
        """
        started_s = told_s = time.monotonic()
        while time.monotonic() - started_s < seconds:
            self.mb.append(self.process.memory_info().rss / 1e6)
            if time.monotonic() - told_s > TELL_EVERY_S:
                told_s = time.monotonic()
                text = f"{self.mb[-1]:.1f} MB, {self.n_descriptors} descriptors"
                minutes = (told_s - started_s) / 60
                print(f"  {minutes:.0f} min: {text}, {sum(came.values())} clients", flush=True)
            time.sleep(SAMPLE_EVERY_S)

    def early_and_late_mb(self) -> tuple[float, float]:
        """Medians."""
        n = max(1, int(len(self.mb) * SHARE))
        return statistics.median(self.mb[n : 2 * n] or self.mb), statistics.median(self.mb[-n:])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until somebody listens there."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")


def soak(video: Path, said: Path, seconds: float, n_clients: int, seed: int) -> bool:
    """Run it and judge. What the process says goes to the file `said`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "aufer", "live", str(video), "--loop", "--port", str(port)]
    healthy = Healthy()
    with said.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            wait_for_port(port, process)
            watched = Watched(psutil.Process(process.pid))
            reader = threading.Thread(target=healthy.read, args=(port,))
            reader.start()
            time.sleep(SAMPLE_EVERY_S)
            at_rest = watched.n_descriptors
            with bothered(port, n_clients, seed) as came:
                watched.watch(seconds, came)
            time.sleep(SAMPLE_EVERY_S)  # it notices that they have left
            left_open = watched.n_descriptors - at_rest
        finally:
            process.terminate()
        code = process.wait(PATIENCE_S)
        reader.join(PATIENCE_S)
    early_mb, late_mb = watched.early_and_late_mb()
    clients = ", ".join(f"{n} {habit}" for habit, n in sorted(came.items()))
    print(f"clients: {clients}")
    print(
        f"memory: {early_mb:.1f} MB early, {late_mb:.1f} MB at the end, {max(watched.mb):.1f} most"
    )
    print(f"healthy client: {healthy.n} messages, longest gap {healthy.worst_gap_s * 1000:.0f} ms")
    print("\n".join(f"  {line}" for line in said.read_text(errors="replace").splitlines()[-4:]))
    print(f"exit code {code}, ended by a signal" if code < 0 else f"exit code {code}")
    rate = (healthy.n - 1) / max(healthy.passed_s, 1e-9) / FPS
    return all(
        [
            verdict("growth of memory", late_mb - early_mb, MOST_GROWTH_MB, unit=" MB"),
            verdict("descriptors left open", left_open, MOST_NEW_DESCRIPTORS),
            verdict("messages missing for the healthy client", healthy.n_missing, 0),
            verdict("its rate, to the video's", rate, LEAST_RATE, at_least=True),
            verdict("its failures", len(healthy.failure), 0),
        ]
    )


def main() -> int:
    """Print the figures; 1 if anything grows or is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=20, help="at a time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aufer-soak-") as name:
        video = Path(name) / "video.avi"
        write_video(video)
        said = Path(name) / "said.txt"
        met = soak(video, said, options.minutes * 60, options.clients, options.seed)
    return 0 if met else 1


def write_video(video: Path) -> None:
    """Faces, if the development data are there."""
    from tests import live_video

    if "AUFER_DATA" in os.environ:
        data = Path(os.environ["AUFER_DATA"])
        live_video.write_face_video(video, data, VIDEO_S, n_faces=2, fps=FPS)
    else:
        live_video.write_video(video, round(VIDEO_S * FPS), fps=FPS)


if __name__ == "__main__":
    sys.exit(main())
