"""Folders of pictures of which some are poison, and what shall come of each.

What is right is dictated by the pictures themselves (tests/stand_in/pictures.py).
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from tests.faces import EMOTIONS
from tests.stand_in.pictures import save_broken, save_face

SMALL, LARGE = (48, 52), (150, 160)
"""One is enlarged; the other is the smallest that is handed over as it is."""
SHORTER_SIDE = {"192": 192, "192+25%": 288, "384+25%": 576}
"""Way of enlarging -> the shorter side of what OpenFace gets, in pixels."""

POISON = {
    "zero": 12,
    "garbage": 10,
    "truncated_png": 10,
    "truncated_jpeg": 10,
    "forbidden": 4,
    "missing": 4,
    "fifo": 2,
    "strip": 6,  # so narrow that it can't be enlarged to what OpenFace bears
    "die=1": 10,
    "die=134": 8,
    "die=137": 8,
    "die=139": 6,
    "dies": 4,
    "dies_below_288": 4,
    "hangs": 2,
}
"""Kind -> number in 2,000: one in twenty."""

PECULIAR = {
    "two_faces": 30,
    "other_format": 10,
    "never": 15,
    "none_below_288": 15,
    "none_below_576": 15,
    "unsure_below_288": 15,
    "unsure": 15,
    "dies_from_288": 2,
}
"""No failures, but not measured at the first look, or not as all others are."""

ODD_NAMES = (
    "with space.jpg", "-dash.png", "Jörg 名前.jpg", "UPPER.JPG", "it's \"so\".jpg", "$HOME;x.jpg",
    "a,b.png", "%s%n.jpg", "=1+1.jpg", "a.jpg", "a.png", "a.jpeg", "no.jpg.png", f"{'x' * 200}.jpg",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What the table shall say of one image.

    `aus` and `confidence` are None where the picture can't dictate them; `reason` is a part of it.
    """

    status: str = "ok"
    reason: str = ""
    way: str = "as it is"
    confidence: float | None = 0.95
    aus: tuple[float, ...] | None = None
    n_faces: int = 1
    duplicate_of: str = ""


LOOKED_AT = {
    "never": Wanted("no_face", "no face"),
    "none_below_288": Wanted(way="192+25%"),
    "none_below_576": Wanted(way="384+25%"),
    "unsure_below_288": Wanted(way="192+25%"),
    "unsure": Wanted(way="192+25%", confidence=0.55),
    "dies": Wanted("crashed", "134"),
    "dies_below_288": Wanted("crashed", "134"),
    "dies_from_288": Wanted("ok", "192+25%", way="192", confidence=0.35),
}
"""What comes of a small picture with such a corner."""


def save(folder: Path, number: int, kind: str) -> tuple[str, Wanted]:
    """Write picture ``number``; its name, and what shall come of it."""
    emotion = EMOTIONS[number % len(EMOTIONS)]
    ending = ".png" if kind == "truncated_png" or number % 5 == 0 else ".jpg"
    name = f"{emotion}/{number:04}{ending}"
    path = folder / name
    if kind in ("zero", "garbage", "truncated_png", "truncated_jpeg"):
        save_broken(path, kind, seed=number)
        return name, Wanted("unreadable", "0 bytes" if kind == "zero" else "damaged")
    if kind in ("forbidden", "missing", "fifo"):
        return name, save_unopenable(path, kind)
    if kind == "directory":
        save_broken(path, kind)
        return "", Wanted()
    if kind == "strip":
        save_face(path, size=(7, 3000), seed=number)
        return name, Wanted("too_small", "7x3000")
    if kind.startswith("die="):
        code = kind.removeprefix("die=")
        save_face(path, size=LARGE, seed=number, die=code)
        return name, Wanted("crashed", f"exit code {code}")
    if kind == "hangs":
        save_face(path, size=SMALL, seed=number, corner="hangs")
        return name, Wanted("crashed", " ")
    if kind in LOOKED_AT:
        save_face(path, size=SMALL, seed=number, corner=kind)
        return name, LOOKED_AT[kind]
    if kind == "other_format":
        path = path.with_suffix((".webp", ".tif")[number % 2])
        save_face(path, size=(300, 300), seed=number, corner="none_below_288")
        return f"{emotion}/{path.name}", Wanted()
    return name, save_good(path, number, n_faces=2 if kind == "two_faces" else 1)


