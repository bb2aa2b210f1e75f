"""``aufer train``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from aufer.cli.train_pictures import AU_NET, CNN
from aufer.emotions import Emotions
from aufer.errors import UsageError

_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)

KINDS = ("dense", "logistic", "svm", "trees")
SOURCES = "sources"


class Folds(click.ParamType):
    """A number of folds, or ``sources``."""

    name = "K|sources"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """The number, 2 to 100, or the word; a usage error for anything else."""
        if value == SOURCES or isinstance(value, int):
            return value
        text = str(value)
        if not text.isdecimal() or not 2 <= int(text) <= 100:
            self.fail(f"{value!r} is no number of folds (2 to 100), nor '{SOURCES}'.", param, ctx)
        return int(text)


@click.command(
    "train",
    epilog="""\b
Examples:
  aufer train                                  data/emotion.csv -> models/<run>/
  aufer train other.csv --recipe reference     the reference project's recipe, to the letter
  aufer train --seed 3 --out models/third
  aufer train --cv 5 --repeats 3               and cross-validate it, beside baselines
  aufer train --ensemble 5                     five networks, whose mean is the answer
  aufer train --kind logistic                  the model whose weights can be read
  aufer train --cv sources --test-size 0       hold out one source of the dataset at a time
  aufer train --kind cnn --images images/train            from pictures of faces, not from AUs
  aufer train --kind cnn --images images/train --resume   and go on where it was stopped
  aufer train --kind au-net --images images --aus data/aus.csv   a network that measures AUs

