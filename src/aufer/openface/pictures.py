"""The pictures that OpenFace's files were made of: their hashes, to find copies by.

OpenFace's CSVs say nothing of the pixels. Where the pictures are at hand, each row of an AU table
gets the sha256, perceptual hash, width and height of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from aufer.au_table import AuTable
from aufer.errors import DataError
from aufer.images import check_folder, is_image, walk_files
from aufer.openface.capacity import local_capacity
from aufer.openface.staging import Checked, check_picture
from aufer.progress import Progress, no_progress


def add_pictures(table: AuTable, folder: Path, progress: Progress = no_progress) -> AuTable:
    """Give each row without a perceptual hash those of its picture.

    A row's picture has the row's name, or differs from it in the ending only: ``happy/a.jpg`` is
    that of ``happy/a`` and of ``happy/a.png``. The row takes its name. How many rows have no
    picture in the folder, or several, and how many pictures can't be read, stands in the notes.

    Raises:
        UsageError: there is no such folder. DataError: it holds no picture.
    """
    check_folder(folder)
    paths = {name: path for name, path in walk_files(folder) if is_image(path)}
    if not paths:
        raise DataError(f"There is no picture in {folder}.", hint="check the folder of --images")
    find = _finder(paths)
    frame = table.frame.copy()
    asked = np.flatnonzero(frame["phash"] == "").tolist()
    images = frame["image"].tolist()
    found = {row: name for row in asked if (name := find(images[row]))}
    rows, names = list(found), list(found.values())
    checked = _check([paths[name] for name in names], progress)
    frame.loc[rows, "image"] = names
    for column in ("sha256", "phash", "width", "height"):
        frame.loc[rows, column] = [getattr(each, column) for each in checked]
    notes = list(table.notes)
    if without := [row for row in asked if row not in found]:
        notes.append(
            f"{len(without)} of the {len(frame)} images have no picture of their name in {folder} "
            f"(first: {images[without[0]]}): copies of these can't be found"
        )
    if failed := [n for n, each in zip(names, checked, strict=True) if each.failure]:
        why = checked[names.index(failed[0])].failure
        notes.append(
            f"{len(failed)} of the {len(names)} pictures in {folder} can't be used (first: "
            f"{failed[0]}: {why}): copies of these can't be found"
        )
    return replace(table, frame=frame, images_folder=str(folder), notes=tuple(notes))


def _finder(pictures: Iterable[str]) -> Callable[[str], str | None]:
    """What finds an image's picture: None where there is none, or several could be it."""
    by_stem: dict[str, list[str]] = {}
    for name in pictures:
        by_stem.setdefault(name.rpartition(".")[0], []).append(name)
    exact = set(pictures)

    def find(image: str) -> str | None:
        if image in exact:
            return image
        stem = image if image in by_stem else image.rpartition(".")[0]
        same = by_stem.get(stem, [])
        return same[0] if len(same) == 1 else None

    return find


def _check(paths: Sequence[Path], progress: Progress) -> list[Checked]:
    """What is known of each picture, in order."""
    checked = []
    with (
        progress(len(paths), "pictures") as step,
        ThreadPoolExecutor(local_capacity().cpus, "check") as threads,
    ):
        try:
            for each in threads.map(check_picture, paths):
                checked.append(each)
                step(1)
        except BaseException:  # Ctrl-C: thousands may be waiting
            threads.shutdown(cancel_futures=True)
            raise
    return checked
