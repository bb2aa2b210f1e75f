"""The pictures of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.comparison.figures import leading_view
from aufer.comparison.pairs import ANSWERED
from aufer.plots import (
    BLUE,
    GREY,
    INK,
    LIGHT,
    ORANGE,
    PAGE_WIDTH,
    new_figure,
    percent_axis,
    quiet,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK, GREY)
"""Of Okabe and Ito's palette; a model has its marker too."""

LEAST_IN_BIN = 5
"""Images; of fewer the share that is right says next to nothing."""

_LINE = 0.42
"""Inches per line of a picture."""


def draw_accuracy(facts: dict[str, Any]) -> Figure:
    """Accuracy of each model: of the answered images, and of all, with their intervals."""
    view = leading_view(facts)
    titles = {each["name"]: each["short"] for each in facts["baselines"]}
    rows = [(model["name"], model, True) for model in view["models"]]
    rows += [(titles[each["name"]], each, False) for each in view["baselines"]]
    figure = new_figure(PAGE_WIDTH, 0.9 + _LINE * len(rows))
    axes = figure.subplots()
    for line, (_, found, is_model) in enumerate(rows):
        colour = BLUE if is_model else GREY
        _interval(axes, found["accuracy"], line - 0.14, colour, "o", colour)
        if found["n_answered"] < found["n_images"]:
            _interval(axes, found["accuracy_all"], line + 0.18, colour, "s", "white")
    axes.set_yticks(range(len(rows)), [_shortened(title) for title, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.6)
    _shares(axes)
    axes.set_xlabel("read as labelled · filled: of the answered images · hollow: of all images")
    return figure


def draw_pairs(facts: dict[str, Any]) -> Figure:
    """The difference of each pair's accuracies, with its interval."""
    pairs = leading_view(facts)["pairs"][ANSWERED]
    figure = new_figure(PAGE_WIDTH, 0.9 + _LINE * len(pairs))
    axes = figure.subplots()
    axes.axvline(0, color=INK, linewidth=1)
    for line, pair in enumerate(pairs):
        differs = pair["differ"]
        colour = BLUE if differs else GREY
        axes.plot((pair["low"], pair["high"]), (line, line), color=colour, linewidth=2)
        axes.plot(
            pair["difference"] or 0, line, "o", color=colour, ms=7,
            markerfacecolor=colour if differs else "white",
        )  # fmt: skip
    axes.set_yticks(
        range(len(pairs)),
        [f"{_shortened(pair['first'])} – {_shortened(pair['second'])}" for pair in pairs],
    )
    axes.set_ylim(len(pairs) - 0.5, -0.6)
    percent_axis(axes.xaxis)
    quiet(axes, "x")
    axes.set_xlabel("left: the second reads more · right: the first · filled: significant")
    return figure


def draw_recall(facts: dict[str, Any]) -> Figure:
    """Recall of each emotion by each model, with its interval."""
    models, emotions = leading_view(facts)["models"], facts["emotions"]
    step = 0.72 / len(models)
    figure = new_figure(PAGE_WIDTH, 1.2 + max(_LINE, 0.2 * len(models)) * len(emotions))
    axes = figure.subplots()
    for number, model in enumerate(models):
        recalls = {row["emotion"]: row["recall"] for row in model["per_emotion"]}
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        for line, emotion in enumerate(emotions):
            place = line + step * (number - (len(models) - 1) / 2)
            _interval(axes, recalls[emotion], place, colour, marker, colour)
        axes.plot(
            [], [], marker=marker, color=colour, linestyle="none", label=_shortened(model["name"])
        )
    for line in range(1, len(emotions)):
        axes.axhline(line - 0.5, color=LIGHT, linewidth=0.7)
    axes.set_yticks(range(len(emotions)), emotions)
    axes.set_ylim(len(emotions) - 0.5, -0.5)
    _shares(axes)
    axes.set_xlabel("answered images of this emotion that are read as it")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def draw_reliability(facts: dict[str, Any]) -> Figure:
    """What each model promised, and what it kept."""
    models = leading_view(facts)["models"]
    figure = new_figure(PAGE_WIDTH * 0.62, 4.6)
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color=INK, linewidth=1, linestyle=":")
    for number, model in enumerate(models):
        bins = [row for row in model["reliability"] if row["n"] >= LEAST_IN_BIN]
        promised = np.array([row["confidence"] for row in bins])
        kept = np.array([row["accuracy"]["value"] for row in bins])
        axes.plot(
            promised, kept, clip_on=False, marker=MARKERS[number % len(MARKERS)], ms=5,
            linewidth=1.2, color=COLOURS[number % len(COLOURS)], label=_shortened(model["name"]),
        )  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        percent_axis(axis)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    quiet(axes)
    axes.set_xlabel("probability of the answer")
    axes.set_ylabel("answers that are as labelled")
    axes.legend(frameon=False, loc="upper left")
    return figure


def _interval(
    axes: Axes, share: dict[str, Any], place: float, colour: str, marker: str, fill: str
) -> None:
    if share["value"] is None:
        return
    axes.plot((share["low"], share["high"]), (place, place), color=colour, linewidth=2)
    axes.plot(share["value"], place, marker, color=colour, markerfacecolor=fill, ms=6)


def _shares(axes: Axes) -> None:
    axes.set_xlim(-0.015, 1.015)
    percent_axis(axes.xaxis)
    quiet(axes, "x")


def _shortened(name: str, most: int = 42) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
