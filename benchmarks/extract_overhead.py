"""What `aufer extract` costs beside OpenFace's own command over the same photos.

Whole processes: `aufer` also starts, checks and hashes each photo, hands it over, keeps what
OpenFace wrote in its store, and writes the table, OpenFace's files and the report. OpenFace is the
tests' stand-in, burning 20 ms of CPU a photo (and as long again in the small processes that it
starts); one process of it, on two cores. It gets the photos (640x480 JPEGs) in one flat folder.

Both are run in turn, a bare run before and after each of ours; the ratio is to the mean of the two.

    python benchmarks/extract_overhead.py [--images 5000] [--runs 2] [--folder DIR] [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from extraction import STAND_IN, bare, burn, extract, flat_links, make_photos
from measuring import run, verdict

from aufer.openface.measuring.call_log import read_calls

BURN_MS = 20
TARGET = 8.0
"""Percent."""

QUICK_TARGET = 20.0
"""Percent, of few photos: start, table and report take the same two seconds as with many."""


def main() -> int:
    """Print the figures; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=2, help="of aufer; one more of OpenFace alone")
    parser.add_argument("--folder", type=Path, help="where to make the files")
    parser.add_argument("--quick", action="store_true", help="600 images, one run")
    options = parser.parse_args()
    count, runs = (600, 1) if options.quick else (options.images, options.runs)
    target = QUICK_TARGET if options.quick else TARGET
    burn(BURN_MS)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="aufer-bench-") as name:
        folder = Path(name)
        # none is removed before the end: that would slow down what comes next
        fresh = (folder / f"out-{number}" for number in range(2 * runs + 1))
        flat = flat_links(make_photos(folder / "photos", (640, 480), count), folder / "flat")

        def alone() -> float:
            output = next(fresh)
            cost = run(bare(flat, output))
            assert len(list(output.glob("*_of_details.txt"))) == count
            print(f"OpenFace alone: {cost}", flush=True)
            return cost.wall_s

        def ours() -> float:
            out = next(fresh) / "aus.csv"
            cost = run(extract(folder / "photos", out, str(STAND_IN), "--jobs", "1"))
            assert len(out.read_bytes().splitlines()) == count + 1
            calls = read_calls(out.parent / "extraction" / "engine-calls.jsonl")
            openface_s = sum(call.seconds for call in calls)
            print(
                f"aufer extract:  {cost}; OpenFace's {len(calls)} runs {openface_s:.2f} s",
                flush=True,
            )
            return cost.wall_s

        before, percents = alone(), []
        for _ in range(runs):
            took, after = ours(), alone()
            percents.append(100 * (2 * took / (before + after) - 1))
            print(f"overhead: {percents[-1]:.1f} %", flush=True)
            before = after
    met = verdict(f"overhead over {count} photos", statistics.median(percents), target, unit=" %")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
