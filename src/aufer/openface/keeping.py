"""OpenFace's own files, kept untouched in the workspace (``data/openface``).

One folder per emotion with what OpenFace wrote, and ``index.tsv`` (columns ``file``, ``image``)
that says which file belongs to which image. The folder is replaced as a whole, after success only.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from aufer.errors import AuferError
from aufer.files import replacing_folder
from aufer.images import walk_files
from aufer.openface.output import DETAILS_SUFFIX
from aufer.openface.running import csv_of, details_of
from aufer.openface.staging import Staged

INDEX = "index.tsv"
LANDMARK_COLUMNS = tuple(f"{axis}_{i}" for axis in "xy" for i in range(68))


def check_openface_folder(folder: Path, *, force: bool = False) -> None:
    """Raise when a folder that is to be replaced holds files that `aufer` did not write."""
    if folder.exists() and not folder.is_dir():
        raise AuferError(f"{folder} is a file; OpenFace's files are to be kept in a folder there.")
    if force or not folder.exists():
        return
    index = folder / INDEX
    known = {INDEX}
    if index.is_file():
        with index.open(encoding="utf-8", newline="") as file:
            known |= {_stem(row[0]) for row in csv.reader(file, delimiter="\t") if row}
    for name, _ in walk_files(folder):
        # below "<stem>_aligned/" lie the pictures of --openface-args -simalign
        if not {name, _stem(name), name.rpartition("_aligned/")[0]} & known:
            raise AuferError(
                f"{folder} holds {name}, which is not of aufer's last run; the folder is kept.",
                hint=f"move it elsewhere, or replace the folder's content with --force ({folder})",
            )


def _stem(name: str) -> str:
    if name.endswith(DETAILS_SUFFIX):
        return name[: -len(DETAILS_SUFFIX)]
    return name.rpartition(".")[0] or name


def keep_files(staged: Sequence[Staged], output: Path, folder: Path) -> None:
    """Move OpenFace's files from ``output`` into ``folder``, sorted by emotion, with the index."""
    places = {entry.file: entry.image.emotion or "" for entry in staged if entry.file}
    by_stem = {Path(file).stem: place for file, place in places.items()}
    with replacing_folder(folder) as new:
        for place in {*places.values()}:
            (new / place).mkdir(exist_ok=True)
        rows = [
            (
                f"{places[entry.file]}/".lstrip("/") + _first_file(output, entry.file),
                entry.image.name,
            )
            for entry in staged
            if entry.file and details_of(output, entry.file).exists()
        ]
        for path in list(output.iterdir()):
            stem = _stem(path.name).removesuffix("_aligned")
            os.replace(path, new / by_stem.get(stem, "") / path.name)
        _write_index(new / INDEX, rows)


def _first_file(output: Path, file: str) -> str:
    found = csv_of(output, file)
    return found.name if found.exists() else details_of(output, file).name


def _write_index(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="", errors="surrogateescape") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("file", "image"))
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
