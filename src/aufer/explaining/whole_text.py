"""What a model's explanation as a whole says, in plain words."""

from __future__ import annotations

from typing import Any

from aufer.action_units import AU_NAMES
from aufer.explaining.coefficients import SANDWICH
from aufer.metrics import percent

N_NAMED = 5
"""So many AUs are named in a sentence."""


def name_au(au: str) -> str:
    """An AU as sentences name it, e.g. ``AU12 lip corner puller``."""
    return f"{au} {AU_NAMES.get(au, '')}".strip()


def describe_importance(found: dict[str, Any]) -> str:
    """Which AUs and regions the accuracy hangs on."""
    said = (
        f"On {found['faces']} it reads {percent(found['before']['accuracy'])} as labelled. When "
        "the values of a region are shuffled among the faces, so many points of this are lost: "
    )
    said += ", ".join(f"{row['name']} {_points(row)}" for row in found["regions"]) + ". "
    sure = [row for row in found["aus"] if row["low"] is not None and row["low"] > 0]
    if sure:
        named = ", ".join(f"{name_au(r['name'])} {_points(r)}" for r in sure[:N_NAMED])
        return f"{said}Of single AUs these cost most: {named}."
    return f"{said}No single AU surely costs anything: others stand in for it."


def _points(row: dict[str, Any]) -> str:
    text = f"{100 * row['accuracy']['mean']:.1f}"
    if row["low"] is None:
        return text
    return f"{text} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def describe_coefficients(found: dict[str, Any]) -> list[str]:
    """Per emotion, which AUs surely speak for it and against it."""
    said = []
    for emotion in found["intercepts"]:
        rows = [row for row in found["rows"] if row["emotion"] == emotion]
        rows.sort(key=lambda row: -abs(float(row["coefficient"]["value"])))
        for_it = [row["au"] for row in rows if row["coefficient"]["low"] > 0][:N_NAMED]
        against = [row["au"] for row in rows if row["coefficient"]["high"] < 0][:N_NAMED]
        parts = []
        if for_it:
            parts.append(f"for it speak {', '.join(for_it)}")
        if against:
            parts.append(f"against it {', '.join(against)}")
        said.append(f"{emotion}: {'; '.join(parts) or 'no AU speaks surely for it or against it'}.")
    return said


def describe_method(found: dict[str, Any]) -> str:
    """How the coefficients' intervals were made."""
    if found["method"] == SANDWICH:
        return (
            f"Intervals are 95 %, from the Hessian and the {found['n_groups']:,} groups' own sums "
            "(sandwich; Liang and Zeger, 1986): faces of one group may be alike."
        )
    return (
        "Intervals are 95 %, from the Hessian of the log-likelihood: they take every face for one "
        "of another person, and are too narrow where the same people come again."
    )


def describe_prototypes(found: dict[str, Any]) -> list[str]:
    """Per emotion, how the faces agree with the FACS prototype."""
    said = []
    for row in found["prototypes"]:
        stand_out = [one["au"] for one in row["stand_out"]]
        verb = "stands out" if len(stand_out) < 2 else "stand out"
        seen = f"{', '.join(stand_out) or 'no AU'} {verb}"
        if not row["prototype"]:
            said.append(f"{row['emotion']}: {seen}; the prototype is that all AUs are low.")
            continue
        said.append(
            f"{row['emotion']}: {seen}; of the prototype's {', '.join(row['prototype'])} "
            f"{len(row['shared'])} of {len(row['prototype'])} do. {percent(row['agreeing'], 0)} "
            "of its faces agree most with this prototype."
        )
    return said


def sentences(facts: dict[str, Any]) -> list[str]:
    """All of it, for a terminal."""
    if not facts["available"]:
        return [facts["why_not"]]
    said = []
    if facts["importance"]:
        said.append(describe_importance(facts["importance"]))
    if facts["coefficients"]:
        said += describe_coefficients(facts["coefficients"])
    return [*said, *describe_prototypes(facts["profile"])]
