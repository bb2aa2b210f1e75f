"""Reasons of single faces: exact Shapley values, all emotions at once, against all AUs 0.

    python benchmarks/shapley_speed.py [--data emotion.csv] [--faces 1000] [--quick]

One core; judged by its seconds of CPU, which are those of the clock where nobody else works. A
face's cost is the model's: 2^m rows, where m AUs differ from the baseline. Beside the seconds
stands how many times longer it takes than the model itself for as many rows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import verdict

DENSE_FACE_S, DENSE_FACES_S, SLOW_FACE_S = 0.5, 60.0, 10.0

INSIDE = """
import sys
import time
from pathlib import Path
import numpy as np
from aufer.bundle import read_bundle
from aufer.dataset import read_dataset
from aufer.explaining.outputs import value_of
from aufer.explaining.shapley import exact_shares

model = read_bundle(Path(sys.argv[1]))
faces = read_dataset(Path(sys.argv[2])).aus.to_numpy(dtype=np.float32)
n_faces = int(sys.argv[3])
value = value_of(model)
base = np.zeros(faces.shape[1], dtype=np.float32)
differ = (faces > 0).sum(axis=1)
worst = np.random.default_rng(0).uniform(0.1, 5, (1, faces.shape[1])).astype(np.float32)
usual = faces[np.argsort(differ, kind="stable")[len(faces) // 2]][None]
rng = np.random.default_rng(1)
many = faces[rng.choice(len(faces), n_faces, replace=False)] if n_faces else faces[:0]
value(faces[:10])

def seconds(work):
    started, of_cpu = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - started, time.process_time() - of_cpu, found

for name, asked, rounds in (("worst", worst, 5), ("usual", usual, 5), ("many", many, 1)):
    if not len(asked):
        continue
    measured = [seconds(lambda: exact_shares(value, asked, base)) for _ in range(rounds)]
    took, cpu, found = min(measured, key=lambda each: each[0])  # others met somebody on the core
    gap = np.abs(found.shares.sum(axis=1) - found.at_face + found.at_baseline).max()
    rows = np.repeat(faces, -(-min(found.n_rows, 400_000) // len(faces)), axis=0)
    _, bare, _ = seconds(lambda: model.predict_proba(rows))
    print(name, measured[0][0], took, cpu, found.n_rows, cpu / found.n_rows / bare * len(rows), gap)
"""


def measure(kind: str, model: Path, data: Path, n_faces: int) -> dict[str, float]:
    """Print what a kind takes, and give the seconds of CPU by what was asked."""
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, str(model), str(data), str(n_faces)],
        check=True,
        capture_output=True,
        text=True,
        env=one_core,
    )
    seconds = {}
    for line in done.stdout.splitlines():
        name, *numbers = line.split()
        first, took, cpu, rows, ratio, gap = map(float, numbers)
        seconds[name] = cpu
        title = {"worst": "a face of 17 AUs", "usual": "a usual face"}.get(name)
        title = title or f"{n_faces:,} faces"
        print(
            f"{kind}, {title}: {took:.3f} s (at first {first:.3f}), {cpu:.3f} s of CPU, "
            f"{rows:,.0f} rows, {ratio:.2f} times the model's own; they add up to {gap:.0e}"
        )
    return seconds


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("AUFER_DATA", ".")) / "reference" / "emotion.csv"
    parser.add_argument("--data", type=Path, default=default, help="the reference's emotion.csv")
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the faces")
    options = parser.parse_args()
    n_faces = options.faces // 10 if options.quick else options.faces
    met = True
    with tempfile.TemporaryDirectory() as name:
        for kind in ("dense", "logistic", "svm", "trees"):
            model = Path(name) / kind
            words = ["--epochs", "2"] if kind == "dense" else []
            train = ["train", str(options.data), "--kind", kind, "--out", str(model), *words]
            subprocess.run([sys.executable, "-m", "aufer", *train], check=True, capture_output=True)
            is_fast = kind in ("dense", "logistic")
            seconds = measure(kind, model, options.data, n_faces if is_fast else 0)
            if is_fast:
                target = DENSE_FACES_S * n_faces / 1000
                title = f"{kind}, {n_faces:,} faces"
                met = verdict(title, seconds["many"], target, unit=" s of CPU") and met
            target = DENSE_FACE_S if is_fast else SLOW_FACE_S
            met = verdict(f"{kind}, one face", seconds["worst"], target, unit=" s of CPU") and met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
