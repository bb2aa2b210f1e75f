"""Runs the benchmarks one after the other: `make bench` (quick), `make bench-long`.

Exit code 1 if a target was missed. Development data: AUFER_DATA; a benchmark that needs them and
does not find them says so and is passed over.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent

BENCHMARKS: dict[str, bool] = {
    "startup.py": False,
    "merge_csvs.py": False,
    "staging_speed.py": False,
    "extract_overhead.py": False,
    "extract_jobs.py": False,
    "second_run.py": False,
    "predict_cost.py": True,
    "predict_speed.py": True,
    "train_cost.py": True,
    "reference_recipe.py": True,
    "accuracy.py": True,
    "fer2013.py": True,
    "cv_cost.py": True,
    "shapley_speed.py": True,
    "compare_speed.py": False,
    "cnn.py": True,
    "live_speed.py": True,
    "face_margin.py": True,
    "au_net.py": True,
    "au_net_speed.py": True,
    "au_net_robustness.py": True,
    "au_net_confidence.py": True,
}
"""Each script, and whether it needs the development data."""

LONG_ONLY = {"chaos.py": False, "ablation.py": True, "live_soak.py": False}
"""Those of half an hour and more."""


def main() -> int:
    """Run them all, quick or long."""
    quick = ["--quick"] if sys.argv[1:] == ["quick"] else []
    missed = []
    for name, needs_data in (BENCHMARKS if quick else BENCHMARKS | LONG_ONLY).items():
        print(f"\n== {name} {' '.join(quick)}", flush=True)
        if needs_data and not os.environ.get("AUFER_DATA"):
            print("passed over: AUFER_DATA does not name the development data")
            continue
        if subprocess.run([sys.executable, str(FOLDER / name), *quick], check=False).returncode:
            missed.append(name)
    print("\n" + (f"targets missed: {', '.join(missed)}" if missed else "all targets met"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
