"""How well the built-in AU network agrees with OpenFace, end to end, on other faces.

Each picture goes the whole way: a face finder, landmarks twice, Action Units. The faces are those
of FER2013's images-public and of the web pictures whose name ends in 7, of which OpenFace was sure
(confidence 0.7 or more). A picture in which no face is found counts as lost; the figures are of
the others. Beside them: the same with boxes made from OpenFace's own landmarks, to tell what the
finder costs. FER2013's 48-pixel crops are enlarged, with a border, as they are for OpenFace
(openface/ways.py). The means are also told without near copies of pictures that were trained on:
those of images-train, and the other web pictures.

    python benchmarks/au_net.py [--au-net DIR] [--n 500] [--csv FILE]
"""

from __future__ import annotations

import argparse
import io
import os
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import verdict

from aufer.action_units import INTENSITY_COLUMNS
from aufer.agreeing.moments import Moments, pearson_within, sum_by_part, terms
from aufer.au_net.agreement import agree
from aufer.au_net.aligning import Patch, Region, cut_patch, inverse, similarities
from aufer.au_net.finding import PictureFinder
from aufer.au_net.format import ALIGN
from aufer.au_net.network import AuNet, find_folder
from aufer.live.box import Box
from aufer.near_copies import find_near_copies
from aufer.openface.output import LANDMARK_COLUMNS, choose_faces, read_face_csvs
from aufer.openface.ways import ENLARGE_AUTO, ways_for
from aufer.pictures.decoding import read_facts
from aufer.pictures.opencv import opencv

LEAST_CONFIDENCE = 0.7
R = {"fer2013 public": 0.74, "web 7": 0.75}
"""Targets: the mean r over 17 AUs."""

FER_BORDER, FER_SCALE = 48, 4
"""OpenFace was given FER2013's pictures four times as large, with a border of 48 pixels."""

TURNED = (0, 5, 10, 15, 90)
"""Degrees; there are no profiles among these pictures."""

LOOKS = 3
"""The ways of openface/ways.py that are tried, in order, until a face is found."""


@dataclass(frozen=True)
class Face:
    """A face that OpenFace was sure of.

    Attributes:
        grey: its picture, uint8 [h, w]. points: OpenFace's landmarks in it, [68, 2]. aus: its
            intensities, [17]. phash: the picture's perceptual hash. emotion: the folder's name.
            turned: how far the head is turned aside, by OpenFace, in degrees.
    """

    grey: np.ndarray
    points: np.ndarray
    aus: np.ndarray
    phash: str
    emotion: str
    turned: float


@dataclass
class Results:
    """What was found of the pictures of one set.

    Attributes:
        wanted: OpenFace's, [n, 17]. by_finder, by_landmarks: ours; NaN where no face was found.
        confidence: ours, by the finder's boxes. apart: mean distance of the landmarks, in widths of
            the face.
    """

    wanted: list[np.ndarray] = field(default_factory=list)
    by_finder: list[np.ndarray] = field(default_factory=list)
    by_landmarks: list[np.ndarray] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    apart: list[float] = field(default_factory=list)
    look: list[int] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    emotions: list[str] = field(default_factory=list)
    turned: list[float] = field(default_factory=list)
    seconds: float = 0.0


def faces_of(
    pictures: Path, measured: Path, *, scale: int = 1, border: int = 0, only: str = "", n: int = 0
) -> Iterator[Face]:
    """Each sure face of a set.

    Args:
        only: how the pictures' names end. n: so many at most, evenly chosen; 0: all.
    """
    cv2 = opencv()
    with zipfile.ZipFile(measured) as csvs, zipfile.ZipFile(pictures) as images:
        names = {name.rpartition(".")[0]: name for name in images.namelist()}
        stems = [name[:-4] for name in sorted(csvs.namelist()) if name.endswith(".csv")]
        stems = [stem for stem in stems if stem in names and stem.endswith(only)]
        read = read_face_csvs([csvs.read(f"{stem}.csv") for stem in stems], landmarks=True)
        chosen = choose_faces(read)
        chosen = chosen[chosen["confidence"] >= LEAST_CONFIDENCE]
        if n and len(chosen) > n:
            chosen = chosen.iloc[np.linspace(0, len(chosen) - 1, n).astype(int)]
        for file, row in chosen.iterrows():
            data = images.read(names[stems[int(str(file))]])
            points = row[list(LANDMARK_COLUMNS)].to_numpy(np.float64).reshape(2, 68).T
            yield Face(
                cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE),
                (points - border) / scale,
                row[list(INTENSITY_COLUMNS)].to_numpy(np.float64),
                read_facts(io.BytesIO(data))[2],
                stems[int(str(file))].partition("/")[0],
                float(np.degrees(np.abs(row["pose_Ry"]))),
            )


