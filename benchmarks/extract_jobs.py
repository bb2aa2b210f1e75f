"""Two OpenFace processes on two cores against one: how much sooner `aufer extract` is done.

Whole processes. OpenFace is the tests' stand-in, burning 20 ms of CPU a photo. It starts a handful
of small processes for each photo, so one of it keeps more than one core busy at times; and two
cores are no twice one where they share a memory or others use them. What this machine makes of it
is measured too: OpenFace's own command over all photos, against two at once over half each. The
photos are 200x150 JPEGs.

    python benchmarks/extract_jobs.py [--images 3000] [--runs 3] [--folder DIR] [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from extraction import STAND_IN, bare, burn, extract, flat_links, make_photos
from measuring import run, verdict

BURN_MS = 20
TARGET = 1.7

QUICK_TARGET = 1.4
"""Of few photos: start, table and report take two seconds with either number of jobs."""


def main() -> int:
    """Print the figures; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to make the files")
    parser.add_argument("--quick", action="store_true", help="500 images, one run")
    options = parser.parse_args()
    n_images, runs = (500, 1) if options.quick else (options.images, options.runs)
    burn(BURN_MS)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="aufer-bench-") as name:
        folder = Path(name)
        # none is removed before the end: that would slow down what comes next
        fresh: Iterator[Path] = (folder / f"out-{number}" for number in count())
        paths = make_photos(folder / "photos", (200, 150), n_images)
        halves = [flat_links(paths[part::2], folder / f"half-{part}") for part in (0, 1)]
        flat = flat_links(paths, folder / "flat")

        def ours(jobs: int) -> float:
            out = next(fresh) / "aus.csv"
            cost = run(extract(folder / "photos", out, str(STAND_IN), "--jobs", str(jobs)))
            assert len(out.read_bytes().splitlines()) == n_images + 1
            print(f"aufer extract, {jobs} jobs: {cost}", flush=True)
            return cost.wall_s

        def alone(*folders: Path) -> float:
            with ThreadPoolExecutor(len(folders)) as threads:
                commands = [bare(each, next(fresh)) for each in folders]
                wall_s = max(cost.wall_s for cost in threads.map(run, commands))
            print(f"OpenFace alone, {len(folders)} at once: {wall_s:.2f} s", flush=True)
            return wall_s

        gains, ceilings = [], []
        for _ in range(runs):
            ceilings.append(alone(flat) / alone(*halves))
            gains.append(ours(1) / ours(2))
            print(f"gain {gains[-1]:.2f}, of OpenFace alone {ceilings[-1]:.2f}", flush=True)
    gain, target = statistics.median(gains), QUICK_TARGET if options.quick else TARGET
    print(f"gain of OpenFace alone, the most that can be: {statistics.median(ceilings):.2f}")
    return 0 if verdict("gain of two jobs", gain, target, at_least=True) else 1


if __name__ == "__main__":
    sys.exit(main())
