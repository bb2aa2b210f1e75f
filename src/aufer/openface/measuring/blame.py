"""Whose fault is it that pictures die: their own, or the engine's?

A picture is recorded as crashed for good, so an engine that is broken, or that breaks midway, must
not be taken for pictures that are bad. What died twice alone is therefore only *condemned*; it is
recorded when, after that, the engine still measures a *control*: a picture that it measured before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aufer.errors import AuferError, EnvironmentFailure
from aufer.openface.engine import EngineRun
from aufer.openface.measuring.call_log import ALONE_AGAIN
from aufer.openface.measuring.deaths import SEE_COMMANDS, is_silent, no_hope
from aufer.openface.measuring.running import Outcome
from aufer.openface.measuring.subject import Subject
from aufer.openface.store import Limits, Look
from aufer.openface.ways import Way

HOPELESS = 20
"""So many pictures that die alone while none was ever measured are the engine's fault."""

SUSPICIOUS = 3
"""So many deaths before the program even looked at a picture, or of all pictures there are."""

ON_TRIAL = 20
"""So many condemned pictures don't wait for the end: a kill would cost their runs again."""

_MOST_CONTROLS = 3


class Blame:
    """Keeps what died and what was measured.

    Attributes:
        condemned: pictures that died twice alone, and the looks that would be recorded.
    """

    def __init__(self, n_images: int) -> None:
        self._enough = min(SUSPICIOUS, n_images)
        self._controls: list[Subject] = []  # the smallest first: they need least memory and time
        self._died: set[str] = set()
        self._bad_csvs: set[str] = set()
        self._n_silent = 0
        self.condemned: list[tuple[Subject, Look]] = []

    @property
    def control(self) -> Subject | None:
        """A picture that was measured, with its way; None if there is none."""
        return self._controls[0] if self._controls else None

    @property
    def is_doubtful(self) -> bool:
        """Whether something died, and nothing tells yet that the engine works."""
        return bool(self._died) and not self._controls

    def is_due(self, *, is_idle: bool) -> bool:
        """Whether it is time to see if the engine still works."""
        return bool(self.condemned) and (is_idle or len(self.condemned) >= ON_TRIAL)

    def measured(self, subject: Subject, looks: Sequence[Look]) -> None:
        """A picture was measured, now or earlier: it may serve as a control."""
        self._n_silent = 0
        alive = [look for look in looks if not look.crashed]
        if alive and (len(self._controls) < _MOST_CONTROLS or _size(subject) < self._largest()):
            way = Way.parse(alive[0].way)
            self._controls.append(replace(subject, way=way, looks={way.name: alive[0]}))
            self._controls = sorted(self._controls, key=_size)[:_MOST_CONTROLS]

    def _largest(self) -> int:
        return _size(self._controls[-1])

    def drop_control(self) -> None:
        """The control can't be used: its file is gone, or it needs more than it gets now."""
        del self._controls[0]

    def died_alone(self, image: str, why: str, run: EngineRun | None, reason: str) -> None:
        """A picture died alone, or its CSV is of no use (then there is no ``run`` to look at).

        Raises:
            EnvironmentFailure: nothing was ever measured, and it is the engine's fault.
            AuferError: the same, for CSVs.
        """
        self._died.add(image)
        if self._controls:
            return
        if run is None:
            self._bad_csvs.add(image)
            is_last = why == ALONE_AGAIN and len(self._bad_csvs) >= self._enough
            if is_last or len(self._bad_csvs) >= SUSPICIOUS:
                raise AuferError(
                    f"None of the CSVs that the engine wrote can be used: {reason}.",
                    hint="check --openface-args, and the disk's free space",
                )
            return
        self._n_silent += is_silent(run)
        all_died = why == ALONE_AGAIN and len(self._died) >= SUSPICIOUS
        if self._n_silent >= self._enough or len(self._died) >= HOPELESS or all_died:
            raise no_hope(run, self._died)


def crashed_look(subject: Subject, reason: str, outcome: Outcome | None, limits: Limits) -> Look:
    """What is recorded of a picture that died; without an outcome, its CSV was of no use."""
    return Look(
        subject.way.name,
        crashed=True,
        reason=reason,
        exit_code=outcome.run.exit_code if outcome else 0,
        limits=limits,
        seconds=outcome.seconds if outcome else 0.0,
    )


def engine_broke(condemned: Sequence[tuple[Subject, Look]]) -> EnvironmentFailure:
    """The control died too: what was condemned is not to blame."""
    subject, look = condemned[-1]
    return EnvironmentFailure(
        f"The engine does not measure any more what it measured before; the last to die was "
        f"{subject.image.name} ({look.reason}).",
        hint="is there enough memory, and is the engine well? What was measured is kept, and no "
        f"image is blamed. {SEE_COMMANDS}",
    )


def _size(subject: Subject) -> int:
    return subject.picture.width * subject.picture.height
