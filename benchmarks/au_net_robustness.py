"""How far the AUs of the built-in network move when the same picture is changed.

Faces that the network was never trained on (web pictures whose number ends in 7, of which OpenFace
was sure: confidence 0.7 or more) are written as files, as they are and changed: other sizes,
mirrored, brighter, darker, compressed. All go through the engine as `aufer extract --engine
builtin` sends them. A changed picture is compared with the very same picture as it was.

The pictures have 224 pixels on the longer side: at 300 and 1200 they are only interpolated, and
show no more than before; and they are soft, so that little is lost at 96 (the share of their
detail that is, is printed). OpenFace's own figures, of its mirrored pictures, are from the study
that the engine began with. They are of another set (a studio's posed faces, sharper ones), whose
AUs vary more: that lifts r, and the mean difference too.

    python benchmarks/au_net_robustness.py [--au-net DIR] [--n 200] [--csv FILE]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import verdict

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.agreement import agree
from aufer.au_net.network import find_folder
from aufer.images import Image
from aufer.openface.engines import make_engine
from aufer.openface.measure import measure
from aufer.openface.output import choose_faces, read_face_csvs
from aufer.pictures.opencv import opencv

LEAST_CONFIDENCE = 0.7
ENDING = "7"
OPENFACE_R, OPENFACE_ICC, OPENFACE_MAE = 0.937, 0.935, 0.148
"""OpenFace against itself, pictures mirrored, mean of 17 AUs: 837 studio faces (the study)."""
OPENFACE_R_48, OPENFACE_MAE_48 = 0.919, 0.216
"""The same, pictures reduced to 48 pixels and enlarged again."""

QUALITY = 90
BRIGHTER, DARKER = 1.3, 0.7
AS_IT_WAS = "as it was"


@dataclass(frozen=True)
class Change:
    """What is done to a picture, uint8 [h, w], before it is written as a JPEG.

    Attributes:
        is_asked: the engine must not move by more than OpenFace does; others are told only.
    """

    apply: Callable[[np.ndarray], np.ndarray]
    is_asked: bool = True
    quality: int = QUALITY


def at_size(side: int, *, is_asked: bool = True) -> Change:
    """The longer side gets so many pixels."""

    def resized(grey: np.ndarray) -> np.ndarray:
        cv2 = opencv()
        scale = side / max(grey.shape)
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        found: np.ndarray = cv2.resize(grey, size, interpolation=method)
        return found

    return Change(resized, is_asked)


def turned(degrees: float) -> Change:
    """Turned about its middle; beyond the edge the last pixels go on."""

    def apply(grey: np.ndarray) -> np.ndarray:
        cv2 = opencv()
        height, width = grey.shape
        about = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        found: np.ndarray = cv2.warpAffine(
            grey, about, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return found

    return Change(apply, is_asked=False)


def grained(deviation: float, side: int = 0) -> Change:
    """Noise on every pixel, as of a poor lens in poor light; before that another size, 0: none."""

    def apply(grey: np.ndarray) -> np.ndarray:
        grey = at_size(side).apply(grey) if side else grey
        noise = np.random.default_rng(0).normal(0, deviation, grey.shape)
        return np.clip(grey + noise, 0, 255).round().astype(np.uint8)

    return Change(apply, is_asked=False)


def times(factor: float, *, is_asked: bool = True) -> Change:
    """Every pixel's value is multiplied; what is above 255 is cut."""
    return Change(lambda grey: np.clip(grey * factor, 0, 255).round().astype(np.uint8), is_asked)


CHANGES = {
    "96 px": at_size(96),
    "150 px": at_size(150),
    "300 px": at_size(300),
    "1200 px": at_size(1200),
    "mirrored": Change(lambda grey: np.ascontiguousarray(grey[:, ::-1])),
    f"brighter, x {BRIGHTER:g}": times(BRIGHTER),
    f"darker, x {DARKER:g}": times(DARKER),
    "written again": Change(lambda grey: grey, is_asked=False),
    "48 px": at_size(48, is_asked=False),
    "much brighter, x 1.6": times(1.6, is_asked=False),
    "much darker, x 0.3": times(0.3, is_asked=False),
    "turned by 10 degrees": turned(10),
    "grain of 15": grained(15),
    "1200 px, grain of 30": grained(30, 1200),
    "JPEG quality 40": Change(lambda grey: grey, is_asked=False, quality=40),
}


def sure_names(folder: Path, n: int) -> list[str]:
    """Web pictures for testing of which OpenFace was sure, ``<emotion>/<number>``.

    Args:
        n: so many at most, evenly chosen; 0: all.
    """
    with zipfile.ZipFile(folder / "openface.zip") as csvs:
        names = sorted(name for name in csvs.namelist() if name.endswith(f"{ENDING}.csv"))
        chosen = choose_faces(read_face_csvs([csvs.read(name) for name in names]))
    sure = chosen.index[chosen["confidence"] >= LEAST_CONFIDENCE]
    found = [names[int(number)].removesuffix(".csv") for number in sure]
    if n and len(found) > n:
        found = [found[int(k)] for k in np.linspace(0, len(found) - 1, n)]
    return found


