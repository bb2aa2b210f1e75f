"""`aufer --help` beside `python -c "import click"`, whole processes in turn.

python benchmarks/startup.py [--runs 15] [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from measuring import run, verdict

TARGET = 3.0


def main() -> int:
    """Print the figures; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="five runs")
    options = parser.parse_args()
    script = Path(sys.executable).with_name("aufer")
    ours = [str(script), "--help"] if script.exists() else [sys.executable, "-m", "aufer", "--help"]
    click = [sys.executable, "-c", "import click"]
    run(ours), run(click)
    pairs = [(run(click), run(ours)) for _ in range(5 if options.quick else options.runs)]
    for name, costs in zip(("import click", "aufer --help"), zip(*pairs, strict=True), strict=True):
        print(f"{name}: median {statistics.median(c.wall_s for c in costs) * 1000:.0f} ms")
    ratio = statistics.median(ours.wall_s / bare.wall_s for bare, ours in pairs)
    return 0 if verdict("ratio", ratio, TARGET) else 1


if __name__ == "__main__":
    sys.exit(main())
