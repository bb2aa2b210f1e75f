"""The dataset (``emotion.csv``): 17 AU intensities and a label number per face.

Beside it lie ``emotion.rows.csv`` (the same rows: `ROW_COLUMNS`), ``emotion.excluded.csv`` (every
image that is not in it, with the reason) and ``emotion.json`` (schema, counts, hashes, extractor,
groups, thresholds). Reading is liberal: a file from elsewhere may have spaces in its header,
further columns, and emotion names instead of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS, au_key
from aufer.csv_table import (
    check_intensities,
    check_not_video,
    csv_writer,
    read_csv,
    read_texts,
    to_numbers,
)
from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.files import (
    check_replaceable,
    check_table_name,
    is_edited,
    read_json,
    sha256_of,
    write_with_sidecar,
)
from aufer.groups import Grouping
from aufer.normalization import Normalization
from aufer.provenance import Extractor, made_by

SCHEMA = "aufer/dataset/1"
ROW_COLUMNS = ("image", "sha256", "emotion", "group", "confidence", "phash", "source")
OLD_ROW_COLUMNS = ROW_COLUMNS[:5]
"""What the rows' file had before pictures and sources were told."""

EXCLUDED_COLUMNS = ("image", "emotion", "status", "reason", "confidence")
LABEL_COLUMN = "emotion"


@dataclass(frozen=True)
class Dataset:
    """A labelled set of faces.

    Attributes:
        aus: float64 [n, 17], columns `INTENSITY_COLUMNS`, values 0-5; -5..5 where they are relative
            to a person.
        labels: int64 [n], positions in ``emotions``.
        rows: one row per face: `ROW_COLUMNS`; texts empty and confidence NaN where unknown.
        emotions: the emotions in label order.
        extractor: how the AUs were measured.
        grouping: how the groups came to be. normalization: what the AUs are relative to.
        path, sha256: the file it was read from.
        notes: what a user should know, e.g. that groups are unknown.
    """

    aus: pd.DataFrame
    labels: np.ndarray
    rows: pd.DataFrame
    emotions: Emotions
    extractor: Extractor = field(default_factory=Extractor)
    grouping: Grouping = field(default_factory=Grouping)
    normalization: Normalization = field(default_factory=Normalization)
    path: Path | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def groups(self) -> np.ndarray | None:
        """The group of each row, str [n]; None where groups are unknown."""
        groups = self.rows["group"].to_numpy(dtype=object)
        return groups if (groups != "").any() else None

    @property
    def keys(self) -> np.ndarray:
        """A text per row that is equal for equal AUs, str [n]."""
        return np.array([au_key(row) for row in self.aus.to_numpy().tolist()], dtype=object)

    def facts(self) -> dict[str, Any]:
        """What reports say of it, plain JSON: where it lies, its faces, where these are from."""
        return {
            "name": "" if self.path is None else self.path.name,
            "path": str(self.path),
            "sha256": self.sha256,
            "n_rows": len(self),
            "counts": {name: n for name, n in self.counts().items() if n},
            "grouping": self.grouping.facts(),
            "normalization": self.normalization.facts(),
            "extractor": self.extractor.facts(),
        }

    def counts(self) -> dict[str, int]:
        """Number of faces per emotion, zeros included."""
        found = np.bincount(self.labels, minlength=len(self.emotions))
        return dict(zip(self.emotions.names, (int(n) for n in found), strict=True))


def sidecar_paths(path: Path) -> dict[str, Path]:
    """Where the files beside a dataset lie: rows, excluded, facts."""
    return {
        "rows": path.with_name(f"{path.stem}.rows.csv"),
        "excluded": path.with_name(f"{path.stem}.excluded.csv"),
        "facts": path.with_name(f"{path.stem}.json"),
    }


def is_dataset(columns: list[str]) -> bool:
    """Whether a CSV with these columns can be read as a dataset."""
    return {LABEL_COLUMN, *INTENSITY_COLUMNS} <= set(columns)


