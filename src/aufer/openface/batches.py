"""How many pictures go into one run of OpenFace.

Small batches first, so that OpenFace starts at once; large ones then, since each run costs its
start; and towards the end shares that let all jobs end together.
"""

from __future__ import annotations

FIRST = 64
GROWTH = 4
LARGEST = 1000
"""Half a minute of work, next to which a start of half a second is nothing."""

SMALLEST_SHARE = 64
ROOM_BYTES = 256 << 20
"""So much may lie ready: enough for any batch of usual photos, and no burden for a disk."""


class BatchSizes:
    """The sizes for one job of work."""

    def __init__(self, jobs: int, n_images: int) -> None:
        self._jobs = jobs
        self._n_batches = 0
        self._smallest = max(1, min(SMALLEST_SHARE, -(-n_images // jobs)))

    def goal(self, n_left: int) -> int:
        """How many to wait for, with so many not yet given to OpenFace."""
        rounds = self._n_batches // self._jobs
        grown = min(LARGEST, FIRST * GROWTH ** min(rounds, 8))
        share = n_left if self._jobs == 1 else -(-n_left * 2 // (3 * self._jobs))
        return max(1, min(grown, max(share, self._smallest)))

    def took_one(self) -> None:
        """A batch was started."""
        self._n_batches += 1

    def has_room(self, n_ready: int, ready_bytes: int) -> bool:
        """Whether more pictures may be made ready."""
        return n_ready < self._jobs * LARGEST and ready_bytes < ROOM_BYTES
