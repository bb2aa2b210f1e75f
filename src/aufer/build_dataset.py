"""From an AU table, or folders of OpenFace CSVs, to the dataset ``emotion.csv``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS, au_key
from aufer.au_table import (
    DEFAULT_MIN_CONFIDENCE,
    LOW_CONFIDENCE,
    STATUSES,
    AuTable,
    join_tables,
)
from aufer.dataset import (
    EXCLUDED_COLUMNS,
    ROW_COLUMNS,
    Dataset,
    check_dataset_replaceable,
    write_dataset,
)
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.files import sha256_of
from aufer.openface.faces import read_faces
from aufer.openface.measuring.plan import Plan

DUPLICATE = "duplicate"
CONFLICT = "conflict"
OTHER_EMOTION = "other_emotion"
IN_DATASET = "in_dataset"


@dataclass(frozen=True)
class Built:
    """What `build_dataset` made.

    Attributes:
        dataset: the faces taken. excluded: every other image, with status and reason.
        counts: one row per emotion: number of images, of each status, and in the dataset.
        table: the AU table that it was made of.
    """

    dataset: Dataset
    excluded: pd.DataFrame
    counts: pd.DataFrame
    table: AuTable


def read_source(source: Path, emotions: Emotions, faces: str = "largest") -> AuTable:
    """An AU table, a folder of OpenFace's own files, or another dataset, as an AU table."""
    if not source.exists():
        raise UsageError(
            f"There is no {source}.",
            hint="measure your images first: aufer extract; or name a folder of OpenFace CSVs: "
            "aufer build-dataset FOLDER",
        )
    return read_faces(source, emotions, plan=Plan(faces=faces))


def select_faces(
    table: AuTable,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    emotions: Emotions | None = None,
) -> pd.DataFrame:
    """For each row of the table whether it goes into the dataset, and why not.

    Rows with equal AUs: of those with one label the first is kept (``duplicate``); with different
    labels none is (``conflict``), for nobody can tell which label is right.

    Returns:
        columns ``status`` (``in_dataset``, or why not) and ``reason``; the table's index.
    """
    frame = table.frame
    status = table.answer_status(min_confidence)
    reason = frame["reason"].to_numpy(dtype=object).copy()
    usable = table.is_usable(min_confidence)
    low = status == LOW_CONFIDENCE
    confidence = frame["confidence"].to_numpy(dtype=np.float64)
    reason[low] = [f"confidence {value:g} is below {min_confidence:g}" for value in confidence[low]]
    if emotions is not None:
        other = ~frame["emotion"].isin(emotions.names).to_numpy()
        status[other], reason[other] = OTHER_EMOTION, "not one of the emotions asked for"
        usable &= ~other
    status[usable] = IN_DATASET
    values = table.intensities().tolist()
    first_with: dict[str, int] = {}
    labels_of: dict[str, set[str]] = {}
    keys = {row: au_key(values[row]) for row in np.flatnonzero(usable).tolist()}
    images, words = frame["image"].tolist(), frame["emotion"].tolist()
    for row, key in keys.items():
        labels_of.setdefault(key, set()).add(words[row])
    for row, key in keys.items():
        first = first_with.setdefault(key, row)
        if len(labels_of[key]) > 1:
            status[row] = CONFLICT
            reason[row] = "equal AUs under different emotions: " + ", ".join(sorted(labels_of[key]))
        elif first != row:
            status[row] = DUPLICATE
            reason[row] = f"equal AUs as {images[first]}"
    return pd.DataFrame({"status": status, "reason": reason}, index=frame.index)


def count_selection(table: AuTable, selection: pd.DataFrame, emotions: Emotions) -> pd.DataFrame:
    """Images by emotion and fate, with totals; columns that are zero throughout are left out."""
    columns = [*STATUSES[1:], OTHER_EMOTION, LOW_CONFIDENCE, DUPLICATE, CONFLICT, IN_DATASET]
    others = sorted(set(table.frame["emotion"]) - set(emotions.names))
    counts = pd.crosstab(table.frame["emotion"].to_numpy(), selection["status"].to_numpy())
    counts = counts.reindex(index=[*emotions.names, *others], columns=columns, fill_value=0)
    counts.insert(0, "images", counts.sum(axis=1))
    measured = counts[[DUPLICATE, CONFLICT, IN_DATASET]].sum(axis=1)
    counts.insert(list(counts.columns).index(DUPLICATE), "ok", measured)
    counts.loc["total"] = counts.sum()
    always = {"images", "no_face", LOW_CONFIDENCE, "ok", IN_DATASET}
    totals = {str(name): int(n) for name, n in counts.sum().items()}
    return counts[[name for name, total in totals.items() if name in always or total > 0]]


