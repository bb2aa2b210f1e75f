"""The page of a data check: what was found, what it means, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aufer.contact_sheet import FindPicture, Thumbnail, make_thumbnail
from aufer.findings import (
    CONFLICT,
    CONSTANT,
    GROUPS,
    HEAD_TURN,
    IMBALANCE,
    KINDS,
    MISPLACED,
    OUTLIER,
    SATURATED,
    TURN_DEGREES,
    UNSURE,
    Finding,
)
from aufer.pages import page_environment

N_SHOWN = 40
"""Findings of one kind on the page; all of them are in the CSV."""

_N_PICTURES = 4
_PICTURE_SIDE = 72
"""Pixels of a picture's longer side on the page."""

_TITLES = {
    CONFLICT: (
        "One face under two emotions",
        "The same file or picture: at least one of the labels is wrong. Correct it, or remove the "
        "image. Equal AUs of different pictures, perhaps all 0: the AUs can't tell these faces "
        "apart. Faces with equal AUs are left out already; near copies are not: they "
        "are found by a hash of 64 bits, and a few only look alike.",
    ),
    MISPLACED: (
        "Rows out of order",
        "The file is sorted by emotion, but for these: most likely a number was typed wrongly.",
    ),
    OUTLIER: (
        "Labels that three models doubt",
        "A logistic regression, a support vector machine and trees, none of which saw the face, "
        "agree on another emotion. That is no proof: hard and rare faces are here too. Look at the "
        "surest ones first. Removing all of them would only make the test easier.",
    ),
    HEAD_TURN: (
        "Turned heads",
        f"Beyond {TURN_DEGREES:g}° half of the face is hidden, and its AUs are guessed.",
    ),
    SATURATED: (
        "AUs at their upper end",
        "Intensities are cut at 5: differences above are lost.",
    ),
    CONSTANT: ("AUs that hardly change", "They tell a model nothing, or the measuring failed."),
    IMBALANCE: ("Rare emotions", "Add images of these emotions, or judge by macro-F1."),
    GROUPS: (
        "Groups",
        "What keeps one person on one side of a split: see --groups of aufer build-dataset.",
    ),
    UNSURE: (
        "Emotions whose faces are often measured unsurely",
        "Their faces are left out more often than others': what is left may be the easy ones.",
    ),
}


@dataclass(frozen=True)
class _Shown:
    finding: Finding
    pictures: tuple[Thumbnail, ...]


def title_of(what: str) -> str:
    """What a kind of finding is called."""
    return _TITLES[what][0]


def render_check(
    findings: Sequence[Finding],
    unchecked: Sequence[str],
    columns: Sequence[dict[str, Any]],
    *,
    dataset: str,
    n_faces: int,
    all_of_them: str,
    pictures: FindPicture | None,
) -> str:
    """The page as HTML, every picture inside.

    Args:
        unchecked: what could not be looked at, in sentences.
        columns: from `findings.describe_columns`. dataset: its path. all_of_them: the CSV's name.
        pictures: finds a picture by its image's name; None: there are none.
    """
    sections: list[dict[str, Any]] = []
    for what in KINDS:
        found = [each for each in findings if each.what == what]
        if found:
            shown = _with_pictures(found[:N_SHOWN], pictures)
            title, text = _TITLES[what]
            sections.append(
                {"what": what, "title": title, "text": text, "n": len(found), "shown": shown}
            )
    return (
        page_environment()
        .get_template("data-check.html")
        .render(
            sections=sections,
            unchecked=unchecked,
            columns=columns,
            dataset=dataset,
            n_faces=n_faces,
            all_of_them=all_of_them,
            side=_PICTURE_SIDE,
        )
    )


def _with_pictures(findings: Sequence[Finding], pictures: FindPicture | None) -> list[_Shown]:
    if pictures is None:
        return [_Shown(each, ()) for each in findings]
    names = [each.images[:_N_PICTURES] for each in findings]
    paths: list[Path] = [pictures(name) for several in names for name in several]
    with ThreadPoolExecutor(2) as threads:  # decoders let go of Python's lock
        made = iter(list(threads.map(make_thumbnail, paths)))
    thumbnails = [[next(made) for _ in several] for several in names]
    return [
        _Shown(each, tuple(one for one in several if one is not None))
        for each, several in zip(findings, thumbnails, strict=True)
    ]