def save_good(path: Path, number: int, n_faces: int = 1) -> Wanted:
    """A picture that dictates its values; the last face is the largest and the one that counts."""
    rng = random.Random(number)
    aus = [tuple(rng.randrange(501) / 100 for _ in INTENSITY_COLUMNS) for _ in range(n_faces)]
    save_face(
        path,
        size=LARGE,
        seed=number,
        faces=n_faces,
        face_sizes=[0.2, 0.7][-n_faces:],
        confidence=[0.35, 0.95][-n_faces:],
        aus="/".join(",".join(map(str, face)) for face in aus),
    )
    return Wanted(aus=aus[-1], n_faces=n_faces)


def save_unopenable(path: Path, kind: str) -> Wanted:
    """What can't be opened; where it can't be made, or keeps nobody out, a link to nowhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo" and hasattr(os, "mkfifo"):
        os.mkfifo(path)
        return Wanted("unreadable", "not a regular file")
    if kind == "forbidden" and hasattr(os, "getuid") and os.getuid() != 0:
        save_face(path, size=LARGE).chmod(0)
        return Wanted("unreadable", "can't be read")
    path.symlink_to("nowhere.jpg")
    return Wanted("unreadable", "can't be read")


def make_images(folder: Path, n: int, without: Collection[str] = ()) -> dict[str, Wanted]:
    """Write ``n`` images under six emotions, one in twenty of them poison.

    Args:
        without: kinds of POISON or PECULIAR that shall not be there.

    Returns:
        image -> what shall come of it.
    """
    kinds = [
        kind
        for kind, number in {**POISON, **PECULIAR, "directory": 2}.items()
        for _ in range(max(1, round(number * n / 2000)))
        if kind not in without
    ]
    n_copies = n // 80
    n_else = len(kinds) - kinds.count("directory") + len(ODD_NAMES) + n_copies
    kinds += ["good"] * (n - n_else)
    random.Random(n).shuffle(kinds)
    wanted = dict(save(folder, number, kind) for number, kind in enumerate(kinds))
    wanted.pop("", None)  # directories
    for number, odd in enumerate(ODD_NAMES, start=n):
        wanted[f"happy/{odd}"] = save_good(folder / "happy" / odd, number)
    originals = [name for name, what in wanted.items() if "can't be read" not in what.reason]
    originals = [name for name in originals if not (folder / name).is_fifo()]
    for number, name in enumerate(random.Random(n).sample(originals, n_copies)):
        copy = f"{EMOTIONS[number % 6]}/copy{number}{Path(name).suffix}"
        shutil.copy(folder / name, folder / copy)
        wanted[copy] = wanted[name]
    return find_duplicates(folder, wanted)


def find_duplicates(folder: Path, wanted: dict[str, Wanted]) -> dict[str, Wanted]:
    """The same, knowing of each copy which image it is a copy of."""
    first: dict[str, str] = {}
    for name in sorted(wanted):
        path = folder / name
        if path.is_file() and "can't be read" not in wanted[name].reason:
            original = first.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), name)
            if original != name:
                wanted[name] = replace(wanted[name], duplicate_of=original)
    return wanted


def find_faults(frame: pd.DataFrame, wanted: dict[str, Wanted]) -> list[str]:
    """What the table says wrongly, in words."""
    assert sorted(frame["image"]) == sorted(wanted), "one row per image"
    faults = []
    for _, row in frame.iterrows():
        want = wanted[row["image"]]
        right = {"status": want.status, "duplicate_of": want.duplicate_of}
        if want.status == "ok":
            right |= {"way": want.way, "n_faces": want.n_faces}
            if want.confidence is not None:
                right["confidence"] = want.confidence
            if want.aus is not None:
                right |= dict(zip(INTENSITY_COLUMNS, want.aus, strict=True))
        faults += [
            f"{row['image']}: {column} is {row[column]!r}, not {value!r} ({row['reason']})"
            for column, value in right.items()
            if row[column] != value
        ]
        if want.status == "ok":
            side = SHORTER_SIDE.get(want.way, min(row["width"], row["height"]))
            if abs(row["face_width"] * row["scale"] / side - 0.7) > 0.01:
                faults.append(f"{row['image']}: the face's width is {row['face_width']}")
        if want.reason not in row["reason"] or bool(want.reason) != bool(row["reason"]):
            faults.append(f"{row['image']}: the reason is {row['reason']!r}")
        if want.status != "ok" and row[list(INTENSITY_COLUMNS)].notna().any():
            faults.append(f"{row['image']}: has values")
    return faults