def hashes_of(pictures: Path, but: str = "/") -> list[str]:
    """The perceptual hashes of all pictures but those whose names end so."""
    with zipfile.ZipFile(pictures) as images:
        names = [name for name in images.namelist() if name.lower().endswith((".jpg", ".png"))]
        names = [name for name in names if not name.rpartition(".")[0].endswith(but)]
        return [read_facts(io.BytesIO(images.read(name)))[2] for name in names]


def find(
    finder: PictureFinder, grey: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, Box, float, int, int] | None:
    """The face that OpenFace meant: the picture as it was handed over, the box, its scale, border,
    and the number of the look."""
    cv2 = opencv()
    height, width = grey.shape
    for number, way in enumerate(ways_for(width, height, ENLARGE_AUTO, LOOKS)):
        place = way.place(width, height)
        given = grey
        if not place.is_unchanged:
            size = (place.width, place.height)
            given = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)
            edge = (place.border,) * 4
            given = cv2.copyMakeBorder(given, *edge, cv2.BORDER_REPLICATE)
        boxes = finder.find_in(given)
        middle = points.mean(axis=0) * place.scale + place.border
        near = [box for box in boxes if _holds(box, middle)]
        if near:
            best = min(near, key=lambda box: float(np.hypot(*(np.array(box.middle) - middle))))
            return given, best, place.scale, place.border, number
    return None


def _holds(box: Box, point: np.ndarray) -> bool:
    x, y = point.tolist()
    return box.x < x < box.x + box.width and box.y < y < box.y + box.height


def patch_of_landmarks(net: AuNet, grey: np.ndarray, points: np.ndarray) -> Patch:
    """The rough crop where the landmarks say, upright, as large as those of the training."""
    facts = net.facts["networks"][ALIGN]
    reference, side = np.array(facts["reference"]), facts["side"]
    back = inverse(similarities(points[None], reference))[0]
    x, y = (back[:, :2] @ [side / 2, side / 2] + back[:, 2]).tolist()
    return cut_patch(grey, Region(x, y, side * float(np.hypot(back[0, 0], back[1, 0]))))


def run(net: AuNet, faces: Iterator[Face]) -> Results:
    """Measure them all."""
    results, finder = Results(), PictureFinder()
    nothing = np.full(len(INTENSITY_COLUMNS), np.nan)
    for face in faces:
        grey, points = face.grey, face.points
        results.wanted.append(face.aus)
        results.hashes.append(face.phash)
        results.emotions.append(face.emotion)
        results.turned.append(face.turned)
        started = time.perf_counter()
        found = find(finder, grey, points)
        if found is None:
            results.by_finder.append(nothing)
            results.confidence.append(np.nan)
            results.look.append(-1)
        else:
            given, box, scale, border, look = found
            ours = net.measure(given, [box])
            results.by_finder.append(ours.aus[0])
            results.confidence.append(float(ours.confidence[0]))
            results.look.append(look)
            off = np.hypot(*(ours.landmarks[0] - border - points * scale).T).mean()
            results.apart.append(float(off / (np.ptp(points[:, 0]) * scale)))
        results.seconds += time.perf_counter() - started
        patch = patch_of_landmarks(net, grey, points)
        results.by_landmarks.append(net.measure_patches([patch]).aus[0])
    return results


def r_within(found: np.ndarray, wanted: np.ndarray, emotions: np.ndarray) -> np.ndarray:
    """Pearson's r of each AU with every emotion's mean removed, [17]."""
    names, part = np.unique(emotions, return_inverse=True)
    sums = sum_by_part(terms(found, wanted), part, len(names))
    return pearson_within(Moments.from_sums(sums))


