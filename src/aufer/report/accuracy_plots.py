"""The pictures of a report about accuracy, mistakes and faces, drawn of the numbers they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.plots import BLUE, GREY, INK, LIGHT, ORANGE, PAGE_WIDTH, new_figure, percent_axis, quiet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_accuracy(rows: Sequence[dict[str, Any]], chance: float) -> Figure:
    """Accuracies with their 95 % intervals, one line each.

    Args:
        rows: ``title``, ``accuracy`` (a `metrics.proportion`), ``is_model``. chance: of guessing.
    """
    figure = new_figure(PAGE_WIDTH, 0.85 + 0.4 * len(rows))
    axes = figure.subplots()
    for position, row in enumerate(reversed(rows)):
        share = row["accuracy"]
        colour = BLUE if row["is_model"] else GREY
        axes.plot([share["low"], share["high"]], [position] * 2, color=colour, linewidth=2.4)
        axes.plot(share["value"], position, "o", color=colour, markersize=8)
        axes.annotate(
            f"{100 * share['value']:.1f} %",
            (share["value"], position),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
    axes.axvline(chance, color=INK, linewidth=1, linestyle=":")
    axes.annotate(
        "guessing",
        (chance, len(rows) - 0.55),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )
    axes.set_yticks(range(len(rows)), [row["title"] for row in reversed(rows)])
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, len(rows) - 0.3)
    percent_axis(axes.xaxis)
    axes.set_xlabel("faces read correctly (line: 95 % interval)")
    quiet(axes, "x")
    return figure


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
    figure = new_figure(PAGE_WIDTH, 0.9 + 0.42 * len(rows))
    axes = figure.subplots()
    for position, row in enumerate(reversed(rows)):
        recall = row["recall"]
        axes.barh(position, recall["value"], color=BLUE, alpha=0.75, height=0.55)
        axes.plot([recall["low"], recall["high"]], [position, position], color=INK, linewidth=1.4)
        if row["precision"] is not None:
            axes.plot(row["precision"], position, "D", color=ORANGE, markersize=6, mec="white")
    axes.set_yticks(range(len(rows)), [f"{r['emotion']} (n = {r['n']})" for r in reversed(rows)])
    axes.set_xlim(0, 1)
    percent_axis(axes.xaxis)
    axes.set_xlabel("recall (bar; line: 95 % interval) and precision (diamond)")
    quiet(axes, "x")
    return figure


def draw_blocks(rows: Sequence[dict[str, Any]]) -> Figure:
    """Cross-validated accuracy, mean and deviation, by how many rows stay together."""
    figure = new_figure(4.4, 2.3)
    axes = figure.subplots()
    x = range(len(rows))
    means = [row["accuracy"]["mean"] for row in rows]
    deviations = [row["accuracy"]["sd"] or 0 for row in rows]
    axes.errorbar(x, means, yerr=deviations, fmt="o-", color=BLUE, capsize=3, markersize=6)
    for position, mean in zip(x, means, strict=True):
        axes.annotate(
            f"{100 * mean:.1f} %", (position, mean), xytext=(7, 5), textcoords="offset points",
            fontsize=8,
        )  # fmt: skip
    axes.set_xticks(list(x), [str(row["size"]) for row in rows])
    axes.set_xlim(-0.4, len(rows) - 0.3)
    axes.margins(y=0.25)
    percent_axis(axes.yaxis)
    axes.set_xlabel("neighbouring rows that stay together")
    axes.set_ylabel("accuracy")
    quiet(axes, "y")
    return figure


def draw_protocols(protocols: Sequence[dict[str, Any]], titles: dict[str, str]) -> Figure:
    """Cross-validated accuracy of each model under each protocol, mean and deviation.

    Args:
        protocols: of ``cross_validation``, the leading one first. titles: theirs, by name.
    """
    models = protocols[0]["models"]
    figure = new_figure(PAGE_WIDTH, 1.1 + 0.44 * len(models))
    axes = figure.subplots()
    styles = ((BLUE, "o", 0.0), (ORANGE, "s", 0.17), (GREY, "^", -0.17))
    for protocol, (colour, marker, shift) in zip(protocols, styles, strict=False):
        by_name = {model["name"]: model["accuracy"] for model in protocol["models"]}
        found = [by_name.get(model["name"]) for model in reversed(models)]
        there = [(i + shift, f) for i, f in enumerate(found) if f and f["mean"] is not None]
        axes.errorbar(
            [accuracy["mean"] for _, accuracy in there],
            [position for position, _ in there],
            xerr=[accuracy["sd"] or 0 for _, accuracy in there],
            fmt=marker,
            color=colour,
            capsize=2,
            markersize=6,
            label=titles[protocol["name"]],
        )
    axes.set_yticks(range(len(models)), [model["title"] for model in reversed(models)])
    axes.set_ylim(-0.6, len(models) - 0.4)
    axes.set_xlim(0, 1)
    percent_axis(axes.xaxis)
    axes.set_xlabel("accuracy over the folds (mark: mean; line: ± standard deviation)")
    if len(protocols) > 1:
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    quiet(axes, "x")
    return figure


def draw_au_profile(
    rows: Sequence[dict[str, Any]],
    aus: Sequence[str],
    prototypes: dict[str, tuple[str, ...]],
    optional: dict[str, tuple[str, ...]],
) -> Figure:
    """Mean intensity of each AU by true emotion; the FACS prototypes' AUs are outlined.

    Args:
        rows: `facts.au_profile`. aus: names in the order of the columns.
        prototypes, optional: AUs of each emotion's prototype; optional ones are dashed.
    """
    from matplotlib.patches import Rectangle

    means = np.array(
        [[np.nan if row[au] is None else row[au] for au in aus] for row in rows], dtype=np.float64
    )
    figure = new_figure(PAGE_WIDTH, 1.1 + 0.4 * len(rows))
    axes = figure.subplots()
    top = (0.0 if np.isnan(means).all() else float(np.nanmax(np.abs(means)))) or 1.0
    is_signed = bool((means < 0).any())  # differences from the person's own
    scale = ("PuOr", -top) if is_signed else ("Blues", 0.0)
    image = axes.imshow(means, cmap=scale[0], vmin=scale[1], vmax=top, aspect="auto")
    for (row, column), mean in np.ndenumerate(means):
        if not np.isnan(mean):
            colour = "white" if abs(mean) > 0.55 * top else INK
            axes.text(
                column,
                row,
                f"{round(mean, 1) + 0.0:.1f}",
                ha="center",
                va="center",
                color=colour,
                fontsize=7,
            )
    for number, row in enumerate(rows):
        for group, style in ((prototypes, "-"), (optional, ":")):
            for au in group.get(row["emotion"], ()):
                if au in aus:
                    corner = (aus.index(au) - 0.44, number - 0.42)
                    axes.add_patch(
                        Rectangle(
                            corner, 0.88, 0.84, fill=False, ec=ORANGE, lw=1.8, linestyle=style
                        )
                    )
    axes.set_xticks(range(len(aus)), [au.removeprefix("AU") for au in aus])
    axes.set_yticks(range(len(rows)), [f"{row['emotion']} ({row['n']})" for row in rows])
    axes.set_xlabel("Action Unit")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="mean intensity", fraction=0.03, pad=0.015)
    return figure


def draw_mistake(
    aus: dict[str, float], of_truth: Sequence[str], of_answer: Sequence[str]
) -> Figure:
    """One face's AU intensities as bars.

    Args:
        of_truth, of_answer: AUs of the prototypes of the true emotion (blue) and of the emotion
            that was read (orange); an AU of both is half blue, half orange.
    """
    figure = new_figure(3.1, 1.15)
    axes = figure.subplots()
    for position, (au, value) in enumerate(aus.items()):
        colours = [
            colour for colour, group in ((BLUE, of_truth), (ORANGE, of_answer)) if au in group
        ] or [GREY]
        width = 0.8 / len(colours)
        for half, colour in enumerate(colours):
            left = position - 0.4 + half * width
            axes.bar(left, value, width=width, align="edge", color=colour)
    axes.set_xticks(range(len(aus)), [au.removeprefix("AU") for au in aus], fontsize=6)
    lowest = -5 if min(aus.values()) < 0 else 0  # differences from the person's own
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_ylim(lowest, 5)
    axes.set_yticks([lowest, 5])
    axes.tick_params(length=0, labelsize=6)
    axes.set_xlim(-0.6, len(aus) - 0.4)
    axes.grid(axis="y", color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure
