"""Zip files from elsewhere: looked at before anything in them is written."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from aufer.errors import DataError

MOST_BYTES = 1 << 31
MOST_FILES = 10_000
MOST_RATIO = 200
"""A zip whose files are so many times larger than itself is a trap: weights hardly shrink."""

DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
)
"""What `zipfile` raises at a damaged zip."""

_SMALL = 1 << 24
_BLOCK = 1 << 20


def check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise unless every file of a zip stays in its folder, is plain, and of a sane size.

    Raises:
        DataError: a path climbs out or is absolute, is a link or encrypted; or it is far too large.
    """
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_FILES or size > MOST_BYTES:
        raise DataError(
            f"{path} would unpack into {len(entries):,} files of {size:,} bytes; it is refused.",
            hint="unpack what you need of it, and give the folder",
        )
    if size > max(_SMALL, MOST_RATIO * path.stat().st_size):
        raise DataError(
            f"{path} would grow {size // max(path.stat().st_size, 1):,} times when unpacked, as no "
            "model does; it is refused."
        )
    for entry in entries:
        if _leaves_the_folder(entry.filename):
            raise DataError(
                f"{path} holds a path that leads out of its folder ({entry.filename!r}); it is "
                "refused."
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"{path} holds a link ({entry.filename!r}); it is refused.")
        if entry.flag_bits & 1:
            raise DataError(f"{path} is encrypted.", hint="unpack it yourself, and give the folder")


def _leaves_the_folder(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return ".." in parts or name.startswith(("/", "\\")) or ":" in name or "\0" in name


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip into an empty folder.

    Raises:
        DataError: it is cut, no zip, or of the kind that `check_archive` refuses.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path)
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                target = folder / PurePosixPath(entry.filename.replace("\\", "/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as file:
                    # what the entry says of its size may be a lie
                    left = entry.file_size + 1
                    while left > 0 and (block := source.read(min(_BLOCK, left))):
                        file.write(block)
                        left -= len(block)
    except DAMAGED as error:
        raise DataError(
            f"{path} is no zip file, or is cut: {str(error).strip()}.",
            hint="download it again",
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"{path} holds one name as a file and as a folder.") from error
