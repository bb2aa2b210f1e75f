"""Whole processes of `predict` and `evaluate` (with its report) on the reference dataset.

    python benchmarks/predict_cost.py [--data emotion.csv] [--runs 7] [--quick]

Seconds depend on the machine; the ratio to `python -c "import pandas"` beside them doesn't.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import run, verdict

TARGETS = {"predict": (1.0, 180.0), "evaluate": (4.0, 450.0)}
"""Seconds and MB of the whole process."""


def main() -> int:
    """Print the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("AUFER_DATA", ".")) / "reference" / "emotion.csv"
    parser.add_argument("--data", type=Path, default=default, help="the reference's emotion.csv")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="three runs")
    options = parser.parse_args()
    runs = 3 if options.quick else options.runs
    aufer = [sys.executable, "-m", "aufer"]
    with tempfile.TemporaryDirectory() as folder:
        model, report = str(Path(folder) / "model"), str(Path(folder) / "report")
        train = [*aufer, "train", str(options.data), "--epochs", "3", "--out", model]
        subprocess.run(train, check=True, capture_output=True)
        commands = {
            "import pandas": [sys.executable, "-c", "import pandas"],
            "predict": [*aufer, "predict", str(options.data), "--model", model],
            "evaluate": [
                *(*aufer, "evaluate", "--testset", str(options.data)),
                *("--model", model, "--out", report),
            ],
        }
        costs: dict[str, list] = {name: [] for name in commands}
        for number in range(runs + 1):
            for name, command in commands.items():
                cost = run(command)
                if number:  # the first round fills the disk cache
                    costs[name].append(cost)
    base = statistics.median(c.wall_s for c in costs["import pandas"])
    met = True
    for name, measured in costs.items():
        wall = statistics.median(c.wall_s for c in measured)
        memory = max(c.peak_mb for c in measured)
        print(f"{name}: {wall:.2f} s, {wall / base:.1f} times `import pandas`, {memory:.0f} MB")
        if name in TARGETS:
            seconds, megabytes = TARGETS[name]
            met = verdict(f"  {name}, time", wall, seconds, unit=" s") and met
            met = verdict(f"  {name}, memory", memory, megabytes, unit=" MB") and met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
