"""One job of measuring: what, with what, and by how much of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aufer.images import Image
from aufer.openface.engine import Engine
from aufer.openface.measuring.call_log import CallLog
from aufer.openface.measuring.plan import Plan
from aufer.openface.store import Store


@dataclass(frozen=True)
class Resources:
    """What the measurement may use.

    Attributes:
        jobs: OpenFace processes at once. threads: that check pictures.
        memory_bytes: of each run; 0 where the engine sets no limit.
        memory_alone_bytes: of a run while no other runs.
    """

    jobs: int
    threads: int
    memory_bytes: int = 0
    memory_alone_bytes: int = 0


@dataclass(frozen=True)
class Job:
    """All that a pipeline is given.

    Attributes:
        store: what is known, and where the results go. key: what it knows the extractor by.
        scratch: a folder for temporary files.
        calls: the log of engine calls, if one is kept.
        extras: what follows the stem in the names of further files that OpenFace writes.
    """

    images: Sequence[Image]
    engine: Engine
    store: Store
    key: str
    plan: Plan
    resources: Resources
    scratch: Path
    calls: CallLog | None = None
    extras: Sequence[str] = ()