def build_dataset(
    sources: Sequence[Path] = (Path("data/aus.csv"),),
    out: Path = Path("data/emotion.csv"),
    *,
    emotions: Emotions | None = None,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    faces: str = "largest",
    force: bool = False,
) -> Built:
    """Make ``emotion.csv``, its sidecars and ``csv/<emotion>.csv``.

    Args:
        sources: AU tables, or folders of OpenFace CSVs (one folder per emotion).
        out: the dataset's path.
        emotions: the emotions in label order; None for the usual six. With a set of your own,
            other well-known emotions in the sources are left out (``other_emotion``).
        min_confidence: OpenFace's confidence below which a face is left out.
        faces: which face of several, for folders of OpenFace CSVs.
        force: replace files that a person edited.

    Raises:
        UsageError: a source doesn't exist. DataError: it can't be used, or an emotion is left
        without a face. AuferError: an output was edited by a person.
    """
    emotions = emotions or Emotions()
    if out.resolve() in [source.resolve() for source in sources]:
        raise UsageError(
            f"{out} is the source too; it would be replaced.", hint="choose another name: --out"
        )
    check_dataset_replaceable(out, emotions, force=force)
    # a set of one's own may be a choice among those at hand; the usual six are complete
    readable = emotions if emotions == Emotions() else emotions.with_others()
    table = join_tables(
        [read_source(source, readable, faces) for source in sources],
        names=[source.as_posix() for source in sources],
    )
    named = " and ".join(str(source) for source in sources)
    unlabelled = int((table.frame["emotion"] == "").sum())
    if unlabelled:
        raise DataError(
            f"{unlabelled} of the {len(table)} images in {named} have no emotion.",
            hint="measure them with labels: aufer extract IMAGES --labels labels.csv",
        )
    selection = select_faces(table, min_confidence, emotions)
    counts = count_selection(table, selection, emotions)
    _check_every_emotion(counts, emotions, sources, min_confidence)
    taken = (selection["status"] == IN_DATASET).to_numpy()
    frame = table.frame
    excluded = frame.loc[~taken, ["image", "emotion", "confidence"]].assign(
        status=selection["status"][~taken], reason=selection["reason"][~taken]
    )
    kept = frame[taken].reset_index(drop=True)
    dataset = Dataset(
        aus=kept.loc[:, list(INTENSITY_COLUMNS)],
        labels=kept["emotion"].map(emotions.number).to_numpy(dtype=np.int64),
        rows=kept.loc[:, list(ROW_COLUMNS)],
        emotions=emotions,
        extractor=table.extractor,
        path=out,
        notes=table.notes,
    )
    facts = {
        "sources": [str(source) for source in sources],
        "images_folder": table.images_folder,
        "min_confidence": min_confidence,
        "faces": faces,
        "n_images": len(table),
        "by_emotion": {
            emotion: {str(c): int(n) for c, n in row.items()} for emotion, row in counts.iterrows()
        },
        "notes": list(table.notes),
    }
    excluded = excluded.loc[:, list(EXCLUDED_COLUMNS)]
    write_dataset(dataset, excluded, out, facts, force=force)
    return Built(replace(dataset, sha256=sha256_of(out)), excluded, counts, table)


def _check_every_emotion(
    counts: pd.DataFrame, emotions: Emotions, sources: Sequence[Path], min_confidence: float
) -> None:
    empty = [name for name in emotions if counts.loc[name, IN_DATASET] == 0]
    if not empty:
        return
    fates = counts.loc[empty[0]].drop(["images", "ok", IN_DATASET])
    why = ", ".join(f"{n} {fate}" for fate, n in fates.items() if n) or "none was there"
    left = [name for name in emotions if name not in empty]
    named = " and ".join(str(source) for source in sources)
    typed = shlex.join(str(source) for source in sources)
    n_images = int(counts["images"][empty[0]])
    names = " and ".join(f"'{name}'" for name in empty)
    raise DataError(
        f"{named} has no usable face of {names} (of {n_images} images of "
        f"{empty[0]}: {why}; confidence threshold {min_confidence:g}).",
        hint=f"add images, or do without: aufer build-dataset {typed} --emotions {','.join(left)}"
        if len(left) > 1
        else "add images of at least two emotions",
    )
