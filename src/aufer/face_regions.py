"""The regions of a face, and the AUs that are seen in each.

Upper and lower face as the FACS manual divides them (Ekman, Friesen & Hager, 2002); the upper face
is what a mask leaves free: brow and eyes. AU9 wrinkles the nose, which a mask covers.
"""

from __future__ import annotations

from collections.abc import Sequence

from aufer.action_units import INTENSITY_COLUMNS

_BROW = ("AU01_r", "AU02_r", "AU04_r")
_EYES = ("AU05_r", "AU06_r", "AU07_r", "AU45_r")
_NOSE = ("AU09_r",)

REGIONS: dict[str, tuple[str, ...]] = {
    "brow": _BROW,
    "eyes": _EYES,
    "nose": _NOSE,
    "mouth": tuple(au for au in INTENSITY_COLUMNS if au not in (*_BROW, *_EYES, *_NOSE)),
}
"""The intensity columns of each region, in OpenFace's order; every column is in one."""

ALL, UPPER, LOWER = "all", "upper", "lower"

PARTS: dict[str, tuple[str, ...]] = {
    ALL: INTENSITY_COLUMNS,
    UPPER: tuple(au for au in INTENSITY_COLUMNS if au in (*_BROW, *_EYES)),
    LOWER: tuple(au for au in INTENSITY_COLUMNS if au not in (*_BROW, *_EYES)),
}
"""The intensity columns of the whole face, of its upper and of its lower part."""


def numbers_of(columns: Sequence[str]) -> str:
    """The AUs of columns as people write them: ``1, 2, 4``."""
    return ", ".join(str(int(column[2:4])) for column in columns)
