"""Reading the CSV files that OpenFace's FaceLandmarkImg writes, many thousands at a time.

Files with the same header are checked one by one as bytes, then parsed in one go: that is what
makes 23,000 files a matter of a second or two (benchmarks/merge_csvs.py).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from aufer.action_units import (
    DECIMALS,
    INTENSITY_COLUMNS,
    INTENSITY_RANGE,
    PRESENCE_COLUMNS,
    clean_names,
)
from aufer.au_table import BOX_COLUMNS, POSE_COLUMNS
from aufer.csv_table import VIDEO_COLUMNS
from aufer.openface.engine import ANNOTATED_FLAG

DETAILS_SUFFIX = "_of_details.txt"
"""OpenFace writes ``<stem>_of_details.txt`` when it starts an image, with or without a face."""

ANNOTATED_SUFFIX = ".jpg"
"""OpenFace's annotated picture is ``<stem>.jpg``."""

_EXTRAS = {"-hogalign": ".hog", "-simalign": "_aligned"}

FACES_POLICIES = ("largest", "best", "error")
"""Which face of several is taken: the largest, the most confident, or none (``many_faces``)."""

_LANDMARKS_X = tuple(f"x_{i}" for i in range(68))
_LANDMARKS_Y = tuple(f"y_{i}" for i in range(68))
LANDMARK_COLUMNS = (*_LANDMARKS_X, *_LANDMARKS_Y)
_BATCH_BYTES = 4_000_000
"""So much text is parsed in one go: memory stays flat, and the cost of a file constant."""


def details_of(folder: Path, file: str) -> Path:
    """What OpenFace writes when it starts a picture."""
    return folder / (Path(file).stem + DETAILS_SUFFIX)


def csv_of(folder: Path, file: str) -> Path:
    """What OpenFace writes when it finds a face in a picture."""
    return folder / (Path(file).stem + ".csv")


def extra_suffixes(flags: str, *, annotated: bool) -> tuple[str, ...]:
    """What follows the stem in the names of further files that these flags make OpenFace write."""
    words = flags.split()
    found = [suffix for flag, suffix in _EXTRAS.items() if flag in words]
    wants_picture = annotated or ANNOTATED_FLAG in words
    return (*([ANNOTATED_SUFFIX] if wants_picture else []), *found)


_MEASURES = ("face", "confidence", *POSE_COLUMNS, *INTENSITY_COLUMNS, *PRESENCE_COLUMNS)


@dataclass(frozen=True)
class Faces:
    """All faces of a list of CSV files.

    Attributes:
        frame: one row per face: ``file`` (position in the list of paths), ``face``, ``confidence``
            (0-1), the landmarks' box, pose, 17 AU_r (0-5), 18 AU_c; NaN for groups not written.
        problems: position in the list -> why that file can't be used; it has no rows in ``frame``.
        has_landmarks: whether every file with faces had the landmarks to tell a face's size.
    """

    frame: pd.DataFrame
    problems: dict[int, str]
    has_landmarks: bool


@dataclass(frozen=True)
class _Layout:
    """What one header line means: the names it gives and the positions of the columns we take."""

    n_columns: int
    positions: dict[str, int]
    problem: str = ""


def _read_layout(header: bytes) -> _Layout:
    names = clean_names(header.decode("utf-8", errors="replace").split(","))
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        positions.setdefault(name, position)
    missing = [name for name in INTENSITY_COLUMNS if name not in positions]
    problem = ""
    if not set(positions) & {*INTENSITY_COLUMNS, "confidence"}:
        problem = "is no OpenFace CSV: it has no AU columns"
    elif VIDEO_COLUMNS & set(positions):
        problem = (
            "is FeatureExtraction's (video), not FaceLandmarkImg's: its AUs are another measure"
        )
    elif missing or "confidence" not in positions:
        lacking = [*missing, *(["confidence"] if "confidence" not in positions else [])]
        problem = f"lacks the column {lacking[0]}" + (
            f" and {len(lacking) - 1} more (cut, or made without -aus)" if len(lacking) > 1 else ""
        )
    wanted = (*_MEASURES, *LANDMARK_COLUMNS)
    kept = {name: positions[name] for name in wanted if name in positions}
    return _Layout(len(names), kept, problem)


