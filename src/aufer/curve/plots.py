"""The pictures of a learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.plots import BLUE, GREY, INK, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.0
"""Of a picture as wide as the page, inches."""

LIGHT = "#d5dae0"
PANELS_BESIDE = 3


def draw_curve(facts: dict[str, Any]) -> Figure:
    """Accuracy and macro-F1 by images per emotion, with their intervals."""
    figure = new_figure(WIDTH, 3.9)
    axes = figure.subplots()
    rows = facts["points"]
    sizes = [row["size"] for row in rows]
    for key, title, colour, style, marker in (
        ("accuracy", "accuracy", BLUE, "-", "o"),
        ("macro_f1", "macro-F1", ORANGE, "--", "s"),
    ):
        shares = [row[key] for row in rows]
        low, high = ([share[end] for share in shares] for end in ("low", "high"))
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, lw=0)
        values = [share["value"] for share in shares]
        axes.plot(sizes, values, color=colour, ls=style, marker=marker, ms=5, label=title)
    for size, row in zip(sizes, rows, strict=True):
        value = row["accuracy"]["value"]
        axes.annotate(
            f"{100 * value:.1f}", (size, value), xytext=(0, 9), textcoords="offset points",
            ha="center", fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
    axes.axhline(facts["majority"], color=INK, linewidth=1, linestyle=":")
    axes.annotate(
        "always the most frequent emotion", (sizes[0], facts["majority"]), xytext=(0, 4),
        textcoords="offset points", fontsize=8,
    )  # fmt: skip
    _scale(axes, facts, sizes)
    axes.set_xlabel("training images per emotion (each step: so many times more)")
    axes.set_ylabel("unseen faces")
    axes.legend(frameon=False, loc="lower right")
    return figure


def draw_emotions(facts: dict[str, Any]) -> Figure:
    """Recall of each emotion by images per emotion; hollow where it has no more of them."""
    rows = facts["points"]
    sizes = [row["size"] for row in rows]
    names = [one["emotion"] for one in rows[0]["per_emotion"]]
    n_lines = -(-len(names) // PANELS_BESIDE)
    figure = new_figure(WIDTH, 0.4 + 2.1 * n_lines)
    panels = figure.subplots(
        n_lines, PANELS_BESIDE, sharex=True, sharey=True, squeeze=False
    ).flatten()
    for number, axes in enumerate(panels):
        if number >= len(names):
            axes.set_visible(False)
            continue
        recalls = [row["per_emotion"][number]["recall"] for row in rows]
        values = [np.nan if r["value"] is None else r["value"] for r in recalls]
        low, high = ([r[end] for r in recalls] for end in ("low", "high"))
        axes.fill_between(sizes, low, high, color=BLUE, alpha=0.15, lw=0)
        axes.plot(sizes, [row["accuracy"]["value"] for row in rows], color=GREY, lw=1, ls=":")
        axes.plot(sizes, values, color=BLUE)
        name = names[number]
        for size, value, row in zip(sizes, values, rows, strict=True):
            hollow = name in row["short_of"]
            axes.plot(size, value, "o", color=BLUE, mfc="white" if hollow else BLUE, ms=5)
        known = [v for v in values if not np.isnan(v)]
        title = f"{name}: {100 * known[-1]:.0f} %" if known else name
        axes.set_title(title, fontsize=10, loc="left")
        _scale(axes, facts, sizes, every=False)
    figure.supxlabel("training images per emotion", fontsize=9)
    figure.supylabel("read as labelled (recall)", fontsize=9)
    return figure


def _scale(axes: Axes, facts: dict[str, Any], sizes: Sequence[int], *, every: bool = True) -> None:
    """Equal steps for equal ratios; the sizes as ticks (``every`` one, or those with room)."""
    from matplotlib.ticker import NullLocator, PercentFormatter

    shown = list(sizes)
    if not every:  # the panels are narrow
        shown = [size for n, size in enumerate(sizes) if (len(sizes) - 1 - n) % 2 == 0]
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    texts = ["all" if size == facts["most"] else f"{size:,}" for size in shown]
    axes.set_xticks(shown, texts)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(color=LIGHT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
