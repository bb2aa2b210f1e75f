"""The Action Units that a session measures besides, and what is found of a face."""

from __future__ import annotations

from dataclasses import dataclass

from aufer.action_units import AU_NAMES, INTENSITY_COLUMNS, INTENSITY_RANGE
from aufer.provenance import MEASURE_AU_NET

MOST = INTENSITY_RANGE[1]
"""The strongest intensity; the weakest is 0."""


@dataclass(frozen=True)
class Units:
    """Which Action Units come with each face, in their order; none where a session measures none.

    Attributes:
        labels: ``AU01``, …: without OpenFace's ``_r``, so that no table takes them for OpenFace's.
        names: of the Facial Action Coding System (``Inner brow raiser``).
        measure: how they are measured, as `aufer.provenance` names it.
    """

    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    measure: str = ""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.labels)


NO_UNITS = Units()

_MEASURED = tuple(column.removesuffix("_r") for column in INTENSITY_COLUMNS)

BUILTIN_UNITS = Units(
    _MEASURED, tuple(AU_NAMES[unit].capitalize() for unit in _MEASURED), MEASURE_AU_NET
)
"""Those of aufer's own network, in the order of `action_units.INTENSITY_COLUMNS`."""


@dataclass(frozen=True)
class Intensities:
    """The Action Units of one face.

    Attributes:
        values: 0-5, one for each of `Units.labels`; smoothed where that was asked.
        confidence: 0-1: how much it looks like a face that is well placed.
    """

    values: tuple[float, ...]
    confidence: float
