"""Whole processes: wall-clock seconds and peak memory, as the system accounts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a finished process took, with the children that it waited for.

    Attributes:
        wall_s: seconds by the clock.
        peak_mb: resident memory in MB (10^6 bytes) of the largest one among them, not their sum.
            At least what the process that started them has: a benchmark should stay small itself.
        cpu_s: seconds of CPU time, user and system.
    """

    wall_s: float
    peak_mb: float
    cpu_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} s ({self.cpu_s:.2f} s of CPU), {self.peak_mb:.0f} MB at most"


def run(command: list[str]) -> Cost:
    """Run a process to its end, its output thrown away; raise if it fails."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{said}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    return Cost(wall_s, usage.ru_maxrss * unit / 1e6, usage.ru_utime + usage.ru_stime)


def verdict(
    name: str, value: float, target: float, *, unit: str = "", at_least: bool = False
) -> bool:
    """Print one line with the figure and its target; whether the target is met."""
    met = value >= target if at_least else value <= target
    word = "at least" if at_least else "at most"
    print(
        f"{name}: {value:.2f}{unit} (target {word} {target:g}{unit}) {'met' if met else 'MISSED'}"
    )
    return met
