"""The pictures of a report about certainty: is it kept, what does it help to ask for more of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.plots import BLUE, GREY, INK, ORANGE, PAGE_WIDTH, new_figure, percent_axis, quiet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_reliability(bins: Sequence[dict[str, Any]]) -> Figure:
    """Promised against kept: accuracy by top probability, and how many faces each bin has."""
    rows = [row for row in bins if row["n"]]
    figure = new_figure(5.2, 5.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
    above.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    above.annotate(
        "kept what it promised", (0.15, 0.15), xytext=(-4, 6), textcoords="offset points",
        rotation=45, rotation_mode="anchor", transform_rotates_text=True, ha="center",
        color=INK, fontsize=8,
    )  # fmt: skip
    x = [row["confidence"] for row in rows]
    for row in rows:
        share = row["accuracy"]
        above.plot([row["confidence"]] * 2, [share["low"], share["high"]], color=BLUE, alpha=0.45)
    y = [row["accuracy"]["value"] for row in rows]
    above.plot(x, y, color=BLUE, linewidth=1, alpha=0.6)
    most = max((row["n"] for row in rows), default=1)
    above.scatter(x, y, s=[12 + 90 * row["n"] / most for row in rows], color=BLUE, zorder=3)
    above.set_ylim(0, 1)
    above.set_xlim(0, 1)
    above.set_ylabel("share that was right")
    percent_axis(above.yaxis)
    quiet(above)
    width = bins[0]["high"] - bins[0]["low"]
    below.bar(
        [row["low"] + width / 2 for row in bins],
        [row["n"] for row in bins],
        width=0.9 * width,
        color=BLUE,
        alpha=0.6,
    )
    below.set_ylabel("faces")
    below.set_xlabel("probability of the answer")
    percent_axis(below.xaxis)
    quiet(below)
    return figure


def draw_coverage(rows: Sequence[dict[str, Any]]) -> Figure:
    """Accuracy of the surest answers against the share that is answered, with its 95 % interval."""
    figure = new_figure(PAGE_WIDTH, 2.9)
    axes = figure.subplots()
    x = [row["coverage"] for row in rows]
    shares = [row["accuracy"] for row in rows]
    axes.fill_between(
        x, [s["low"] for s in shares], [s["high"] for s in shares], color=BLUE, alpha=0.18, lw=0
    )
    axes.plot(x, [s["value"] for s in shares], "o-", color=BLUE, markersize=4)
    axes.set_xlim(1.02, 0.08)
    axes.set_ylim(min(0.5, *(s["low"] for s in shares)), 1.01)
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)
    axes.set_xlabel("share of the faces that is answered, the surest first")
    axes.set_ylabel("accuracy of the answers")
    quiet(axes)
    return figure


def draw_confidence(rows: Sequence[dict[str, Any]], asked: float) -> Figure:
    """Accuracy and coverage by threshold of the measuring's confidence; ``asked``: in use."""
    figure = new_figure(PAGE_WIDTH, 2.9)
    axes = figure.subplots()
    x = np.arange(len(rows))
    for key, title, colour, style, marker in (
        ("accuracy", "accuracy of the answered", BLUE, "-", "o"),
        ("coverage", "images answered", ORANGE, "--", "s"),
    ):
        shares = [row[key] for row in rows]
        there = [share["value"] is not None for share in shares]
        low, high = ([s[end] for s in shares] for end in ("low", "high"))
        axes.fill_between(x, low, high, where=there, color=colour, alpha=0.15, lw=0)
        values = [np.nan if s["value"] is None else s["value"] for s in shares]
        axes.plot(x, values, color=colour, linestyle=style, marker=marker, ms=4, label=title)
    thresholds = [row["min_confidence"] for row in rows]
    if asked in thresholds:
        axes.axvline(thresholds.index(asked), color=GREY, linewidth=1)
        axes.annotate(
            "in use", (thresholds.index(asked), 0.02), xytext=(4, 0),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axes.set_xticks(x, [f"{threshold:g}" for threshold in thresholds])
    axes.set_ylim(0, 1.02)
    percent_axis(axes.yaxis)
    axes.set_xlabel("--min-confidence: least confidence of the measuring that is answered")
    axes.legend(frameon=False, loc="lower left")
    quiet(axes)
    return figure
