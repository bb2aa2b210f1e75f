"""What was measured how: the extractor's description that goes with every artefact."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from itertools import combinations
from typing import Any

from aufer import __version__
from aufer.errors import DataError

MEASURE_STATIC = "openface-static"
"""AUs by OpenFace's static models: FaceLandmarkImg, or FeatureExtraction with ``-au_static``."""

MEASURE_DYNAMIC = "openface-dynamic"
"""AUs by OpenFace's dynamic models, calibrated to the person over a video: another measure."""

MEASURE_AU_NET = "aufer-au-net"
"""AUs by aufer's own network (engine ``builtin``), which approximates OpenFace: another measure."""

MEASURE_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Extractor:
    """How a set of AU values was measured. Empty text: not known.

    Attributes:
        measure: what the numbers are; tables of different known measures are never mixed.
        engine: ``docker``, ``local``, ``builtin``, or ``imported`` for files made elsewhere.
        image: the Docker image's name. digest: its resolved digest or id.
        binary: sha256 of a local binary, or of the network's description (``builtin``), or the
            command prefix that was used.
        model: the landmark model asked for (``-mloc``); empty for the binary's own default; of
            ``builtin`` the network's name.
        flags: the flags given to FaceLandmarkImg, in order.
        enlarge: how small pictures were enlarged before measuring; ``off`` for not at all.
    """

    measure: str = MEASURE_UNKNOWN
    engine: str = ""
    image: str = ""
    digest: str = ""
    binary: str = ""
    model: str = ""
    flags: str = ""
    enlarge: str = ""

    @classmethod
    def from_facts(cls, facts: dict[str, Any] | None) -> Extractor:
        """Read the description from a sidecar's JSON; fields of a later version are passed over."""
        known = {field.name for field in fields(cls)}
        given = facts if isinstance(facts, dict) else {}
        return cls(**{k: str(v) for k, v in given.items() if k in known})

    @property
    def network(self) -> str:
        """Of aufer's AU network its name and sha256, as far as they are known."""
        return ", sha256 ".join(filter(None, (self.model, self.binary[:12])))

    def facts(self) -> dict[str, str]:
        """The description as plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        if self.measure == MEASURE_UNKNOWN:
            return "unknown origin"
        where = self.image or self.binary or "made elsewhere"
        if self.measure == MEASURE_AU_NET:
            where = self.network or "made elsewhere"
        return f"{self.measure} ({self.engine or 'engine unknown'}, {where})"


def compare_extractors(model: Extractor, data: Extractor) -> list[str]:
    """Warnings about two descriptions that are used together.

    Raises:
        DataError: they are different measures, or perhaps are; their numbers must never be mixed.
    """
    measures = (model.measure, data.measure)
    if MEASURE_UNKNOWN in measures:
        if measures[0] == measures[1]:
            return ["how they were measured is unknown for both"]
        known = next(measure for measure in measures if measure != MEASURE_UNKNOWN)
        if known == MEASURE_AU_NET:  # all else was OpenFace's, or of a table without its sidecar
            raise DataError(
                f"AUs of {known} can't go together with AUs of unknown origin.",
                hint="keep each table's .json beside it; or measure both with the same engine: "
                "aufer extract IMAGES",
            )
        return [f"one side was measured by {known}, the other's origin is unknown"]
    if measures[0] != measures[1]:
        raise DataError(
            f"The AUs are different measures: {measures[0]} and {measures[1]}; a model or dataset "
            "of one says nothing about the other.",
            hint="measure both with the same engine: aufer extract IMAGES",
        )
    warnings = []
    for name, word in (
        ("engine", "engine"),
        ("digest", "image digest"),
        ("binary", "binary"),
        ("model", "landmark model"),
        ("enlarge", "enlargement"),
    ):
        ours, theirs = getattr(model, name), getattr(data, name)
        if ours and theirs and ours != theirs:
            warnings.append(f"another {word}: {ours} and {theirs}")
    return warnings


def join_extractors(extractors: Sequence[Extractor]) -> tuple[Extractor, list[str]]:
    """The description of data that were put together, and warnings about their differences.

    Raises:
        DataError: they are different measures.
    """
    distinct = list(dict.fromkeys(extractors))
    warnings: list[str] = []
    for one, other in combinations(distinct, 2):
        warnings += compare_extractors(one, other)
    joined = {
        field.name: " + ".join(dict.fromkeys(getattr(e, field.name) or "?" for e in distinct))
        for field in fields(Extractor)
        if any(getattr(e, field.name) for e in distinct)
    }
    if len(distinct) > 1:
        measures = {e.measure for e in distinct}
        joined["measure"] = measures.pop() if len(measures) == 1 else MEASURE_UNKNOWN
        return Extractor(**joined), list(dict.fromkeys(warnings))
    return distinct[0], []


def now() -> str:
    """The time of making, UTC, ISO 8601 to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def made_by() -> dict[str, str]:
    """The line of origin that every sidecar carries."""
    return {"made_by": f"aufer {__version__}", "made_at": now()}


def versions(*packages: str) -> dict[str, str]:
    """Python's, the platform's and the named packages' versions, for a model card or report."""
    from importlib import metadata

    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
