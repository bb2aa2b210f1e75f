"""What became of every image of an extraction, in figures: computed from its AU table alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aufer.au_table import (
    BOX_COLUMNS,
    CRASHED,
    DEFAULT_MIN_CONFIDENCE,
    LOW_CONFIDENCE,
    MANY_FACES,
    NO_FACE,
    OK,
    TOO_SMALL,
    UNREADABLE,
    AuTable,
)

NOT_USABLE = (CRASHED, UNREADABLE, TOO_SMALL, MANY_FACES, NO_FACE, LOW_CONFIDENCE)
"""The order in which failed images are listed: what a person may be able to mend comes first."""

FAILURE_COLUMNS = (
    "image",
    "emotion",
    "status",
    "reason",
    "confidence",
    "n_faces",
    "way",
    "width",
    "height",
    "sha256",
)

N_SLOWEST = 20
N_REASONS = 50
"""So many are counted: each damaged picture may have a reason of its own."""

_SIZE_IN_FRONT = re.compile(r"^\d+x\d+: ")


@dataclass(frozen=True)
class Conflict:
    """One picture under two emotions: at least one of the labels is wrong.

    Attributes:
        image, emotion: the first of the two. other, other_emotion: the second.
        is_same_file: equal byte for byte; else their perceptual hashes are equal.
    """

    image: str
    emotion: str
    other: str
    other_emotion: str
    is_same_file: bool


@dataclass(frozen=True)
class ExtractionSummary:
    """What became of the images of one AU table.

    Attributes:
        n_images: rows of the table. n_usable: with a face measured confidently enough.
        min_confidence: below it a measured face counts as `LOW_CONFIDENCE`.
        counts: emotion (empty: none) -> status, with `LOW_CONFIDENCE` -> images. Every emotion has
            the same statuses: those that occur at all.
        failed: the images without a usable face: `FAILURE_COLUMNS`, and the face's box in pixels of
            the upright picture; in the order of `NOT_USABLE`, then of the table.
        reasons: (status, reason, images), the most frequent first.
        slowest: (image, sha256, seconds), longest first.
        n_duplicates: images with the bytes of another one.
        conflicts: the same picture under two emotions.
        ways: way of measuring -> faces measured in it, most first.
    """

    n_images: int
    n_usable: int
    min_confidence: float
    counts: Mapping[str, Mapping[str, int]]
    failed: pd.DataFrame
    reasons: tuple[tuple[str, str, int], ...]
    slowest: tuple[tuple[str, str, float], ...]
    n_duplicates: int
    conflicts: tuple[Conflict, ...]
    ways: Mapping[str, int]

    def facts(self) -> dict[str, Any]:
        """The summary as plain JSON, but for the failed images one by one."""
        return {
            "n_images": self.n_images,
            "n_usable": self.n_usable,
            "n_failed": len(self.failed),
            "min_confidence": self.min_confidence,
            "counts": {emotion: dict(row) for emotion, row in self.counts.items()},
            "reasons": [
                {"status": status, "reason": reason, "n": n} for status, reason, n in self.reasons
            ],
            "slowest": [
                {"image": image, "sha256": sha256, "seconds": round(seconds, 3)}
                for image, sha256, seconds in self.slowest
            ],
            "n_duplicates": self.n_duplicates,
            "conflicts": [dict(vars(conflict)) for conflict in self.conflicts],
            "ways": dict(self.ways),
        }


def summarize(
    table: AuTable,
    *,
    seconds: Mapping[str, float],
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
) -> ExtractionSummary:
    """What became of the images of a table.

    Args:
        seconds: sha256 -> seconds that OpenFace took, of the slowest pictures; those that the table
            doesn't have are passed over.
        min_confidence: below it a face isn't usable.
    """
    frame = table.frame
    usable = table.is_usable(min_confidence)
    status = frame["status"].to_numpy(dtype=object, copy=True)
    status[(status == OK) & ~usable] = LOW_CONFIDENCE
    failed = _failed(frame, status, usable, min_confidence)
    return ExtractionSummary(
        n_images=len(frame),
        n_usable=int(usable.sum()),
        min_confidence=min_confidence,
        counts=_counts(frame["emotion"], status),
        failed=failed,
        reasons=_reasons(failed),
        slowest=_slowest(frame, seconds),
        n_duplicates=int((frame["duplicate_of"] != "").sum()),
        conflicts=(*_conflicts(frame, "sha256"), *_conflicts(frame, "phash")),
        ways=_ways(frame),
    )


def _failed(
    frame: pd.DataFrame, status: np.ndarray, usable: np.ndarray, min_confidence: float
) -> pd.DataFrame:
    rank = pd.Categorical(status[~usable], categories=list(NOT_USABLE)).codes
    rows = np.flatnonzero(~usable)[np.argsort(rank, kind="stable")]
    columns = [*FAILURE_COLUMNS, *BOX_COLUMNS]
    failed = frame[columns].iloc[rows].assign(status=status[rows]).reset_index(drop=True)
    is_low = failed["status"] == LOW_CONFIDENCE
    said = f"confidence below {min_confidence:g}; " + failed.loc[is_low, "reason"]
    failed.loc[is_low, "reason"] = said.str.removesuffix("; ")
    return failed


def _reasons(failed: pd.DataFrame) -> tuple[tuple[str, str, int], ...]:
    found: Counter[tuple[str, str]] = Counter()
    sizes = failed.groupby(["status", "reason"], sort=False).size()
    for (status, reason), n in zip(sizes.index, sizes, strict=True):
        found[status, _SIZE_IN_FRONT.sub("", reason)] += int(n)
    return tuple((status, reason, n) for (status, reason), n in found.most_common(N_REASONS))


def _counts(emotion: pd.Series, status: np.ndarray) -> dict[str, dict[str, int]]:
    sizes = emotion.groupby([emotion.to_numpy(), status]).size()
    found: dict[tuple[str, str], int] = dict(zip(sizes.index, sizes, strict=True))
    there = {column for _, column in found}
    columns = [column for column in (OK, *reversed(NOT_USABLE)) if column in there]
    names = sorted({name for name, _ in found}, key=lambda name: (name == "", name))
    return {
        name: {column: int(found.get((name, column), 0)) for column in columns} for name in names
    }


def _slowest(
    frame: pd.DataFrame, seconds: Mapping[str, float]
) -> tuple[tuple[str, str, float], ...]:
    there = frame.loc[frame["sha256"].isin(list(seconds)), ["image", "sha256"]]
    first = there[there["sha256"] != ""].drop_duplicates("sha256")
    found = [(image, sha256, seconds[sha256]) for image, sha256 in first.itertuples(index=False)]
    return tuple(sorted(found, key=lambda one: (-one[2], one[0]))[:N_SLOWEST])


def _conflicts(frame: pd.DataFrame, key: str) -> list[Conflict]:
    """Each image under another emotion than the first one with an equal ``key``.

    Perceptual hashes are compared among measured faces only: all black pictures look alike. On
    FER2013's 28,709 training faces they find 13 pairs that differ in bytes, all of them the same
    photograph.
    """
    asked = (frame[key] != "") & (frame["emotion"] != "")
    if key == "phash":
        asked &= frame["status"] == OK
    rows = frame.loc[asked, ["image", "emotion", "sha256", "phash"]]
    rows = rows[rows[key].duplicated(keep=False)]
    first = rows.groupby(rows[key].to_numpy(), sort=False).transform("first")
    differs = rows["emotion"] != first["emotion"]
    if key == "phash":
        differs &= rows["sha256"] != first["sha256"]
    columns = [side[name][differs] for side in (first, rows) for name in ("image", "emotion")]
    return [
        Conflict(image, emotion, other, other_emotion, is_same_file=key == "sha256")
        for image, emotion, other, other_emotion in zip(*columns, strict=True)
    ]


def _ways(frame: pd.DataFrame) -> dict[str, int]:
    ways = frame.loc[(frame["status"] == OK) & (frame["way"] != ""), "way"].value_counts()
    return {str(way): int(n) for way, n in ways.items()}
