"""Pictures that say what the stand-in shall see in them, and broken ones."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

Mark = str | int | float | Iterable[float]

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
CORNERS = {
    "never": 37,
    "none_below_288": 59,
    "none_below_576": 83,
    "unsure_below_288": 101,
    "unsure": 139,
    "dies": 163,
    "dies_below_288": 191,
    "hangs": 211,
    "dies_from_288": 233,
}
"""What a picture can say with the pixels of its bottom row -> their grey at the left end; at the
right end it is 255 minus that. See the stand-in's head for what each means."""

KINDS = ("zero", "garbage", "truncated_png", "truncated_jpeg", "tiny", "directory")


def write_marks(**marks: Mark) -> str:
    """The marks it obeys: faces, size, confidence, aus, sleep, die, corner; a list is one value a
    face."""
    words = [f"{name}={_write_value(value)}" for name, value in marks.items()]
    return f"aufer-stand-in:{' '.join(words)};"


def save_face(
    path: str | Path,
    size: tuple[int, int] = (200, 150),
    seed: int = 0,
    face_sizes: Mark | None = None,
    corner: str = "",
    **marks: Mark,
) -> Path:
    """Write a picture in the format of the path's suffix; every (size, seed) has pixels of its own.

    `face_sizes` is the mark `size`. A copy of the file keeps the marks; a picture decoded and
    written anew (enlarged, say) loses them all but `corner`, one of CORNERS, which is painted too.
    """
    if face_sizes is not None:
        marks["size"] = face_sizes
    path = Path(path)
    noise = random.Random(seed).randbytes(16 * 12 * 3)
    image = Image.frombytes("RGB", (16, 12), noise).resize(size, Image.Resampling.BICUBIC)
    image_format = FORMATS[path.suffix.lower()]
    if corner:
        marks["corner"] = corner
        paint_corner(image, corner)
    text = write_marks(**marks) if marks else ""
    options: dict[str, object] = {}
    if text and image_format == "JPEG":
        options["comment"] = text
    elif text and image_format == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Comment", text)
    appended = b"" if options else text.encode()
    if corner and image_format == "WEBP":
        options["lossless"] = True
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue() + appended)
    return path


def paint_corner(image: Image.Image, corner: str) -> None:
    """Paint one of CORNERS into a grey or RGB picture of at least 32x8 pixels.

    Two even patches at the ends of its bottom: what enlarges it (cubic) and what puts a border of
    its own pixels around it leaves their middle as it is. They end where JPEG's blocks of 16 do.
    """
    width, height = image.size
    top, right = (height - 8) // 16 * 16, (width - 8) // 16 * 16
    for box, value in (
        ((0, top, 16, height), CORNERS[corner]),
        ((right, top, width, height), 255 - CORNERS[corner]),
    ):
        image.paste(value if image.mode == "L" else (value,) * 3, box)


def save_broken(path: str | Path, kind: str, seed: int = 0) -> Path:
    """Write one of KINDS: each ends a run of OpenFace but truncated_jpeg, which passes as fine.

    Every seed gives other bytes (where there are any).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "zero":
        path.write_bytes(b"")
    elif kind == "garbage":
        path.write_bytes(b"this is not an image\n" * (50 + seed))
    elif kind in ("truncated_png", "truncated_jpeg"):
        ending = ".png" if kind == "truncated_png" else ".jpg"
        whole = save_face(path.with_name(f".whole{ending}"), seed=seed)
        data = whole.read_bytes()
        whole.unlink()
        path.write_bytes(data[: len(data) // 2])
    elif kind == "tiny":
        save_face(path, size=(42, 120), seed=seed)
    elif kind == "directory":
        path.mkdir()
    else:
        raise ValueError(f"no such kind of broken picture: {kind}; known: {', '.join(KINDS)}")
    return path


def _write_value(value: Mark) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable):
        return ",".join(str(part) for part in value)
    return str(value)
