"""What is found in a dataset that a person should look at before trusting it.

Nothing of it changes the dataset: a rare label is no wrong one, and a turned head may be wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import AU_NAMES, INTENSITY_COLUMNS, INTENSITY_RANGE, au_key
from aufer.au_table import LOW_CONFIDENCE, OK, AuTable
from aufer.dataset import Dataset
from aufer.groups import find_weak_groups
from aufer.near_copies import join_near_copies

CONFLICT = "conflicting_duplicate"
OUTLIER = "label_outlier"
MISPLACED = "misplaced_row"
HEAD_TURN = "head_turn"
SATURATED = "saturated_au"
CONSTANT = "constant_au"
IMBALANCE = "imbalance"
GROUPS = "groups"
UNSURE = "low_confidence"
KINDS = (CONFLICT, MISPLACED, OUTLIER, HEAD_TURN, SATURATED, CONSTANT, IMBALANCE, GROUPS, UNSURE)
"""Every kind of finding, those about single faces first."""

COLUMNS = ("what", "image", "row", "emotion", "other", "value", "detail")

SATURATED_SHARE = 0.01
FEWEST_SATURATED = 5
CONSTANT_SHARE = 0.95
IMBALANCE_RATIO = 3.0
UNSURE_SHARE = 0.1
LONG_RUN = 20
"""Rows of one emotion in a row, by which a file counts as sorted."""
TURN_DEGREES = 30.0
"""OpenFace's AUs were learnt from faces that look ahead; beyond this they are guesses at what is
hidden."""

EQUAL = "equal AUs"
N_STRONGEST = 4
_N_LISTED = 6


@dataclass(frozen=True)
class Finding:
    """One thing to look at.

    Attributes:
        what: one of `KINDS`. detail: what is the matter, in words.
        image: the image's name, the first of several; empty where it is about no single one.
        row: its data row in the dataset, counted from 1; None where it isn't in it.
        emotion: its label, or the emotion that it is about. other: the emotion it may be instead.
        value: what findings of one kind are sorted by: probability, degrees, share.
        images: all of the images.
    """

    what: str
    detail: str
    image: str = ""
    row: int | None = None
    emotion: str = ""
    other: str = ""
    value: float | None = None
    images: tuple[str, ...] = ()


def tabulate(findings: Sequence[Finding]) -> pd.DataFrame:
    """The findings as rows of ``emotion.check.csv``: `COLUMNS`."""
    frame = pd.DataFrame([asdict(each) for each in findings], columns=[*COLUMNS])
    return frame.astype({"row": "Int64", "value": np.float64})


def find_conflicts(
    table: AuTable, rows: np.ndarray, emotions: Sequence[str], min_confidence: float
) -> list[Finding]:
    """The same file, equal AUs, and near copies of one picture, under different emotions.

    Args:
        rows: int [n], each image's data row in the dataset, from 1 on; 0 where it isn't in it.
        emotions: those of the dataset; images of others are passed over.
    """
    frame = table.frame.assign(row=rows)
    usable = table.is_usable(min_confidence) & frame["emotion"].isin(emotions).to_numpy()
    frame = frame[usable]
    keys = pd.Series([au_key(each) for each in table.intensities()[usable].tolist()], frame.index)
    near = pd.Series(join_near_copies(frame["phash"].tolist()), frame.index)
    found: list[Finding] = []
    told: set[str] = set()
    for how, group_of in (
        ("the same file", frame["sha256"]),
        (EQUAL, keys),
        ("near copies of one picture", near),
    ):
        known = frame[(group_of != "").to_numpy()]
        several = known.groupby(group_of)["emotion"].transform("nunique") > 1
        for _, alike in known[several].groupby(group_of, sort=False):
            images = tuple(alike["image"])
            if told.issuperset(images):  # all of them are in one finding, or in several
                continue
            told.update(images)
            labels = list(dict.fromkeys(alike["emotion"]))
            words = [f"{one} ({word})" for one, word in alike[["image", "emotion"]].to_numpy()]
            found.append(
                Finding(
                    CONFLICT,
                    f"{how}{_if_all_0(alike) if how == EQUAL else ''}: {_listed(words)}",
                    image=images[0],
                    row=int(alike["row"].iloc[0]) or None,
                    emotion=labels[0],
                    other=" ".join(labels[1:]),
                    value=float(len(images)),
                    images=images,
                )
            )
    return found


def _if_all_0(faces: pd.DataFrame) -> str:
    """Such faces are alike for the AUs only: none of the muscles was seen to move."""
    return "" if faces[list(INTENSITY_COLUMNS)].to_numpy().any() else ", all of them 0"


def find_outliers(
    dataset: Dataset, images: Sequence[str], suggested: np.ndarray, probability: np.ndarray
) -> list[Finding]:
    """Faces whose label held-out models doubt, the surest doubt first.

    Args:
        images: the name of each face, [n]. suggested: int [n], the emotion's number, -1 for none.
        probability: of it, [n].
    """
    names = dataset.emotions.names
    doubted = np.flatnonzero(suggested >= 0)
    order = doubted[np.argsort(-probability[doubted], kind="stable")]
    aus = dataset.aus.to_numpy()
    return [
        Finding(
            OUTLIER,
            f"read as {names[suggested[row]]} ({100 * probability[row]:.0f} %); "
            f"{describe_aus(aus[row])}",
            image=images[row],
            row=int(row) + 1,
            emotion=names[dataset.labels[row]],
            other=names[suggested[row]],
            value=float(probability[row]),
            images=(images[row],),
        )
        for row in order.tolist()
    ]


def describe_aus(values: np.ndarray) -> str:
    """The strongest AUs of a face in words: ``AU12 lip corner puller 2.10, …``."""
    strongest = np.argsort(-values, kind="stable")[:N_STRONGEST]
    words = [
        f"{(au := INTENSITY_COLUMNS[i].removesuffix('_r'))} {AU_NAMES[au]} {values[i]:.2f}"
        for i in strongest.tolist()
        if values[i] > 0
    ]
    return ", ".join(words) or "no AU is above 0"


def find_turned_heads(table: AuTable, rows: np.ndarray) -> list[Finding]:
    """Faces of the dataset that look up, down or aside by more than `TURN_DEGREES`.

    Args:
        rows: as for `find_conflicts`.
    """
    frame = table.frame
    pitch, yaw = (np.degrees(frame[name].to_numpy()) for name in ("pose_Rx", "pose_Ry"))
    turned = np.fmax(np.abs(pitch), np.abs(yaw))
    found = np.flatnonzero((turned > TURN_DEGREES) & (rows > 0))
    return [
        Finding(
            HEAD_TURN,
            f"turned by {yaw[i]:+.0f}° to a side and {pitch[i]:+.0f}° up or down",
            image=str(frame["image"].iloc[i]),
            row=int(rows[i]),
            emotion=str(frame["emotion"].iloc[i]),
            value=float(turned[i]),
            images=(str(frame["image"].iloc[i]),),
        )
        for i in found[np.argsort(-turned[found], kind="stable")].tolist()
    ]


def find_misplaced(dataset: Dataset, images: Sequence[str]) -> list[Finding]:
    """Single rows of one emotion between long runs of others, where the file is sorted otherwise.

    Args:
        images: the name of each face, [n].
    """
    labels, names = dataset.labels, dataset.emotions.names
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    lengths = np.diff(np.r_[starts, len(labels)])
    if len(starts) * LONG_RUN > len(labels):
        return []
    found = []
    for run in range(1, len(starts) - 1):
        if lengths[run] > 1 or min(lengths[run - 1], lengths[run + 1]) < LONG_RUN:
            continue
        row = int(starts[run])
        word, before, after = (names[labels[row + step]] for step in (0, -1, 1))
        around = before if before == after else f"{before} and {after}"
        found.append(
            Finding(
                MISPLACED,
                f"a single row of {word} between rows of {around}: was it typed wrongly?",
                image=images[row],
                row=row + 1,
                emotion=word,
                other=" ".join(dict.fromkeys([before, after])),
                images=(images[row],),
            )
        )
    return found


def describe_columns(dataset: Dataset) -> list[dict[str, Any]]:
    """Each AU over all faces: ``au``, ``name``, ``mean``, ``sd``, ``at_0`` and ``at_5`` (shares),
    ``most`` (the share of its most frequent value)."""
    rows = []
    for column in INTENSITY_COLUMNS:
        values, au = dataset.aus[column], column.removesuffix("_r")
        rows.append(
            {
                "au": au,
                "name": AU_NAMES[au],
                "mean": float(values.mean()),
                "sd": float(values.std(ddof=0)),
                "at_0": float((values == 0).mean()),
                "at_5": float((values >= INTENSITY_RANGE[1]).mean()),
                "most": float(values.value_counts(normalize=True).iloc[0]),
            }
        )
    return rows


def find_weak_columns(columns: Sequence[dict[str, Any]], n_faces: int) -> list[Finding]:
    """AUs that stand at their upper end, or hardly ever change.

    Args:
        columns: from `describe_columns`, of so many faces.
    """
    found = []
    saturated = max(SATURATED_SHARE, FEWEST_SATURATED / max(n_faces, 1))
    for what, key, least, is_so in (
        (SATURATED, "at_5", saturated, "is 5, the most it can be,"),
        (CONSTANT, "most", CONSTANT_SHARE, "has one and the same value"),
    ):
        for row in sorted(columns, key=lambda row: -row[key]):
            if row[key] >= least:
                text = f"{row['au']} {row['name']} {is_so} in {100 * row[key]:.1f} % of the faces"
                found.append(Finding(what, text, value=row[key]))
    return found


def find_imbalance(dataset: Dataset) -> list[Finding]:
    """Emotions with less than a third of the faces of the most frequent one."""
    counts = dataset.counts()
    most = max(counts, key=lambda name: counts[name])
    return [
        Finding(
            IMBALANCE,
            f"{n} faces of {name}, and {counts[most]} of {most}: a model can be accurate without "
            f"ever saying {name}; look at macro-F1 and at the recall of {name}",
            emotion=name,
            value=n / len(dataset),
        )
        for name, n in sorted(counts.items(), key=lambda item: item[1])
        if n * IMBALANCE_RATIO < counts[most]
    ]


def find_weaknesses_of_groups(dataset: Dataset) -> list[Finding]:
    """Groups that are unknown, no persons, few, or too large."""
    notes = find_weak_groups(dataset.rows["group"].tolist(), dataset.rows["emotion"].tolist())
    limits = [dataset.grouping.limits] if dataset.grouping.limits else []
    return [Finding(GROUPS, note) for note in [*limits, *notes]]


def find_unsure(table: AuTable, emotions: Sequence[str], min_confidence: float) -> list[Finding]:
    """Emotions of which many measured faces were left out for OpenFace's low confidence."""
    status = pd.Series(table.answer_status(min_confidence))
    measured = status.isin([OK, LOW_CONFIDENCE]).to_numpy()
    low = (status == LOW_CONFIDENCE).to_numpy()
    words = table.frame["emotion"].to_numpy(dtype=object)
    found = []
    for name in emotions:
        n, of_all = int((low & (words == name)).sum()), int((measured & (words == name)).sum())
        if n and n >= UNSURE_SHARE * of_all:
            text = f"{n} of {of_all} measured faces of {name} are below {min_confidence:g}"
            found.append(Finding(UNSURE, text, emotion=name, value=n / of_all))
    return sorted(found, key=lambda each: -(each.value or 0))


def _listed(words: Sequence[str]) -> str:
    more = f", and {len(words) - _N_LISTED} more" if len(words) > _N_LISTED else ""
    return ", ".join(words[:_N_LISTED]) + more
