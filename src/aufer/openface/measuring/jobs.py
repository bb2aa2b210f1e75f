"""How many OpenFace processes a machine carries, and how much memory each may take."""

from __future__ import annotations

from aufer.openface.engine import Capacity

MEMORY_PER_JOB = 1 << 30
"""Bytes. One process takes 180 MB, and 1 GB for a picture of 24 megapixels (measured)."""

_SHARE = 0.8
"""Of the machine's memory; the rest is for us and everybody else."""


def choose_jobs(wanted: int, capacity: Capacity, n_images: int) -> int:
    """The number of processes: as wanted, or one for each core that has the memory for it."""
    by_memory = int(_SHARE * capacity.memory_bytes) // MEMORY_PER_JOB
    carried = min(capacity.cpus, by_memory) if capacity.memory_bytes else capacity.cpus
    return max(1, min(wanted or max(1, carried), n_images))


def choose_memory(wanted: int, capacity: Capacity, jobs: int) -> int:
    """The limit of each of so many processes in bytes: as wanted, or its share of the machine's."""
    return wanted or int(_SHARE * capacity.memory_bytes) // jobs


def choose_staging_threads(capacity_here: int, jobs: int) -> int:
    """How many threads check pictures: the cores that OpenFace leaves, one for each four jobs."""
    return max(1, min(8, max(capacity_here - jobs, -(-jobs // 4))))
