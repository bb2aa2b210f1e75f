"""From an AU table, or folders of OpenFace CSVs, to the dataset ``emotion.csv``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import DEFAULT_MIN_CONFIDENCE, AuTable, join_tables
from aufer.dataset import (
    EXCLUDED_COLUMNS,
    ROW_COLUMNS,
    Dataset,
    check_dataset_replaceable,
    write_dataset,
)
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.face_selection import (
    IN_DATASET,
    count_selection,
    leave_out_baselines,
    select_faces,
)
from aufer.files import sha256_of
from aufer.groups import (
    AUTO,
    BLOCKS,
    IMAGES,
    NAMED,
    NONE,
    Grouping,
    GroupRule,
    find_weak_groups,
    group_by_blocks,
    group_by_images,
)
from aufer.normalization import HOWS, Normalization, RelativeFaces, relate_to_persons
from aufer.openface.faces import read_faces
from aufer.openface.measuring.plan import Plan
from aufer.progress import Progress, no_progress


@dataclass(frozen=True)
class Built:
    """What `build_dataset` made.

    Attributes:
        dataset: the faces taken. excluded: every other image, with status and reason.
        counts: one row per emotion: number of images, of each status, and in the dataset.
        table: the AU table that it was made of.
        rows: int64 [len(table)], each image's data row in the dataset, from 1 on; 0: not in it.
    """

    dataset: Dataset
    excluded: pd.DataFrame
    counts: pd.DataFrame
    table: AuTable
    rows: np.ndarray


def build_dataset(
    sources: Sequence[Path] = (Path("data/aus.csv"),),
    out: Path = Path("data/emotion.csv"),
    *,
    emotions: Emotions | None = None,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    faces: str = "largest",
    groups: str | None = None,
    normalize: str = "none",
    images: Path | None = None,
    progress: Progress = no_progress,
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
        groups: ``COLUMN|REGEX|images|blocks:N|none`` (docs/groups.md). None: the column group; else
            near copies, where the pictures' hashes are known; else none.
        normalize: ``none``, or AUs relative to the person: ``group`` or ``neutral``.
        images: the folder of the pictures that OpenFace CSVs were made of.
        progress: told how many of them were read.
        force: replace files that a person edited.

    Raises:
        UsageError: a source doesn't exist, or an option can't be. DataError: a source can't be
        used, an emotion is left without a face, a face without its group or a person without a
        baseline. AuferError: an output was edited by a person.
    """
    emotions = emotions or Emotions()
    rule = GroupRule.parse(groups)
    if normalize not in HOWS:
        raise UsageError(f"--normalize is one of {', '.join(HOWS)}, not {normalize}.")
    if normalize != NONE and rule.kind not in (AUTO, NAMED):
        raise UsageError(
            f"--normalize {normalize} needs groups that are persons, not --groups {groups}.",
            hint="name a column, or a pattern in the file names: --groups '^([A-Z]{2}\\d\\d)'",
        )
    if out.resolve() in [source.resolve() for source in sources]:
        raise UsageError(
            f"{out} is the source too; it would be replaced.", hint="choose another name: --out"
        )
    check_dataset_replaceable(out, emotions, force=force)
    # a set of one's own may be a choice among those at hand; the usual six are complete
    readable = emotions if emotions == Emotions() else emotions.with_others()
    names = [source.as_posix() for source in sources]
    table = join_tables(
        [_read(source, readable, faces, rule, images, progress) for source in sources], names
    )
    _check_table(table, " and ".join(names), images)
    selection = select_faces(table, min_confidence, emotions)
    normalization, values = table.normalization, table.intensities()
    if normalize not in (NONE, normalization.how):
        relative = _relate(table, normalize, min_confidence)
        selection, values = leave_out_baselines(selection, relative), relative.values
        normalization = Normalization(normalize, min_confidence, relative.n_persons)
    counts = count_selection(table, selection, emotions)
    typed = [*names, *_typed("--groups", groups), *_typed("--normalize", normalize)]
    _check_every_emotion(counts, emotions, " and ".join(names), typed, min_confidence)
    taken = (selection["status"] == IN_DATASET).to_numpy()
    sources_of_rows = table.sources
    if sources_of_rows is None:
        sources_of_rows = np.full(len(table), names[0], dtype=object)
    kept = table.frame.assign(source=sources_of_rows)[taken].reset_index(drop=True)
    labels = kept["emotion"].map(emotions.number).to_numpy(dtype=np.int64)
    kept["group"], grouping = _group(kept, labels, rule, table.grouping)
    notes = (*table.notes, *find_weak_groups(kept["group"].tolist(), kept["emotion"].tolist()))
    dataset = Dataset(
        aus=pd.DataFrame(values[taken], columns=list(INTENSITY_COLUMNS)),
        labels=labels,
        rows=kept.loc[:, list(ROW_COLUMNS)],
        emotions=emotions,
        extractor=table.extractor,
        grouping=grouping,
        normalization=normalization,
        path=out,
        notes=notes,
    )
    excluded = table.frame[~taken].assign(**selection[~taken]).loc[:, list(EXCLUDED_COLUMNS)]
    facts = {
        "sources": names,
        "by_source": _count_sources(sources_of_rows, taken),
        "images_folder": table.images_folder,
        "min_confidence": min_confidence,
        "faces": faces,
        "n_images": len(table),
        "by_emotion": {
            emotion: {str(c): int(n) for c, n in row.items()} for emotion, row in counts.iterrows()
        },
        "notes": list(notes),
    }
    write_dataset(dataset, excluded, out, facts, force=force)
    rows = np.where(taken, np.cumsum(taken), 0)
    return Built(replace(dataset, sha256=sha256_of(out)), excluded, counts, table, rows)