def read_dataset(path: Path, emotions: Emotions | None = None) -> Dataset:
    """Read a dataset of `aufer`, or any table with the 17 AU_r columns and ``emotion``.

    Args:
        path: the CSV file.
        emotions: the emotions in the label order that is wanted; None takes the file's own. The
            numbers in the file mean what its sidecar says; without one, what ``emotions`` says.

    Raises:
        UsageError: no such file. DataError: columns missing, text in a number, an intensity outside
        0-5 (-5..5 where the sidecar says that they are differences), a label outside the set.
    """
    frame = read_csv(path)
    check_not_video(list(frame.columns), str(path))
    columns = [*INTENSITY_COLUMNS, LABEL_COLUMN]
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(
            f"{path} is no dataset: it lacks the column {', '.join(missing[:4])}"
            f"{' and more' if len(missing) > 4 else ''}.",
            hint="make one with: aufer build-dataset",
        )
    if frame.empty:
        raise DataError(f"{path} has a header but no row.")
    aus = to_numbers(frame, INTENSITY_COLUMNS, str(path))
    facts, rows, notes = _read_sidecars(path, len(frame))
    normalization = Normalization.from_facts(facts.get("normalization", {}))
    check_intensities(aus, str(path), are_differences=normalization.is_relative)
    own = Emotions(tuple(facts["emotions"])) if facts.get("emotions") else emotions or Emotions()
    emotions = emotions or own
    labels = _read_labels(frame[LABEL_COLUMN], own, emotions, path)
    if rows is None:
        own_columns = () if facts else ("image", "sha256", "group", "phash", "source")
        rows = frame[[name for name in own_columns if name in frame]]
        facts.pop("groups", None)
    rows = _complete_rows(rows).assign(emotion=[emotions.names[label] for label in labels])
    if "groups" in facts:
        grouping = Grouping.from_facts(facts["groups"])
    else:  # made elsewhere, or by an older version
        grouping = Grouping.by_column(rows["group"].tolist())
    if grouping.limits:
        notes.append(grouping.limits)
    return Dataset(
        aus=aus,
        labels=labels,
        rows=rows.loc[:, list(ROW_COLUMNS)],
        emotions=emotions,
        extractor=Extractor.from_facts(facts.get("extractor")),
        grouping=grouping,
        normalization=normalization,
        path=path,
        sha256=sha256_of(path),
        notes=tuple(notes),
    )


def _complete_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with all `ROW_COLUMNS`: texts without gaps, the confidence as a number."""
    texts = {
        name: rows[name].fillna("").astype(str) if name in rows else ""
        for name in ROW_COLUMNS
        if name != "confidence"
    }
    given = rows["confidence"] if "confidence" in rows else pd.Series(np.nan, index=rows.index)
    return pd.DataFrame(
        {**texts, "confidence": pd.to_numeric(given, errors="coerce").astype(np.float64)},
        index=rows.index,
    )


def _read_labels(column: pd.Series, own: Emotions, emotions: Emotions, path: Path) -> np.ndarray:
    """Label numbers in the order of ``emotions``, from the file's own numbers or names."""
    missing = np.flatnonzero((column == "").to_numpy())
    if len(missing):
        raise DataError(f"{path}: data row {int(missing[0]) + 1} has no emotion.")
    where = f"The column emotion of {path}"
    words = column.unique().tolist()
    names = {word: own.find(word) or emotions.find_name(word) for word in words}
    emotions.without_numbers().check([w for w in words if names[w] is None], where)
    emotions.check([name for name in names.values() if name], where, numbers=False)
    numbers = {
        word: emotions.number(emotions.find_name(name) or "") for word, name in names.items()
    }
    return column.map(numbers).to_numpy(dtype=np.int64)


