"""`aufer live` beside the reference's loop: a video of 640 x 480 with real faces, in turn.

    python benchmarks/live_speed.py [--rounds 3] [--seconds 10] [--quick] [--au-model BUNDLE]

The reference's loop, written anew: the whole grey frame searched by the Haar cascade with its
settings, each face cut to 64 x 64 and given to Keras' `predict` by itself, JSON to a socket; no
limit on the rate, in a process of its own, import and first call not counted. Ours is what
`aufer live VIDEO --benchmark --json` says: every frame, as fast as that goes, to a real TCP client.
So fast, each frame waits for the two before it: from frame to socket counts at the video's own
rate, as a camera has it, and is printed for both. With AUs (`--engine builtin`) a model of AUs
reads the face; its rate stands beside that of the model of pictures, measured just before.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from measuring import verdict

ONE_FACE_RATE, FIVE_FACES_RATE = 30.0, 20.0
"""Frames a second."""

AUS_RATE = 25.0
"""Frames a second with one face, its AUs measured and read by a model of AUs."""

RATIO = 4.0
FRAME_TO_SOCKET_MS = 50.0
FIRST_MESSAGE_S = 2.0
MEMORY_MB = 400.0
LEAST_FOUND = 0.8
"""Of the faces of the video: a loop that finds none is quick."""

AUFER = [sys.executable, "-m", "aufer"]
VIDEO_S = 5
FPS = 30
PATIENCE_S = 60.0

WRITE_VIDEO = """
import sys
from pathlib import Path
from tests.live_video import write_face_video

write_face_video(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), n_faces=int(sys.argv[4]))
"""

REFERENCE = """
import json
import os
import socket
import sys
import threading
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import cv2
import keras
import numpy as np

video, network, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
WORDS = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
model = keras.models.load_model(network, compile=False)
model.predict(np.zeros((1, 64, 64, 1), np.float32), verbose=0)

server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
connection, _ = server.accept()

def drain():
    while client.recv(1 << 16):
        pass

threading.Thread(target=drain, daemon=True).start()
capture = cv2.VideoCapture(video)
took_ms, n_faces, started = [], 0, time.perf_counter()
while time.perf_counter() - started < seconds:
    good, frame = capture.read()
    if not good:
        capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        continue
    read_s = time.perf_counter()
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    faces = []
    for x, y, width, height in cascade.detectMultiScale(grey, 1.1, 5, minSize=(30, 30)):
        cut = cv2.resize(grey[y : y + height, x : x + width], (64, 64)).astype(np.float32) / 255
        number = int(np.argmax(model.predict(cut[None, :, :, None], verbose=0)))
        place = {"x": int(x), "y": int(y), "width": int(width), "height": int(height)}
        faces.append({"expressionIdx": number, "expression": WORDS[number], "position": place})
    connection.sendall(json.dumps({"faceCount": len(faces), "faces": faces}).encode())
    took_ms.append((time.perf_counter() - read_s) * 1000)
    n_faces += len(faces)
passed_s = time.perf_counter() - started
p50, p95 = np.percentile(took_ms, (50, 95))
facts = {"fps": len(took_ms) / passed_s, "p50_ms": p50, "p95_ms": p95}
print(json.dumps({**facts, "faces_per_frame": n_faces / len(took_ms)}))
"""


def reference(video: Path, network: Path, seconds: float) -> dict[str, Any]:
    """What the reference's loop reaches."""
    words = [str(video), str(network), str(seconds)]
    return _facts([sys.executable, "-c", REFERENCE, *words])


def ours(video: Path, seconds: float, *words: str) -> dict[str, Any]:
    """What `aufer live --benchmark` says."""
    return _facts(
        [*AUFER, "live", str(video), "--benchmark", "--json", "--duration", str(seconds), *words]
    )


