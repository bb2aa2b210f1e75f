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
KINDS = ("zero", "garbage", "truncated_png", "truncated_jpeg", "tiny", "directory")


def write_marks(**marks: Mark) -> str:
    """The marks it obeys: faces, size, confidence, aus, sleep, die; a list is one value a face."""
    words = [f"{name}={_write_value(value)}" for name, value in marks.items()]
    return f"aufer-stand-in:{' '.join(words)};"


def save_face(
    path: str | Path,
    size: tuple[int, int] = (160, 120),
    seed: int = 0,
    face_sizes: Mark | None = None,
    **marks: Mark,
) -> Path:
    """Write a picture in the format of the path's suffix; every (size, seed) has pixels of its own.

    `face_sizes` is the mark `size`. A copy of the file keeps the marks; a picture decoded and
    written anew (enlarged, say) loses them.
    """
    if face_sizes is not None:
        marks["size"] = face_sizes
    path = Path(path)
    noise = random.Random(seed).randbytes(16 * 12 * 3)
    image = Image.frombytes("RGB", (16, 12), noise).resize(size, Image.Resampling.BICUBIC)
    image_format = FORMATS[path.suffix.lower()]
    text = write_marks(**marks) if marks else ""
    options: dict[str, object] = {}
    if text and image_format == "JPEG":
        options["comment"] = text
    elif text and image_format == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Comment", text)
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    appended = b"" if options else text.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue() + appended)
    return path


def save_broken(path: str | Path, kind: str) -> Path:
    """Write one of KINDS: each ends a run of OpenFace but truncated_jpeg, which passes as fine."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "zero":
        path.write_bytes(b"")
    elif kind == "garbage":
        path.write_bytes(b"this is not an image\n" * 50)
    elif kind in ("truncated_png", "truncated_jpeg"):
        whole = save_face(path.with_name(f".whole{'.png' if kind == 'truncated_png' else '.jpg'}"))
        data = whole.read_bytes()
        whole.unlink()
        path.write_bytes(data[: len(data) // 2])
    elif kind == "tiny":
        save_face(path, size=(42, 120))
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
