"""The AU table of a list of images, put together from what the store holds.

Worked off in chunks: the CSVs of 100,000 images would not be small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS, PRESENCE_COLUMNS
from aufer.au_table import (
    BOX_COLUMNS,
    CRASHED,
    MANY_FACES,
    NO_FACE,
    OK,
    POSE_COLUMNS,
    TOO_SMALL,
    UNREADABLE,
    complete,
    empty_frame,
)
from aufer.images import Image
from aufer.openface.measuring.plan import Plan
from aufer.openface.measuring.subject import Inputs
from aufer.openface.output import LANDMARK_COLUMNS, choose_faces, read_face_csvs
from aufer.openface.store import Look, Store
from aufer.openface.ways import (
    ENLARGE_OFF,
    SMALLEST_FACE,
    SMALLEST_SIDE,
    Placement,
    Way,
    to_original,
)

CHUNK = 2000
"""So many images are worked off at once."""

_VALUES = ("face", "confidence", *BOX_COLUMNS, *POSE_COLUMNS, *INTENSITY_COLUMNS, *PRESENCE_COLUMNS)
_GONE = "it was changed or removed while it was measured; run extract again"


def build_frame(
    images: Sequence[Image],
    inputs: Inputs,
    store: Store,
    key: str,
    plan: Plan,
    *,
    fixed_focal: bool = False,
) -> pd.DataFrame:
    """The table's rows, one per image, in the order given.

    Args:
        fixed_focal: OpenFace was given the focal length (``-fx``), and did not take it from the
            size of the picture, border included.
    """
    # the first of equal images by name; one that failed meanwhile stands for others that did
    first: dict[tuple[str, bool], str] = {}
    for position in sorted(range(len(images)), key=lambda i: images[i].name):
        which = (inputs.sha256s[position], position in inputs.failures)
        first.setdefault(which, images[position].name)
    parts = [
        _build_part(images, positions, inputs, first, store, key, plan, fixed_focal)
        for positions in _chunks(len(images))
    ]
    return pd.concat(parts, ignore_index=True)


def _chunks(n: int) -> Iterator[range]:
    for start in range(0, n, CHUNK):
        yield range(start, min(start + CHUNK, n))


def _build_part(
    images: Sequence[Image],
    positions: range,
    inputs: Inputs,
    first: dict[tuple[str, bool], str],
    store: Store,
    key: str,
    plan: Plan,
    fixed_focal: bool,
) -> pd.DataFrame:
    sha256s = [inputs.sha256s[position] for position in positions]
    distinct = [sha256 for sha256 in dict.fromkeys(sha256s) if sha256]
    known = _Known(store, key, plan, distinct, inputs.crashed, fixed_focal)
    verdicts = [
        known.judge(sha256, inputs.failures.get(position))
        for position, sha256 in zip(positions, sha256s, strict=True)
    ]
    status = np.array([verdict[0] for verdict in verdicts], dtype=object)
    numbers = known.values(sha256s)
    numbers[status != OK] = np.nan
    frame = empty_frame([images[position] for position in positions])
    frame["sha256"] = sha256s
    frame["duplicate_of"] = [
        "" if not sha256 or original == name else original
        for position, sha256, name in zip(positions, sha256s, frame["image"], strict=True)
        for original in [first[sha256, position in inputs.failures]]
    ]
    frame["status"] = status
    frame["reason"] = [verdict[1] for verdict in verdicts]
    frame["n_faces"] = pd.array([verdict[2] for verdict in verdicts], dtype="Int64")
    is_known = [position not in inputs.failures for position in positions]
    pictures = [
        known.pictures.get(sha256) if each else None
        for sha256, each in zip(sha256s, is_known, strict=True)
    ]
    frame["phash"] = ["" if picture is None else picture.phash for picture in pictures]
    for name in ("width", "height"):
        sizes = [None if picture is None else getattr(picture, name) for picture in pictures]
        frame[name] = pd.array(sizes, dtype="Int64")
    taken = [
        sha256 if each and sha256 in known.taken else ""
        for sha256, each in zip(sha256s, is_known, strict=True)
    ]
    frame["way"] = [known.taken[sha256].way if sha256 else "" for sha256 in taken]
    frame["scale"] = [known.place(sha256).scale if sha256 else np.nan for sha256 in taken]
    frame[list(_VALUES)] = numbers
    return complete(frame)


class _Known:
    """What the store knows of some pictures: the look that counts for each, and its values."""

    def __init__(
        self,
        store: Store,
        key: str,
        plan: Plan,
        sha256s: Sequence[str],
        crashed: Mapping[str, Look],
        fixed_focal: bool,
    ) -> None:
        self._plan, self._fixed_focal = plan, fixed_focal
        self.pictures = store.pictures(sha256s)
        self._looks = store.looks(key, sha256s)
        for sha256 in crashed.keys() & {*sha256s}:
            died = crashed[sha256]
            self._looks[sha256] = {**self._looks.get(sha256, {}), died.way: died}
        self.taken = {
            sha256: look
            for sha256, picture in self.pictures.items()
            if (look := plan.taken(picture, self._looks.get(sha256, {}))) is not None
        }
        with_face = [(sha256, look.way) for sha256, look in self.taken.items() if look.n_faces]
        csvs = store.csvs(key, with_face)
        self._row_of = {sha256: row for row, (sha256, _) in enumerate(csvs)}
        self._values = self._read(csvs)

    def place(self, sha256: str) -> Placement:
        """Where the original lay in the picture that was measured."""
        picture = self.pictures[sha256]
        return Way.parse(self.taken[sha256].way).place(picture.width, picture.height)

    def _read(self, csvs: Mapping[tuple[str, str], bytes]) -> np.ndarray:
        """`_VALUES` of the face taken in each picture, float64 [n, 47], boxes in its own pixels."""
        if not csvs:
            return np.empty((0, len(_VALUES)))
        chosen = choose_faces(read_face_csvs(list(csvs.values())), self._plan.faces)
        chosen = chosen.reindex(range(len(csvs)))
        places = [self.place(sha256) for sha256, _ in csvs]
        _turn_back(chosen, places, x=["face_x"], y=["face_y"])
        chosen["face_width"] = (chosen["face_width"] / [p.scale_x for p in places]).round(2)
        chosen["face_height"] = (chosen["face_height"] / [p.scale_y for p in places]).round(2)
        if not self._fixed_focal:
            chosen["pose_Tz"] = (chosen["pose_Tz"] / [p.depth_factor for p in places]).round(1)
        return chosen[list(_VALUES)].to_numpy(dtype=np.float64)

    def values(self, sha256s: Sequence[str]) -> np.ndarray:
        """`_VALUES` of each picture, float64 [n, 47]; NaN without a face."""
        found = np.full((len(sha256s), len(_VALUES)), np.nan)
        rows = np.array([self._row_of.get(sha256, -1) for sha256 in sha256s], dtype=np.int64)
        found[rows >= 0] = self._values[rows[rows >= 0]]
        return found

    def judge(self, sha256: str, failure: str | None) -> tuple[str, str, int | None]:
        """Status, reason and number of faces of one image."""
        picture = self.pictures.get(sha256)
        if failure is not None or picture is None:
            return UNREADABLE, failure or _GONE, None
        size = f"{picture.width}x{picture.height}"
        ways = self._plan.ways(picture)
        if not ways:
            too = "too narrow to be enlarged, and " if self._plan.enlarge != ENLARGE_OFF else ""
            said = f"{size}: {too}at least {SMALLEST_SIDE} pixels a side are needed"
            return TOO_SMALL, said, None
        look = self.taken.get(sha256)
        if look is None:
            return UNREADABLE, _GONE, None
        looks = self._looks[sha256]
        crashed = [looks[way.name] for way in ways if way.name in looks and looks[way.name].crashed]
        if look.crashed:
            return CRASHED, look.reason, None
        if not look.n_faces:
            tried = [way.name for way in ways if way.name in looks]
            said = f"no face in {len(tried)} looks ({', '.join(tried)})" if len(tried) > 1 else ""
            place = self.place(sha256)
            if len(tried) == 1 and min(place.width, place.height) < SMALLEST_FACE:
                said = f"{size}: no face is found below {SMALLEST_FACE} pixels"
            return NO_FACE, "; ".join(filter(None, [said, *map(_say_further, crashed)])), 0
        if look.n_faces > 1 and self._plan.faces == "error":
            return MANY_FACES, f"{look.n_faces} faces", look.n_faces
        return OK, "; ".join(map(_say_further, crashed)), look.n_faces


def _say_further(look: Look) -> str:
    return f"a further look ({look.way}) failed: {look.reason}"


def _turn_back(
    frame: pd.DataFrame, places: Sequence[Placement], x: Sequence[str], y: Sequence[str]
) -> None:
    """Turn coordinates in the pictures handed over into the originals', in place, to 0.01 pixel."""
    for names, axis in ((x, "x"), (y, "y")):
        scale = np.array([getattr(place, f"scale_{axis}") for place in places])[:, None]
        border = np.array([place.border for place in places])[:, None]
        values = frame[list(names)].to_numpy(dtype=np.float64)
        frame[list(names)] = to_original(values, border, scale).round(2)


