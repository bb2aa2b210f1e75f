"""OpenFace files that were made elsewhere, read into an AU table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from aufer.au_net.format import MEASURED_BY
from aufer.au_table import MANY_FACES, NO_FACE, OK, UNREADABLE, AuTable, complete
from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.images import check_folder, folder_word, walk_files
from aufer.measures import AU_NETWORK
from aufer.openface.output import DETAILS_SUFFIX, choose_faces, read_face_csvs
from aufer.provenance import MEASURE_AU_NET, MEASURE_STATIC, Extractor

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


def _read_details(path: Path | None) -> str:
    """What a details file says; nothing where there is none."""
    if path is None:
        return ""
    with open(path, "rb", buffering=0) as file:
        return file.read(4096).decode("utf-8", errors="replace")


def extractor_of(details: Sequence[str], folder: Path) -> Extractor:
    """Who measured: OpenFace, or aufer's AU network, which says so in its files.

    Args:
        details: what the details files say, empty where there is none.

    Raises:
        DataError: some files are the one's and some the other's.
    """
    by_network = [MEASURED_BY in text for text in details]
    if not any(by_network):
        return IMPORTED
    if not all(by_network):
        raise DataError(
            f"Some files in {folder} are OpenFace's and some are those of {AU_NETWORK}, another "
            "measure; they are never mixed.",
            hint="put each into a folder of its own",
        )
    return Extractor(measure=MEASURE_AU_NET, engine="imported")


def extractor_of_folder(folder: Path) -> Extractor:
    """The same by the first details file in a folder, for a guess before all are read."""
    for name, path in walk_files(folder):
        if name.endswith(DETAILS_SUFFIX):
            return extractor_of([_read_details(path)], folder)
    return IMPORTED


def _image_name(stem: str, details: str) -> str:
    """The image's name: the details file tells it with its ending (``Input:face.png``)."""
    if details:
        line = details.split("\n", 1)[0].strip()
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
        emotion, nothing but unreadable files, or files of two measures.
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
    told = [_read_details(details) for _, details in found.values()]
    extractor = extractor_of(told, folder)
    names = [_image_name(stem, details) for stem, details in zip(stems, told, strict=True)]
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
    return AuTable(table, extractor, images_folder=str(folder), notes=tuple(notes))


def _without_values(frame: pd.DataFrame) -> pd.DataFrame:
    """Empty the measures of rows that count as not measured (several faces with ``error``)."""
    kept = {"image", "emotion", "status", "reason", "n_faces"}
    measures = [name for name in frame.columns if name not in kept]
    frame.loc[frame["status"] != OK, measures] = float("nan")
    return frame
