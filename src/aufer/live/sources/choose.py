"""From what the user typed to a source of frames."""

from __future__ import annotations

import difflib
import re
import shlex
from pathlib import Path

from aufer.errors import UsageError
from aufer.images import check_path, is_image, printable
from aufer.live.sources.capture import Address, Camera, VideoFile, shown_url
from aufer.live.sources.folder import Folder
from aufer.live.sources.frame_server import FrameServer
from aufer.live.sources.jpeg_stream import StandardInput
from aufer.live.sources.source import Source

SCHEMES = ("rtsp", "rtsps", "http", "https")

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_DEVICE = re.compile(r"/dev/video(\d+)")


def choose_source(
    text: str | None,
    *,
    camera: int = 0,
    loop: bool = False,
    fps: float | None = None,
    listen_frames: int | None = None,
    host: str = "127.0.0.1",
    token: str | None = None,
    every_frame: bool = False,
) -> Source:
    """The source that is meant; not open yet.

    Args:
        text: a video file, a picture, a folder, an address, ``-`` for standard input; None: the
            camera, or a client.
        camera: its number. loop: files begin again at their end; nothing else has one.
        fps: asked of the camera. listen_frames: the port where a client hands over frames.
        host, token: who may be that client.
        every_frame: programs that hand over JPEGs must wait until each was dealt with.

    Raises:
        UsageError: it exists nowhere, or two sources are named.
    """
    if listen_frames is not None:
        if text is not None:
            raise UsageError(
                f"--listen-frames and {text} are two sources.", hint="leave one of them away"
            )
        return FrameServer(listen_frames, host=host, token=token, every_frame=every_frame)
    if text is None:
        return Camera(camera, fps=fps)
    if text == "-":
        return StandardInput(every_frame=every_frame)
    if device := _DEVICE.fullmatch(text):
        return Camera(int(device[1]), fps=fps)
    if url := _URL.match(text):
        if url[1].lower() not in SCHEMES:
            raise UsageError(
                f"{shown_url(text)} can't be opened: addresses begin with rtsp:// or http(s)://.",
                hint="aufer live rtsp://host/stream",
            )
        if not shown_url(text).partition("://")[2].partition("/")[0]:
            raise UsageError(
                f"{shown_url(text)} names no host.", hint="aufer live rtsp://host/stream"
            )
        return Address(text)
    if not text:
        raise UsageError("The source has no name.", hint="aufer live party.mp4")
    path = Path(text)
    check_path(path)
    if path.is_dir() or (path.is_file() and is_image(path)):
        return Folder(path, loop=loop)
    if path.is_file():
        return VideoFile(path, loop=loop)
    raise _nowhere(text, path)


def _nowhere(text: str, path: Path) -> UsageError:
    shown = printable(text)
    if path.exists():
        return UsageError(
            f"{shown} is neither a file nor a folder.",
            hint=f"what it holds can be piped in: aufer live - < {shlex.quote(shown)}",
        )
    if text.isdecimal():
        return UsageError(f"There is no file {shown}.", hint=f"aufer live --camera {int(text)}")
    try:
        there = [printable(entry.name) for entry in path.parent.iterdir()]
    except OSError:
        there = []
    hint = "a camera is chosen by: aufer live --camera 0"
    if similar := difflib.get_close_matches(printable(path.name), there, n=1):
        hint = f"aufer live {shlex.quote(printable(str(path.parent / similar[0])))}"
    return UsageError(f"There is no file or folder {shown}.", hint=hint)
