"""The verb ``agreement``: do two AU tables of the same images say the same?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.agreeing.figures import figures_of
from aufer.agreeing.foreign import FRAME, is_video, read_foreign
from aufer.agreeing.page import SCHEMA
from aufer.agreeing.pairing import (
    MIN_IMAGES,
    SAME_FILE,
    SAME_ROW,
    count_pairs,
    list_left_out,
    pair_images,
)
from aufer.agreeing.source import Source, read_header
from aufer.agreeing.text import RULE
from aufer.au_table import DEFAULT_MIN_CONFIDENCE, AuTable, is_au_table
from aufer.dataset import sidecar_paths
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.files import sha256_of
from aufer.images import folder_word, is_image
from aufer.openface.faces import read_faces
from aufer.provenance import MEASURE_UNKNOWN, made_by, versions

_OTHER_UNIT = 2.5
"""Values so many times as large are taken for another unit."""


@dataclass(frozen=True)
class Agreement:
    """How two tables agree.

    Attributes:
        facts: content of ``agreement.json``.
        pairs: a row per image that both measured: ``image_a``, ``image_b``, ``emotion``, ``group``,
            and of each AU that both have ``AUxx_r_a`` and ``AUxx_r_b``.
        left_out: ``image``, ``table`` (A or B), ``reason``.
    """

    facts: dict[str, Any]
    pairs: pd.DataFrame
    left_out: pd.DataFrame


@dataclass(frozen=True)
class _Read:
    """A table that was read; ``kind``: as what; ``is_named``: its rows have images' names."""

    table: AuTable
    kind: str
    is_named: bool = True


def agreement(
    a: Source,
    b: Source,
    *,
    emotions: Emotions | None = None,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    seed: int = 0,
    command: str = "",
) -> Agreement:
    """Measure how two AU tables of the same images agree, AU by AU.

    Different extractors are welcome here, and named. Labels, for r within emotions, are those of
    the tables or of their folders; groups, for the intervals, those of the tables.

    Args:
        emotions: names that folders may have; None: the usual ones.
        min_confidence: rows of either table with less are left out; one without any is kept.
        seed: of the draws of the intervals. command: what was typed, for the record.

    Returns:
        figures and pairs; `agreeing.page.write_agreement` writes them.

    Raises:
        UsageError: no such file, or a map of columns that it doesn't have. DataError: nothing in
        common, or fewer than three images that both measured.
    """
    known = (emotions or Emotions()).with_others()
    of_a, of_b = _read(a, known, "a"), _read(b, known, "b")
    by_rows = not of_a.is_named and not of_b.is_named
    pairing = pair_images(of_a.table, of_b.table, by_rows=by_rows)
    images = count_pairs(of_a.table, of_b.table, pairing, min_confidence)
    if images["both"] < MIN_IMAGES:
        raise DataError(
            f"Both tables measured only {images['both']} of the same images (in both: "
            f"{images['paired']}; confidence at least {min_confidence:g}); agreement takes three "
            "or more.",
            hint="measure more images with both, or see whether --min-confidence is too high",
        )
    in_a, in_b = _measured_aus(of_a.table), _measured_aus(of_b.table)
    common = [au for au in in_a if au in in_b]
    if not common:
        raise DataError(
            "The two tables have no AU in common.",
            hint="say which column is which AU: --columns-b AU01_r=THEIR_COLUMN,…",
        )
    used = (
        of_a.table.is_usable(min_confidence)[pairing.a]
        & of_b.table.is_usable(min_confidence)[pairing.b]
    )
    frame_a = of_a.table.frame.iloc[pairing.a[used]].reset_index(drop=True)
    frame_b = of_b.table.frame.iloc[pairing.b[used]].reset_index(drop=True)
    labels, n_conflicts = _labels(frame_a, frame_b, known)
    groups = frame_a["group"].where(frame_a["group"] != "", frame_b["group"])
    values_a = frame_a[common].to_numpy(dtype=np.float64)
    values_b = frame_b[common].to_numpy(dtype=np.float64)
    found = figures_of(values_a, values_b, common, labels, groups.to_numpy(dtype=object), seed)
    facts = {
        "schema": SCHEMA,
        **made_by(),
        "command": command,
        "a": _describe(a, of_a),
        "b": _describe(b, of_b),
        "min_confidence": min_confidence,
        "matched_by": pairing.rule,
        "images": images,
        "only_in_a": [au for au in in_a if au not in in_b],
        "only_in_b": [au for au in in_b if au not in in_a],
        **found,
        "rule": RULE,
        "notes": _notes([of_a.table, of_b.table], pairing.rule, [values_a, values_b], n_conflicts),
        "versions": versions("numpy", "scipy", "scikit-learn"),
    }
    pairs = {
        "image_a": frame_a["image"],
        "image_b": frame_b["image"],
        "emotion": labels,
        "group": groups,
    }
    for j, au in enumerate(common):
        pairs |= {f"{au}_a": values_a[:, j], f"{au}_b": values_b[:, j]}
    left_out = list_left_out(of_a.table, of_b.table, pairing, min_confidence)
    return Agreement(facts, pd.DataFrame(pairs), left_out)


