"""Whose fault is it that pictures die: their own, or the engine's?

A picture is recorded as crashed for good, so an engine that is broken, or that breaks midway, must
not be taken for pictures that are bad. What settles it is a control: a picture that the same engine
measured before.
"""

from __future__ import annotations

from collections.abc import Callable

from aufer.errors import AuferError, EnvironmentFailure
from aufer.openface.engine import EngineRun
from aufer.openface.measuring.call_log import ALONE_AGAIN
from aufer.openface.measuring.deaths import SEE_COMMANDS, is_silent, no_hope

HOPELESS = 20
"""So many pictures that die alone before a single one is measured are the engine's fault."""

SUSPICIOUS = 3
"""So many deaths before the program even looked at a picture, or of all pictures there are."""

CONTROL_EVERY = 10
"""So many pictures are called crashed, at most, until the engine has to measure a control."""


class Blame:
    """Keeps count of what was measured and what died."""

    def __init__(
        self, n_images: int, n_measured: int, try_control: Callable[[], bool | None]
    ) -> None:
        """Start counting.

        Args:
            n_measured: by the same extractor in earlier runs.
            try_control: measures a picture that was measured before; None if there is none.
        """
        self._enough = min(SUSPICIOUS, n_images)
        self._n_measured = n_measured
        self._try_control = try_control
        self._died: set[str] = set()
        self._n_silent = self._n_since_control = 0

    @property
    def has_measured(self) -> bool:
        """Whether the engine is known to work."""
        return self._n_measured > 0

    def measured(self) -> None:
        """A picture was measured."""
        self._n_measured += 1
        self._n_silent = 0

    def died_alone(self, image: str, why: str, run: EngineRun | None, reason: str) -> None:
        """A picture died alone, or its CSV can't be used (then there is no ``run`` to look at).

        Raises:
            EnvironmentFailure: it is the engine's fault. AuferError: none of its CSVs is of use.
        """
        self._died.add(image)
        self._n_silent += run is not None and is_silent(run)
        if not self._n_measured:
            self._check_never_measured(why, run, reason)
        elif self._n_silent >= SUSPICIOUS or (why == ALONE_AGAIN and not self._n_since_control):
            if self._try_control() is False:
                raise EnvironmentFailure(
                    f"OpenFace does not measure any more what it measured before; the last to die "
                    f"was {image} ({reason}).",
                    hint="is there enough memory, and is the engine well? What was measured is "
                    f"kept, and no image is blamed. {SEE_COMMANDS}",
                )
            self._n_silent = 0
        if why == ALONE_AGAIN:
            self._n_since_control = (self._n_since_control + 1) % CONTROL_EVERY

    def _check_never_measured(self, why: str, run: EngineRun | None, reason: str) -> None:
        all_die = why == ALONE_AGAIN and len(self._died) >= SUSPICIOUS
        if run is None:
            if len(self._died) >= self._enough:
                raise AuferError(
                    f"None of the CSVs that OpenFace wrote can be used: {reason}.",
                    hint="check --openface-args, and the disk's free space",
                )
        elif self._n_silent >= self._enough or len(self._died) >= HOPELESS or all_die:
            raise no_hope(run, self._died)
