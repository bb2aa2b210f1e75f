"""Merging OpenFace CSVs: `aufer`'s reader beside the reference project's way.

The reference's way is `pd.concat` in a loop with `pd.read_csv`: each file costs more than the one
before. 23,100 files are real ones (the bundled sample, copied under new names), 179 columns each.

    python benchmarks/merge_csvs.py [--files 23100] [--quick]

`--quick` runs the reference's way on the first 3,000 files only and extrapolates nothing: both are
measured on those; `aufer` on all files too, for its linearity.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from measuring import verdict

from aufer.emotions import Emotions
from aufer.openface.imported import read_openface_folder
from aufer.openface.output import read_face_csvs
from aufer.shipped import sample_folder

TARGET = 60.0
QUICK_FILES = 3_000


def reference_way(paths: list[Path]) -> pd.DataFrame:
    """As the reference project merges: one table that grows by one file at a time."""
    merged = pd.DataFrame()
    for path in paths:
        merged = pd.concat([merged, pd.read_csv(path)])
    return merged


def timed(work, *arguments: object) -> tuple[float, object]:
    """Seconds that a call took, and what it gave."""
    started = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - started, result


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=23_100)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    sources = sorted((sample_folder() / "train").rglob("*.csv"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = []
        for number in range(options.files):
            source = sources[number % len(sources)]
            path = folder / source.parent.name / f"{number:05}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(source.read_bytes())
            details = source.with_name(f"{source.stem}_of_details.txt")
            path.with_name(f"{path.stem}_of_details.txt").write_bytes(details.read_bytes())
            paths.append(path)
        read_face_csvs(paths[:100])
        counts = [options.files // 4, options.files // 2, options.files]
        seconds = [timed(read_face_csvs, paths[:count])[0] for count in counts]
        for count, took in zip(counts, seconds, strict=True):
            print(f"aufer, {count} files: {took:.2f} s, {1e6 * took / count:.0f} us a file")
        linear = (seconds[2] / counts[2]) / (seconds[0] / counts[0])
        took, table = timed(read_openface_folder, folder, Emotions())
        print(f"aufer, whole import of {len(table)} images (names, details, faces): {took:.2f} s")
        shared = paths[:QUICK_FILES] if options.quick else paths
        ours, faces = timed(read_face_csvs, shared)
        theirs, merged = timed(reference_way, shared)
        assert len(merged) == len(faces.frame)
        same = merged["AU12_r"].to_numpy() == faces.frame["AU12_r"].to_numpy()
        assert same.all(), "the two ways disagree"
        print(f"{len(shared)} files: aufer {ours:.2f} s, the reference's way {theirs:.1f} s")
        met = verdict("cost of a file, all against a quarter of them", linear, 1.3)
        target = TARGET if not options.quick else 20.0  # the reference's way grows with the square
        return 0 if verdict("ratio", theirs / ours, target, at_least=True) and met else 1


if __name__ == "__main__":
    sys.exit(main())
