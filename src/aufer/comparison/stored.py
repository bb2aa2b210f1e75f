"""Answers that were stored: ``predictions.csv`` of `aufer evaluate`, or of a colleague's program.

Needed are the columns ``image``, ``emotion`` (the truth), ``predicted`` and a probability per
emotion; an image without an answer has an empty ``predicted``. ``sha256``, ``group``, ``status``,
``reason``, ``confidence``, ``seen_in_training``, ``seen_how`` and the 17 AUs are taken where they
are. What `aufer evaluate` wrote beside it (``report.json``) says which model it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import OK, AuTable, complete
from aufer.comparison.contender import Contender
from aufer.csv_table import check_intensities, read_csv, to_numbers
from aufer.emotions import ALIASES, DEFAULT_NAMES, RESERVED
from aufer.errors import DataError
from aufer.files import read_json
from aufer.provenance import Extractor

NEEDED = ("image", "emotion", "predicted")
FACTS_NAME = "report.json"
SUM_TOLERANCE = 1e-3
"""A row's probabilities sum to 1 within this: they may have been rounded to three digits."""

_WORDS = ("image", "sha256", "phash", "group", "status", "reason", "seen_how", "emotion")
_NO_EMOTION = {*RESERVED, *INTENSITY_COLUMNS, "phash", "width", "height", "way", "scale"}


@dataclass(frozen=True)
class Stored:
    """The stored answers of one model.

    Attributes:
        path: the CSV. name: the model's. emotions: in the order of the columns.
        faces: the test images as the file has them; AUs where they are in it.
        answered: bool [n]. probabilities: float64 [n, emotions], NaN where there is no answer.
        status, reasons, seen: object [n]. seen_checked: whether the file tells what was seen.
        facts: ``kind``, ``input``, where a report beside it tells.
    """

    path: Path
    name: str
    emotions: tuple[str, ...]
    faces: AuTable
    answered: np.ndarray
    probabilities: np.ndarray
    status: np.ndarray
    reasons: np.ndarray
    seen: np.ndarray
    seen_checked: bool
    facts: dict[str, Any]

    def contender(self, name: str, rows: np.ndarray) -> Contender:
        """Its answers to some of its images, in another order.

        Args:
            name: distinct among the compared. rows: positions of the images, int [n].
        """
        all_of_them = Contender(
            name,
            self.emotions,
            self.answered,
            self.probabilities,
            self.status,
            self.reasons,
            self.seen,
            {
                "name": name,
                "source": str(self.path),
                "stored": True,
                "kind": self.facts.get("kind", ""),
                "input": self.facts.get("input", ""),
                "size_mb": None,
                "parameters": None,
                "preprocessing_ms": None,
                "inference_ms": None,
                "seen_checked": self.seen_checked,
                "warnings": [],
            },
        )
        return all_of_them.take(rows)


