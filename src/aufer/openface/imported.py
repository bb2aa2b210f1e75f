"""OpenFace files that were made elsewhere, read into an AU table."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from aufer.au_table import MANY_FACES, NO_FACE, OK, UNREADABLE, AuTable, complete
from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.images import check_folder, folder_word, walk_files
from aufer.openface.output import DETAILS_SUFFIX, choose_faces, read_face_csvs
from aufer.provenance import MEASURE_STATIC, Extractor

log = logging.getLogger("aufer")

IMPORTED = Extractor(measure=MEASURE_STATIC, engine="imported")
NO_FACE_REASON = "OpenFace wrote details but no CSV: no face found, or its run was interrupted"


def find_output(folder: Path) -> dict[str, tuple[Path | None, Path | None]]:
    """OpenFace's files below a folder: relative stem -> its CSV and its details file."""
    found: dict[str, tuple[Path | None, Path | None]] = {}
    for name, path in walk_files(folder):
        if name.endswith(DETAILS_SUFFIX):
            stem = name.removesuffix(DETAILS_SUFFIX)
            found[stem] = (found.get(stem, (None, None))[0], path)
        elif name.lower().endswith(".csv"):
            stem = name[: -len(".csv")]
            found[stem] = (path, found.get(stem, (None, None))[1])
    return dict(sorted(found.items()))


def _image_name(stem: str, details: Path | None) -> str:
    """The image's name: the details file tells it with its ending (``Input:face.png``)."""
    if details is not None:
        with open(details, "rb", buffering=0) as file:
            line = file.read(4096).split(b"\n", 1)[0].decode("utf-8", errors="replace").strip()
        given = line.removeprefix("Input:").replace("\\", "/").rpartition("/")[2]
        parent, slash, name = stem.rpartition("/")
        if given.rsplit(".", 1)[0] == name:
            return f"{parent}{slash}{given}"
    return stem


def read_openface_folder(
    folder: Path, emotions: Emotions, *, faces: str = "largest", labelled: bool = True
) -> AuTable:
    """Read a folder of FaceLandmarkImg's files, one folder per emotion (or flat names).

    CSVs of 37, 179 or 711 columns are read, names with spaces too. An image that has only its
    ``_of_details.txt`` has no face. A CSV that is empty, cut, foreign or not numeric gives a row of
    the status ``unreadable`` that says so.

    Raises:
        UsageError: no such folder. DataError: no OpenFace file in it, a folder that names no known
        emotion, or nothing but unreadable files.
    """
    check_folder(folder, "folder of OpenFace files")
    found = find_output(folder)
    if not found:
        raise DataError(
            f"There are no OpenFace files (*.csv, *{DETAILS_SUFFIX}) in {folder}.",
            hint="name the folder that FaceLandmarkImg wrote to (-out_dir), or measure images: "
            "aufer extract IMAGES",
        )
    if labelled:
        words = {folder_word(stem) for stem in found}
        emotions.check(words, f"The OpenFace files in {folder}", numbers=False)
    stems = list(found)
    names = [_image_name(stem, details) for stem, (_, details) in found.items()]
    with_csv = [number for number, stem in enumerate(stems) if found[stem][0] is not None]
    paths = [path for stem in stems if (path := found[stem][0]) is not None]
    read = read_face_csvs(paths)
    if paths and len(read.problems) == len(stems):
        first = min(read.problems)
        raise DataError(
            f"None of the {len(paths)} CSVs in {folder} can be used; the first, "
            f"{paths[first].name}, {read.problems[first]}.",
            hint="OpenFace's FaceLandmarkImg -aus writes what is needed here",
        )
    chosen = choose_faces(read, faces)
    chosen.index = pd.Index([with_csv[file] for file in chosen.index])
    frame = chosen.reindex(range(len(stems)))
    frame["image"] = names
    frame["emotion"] = [emotions.find_name(folder_word(s)) if labelled else "" for s in stems]
    frame["status"] = NO_FACE
    frame["reason"] = NO_FACE_REASON
    frame.loc[chosen.index, ["status", "reason"]] = [OK, ""]
    if faces == "error":
        several = frame["n_faces"] > 1
        counts = frame.loc[several, "n_faces"].astype(int)
        frame.loc[several, "status"] = MANY_FACES
        frame.loc[several, "reason"] = [f"{n} faces" for n in counts]
    frame.loc[frame["status"] == NO_FACE, "n_faces"] = 0
    for file, problem in read.problems.items():
        frame.loc[with_csv[file], ["status", "reason"]] = [UNREADABLE, f"the CSV {problem}"]
        frame.loc[with_csv[file], "n_faces"] = float("nan")
    notes = []
    if not read.has_landmarks and (frame["n_faces"] > 1).any() and faces == "largest":
        notes.append(
            "these CSVs have no landmarks to tell the largest face by: of several faces the most "
            "confident one was taken"
        )
    table = complete(_without_values(frame))
    return AuTable(table, IMPORTED, images_folder=str(folder), notes=tuple(notes))


def _without_values(frame: pd.DataFrame) -> pd.DataFrame:
    """Empty the measures of rows that count as not measured (several faces with ``error``)."""
    kept = {"image", "emotion", "status", "reason", "n_faces"}
    measures = [name for name in frame.columns if name not in kept]
    frame.loc[frame["status"] != OK, measures] = float("nan")
    return frame
