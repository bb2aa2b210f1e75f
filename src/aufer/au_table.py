"""The AU table (``aus.csv``): one row per input image, always.

Columns (docs/files.md has the reference):

* ``image`` path relative to the images folder; ``sha256``; ``duplicate_of`` the image with the same
  bytes whose values were copied; ``phash`` perceptual hash, 16 hexadecimal digits, nearly equal for
  pictures that look alike; ``emotion``; ``group``; ``status``; ``reason``;
* ``n_faces`` found in the image; ``face`` the number of the one taken; ``confidence`` 0-1;
* ``face_x, face_y, face_width, face_height`` box of the 68 landmarks, pixels of the image;
* ``pose_Tx..Tz`` mm, ``pose_Rx..Rz`` radians; ``width, height`` of the image in pixels; ``way`` in
  which it was handed to OpenFace: ``as it is``, ``192`` (its shorter side enlarged to 192 pixels),
  ``192+25%`` (with a replicated border of 25 % of that besides) or ``+25%`` (own size and border);
  ``scale`` by which it was enlarged;
* 17 ``AUxx_r`` intensities 0-5, 18 ``AUxx_c`` presences 0 or 1.

Missing values are empty, not 0; so are ``phash`` and ``way`` of a table that was made without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS, PRESENCE_COLUMNS
from aufer.csv_table import (
    TEXT_COLUMNS,
    check_confidence,
    check_intensities,
    csv_writer,
    read_csv,
    to_numbers,
)
from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.files import check_replaceable, is_edited, is_ours, read_json, write_with_sidecar
from aufer.groups import Grouping, join_groupings
from aufer.normalization import Normalization, check_same
from aufer.provenance import Extractor, join_extractors, made_by

if TYPE_CHECKING:
    from aufer.images import Image

SCHEMA = "aufer/au-table/1"

OK = "ok"
NO_FACE = "no_face"
MANY_FACES = "many_faces"
TOO_SMALL = "too_small"
UNREADABLE = "unreadable"
CRASHED = "crashed"
STATUSES = (OK, NO_FACE, MANY_FACES, TOO_SMALL, UNREADABLE, CRASHED)
FAILED_STATUSES = (UNREADABLE, CRASHED)
"""Statuses that are failures, not results: they lead to exit code 5."""
LOW_CONFIDENCE = "low_confidence"
"""What an ``ok`` row is for whoever asks for more confidence; never a status of the table."""

BOX_COLUMNS = ("face_x", "face_y", "face_width", "face_height")
POSE_COLUMNS = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
COUNT_COLUMNS = ("n_faces", "face", "width", "height")
COLUMNS: tuple[str, ...] = (
    *TEXT_COLUMNS[:-1],  # the last one, the way, stands with the scale
    "n_faces",
    "face",
    "confidence",
    *BOX_COLUMNS,
    *POSE_COLUMNS,
    "width",
    "height",
    "way",
    "scale",
    *INTENSITY_COLUMNS,
    *PRESENCE_COLUMNS,
)

DEFAULT_MIN_CONFIDENCE = 0.7
"""OpenFace's author reads a lower confidence as a failed fit (openface issue 796)."""


