"""The pictures of a report, as SVG or PNG; matplotlib without pyplot, so no window and no state."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1f2933"
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREY = "#8a939c"
"""Blue and orange of Okabe and Ito's palette: told apart by colour-blind readers, and in grey."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches, with the fonts and lines that all our pictures share."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "aufer",
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": INK,
            "text.color": INK,
            "axes.labelcolor": INK,
        }
    )
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def as_svg(figure: Figure) -> str:
    """A figure as the text of an SVG file; equal figures give equal text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def as_data_uri(svg: str) -> str:
    """An SVG as the value of an ``<img src>``, so that a page carries its pictures with it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode("utf-8")).decode("ascii")


def draw_confusion(confusion: list[list[int]], names: list[str]) -> Figure:
    """The confusion matrix: share of each true emotion (row) read as each emotion (column)."""
    counts = np.asarray(confusion)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    size = 1.6 + 0.62 * len(names)
    figure = new_figure(size + 0.6, size)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{counts[row, column]}\n{100 * share:.0f} %" if counts[row, column] else "0"
        colour = "white" if share > 0.55 else INK
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes.set_yticks(
        range(len(names)), [f"{n} ({t})" for n, t in zip(names, totals[:, 0], strict=True)]
    )
    axes.set_xlabel("read as")
    axes.set_ylabel("true emotion (faces)")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def draw_recall(per_emotion: list[dict[str, Any]]) -> Figure:
    """Recall of each emotion with Wilson's 95 % interval, and precision as a mark."""
    rows = [row for row in per_emotion if row["n"]]
    figure = new_figure(6.2, 0.9 + 0.42 * len(rows))
    axes = figure.subplots()
    for position, row in enumerate(reversed(rows)):
        recall = row["recall"]
        axes.barh(position, recall["value"], color=BLUE, alpha=0.8, height=0.55)
        axes.plot([recall["low"], recall["high"]], [position, position], color=INK, linewidth=1.4)
        if row["precision"] is not None:
            axes.plot(row["precision"], position, "D", color=ORANGE, markersize=5)
    axes.set_yticks(range(len(rows)), [f"{r['emotion']} (n = {r['n']})" for r in reversed(rows)])
    axes.set_xlim(0, 1)
    axes.set_xlabel("recall (bar, line: 95 % interval) and precision (diamond)")
    return figure


def draw_au_profile(intensities: np.ndarray, emotions: np.ndarray, names: list[str]) -> Figure:
    """Mean intensity of each AU by true emotion.

    Args:
        intensities: [n, 17], 0-5, rows without a face left out. emotions: str [n].
    """
    means = np.array(
        [
            intensities[emotions == name].mean(axis=0)
            if (emotions == name).any()
            else np.full(len(INTENSITY_COLUMNS), np.nan)
            for name in names
        ]
    )
    figure = new_figure(7.4, 1.2 + 0.36 * len(names))
    axes = figure.subplots()
    image = axes.imshow(means, cmap="Blues", vmin=0, aspect="auto")
    axes.set_xticks(
        range(len(INTENSITY_COLUMNS)), [c.removesuffix("_r")[2:] for c in INTENSITY_COLUMNS]
    )
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("Action Unit")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="mean intensity (0-5)")
    return figure
