"""The pictures of a model's explanation as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.action_units import AU_NAMES
from aufer.emotions import OPTIONAL_AUS, PROTOTYPES
from aufer.explaining.whole_text import name_au
from aufer.plots import BLUE, GREY, INK, ORANGE, PAGE_WIDTH, new_figure, percent_axis, quiet
from aufer.prototypes import prototype_of
from aufer.report.accuracy_plots import draw_au_profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"brow": BLUE, "eyes": "#56b4e9", "nose": GREY, "mouth": ORANGE}
"""Of the regions, which are also named; sky blue is of the same palette as the others."""


def draw_importance(facts: dict[str, Any]) -> Figure:
    """Loss of accuracy when a region, and when one AU, is shuffled, with 95 % intervals."""
    found = facts["importance"]
    regions, aus = found["regions"], found["aus"]
    figure = new_figure(PAGE_WIDTH, 1.5 + 0.26 * (len(regions) + len(aus)))
    upper, lower = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [len(regions) + 0.5, len(aus) + 0.5]}
    )
    _bars(upper, regions, [row["name"] for row in regions])
    _bars(lower, aus, [f"{name_au(row['name'])} ({row['region']})" for row in aus])
    upper.set_title("all AUs of a region together", fontsize=9, loc="left")
    lower.set_title("one AU alone", fontsize=9, loc="left")
    lower.set_xlabel("accuracy lost when shuffled (line: 95 % interval)")
    percent_axis(lower.xaxis)
    return figure


def _bars(axes: Axes, rows: list[dict[str, Any]], names: list[str]) -> None:
    for place, row in enumerate(reversed(rows)):
        axes.barh(
            place, row["accuracy"]["mean"], color=COLOURS.get(row["region"], GREY), height=0.6
        )
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=INK, linewidth=1.3)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), list(reversed(names)), fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    quiet(axes, "x")


def draw_coefficients(facts: dict[str, Any]) -> Figure:
    """Standardised coefficients; bold where the 95 % interval leaves out 0."""
    found = facts["coefficients"]
    emotions, aus = list(found["intercepts"]), list(found["mean"])
    by_place = {(row["emotion"], row["au"]): row["coefficient"] for row in found["rows"]}
    values = np.array([[by_place[emotion, au]["value"] for au in aus] for emotion in emotions])
    top = float(np.abs(values).max()) or 1.0
    figure = new_figure(PAGE_WIDTH, 1.1 + 0.4 * len(emotions))
    axes = figure.subplots()
    image = axes.imshow(values, cmap="PuOr_r", vmin=-top, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        limits = by_place[emotions[row], aus[column]]
        is_sure = limits["low"] > 0 or limits["high"] < 0
        axes.text(
            column, row, f"{round(value, 1) + 0.0:+.1f}", ha="center", va="center", fontsize=7,
            color="white" if abs(value) > 0.6 * top else INK if is_sure else "#556069",
            fontweight="bold" if is_sure else "normal",
        )  # fmt: skip
    axes.set_xticks(range(len(aus)), [au.removeprefix("AU") for au in aus])
    axes.set_yticks(range(len(emotions)), emotions)
    axes.set_xlabel("Action Unit (bold: the 95 % interval leaves out 0)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="log-odds per deviation", fraction=0.03, pad=0.015)
    return figure


def draw_profile(facts: dict[str, Any]) -> Figure:
    """Mean AUs per emotion; the AUs of the FACS prototypes are outlined."""
    rows = [row for row in facts["profile"]["means"] if row["n"]]
    names = {row["emotion"]: prototype_of(row["emotion"]) for row in rows}
    return draw_au_profile(
        rows,
        [au for au in AU_NAMES if au in rows[0]],
        {emotion: PROTOTYPES[name] for emotion, name in names.items() if name},
        {emotion: OPTIONAL_AUS.get(name, ()) for emotion, name in names.items() if name},
    )
