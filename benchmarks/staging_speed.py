"""Checking pictures and handing them over: images a second on one core, and two threads on two.

640x480 JPEGs (smooth noise, quality 90, as large as photos) are checked, hashed and linked; 48x48
ones are checked, hashed and enlarged to 192. The figures are of cores, not of disks: the files lie
in memory where the system has a place for that. (On ext4 a new file costs 0.3-0.7 ms of CPU instead
of 0.03 while many others were deleted near it within the last minutes.)

    python benchmarks/staging_speed.py [--images 2000] [--runs 3] [--folder DIR] [--quick]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from measuring import verdict

from aufer.openface.staging import check_picture, hand_over, staged_stem
from aufer.openface.ways import ENLARGE_AUTO, ways_for

TARGETS = {(640, 480): 300.0, (48, 48): 600.0}
"""Images a second and core, by width and height."""

VARIETY = 200
"""So many pictures differ; further ones are copies of their files (another name, same work)."""


IN_MEMORY = Path("/dev/shm")


def make_pictures(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """JPEGs like photos: smooth noise, and a finer one for the grain."""
    rng = np.random.default_rng(0)
    width, height = size
    coarse_size = (max(3, height // 40), max(4, width // 40), 3)
    folder.mkdir()
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    contents = []
    for number, path in enumerate(paths):
        if number < VARIETY:
            coarse = rng.uniform(0, 255, coarse_size)
            values = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
            values += cv2.resize(rng.normal(0, 8, (height // 2, width // 2, 3)), size)
            pixels = values.clip(0, 255).astype(np.uint8)
            contents.append(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])
        path.write_bytes(contents[number % VARIETY])
    mean = sum(map(len, contents)) / len(contents)
    print(f"{count} JPEGs of {width}x{height}, {mean / 1000:.1f} kB on average")
    return paths


def stage(path: Path, folder: Path) -> None:
    """What `aufer extract` does with a picture before OpenFace sees it."""
    checked = check_picture(path)
    assert checked.width is not None
    assert checked.height is not None
    way = ways_for(checked.width, checked.height, ENLARGE_AUTO, 1)[0]
    hand_over(path, way, folder, staged_stem(path.name, checked.sha256), stamp=checked.stamp)


def rate(paths: list[Path], threads: int) -> tuple[float, float]:
    """Images a second with so many threads, and images a second of CPU time."""
    with tempfile.TemporaryDirectory(dir=paths[0].parents[1]) as name:
        folders = [Path(name, str(number)) for number in range(-(-len(paths) // VARIETY))]
        for folder in folders:  # as batches have folders of their own
            folder.mkdir()
        targets = [folders[number // VARIETY] for number in range(len(paths))]
        with ThreadPoolExecutor(threads) as pool:
            started, cpu_before = time.perf_counter(), time.process_time()
            for _ in pool.map(stage, paths, targets, chunksize=1):
                pass
            cpu_s, wall_s = time.process_time() - cpu_before, time.perf_counter() - started
    return len(paths) / wall_s, len(paths) / cpu_s


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3, help="the best counts")
    default = IN_MEMORY if IN_MEMORY.is_dir() else None
    parser.add_argument("--folder", type=Path, default=default, help="where to make the files")
    parser.add_argument("--quick", action="store_true", help="400 images")
    options = parser.parse_args()
    count = 400 if options.quick else options.images
    can_pin = hasattr(os, "sched_setaffinity")
    cores = sorted(os.sched_getaffinity(0)) if can_pin else []
    met = True
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for size, target in TARGETS.items():
            paths = make_pictures(Path(name, f"{size[0]}"), size, count)
            rate(paths[:100], 2)  # imports
            if can_pin:
                os.sched_setaffinity(0, cores[:1])
            alone, of_cpu = map(
                max, zip(*(rate(paths, 1) for _ in range(options.runs)), strict=True)
            )
            if can_pin:
                os.sched_setaffinity(0, cores[:2])
            both, _ = map(max, zip(*(rate(paths, 2) for _ in range(options.runs)), strict=True))
            if can_pin:
                os.sched_setaffinity(0, cores)
            what = f"{size[0]}x{size[1]}, a core's CPU time"  # others may use the core too
            met = verdict(what, of_cpu, target, unit=" images/s", at_least=True) and met
            print(f"one thread on one core: {alone:.0f} images/s by the clock")
            print(f"two threads on two cores: {both:.0f} images/s, {both / alone:.2f} times one")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
