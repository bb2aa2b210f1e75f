"""The contact sheet: small pictures of the images without a usable face, on one HTML page.

A person sees in a minute what no table tells: drawings, backs of heads, faces cut in half.
"""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.au_table import (
    BOX_COLUMNS,
    CRASHED,
    LOW_CONFIDENCE,
    MANY_FACES,
    NO_FACE,
    TOO_SMALL,
    UNREADABLE,
)
from aufer.extraction_summary import NOT_USABLE
from aufer.pages import page_environment

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image as Picture

FindPicture = Callable[[str], Path]
"""Where the picture of an image of that name lies."""

N_PICTURES = 400
THUMBNAIL_SIDE = 128
"""Pixels of the longer side."""

_MOST_PIXELS = 30_000_000
"""Larger pictures aren't opened for a thumbnail: two at a time have to fit into any memory."""

_TITLES = {
    CRASHED: (
        "The engine died",
        "The engine died twice with this picture alone. To try it again: aufer extract --retry "
        "crashed.",
    ),
    UNREADABLE: ("Unreadable", "The file can't be read or decoded; it was never measured."),
    TOO_SMALL: (
        "Too small",
        "So few pixels can't be measured. --enlarge auto enlarges all but narrow strips.",
    ),
    MANY_FACES: ("More than one face", "Which one is meant isn't known (--faces error)."),
    NO_FACE: ("No face found", "No face was found, in whatever way the picture was shown."),
    LOW_CONFIDENCE: (
        "Low confidence",
        "A face was measured, but not surely. The box shows where; build-dataset leaves "
        "these faces out.",
    ),
}


@dataclass(frozen=True)
class Thumbnail:
    """A small picture: a JPEG as a data URI, and its size in pixels."""

    uri: str
    width: int
    height: int


def render_contact_sheet(
    failed: pd.DataFrame, pictures: Path | FindPicture, *, images_folder: str, all_of_them: str
) -> str:
    """The page as HTML, every picture inside.

    Args:
        failed: as in `ExtractionSummary`.
        pictures: the images folder, or a function that finds a picture by its name.
        images_folder: as the page names it. all_of_them: the file that lists every failed image.
    """
    find: FindPicture = pictures.joinpath if isinstance(pictures, Path) else pictures
    shown = failed.iloc[choose(failed["status"].to_list(), N_PICTURES)]
    with (
        ThreadPoolExecutor(2) as threads,  # decoders let go of Python's lock
        warnings.catch_warnings(),  # of damaged EXIF, which is why some of them are here
    ):
        warnings.simplefilter("ignore")
        thumbnails = list(threads.map(lambda name: make_thumbnail(find(name)), shown["image"]))
    cards: dict[Any, list[dict[str, Any]]] = {status: [] for status in NOT_USABLE}
    numbers = dict.fromkeys(("confidence", "width", "height", *BOX_COLUMNS), np.float64)
    records = shown.astype(numbers).to_dict("records")
    for record, thumbnail in zip(records, thumbnails, strict=True):
        cards[record["status"]].append(_card(record, thumbnail))
    counts = failed["status"].value_counts()
    return (
        page_environment()
        .get_template("contact-sheet.html")
        .render(
            sections=[
                {
                    "status": status,
                    "title": _TITLES[status][0],
                    "text": _TITLES[status][1],
                    "n": int(counts[status]),
                    "cards": cards[status],
                }
                for status in NOT_USABLE
                if status in counts
            ],
            n_failed=len(failed),
            n_shown=len(shown),
            images_folder=images_folder,
            all_of_them=all_of_them,
            side=THUMBNAIL_SIDE,
        )
    )


def choose(statuses: Sequence[str], n: int) -> list[int]:
    """Positions of ``n`` of the images at most, spread evenly over the statuses.

    A status with fewer images than its share leaves the rest to the others; within one the images
    are taken at even distances, so that each emotion has its part. Positions ascend.
    """
    found: dict[str, list[int]] = {}
    for position, status in enumerate(statuses):
        found.setdefault(status, []).append(position)
    chosen: list[int] = []
    room = n
    for left, positions in zip(
        range(len(found), 0, -1), sorted(found.values(), key=len), strict=True
    ):
        share = min(len(positions), room // left)
        room -= share
        chosen += [positions[i * len(positions) // share] for i in range(share)]
    return sorted(chosen)


def make_thumbnail(path: Path) -> Thumbnail | None:
    """A small upright picture; None where the file can't be opened, or is too large to be."""
    import PIL.Image
    import PIL.ImageOps

    side = THUMBNAIL_SIDE
    try:
        if not path.is_file():  # opening a FIFO would wait for ever
            return None
        with PIL.Image.open(path) as picture:
            picture.draft("RGB", (side, side))  # JPEG: decoded at an eighth of its size
            if picture.size[0] * picture.size[1] > _MOST_PIXELS:
                return None
            small = _as_8_bits(picture)
            small.thumbnail((side, side), reducing_gap=2.0)
            small = PIL.ImageOps.exif_transpose(small).convert("RGB")
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=82, comment=b"")
    except Exception:  # decoders raise anything at damaged files
        return None
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{text}", *small.size)


def _as_8_bits(picture: Picture) -> Picture:
    """The picture in a mode that can be made smaller; more than 8 bits are stretched to 0-255."""
    import PIL.Image

    if picture.mode in ("1", "P", "PA"):
        return picture.convert("RGB")
    if picture.mode[0] not in "IF":
        return picture
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32))
    low, high = float(values.min()), float(values.max())
    grey = PIL.Image.fromarray(((values - low) * (255 / max(high - low, 1e-6))).astype(np.uint8))
    grey.info = picture.info  # here it is looked for how to turn it
    return grey


def _card(record: Mapping[Any, Any], thumbnail: Thumbnail | None) -> dict[str, Any]:
    """What the page shows of one image; missing numbers are None."""
    numbers = {
        name: None if math.isnan(record[name]) else record[name]
        for name in ("confidence", "width", "height", *BOX_COLUMNS)
    }
    box = [numbers[name] for name in BOX_COLUMNS]
    size = (numbers["width"], numbers["height"])
    has_box = record["status"] == LOW_CONFIDENCE and None not in (*box, *size)
    scale = 0.0 if thumbnail is None else THUMBNAIL_SIDE / max(thumbnail.width, thumbnail.height)
    return {
        "image": record["image"],
        "emotion": record["emotion"],
        "reason": record["reason"],
        "confidence": numbers["confidence"],
        "size": None if None in size else size,
        "box": box if has_box else None,
        "thumbnail": thumbnail,
        "shown_width": thumbnail and max(1, round(thumbnail.width * scale)),  # small ones enlarged
        "shown_height": thumbnail and max(1, round(thumbnail.height * scale)),
    }
