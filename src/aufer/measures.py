"""The measures of AUs: who measures so, by which engine, and which models go with it."""

from __future__ import annotations

from aufer.errors import DataError
from aufer.provenance import MEASURE_AU_NET, MEASURE_STATIC, MEASURE_UNKNOWN, Extractor

BUILTIN = "builtin"
"""The engine whose measure is `provenance.MEASURE_AU_NET`; the others run OpenFace."""

AU_NETWORK, OPENFACE = "aufer's AU network", "OpenFace"

APPROXIMATES = "approximates OpenFace's AU intensities"
"""What a user is told wherever the AU network is named."""


def measurer(measure: str) -> str:
    """Who measured so, as a word for a sentence: "OpenFace", also where nobody knows."""
    return AU_NETWORK if measure == MEASURE_AU_NET else OPENFACE


def describe_measure(extractor: Extractor) -> str:
    """How AUs were measured, for a page's provenance; that the network approximates OpenFace."""
    if extractor.measure != MEASURE_AU_NET:
        return str(extractor)
    return f"{extractor}: {AU_NETWORK}, which {APPROXIMATES}"


def measure_of_engine(name: str) -> str:
    """What the engine of that name measures."""
    return MEASURE_AU_NET if name == BUILTIN else MEASURE_STATIC


def check_measure(model: str, learned: Extractor, faces: Extractor) -> None:
    """Refuse faces of the one measure, OpenFace's or the AU network's, to a model of the other.

    Args:
        model: its name. learned: how the AUs were measured that it was trained on.

    Raises:
        DataError: the one is the AU network's and the other is not, or isn't known to be.
    """
    ours, theirs = learned.measure, faces.measure
    if (ours == MEASURE_AU_NET) == (theirs == MEASURE_AU_NET):
        return
    if theirs == MEASURE_AU_NET:
        hint = (
            "take a model of such AUs: --model builtin-aus; or measure the pictures with OpenFace: "
            "--engine docker"
        )
    else:
        hint = (
            "take a model of such AUs: --model openface-aus; or measure the pictures by that "
            "network: --engine builtin"
        )
    known = "" if theirs != MEASURE_UNKNOWN else "; a table keeps its origin in the .json beside it"
    raise DataError(
        f"The model {model} was trained on {_aus_of(ours)}, and these faces have "
        f"{_aus_of(theirs)}: different measures, never to be mixed.",
        hint=hint + known,
    )


def _aus_of(measure: str) -> str:
    """The AUs of a measure, in words."""
    if measure == MEASURE_UNKNOWN:
        return "AUs of unknown origin"
    if measure == MEASURE_AU_NET:
        return f"AUs of {AU_NETWORK} ({measure})"
    return f"AUs of {OPENFACE} ({measure})"
