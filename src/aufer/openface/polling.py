"""How long to wait between two looks at something that runs."""

from __future__ import annotations

from collections.abc import Iterator

LONGEST_S = 0.2
"""Five looks a second: smooth for a progress bar, and nothing next to the work itself."""


def pauses(longest_s: float = LONGEST_S) -> Iterator[float]:
    """Endless pauses in seconds: short ones first, so that a short run isn't waited for."""
    pause_s = min(0.01, longest_s)
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)
