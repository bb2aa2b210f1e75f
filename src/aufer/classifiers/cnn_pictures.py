"""The labelled pictures that an image network learns from: read, described, split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.image_input import ImageInput
from aufer.images import Image
from aufer.near_copies import join_near_copies
from aufer.openface.pictures import check_pictures
from aufer.pictures.pixels import read_pixels
from aufer.progress import Progress, no_progress
from aufer.splits import Parts, split_stratified

RULE = "stratified by emotion; near copies of a picture stay on one side; persons are unknown"

_COLUMNS = ["image", "sha256", "phash", "emotion"]
_N_NAMED = 3


@dataclass(frozen=True)
class PictureSet:
    """The pictures of a folder.

    Attributes:
        folder: where they lie. emotions: in label order.
        rows: a row per readable picture: image, sha256, phash, emotion. pixels: of each, uint8
            [n, h, w, c]. labels: int64 [n]. failures: why the others can't be read, by name.
    """

    folder: Path
    emotions: Emotions
    rows: pd.DataFrame = field(repr=False)
    pixels: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    failures: dict[str, str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> dict[str, int]:
        """Number of pictures by emotion, in label order."""
        counts = np.bincount(self.labels, minlength=len(self.emotions)).tolist()
        return dict(zip(self.emotions, counts, strict=True))

    def facts(self) -> dict[str, Any]:
        """What bundle.json says of them. The sha256 is one of all names, emotions and contents."""
        lines = ["\t".join(row) for row in self.rows[["image", "emotion", "sha256"]].to_numpy()]
        return {
            "path": str(self.folder),
            "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
            "n_rows": len(self),
            "n_unreadable": len(self.failures),
            "counts": self.counts(),
            "groups_known": False,
        }

    def notes(self, *, with_names: bool = True) -> list[str]:
        """What a reader must know of them.

        Args:
            with_names: whether pictures may be named.

        Raises:
            DataError: fewer than two emotions have a picture.
        """
        counts = self.counts()
        empty = [name for name, n in counts.items() if n == 0]
        if len(counts) - len(empty) < 2:
            raise DataError(
                f"{self.folder} has readable pictures of {len(counts) - len(empty)} emotion only; "
                "a model needs at least two to tell apart.",
                hint="put pictures into folders named after the emotions: "
                f"{self.folder}/{empty[0]}/, …",
            )
        notes = []
        if failed := list(self.failures.items()):
            shown = "; ".join(f"{name}: {why}" for name, why in failed[:_N_NAMED])
            more = "; …" if len(failed) > _N_NAMED else ""
            notes.append(
                f"pictures that can't be read, and were left out: {len(failed)}"
                + (f" ({shown}{more})" if with_names else "")
            )
        if empty:
            notes.append(
                f"no picture of {', '.join(empty)} is there: the model keeps an output for it, but "
                "will hardly ever give it"
            )
        return notes

    def split(self, test_size: float, validation_size: float, seed: int) -> Parts:
        """Cut off test, then validation: stratified, no near copies on two sides.

        Args:
            test_size: share of all; 0 for no test. validation_size: share of the rest.

        Raises:
            DataError: too small to split.
        """
        groups = join_near_copies(self.rows["phash"].tolist()).astype(str).astype(object)
        files = self.rows["sha256"].to_numpy(dtype=object)  # equal ones may have no hash
        names = self.emotions.names
        try:
            parts = split_stratified(
                self.labels, groups, files, test_size, validation_size, seed, names
            )
        except DataError as error:
            raise DataError(
                error.message, hint="add pictures of the rare emotions, or leave these out"
            ) from error
        return replace(parts, rule=RULE, grouped=False)


def read_picture_set(
    folder: Path,
    images: Sequence[Image],
    emotions: Emotions,
    image_input: ImageInput,
    progress: Progress = no_progress,
) -> PictureSet:
    """Read labelled pictures. What is wrong with one is said, not raised.

    Args:
        images: of the folder, each with an emotion. image_input: the pixels that are wanted.
    """
    checked = check_pictures([image.path for image in images], progress)
    failures = {n: each.failure for n, each in enumerate(checked) if each.failure}
    paths = [None if n in failures else image.path for n, image in enumerate(images)]
    pixels = [np.zeros((0, *image_input.shape), dtype=np.uint8)]
    kept: list[int] = []
    for part in read_pixels(paths, [image_input]):
        pixels.append(part.of_input[image_input])
        kept += part.rows.tolist()
        failures = {**part.failures, **failures}  # the first reason is the better one
    rows = [(images[n].name, checked[n].sha256, checked[n].phash, images[n].emotion) for n in kept]
    return PictureSet(
        folder,
        emotions,
        pd.DataFrame(rows, columns=_COLUMNS),
        np.concatenate(pixels),
        np.array([emotions.number(str(images[n].emotion)) for n in kept], dtype=np.int64),
        {images[n].name: failures[n] for n in sorted(failures)},
    )
