"""Prediction: faces a second, one face in a warm process, and `aufer predict` on long CSVs.

    python benchmarks/predict_speed.py [--data emotion.csv] [--rows 1000000] [--quick]

Faces a second depend on the machine; beside them stands the same network as bare NumPy products on
one core, and beside `aufer predict` pandas reading and writing the same CSV, in turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import Cost, run, verdict

RATE_OF_ONE, RATE_OF_FIVE = 300_000, 60_000
"""Faces a second of one dense model, and of five in one ONNX file."""

ONE_FACE_MS = 0.2
CSV_RATIO = 2.0
MEMORY_GROWTH = 1.1

WRITE_CSV = """
import sys
import numpy as np
import pandas as pd

source, target, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
faces = pd.read_csv(source).rename(columns=str.strip).drop(columns="emotion")
random = np.random.default_rng(0)
values = faces.to_numpy()[random.integers(0, len(faces), n)]
values = np.clip(values + random.normal(0, 0.05, values.shape), 0, 5).round(2)
pd.DataFrame(values, columns=faces.columns).to_csv(target, index=False)
"""

READ_AND_WRITE = """
import sys
import pandas as pd

pd.read_csv(sys.argv[1]).to_csv(sys.argv[2], index=False)
"""

INSIDE = """
import sys
import time
from pathlib import Path
import numpy as np
from aufer import bundle

model = bundle.read_bundle(Path(sys.argv[1]))
faces = np.random.default_rng(0).uniform(0, 5, (100_000, 17))
model.predict_proba(faces[:10])

def rate(answer):
    found = []
    for _ in range(5):
        started = time.perf_counter()
        answer(faces)
        found.append(len(faces) / (time.perf_counter() - started))
    return max(found)  # the others met somebody else on the core

def bare(values):
    for start in range(0, len(values), 2048):
        x = values[start : start + 2048].astype(np.float32)
        for kernel in kernels:
            x = np.maximum(x @ kernel, 0)

sizes = (17, 300, 200, 100, 50, 6)
kernels = [np.full(size, 0.01, dtype=np.float32) for size in zip(sizes, sizes[1:])]
print(rate(model.predict_proba), rate(bare))
for rows in (1, 64, 512, 1024, 2048, 4096, 16384, 100_000):
    bundle.ROWS_AT_ONCE = rows
    if rows == 1:
        started = time.perf_counter()
        for face in range(2000):
            model.predict_proba(faces[face : face + 1])
        print((time.perf_counter() - started) / 2)
    else:
        print(rows, rate(model.predict_proba))
"""


def inside(name: str, model: Path, members: int, target: float) -> bool:
    """Measure one model in a warm process of its own, one core; print and judge."""
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, str(model)],
        check=True,
        capture_output=True,
        text=True,
        env=one_core,
    )
    first, one_face, *by_size = done.stdout.splitlines()
    ours, bare = map(float, first.split())
    met = verdict(f"{name}, faces a second", ours, target, at_least=True)
    print(f"  {members * ours / bare:.2f} times the rate of bare NumPy products of these sizes")
    for line in by_size:
        rows, rate = line.split()
        print(f"  {rows:>6} faces a call: {float(rate):9,.0f} a second")
    return verdict(f"{name}, one face", float(one_face), ONE_FACE_MS, unit=" ms") and met


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("AUFER_DATA", ".")) / "reference" / "emotion.csv"
    parser.add_argument("--data", type=Path, default=default, help="the reference's emotion.csv")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    options = parser.parse_args()
    rounds = 2 if options.quick else 4
    aufer = [sys.executable, "-m", "aufer"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, five = folder / "one", folder / "five"
        for model, words in ((one, []), (five, ["--ensemble", "5"])):
            train = ["train", str(options.data), "--epochs", "2", "--out", str(model), *words]
            subprocess.run([*aufer, *train], check=True, capture_output=True)
        met = inside("one dense model", one, 1, RATE_OF_ONE)
        met = inside("five dense models", five, 5, RATE_OF_FIVE) and met
        csv, short, copy = folder / "faces.csv", folder / "short.csv", folder / "copy.csv"
        for path, n in ((csv, options.rows), (short, options.rows // 10)):
            source = [str(options.data), str(path), str(n)]
            subprocess.run([sys.executable, "-c", WRITE_CSV, *source], check=True)
        predict = [*aufer, "predict", str(csv), "--model", str(one)]
        pandas = [sys.executable, "-c", READ_AND_WRITE, str(csv), str(copy)]
        ratios = []
        costs: list[tuple[Cost, Cost]] = []
        for number in range(rounds):
            # each goes first as often
            pair = (predict, pandas) if number % 2 else (pandas, predict)
            measured = {id(command): run(command) for command in pair}
            costs.append((measured[id(predict)], measured[id(pandas)]))
            ratios.append(costs[-1][0].wall_s / costs[-1][1].wall_s)
        print(f"aufer predict, {options.rows:,} rows: {costs[-1][0]}")
        print(f"pandas, read and write them: {costs[-1][1]}")
        met = verdict("ratio, median of the rounds", statistics.median(ratios), CSV_RATIO) and met
        of_short = run([*aufer, "predict", str(short), "--model", str(one)])
        print(f"aufer predict, {options.rows // 10:,} rows: {of_short}")
        growth = max(ours.peak_mb for ours, _ in costs) / of_short.peak_mb
        met = verdict("memory, all rows to a tenth of them", growth, MEMORY_GROWTH) and met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
