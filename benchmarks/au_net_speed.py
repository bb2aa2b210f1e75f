"""How fast `aufer extract --engine builtin` is, on one core and on two, and what memory it takes.

Whole processes, the start included, over JPEGs of 640x480: faces of which OpenFace was sure (web
pictures whose number ends in 7), 200 to 420 pixels on the longer side, each before another picture,
turned and blurred, with some colour and grain. The core is chosen by `os.sched_setaffinity` (Linux;
elsewhere all are used, and the figures are of these). Beside it, on one core and in turn: the same
files decoded and searched by OpenCV's cascade with the settings of `aufer live` and nothing else.

Then the parts of `aufer.au_net.program`, in milliseconds of one core: decoding, finding, cutting
with both networks (per face).

    python benchmarks/au_net_speed.py [--images 2000] [--runs 2] [--folder DIR] [--quick]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
from extraction import with_comment
from measuring import verdict

from aufer.openface.output import read_face_csvs

RATES = {1: 90.0, 2: 170.0}
"""Images a second, by cores."""

FACE_MS = 2.0
MEMORY_MB = 400.0
"""MB (10^6 bytes) of all processes together, one job."""

QUICK_SHARE = 0.8
"""Of the rates, of 600 images: the start takes as long as with many."""

LEAST_MEASURED = 0.95
"""Of the pictures: an engine that finds no face is quick."""

SIZE = (640, 480)
VARIETY = 300
SURE = 0.9

PLAIN = """
import sys, time
from pathlib import Path
import cv2, numpy as np
from aufer.live.finding.haar import HaarFinder
cv2.setNumThreads(1)
finder = HaarFinder(look_everywhere_every=1)
cv2.setNumThreads(1)
started = time.perf_counter()
paths = sorted(Path(sys.argv[1]).rglob("*.jpg"))
for path in paths:
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    finder.find(pixels, cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
print(len(paths) / (time.perf_counter() - started))
"""

PARTS = """
import json, statistics, sys, time
from pathlib import Path
from aufer.au_net.files import read_grey
from aufer.au_net.finding import PictureFinder
from aufer.au_net.network import AuNet, find_folder
finder, network = PictureFinder(), AuNet(find_folder())
paths = sorted(Path(sys.argv[1]).rglob("*.jpg"))[: int(sys.argv[2])]
network.measure_patches([network.cut(read_grey(paths[0]), box) for box in finder.find_in(
    read_grey(paths[0]))] * 32)
parts = {"decode": [], "find": [], "face": []}
for _ in range(3):
    start = time.perf_counter()
    greys = [read_grey(path) for path in paths]
    read = time.perf_counter()
    boxes = [finder.find_in(grey) for grey in greys]
    found = time.perf_counter()
    patches = [network.cut(grey, box) for grey, each in zip(greys, boxes) for box in each]
    network.measure_patches(patches)
    done = time.perf_counter()
    parts["decode"].append((read - start) / len(paths))
    parts["find"].append((found - read) / len(paths))
    parts["face"].append((done - found) / len(patches))
print(json.dumps({name: 1000 * statistics.median(each) for name, each in parts.items()}))
"""


@dataclass(frozen=True)
class Run:
    """One run of `aufer extract`: images a second, MB at most, and the faces measured."""

    rate: float
    peak_mb: float
    n_measured: int


def sure_faces(data: Path, n: int) -> list[np.ndarray]:
    """Grey pictures of one face each, of which OpenFace was sure, evenly chosen."""
    web = data / "web"
    with (
        zipfile.ZipFile(web / "images.zip") as pictures,
        zipfile.ZipFile(web / "openface.zip") as csvs,
    ):
        names = sorted(name for name in csvs.namelist() if name.endswith("7.csv"))
        frame = read_face_csvs([csvs.read(name) for name in names]).frame
        counts = frame.index.value_counts()
        sure = frame.index[(frame["confidence"] >= SURE) & (counts.loc[frame.index] == 1).values]
        chosen = sure[np.linspace(0, len(sure) - 1, n).astype(int)]
        found = (pictures.read(f"{names[int(file)][:-4]}.jpg") for file in chosen)
        return [cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_GRAYSCALE) for each in found]


def scene(face: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photo, uint8 [480, 640, 3]: the face somewhere before another picture, upside down."""
    width, height = SIZE
    behind = cv2.resize(np.ascontiguousarray(other[::-1, ::-1]), SIZE, None, 0, 0, cv2.INTER_CUBIC)
    pixels = cv2.GaussianBlur(behind, (0, 0), 4).astype(np.float32)
    scale = int(rng.integers(200, 421)) / max(face.shape)
    face = cv2.resize(face, None, None, scale, scale, cv2.INTER_CUBIC)
    down, across = face.shape
    x, y = int(rng.integers(0, width - across + 1)), int(rng.integers(0, height - down + 1))
    edges = (y, height - down - y, x, width - across - x)
    before = cv2.copyMakeBorder(face, *edges, cv2.BORDER_REPLICATE).astype(np.float32)
    share = np.zeros((height, width), np.float32)
    share[max(0, y - 30) : y + down + 30, max(0, x - 30) : x + across + 30] = 1
    share = cv2.GaussianBlur(share, (0, 0), 12)
    share[y : y + down, x : x + across] = 1
    pixels += share * (before - pixels) + cv2.resize(
        rng.normal(0, 4, (height // 2, width // 2)).astype(np.float32), SIZE
    )
    tint = rng.normal(0, 14, (12, 16, 3)).astype(np.float32)
    colour = cv2.resize(tint, SIZE, None, 0, 0, cv2.INTER_CUBIC) + np.array([-12, 0, 14])
    return (pixels[:, :, None] + colour).clip(0, 255).astype(np.uint8)


def make_photos(folder: Path, data: Path, count: int) -> None:
    """Photos, no two with the same bytes; further ones differ in a comment alone."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    faces = sure_faces(data, min(VARIETY, count))
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    photos = [
        cv2.imencode(".jpg", scene(face, faces[number - 7], rng), quality)[1].tobytes()
        for number, face in enumerate(faces)
    ]
    for number in range(count):
        jpeg = with_comment(photos[number % len(photos)], number)
        (folder / f"{number:06}.jpg").write_bytes(jpeg)
    mean = statistics.fmean(map(len, photos))
    print(f"{count} JPEGs of 640x480, {len(photos)} faces, {mean / 1000:.0f} kB on average")


@contextmanager
def on_cores(n: int) -> Iterator[None]:
    """Processes that are started now use so many cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-n:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def extract(photos: Path, out: Path) -> Run:
    """Run `aufer extract`, and look at the memory of all its processes 20 times a second."""
    command = [sys.executable, "-m", "aufer", "extract", str(photos), "--out", str(out)]
    command += ["--engine", "builtin"]
    ended, peaks = threading.Event(), [0]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:

        def watch() -> None:
            while not ended.wait(0.05):
                peaks.append(tree_bytes(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        said = process.communicate()[1]
        took_s = time.perf_counter() - started
        ended.set()
        watcher.join()
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{said.decode()}")
    n = sum(1 for _ in photos.rglob("*.jpg"))
    statuses = [line.split(b",") for line in out.read_bytes().splitlines()]
    status = statuses[0].index(b"status")
    n_measured = sum(words[status] == b"ok" for words in statuses[1:])
    return Run(n / took_s, max(peaks) / 1e6, n_measured)


def tree_bytes(pid: int) -> int:
    """Resident memory of a process and all below it; what they share counts for each."""
    total = 0
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it ended just now
            continue
    return total


def plain_rate(photos: Path) -> float:
    """Images a second that are only decoded and searched."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(photos)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def parts_ms(photos: Path, n: int) -> dict[str, float]:
    """Milliseconds of each part."""
    words = [sys.executable, "-c", PARTS, str(photos), str(n)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.load(io.StringIO(done.stdout))
    return found


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=2, help="on one core, and on two")
    parser.add_argument("--folder", type=Path, help="where to make the files")
    parser.add_argument("--quick", action="store_true", help="600 images, one run")
    options = parser.parse_args()
    count, runs = (600, 1) if options.quick else (options.images, options.runs)
    data = Path(os.environ.get("AUFER_DATA", "."))
    if not (data / "web" / "images.zip").is_file():
        print("AUFER_DATA does not name the development data (web/images.zip)", file=sys.stderr)
        return 2
    if not hasattr(os, "sched_setaffinity"):
        print("this system binds no process to a core: all figures are of all cores")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="aufer-bench-") as name:
        folder = Path(name)
        make_photos(folder / "photos" / "happy", data, count)
        return 0 if measure(folder, count, runs, QUICK_SHARE if options.quick else 1.0) else 1


def measure(folder: Path, count: int, runs: int, share: float) -> bool:
    """All runs, in turn; whether every target is met."""
    photos = folder / "photos"
    found: dict[int, list[Run]] = {cores: [] for cores in RATES}
    ratios = []
    for turn in range(runs):
        for cores in RATES:
            with on_cores(cores):
                run = extract(photos, folder / f"out-{cores}-{turn}" / "aus.csv")
            found[cores].append(run)
            print(
                f"aufer extract, {cores} core(s): {run.rate:.1f} images/s, "
                f"{run.peak_mb:.0f} MB of all processes at most, "
                f"{run.n_measured} of {count} measured",
                flush=True,
            )
        with on_cores(1):
            plain = plain_rate(photos)
        ratios.append(found[1][-1].rate / plain)
        print(f"decoding and one cascade alone, 1 core: {plain:.1f} images/s", flush=True)
    print(f"images of aufer extract to each of these: {statistics.median(ratios):.2f}")
    with on_cores(1):
        parts = parts_ms(photos, min(count, VARIETY))
    print("milliseconds of one core:", ", ".join(f"{k} {v:.2f}" for k, v in parts.items()))
    n_least = min(run.n_measured for each in found.values() for run in each)
    rates = {cores: statistics.median(run.rate for run in each) for cores, each in found.items()}
    return all(
        [
            *(
                verdict(f"{cores} core(s), images/s", rates[cores], share * rate, at_least=True)
                for cores, rate in RATES.items()
            ),
            verdict("cutting and both networks, one face", parts["face"], FACE_MS, unit=" ms"),
            verdict(
                "memory of all processes, one core",
                max(run.peak_mb for run in found[1]),
                MEMORY_MB,
                unit=" MB",
            ),
            verdict("share measured", n_least / count, LEAST_MEASURED, at_least=True),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
