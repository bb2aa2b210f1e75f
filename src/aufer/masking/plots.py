"""The pictures of a mask study. Each says that OpenFace was not tested on masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.face_regions import ALL, LOWER, UPPER
from aufer.masking.text import SHORT_CAVEAT, part_title
from aufer.plots import BLUE, GREY, INK, LIGHT, ORANGE, PAGE_WIDTH, new_figure, percent_axis, quiet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = {ALL: (BLUE, "o", 0.2), UPPER: (ORANGE, "s", 0.0), LOWER: (GREY, "^", -0.2)}
"""Colour, mark and place in the line of each part of the face."""


def draw_recall(facts: dict[str, Any], result: dict[str, Any]) -> Figure:
    """Recall of each emotion with the whole, the upper and the lower face, with intervals."""
    names = facts["emotions"]
    figure = new_figure(PAGE_WIDTH, 1.6 + 0.55 * len(names))
    axes = figure.subplots()
    for part, (colour, mark, shift) in STYLES.items():
        shares = [row["recall"] for row in result["parts"][part]["per_emotion"]]
        places = [len(names) - 1 - number + shift for number in range(len(names))]
        for place, share in zip(places, shares, strict=True):
            axes.plot([share["low"], share["high"]], [place, place], color=colour, linewidth=1.8)
        axes.plot(
            [share["value"] for share in shares], places, mark, color=colour, markersize=7,
            label=part_title(facts, part),
        )  # fmt: skip
    for number, row in enumerate(result["eyes"]):
        place = len(names) - 1 - number
        axes.plot([row["at_random"]] * 2, [place - 0.33, place + 0.33], color=INK, lw=1.2, ls=":")
    axes.plot([], [], color=INK, lw=1.2, ls=":", label="upper face's answers, at random")
    counts = facts["dataset"]["counts"]
    axes.set_yticks(range(len(names)), [f"{name} ({counts[name]:,})" for name in reversed(names)])
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, len(names) - 0.5)
    percent_axis(axes.xaxis)
    axes.set_xlabel("faces read as labelled (line: 95 % interval)")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    quiet(axes, "x")
    _say_caveat(figure)
    return figure


def draw_hidden(facts: dict[str, Any], result: dict[str, Any]) -> Figure:
    """What a mask hides of each emotion: the loss of recall, with its interval."""
    rows = sorted(result["hidden"][:-1], key=lambda row: float(row["loss"]["value"]))
    figure = new_figure(PAGE_WIDTH, 1.1 + 0.4 * len(rows))
    axes = figure.subplots()
    for place, row in enumerate(rows):
        loss = row["loss"]
        axes.barh(place, loss["value"], color=ORANGE, alpha=0.75, height=0.55)
        axes.plot([loss["low"], loss["high"]], [place, place], color=INK, linewidth=1.4)
        axes.annotate(
            f"{100 * loss['value']:.0f}", (max(loss["high"], 0), place), xytext=(5, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row["emotion"] for row in rows])
    axes.margins(x=0.1)
    percent_axis(axes.xaxis)
    axes.set_xlabel("hidden: recall with the whole face minus recall with the upper face")
    quiet(axes, "x")
    _say_caveat(figure)
    return figure


def draw_confusions(facts: dict[str, Any], result: dict[str, Any]) -> Figure:
    """The confusion matrices side by side: percent of each emotion that is read as each."""
    names = facts["emotions"]
    figure = new_figure(PAGE_WIDTH, 1.5 + 0.3 * len(names))
    panels = figure.subplots(1, len(STYLES), sharey=True)
    for axes, part in zip(panels, STYLES, strict=True):
        counts = np.asarray(result["parts"][part]["confusion"])
        shares = counts / counts.sum(axis=1, keepdims=True)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            axes.text(
                column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7,
                color="white" if share > 0.55 else INK,
                fontweight="bold" if row == column else "normal",
            )  # fmt: skip
        axes.set_title(part_title(facts, part), fontsize=9, loc="left")
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.tick_params(length=0)
        axes.spines[:].set_color(LIGHT)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylabel("labelled")
    figure.supxlabel("read as; percent of the faces labelled so", fontsize=9)
    _say_caveat(figure)
    return figure


def _say_caveat(figure: Figure) -> None:
    """The sentence, on its own line above everything else."""
    figure.suptitle(SHORT_CAVEAT, fontsize=7.5, x=0.01, ha="left", color=INK)