def is_stored(path: Path) -> bool:
    """Whether a path names a file of answers: a CSV with their columns."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        header = [name.strip().strip('"\ufeff') for name in file.readline().split(",")]
    return set(NEEDED) <= set(header)


def read_stored(path: Path) -> Stored:
    """Read a file of stored answers.

    Raises:
        UsageError: there is no such file. DataError: it is no such table, an image has two rows or
        no truth, probabilities don't sum to 1, or an answer is not the most probable emotion.
    """
    frame = read_csv(path)
    if missing := [name for name in NEEDED if name not in frame]:
        raise DataError(
            f"{path} holds no stored answers: it lacks {', '.join(missing)}.",
            hint="aufer evaluate writes them as predictions.csv; columns: image, emotion, "
            "predicted and one probability per emotion",
        )
    if frame.empty:
        raise DataError(f"{path} has a header but no row.")
    for name in (*_WORDS, "predicted"):
        if name in frame:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), "").astype(str)
    repeated = frame["image"][frame["image"].duplicated()]
    if len(repeated):
        raise DataError(f"{path}: the image {repeated.iloc[0]} has more than one row.")
    emotions = _find_emotions(frame, path)
    probabilities = to_numbers(frame, emotions, str(path)).to_numpy()
    answered = (frame["predicted"] != "").to_numpy()
    _check_answers(frame, emotions, probabilities, answered, path)
    n = len(frame)
    facts, has_aus = _facts_beside(path), set(INTENSITY_COLUMNS) <= set(frame.columns)
    if has_aus:
        frame[list(INTENSITY_COLUMNS)] = to_numbers(frame, INTENSITY_COLUMNS, str(path))
    measured = frame[list(INTENSITY_COLUMNS)].notna().all(axis=1) if has_aus else None
    if measured is not None:
        differences = facts.get("normalization") not in ("", "none")
        check_intensities(frame[measured], str(path), are_differences=differences)
    status = frame["status"] if "status" in frame else np.where(answered, OK, "no answer")
    known = frame.drop(columns=[name for name in ("face", "n_faces") if name in frame])
    return Stored(
        path=path,
        name=facts.get("name") or path.absolute().parent.name,
        emotions=emotions,
        faces=AuTable(
            complete(known.assign(status=status)), Extractor.from_facts(facts.get("extractor"))
        ),
        answered=answered,
        probabilities=np.where(answered[:, None], probabilities, np.nan),
        status=np.asarray(status, dtype=object),
        reasons=frame.get("reason", pd.Series("", index=frame.index)).to_numpy(dtype=object),
        seen=_seen_how(frame) if n else np.zeros(0, dtype=object),
        seen_checked="seen_in_training" in frame and bool(facts.get("seen_checked", True)),
        facts=facts,
    )


def _find_emotions(frame: pd.DataFrame, path: Path) -> tuple[str, ...]:
    """The columns that are probabilities of an emotion, in the file's order."""
    words = set(frame["emotion"]) | set(frame["predicted"]) | {*DEFAULT_NAMES, *ALIASES.values()}
    found = [
        str(name)
        for name in frame.columns
        if name not in _NO_EMOTION
        and (name in words or pd.api.types.is_numeric_dtype(frame[name]))
        and not str(name).startswith(("by_", "AU", "pose_", "face_", "Unnamed"))
    ]
    if (frame["emotion"] == "").any():
        row = int(np.flatnonzero((frame["emotion"] == "").to_numpy())[0])
        raise DataError(f"{path}: data row {row + 1} has no emotion: the truth must be known.")
    lacking = sorted(set(frame["predicted"]) - {""} - set(found))
    if lacking or len(found) < 2:
        raise DataError(
            f"{path} has no probability column for {lacking[0] if lacking else 'the emotions'}.",
            hint="one column per emotion that the model knows, named as in the column predicted",
        )
    return tuple(found)


def _check_answers(
    frame: pd.DataFrame,
    emotions: tuple[str, ...],
    probabilities: np.ndarray,
    answered: np.ndarray,
    path: Path,
) -> None:
    p = probabilities[answered]
    rows = np.flatnonzero(answered)
    bad = ~(np.abs(p.sum(axis=1) - 1) <= SUM_TOLERANCE) | (p < 0).any(axis=1)
    if bad.any():
        row = int(rows[np.flatnonzero(bad)[0]])
        raise DataError(
            f"{path}: the probabilities in data row {row + 1} ({', '.join(emotions)}) don't sum to "
            "1.",
            hint="every other numeric column counts as an emotion's: remove those that are none",
        )
    said = np.array([emotions.index(word) for word in frame["predicted"][answered]], dtype=int)
    other = p[np.arange(len(p)), said] < p.max(axis=1) if len(p) else np.zeros(0, dtype=bool)
    if other.any():
        row = int(rows[np.flatnonzero(other)[0]])
        raise DataError(
            f"{path}: data row {row + 1} says {frame['predicted'].iloc[row]}, and another emotion "
            "is more probable there.",
            hint="is each column under its own name?",
        )


def _seen_how(frame: pd.DataFrame) -> np.ndarray:
    """How each image was seen in training; where only that it was is known, as the same file."""
    how = frame.get("seen_how", pd.Series("", index=frame.index)).to_numpy(dtype=object)
    if "seen_in_training" not in frame:
        return how
    is_seen = frame["seen_in_training"].astype(str).str.strip().str.lower().isin(("true", "1"))
    found: np.ndarray = np.where(is_seen & (how == ""), "same_file", np.where(is_seen, how, ""))
    return found


def _facts_beside(path: Path) -> dict[str, Any]:
    """What the report beside the file says of the model; nothing where there is none."""
    beside = path.parent / FACTS_NAME
    try:
        facts = read_json(beside) if beside.is_file() else {}
    except DataError:
        facts = {}
    if not str(facts.get("schema", "")).startswith("aufer/report/"):
        return {}
    model, testset = facts.get("model", {}), facts.get("testset", {})
    return {
        "name": str(model.get("name", "")),
        "kind": str(model.get("kind", "")),
        "input": str(model.get("input", "")),
        "seen_checked": bool(facts.get("seen_in_training", {}).get("checked")),
        "extractor": testset.get("extractor"),
        "normalization": str(testset.get("normalization", {}).get("how", "none")),
    }
