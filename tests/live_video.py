"""Small videos and streams for the tests of ``aufer live``: numbers painted, or real faces."""

from __future__ import annotations

import contextlib
import itertools
import math
import socket
import threading
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from aufer.pictures.opencv import opencv

BITS = 16
"""Cells of the strip that says a numbered frame's number: white is 1, the highest bit first."""

_WAYS = ((40, 3), (40, 9), (47, 9), (61, 3), (63, 9))
"""Edges about a face, and neighbours that the cascade wants: an easy face is found in all."""

FACE_EMOTIONS = ("happy", "neutral", "surprise", "angry", "sad")


def numbered_frame(number: int, size: tuple[int, int] = (640, 480)) -> np.ndarray:
    """A grey frame, uint8 [h, w, 3], with its number as a strip of black and white cells at the top
    that survives JPEG, and as digits. `read_number` reads it. Its left and right differ."""
    cv2 = opencv()
    width, height = size
    frame = np.full((height, width, 3), 90, dtype=np.uint8)
    cell = width // BITS
    for place in range(BITS):
        bit = number >> (BITS - 1 - place) & 1
        frame[: height // 4, place * cell : (place + 1) * cell] = 255 if bit else 0
    where = (width // 8, height * 3 // 4)
    cv2.putText(frame, str(number), where, cv2.FONT_HERSHEY_SIMPLEX, height / 120, (0, 200, 255), 2)
    return frame


def read_number(frame: np.ndarray) -> int:
    """The number that `numbered_frame` painted; of a mirrored frame, another one."""
    height, width = frame.shape[:2]
    cell = width // BITS
    strip = frame[height // 16 : height // 6].mean(axis=(0, 2))
    middles = [
        strip[place * cell + cell // 4 : place * cell + cell * 3 // 4] for place in range(BITS)
    ]
    return sum(int(m.mean() > 128) << (BITS - 1 - place) for place, m in enumerate(middles))


def write_frames(path: Path, frames: Iterable[np.ndarray], fps: float = 30) -> Path:
    """Write BGR frames of one size as a video: Motion JPEG, so let its name end in ``.avi``."""
    cv2 = opencv()
    writer = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, size)
            assert writer.isOpened(), path
        writer.write(frame)
    assert writer is not None, "a video needs a frame"
    writer.release()
    return path


def write_video(
    path: Path, n_frames: int, size: tuple[int, int] = (640, 480), fps: float = 30
) -> Path:
    """Write a video (``.avi``) of numbered frames, from 0."""
    return write_frames(path, (numbered_frame(n, size) for n in range(n_frames)), fps)


def jpeg(frame: np.ndarray, quality: int = 90) -> bytes:
    """A BGR frame as a JPEG file."""
    cv2 = opencv()
    done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return bytes(data)


def face_pictures(data: Path, n: int, emotions: Sequence[str] = FACE_EMOTIONS) -> list[np.ndarray]:
    """Real faces of the development data, BGR, squares of 160 pixels; the emotions in turn. Only
    pictures in which OpenCV's Haar cascade finds exactly one face."""
    cv2 = opencv()
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    found: list[np.ndarray] = []
    with zipfile.ZipFile(data / "web" / "images.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        of_emotion = [iter([m for m in names if m.startswith(f"{e}/")]) for e in emotions]
        for turn in range(n):
            for name in of_emotion[turn % len(emotions)]:
                pixels = np.frombuffer(archive.read(name), dtype=np.uint8)
                picture = cv2.imdecode(pixels, cv2.IMREAD_COLOR)
                if picture.shape[0] != picture.shape[1]:
                    continue
                picture = cv2.resize(picture, (160, 160), interpolation=cv2.INTER_AREA)
                if all(_n_found(cascade, picture, *way) == 1 for way in _WAYS):
                    found.append(picture)
                    break
    assert len(found) == n, "the development data have too few such faces"
    return found


def _n_found(cascade: Any, picture: np.ndarray, edge: int, neighbours: int) -> int:
    cv2 = opencv()
    frame = np.full((160 + 2 * edge, 160 + 2 * edge, 3), 110, dtype=np.uint8)
    _paste(frame, picture, edge, edge)
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return len(cascade.detectMultiScale(grey, 1.1, neighbours, minSize=(30, 30)))


def _paste(frame: np.ndarray, picture: np.ndarray, x: int, y: int) -> None:
    """Put a square picture's middle ellipse there, its edge softened."""
    cv2 = opencv()
    side = picture.shape[0]
    soft = np.zeros((side, side), dtype=np.float32)
    cv2.ellipse(soft, (side // 2, side // 2), (side * 45 // 100, side // 2 - 3), 0, 0, 360, 1, -1)
    soft = cv2.GaussianBlur(soft, (7, 7), 0)[:, :, None]
    there = frame[y : y + side, x : x + side]
    there[:] = (there * (1 - soft) + picture * soft).astype(np.uint8)


def background(size: tuple[int, int] = (640, 480), seed: int = 0) -> np.ndarray:
    """A blurred room of no particular kind, uint8 [h, w, 3]: no face is found in it."""
    cv2 = opencv()
    rng = np.random.default_rng(seed)
    rough = rng.integers(70, 150, (6, 8, 3), dtype=np.uint8)
    room = cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = rng.normal(0, 3, (size[1], size[0], 1)).astype(np.float32)
    return np.clip(room + grain, 0, 255).astype(np.uint8)


def face_frames(
    data: Path,
    n_faces: int = 1,
    size: tuple[int, int] = (640, 480),
    emotions: Sequence[str] = FACE_EMOTIONS,
) -> Iterator[np.ndarray]:
    """Endless frames, uint8 [h, w, 3], BGR, of real faces that move slowly, each about its own
    place; the same every time. Made for up to six faces at 640 x 480."""
    cv2 = opencv()
    width, height = size
    columns = min(n_faces, 3) or 1
    rows = max(1, math.ceil(n_faces / columns))
    side = min(160, width // columns - 24, height // rows - 24)
    pictures = [
        cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        for picture in face_pictures(data, n_faces, emotions)
    ]
    room = background(size)
    number = 0
    while True:
        frame = room.copy()
        for place, picture in enumerate(pictures):
            row, column = divmod(place, columns)
            angle = number / 45 + place
            x = int((column + 0.5) * width / columns - side / 2 + 10 * math.sin(angle))
            y = int((row + 0.5) * height / rows - side / 2 + 10 * math.cos(angle * 0.8))
            _paste(frame, picture, x, y)
        yield frame
        number += 1


def write_face_video(
    path: Path,
    data: Path,
    seconds: float,
    n_faces: int = 1,
    fps: float = 30,
    size: tuple[int, int] = (640, 480),
) -> Path:
    """Write a video (``.avi``) of `face_frames`."""
    n_frames = max(1, round(seconds * fps))
    return write_frames(path, islice(face_frames(data, n_faces, size), n_frames), fps)


class MjpegServer:
    """A camera of the network on loopback: Motion JPEG over HTTP, numbered frames unless others are
    given. It can drop out and come back on the same port. For a ``with`` block.

    Attributes:
        port: where. n_sent: frames so far, over all clients.
    """

    def __init__(self, fps: float = 30, frames: Sequence[np.ndarray] | None = None) -> None:
        many = frames or [numbered_frame(n, (320, 240)) for n in range(1, 61)]
        self._jpegs = [jpeg(frame) for frame in many]
        self._fps = fps
        self._server: ThreadingHTTPServer | None = None
        self._connections: list[socket.socket] = []
        self._gone = threading.Event()
        self.port = 0
        self.n_sent = 0
        self.start()

    @property
    def url(self) -> str:
        """What to open."""
        return f"http://127.0.0.1:{self.port}/stream"

    def __enter__(self) -> MjpegServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve (again)."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._gone.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Cut all connections and free the port."""
        server, self._server = self._server, None
        if server is None:
            return
        self._gone.set()
        server.shutdown()
        server.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        self._connections.append(handler.connection)
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        handler.close_connection = True
        with contextlib.suppress(OSError):
            for data in itertools.cycle(self._jpegs):
                if self._gone.wait(1 / self._fps):
                    return
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                handler.wfile.write(head.encode() + data + b"\r\n")
                self.n_sent += 1
