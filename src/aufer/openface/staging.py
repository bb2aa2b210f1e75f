"""Checking every input picture, and handing over what OpenFace can take under names of its own.

OpenFace reads only lower-case ``.jpg .jpeg .png .bmp`` of one flat folder, names its results by the
stem alone, stops at the first file that it can't open and aborts at a tiny one. So each picture is
decoded here first. What passes is handed over under a unique name: unchanged where OpenFace can
read it as it is (a hard link, or a copy), as an upright PNG where not.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from aufer.au_table import TOO_SMALL, UNREADABLE
from aufer.errors import AuferError
from aufer.images import Image
from aufer.progress import Progress, no_progress

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

SMALLEST_SIDE = 43
"""OpenFace aborts (134) at a picture with a side of 42 pixels or less."""

SMALLEST_FACE = 60
"""OpenFace's face detector (MTCNN) finds no face below so many pixels."""

AS_IT_IS = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "BMP": ".bmp"}
"""Pillow's name of a format that OpenFace reads as it is -> the ending it wants."""

_ORIENTATION = 0x0112
QUARTER_TURNS = 5
"""EXIF orientations from here on swap width and height."""

_NAME_LENGTH = 60


@dataclass(frozen=True)
class Staged:
    """What became of one input image.

    Attributes:
        image: the input.
        sha256: of its bytes; empty where they can't be read.
        width, height: pixels, upright (after EXIF rotation); None where it can't be decoded.
        status: empty if it was handed over, else `TOO_SMALL` or `UNREADABLE`.
        reason: why it was not.
        file: its name in the input folder; a duplicate has the name of the first.
        duplicate_of: name of the first image with the same bytes, or empty.
    """

    image: Image
    sha256: str = ""
    width: int | None = None
    height: int | None = None
    status: str = ""
    reason: str = ""
    file: str = ""
    duplicate_of: str = ""


def stage(images: Sequence[Image], folder: Path, progress: Progress = no_progress) -> list[Staged]:
    """Check all images and hand over what OpenFace can take into ``folder``; one picture at a time.

    Of files with the same bytes the first by name is handed over.

    Returns:
        one entry per image, in the order given.
    """
    staged: dict[int, Staged] = {}
    first: dict[str, Staged] = {}
    names = StagedNames()
    with progress(len(images), "checking pictures") as step, warnings.catch_warnings():
        # Pillow's: of pictures that are large but no bomb, and of damaged EXIF in sound pictures
        warnings.simplefilter("ignore")
        for position in sorted(range(len(images)), key=lambda i: images[i].name):
            staged[position] = _stage_one(images[position], folder, names, first)
            step(1)
    return [staged[position] for position in range(len(images))]


def _stage_one(image: Image, folder: Path, names: StagedNames, first: dict[str, Staged]) -> Staged:
    try:
        if not stat.S_ISREG(image.path.stat().st_mode):  # opening a FIFO would wait for ever
            return Staged(image, status=UNREADABLE, reason="not a regular file")
        with open(image.path, "rb") as file:
            sha256 = _sha256_of(file)
            if sha256 in first:
                return _as_duplicate(image, first[sha256])
            result = _check_and_hand_over(image, sha256, file, folder, names)
    except OSError as error:
        return Staged(image, status=UNREADABLE, reason=f"can't be read: {error.strerror or error}")
    first[sha256] = result
    return result


def _as_duplicate(image: Image, other: Staged) -> Staged:
    return Staged(
        image,
        other.sha256,
        other.width,
        other.height,
        other.status,
        other.reason,
        other.file,
        other.image.name,
    )