def write_all(pictures: Path, names: list[str], to: Path) -> tuple[list[Image], list[float]]:
    """Write each picture as it is, and changed; one is called ``<change>/<emotion>/<number>``.

    Returns:
        the files, and of each picture the share of its variance that is gone at 96 pixels.
    """
    cv2 = opencv()
    images, gone = [], []
    with zipfile.ZipFile(pictures) as archive:
        for name in names:
            data = archive.read(f"{name}.jpg")
            grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
            small = CHANGES["96 px"].apply(grey)
            again = cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_CUBIC)
            gone.append(float(np.var(grey - again.astype(float)) / max(1.0, float(np.var(grey)))))
            files = {AS_IT_WAS: data}
            for title, change in CHANGES.items():
                options = [cv2.IMWRITE_JPEG_QUALITY, change.quality]
                files[title] = cv2.imencode(".jpg", change.apply(grey), options)[1].tobytes()
            for number, (title, content) in enumerate(files.items()):
                path = to / str(number) / f"{name}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                images.append(Image(path, f"{title}/{name}"))
    return images, gone


def measured(net: Path, images: list[Image]) -> dict[str, pd.DataFrame]:
    """The rows of each change, by the picture's name."""
    with closing(make_engine("builtin", au_net=net)) as engine:
        frame = measure(images, engine).frame
    parts = frame["image"].str.partition("/")
    frame = frame.assign(change=parts[0], name=parts[2]).set_index("name")
    return {title: frame[frame["change"] == title] for title in (AS_IT_WAS, *CHANGES)}


def compare(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, float | str]:
    """Figures of one change, over the faces that were found before and after."""
    names = before.index[(before["status"] == "ok") & (before["confidence"] >= LEAST_CONFIDENCE)]
    is_found = (after.loc[names, "status"] == "ok").to_numpy()
    is_sure = is_found & (after.loc[names, "confidence"] >= LEAST_CONFIDENCE).to_numpy()
    both = names[is_sure]
    values = [each.loc[both, list(INTENSITY_COLUMNS)].to_numpy(float) for each in (after, before)]
    figures = pd.DataFrame(agree(*values)["aus"]).T.astype(float)
    low = figures["r"].idxmin()
    wide = figures["mae"].idxmax()
    return {
        "found": f"{is_found.sum()}/{len(names)}",
        "sure": int(is_sure.sum()),
        "r": figures["r"].mean(),
        "ICC(3,1)": figures["icc"].mean(),
        "moved": figures["mae"].mean(),
        "95 % within": float(np.percentile(np.abs(values[0] - values[1]), 95)),
        "least r": f"{str(low)[:4]} {figures['r'][low]:.2f}",
        "moved most": f"{str(wide)[:4]} {figures['mae'][wide]:.2f}",
    }


def main() -> int:
    """Print the table; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--au-net", type=Path, help="its folder; default: the shipped one")
    parser.add_argument("--n", type=int, default=200, help="pictures; 0: all (about 800)")
    parser.add_argument("--quick", action="store_true", help="60 pictures")
    parser.add_argument("--csv", type=Path, help="write the table there too")
    options = parser.parse_args()
    if not (data := os.environ.get("AUFER_DATA")):
        raise SystemExit("AUFER_DATA does not name the development data")
    network, web = find_folder(options.au_net), Path(data) / "web"
    names = sure_names(web, 60 if options.quick else options.n)
    with tempfile.TemporaryDirectory() as folder:
        images, gone = write_all(web / "images.zip", names, Path(folder))
        frames = measured(network, images)
    before = frames.pop(AS_IT_WAS)
    rows = {title: compare(before, after) for title, after in frames.items()}
    print(f"{len(names)} web pictures; each against itself as it was, where both are measured")
    print(f"with confidence {LEAST_CONFIDENCE} or more. 'moved': mean |difference| of 17 AUs.")
    table = pd.DataFrame(rows).T
    print(table.to_string(float_format="{:.3f}".format))
    print(f"At 96 pixels {100 * np.median(gone):.1f} % of the pictures' variance is gone (median).")
    print(
        f"OpenFace against itself, mirrored: r {OPENFACE_R}, ICC(3,1) {OPENFACE_ICC}, moved "
        f"{OPENFACE_MAE};\nthrough 48 pixels: r {OPENFACE_R_48}, moved {OPENFACE_MAE_48} "
        "(studio pictures, from the study)"
    )
    if options.csv:
        table.to_csv(options.csv)
    passed = True
    for title, change in CHANGES.items():
        if change.is_asked:
            row = rows[title]
            for key, target, at_least in (("r", OPENFACE_R, True), ("moved", OPENFACE_MAE, False)):
                value = round(float(row[key]), 3)
                passed &= verdict(f"{title}: {key}", value, target, at_least=at_least)
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