def read_face_csvs(sources: Sequence[Path | bytes], *, landmarks: bool = False) -> Faces:
    """Read OpenFace image CSVs of any layout (37, 179, 711 columns; names with spaces).

    A file is accepted only when it is whole: it ends in a newline and every row is as long as the
    header; and when its AUs are numbers from 0 to 5. Otherwise it is named in ``problems``.

    Args:
        sources: paths, or the contents of files.
        landmarks: whether ``x_0`` … ``y_67`` are wanted in the frame too.
    """
    layouts: dict[bytes, _Layout] = {}
    groups: dict[bytes, list[tuple[int, int, bytes]]] = {}
    problems: dict[int, str] = {}
    frames: list[pd.DataFrame] = []
    pending = 0
    parse = partial(_parse, problems=problems, landmarks=landmarks)
    for number, source in enumerate(sources):
        if pending > _BATCH_BYTES:
            frames += [parse(layouts[header], batch) for header, batch in groups.items()]
            groups, pending = {}, 0
        try:
            data = source if isinstance(source, bytes) else _read_whole(source)
        except OSError as error:
            problems[number] = f"can't be read: {error.strerror}"
            continue
        if b"\r" in data:  # went through Windows or a spreadsheet
            data = data.replace(b"\r\n", b"\n")
        header, newline, body = data.partition(b"\n")
        if not data:
            problems[number] = "is empty (0 bytes; was the disk full?)"
            continue
        if not newline:
            problems[number] = "is cut within its header"
            continue
        layout = layouts.get(header)
        if layout is None:
            layout = layouts[header] = _read_layout(header)
        if layout.problem:
            problems[number] = layout.problem
            continue
        problem, n_rows = _check_rows(body, layout.n_columns)
        if problem:
            problems[number] = problem
        else:
            groups.setdefault(header, []).append((number, n_rows, body))
            pending += len(body)
    frames += [parse(layouts[header], batch) for header, batch in groups.items()]
    columns = ["file", "face", "confidence", *BOX_COLUMNS, *POSE_COLUMNS]
    columns += [*INTENSITY_COLUMNS, *PRESENCE_COLUMNS, *(LANDMARK_COLUMNS if landmarks else ())]
    if frames:
        frame = pd.concat(frames, ignore_index=True).reindex(columns=columns)
        frame = frame.sort_values(["file", "face"], kind="stable", ignore_index=True)
    else:
        frame = pd.DataFrame({name: pd.Series(dtype=np.float64) for name in columns})
    frame["file"] = frame["file"].astype(np.int64)
    has_landmarks = bool(frame["face_width"].notna().all())
    return Faces(frame, problems, has_landmarks)


def _read_whole(path: Path) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _check_rows(body: bytes, n_columns: int) -> tuple[str, int]:
    """Why the rows below a header are not whole (empty text: they are), and how many they are."""
    if not body.strip():
        return "has a header but no row", 0
    if not body.endswith(b"\n"):
        return "is cut: its last row has no end", 0
    n_rows = body.count(b"\n")
    if n_rows == 1:
        whole = body.count(b",") == n_columns - 1
    else:
        whole = all(row.count(b",") == n_columns - 1 for row in body[:-1].split(b"\n"))
    return ("" if whole else "is cut or damaged: a row is not as long as the header"), n_rows


