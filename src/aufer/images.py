"""The input images: which files, under which emotion, with which group."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .gif .ppm .pgm .pbm .jp2".split()
)
"""Endings (in any case) of the picture formats that Pillow and OpenCV read."""

_FLAT_NAME = re.compile(r"^([A-Za-z]+)[ _.-]*\d")


@dataclass(frozen=True)
class Image:
    """One input image.

    Attributes:
        path: where it lies. name: its path relative to the images folder, with ``/``.
        emotion: the emotion's name, or None where there are no labels.
        group: the person or series it belongs to; empty where unknown.
    """

    path: Path
    name: str
    emotion: str | None = None
    group: str = ""


def is_image(path: Path) -> bool:
    """Whether the file's name ends like a picture's."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its relative name, sorted; hidden ones are passed over."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        base = Path(root)
        prefix = "" if base == folder else base.relative_to(folder).as_posix() + "/"
        for name in sorted(names):
            if not name.startswith("."):
                yield prefix + name, base / name


def folder_word(name: str) -> str:
    """The word that labels a file: its first folder, or the letters of a flat name.

    ``angry/set1/a.jpg`` -> ``angry``; ``angry001.jpg`` -> ``angry``; ``photo.jpg`` -> ``photo``.
    """
    first, slash, _ = name.partition("/")
    if slash:
        return first
    flat = _FLAT_NAME.match(first)
    return flat.group(1) if flat else Path(first).stem


def check_folder(folder: Path, what: str = "images folder") -> None:
    """Raise `UsageError` when a folder named by the user isn't there."""
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
            under names such as ``angry001.jpg``.
        emotions: the emotions that folders may be named after.
        labels: a CSV with the columns image, emotion and (optionally) group, in place of folders.
        labelled: False measures a folder of faces without labels.

    Raises:
        UsageError: the folder or file doesn't exist.
        DataError: no image, a folder that names no known emotion, or labels that don't fit.
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
    emotions.check({folder_word(name) for name, _ in found}, f"The images in {folder}")
    return [Image(path, name, emotions.find(folder_word(name))) for name, path in found]


def _from_labels(folder: Path, emotions: Emotions, labels: Path) -> list[Image]:
    import pandas as pd

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
    names = [name.strip().replace("\\", "/") for name in table["image"]]
    emotions.check(table["emotion"], f"The column emotion of {labels}")
    repeated = sorted({name for name in names if names.count(name) > 1}) if _repeats(names) else []
    if repeated:
        raise DataError(f"{labels} names {repeated[0]} more than once.")
    groups = table["group"] if "group" in table.columns else [""] * len(table)
    images = []
    for name, emotion, group in zip(names, table["emotion"], groups, strict=True):
        path = folder / name
        if not path.is_file():
            raise DataError(
                f"{labels} names {name}, which is not in {folder}.",
                hint="paths in the column image are relative to the images folder",
            )
        images.append(Image(path, name, emotions.find(emotion), str(group).strip()))
    return sorted(images, key=lambda image: image.name)


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)
