"""What all our pictures share: fonts, colours, files.

matplotlib without pyplot, so no window and no state.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aufer.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREY = "#8a939c"
LIGHT = "#d5dae0"
"""Blue and orange of Okabe and Ito's palette: told apart by colour-blind readers, and in grey."""

PAGE_WIDTH = 8.0
"""Of a picture as wide as a page, inches."""


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
            "text.parse_math": False,  # a $ in a name is a $
        }
    )
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def percent_axis(axis: Any) -> None:
    """Shares, 0-1, as percent along an axis."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def quiet(axes: Axes, grid: str = "both") -> None:
    """A light grid behind the marks, no ticks; ``grid``: of which axis, ``x``, ``y`` or both."""
    axes.grid(axis=grid, color=LIGHT, linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(length=0)


def as_svg(figure: Figure) -> str:
    """A figure as the text of an SVG file; equal figures give equal text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def as_png(figure: Figure, dpi: int = 150) -> bytes:
    """A figure as a PNG file; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def as_data_uri(svg: str) -> str:
    """An SVG as the value of an ``<img src>``, so that a page carries its pictures with it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode("utf-8")).decode("ascii")


def write_figure(figure: Figure, folder: Path, name: str) -> str:
    """Write a figure as ``<name>.svg`` and ``<name>.png``, and give it as a data URI."""
    svg = as_svg(figure)
    write_text(folder / f"{name}.svg", svg)
    (folder / f"{name}.png").write_bytes(as_png(figure))
    return as_data_uri(svg)
