"""The training curves of a run, ``training.png``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aufer.plots import BLUE, GREY, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_training(
    history: Sequence[dict[str, float]], best_epoch: int, title: str, path: Path
) -> None:
    """Write `training_figure` as a PNG of 1200 x 540 pixels."""
    figure = training_figure(history, best_epoch)
    figure.suptitle(title)
    figure.savefig(path, format="png", dpi=120)


def training_figure(
    history: Sequence[dict[str, float]],
    best_epoch: int,
    size: tuple[float, float] = (10, 4.5),
) -> Figure:
    """Loss and accuracy by epoch, the best epoch marked.

    Args:
        history: rows of `bundle.HISTORY_COLUMNS`. best_epoch: counted from 1.
        size: width and height, inches.
    """
    figure = new_figure(*size)
    epochs = [row["epoch"] for row in history]
    axes: Any = figure.subplots(1, 2)
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        marker = "o" if len(history) < 3 else None
        train, validation = ([row[key] for row in history] for key in (name, f"val_{name}"))
        axis.plot(epochs, train, color=BLUE, marker=marker, label="training rows")
        axis.plot(
            epochs,
            validation,
            color=ORANGE,
            linestyle="--",
            marker=marker,
            label="validation rows",
        )
        value = validation[best_epoch - 1]
        axis.axvline(best_epoch, color=GREY, linewidth=1)
        axis.plot(
            [best_epoch],
            [value],
            "o",
            color=ORANGE,
            markersize=7,
            label=f"best epoch {best_epoch}: {value:.3f}",
        )
        axis.set_xlabel("epoch")
        axis.set_title(name)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    return figure
