"""Lays out what the AU network that comes with aufer was trained on, for the training command.

    python benchmarks/au_net_faces.py DATA FOLDER
    aufer train --kind au-net --images FOLDER/images --aus FOLDER/openface --out models/au-net

DATA has fer2013/ and web/: zips of pictures, and of what OpenFace measured of them. OpenFace was
given FER2013's pictures enlarged by 4, with a border of 48 pixels; the landmarks are brought back
into the pictures' own pixels. Web pictures whose number ends in 7 stay out: they are the test.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pandas as pd

SCALE, BORDER = 4, 48
TEST_ENDING = "7"


def lay_out(images: Path, outputs: list[tuple[Path, str]], to: Path, name: str) -> int:
    """Write the pictures that have a face, and OpenFace's files of them; gives their number."""
    enlarged = name == "fer2013"
    n = 0
    with ZipFile(images) as pictures:
        for output, start in outputs:
            with ZipFile(output) as files:
                for member in files.namelist():
                    path = PurePosixPath(member)
                    if path.suffix != ".csv" or not member.startswith(start):
                        continue
                    if name == "web" and path.stem.endswith(TEST_ENDING):
                        continue
                    emotion = "fear" if start else path.parts[0]
                    picture = to / "images" / name / emotion / f"{path.stem}.jpg"
                    target = to / "openface" / name / emotion / path.name
                    for each in (picture, target):
                        each.parent.mkdir(parents=True, exist_ok=True)
                    picture.write_bytes(pictures.read(f"{emotion}/{path.stem}.jpg"))
                    with files.open(member) as file:
                        frame = pd.read_csv(file, skipinitialspace=True)
                    if enlarged:
                        points = [c for c in frame if c[:2] in ("x_", "y_")]
                        frame[points] = (frame[points] - BORDER) / SCALE
                    frame.to_csv(target, index=False)
                    details = f"{path.stem}_of_details.txt"
                    told = files.read(str(path.with_name(details)))
                    target.with_name(details).write_bytes(told)
                    n += 1
    return n


def main() -> None:
    data, to = Path(sys.argv[1]), Path(sys.argv[2])
    fer, web = data / "fer2013", data / "web"
    measured = [(fer / "openface-train.zip", ""), (fer / "openface-fear.zip", "train/")]
    print("fer2013", lay_out(fer / "images-train.zip", measured, to, "fer2013"))
    print("web", lay_out(web / "images.zip", [(web / "openface.zip", "")], to, "web"))


if __name__ == "__main__":
    main()