@dataclass(frozen=True)
class AuTable:
    """An AU table in memory.

    Attributes:
        frame: columns `COLUMNS`, one row per image; texts are str (empty where missing), counts are
            nullable integers, the rest float64 with NaN where missing.
        extractor: how the AUs were measured.
        images_folder: the folder that ``image`` is relative to, as it was given.
        notes: what a user should know of how the table came to be.
        grouping: how the groups in ``frame`` came to be.
        normalization: what the AUs are relative to; a dataset's may be to the person.
        sources: where each row is from, object [n]; None where all are from one place.
        paths: where each row's picture lies, object [n], None in it where that isn't known; None
            where none is. Only in memory: for models of pictures, and to show them.
    """

    frame: pd.DataFrame
    extractor: Extractor = field(default_factory=Extractor)
    images_folder: str = ""
    notes: tuple[str, ...] = ()
    grouping: Grouping = field(default_factory=Grouping)
    normalization: Normalization = field(default_factory=Normalization)
    sources: np.ndarray | None = None
    paths: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def picked(self, rows: np.ndarray) -> AuTable:
        """These rows only.

        Args:
            rows: bool [n], or positions.
        """
        return replace(
            self,
            frame=self.frame.loc[np.arange(len(self))[rows]].reset_index(drop=True),
            sources=None if self.sources is None else self.sources[rows],
            paths=None if self.paths is None else self.paths[rows],
        )

    def intensities(self) -> np.ndarray:
        """The 17 AU intensities, float64 [n, 17], NaN where a face was not measured."""
        return self.frame.loc[:, list(INTENSITY_COLUMNS)].to_numpy(dtype=np.float64)

    def is_usable(self, min_confidence: float = DEFAULT_MIN_CONFIDENCE) -> np.ndarray:
        """Which rows carry a face measured with enough confidence, bool [n].

        A row without a confidence (AU rows from elsewhere) counts as confident.
        """
        confident = ~(self.frame["confidence"].to_numpy(dtype=np.float64) < min_confidence)
        return (self.frame["status"].to_numpy() == OK) & confident

    def answer_status(self, min_confidence: float = DEFAULT_MIN_CONFIDENCE) -> np.ndarray:
        """Each row's status, object [n]: `LOW_CONFIDENCE` where it is ok with too little of it."""
        status = self.frame["status"].to_numpy(dtype=object)
        low = (status == OK) & ~self.is_usable(min_confidence)
        return np.where(low, LOW_CONFIDENCE, status)

    @property
    def n_failed(self) -> int:
        """How many images are failures, not results: `FAILED_STATUSES`."""
        return int(self.frame["status"].isin(FAILED_STATUSES).sum())

    def counts(self) -> dict[str, int]:
        """Number of images of each status that occurs."""
        found = self.frame["status"].value_counts()
        return {status: int(found[status]) for status in STATUSES if status in found}


def empty_frame(images: Sequence[Image]) -> pd.DataFrame:
    """A frame with the origin of each image and nothing measured yet."""
    frame = pd.DataFrame(
        {
            "image": [image.name for image in images],
            "emotion": [image.emotion or "" for image in images],
            "group": [image.group for image in images],
        }
    )
    return complete(frame)


