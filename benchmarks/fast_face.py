"""Stands in for FaceLandmarkImg where only `aufer`'s own cost counts: some 0.1 ms a picture.

It writes the same files as ``FaceLandmarkImg -fdir IN -out_dir OUT -aus -pose -2Dfp``: the details
when a picture is started, then a CSV of 179 columns with one sure face. The AUs follow from the
picture's bytes. Anything else that OpenFace does is in tests/stand_in.

    aufer extract --engine local --openface 'python benchmarks/fast_face.py'
"""

from __future__ import annotations

import os
import sys
import zlib

AUS = "01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 45".split()
PRESENT = "01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 28 45".split()
POSE = [f"pose_{axis}" for axis in ("Tx", "Ty", "Tz", "Rx", "Ry", "Rz")]
LANDMARKS = [f"{axis}_{number}" for axis in "xy" for number in range(68)]
HEADER = ["face", "confidence", *POSE, *LANDMARKS]
HEADER += [f"AU{au}_r" for au in AUS] + [f"AU{au}_c" for au in PRESENT]
INTENSITIES = [f"{number / 51:.2f}" for number in range(256)]


def arguments(words: list[str]) -> tuple[str, str]:
    """The values of ``-fdir`` and ``-out_dir``."""
    return words[words.index("-fdir") + 1], words[words.index("-out_dir") + 1]


def face_before_aus(number: int) -> str:
    """Confidence, pose and landmarks of one of some faces of about 40 pixels."""
    pose = [f"{(number * 7 + axis) % 90 / 10:.1f}" for axis in range(6)]
    points = [f"{10 + (number * 13 + point * 29) % 400 / 10:.1f}" for point in range(136)]
    return ",".join(["0", f"{0.98 - number % 20 / 1000:.3f}", *pose, *points])


def main() -> None:
    """Measure a folder."""
    folder, output = arguments(sys.argv)
    print("Starting tracking", flush=True)
    header = ",".join(HEADER) + "\n"
    faces = [face_before_aus(number) for number in range(64)]
    presence = ",".join("01"[number % 2] + ".0" for number in range(len(PRESENT)))
    for name in sorted(os.listdir(folder)):
        if not name.endswith((".jpg", ".jpeg", ".png", ".bmp")):
            continue
        path, stem = f"{folder}/{name}", name.rpartition(".")[0]
        with open(path, "rb") as file:
            seed = zlib.crc32(file.read())
        about = f"Input:{path}\nInput full path:{path}\nCamera parameters:500,500,32,32\n"
        about += f"Output csv:{stem}.csv\nGaze: 0\nAUs: 1\nLandmarks 2D: 1\nLandmarks 3D: 0\n"
        with open(f"{output}/{stem}_of_details.txt", "w") as file:
            file.write(about + "Pose: 1\nShape parameters: 0\n")
        aus = [INTENSITIES[seed >> number & 255] for number in range(len(AUS))]
        with open(f"{output}/{stem}.csv", "w") as file:
            file.write(f"{header}{faces[seed % 64]},{','.join(aus)},{presence}\n")


if __name__ == "__main__":
    main()