def _sha256_of(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _check_and_hand_over(
    image: Image, sha256: str, file: IO[bytes], folder: Path, names: StagedNames
) -> Staged:
    """Decode one picture; link, copy or re-encode it into ``folder`` if OpenFace can take it.

    Raises:
        AuferError: it can't be written there; that it can't be read is a status.
    """
    import PIL.Image

    def unreadable(reason: str) -> Staged:
        return Staged(image, sha256, status=UNREADABLE, reason=reason)

    if not os.fstat(file.fileno()).st_size:
        return unreadable("the file is empty (0 bytes)")
    try:
        picture: Picture = PIL.Image.open(file)
        picture.load()
        turn = _turn_of(picture)  # after load: Pillow turns TIFF by itself
        width, height = picture.size[::-1] if turn >= QUARTER_TURNS else picture.size
        ending = AS_IT_IS.get(picture.format or "") if turn == 1 else None
        if not ending and min(width, height) >= SMALLEST_SIDE:
            picture = _as_upright_8_bits(picture)
    except PIL.UnidentifiedImageError:
        return unreadable("no picture that can be read (unknown or damaged format)")
    except PIL.Image.DecompressionBombError:
        limit = 2 * (PIL.Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        return unreadable(f"more than {limit} million pixels: absurdly large")
    except MemoryError:
        return unreadable("too large for this machine's memory")
    except Exception as error:  # decoders raise anything at damaged files
        return unreadable(f"damaged: {' '.join(str(error).split()) or type(error).__name__}")
    if min(width, height) < SMALLEST_SIDE:
        reason = f"{width}x{height}: OpenFace needs at least {SMALLEST_SIDE} pixels a side"
        return Staged(image, sha256, width, height, TOO_SMALL, reason)
    name = names.give(image.name, ending or ".png")
    try:
        if ending:
            _link_or_copy(image.path, folder / name)
        else:
            picture.save(folder / name, "PNG", compress_level=1)
    except OSError as error:
        raise AuferError(
            f"{image.name} can't be handed to OpenFace: {error.strerror or error} ({folder}).",
            hint="is the disk full? Nothing was changed; free some space and run it again",
        ) from error
    return Staged(image, sha256, width, height, file=name)


def _turn_of(picture: Picture) -> int:
    """The EXIF orientation, 1-8; 1 where there is none."""
    try:
        turn = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF in a sound picture
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(os.path.realpath(source), target)
    except OSError:  # another disk, a file of somebody else, or a system without hard links
        shutil.copyfile(source, target)


def _as_upright_8_bits(picture: Picture) -> Picture:
    """The first frame, grey or RGB, 8 bits a channel, turned as EXIF says and without EXIF."""
    import PIL.Image
    import PIL.ImageOps

    picture = PIL.ImageOps.exif_transpose(picture)
    if picture.mode[0] in "IF":  # 16 bits and more, or floats
        picture = PIL.Image.fromarray(_to_8_bits(picture))
    elif picture.mode == "P":
        picture = picture.convert("RGBA")
    if picture.mode not in ("L", "RGB"):
        # like OpenCV (and so OpenFace) with PNG: alpha is dropped, not blended
        picture = picture.convert("L" if picture.mode in ("1", "LA", "La") else "RGB")
    picture.info.clear()
    return picture


def _to_8_bits(picture: Picture) -> np.ndarray:
    """Grey values of any range as uint8 [h, w]; 16-bit ones divided by 256, as OpenCV does."""
    import numpy as np

    values: np.ndarray = np.nan_to_num(np.asarray(picture, dtype=np.float32))
    low, high = float(values.min()), float(values.max())
    if picture.mode == "F" and low >= 0 and high <= 1:
        values = values * 255
    elif low >= 0 and 255 < high <= 65535:
        values = values / 256
    elif low < 0 or high > 255:
        values = (values - low) * (255 / (high - low))
    return values.clip(0, 255).astype(np.uint8)


class StagedNames:
    """Gives file names that are unique whatever the case, readable, and the same at every run.

    ``happy/set 1/Jörg.JPG`` -> ``Jorg-5f1b8f6e.jpg``: what is plain ASCII of the stem, then the
    first digits of the sha256 of the relative path (more, should two paths share these).
    """

    def __init__(self) -> None:
        self._given: set[str] = set()

    def give(self, name: str, ending: str) -> str:
        """The name for the image at a relative path; ``ending`` with its dot, in lower case."""
        stem = name.rpartition("/")[2]
        stem = stem.rpartition(".")[0] or stem
        ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
        readable = re.sub(r"[^A-Za-z0-9_]+", "_", ascii_stem).strip("_")[:_NAME_LENGTH] or "image"
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        for digits in range(8, len(digest) + 1, 8):
            unique = f"{readable}-{digest[:digits]}"
            if unique.lower() not in self._given:
                break
        self._given.add(unique.lower())
        return unique + ending