def _read(source: Source, emotions: Emotions, letter: str) -> _Read:
    """Read a table as what it is.

    Raises:
        UsageError, DataError: there is none, or it can't be read.
    """
    path, option = source.path, f"--columns-{letter}"
    if source.columns is not None or source.image is not None:
        if path.is_dir():
            raise UsageError(
                f"{path} is a folder; a map of columns, or the column of the image, is of one CSV.",
                hint=f"name the CSV instead, or leave {option} and --image-{letter} away",
            )
        table = read_foreign(path, source.columns, source.image, option)
        mapped = source.columns.columns if source.columns else {}
        named = bool(source.image or mapped.get("image"))
        header = read_header(path)
        return _Read(table, "a CSV", named or "image" in header or is_video(header))
    if not path.is_file():
        table = read_faces(path, emotions, labelled=False)
        return _Read(table, "OpenFace's files")
    if is_image(path):
        raise DataError(
            f"{path} is an image; its AUs have to be measured first.", hint="aufer extract IMAGES"
        )
    header = read_header(path)
    if is_video(header):
        return _Read(read_foreign(path, image=FRAME), "FeatureExtraction's CSV of a video")
    if is_au_table(header):
        return _Read(read_faces(path, emotions, labelled=False), "an AU table")
    if {"face", "confidence"} <= set(header) and "image" not in header:
        return _Read(read_faces(path, emotions, labelled=False), "one CSV of OpenFace's")
    if "emotion" in header and sidecar_paths(path)["facts"].exists():
        table = read_faces(path, emotions, labelled=False)
        named = not table.frame["image"].str.fullmatch(r"row \d+").all()
        return _Read(table, "a dataset", named)
    return _Read(read_foreign(path, option=option), "a CSV", "image" in header)


def _measured_aus(table: AuTable) -> list[str]:
    return [au for au in INTENSITY_COLUMNS if table.frame[au].notna().any()]


def _labels(a: pd.DataFrame, b: pd.DataFrame, emotions: Emotions) -> tuple[np.ndarray, int]:
    """An emotion per pair, empty where none is known or the two say different ones; how many
    such contradictions there are."""
    in_a, in_b = (_labels_in(frame, emotions) for frame in (a, b))
    conflict = (in_a != in_b) & (in_a != "") & (in_b != "")
    return np.where(conflict, "", np.where(in_a != "", in_a, in_b)), int(conflict.sum())


def _labels_in(frame: pd.DataFrame, emotions: Emotions) -> np.ndarray:
    """The emotions that a table, or else the folders in its images' names, tell: object [n]."""
    names = []
    for word, image in zip(frame["emotion"], frame["image"], strict=True):
        folder = emotions.find_name(folder_word(image.replace("\\", "/")))
        names.append((emotions.find_name(word) or word) if word else folder or "")
    return np.array(names, dtype=object)


def _describe(source: Source, side: _Read) -> dict[str, Any]:
    """A table as the record has it."""
    extractor = side.table.extractor
    unknown = extractor.measure == MEASURE_UNKNOWN
    how = "of unknown origin" if unknown else f"measured by {extractor}"
    path = source.path
    return {
        "name": path.name or str(path),
        "path": str(path),
        "kind": side.kind,
        "measured": f"{side.kind} {how}",
        "extractor": extractor.facts(),
        "sha256": sha256_of(path) if path.is_file() else None,
        "columns": source.columns.columns if source.columns else {},
        "image_column": source.image,
        "notes": list(side.table.notes),
    }


def _notes(
    tables: list[AuTable], rule: str, values: list[np.ndarray], n_conflicts: int
) -> list[str]:
    """What a reader should know."""
    notes = [
        f"{side}: {note}" for side, table in zip("AB", tables, strict=True) for note in table.notes
    ]
    if rule == SAME_ROW:
        notes.append("neither table names its images: row n of A is taken for row n of B")
    if rule == SAME_FILE:
        notes.append(
            "images were matched by their file names alone, their folders being others: make sure "
            "that the same name is the same image"
        )
    if n_conflicts:
        notes.append(
            f"the two tables label {n_conflicts:,} images with different emotions; they count as "
            "unlabelled"
        )
    if tables[0].normalization.how != tables[1].normalization.how:
        notes.append("one table's AUs are relative to the person, the other's are not")
    tops = [float(np.nanpercentile(np.abs(v), 99)) if np.isfinite(v).any() else 0 for v in values]
    if min(tops) > 0 and max(tops) / min(tops) >= _OTHER_UNIT:
        small = "A" if tops[0] < tops[1] else "B"
        notes.append(
            f"the values of {small} are much smaller (99 % below {min(tops):.3g}, those of the "
            f"other below {max(tops):.3g}): if that is another unit, only r and kappa can be read"
        )
    return notes
