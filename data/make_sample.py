"""Makes data/sample from the development data (AUFER_DATA): real OpenFace output, no pictures.

    AUFER_DATA=… python data/make_sample.py

Drawn with a fixed seed. Test faces come from FER2013's PublicTest part, training faces from its
Training part. A test face is taken only if no training picture of FER2013 has the same bytes, no
drawn training picture looks alike (perceptual hash), and no drawn training row has equal AUs.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import zipfile
from pathlib import Path

import imagehash
from PIL import Image

from aufer.action_units import au_key
from aufer.emotions import DEFAULT_NAMES
from aufer.openface.output import INTENSITY_COLUMNS, choose_faces, read_face_csvs

SEED = 2013
N_TRAIN, N_TEST = 100, 10
N_TRAIN_NO_FACE, N_TEST_NO_FACE = 5, 1
ALIKE = 6
"""Perceptual hashes (64 bits) this close or closer count as the same picture."""


def picture_hash(data: bytes) -> imagehash.ImageHash:
    """Perceptual hash of an encoded picture."""
    return imagehash.phash(Image.open(io.BytesIO(data)))


def main() -> None:
    """Draw the sample and write it beside this file."""
    folder = Path(os.environ["AUFER_DATA"]) / "fer2013"
    target = Path(__file__).parent / "sample"
    parts = {
        "train": (zipfile.ZipFile(folder / "openface-train.zip"), "images-train.zip"),
        "test": (zipfile.ZipFile(folder / "openface-public.zip"), "images-public.zip"),
    }
    pictures = {part: zipfile.ZipFile(folder / name) for part, (_, name) in parts.items()}
    known_bytes = {
        hashlib.sha256(pictures["train"].read(n)).hexdigest()
        for n in pictures["train"].namelist()
        if n.endswith(".jpg")
    }
    for part in parts:
        shutil.rmtree(target / part, ignore_errors=True)
    taken_hashes: list[imagehash.ImageHash] = []
    taken_aus: set[str] = set()
    for part, (n_faces, n_no_face) in {
        "train": (N_TRAIN, N_TRAIN_NO_FACE),
        "test": (N_TEST, N_TEST_NO_FACE),
    }.items():
        archive = parts[part][0]
        names = set(archive.namelist())
        for emotion in DEFAULT_NAMES:
            stems = sorted(
                n.removesuffix("_of_details.txt")
                for n in names
                if n.startswith(f"{emotion}/") and n.endswith("_of_details.txt")
            )
            random.Random(f"{SEED} {part} {emotion}").shuffle(stems)
            left = {True: n_faces, False: n_no_face}
            for stem in stems:
                has_face = f"{stem}.csv" in names
                if not left[has_face]:
                    continue
                data = pictures[part].read(f"{stem}.jpg")
                looks = picture_hash(data)
                copied = part == "test" and (
                    hashlib.sha256(data).hexdigest() in known_bytes
                    or any(looks - other <= ALIKE for other in taken_hashes)
                )
                if copied:
                    continue
                files = [f"{stem}_of_details.txt"] + ([f"{stem}.csv"] if has_face else [])
                for name in files:
                    path = target / part / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(name))
                if has_face:
                    faces = choose_faces(read_face_csvs([target / part / f"{stem}.csv"]))
                    key = au_key(faces.iloc[0][list(INTENSITY_COLUMNS)].tolist())
                    if key in taken_aus:
                        for name in files:
                            (target / part / name).unlink()
                        continue
                    taken_aus.add(key)
                if part == "train":
                    taken_hashes.append(looks)
                left[has_face] -= 1
    print(target, sum(1 for _ in target.rglob("*.csv")), "faces")


if __name__ == "__main__":
    main()
