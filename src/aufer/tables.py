"""Tables that are both cells of a page and a CSV file: the same numbers, once in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from aufer.metrics import percent

TEXT = "text"
COUNT = "count"
PERCENT = "percent"
"""A share, 0-1."""
SHARE = "share"
"""A `metrics.proportion`: value, limits, k of n."""
LIMITS = "limits"
"""[low, high] of a share."""
NUMBER_LIMITS = "limits of a number"
"""[low, high] of what is no share."""
NUMBER = "number"
P_VALUE = "p-value"
MEASURED = "measured number"
"""Of any size: three digits."""
PLAIN = "plain number"
"""A setting: with as many digits as it needs."""
SPREAD = "spread"
"""mean and sd of shares over folds."""
SPREAD_NUMBER = "spread of numbers"
"""mean and sd of numbers over folds."""
MIXED = "mixed"
"""(kind, value): a column of which each row is of its own kind."""

DASH = "–"


@dataclass(frozen=True)
class Column:
    """A column: ``key`` in the rows and the CSV, ``title`` on the page, one of the kinds above."""

    key: str
    title: str
    kind: str = TEXT

    @property
    def is_number(self) -> bool:
        """Whether its cells stand to the right."""
        return self.kind != TEXT

    def show(self, value: Any) -> str:
        """A cell of the page."""
        if value is None or value == "":
            return DASH if self.is_number else ""
        if self.kind == COUNT:
            return f"{value:,}"
        if self.kind == PERCENT:
            return percent(value)
        if self.kind == SHARE:
            return _show_share(value)
        if self.kind == LIMITS:
            return f"{100 * value[0]:.1f} to {percent(value[1])}"
        if self.kind == NUMBER_LIMITS:
            return f"{value[0]:.3f} to {value[1]:.3f}"
        if self.kind == NUMBER:
            return f"{value:.3f}"
        if self.kind == P_VALUE:
            return "< 0.001" if value < 0.001 else f"{value:.3f}"
        if self.kind == MEASURED:
            return f"{value:.3g}" if value < 100 else f"{value:,.0f}"
        if self.kind == PLAIN:
            return f"{value:g}"
        if self.kind == SPREAD:
            return _show_spread(value, 100, 1, " %")
        if self.kind == SPREAD_NUMBER:
            return _show_spread(value, 1, 3, "")
        if self.kind == MIXED:
            kind, inner = value
            return Column(self.key, self.title, kind).show(inner)
        return str(value)

    def flatten(self, value: Any) -> dict[str, Any]:
        """The cells of the CSV."""
        if self.kind == SHARE:
            found = value or {}
            return {
                self.key: found.get("value"),
                f"{self.key}_low": found.get("low"),
                f"{self.key}_high": found.get("high"),
                f"{self.key}_k": found.get("k"),
                f"{self.key}_n": found.get("n"),
            }
        if self.kind in (LIMITS, NUMBER_LIMITS):
            low, high = value or (None, None)
            return {f"{self.key}_low": low, f"{self.key}_high": high}
        if self.kind in (SPREAD, SPREAD_NUMBER):
            found = value or {}
            return {
                f"{self.key}_mean": found.get("mean"),
                f"{self.key}_sd": found.get("sd"),
                f"{self.key}_n": found.get("n"),
            }
        if self.kind == MIXED:
            kind, inner = value or (TEXT, None)
            share = inner if kind == SHARE else {"value": inner}
            return Column(self.key, self.title, SHARE).flatten(share)
        return {self.key: value}


def _show_share(share: dict[str, Any]) -> str:
    if share["value"] is None:
        return DASH
    return f"{percent(share['value'])} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]"


def _show_spread(spread: dict[str, Any], factor: float, digits: int, unit: str) -> str:
    if spread.get("mean") is None:
        return DASH
    text = f"{factor * spread['mean']:.{digits}f}"
    if spread.get("sd") is not None:
        text += f" ± {factor * spread['sd']:.{digits}f}"
    return text + unit


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes:
        name: of its file. caption: what it shows, one or two sentences.
        columns: the first names the row. rows: values by the columns' keys.
        shown: so many rows are on the page; None: all. The CSV has all of them.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[dict[str, Any]]
    shown: int | None = None

    @property
    def shown_rows(self) -> Sequence[dict[str, Any]]:
        """The rows on the page."""
        return self.rows[: self.shown]

    def frame(self) -> pd.DataFrame:
        """The rows of the CSV."""
        flat = [
            {
                name: cell
                for column in self.columns
                for name, cell in column.flatten(row.get(column.key)).items()
            }
            for row in self.rows
        ]
        return pd.DataFrame(flat)


DIGITS = "%.9g"
"""Of numbers in CSV files: so many tell every float32 apart, so that figures come out again."""


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table of a report, or the answers beside it, with `DIGITS`."""
    frame.to_csv(path, index=False, float_format=DIGITS, lineterminator="\n")


def write_tables(folder: Path, tables: Iterable[Table]) -> None:
    """Write each table as CSV into a new folder, under its name."""
    folder.mkdir()
    for table in tables:
        write_csv(table.frame(), folder / f"{table.name}.csv")