def _read(
    source: Path,
    emotions: Emotions,
    faces: str,
    rule: GroupRule,
    images: Path | None,
    progress: Progress,
) -> AuTable:
    """An AU table, a folder of OpenFace's own files, or another dataset, as an AU table."""
    if not source.exists():
        raise UsageError(
            f"There is no {source}.",
            hint="measure your images first: aufer extract; or name a folder of OpenFace CSVs: "
            "aufer build-dataset FOLDER",
        )
    plan = Plan(faces=faces)
    return read_faces(source, emotions, plan=plan, groups=rule, images=images, progress=progress)


def _check_table(table: AuTable, named: str, images: Path | None) -> None:
    """Raise `DataError` where an image has no label, or none has a picture."""
    frame = table.frame
    unlabelled = int((frame["emotion"] == "").sum())
    if unlabelled:
        raise DataError(
            f"{unlabelled} of the {len(table)} images in {named} have no emotion.",
            hint="measure them with labels: aufer extract IMAGES --labels labels.csv",
        )
    if images is not None and not (frame["phash"] != "").any():
        raise DataError(
            f"No picture in {images} belongs to an image of {named}; its first is "
            f"{frame['image'].iloc[0]}.",
            hint="below --images the pictures have the same paths as the CSVs: happy/a.jpg for "
            "happy/a.csv",
        )


def _relate(table: AuTable, how: str, min_confidence: float) -> RelativeFaces:
    """The AUs relative to their persons."""
    if table.normalization.is_relative:
        raise DataError(
            f"The AUs are already relative to the person (--normalize {table.normalization.how}).",
            hint="build from the AU table that they were made of",
        )
    if not table.grouping.knows_persons:
        raise DataError(
            f"--normalize {how} needs to know who is who; these faces have no groups.",
            hint="name a column, or a pattern in the file names: --groups '^([A-Z]{2}\\d\\d)'",
        )
    return relate_to_persons(
        table.intensities(),
        table.frame["group"].tolist(),
        table.is_usable(min_confidence),
        table.frame["emotion"].tolist(),
        how,
    )


def _group(
    kept: pd.DataFrame, labels: np.ndarray, rule: GroupRule, read: Grouping
) -> tuple[list[str], Grouping]:
    """The groups of the dataset's rows: of persons those that were read, or else by the rule."""
    n = len(kept)
    if rule.kind == NONE:
        return [""] * n, Grouping()
    if rule.kind == BLOCKS:
        return group_by_blocks(labels, rule.size)
    hashes = kept["phash"].tolist()
    if rule.kind == IMAGES:
        return group_by_images(hashes)
    if read.knows_persons:
        groups = kept["group"].tolist()
        return groups, Grouping.of(read.kind, read.rule, groups)
    return group_by_images(hashes) if any(hashes) else ([""] * n, Grouping())


def _count_sources(sources: np.ndarray, taken: np.ndarray) -> dict[str, dict[str, int]]:
    """Images of each source, and how many of them are in the dataset."""
    return {
        str(name): {"images": int(n), IN_DATASET: int(taken[sources == name].sum())}
        for name, n in pd.Series(sources).value_counts(sort=False).items()
    }


def _typed(option: str, value: str | None) -> list[str]:
    """An option as it was typed; nothing where it is its default."""
    return [] if value in (None, NONE) else [option, str(value)]


def _check_every_emotion(
    counts: pd.DataFrame, emotions: Emotions, named: str, typed: list[str], min_confidence: float
) -> None:
    """Raise `DataError` where an emotion is left without a face."""
    empty = [name for name in emotions if counts.loc[name, IN_DATASET] == 0]
    if not empty:
        return
    fates = counts.loc[empty[0]].drop(["images", "ok", IN_DATASET])
    why = ", ".join(f"{n} {fate}" for fate, n in fates.items() if n) or "none was there"
    left = [name for name in emotions if name not in empty]
    command = shlex.join(["aufer", "build-dataset", *typed, "--emotions", ",".join(left)])
    n_images = int(counts["images"][empty[0]])
    names = " and ".join(f"'{name}'" for name in empty)
    raise DataError(
        f"{named} has no usable face of {names} (of {n_images} images of "
        f"{empty[0]}: {why}; confidence threshold {min_confidence:g}).",
        hint=f"add images, or do without: {command}"
        if len(left) > 1
        else "add images of at least two emotions",
    )
