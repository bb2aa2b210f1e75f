"""``aufer mask-study``."""

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


class Kinds(click.ParamType):
    """``logistic,svm``."""

    name = "KIND,KIND,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The kinds; a usage error for what is none."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        wrong = [word for word in words if word not in KINDS]
        if wrong or not words:
            self.fail(f"{wrong[0] if wrong else value!r} is none of {', '.join(KINDS)}", param, ctx)
        return tuple(words)


@click.command(
    "mask-study",
    epilog="""\b
Examples:
  aufer mask-study                              data/emotion.csv, in half a minute or so
  aufer mask-study --kind logistic,svm          two kinds of model beside each other
  aufer mask-study --kind dense                 the dense network: minutes
  aufer mask-study other.csv --cv 10 --repeats 5

The AUs were measured on uncovered faces: OpenFace was not tested on masks.""",
)
@click.argument("dataset", type=PATH, default=Path("data/emotion.csv"), metavar="[DATASET]")
@click.option(
    "--kind",
    "kinds",
    type=Kinds(),
    default="svm",
    show_default=True,
    help=f"Model kinds ({', '.join(KINDS)}); the page leads with the first.",
)
@click.option(
    "--cv", type=click.IntRange(2, 100), default=5, show_default=True, help="Folds held out."
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Deal the folds so many times, with seeds --seed, --seed + 1, …",
)
@click.option(
    "--epochs", type=click.IntRange(1), help="Epochs of a network, at most. Default: the recipe's."
)
@emotions_option(default=False)
@seed_option
@out_option(None, "The study's folder. Default: reports/mask-study-<dataset>-<kinds>/")
@force_option
@json_option
@talk_options
def command(
    dataset: Path,
    kinds: tuple[str, ...],
    cv: int,
    repeats: int,
    epochs: int | None,
    emotions: Emotions | None,
    seed: int,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure what a mask hides: models of a DATASET (default: data/emotion.csv) are given the AUs
    of the whole face, of the upper face (brow and eyes), and of the lower face, and read faces they
    had not learnt from, emotion by emotion.

    Writes mask-study.html to read, predictions.csv (what every model said of every face),
    mask-study.json, and the tables and figures as files.
    """
    import pandas as pd

    from aufer.cli.talk import print_data, progress, say, say_table, warn
    from aufer.files import to_json
    from aufer.mask_study import mask_study
    from aufer.masking.page import check_study_folder, write_study
    from aufer.masking.text import PART_TITLES, sentences
    from aufer.metrics import percent

    folder = out or Path("reports") / f"mask-study-{dataset.stem}-{'-'.join(kinds)}"
    check_study_folder(folder, force=force)
    study = mask_study(
        dataset,
        kinds=kinds,
        cv=cv,
        repeats=repeats,
        seed=seed,
        emotions=emotions,
        epochs=epochs,
        progress=progress,
        command=shlex.join(["aufer", *sys.argv[1:]]),
    )
    page = write_study(folder, study.facts, study.predictions, force=force)
    say_table(
        pd.DataFrame(
            {
                "model": result["title"],
                "sees": PART_TITLES[part],
                "accuracy": percent(found["accuracy"]["value"]),
                **{one["emotion"]: percent(one["recall"]["value"]) for one in found["per_emotion"]},
            }
            for result in study.facts["results"]
            for part, found in result["parts"].items()
        )
    )
    if study.facts["persons_unknown"]:
        warn(study.facts["persons_unknown"])
    for note in study.facts["notes"]:
        warn(note)
    for sentence in sentences(study.facts):
        say(sentence)
    print_data(to_json(study.facts).rstrip() if as_json else str(page))
