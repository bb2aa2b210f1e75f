"""Which pictures lie ready, and how many go into one run of OpenFace.

Small batches first, so that OpenFace starts at once; large ones then, since each run costs its
start; and towards the end shares that let all jobs end together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

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
        self._smallest = min(SMALLEST_SHARE, -(-n_images // jobs))

    def goal(self, n_left: int, n_free: int = 0) -> int:
        """How many to wait for.

        Args:
            n_left: pictures not yet given to OpenFace.
            n_free: jobs among which to divide them, if all of them lie ready; else 0.
        """
        rounds = self._n_batches // self._jobs
        grown = min(LARGEST, FIRST * GROWTH ** min(rounds, 8))
        share = n_left if self._jobs == 1 else -(-n_left * 2 // (3 * self._jobs))
        smallest = min(SMALLEST_SHARE, -(-n_left // n_free)) if n_free else self._smallest
        return max(1, min(grown, max(share, smallest)))

    def took_one(self) -> None:
        """A batch was started."""
        self._n_batches += 1

    def has_room(self, ready: ReadyQueue) -> bool:
        """Whether more pictures may be made ready."""
        return len(ready) < self._jobs * LARGEST and ready.n_bytes < ROOM_BYTES


class ReadyQueue:
    """Names of files that lie ready for OpenFace, and their bytes."""

    def __init__(self) -> None:
        self._files: deque[str] = deque()
        self._bytes: dict[str, int] = {}
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    def append(self, file: str, size: int) -> None:
        """A file of so many bytes lies ready."""
        self._bytes[file] = size
        self._files.append(file)
        self.n_bytes += size

    def put_back(self, files: Iterable[str]) -> None:
        """Files that were taken are to be taken again, first of all."""
        for file in reversed([*files]):
            self._files.appendleft(file)
            self.n_bytes += self._bytes[file]

    def take(self, n: int, *, others: bool = False) -> list[str]:
        """The next files, ``n`` at most; of ``others``, half of them, those that came last."""
        if others:
            n = min(n, -(-len(self._files) // 2))
            taken = [self._files.pop() for _ in range(n)]
        else:
            taken = [self._files.popleft() for _ in range(min(n, len(self._files)))]
        self.n_bytes -= sum(self._bytes[file] for file in taken)
        return taken

    def forget(self, file: str) -> None:
        """A file that was taken won't come back."""
        self._bytes.pop(file, None)
