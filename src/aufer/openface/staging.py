"""Checking every picture, and handing over what OpenFace can take under names of its own.

OpenFace reads only lower-case ``.jpg .jpeg .png .bmp`` of one flat folder, names its results by the
stem alone, stops at the first file that it can't open and aborts at a tiny one. So each picture is
decoded here first. What passes is handed over under a unique name: unchanged (a hard link, or a
copy) where OpenFace can read it as it is, as an upright BMP where not, or where it is enlarged.

Any number of threads may check and hand over at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aufer.errors import AuferError
from aufer.images import printable
from aufer.openface.bmp import as_bmp
from aufer.openface.store import Stamp, stamp_of
from aufer.openface.ways import Way
from aufer.pictures.decoding import Undecodable, decoded, is_stored_upright, read_facts

ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "BMP": ".bmp"}
"""Pillow's name of a format that OpenFace reads as it is -> the ending it wants."""

_STEM_LENGTH = 60
_BLOCK_BYTES = 1 << 20
_CHANGED = "it was changed while it was read"
_CHANGED_SINCE = "it was changed after it was checked"


@dataclass(frozen=True)
class Checked:
    """What is known of a picture file before OpenFace sees it.

    Attributes:
        sha256: of its bytes; empty where they can't be read.
        width, height: pixels, upright (after EXIF rotation); None where it can't be decoded.
        phash: the perceptual hash of the upright grey picture, 64 bits as 16 hex digits; or empty.
        failure: why it can't be used; empty if it can.
        stamp: of the very file that was read; None where there was none.
    """

    sha256: str = ""
    width: int | None = None
    height: int | None = None
    phash: str = ""
    failure: str = ""
    stamp: Stamp | None = None


class SourceGone(Exception):
    """A picture can't be handed over although it was sound once: it vanished, or was changed.

    Attributes:
        reason: what is the matter, as the table has it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_picture(path: Path) -> Checked:
    """Read and decode a picture completely. What is wrong with it is said, not raised."""
    sha256, stamp = "", None
    try:
        with _open_regular(path) as file:
            stamp = stamp_of(os.fstat(file.fileno()))
            sha256 = _sha256_of(file)
            if not stamp.size:
                raise Undecodable("the file is empty (0 bytes)")
            width, height, phash = read_facts(file)
            if stamp_of(os.fstat(file.fileno())) != stamp:
                return Checked(failure=_CHANGED)
    except Undecodable as error:
        return Checked(sha256, failure=error.reason, stamp=stamp)
    except OSError as error:
        return Checked(failure=_say_unreadable(error))
    return Checked(sha256, width, height, phash, "", stamp)


def hand_over(path: Path, way: Way, folder: Path, stem: str, *, stamp: Stamp | None = None) -> str:
    """Put a picture that was checked into the folder that OpenFace reads.

    Args:
        way: its size and border there.
        folder: where to; has no file of this stem yet.
        stem: the file's name there without the ending; see `staged_stem`.
        stamp: of the file that was checked; another one is not handed over.

    Returns:
        the file's name in the folder.

    Raises:
        SourceGone: the picture is not what it was when it was checked.
        AuferError: nothing can be written into the folder (the disk is full …).
    """
    try:
        with _open_regular(path) as file:
            found = stamp_of(os.fstat(file.fileno()))
            if stamp not in (None, found):
                raise SourceGone(_CHANGED_SINCE)
            with decoded(file) as picture:
                ending = ENDINGS.get(picture.format or "")
                if (
                    ending
                    and is_stored_upright(picture, file)
                    and way.place(*picture.size).is_unchanged
                ):
                    bmp = None
                else:
                    bmp = as_bmp(picture, way)
            if bmp is None:
                return _link_or_copy(path, file, found, folder, f"{stem}{ending}")
    except Undecodable as error:
        raise SourceGone(error.reason) from error
    except OSError as error:
        raise SourceGone(_say_unreadable(error)) from error
    return _write(path, [bmp], folder, f"{stem}.bmp")


def staged_stem(name: str, sha256: str) -> str:
    """A name without ending for OpenFace: plain, unique by content, the same at every run.

    ``happy/set 1/Jörg.JPG`` -> ``Jorg-5f1b8f6e9a0c4d2b``: what is plain ASCII of the stem, then the
    first digits of the sha256 of the file's bytes.
    """
    stem = name.rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^A-Za-z0-9_]+", "_", ascii_stem).strip("_")[:_STEM_LENGTH] or "image"
    return f"{readable}-{sha256[:16]}"


def _open_regular(path: Path) -> IO[bytes]:
    if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for ever
        raise Undecodable("not a regular file")
    return open(path, "rb")


def _say_unreadable(error: OSError) -> str:
    return f"can't be read: {error.strerror or error}"


def _sha256_of(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _link_or_copy(path: Path, file: IO[bytes], stamp: Stamp, folder: Path, name: str) -> str:
    target = folder / name
    try:
        # a link to the file itself: a container could not follow one to a link
        os.link(os.path.realpath(path) if path.is_symlink() else path, target)
    except OSError:  # another disk, a file of somebody else, or a system without hard links
        _write(path, _blocks_of(file), folder, name)
        linked = stamp_of(os.fstat(file.fileno()))
    else:
        linked = stamp_of(target.stat())
    if linked != stamp:  # another file had come in its place, or somebody writes into it
        target.unlink(missing_ok=True)
        raise SourceGone(_CHANGED_SINCE)
    return name


def _blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    try:
        file.seek(0)
        while block := file.read(_BLOCK_BYTES):
            yield block
    except OSError as error:
        raise SourceGone(_say_unreadable(error)) from error


def _write(path: Path, blocks: Iterable[bytes | memoryview], folder: Path, name: str) -> str:
    part = folder / f"{name}.part"  # OpenFace doesn't read what ends so
    try:
        try:
            with open(part, "wb") as file:
                file.writelines(blocks)
            os.replace(part, folder / name)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise AuferError(
            f"{printable(path.name)} can't be handed to the engine: {error.strerror or error} "
            f"({folder}).",
            hint="is the disk full? Nothing was changed; free some space and run it again",
        ) from error
    return name
