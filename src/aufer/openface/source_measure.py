"""How the faces of a path are measured, or will be, before any of them is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aufer.errors import DataError
from aufer.files import read_json
from aufer.images import is_image
from aufer.measures import measure_of_engine
from aufer.openface.faces import holds_openface_files
from aufer.openface.imported import extractor_of_folder
from aufer.provenance import MEASURE_UNKNOWN, Extractor


def holds_pictures(source: Path) -> bool:
    """Whether a path is a picture, or a folder that isn't OpenFace's output."""
    if source.is_dir():
        return not holds_openface_files(source, if_empty=False)
    return is_image(source)


def measure_of(sources: Sequence[Path], engine: str) -> str | None:
    """The measure of all these: the engine's of pictures, else what goes with the table.

    Args:
        engine: the name of the engine that pictures are measured with.

    Returns:
        None where it isn't known, or is not the same of all.
    """
    found = {_measure_of(source, engine) for source in sources}
    measure = found.pop() if len(found) == 1 else MEASURE_UNKNOWN
    return None if measure == MEASURE_UNKNOWN else measure


def _measure_of(source: Path, engine: str) -> str:
    if holds_pictures(source):
        return measure_of_engine(engine)
    if source.is_dir():
        return extractor_of_folder(source).measure
    try:
        facts = read_json(source.with_suffix(".json"))
    except (OSError, DataError):  # none beside it, or a damaged one: whoever reads it will say so
        return MEASURE_UNKNOWN
    return Extractor.from_facts(facts.get("extractor")).measure