def read_landmarks(frame: pd.DataFrame, store: Store, key: str) -> pd.DataFrame:
    """The 68 landmarks of the face taken in each image that is ``ok``.

    Args:
        frame: of the AU table.

    Returns:
        columns ``image``, ``x_0`` … ``x_67``, ``y_0`` … ``y_67``: pixels of the upright original.
    """
    rows = frame.loc[frame["status"] == OK, ["image", "sha256", "way", "face", "width", "height"]]
    parts = [_empty_landmarks()]
    for start in range(0, len(rows), CHUNK):
        part = rows.iloc[start : start + CHUNK].reset_index(drop=True)
        keys = list(zip(part["sha256"], part["way"], strict=True))
        csvs = store.csvs(key, keys)
        read = read_face_csvs([csvs[each] for each in keys], landmarks=True).frame
        wanted = part["face"].astype(float)
        points = read[read["face"].to_numpy() == wanted[read["file"]].to_numpy()]
        points = points[list(LANDMARK_COLUMNS)].reset_index(drop=True).copy()
        places = [
            Way.parse(way).place(int(width), int(height))
            for way, width, height in zip(part["way"], part["width"], part["height"], strict=True)
        ]
        _turn_back(points, places, x=LANDMARK_COLUMNS[:68], y=LANDMARK_COLUMNS[68:])
        parts.append(pd.concat([part["image"], points], axis=1))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _empty_landmarks() -> pd.DataFrame:
    return pd.DataFrame(columns=["image", *LANDMARK_COLUMNS])
