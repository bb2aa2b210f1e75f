"""The 68 landmarks of faces, from wherever OpenFace's files of them are: to draw a face with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from aufer.au_table import OK, AuTable
from aufer.errors import AuferError
from aufer.images import is_image
from aufer.openface.imported import find_output
from aufer.openface.measure import key_of, store_of
from aufer.openface.output import LANDMARK_COLUMNS, choose_faces, read_face_csvs
from aufer.openface.store import open_store
from aufer.openface.table import read_landmarks

N_LANDMARKS = len(LANDMARK_COLUMNS) // 2


def find_landmarks(
    table: AuTable, source: Path, *, store_folder: Path | None = None, policy: str = "largest"
) -> dict[int, np.ndarray]:
    """The landmarks of the faces of an AU table, by row, where they can be found.

    Those that were measured here are in the store's pixels of the upright original; those of
    OpenFace's files made elsewhere are in the pixels of whatever picture OpenFace was given.

    Args:
        table: its rows. source: what it was read from. store_folder: the folder with the store of
            images that were measured now, or of the table's; None: the table's own folder.
        policy: which face of several was taken (`output.FACES_POLICIES`).

    Returns:
        float64 [68, 2] (x, y) by position in the table; nothing for rows without.
    """
    ok = np.flatnonzero(table.frame["status"] == OK)
    if source.is_file() and not is_image(source) and source.suffix.lower() == ".csv":
        if len(table) == 1 and (found := _read([source], policy)):
            return {0: found[0]}
        store_folder = store_folder or source.parent
    elif source.is_dir():
        files = _files_of(source)
        images = table.frame["image"].tolist()
        paths = {row: files.get(_stem(images[row])) for row in ok.tolist()}
        rows = [row for row, path in paths.items() if path is not None]
        found = _read([path for path in paths.values() if path is not None], policy)
        if found:
            return {rows[position]: points for position, points in found.items()}
    return _from_store(table, store_folder) if store_folder is not None else {}


def _stem(image: str) -> str:
    """The name without the ending of a picture."""
    return image.rpartition(".")[0] if is_image(Path(image)) else image


def _files_of(folder: Path) -> Mapping[str, Path]:
    return {stem: csv for stem, (csv, _) in find_output(folder).items() if csv is not None}


def _read(paths: list[Path], policy: str) -> dict[int, np.ndarray]:
    """Landmarks by position in a list of OpenFace's CSVs; nothing for files without any."""
    read = read_face_csvs(paths, landmarks=True)
    if read.frame.empty:
        return {}
    chosen = choose_faces(read, policy)
    points = chosen[list(LANDMARK_COLUMNS)].to_numpy(dtype=np.float64)
    return {
        int(file): _as_points(row)
        for file, row in zip(chosen.index, points, strict=True)
        if not np.isnan(row).any()
    }


def _from_store(table: AuTable, folder: Path) -> dict[int, np.ndarray]:
    """Those of images that were measured here."""
    path = store_of(folder)
    if not path.is_file():
        return {}
    frame = table.frame
    known = (frame["way"] != "") & frame["width"].notna() & frame["face"].notna()
    known &= frame["sha256"].str.fullmatch("[0-9a-f]{64}")
    try:
        with open_store(path) as store:
            found = read_landmarks(frame[known], store, key_of(table.extractor))
    except (AuferError, KeyError):  # another aufer has it open; or it doesn't know these images
        return {}
    values = found[list(LANDMARK_COLUMNS)].to_numpy(dtype=np.float64)
    points = dict(zip(found["image"], values, strict=True))
    images = enumerate(frame["image"])
    return {row: _as_points(points[image]) for row, image in images if image in points}


def _as_points(row: np.ndarray) -> np.ndarray:
    """x_0 … x_67, y_0 … y_67 as [68, 2]."""
    points: np.ndarray = row.reshape(2, N_LANDMARKS).T
    return points
