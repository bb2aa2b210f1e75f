"""The pictures of an agreement: r and ICC by AU, Bland-Altman plots, A against B."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.agreeing.text import named, short, signed
from aufer.plots import BLUE, GREY, INK, LIGHT, ORANGE, PAGE_WIDTH, new_figure, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 4
_MOST_DOTS = 300
"""So many faces are dots; more are counted in hexagons, as pixels: pages stay small."""


def draw_agreement(facts: dict[str, Any]) -> Figure:
    """r, within-emotion r and ICC(3,1) of each AU, with intervals."""
    rows = [row for row in reversed(facts["aus"]) if row["r"]]
    figure = new_figure(PAGE_WIDTH, 1.3 + 0.36 * max(len(rows), 1))
    axes = figure.subplots()
    for key, label, colour, mark, shift in (
        ("r", "r, pooled", BLUE, "o", 0.22),
        ("within", "r, within emotions", ORANGE, "s", 0.0),
        ("icc3", "ICC(3,1)", GREY, "^", -0.22),
    ):
        shown = [(place, row[key]) for place, row in enumerate(rows) if row[key]]
        if not shown:
            continue
        for place, found in shown:
            axes.plot([found["low"], found["high"]], [place + shift] * 2, color=colour, lw=1.6)
        axes.plot(
            [found["value"] for _, found in shown], [place + shift for place, _ in shown], mark,
            color=colour, markersize=5, label=label,
        )  # fmt: skip
    axes.axvline(0.5, color=INK, linewidth=0.9, linestyle=":", label="weak below: ICC 0.50")
    axes.set_yticks(range(len(rows)), [named(row["au"]) for row in rows])
    low = min([0.0, *(row[key]["low"] for row in rows for key in ("r", "icc3"))])
    axes.set_xlim(max(-1, low - 0.02), 1.01)
    axes.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    axes.set_xlabel("agreement (line: 95 % interval)")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    quiet(axes, "x")
    return figure


def draw_bland_altman(facts: dict[str, Any], a: np.ndarray, b: np.ndarray) -> Figure:
    """A panel per AU: the difference A minus B over the mean of both; bias and limits.

    Args:
        a, b: float [faces, AUs] in the order of ``facts["aus"]``.
    """
    figure, panels = _panels(len(facts["aus"]))
    for j, (row, axes) in enumerate(zip(facts["aus"], panels, strict=True)):
        axes.set_title(short(row["au"]), fontsize=9, loc="left")
        axes.axhline(0, color=LIGHT, linewidth=1, zorder=0)
        if row["limits"] is None:
            continue
        _cloud(axes, (a[:, j] + b[:, j]) / 2, a[:, j] - b[:, j])
        axes.axhline(row["bias"], color=ORANGE, linewidth=1.4)
        for limit in row["limits"]:
            axes.axhline(limit, color=ORANGE, linewidth=1.1, linestyle="--")
        axes.annotate(
            signed(row["bias"]), (1, row["bias"]), xycoords=("axes fraction", "data"),
            xytext=(-2, 2), textcoords="offset points", ha="right", fontsize=7,
        )  # fmt: skip
    figure.supxlabel("mean of A and B", fontsize=9)
    figure.supylabel("A minus B", fontsize=9)
    return figure


def draw_scatter(facts: dict[str, Any], a: np.ndarray, b: np.ndarray) -> Figure:
    """A panel per AU: A over B, with the line of equal values; arguments as above."""
    figure, panels = _panels(len(facts["aus"]))
    for j, (row, axes) in enumerate(zip(facts["aus"], panels, strict=True)):
        r = f", r {row['r']['value']:.2f}" if row["r"] else ""
        axes.set_title(f"{short(row['au'])}{r}", fontsize=9, loc="left")
        _cloud(axes, b[:, j], a[:, j])
        known = np.concatenate([a[:, j], b[:, j]])
        known = known[np.isfinite(known)]
        if len(known):
            ends = [float(known.min()), float(known.max())]
            axes.plot(ends, ends, color=ORANGE, linewidth=1)
    figure.supxlabel("B", fontsize=9)
    figure.supylabel("A", fontsize=9)
    return figure


def _panels(n: int) -> tuple[Figure, list[Axes]]:
    down = -(-n // _ACROSS)
    height = 0.4 + 1.75 * down
    figure = new_figure(PAGE_WIDTH, height)
    figure.set_layout_engine(None)  # of so many panels the layout takes seconds to find
    figure.subplots_adjust(
        left=0.085, right=0.99, bottom=0.5 / height, top=1 - 0.25 / height, wspace=0.3, hspace=0.45
    )
    figure.set_dpi(150)  # of what is drawn as pixels
    grid = figure.subplots(down, _ACROSS, squeeze=False)
    panels = list(grid.flat)
    for axes in panels:
        axes.tick_params(labelsize=7, length=2)
    for axes in panels[n:]:
        axes.set_visible(False)
    return figure, panels[:n]


def _cloud(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """The faces as dots or, where they are many, as hexagons of their logarithmic number."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) <= _MOST_DOTS or np.ptp(x) == 0 or np.ptp(y) == 0:
        many = len(x) > _MOST_DOTS
        axes.plot(
            x, y, "o", color=BLUE, markersize=2.5, alpha=0.45, markeredgewidth=0, rasterized=many
        )
        return
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("faces", ["#a9cfe8", BLUE, "#062a4d"])
    axes.hexbin(
        x, y, gridsize=28, bins="log", cmap=shades, mincnt=1, linewidths=0.1, rasterized=True
    )