def complete(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame all `COLUMNS`, in order and of the right types; missing ones stay empty."""
    no_text = pd.Series("", index=frame.index).astype(str)
    no_number = pd.Series(np.nan, index=frame.index)
    no_count = no_number.astype("Int64")
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values = frame.get(name)
        if name in TEXT_COLUMNS:
            columns[name] = (
                no_text
                if values is None
                else values.astype(object).where(values.notna(), "").astype(str)
            )
        elif name in COUNT_COLUMNS:
            columns[name] = no_count if values is None else values.astype("Int64")
        else:
            columns[name] = no_number if values is None else values.astype(np.float64)
    return pd.DataFrame(columns, index=frame.index).reset_index(drop=True)


def is_au_table(columns: Sequence[str]) -> bool:
    """Whether a CSV with these columns is an AU table of `aufer`."""
    return {"image", "status", *INTENSITY_COLUMNS} <= set(columns)


def read_au_table(path: Path, emotions: Emotions | None = None) -> AuTable:
    """Read ``aus.csv`` and, where it is there, its sidecar ``aus.json``.

    Raises:
        UsageError, DataError: there is no such file, or it is no AU table.
    """
    frame = complete(clean_rows(read_csv(path), path))
    repeated = frame["image"][frame["image"].duplicated()]
    if len(repeated):
        raise repeated_image(path, repeated.iloc[0])
    if emotions is not None:
        labelled = frame["emotion"] != ""
        emotions.check(frame.loc[labelled, "emotion"].unique(), f"The column emotion of {path}")
        frame["emotion"] = [emotions.find(word) or "" for word in frame["emotion"]]
    return add_sidecar(AuTable(frame), path, len(frame))


def clean_rows(frame: pd.DataFrame, path: Path, *, is_part: bool = False) -> pd.DataFrame:
    """The rows of an AU table, or a part of them, as its CSV has them: checked, not yet `complete`.

    Args:
        frame: from `csv_table.read_csv`. path: the file, for messages.
        is_part: the file has more rows than these.

    Raises:
        DataError: it is no AU table, or a value can't be.
    """
    if not is_au_table(list(frame.columns)):
        missing = [c for c in ("image", "status", *INTENSITY_COLUMNS) if c not in frame.columns]
        raise DataError(
            f"{path} is no AU table: it lacks {', '.join(missing[:4])}"
            f"{' and more' if len(missing) > 4 else ''}.",
            hint="make one with: aufer extract IMAGES",
        )
    numeric = [name for name in COLUMNS if name in frame and name not in TEXT_COLUMNS]
    frame[numeric] = to_numbers(frame, numeric, str(path))
    for name in COUNT_COLUMNS:
        if name in frame and (frame[name].dropna() % 1 != 0).any():
            raise DataError(f"{path}: the column {name} holds a fraction; it counts.")
    check_confidence(frame, str(path))
    unknown = sorted(set(frame["status"].fillna("")) - set(STATUSES))
    if unknown:
        raise DataError(
            f"{path}: the status '{unknown[0]}' is not known; known are {', '.join(STATUSES)}."
        )
    check_intensities(frame[frame["status"] == OK], str(path), is_part=is_part)
    return frame


def repeated_image(path: Path, name: str) -> DataError:
    """The error that an image has two rows."""
    return DataError(f"{path}: the image {name} has more than one row.")


def add_sidecar(table: AuTable, path: Path, n_rows: int) -> AuTable:
    """The table, or a part of it, with what its sidecar ``aus.json`` says, where there is one.

    Args:
        n_rows: of the whole file.

    Raises:
        DataError: the file is shorter than its sidecar says.
    """
    sidecar = path.with_suffix(".json")
    facts = read_json(sidecar) if sidecar.exists() else {}
    if not is_ours(facts):
        return table
    n_images = facts.get("n_images")
    if isinstance(n_images, int) and n_rows < n_images:
        raise DataError(
            f"{path} is cut: it has {n_rows} rows, and {sidecar.name} tells of {n_images}.",
            hint="copy it again, or measure again: aufer extract --force",
        )
    return replace(
        table,
        extractor=Extractor.from_facts(facts.get("extractor")),
        images_folder=str(facts.get("images_folder", "")),
        notes=(f"{path} was edited since `aufer` wrote it",) if is_edited(path, sidecar) else (),
    )


def write_au_table(table: AuTable, path: Path, *, force: bool = False, command: str = "") -> None:
    """Write ``aus.csv`` and its sidecar in one step; an edited older one is kept unless forced."""
    sidecar = path.with_suffix(".json")
    check_replaceable(
        {path: sidecar}, force=force, command=command or "aufer extract", schema=SCHEMA
    )
    facts = {
        "schema": SCHEMA,
        **made_by(),
        "extractor": table.extractor.facts(),
        "images_folder": table.images_folder,
        "n_images": len(table),
        "statuses": table.counts(),
        "notes": list(table.notes),
    }
    frame = table.frame.copy(deep=False)
    for name in PRESENCE_COLUMNS:  # 0 and 1, not 0.0 and 1.0
        frame[name] = frame[name].astype("Int64")
    write_with_sidecar({path: csv_writer(frame)}, sidecar, facts)


def join_tables(tables: Sequence[AuTable], names: Sequence[str] = ()) -> AuTable:
    """Several AU tables as one; where image names clash, each gets its table's name in front.

    Of the groups only persons are kept: near copies and blocks are numbered within their table.

    Args:
        names: of the tables, as the user typed them; numbers are used where they are not distinct.

    Raises:
        DataError: they are different measures, or relative to different things.
    """
    if len(tables) == 1:
        return tables[0]
    extractor, warnings = join_extractors([table.extractor for table in tables])
    check_same([table.normalization for table in tables])
    prefixes = name_prefixes(names, len(tables))
    frames = [table.frame for table in tables]
    if pd.concat([frame["image"] for frame in frames]).duplicated().any():
        frames = [
            frame.assign(image=[f"{prefix}/{image}" for image in frame["image"]])
            for prefix, frame in zip(prefixes, frames, strict=True)
        ]
    groups, grouping, shared = join_groupings(
        [table.grouping for table in tables], [frame["group"].tolist() for frame in frames]
    )
    notes = [*(note for table in tables for note in table.notes), *warnings, *shared]
    sources = [
        np.full(len(table), prefix, dtype=object) if table.sources is None else table.sources
        for prefix, table in zip(prefixes, tables, strict=True)
    ]
    paths = [
        np.full(len(table), None, dtype=object) if table.paths is None else table.paths
        for table in tables
    ]
    return AuTable(
        pd.concat(frames, ignore_index=True).assign(group=groups),
        extractor,
        notes=tuple(dict.fromkeys(notes)),
        grouping=grouping,
        normalization=tables[0].normalization,
        sources=np.concatenate(sources),
        paths=np.concatenate(paths) if any(t.paths is not None for t in tables) else None,
    )


def name_prefixes(names: Sequence[str], n_tables: int) -> list[str]:
    """What is put before the image names of each table where they clash: see `join_tables`."""
    distinct = len(set(names)) == n_tables
    return list(names) if distinct else [str(number) for number in range(1, n_tables + 1)]
