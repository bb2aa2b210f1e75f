"""The input images: which files, under which emotion, with which group."""

from __future__ import annotations

import errno
import logging
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError

log = logging.getLogger("aufer")

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .gif .ppm .pgm .pbm .jp2".split()
)
"""Endings (in any case) of the picture formats that Pillow and OpenCV read."""

_FLAT_NAME = re.compile(r"^([A-Za-z]+)[ _.-]*\d")


@dataclass(frozen=True)
class Image:
    """One input image.

    Attributes:
        path: where it lies. name: its path relative to the images folder, with ``/``; `printable`.
        emotion: the emotion's name, or None where there are no labels.
        group: the person or series it belongs to; empty where unknown.
    """

    path: Path
    name: str
    emotion: str | None = None
    group: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", printable(self.name))


def printable(text: str) -> str:
    r"""A path's text as UTF-8 can hold it: bytes of another encoding become ``\xf6`` and so on."""
    strays = "surrogateescape" if os.name == "posix" else "surrogatepass"
    return text.encode("utf-8", errors=strays).decode("utf-8", errors="backslashreplace")


def is_image(path: Path) -> bool:
    """Whether the file's name ends like a picture's."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its relative name, sorted; hidden ones are passed over.

    Links to folders are followed, but not back into a folder that they lie in. Names are
    `printable`, and no two are the same.

    Raises:
        AuferError: a folder can't be read.
    """
    yield from _walk(folder, "", ())


def _walk(
    folder: Path, prefix: str, above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, Path]]:
    try:
        there = folder.stat()
        identity = (there.st_dev, there.st_ino)
        if identity in above:  # a link to a folder that we are in
            return
        with os.scandir(folder) as listing:
            entries = [entry for entry in listing if not entry.name.startswith(".")]
    except OSError as error:
        raise AuferError(
            f"The folder {printable(str(folder))} can't be read: {error.strerror or error}.",
            hint="nothing is left out silently: make it readable (chmod u+rx, as its owner), or "
            "move it elsewhere",
        ) from error
    names: dict[str, os.DirEntry[str]] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        name = printable(entry.name)
        while name in names:
            name += "~"
        names[name] = entry
    folders = {name: None for name, entry in names.items() if _is_folder(entry)}
    for name, entry in names.items():
        if name not in folders:
            yield prefix + name, folder / entry.name
    for name in folders:
        yield from _walk(folder / names[name].name, f"{prefix}{name}/", (*above, identity))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: no folder, and said to be unreadable later
        return False


def folder_word(name: str) -> str:
    """The word that labels a file: its first folder, or the letters of a flat name.

    ``angry/set1/a.jpg`` -> ``angry``; ``angry001.jpg`` -> ``angry``; ``photo.jpg`` -> ``photo``.
    """
    first, slash, _ = name.partition("/")
    if slash:
        return first
    flat = _FLAT_NAME.match(first)
    return flat.group(1) if flat else Path(first).stem


def check_path(path: Path) -> None:
    """Raise `UsageError` for a path that the system can't even look up, such as one too long."""
    try:
        path.stat()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
            text = printable(str(path))
            raise UsageError(
                f"The path {text if len(text) < 80 else text[:80] + '…'} can't be used: "
                f"{error.strerror}.",
                hint="choose another path",
            ) from error


def check_folder(folder: Path, what: str = "images folder") -> None:
    """Raise `UsageError` when a folder named by the user isn't there."""
    check_path(folder)
    if not folder.exists():
        raise UsageError(
            f"The {what} {folder} does not exist.",
            hint="name another folder, or make the usual ones: aufer init",
        )
    if not folder.is_dir():
        raise UsageError(f"The {what} {folder} is not a folder.")


def find_images(
    folder: Path,
    emotions: Emotions,
    *,
    labels: Path | None = None,
    labelled: bool = True,
) -> list[Image]:
    """The images below a folder, sorted by name, with their labels.

    Args:
        folder: the images folder; images may lie at any depth below their emotion's folder, or flat
            under names such as ``angry001.jpg``. Numbers name no emotion here.
        emotions: the emotions that folders may be named after.
        labels: a CSV with the columns image, emotion and (optionally) group, in place of folders.
        labelled: False measures a folder of faces without labels.

    Raises:
        UsageError: the folder or file doesn't exist.
        DataError: no image, a folder that names no known emotion, or labels that don't fit.
        AuferError: a folder can't be read.
    """
    check_folder(folder)
    if labels is not None:
        return _from_labels(folder, emotions, labels)
    found = [(name, path) for name, path in walk_files(folder) if is_image(path)]
    if not found:
        raise DataError(
            f"There is no image in {folder}.",
            hint=f"put photos into folders named after the emotions: {folder}/happy/, …",
        )
    if not labelled:
        return [Image(path, name) for name, path in found]
    words = {folder_word(name) for name, _ in found}
    emotions.check(words, f"The images in {folder}", numbers=False)
    return [Image(path, name, emotions.find_name(folder_word(name))) for name, path in found]


def _from_labels(folder: Path, emotions: Emotions, labels: Path) -> list[Image]:
    import pandas as pd

    check_path(labels)
    if not labels.is_file():
        raise UsageError(f"The labels file {labels} does not exist.")
    try:
        table = pd.read_csv(labels, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{labels} is not a CSV table: {error}.") from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    missing = [name for name in ("image", "emotion") if name not in table.columns]
    if missing:
        raise DataError(
            f"{labels} lacks the column {' and '.join(missing)}.",
            hint="its first line should read: image,emotion,group",
        )
    if table.empty:
        raise DataError(f"{labels} names no image.")
    emotions.check(table["emotion"], f"The column emotion of {labels}")
    there = {name: path for name, path in walk_files(folder) if is_image(path)}
    names = [_clean_name(str(name).strip(), there, labels, folder) for name in table["image"]]
    name, n_rows = Counter(names).most_common(1)[0]
    if n_rows > 1:
        raise DataError(f"{labels} names {name} more than once.")
    groups = table["group"] if "group" in table.columns else [""] * len(table)
    images = []
    for name, emotion, group in zip(names, table["emotion"], groups, strict=True):
        path = there.get(name, folder / name)
        check_path(path)
        if not path.is_file():
            raise DataError(
                f"{labels} names {name}, which is not in {folder}.",
                hint="paths in the column image are relative to the images folder",
            )
        images.append(Image(path, name, emotions.find(emotion), str(group).strip()))
    others = len(there.keys() - {*names})
    if others:
        log.warning(
            "images of %s that %s does not name, and that are left out: %d of %d",
            *(folder, labels, others, len(there)),
        )
    return sorted(images, key=lambda image: image.name)


def _clean_name(name: str, there: dict[str, Path], labels: Path, folder: Path) -> str:
    """The one spelling of an image's relative path: ``./happy\\a.jpg`` -> ``happy/a.jpg``."""
    if name in there:
        return name
    clean = posixpath.normpath(name.replace("\\", "/"))
    if clean.startswith(("../", "/")) or clean == ".." or re.match(r"[A-Za-z]:", clean):
        raise DataError(
            f"{labels} names {name}, which is outside of {folder}.",
            hint="paths in the column image are relative to the images folder, and within it",
        )
    return clean
