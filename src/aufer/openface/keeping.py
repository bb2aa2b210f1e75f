"""OpenFace's own files, kept untouched beside the AU table (``data/openface``).

One folder per emotion with what OpenFace wrote, and ``index.tsv`` (columns ``file``, ``image``)
that says which file belongs to which image. The folder is replaced as a whole, after success only,
and together with the table.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from aufer.errors import AuferError
from aufer.openface.output import DETAILS_SUFFIX
from aufer.openface.running import csv_of, details_of
from aufer.openface.staging import Staged

INDEX = "index.tsv"
_INDEX_HEADER = ["file", "image"]
_SYSTEM_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
LANDMARK_COLUMNS = tuple(f"{axis}_{i}" for axis in "xy" for i in range(68))


def openface_folder_of(table: Path) -> Path:
    """Where the OpenFace files of an AU table are kept: each table has a folder of its own."""
    return table.with_name("openface" if table.name == "aus.csv" else f"{table.stem}.openface")


def check_openface_folder(folder: Path, *, force: bool = False, command: str = "…") -> None:
    """Raise unless new OpenFace files may take this folder's place.

    They may where there is nothing, or a folder that `aufer` made (its `INDEX` lies in it) and that
    holds nothing else, or with ``force`` something else too. Links, and folders that `aufer` did
    not make, are never replaced.

    Args:
        command: what was typed, for the hint.
    """
    elsewhere = "move it elsewhere, or write another table: --out"
    if folder.is_symlink():
        raise AuferError(
            f"{folder} is a link; OpenFace's files would take its place, so it is kept.",
            hint=f"remove the link, or write another table where there is room: --out ({folder})",
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise AuferError(
            f"{folder} is a file; OpenFace's files are to be kept in a folder there.", elsewhere
        )
    there = sorted(_files_in(folder))
    if not there:
        return
    known = _known_stems(folder / INDEX)
    if not known:
        raise AuferError(
            f"{folder} holds {there[0]} and was not made by `aufer` (no {INDEX} in it); it is "
            "kept, with --force too.",
            hint=elsewhere,
        )
    for name in there if not force else ():
        # below "<stem>_aligned/" lie the pictures of --openface-args -simalign
        if not {name, _stem(name), name.rpartition("_aligned/")[0]} & known:
            raise AuferError(
                f"{folder} holds {name}, which is not of aufer's last run; the folder is kept.",
                hint=f"move {name} elsewhere, or remove it with the rest: {command} --force",
            )


def _files_in(folder: Path) -> Iterator[str]:
    """Everything but folders, by relative name, hidden files too; links are not followed."""
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        for name in (*names, *links):
            if name not in _SYSTEM_FILES:
                yield Path(root, name).relative_to(folder).as_posix()


def _known_stems(index: Path) -> set[str]:
    """What the index of a folder names, and the index itself; nothing if it isn't ours."""
    try:
        with index.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter="\t") if row]
    except (OSError, ValueError, csv.Error):
        return set()
    if not rows or rows[0] != _INDEX_HEADER:
        return set()
    return {INDEX, *(_stem(row[0]) for row in rows)}


def _stem(name: str) -> str:
    if name.endswith(DETAILS_SUFFIX):
        return name[: -len(DETAILS_SUFFIX)]
    return name.rpartition(".")[0] or name


def sort_files(staged: Sequence[Staged], output: Path, new: Path) -> None:
    """Move OpenFace's files from ``output`` into a new folder, by emotion, with the index."""
    places = {entry.file: entry.image.emotion or "" for entry in staged if entry.file}
    by_stem = {Path(file).stem: place for file, place in places.items()}
    new.mkdir()
    for place in {*places.values()}:
        (new / place).mkdir(exist_ok=True)
    rows = [
        (f"{places[entry.file]}/".lstrip("/") + _first_file(output, entry.file), entry.image.name)
        for entry in staged
        if entry.file and details_of(output, entry.file).exists()
    ]
    for path in list(output.iterdir()):
        stem = _stem(path.name).removesuffix("_aligned")
        os.replace(path, new / by_stem.get(stem, "") / path.name)
    _write_index(new / INDEX, rows)


def put_in_place(finished: Mapping[Path, Path]) -> None:
    """Rename complete files and folders to where they belong: all of them, or none.

    Args:
        finished: where each belongs -> where it lies, complete, in a scratch folder of its own on
            the same disk. What was there before ends up in the scratch folder.
    """
    done: list[tuple[Path, Path, Path]] = []
    try:
        for target, new in finished.items():
            old = new.with_name(f"{new.name}.old")
            done.append((target, new, old))
            if target.is_dir():
                os.rename(target, old)
            elif target.exists():
                _keep_a_copy(target, old)
            os.replace(new, target)
    except BaseException:  # a Ctrl-C too
        for target, new, old in reversed(done):
            if not new.exists():  # it was put in place
                os.replace(target, new)
            if old.exists():
                os.replace(old, target)
        raise


def _keep_a_copy(file: Path, old: Path) -> None:
    try:
        os.link(file, old)  # so that the file is there at every moment
    except OSError:  # no links here
        os.rename(file, old)


def _first_file(output: Path, file: str) -> str:
    found = csv_of(output, file)
    return found.name if found.exists() else details_of(output, file).name


def _write_index(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_INDEX_HEADER)
        writer.writerows(rows)


def read_landmarks(csvs: Mapping[str, tuple[Path, int]]) -> pd.DataFrame:
    """The 68 landmarks of one face of each image, pixels of the (upright) picture.

    Args:
        csvs: image -> OpenFace's CSV and the number of the face taken.

    Returns:
        columns ``image``, ``x_0`` … ``x_67``, ``y_0`` … ``y_67``.
    """
    rows = []
    for image, (path, face) in csvs.items():
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            for row in reader:
                if int(float(row["face"])) == face:
                    rows.append([image, *(float(row[name]) for name in LANDMARK_COLUMNS)])
                    break
    return pd.DataFrame(rows, columns=["image", *LANDMARK_COLUMNS])
