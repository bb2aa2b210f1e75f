"""How a long job tells how far it is, without knowing of terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Step = Callable[[int], None]
"""Says that so many more units are done."""


class Progress(Protocol):
    """Opens a count of ``total`` units of work ``what``; gives the function that steps on."""

    def __call__(
        self, total: int, what: str, unit: str = "image"
    ) -> AbstractContextManager[Step]: ...


@contextmanager
def no_progress(total: int, what: str, unit: str = "image") -> Iterator[Step]:
    """A progress that tells nobody."""
    yield lambda n: None