def _read_sidecars(
    path: Path, n_rows: int
) -> tuple[dict[str, Any], pd.DataFrame | None, list[str]]:
    beside = sidecar_paths(path)
    if not beside["facts"].exists():
        return {}, None, []
    facts = read_json(beside["facts"])
    if facts.get("schema") != SCHEMA:
        return {}, None, []
    if is_edited(path, beside["facts"]):
        note = f"{path} was edited since `aufer` wrote it: its groups and file names are not used"
        return facts, None, [note]
    if not beside["rows"].exists():
        note = f"{beside['rows'].name} is missing: file names and groups are unknown"
        return facts, None, [note]
    rows = pd.read_csv(beside["rows"], dtype=str, keep_default_na=False)
    if len(rows) != n_rows or not set(OLD_ROW_COLUMNS) <= set(rows.columns):
        raise DataError(
            f"{beside['rows']} does not belong to {path}: {len(rows)} rows and {n_rows}.",
            hint="make both again: aufer build-dataset --force",
        )
    return facts, rows, []


def read_row_texts(path: Path, column: str) -> list[str] | None:
    """A column of a dataset, or of the rows beside it, as texts; None where neither has it.

    The rows' file counts as long as it is beside the dataset that it was written with.
    """
    beside = sidecar_paths(path)
    found = read_texts(path, column)
    if found is None and beside["rows"].is_file() and not is_edited(path, beside["facts"]):
        found = read_texts(beside["rows"], column)
    return found


def output_paths(path: Path, emotions: Emotions) -> dict[Path, Path]:
    """Every file that writing a dataset at ``path`` replaces, with its sidecar."""
    beside = sidecar_paths(path)
    outputs = [path, beside["rows"], beside["excluded"]]
    outputs += [emotion_table_path(path, name) for name in emotions]
    return dict.fromkeys(outputs, beside["facts"])


def emotion_table_path(path: Path, emotion: str) -> Path:
    """Where the table of one emotion lies: ``csv/<emotion>.csv`` beside ``emotion.csv``.

    A dataset of another name has a folder of its own: ``csv-<name>/``.
    """
    folder = "csv" if path.stem == "emotion" else f"csv-{path.stem}"
    return path.parent / folder / f"{emotion}.csv"


def check_dataset_replaceable(path: Path, emotions: Emotions, *, force: bool) -> None:
    """Raise when a person edited one of the files that writing the dataset would replace."""
    check_table_name(path)
    check_replaceable(output_paths(path, emotions), force=force, schema=SCHEMA)


def write_dataset(
    dataset: Dataset,
    excluded: pd.DataFrame,
    path: Path,
    facts: Mapping[str, Any],
    *,
    force: bool = False,
) -> Path:
    """Write the dataset, its sidecars and one table per emotion, all of them or none.

    Args:
        dataset: what to write. excluded: `EXCLUDED_COLUMNS`, one row per image left out.
        path: the CSV's path. facts: counts and thresholds for ``emotion.json``.
    """
    check_dataset_replaceable(path, dataset.emotions, force=force)
    beside = sidecar_paths(path)
    main = dataset.aus.assign(**{LABEL_COLUMN: dataset.labels})
    named = pd.concat([dataset.rows.reset_index(drop=True), main[list(INTENSITY_COLUMNS)]], axis=1)
    # label numbers agree with emotion.csv: the reference project's per-emotion files did not
    named.insert(3, "label", dataset.labels)
    tables = {path: main, beside["rows"]: dataset.rows, beside["excluded"]: excluded}
    for number, emotion in enumerate(dataset.emotions):
        tables[emotion_table_path(path, emotion)] = named[named["label"] == number]
    write_with_sidecar(
        {target: csv_writer(table) for target, table in tables.items()},
        beside["facts"],
        {
            "schema": SCHEMA,
            **made_by(),
            "emotions": list(dataset.emotions.names),
            "n_rows": len(dataset),
            "counts": dataset.counts(),
            "extractor": dataset.extractor.facts(),
            "groups": dataset.grouping.facts(),
            "normalization": dataset.normalization.facts(),
            **facts,
        },
    )
    return path
