"""The faces that an AU network learns from: pictures, and what OpenFace measured of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.aligning import moved, similarities
from aufer.au_net.shape import is_shape, mean_shape
from aufer.au_table import OK, AuTable, read_au_table
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.images import is_image, walk_files
from aufer.near_copies import join_near_copies
from aufer.openface.imported import read_openface_folder
from aufer.openface.landmarks import find_landmarks
from aufer.openface.pictures import check_pictures
from aufer.pictures.decoding import Undecodable, decoded, memory_for, upright_pixels
from aufer.pictures.opencv import opencv
from aufer.progress import Progress, no_progress
from aufer.provenance import Extractor

SIDE = 160
"""Pixels of a kept crop. It has so much room around the face that every crop a network is shown,
however turned and shifted, is cut from it."""

FACE_SHARE = 0.27
"""Half a face's width of the side of a kept crop."""

SMALL_FACE = 60
"""Pixels of a face's width in its picture: one below is coarse already."""

LEAST_FACES = 40
_AT_ONCE = 256
_INSIDE = 0.5
RULE = "near copies of a picture stay on one side; persons are unknown"


@dataclass(frozen=True)
class FaceSet:
    """Faces, each cut out by its landmarks, upright.

    Attributes:
        names: of the pictures, [n]. crops: uint8 [n, SIDE, SIDE]. landmarks: float32 [n, 68, 2],
            pixels of the crop. aus: float32 [n, 17], 0-5. confidence: OpenFace's, [n]. is_small:
            bool [n], by `SMALL_FACE`. groups: int [n], equal for near copies. shape: the mean one.
        facts: about their source, for au-net.json. extractor: what measured the AUs.
    """

    names: list[str] = field(repr=False)
    crops: np.ndarray = field(repr=False)
    landmarks: np.ndarray = field(repr=False)
    aus: np.ndarray = field(repr=False)
    confidence: np.ndarray = field(repr=False)
    is_small: np.ndarray = field(repr=False)
    groups: np.ndarray = field(repr=False)
    shape: np.ndarray = field(repr=False)
    facts: dict[str, Any]
    extractor: Extractor

    def __len__(self) -> int:
        return len(self.names)

    def split(self, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions to learn from, and those held out, no near copies on two sides.

        Raises:
            DataError: nearly all are copies of each other.
        """
        groups = np.unique(self.groups)
        chosen = np.random.default_rng([seed, 1]).permutation(groups)
        share = np.cumsum(np.bincount(self.groups)[chosen]) / len(self)
        n_held = max(1, int(np.searchsorted(share, test_size, side="right")))
        held = np.isin(self.groups, chosen[:n_held])
        if held.all():
            raise DataError(
                "These faces are all near copies of each other; none can be held out.",
                hint="add other pictures",
            )
        return np.flatnonzero(~held), np.flatnonzero(held)

    def halve(self, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Two halves of some faces, no near copies in both; the first is never empty."""
        groups = np.random.default_rng([seed, 4]).permutation(np.unique(self.groups[rows]))
        is_first = np.isin(self.groups[rows], groups[: -(-len(groups) // 2)])
        return rows[is_first], rows[~is_first]


def read_face_set(
    images: Path, aus: Path, least_confidence: float, progress: Progress = no_progress
) -> FaceSet:
    """Read pictures and what OpenFace measured of them.

    Args:
        images: a folder of pictures. aus: a folder of OpenFace's files, of the same names, or an
            AU table of ``aufer extract``, with landmarks. least_confidence: faces below are left
            out.

    Raises:
        UsageError: no such file or folder. DataError: no landmarks; no picture of a face is there;
        the landmarks don't lie in the pictures; too few faces.
    """
    table = _read_table(aus)
    points = find_landmarks(table, aus)
    frame = table.frame
    confident = (frame["status"] == OK) & ~(frame["confidence"] < least_confidence)
    confident &= frame[list(INTENSITY_COLUMNS)].notna().all(axis=1)
    if not confident.any():
        raise DataError(
            f"{aus} has no face that was measured with a confidence of {least_confidence} or more.",
            hint="measure other images: aufer extract IMAGES",
        )
    rows = [row for row in np.flatnonzero(confident).tolist() if row in points]
    rows = [row for row in rows if is_shape(points[row])]
    if not rows:
        raise DataError(
            f"{aus} has no landmarks, which an AU network learns to find.",
            hint="OpenFace writes them with -2Dfp; aufer extract keeps them: aufer extract IMAGES",
        )
    found = _match(frame["image"], rows, images)
    if not found:
        raise DataError(
            f"None of the {len(rows)} faces of {aus} has its picture in {images}; the first one is "
            f"called {frame['image'].iloc[rows[0]]}.",
            hint="name the folder that was measured: --images FOLDER",
        )
    checked = check_pictures([found[row] for row in found], progress)
    kept = [(row, each) for row, each in zip(found, checked, strict=True) if not each.failure]
    paths = [found[row] for row, _ in kept]
    shapes = np.array([points[row] for row, _ in kept]).reshape(-1, 68, 2)
    if len(kept) < LEAST_FACES:
        raise DataError(
            f"There are {len(kept)} faces to learn from, of {len(rows)} in {aus}; {LEAST_FACES} "
            "are the least with which this works at all (tens of thousands are what it needs).",
            hint="measure more images: aufer extract IMAGES",
        )
    _check_inside(shapes, [(c.width, c.height) for _, c in kept], aus)
    shape = mean_shape(shapes)
    crops, landmarks = _cut_all(paths, shapes, shape)
    values = frame.iloc[[row for row, _ in kept]]
    numbers = values[list(INTENSITY_COLUMNS)].to_numpy(dtype=np.float32)
    names = values["image"].tolist()
    facts = {
        "images": str(images),
        "aus": str(aus),
        "sha256": _digest(names, [each.sha256 for _, each in kept], numbers, shapes),
        "n": len(kept),
        "n_without_picture": len(rows) - len(found),
        "n_unreadable": len(found) - len(kept),
        "least_confidence": least_confidence,
    }
    return FaceSet(
        names,
        crops,
        landmarks,
        numbers,
        values["confidence"].fillna(1.0).to_numpy(dtype=np.float32),
        np.ptp(shapes[:, :, 0], axis=1) < SMALL_FACE,
        join_near_copies([each.phash for _, each in kept]),
        shape,
        facts,
        table.extractor,
    )


def _read_table(aus: Path) -> AuTable:
    if aus.is_dir():
        return read_openface_folder(aus, Emotions(), labelled=False)
    if not aus.is_file():
        raise UsageError(
            f"There is no {aus}.",
            hint="--aus takes a folder of OpenFace's files, or an AU table: aufer extract IMAGES",
        )
    return read_au_table(aus)


def _match(names: pd.Series, rows: Iterable[int], images: Path) -> dict[int, Path]:
    """The picture of each row that has one."""
    by_name = dict(walk_files(images))
    by_stem = {n.rpartition(".")[0]: p for n, p in by_name.items() if is_image(p)}
    found = {}
    for row in rows:
        name = names.iloc[row]
        path = by_name.get(name) or by_stem.get(name)
        if path is None and is_image(Path(name)):
            path = by_stem.get(name.rpartition(".")[0])
        if path is not None:
            found[row] = path
    return found


def _check_inside(
    shapes: np.ndarray, sizes: Sequence[tuple[int | None, int | None]], aus: Path
) -> None:
    """Raise `DataError` where most faces lie elsewhere than in their pictures."""
    sides = np.array(sizes, dtype=np.float64)[:, None, :]
    inside = ((shapes > -0.5 * sides) & (shapes < 1.5 * sides)).all(axis=2).mean(axis=1)
    middle = shapes.mean(axis=1, keepdims=True)
    is_in = (inside == 1) & ((middle > 0) & (middle < sides)).all(axis=(1, 2))
    if is_in.mean() < _INSIDE:
        raise DataError(
            f"The landmarks of {aus} don't lie in these pictures: OpenFace was given larger or "
            "other ones.",
            hint="give the very pictures that OpenFace was given; or let aufer measure these: "
            "aufer extract IMAGES",
        )


def _cut_all(
    paths: Sequence[Path], shapes: np.ndarray, shape: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The crops, uint8 [n, SIDE, SIDE], and the landmarks in them."""
    transforms = similarities(shapes, kept_reference(shape))
    crops = np.empty((len(paths), SIDE, SIDE), dtype=np.uint8)

    def cut(number: int) -> None:
        crops[number] = _cut(paths[number], transforms[number])

    with ThreadPoolExecutor(2, "crops") as pool:
        try:
            for _ in pool.map(cut, range(len(paths))):
                pass
        except BaseException:  # Ctrl-C
            pool.shutdown(cancel_futures=True)
            raise
    return crops, moved(shapes, transforms).astype(np.float32)


def kept_reference(shape: np.ndarray) -> np.ndarray:
    """Where a mean shape lies in a kept crop, [68, 2], pixels."""
    return np.asarray((shape * FACE_SHARE + 0.5) * SIDE, dtype=np.float32)


def _cut(path: Path, transform: np.ndarray) -> np.ndarray:
    cv2 = opencv()
    try:
        with path.open("rb") as file, decoded(file) as picture, memory_for(*picture.size):
            pixels = upright_pixels(picture)
    except Undecodable as error:  # it could be read a moment ago
        raise DataError(f"The picture {path} can't be read: {error.reason}.") from error
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    height, width = grey.shape
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    if scale < 0.5:  # or single pixels of a large picture would be picked out
        small = (max(1, round(width * scale * 2)), max(1, round(height * scale * 2)))
        grey = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
        by = np.array([width / small[0], height / small[1]])
        transform = np.c_[
            transform[:, :2] * by, transform[:, 2] + transform[:, :2] @ ((by - 1) / 2)
        ]
    crop: np.ndarray = cv2.warpAffine(
        grey, transform, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return crop


def _digest(
    names: Sequence[str], hashes: Sequence[str], aus: np.ndarray, shapes: np.ndarray
) -> str:
    """One sha256 of all that is learned from."""
    whole = hashlib.sha256("\n".join([*names, *hashes]).encode())
    for values in (aus, shapes.astype(np.float32)):
        whole.update(np.ascontiguousarray(values).tobytes())
    return whole.hexdigest()