def table(title: str, results: Results, trained: list[str]) -> tuple[pd.DataFrame, bool]:
    """Figures by AU, and whether they are as they should be.

    Args:
        trained: hashes of pictures that were trained on; empty: near copies are not looked for.
    """
    wanted, ours = np.array(results.wanted), np.array(results.by_finder)
    boxed, emotions = np.array(results.by_landmarks), np.array(results.emotions)
    found = ~np.isnan(ours).any(axis=1)
    by_finder, by_landmarks = agree(ours[found], wanted[found]), agree(boxed, wanted)
    same = agree(boxed[found], wanted[found])
    rows = pd.DataFrame(by_finder["aus"]).T.astype(float)
    rows.insert(1, "r_within", r_within(ours[found], wanted[found], emotions[found]))
    rows["r_by_landmarks"] = pd.DataFrame(by_landmarks["aus"]).T["r"].astype(float)
    rows["zeros"], rows["zeros_openface"] = (ours[found] == 0).mean(0), (wanted[found] == 0).mean(0)
    n, looks = len(wanted), np.bincount(np.array(results.look) + 1, minlength=LOOKS + 1)
    print(
        f"\n{title}: {n} faces; found {found.sum()} ({100 * found.mean():.1f} %), lost {looks[0]}"
    )
    print("  found at look 1, 2, …:", *looks[1:].tolist())
    sure = np.array(results.confidence)[found]
    print(f"  confidence: at least 0.5 in {(sure >= 0.5).mean():.3f}; median {np.median(sure):.3f}")
    print(f"  landmarks off by {100 * np.median(results.apart):.1f} % of the face's width (median)")
    print(f"  {1000 * results.seconds / n:.1f} ms a picture, decoding aside")
    print(rows.round(3).to_string())
    mean = by_finder["mean_r"]
    print(f"  mean ICC(3,1) {rows['icc'].mean():.3f}, mean r {mean:.4f}")
    counts = ", ".join(f"{name} {(emotions[found] == name).sum()}" for name in np.unique(emotions))
    print(f"  with the emotions' means removed: mean r {rows['r_within'].mean():.4f} ({counts})")
    for low, high in pairwise(TURNED):
        some = found & (np.array(results.turned) >= low) & (np.array(results.turned) < high)
        if some.sum() > 2:
            of_some, mae = agree(ours[some], wanted[some]), np.abs(ours[some] - wanted[some]).mean()
            print(
                f"  heads turned by {low:g} to {high:g} degrees: mean r {of_some['mean_r']:.3f}, "
                f"MAE {mae:.3f} ({some.sum()})"
            )
    print(
        f"  mean r with boxes by OpenFace's landmarks: {same['mean_r']:.4f} (the same faces), "
        f"{by_landmarks['mean_r']:.4f} (all)"
    )
    if trained:
        copies = find_near_copies(results.hashes, trained)
        others = found & ~copies
        print(
            f"  {copies.sum()} are near copies of pictures trained on; mean r without them "
            f"{agree(ours[others], wanted[others])['mean_r']:.4f}"
        )
    worse = rows.index[rows["mae"] >= rows["mae_of_mean"]].tolist()
    is_good = verdict(f"{title}: mean r", mean, R[title], at_least=True)
    return rows, verdict(
        f"{title}: AUs no better than their mean {worse}", len(worse), 0
    ) and is_good


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--au-net", type=Path, help="its folder; default: the shipped one")
    parser.add_argument("--n", type=int, default=0, help="pictures of each set; default: all")
    parser.add_argument("--csv", type=Path, help="write the figures by AU there too")
    parser.add_argument("--quick", action="store_true", help="200 of each; no near copies")
    options = parser.parse_args()
    n = 200 if options.quick else options.n
    data = Path(os.environ.get("AUFER_DATA", "."))
    net = AuNet(find_folder(options.au_net))
    fer, web = data / "fer2013", data / "web"
    sets = {
        "fer2013 public": faces_of(
            fer / "images-public.zip",
            fer / "openface-public.zip",
            scale=FER_SCALE,
            border=FER_BORDER,
            n=n,
        ),
        "web 7": faces_of(web / "images.zip", web / "openface.zip", only="7", n=n),
    }
    trained = []
    if not options.quick:
        trained = [*hashes_of(fer / "images-train.zip"), *hashes_of(web / "images.zip", but="7")]
    tables, passed = {}, True
    for title, faces in sets.items():
        tables[title], is_good = table(title, run(net, faces), trained)
        passed &= is_good
    if options.csv:
        pd.concat(tables).to_csv(options.csv)
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
