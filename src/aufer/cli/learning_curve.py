"""``aufer learning-curve``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from aufer.cli.options import (
    PATH,
    emotions_option,
    force_option,
    json_option,
    out_option,
    seed_option,
    talk_options,
)
from aufer.cli.train import KINDS
from aufer.emotions import Emotions


class Sizes(click.ParamType):
    """``10,20,50,all``."""

    name = "N,N,…|all"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | str, ...]:
        """The sizes; a usage error for what is no number of images."""
        if isinstance(value, tuple):
            return value
        from aufer.curve.sizes import parse_sizes

        return parse_sizes(str(value))


@click.command(
    "learning-curve",
    epilog="""\b
Examples:
  aufer learning-curve --kind logistic         data/emotion.csv, in seconds
  aufer learning-curve                         the dense network: minutes
  aufer learning-curve --kind svm --repeats 5  narrower intervals
  aufer learning-curve other.csv --kind trees --sizes 20,100,all""",
)
@click.argument("dataset", type=PATH, default=Path("data/emotion.csv"), metavar="[DATASET]")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="dense",
    show_default=True,
    help="Model kind.",
)
@click.option(
    "--recipe",
    type=click.Choice(["standard", "reference"]),
    default="standard",
    show_default=True,
    help="How a dense network is trained (aufer train --help).",
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs at most. Default: the recipe's.")
@click.option(
    "--sizes",
    type=Sizes(),
    help="Training images per emotion. Default: 10,20,50,100,… up to all.",
)
@click.option(
    "--folds", type=click.IntRange(2, 100), default=5, show_default=True, help="Folds held out."
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Deal the folds, and draw the images, so many times.",
)
@emotions_option(default=False)
@seed_option
@click.option(
    "--jobs", type=click.IntRange(1, 1000), help="Fits at once. Default: one per core and GB."
)
@out_option(None, "The curve's folder. Default: reports/learning-curve-<dataset>-<kind>/")
@force_option
@json_option
@talk_options
def command(
    dataset: Path,
    kind: str,
    recipe: str,
    epochs: int | None,
    sizes: tuple[int | str, ...] | None,
    folds: int,
    repeats: int,
    emotions: Emotions | None,
    seed: int,
    jobs: int | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure how many correct answers more training images bring, emotion by emotion: a model of a
    KIND learns from 10, 20, 50, … images per emotion of a DATASET (default: data/emotion.csv), and
    reads the same held-out faces each time.

    Writes learning-curve.html to read, learning-curve.csv (the counts of every fit),
    learning-curve.json, and the tables and figures as files.
    """
    import pandas as pd

    from aufer.cli.talk import print_data, progress, say, say_table, warn
    from aufer.curve.page import check_curve_folder, write_curve
    from aufer.curve.text import name_size, sentences
    from aufer.files import to_json
    from aufer.learning_curve import learning_curve
    from aufer.metrics import percent

    own = "" if recipe == "standard" else f"-{recipe}"
    folder = out or Path("reports") / f"learning-curve-{dataset.stem}-{kind}{own}"
    check_curve_folder(folder, force=force)
    curve = learning_curve(
        dataset,
        kind=kind,
        recipe=recipe,
        sizes=sizes,
        folds=folds,
        repeats=repeats,
        seed=seed,
        emotions=emotions,
        epochs=epochs,
        jobs=jobs,
        progress=progress,
        command=shlex.join(["aufer", *sys.argv[1:]]),
    )
    page = write_curve(folder, curve.facts, curve.counts, force=force)
    say_table(
        pd.DataFrame(
            {
                "images per emotion": name_size(curve.facts, point["size"]),
                "accuracy": percent(point["accuracy"]["value"]),
                **{one["emotion"]: percent(one["recall"]["value"]) for one in point["per_emotion"]},
            }
            for point in curve.facts["points"]
        )
    )
    if curve.facts["persons_unknown"]:
        warn(curve.facts["persons_unknown"])
    for note in curve.facts["notes"]:
        warn(note)
    for sentence in sentences(curve.facts):
        say(sentence)
    print_data(to_json(curve.facts).rstrip() if as_json else str(page))
