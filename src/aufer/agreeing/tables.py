"""The tables of an agreement, the same on its page and as CSV files."""

from __future__ import annotations

from typing import Any

from aufer.agreeing.text import named, short
from aufer.tables import COUNT, NUMBER, NUMBER_LIMITS, PERCENT, Column, Table


def make_tables(facts: dict[str, Any]) -> dict[str, Table]:
    """Every table, by its name."""
    rows = [*facts["aus"], *([facts["mean"]] if len(facts["aus"]) > 1 else [])]
    tables = [_agreement(rows), _differences(rows), _zeros(rows)]
    if facts["mean"]["within"]:
        tables.insert(1, _within(rows))
    return {table.name: table for table in tables}


def title(row: dict[str, Any]) -> str:
    """What a row is of."""
    return "mean over AUs" if row["au"] == "mean" else short(row["au"])


def _value(figure: dict[str, Any] | None) -> float | None:
    return figure["value"] if figure else None


def _limits(figure: dict[str, Any] | None) -> tuple[float, float] | None:
    return (figure["low"], figure["high"]) if figure else None


def _agreement(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "agreement",
        "Agreement of A and B: Pearson's r, the intraclass correlations ICC(3,1) (levels left "
        "aside) and ICC(2,1) (levels counted), Lin's concordance (CCC).",
        (
            Column("au", "AU"),
            Column("name", "movement"),
            Column("n", "images", COUNT),
            Column("r", "r", NUMBER),
            Column("r_limits", "95 %", NUMBER_LIMITS),
            Column("icc3", "ICC(3,1)", NUMBER),
            Column("icc3_limits", "95 %", NUMBER_LIMITS),
            Column("icc2", "ICC(2,1)", NUMBER),
            Column("ccc", "CCC", NUMBER),
            Column("verdict", "is"),
        ),
        [
            {
                "au": title(row),
                "name": "" if row["au"] == "mean" else named(row["au"]).partition(" ")[2],
                "n": row["n"],
                "r": _value(row["r"]),
                "r_limits": _limits(row["r"]),
                "icc3": _value(row["icc3"]),
                "icc3_limits": _limits(row["icc3"]),
                "icc2": row["icc2"],
                "ccc": row["ccc"],
                "verdict": "constant" if row["constant"] else row["verdict"],
            }
            for row in rows
        ],
    )


def _within(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "within",
        "Pearson's r of the labelled images: pooled, and within emotions (each emotion's mean "
        "removed).",
        (
            Column("au", "AU"),
            Column("n", "images", COUNT),
            Column("pooled", "pooled r", NUMBER),
            Column("within", "within-emotion r", NUMBER),
            Column("limits", "95 %", NUMBER_LIMITS),
        ),
        [
            {
                "au": title(row),
                "n": row["within"].get("n"),
                "pooled": row["within"]["pooled"],
                "within": row["within"]["value"],
                "limits": _limits(row["within"]),
            }
            for row in rows
            if row["within"]
        ],
    )


def _differences(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "differences",
        "Differences A minus B: their mean (bias), the limits within which 95 % of them lie "
        "(bias ± 1.96 SD), and their mean size (MAE), beside the MAE if A always said B's mean.",
        (
            Column("au", "AU"),
            Column("mean_a", "mean A", NUMBER),
            Column("mean_b", "mean B", NUMBER),
            Column("sd_a", "SD A", NUMBER),
            Column("sd_b", "SD B", NUMBER),
            Column("bias", "bias", NUMBER),
            Column("limits", "limits of agreement", NUMBER_LIMITS),
            Column("mae", "MAE", NUMBER),
            Column("mae_of_mean", "MAE of B's mean", NUMBER),
        ),
        [{**row, "au": title(row)} for row in rows],
    )


def _zeros(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "zeros",
        "Share of zeros (below 0.005), and Cohen's kappa of whether a value is one.",
        (
            Column("au", "AU"),
            Column("zeros_a", "zeros in A", PERCENT),
            Column("zeros_b", "zeros in B", PERCENT),
            Column("kappa", "kappa", NUMBER),
        ),
        [{**row, "au": title(row)} for row in rows],
    )
