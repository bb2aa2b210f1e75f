"""Pictures beside or without OpenFace: their hashes, to find copies by, and where they lie.

OpenFace's CSVs say nothing of the pixels. Where the pictures are at hand, each row of an AU table
gets the sha256, perceptual hash, width, height and path of its own. For a model of pictures a
folder of them is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from aufer.au_table import OK, UNREADABLE, AuTable, complete, empty_frame
from aufer.errors import DataError
from aufer.groups import Grouping
from aufer.images import Image, check_folder, is_image, walk_files
from aufer.openface.capacity import local_capacity
from aufer.openface.staging import Checked, check_picture
from aufer.progress import Progress, no_progress


def add_pictures(table: AuTable, folder: Path, progress: Progress = no_progress) -> AuTable:
    """Give each row its picture: where it lies, and the hashes of rows that have none.

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
    images = frame["image"].tolist()
    every = {row: name for row, image in enumerate(images) if (name := find(image))}
    asked = np.flatnonzero(frame["phash"] == "").tolist()
    found = {row: every[row] for row in asked if row in every}
    rows, names = list(found), list(found.values())
    checked = check_pictures([paths[name] for name in names], progress)
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
    where = np.full(len(frame), None, dtype=object)
    for row, name in every.items():
        where[row] = paths[name]
    return replace(table, frame=frame, images_folder=str(folder), notes=tuple(notes), paths=where)


def read_pictures(
    images: Sequence[Image], folder: Path, progress: Progress = no_progress
) -> AuTable:
    """Pictures as an AU table without AUs, for models that read pixels.

    Returns:
        a row each: hashes, width, height and path; status ok, or unreadable with the reason.
    """
    checked = check_pictures([image.path for image in images], progress)
    frame = empty_frame(images)
    for column in ("sha256", "phash", "width", "height"):
        frame[column] = [getattr(each, column) for each in checked]
    frame["status"] = [UNREADABLE if each.failure else OK for each in checked]
    frame["reason"] = [each.failure for each in checked]
    first: dict[str, str] = {}
    frame["duplicate_of"] = [
        "" if not digest or first.setdefault(digest, name) == name else first[digest]
        for digest, name in zip(frame["sha256"], frame["image"], strict=True)
    ]
    groups = frame["group"].tolist()
    return AuTable(
        complete(frame),
        images_folder=str(folder),
        grouping=Grouping.by_column(groups),
        paths=paths_of(images),
    )


def paths_of(images: Sequence[Image]) -> np.ndarray:
    """Where images lie, object [n]: `AuTable.paths`."""
    paths = np.empty(len(images), dtype=object)
    paths[:] = [image.path for image in images]
    return paths


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


def check_pictures(paths: Sequence[Path], progress: Progress = no_progress) -> list[Checked]:
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