Ctrl-C keeps the best model so far; of a cnn or au-net it keeps what --resume goes on with.""",
)
@click.argument("dataset", type=PATH, default=Path("data/emotion.csv"), metavar="[DATASET]")
@click.option(
    "--recipe",
    type=click.Choice(["standard", "reference"]),
    default="standard",
    show_default=True,
    help="standard: ours, with a stratified and group-aware split; reference: the reference "
    "project's, to the letter.",
)
@click.option(
    "--kind",
    type=click.Choice([*KINDS, CNN, AU_NET]),
    default="dense",
    show_default=True,
    help="Model kind; cnn learns from pictures (--images), au-net from pictures and their AUs to "
    "measure AUs itself, the others from a DATASET.",
)
@click.option(
    "--images",
    type=PATH,
    metavar="DIR",
    help="For --kind cnn: a folder per emotion with pictures of faces, cropped to the face. For "
    "--kind au-net: any folder of pictures.",
)
@click.option(
    "--aus",
    type=PATH,
    metavar="PATH",
    help="For --kind au-net: what OpenFace measured of --images, with landmarks: an AU table of "
    "aufer extract, or a folder of OpenFace's files (-aus -2Dfp).",
)
@click.option(
    "--resume",
    is_flag=True,
    help="For --kind cnn, au-net: go on with an unfinished training, with the settings it was "
    "begun with.",
)
@click.option(
    "--ensemble",
    "n_members",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="Train N models with different seeds; the mean of their probabilities is the answer.",
)
@click.option(
    "--cv",
    type=Folds(),
    help="Cross-validate first: K folds, by group where groups are known; or hold out one source "
    "of the dataset at a time. Baselines are fitted on the same folds.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Cross-validate so many times, with seeds --seed, --seed + 1, …",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Whether --cv fits the baselines too.",
)
@emotions_option(default=False)
@out_option(None, "The bundle's folder. Default: models/<dataset>-<kind>-<time>.")
@click.option("--name", metavar="RUN", help="The run's name: the bundle goes to models/RUN.")
@seed_option
@click.option(
    "--class-weights/--no-class-weights",
    default=None,
    help="Weigh rare emotions up, so that each counts alike. Default: not.",
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs at most. Default: the recipe's.")
@click.option(
    "--steps",
    type=click.IntRange(1),
    help="For --kind au-net: steps of an epoch. Default: the recipe's.",
)
@click.option(
    "--patience",
    type=click.IntRange(0),
    help="Stop after so many epochs without a lower validation loss. Default: the recipe's.",
)
@click.option("--batch-size", type=click.IntRange(1), help="Rows per step. Default: the recipe's.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Adam's (largest) step size. Default: the recipe's.",
)
@click.option(
    "--test-size",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of rows for the test; 0 for none (with --cv). Default: 0.25, of pictures 0.1.",
)
@click.option(
    "--validation-size",
    type=_SHARE,
    help="Share of the other rows that says when to stop, and how sure to be. Default: the "
    "recipe's.",
)
@click.option(
    "--checkpoint-format",
    type=click.Choice(["keras", "h5"]),
    help="File type of checkpoints/. Default: keras.",
)
@click.option(
    "--without-data",
    is_flag=True,
    help="Name no image and no person in the bundle, and keep digests instead of AUs: it can be "
    "passed on where the data can't.",
)
@force_option
@json_option
@talk_options
def command(
    dataset: Path,
    recipe: str,
    kind: str,
    images: Path | None,
    aus: Path | None,
    resume: bool,
    n_members: int,
    cv: int | str | None,
    repeats: int,
    baselines: bool,
    emotions: Emotions | None,
    out: Path | None,
    name: str | None,
    seed: int,
    class_weights: bool | None,
    epochs: int | None,
    steps: int | None,
    patience: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    test_size: float | None,
    validation_size: float | None,
    checkpoint_format: str | None,
    without_data: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Train an expression model on a DATASET (default: data/emotion.csv), or on pictures.

    Writes a model bundle: the best network as model.keras and model.onnx, bundle.json (settings,
    split, figures), history.csv, training.png, checkpoints/ and a model card; with --cv also
    cross-validation/.
    """
    from aufer.cli.talk import print_data, say, say_table
    from aufer.cli.train_pictures import refuse_options, train_pictures
    from aufer.cli.training_talk import cv_table, epoch_talk, fold_talk, summary
    from aufer.files import to_json
    from aufer.train import CvPlan, train

    refuse_options(kind)
    if kind == AU_NET:
        from aufer.cli.train_au_net import train_network

        with _exit_code_kept():
            train_network(
                images,
                aus,
                resume=resume,
                out=out,
                name=name,
                seed=seed,
                epochs=epochs,
                steps=steps,
                batch_size=batch_size,
                learning_rate=learning_rate,
                test_size=test_size,
                force=force,
                as_json=as_json,
                command=_as_typed(),
            )
        return
    if kind == CNN:
        with _exit_code_kept():
            train_pictures(
                images,
                resume=resume,
                seed=seed,
                emotions=emotions,
                out=out,
                name=name,
                class_weights=class_weights,
                epochs=epochs,
                patience=patience,
                batch_size=batch_size,
                learning_rate=learning_rate,
                test_size=test_size,
                validation_size=validation_size,
                with_data=not without_data,
                force=force,
                as_json=as_json,
                command=_as_typed(),
            )
        return
    if cv is None and repeats > 1:
        raise UsageError(
            "--repeats goes with --cv.", hint=f"aufer train --cv 5 --repeats {repeats}"
        )
    if cv == SOURCES and repeats > 1:
        raise UsageError("--cv sources has nothing to repeat: each source is held out once.")
    plan = None
    if cv is not None:
        k = cv if isinstance(cv, int) else 0
        plan = CvPlan(k, by_source=cv == SOURCES, repeats=repeats, baselines=baselines)
    with fold_talk() as on_fold, epoch_talk() as on_epoch, _exit_code_kept():
        bundle = train(
            dataset,
            recipe=recipe,
            kind=kind,
            emotions=emotions,
            out=out,
            name=name,
            seed=seed,
            class_weights=class_weights,
            epochs=epochs,
            patience=patience,
            batch_size=batch_size,
            learning_rate=learning_rate,
            test_size=test_size,
            validation_size=validation_size,
            checkpoint_format=checkpoint_format,
            n_members=n_members,
            cv=plan,
            on_epoch=on_epoch,
            on_fold=on_fold,
            on_member=lambda number: (
                say(f"member {number} of {n_members}") if n_members > 1 else None
            ),
            with_data=not without_data,
            force=force,
            command=_as_typed(),
        )
    if "cross_validation" in bundle.facts:
        say_table(cv_table(bundle.facts["cross_validation"]))
    for line in summary(bundle.facts):
        say(line)
    say(f"Model: {bundle.path} (model card: {bundle.path / 'README.md'})")
    print_data(to_json(bundle.facts).rstrip() if as_json else str(bundle.path))


@contextmanager
def _exit_code_kept() -> Iterator[None]:
    """The process ends when it was interrupted: one more Ctrl-C must not change how."""
    from aufer.errors import Interrupted

    try:
        yield
    except Interrupted:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise


def _as_typed() -> str:
    import shlex

    return shlex.join(["aufer", *sys.argv[1:]])
