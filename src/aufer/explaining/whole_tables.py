"""The tables of a model's explanation as a whole, the same on its page and as CSV files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aufer.action_units import AU_NAMES
from aufer.tables import (
    COUNT,
    LIMITS,
    NUMBER,
    NUMBER_LIMITS,
    PERCENT,
    SPREAD,
    SPREAD_NUMBER,
    Column,
    Table,
)


def make_tables(facts: dict[str, Any]) -> dict[str, Table]:
    """Every table that there are figures for, by its name."""
    found: list[Table] = []
    if facts["importance"]:
        found += _importance(facts["importance"])
    if facts["coefficients"]:
        found += _coefficients(facts["coefficients"])
    if facts["profile"]:
        found += _profile(facts["profile"])
    return {table.name: table for table in found}


def _importance(found: dict[str, Any]) -> Iterator[Table]:
    losses = (
        Column("accuracy", "accuracy lost", SPREAD),
        Column("limits", "95 %", LIMITS),
        Column("macro_f1", "macro-F1 lost", SPREAD_NUMBER),
        Column("log_loss", "log-loss gained", SPREAD_NUMBER),
    )

    def row(one: dict[str, Any]) -> dict[str, Any]:
        limits = None if one["low"] is None else (one["low"], one["high"])
        return {
            **{key: one[key] for key in ("name", "title", "region")},
            "limits": limits,
            "accuracy": one["accuracy"],
            "macro_f1": one["macro_f1"],
            "log_loss": one["log_loss"],
            "aus": ", ".join(column.removesuffix("_r") for column in one["columns"]),
        }

    how = f"mean ± deviation over {found['repeats']} shuffles"
    yield Table(
        "regions",
        f"What is lost when all AUs of a region are shuffled together ({how}).",
        (Column("name", "region"), Column("aus", "AUs"), *losses),
        [row(one) for one in found["regions"]],
    )
    yield Table(
        "importance",
        f"What is lost when one AU is shuffled ({how}).",
        (Column("name", "AU"), Column("title", "what it is"), Column("region", "region"), *losses),
        [row(one) for one in found["aus"]],
    )


def _coefficients(found: dict[str, Any]) -> Iterator[Table]:
    def row(one: dict[str, Any]) -> dict[str, Any]:
        flat = {key: one[key] for key in ("emotion", "au", "title")}
        for key in ("coefficient", "per_intensity"):
            flat[key] = one[key]["value"]
            flat[f"{key}_limits"] = (one[key]["low"], one[key]["high"])
        return flat

    yield Table(
        "coefficients",
        "Log-odds of the emotion, against the mean of all, per deviation of an AU and per unit of "
        "its intensity.",
        (
            Column("emotion", "emotion"),
            Column("au", "AU"),
            Column("title", "what it is"),
            Column("coefficient", "per deviation", NUMBER),
            Column("coefficient_limits", "95 %", NUMBER_LIMITS),
            Column("per_intensity", "per unit", NUMBER),
            Column("per_intensity_limits", "95 %", NUMBER_LIMITS),
        ),
        [row(one) for one in found["rows"]],
    )


def _profile(found: dict[str, Any]) -> Iterator[Table]:
    aus = [au for au in AU_NAMES if au in found["means"][0]]
    yield Table(
        "profile",
        "Mean intensity of each AU over the faces of each emotion.",
        (
            Column("emotion", "emotion"),
            Column("n", "faces", COUNT),
            *(Column(au, au.removeprefix("AU"), NUMBER) for au in aus),
        ),
        found["means"],
    )
    yield Table(
        "prototypes",
        "The AUs that stand out in the faces of each emotion (by half a deviation or more over the "
        "other faces), beside the FACS prototype.",
        (
            Column("emotion", "emotion"),
            Column("n", "faces", COUNT),
            Column("prototype", "prototype"),
            Column("stand_out", "stand out"),
            Column("missing", "of the prototype, don't"),
            Column("agreeing", "faces that agree most with it", PERCENT),
        ),
        [
            {
                "emotion": row["emotion"],
                "n": row["n"],
                "prototype": ", ".join(row["prototype"]) or "all low",
                "stand_out": ", ".join(f"{one['au']} {one['by']:+.1f}" for one in row["stand_out"]),
                "missing": ", ".join(row["missing"]),
                "agreeing": row["agreeing"],
            }
            for row in found["prototypes"]
        ],
    )
