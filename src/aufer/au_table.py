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
from dataclasses import dataclass, field
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
    """

    frame: pd.DataFrame
    extractor: Extractor = field(default_factory=Extractor)
    images_folder: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

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
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        if name in TEXT_COLUMNS:
            values = frame[name] if name in frame else pd.Series("", index=frame.index)
            columns[name] = values.astype(object).where(values.notna(), "").astype(str)
        elif name in COUNT_COLUMNS:
            values = frame[name] if name in frame else pd.Series(np.nan, index=frame.index)
            columns[name] = values.astype("Int64")
        else:
            values = frame[name] if name in frame else pd.Series(np.nan, index=frame.index)
            columns[name] = values.astype(np.float64)
    return pd.DataFrame(columns, index=frame.index).reset_index(drop=True)


def is_au_table(columns: Sequence[str]) -> bool:
    """Whether a CSV with these columns is an AU table of `aufer`."""
    return {"image", "status", *INTENSITY_COLUMNS} <= set(columns)


def read_au_table(path: Path, emotions: Emotions | None = None) -> AuTable:
    """Read ``aus.csv`` and, where it is there, its sidecar ``aus.json``.

    Raises:
        UsageError, DataError: there is no such file, or it is no AU table.
    """
    frame = read_csv(path)
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
    frame = complete(frame)
    unknown = sorted(set(frame["status"]) - set(STATUSES))
    if unknown:
        raise DataError(
            f"{path}: the status '{unknown[0]}' is not known; known are {', '.join(STATUSES)}."
        )
    repeated = frame["image"][frame["image"].duplicated()]
    if len(repeated):
        raise DataError(f"{path}: the image {repeated.iloc[0]} has more than one row.")
    measured = frame["status"] == OK
    check_intensities(frame[measured].reset_index(drop=True), str(path))
    if emotions is not None:
        labelled = frame["emotion"] != ""
        emotions.check(frame.loc[labelled, "emotion"].unique(), f"The column emotion of {path}")
        frame["emotion"] = [emotions.find(word) or "" for word in frame["emotion"]]
    sidecar = path.with_suffix(".json")
    facts = read_json(sidecar) if sidecar.exists() else {}
    if not is_ours(facts):
        return AuTable(frame)
    n_images = facts.get("n_images")
    if isinstance(n_images, int) and len(frame) < n_images:
        raise DataError(
            f"{path} is cut: it has {len(frame)} rows, and {sidecar.name} tells of {n_images}.",
            hint="copy it again, or measure again: aufer extract --force",
        )
    notes = (f"{path} was edited since `aufer` wrote it",) if is_edited(path, sidecar) else ()
    return AuTable(
        frame,
        Extractor.from_facts(facts.get("extractor")),
        images_folder=str(facts.get("images_folder", "")),
        notes=notes,
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

    Args:
        names: of the tables, as the user typed them; numbers are used where they are not distinct.

    Raises:
        DataError: they are different measures.
    """
    if len(tables) == 1:
        return tables[0]
    extractor, warnings = join_extractors([table.extractor for table in tables])
    notes = [*(note for table in tables for note in table.notes), *warnings]
    frames = [table.frame for table in tables]
    distinct = len(set(names)) == len(tables)
    prefixes = names if distinct else [str(n) for n in range(1, len(tables) + 1)]
    if pd.concat([frame["image"] for frame in frames]).duplicated().any():
        frames = [
            table.frame.assign(image=[f"{prefix}/{image}" for image in table.frame["image"]])
            for prefix, table in zip(prefixes, tables, strict=True)
        ]
    return AuTable(
        pd.concat(frames, ignore_index=True), extractor, notes=tuple(dict.fromkeys(notes))
    )