def _parse(
    layout: _Layout,
    members: list[tuple[int, int, bytes]],
    *,
    problems: dict[int, str],
    landmarks: bool,
) -> pd.DataFrame:
    """Parse the rows of all files with one header; files with bad values go to ``problems``."""
    files = np.repeat([m[0] for m in members], [m[1] for m in members])
    names, numbers = _read_numbers(layout, members, files, problems)
    place = {name: position for position, name in enumerate(names)}

    def values_of(wanted: Sequence[str]) -> np.ndarray:
        found: np.ndarray = numbers[:, [place[name] for name in wanted]]
        return found

    low, high = INTENSITY_RANGE
    intensities = values_of(INTENSITY_COLUMNS)
    with np.errstate(invalid="ignore"):
        bad = ~((intensities >= low) & (intensities <= high))
    for row, column in np.argwhere(bad):
        name, value = INTENSITY_COLUMNS[column], intensities[row, column]
        text = "no number" if np.isnan(value) else f"{value:g}, outside 0-5"
        problems.setdefault(int(files[row]), f"{name} is {text}")
    confidence = numbers[:, place["confidence"]]
    with np.errstate(invalid="ignore"):
        doubtful = np.flatnonzero(~((confidence >= 0) & (confidence <= 1)))
    for row in doubtful.tolist():
        problems.setdefault(int(files[row]), f"confidence is {confidence[row]:g}, not from 0 to 1")
    # the parser's last digit may be off; OpenFace writes these with two decimals, or three
    numbers[:, [place[name] for name in INTENSITY_COLUMNS]] = intensities.round(DECIMALS)
    numbers[:, place["confidence"]] = confidence.round(4)
    measures = [name for name in _MEASURES if name in place]
    columns, parts = ["file", *measures], [files[:, None], values_of(measures)]
    if "face" not in place:
        columns.append("face")
        parts.append(np.zeros((len(files), 1)))
    if all(name in place for name in LANDMARK_COLUMNS):
        points = values_of(LANDMARK_COLUMNS).reshape(-1, 2, 68)
        corner, opposite = points.min(axis=2), points.max(axis=2)
        columns += BOX_COLUMNS
        parts += [corner.round(2), (opposite - corner).round(2)]
        if landmarks:
            columns += LANDMARK_COLUMNS
            parts.append(points.reshape(-1, 136))
    # one block of numbers: for a few rows, pandas takes ten times as long column by column
    result = np.hstack(parts)
    if problems:
        result = result[~np.isin(files, list(problems))]
    return pd.DataFrame(result, columns=columns)


def _read_numbers(
    layout: _Layout,
    members: list[tuple[int, int, bytes]],
    files: np.ndarray,
    problems: dict[int, str],
) -> tuple[list[str], np.ndarray]:
    """The columns we take, by name, and their values, float64 [rows, columns]; NaN for a text."""
    taken = sorted(layout.positions.items(), key=lambda item: item[1])
    names = [name for name, _ in taken]
    body = b"".join(m[2] for m in members)
    kwargs = {
        "header": None,
        "usecols": [position for _, position in taken],
        "names": names,
        "skip_blank_lines": False,
        "skipinitialspace": True,
        "quoting": 3,
        "encoding_errors": "replace",
    }
    try:
        frame = pd.read_csv(io.BytesIO(body), dtype=np.float64, **kwargs)  # type: ignore[call-overload]
    except ValueError:  # some file holds text in a number: find which
        texts = pd.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False, **kwargs)  # type: ignore[call-overload]
        frame = texts.apply(pd.to_numeric, errors="coerce")
        for row, column in np.argwhere(frame.isna().to_numpy()):
            text = texts.iat[row, column]
            problems.setdefault(
                int(files[row]), f"{texts.columns[column]} is {text[:20]!r}, not a number"
            )
    return names, frame.to_numpy(dtype=np.float64, copy=True)


def choose_faces(faces: Faces, policy: str = "largest") -> pd.DataFrame:
    """One row per file that has a face: the face that the policy takes, and ``n_faces``.

    ``largest`` goes by the area of the landmarks' box, and by confidence where the landmarks are
    missing; equals go to the lower face number. With ``error`` every file keeps its first face;
    the caller gives those with several the status ``many_faces``.

    Returns:
        the columns of `Faces.frame` plus ``n_faces``, index = position of the file.
    """
    if policy not in FACES_POLICIES:
        raise ValueError(f"policy must be one of {FACES_POLICIES}, not {policy!r}")
    frame = faces.frame
    area = frame["face_width"] * frame["face_height"]
    if policy == "largest":
        # within one file all rows have landmarks or none has
        order = frame.assign(_area=area.fillna(0.0))
        ranked = order.sort_values(
            ["file", "_area", "confidence", "face"], ascending=[True, False, False, True]
        ).drop(columns="_area")
    elif policy == "best":
        ranked = frame.sort_values(["file", "confidence", "face"], ascending=[True, False, True])
    else:
        ranked = frame.sort_values(["file", "face"])
    chosen = ranked.drop_duplicates("file").set_index("file")
    chosen["n_faces"] = frame.groupby("file").size()
    return chosen
