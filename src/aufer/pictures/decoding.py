"""A picture file's pixels, by Pillow, which tells what is damaged: decoding, the perceptual hash,
upright 8 bits."""

from __future__ import annotations

import functools
import mmap
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

_ORIENTATION = 0x0112
_NOT_TURNED = 1
_FIRST_QUARTER_TURN = 5
"""EXIF orientations from here on swap width and height."""

_UPRIGHT_BY = (
    *(None, None, "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM"),
    *("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"),
)
"""EXIF orientation -> Pillow's name of the transposition that undoes it."""

_PNG_ORIENTATION_MARKS = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
"""A PNG without any of these bytes has no orientation; with them it is decoded to find out."""

_HASHED_SIDE = 64
"""The shorter side is reduced towards this before hashing: JPEGs decode faster so."""

_BIG_PIXELS = 20_000_000
_big = threading.Lock()
_starting = threading.Lock()


class Undecodable(Exception):
    """A picture that can't be used; ``reason`` says why, as the table has it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@functools.cache
def _pillow() -> ModuleType:
    import PIL.Image

    with _starting:  # loaded lazily, other threads could miss the formats that come late
        PIL.Image.init()
    # of pictures that are large but no bomb, and of damaged EXIF in sound pictures
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return PIL.Image


@functools.cache
def _formats() -> tuple[str, ...]:
    """Pillow's formats, the usual ones first: it tries them in turn."""
    usual = ("JPEG", "PNG")
    # Pillow lets Ghostscript run EPS, which is not for files of unknown origin
    return (*usual, *(name for name in _pillow().ID if name not in (*usual, "EPS")))


@contextmanager
def decoded(file: IO[bytes]) -> Iterator[Picture]:
    """An open picture, to be decoded inside the ``with`` block.

    Raises:
        Undecodable: for whatever is raised inside the block, errors of reading the file included.
    """
    pillow = _pillow()
    try:
        picture: Picture = pillow.open(file, formats=_formats())
        with picture:
            yield picture
    except pillow.UnidentifiedImageError:
        raise Undecodable("no picture that can be read (unknown or damaged format)") from None
    except pillow.DecompressionBombError:
        limit = 2 * (pillow.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise Undecodable(f"more than {limit} million pixels: absurdly large") from None
    except MemoryError:
        raise Undecodable("too large for this machine's memory") from None
    except Exception as error:  # decoders raise anything at damaged files
        text = " ".join(str(error).split()) or type(error).__name__
        raise Undecodable(f"damaged: {text}") from error


def read_facts(file: IO[bytes]) -> tuple[int, int, str]:
    """Decode a picture completely: its upright width and height in pixels, and perceptual hash.

    The hash (64 bits as 16 hex digits) is `imagehash.phash` of the upright grey picture. Copies in
    another size, quality or format differ in a few bits.

    Raises:
        Undecodable: it is damaged, cut, no picture, or absurdly large.
    """
    import imagehash
    import numpy as np

    with decoded(file) as picture:
        width, height = picture.size
        if picture.format in ("JPEG", "MPO"):
            # libjpeg reads all of it, so that a cut is found, but computes fewer pixels
            picture.draft("L", (_HASHED_SIDE, _HASHED_SIDE))
        # a progressive one is held as coefficients of its full size
        held = (width, height) if "progressive" in picture.info else picture.size
        with memory_for(*held):
            picture.load()
            turn = _turn_of(picture)
            if picture.format not in ("JPEG", "MPO"):
                width, height = picture.size  # Pillow turns TIFF by itself
            small = _as_8_bits(picture)
            small = small.reduce(max(1, min(small.size) // _HASHED_SIDE)).convert("L")
        if turn >= _FIRST_QUARTER_TURN:
            width, height = height, width
        bits = imagehash.phash(_upright(small, turn)).hash
        return width, height, np.packbits(bits).tobytes().hex()


def is_stored_upright(picture: Picture, file: IO[bytes]) -> bool:
    """Whether no EXIF turns a picture; decodes as little as possible to know.

    Args:
        picture: as `decoded` gives it. file: what it is read from.
    """
    if picture.format == "PNG":  # Pillow decodes it all, since EXIF may stand at the end
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if all(data.find(mark) < 0 for mark in _PNG_ORIENTATION_MARKS):
                return True
    return _turn_of(picture) == _NOT_TURNED


def upright_pixels(picture: Picture) -> np.ndarray:
    """The first frame, upright, 8 bits a channel: grey uint8 [h, w], or RGB [h, w, 3].

    Grey stays grey, all else becomes RGB; alpha is dropped. To be called within `memory_for`.
    """
    import numpy as np

    picture.load()
    turn = _turn_of(picture)  # after load: Pillow turns TIFF by itself
    return np.asarray(_upright(_as_8_bits(picture), turn))


@contextmanager
def memory_for(width: int, height: int) -> Iterator[None]:
    """Lets through one big picture at a time: threads share the machine's memory."""
    if width * height <= _BIG_PIXELS:
        yield
    else:
        with _big:
            yield


def _turn_of(picture: Picture) -> int:
    """The EXIF orientation, 1-8; 1 where there is none."""
    try:
        turn = picture.getexif().get(_ORIENTATION, _NOT_TURNED)
    except Exception:  # damaged EXIF in a sound picture
        return _NOT_TURNED
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else _NOT_TURNED


def _upright(picture: Picture, turn: int) -> Picture:
    method = _UPRIGHT_BY[turn]
    return picture.transpose(_pillow().Transpose[method]) if method else picture


def _as_8_bits(picture: Picture) -> Picture:
    """Grey or RGB, 8 bits a channel."""
    if picture.mode[0] in "IF":  # 16 bits and more, or floats
        picture = _pillow().fromarray(_to_8_bits(picture))
    elif picture.mode == "P":
        picture = picture.convert("RGBA")
    if picture.mode not in ("L", "RGB"):
        # like OpenCV (and so OpenFace) with PNG: alpha is dropped, not blended
        picture = picture.convert("L" if picture.mode in ("1", "LA", "La") else "RGB")
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
