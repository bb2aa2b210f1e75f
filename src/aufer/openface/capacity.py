"""What this machine has for OpenFace, as far as this process may use it."""

from __future__ import annotations

import math
import os
from pathlib import Path

from aufer.openface.engine import Capacity

CGROUPS = Path("/sys/fs/cgroup")
"""Where a container, or a job of a batch system, sees its limits; there is none but in Linux."""


def local_capacity() -> Capacity:
    """The processors and the free memory of this process: affinity and control group included."""
    import psutil

    if hasattr(os, "sched_getaffinity"):  # not in macOS and Windows
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    quota = _cpu_quota()
    memory = psutil.virtual_memory().available
    left = _memory_left()
    return Capacity(
        cpus=cpus if quota is None else max(1, min(cpus, math.ceil(quota))),
        memory_bytes=memory if left is None else max(1, min(memory, left)),
    )


def _cpu_quota() -> float | None:
    """Processors' time per time that the control group allows; None without a limit."""
    words = _read("cpu.max").split() or [
        _read("cpu/cpu.cfs_quota_us"),
        _read("cpu/cpu.cfs_period_us"),
    ]
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None  # "max", or -1 in the first version
    return int(words[0]) / int(words[1])


def _memory_left() -> int | None:
    """Bytes that the control group may still take; None without a limit.

    What it keeps of files that were read is not counted as taken: it is given up for programs.
    """
    for limit, taken, files in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        words = (_read(limit), _read(taken))
        if all(word.isdecimal() for word in words):
            kept = dict(line.split(" ", 1) for line in _read(files).splitlines() if " " in line)
            of_files = sum(int(kept.get(f"{kind}_file", 0)) for kind in ("active", "inactive"))
            return int(words[0]) - int(words[1]) + of_files
    return None


def _read(name: str) -> str:
    try:
        return (CGROUPS / name).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