def _facts(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def told(name: str, facts: dict[str, Any]) -> None:
    """Print one run."""
    stages = facts.get("stages", {})
    each = ", ".join(f"{stage} {of['p50_ms']:.1f}" for stage, of in stages.items())
    each = each or f"frame to socket {facts['p50_ms']:.1f}"
    print(f"  {name}: {facts['fps']:.1f} frames/s, p50 in ms: {each}", flush=True)


def found_enough(facts: dict[str, Any], n_faces: int, name: str) -> bool:
    """Whether the loop saw the faces of the video."""
    share = facts["faces_per_frame"] / n_faces
    return verdict(f"{name}, faces found of those there", share, LEAST_FOUND, at_least=True)


def first_message_s(video: Path) -> float:
    """From starting the process to the first bytes at a client that keeps trying to connect."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*AUFER, "live", str(video), "--loop", "--port", str(port)]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            while time.perf_counter() - started < PATIENCE_S and process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
                    if client.recv(1):
                        return time.perf_counter() - started
                time.sleep(0.01)
        finally:
            process.terminate()
            said = process.communicate()[1]
    raise RuntimeError(f"no message came:\n{said.decode()}")


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--quick", action="store_true", help="one round of 5 seconds")
    parser.add_argument("--au-model", help="of AUs; default: what --engine builtin takes")
    options = parser.parse_args()
    rounds, seconds = (1, 5.0) if options.quick else (options.rounds, options.seconds)
    data = Path(os.environ.get("AUFER_DATA", "."))
    network = data / "models" / "fer2013_mini_XCEPTION.102-0.66.hdf5"
    with tempfile.TemporaryDirectory(prefix="aufer-live-") as name:
        folder = Path(name)
        one, five = folder / "one.avi", folder / "five.avi"
        for video, n_faces in ((one, 1), (five, 5)):
            write = ["-c", WRITE_VIDEO, str(video), str(data), str(VIDEO_S), str(n_faces)]
            root = str(Path(__file__).parents[1])
            subprocess.run(
                [sys.executable, *write], check=True, env={**os.environ, "PYTHONPATH": root}
            )
        with_aus = ["--engine", "builtin"]
        with_aus += ["--model", str(Path(options.au_model).resolve())] if options.au_model else []
        return 0 if measure(one, five, network, rounds, seconds, with_aus) else 1


def measure(
    one: Path, five: Path, network: Path, rounds: int, seconds: float, with_aus: list[str]
) -> bool:
    """All runs, in turn; whether every target is met."""
    of_one, paced, of_five, of_aus, theirs, starts = [], [], [], [], [], []
    for turn in range(rounds):
        print(f"round {turn + 1} of {rounds}", flush=True)
        for their_turn in (False, True) if turn % 2 else (True, False):  # each goes first as often
            if their_turn:
                theirs.append(reference(one, network, seconds))
                told("the reference's loop, one face", theirs[-1])
            else:
                of_one.append(ours(one, seconds))
                told("aufer live, one face", of_one[-1])
        of_aus.append(ours(one, seconds, *with_aus))
        told("aufer live with AUs, one face", of_aus[-1])
        paced.append(ours(one, seconds, "--fps", str(2 * FPS)))
        told("aufer live, one face, at the video's own rate", paced[-1])
        of_five.append(ours(five, seconds))
        told("aufer live, five faces", of_five[-1])
        starts.append(first_message_s(one))
    told("the reference's loop, five faces", reference(five, network, seconds))

    def rate(runs: list[dict[str, Any]]) -> float:
        return statistics.median(run["fps"] for run in runs)

    def p95(runs: list[dict[str, Any]]) -> float:
        return statistics.median(run["stages"]["frame_to_socket"]["p95_ms"] for run in runs)

    ratio = statistics.median(
        mine["fps"] / their["fps"] for mine, their in zip(of_one, theirs, strict=True)
    )
    share = statistics.median(
        aus["fps"] / plain["fps"] for aus, plain in zip(of_aus, of_one, strict=True)
    )
    start_s = statistics.median(starts)
    print(f"with AUs, of the rate without: {share:.2f}")
    print(f"as fast as that goes, frame to socket, p95: {p95(of_one):.1f} ms")
    peak_mb = max(run["peak_mb"] for run in [*of_one, *of_five, *of_aus])
    return all(
        [
            verdict("one face, frames a second", rate(of_one), ONE_FACE_RATE, at_least=True),
            verdict("one face, times the reference's rate", ratio, RATIO, at_least=True),
            verdict("one face, frame to socket, p95", p95(paced), FRAME_TO_SOCKET_MS, unit=" ms"),
            verdict("five faces, frames a second", rate(of_five), FIVE_FACES_RATE, at_least=True),
            verdict("with AUs, one face, frames a second", rate(of_aus), AUS_RATE, at_least=True),
            verdict("start to first message", start_s, FIRST_MESSAGE_S, unit=" s"),
            verdict("memory at most", peak_mb, MEMORY_MB, unit=" MB"),
            found_enough(of_one[-1], 1, "aufer live, one face"),
            found_enough(of_five[-1], 5, "aufer live, five faces"),
            found_enough(of_aus[-1], 1, "aufer live with AUs"),
            found_enough(theirs[-1], 1, "the reference's loop"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
