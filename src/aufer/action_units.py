"""The facial Action Units (AUs) that OpenFace measures, under OpenFace's own column names.

An AU is a visible movement of one muscle group, named and numbered by the Facial Action Coding
System (FACS; Ekman, Friesen & Hager, 2002). OpenFace (Baltrušaitis et al., 2018) estimates the
intensity of 17 of them (columns ``AUxx_r``, 0-5) and the presence of 18 (``AUxx_c``, 0 or 1).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

AU_NAMES: dict[str, str] = {
    "AU01": "inner brow raiser",
    "AU02": "outer brow raiser",
    "AU04": "brow lowerer",
    "AU05": "upper lid raiser",
    "AU06": "cheek raiser",
    "AU07": "lid tightener",
    "AU09": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU12": "lip corner puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU17": "chin raiser",
    "AU20": "lip stretcher",
    "AU23": "lip tightener",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU28": "lip suck",
    "AU45": "blink",
}
"""FACS name of each AU that OpenFace knows, in OpenFace's column order."""

INTENSITY_COLUMNS: tuple[str, ...] = tuple(f"{au}_r" for au in AU_NAMES if au != "AU28")
"""The 17 intensity columns, the input features of every AU model, in this order."""

PRESENCE_COLUMNS: tuple[str, ...] = tuple(f"{au}_c" for au in AU_NAMES)
"""The 18 presence columns (AU28 has no intensity)."""

INTENSITY_RANGE: tuple[float, float] = (0.0, 5.0)
"""OpenFace clamps every intensity to this range; an exact 0 is mostly such a clamp."""

DECIMALS = 2
"""OpenFace writes intensities with two decimals."""


def clean_names(names: Iterable[object]) -> list[str]:
    """Column names without the spaces that OpenFace 2.0 and spreadsheets put around them."""
    return [str(name).strip().strip("\ufeff").strip() for name in names]


def au_key(values: Sequence[float]) -> str:
    """One face's 17 intensities as a text that is equal for equal rows (two decimals).

    Missing values give an empty text: a face that was not measured equals no other.
    """
    if any(math.isnan(value) for value in values):
        return ""
    return " ".join(f"{value + 0.0:.{DECIMALS}f}" for value in values)


DIGEST_PREFIX = "sha256:"


def au_digest(key: str) -> str:
    """A text that is equal for equal `au_key` texts and tells nothing else of them; empty for an
    empty one."""
    if not key:
        return ""
    return DIGEST_PREFIX + hashlib.sha256(key.encode()).hexdigest()[:16]
