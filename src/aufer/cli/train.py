"""``aufer train``."""

from __future__ import annotations

import logging
import math
import signal
import sys
from collections.abc import Callable, Iterator
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
from aufer.emotions import Emotions

_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command(
    "train",
    epilog="""\b
Examples:
  aufer train                                  data/emotion.csv -> models/<run>/
  aufer train other.csv --recipe reference     the reference project's recipe, to the letter
  aufer train --seed 3 --out models/third

Ctrl-C keeps the best model so far.""",
)
@click.argument("dataset", type=PATH, default=Path("data/emotion.csv"), metavar="[DATASET]")
@click.option(
    "--recipe",
    type=click.Choice(["standard", "reference"]),
    default="standard",
    show_default=True,
    help="standard: normalised inputs, stratified and group-aware split; reference: the reference "
    "project's, to the letter.",
)
@click.option(
    "--kind", type=click.Choice(["dense"]), default="dense", show_default=True, help="Model kind."
)
@emotions_option(default=False)
@out_option(None, "The bundle's folder. Default: models/<dataset>-<kind>-<time>.")
@click.option("--name", metavar="RUN", help="The run's name: the bundle goes to models/RUN.")
@seed_option
@click.option("--epochs", type=click.IntRange(1), help="Epochs at most. Default: 5000.")
@click.option(
    "--patience",
    type=click.IntRange(0),
    help="Stop after so many epochs without a lower validation loss. Default: the recipe's.",
)
@click.option("--batch-size", type=click.IntRange(1), help="Rows per step. Default: 50.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Adam's step size. Default: 0.001.",
)
@click.option("--test-size", type=_SHARE, help="Share of rows for the test. Default: 0.25.")
@click.option(
    "--validation-size",
    type=_SHARE,
    help="Share of the other rows that says when to stop. Default: 0.25 (reference: 0.33).",
)
@click.option(
    "--checkpoint-format",
    type=click.Choice(["keras", "h5"]),
    default="keras",
    show_default=True,
    help="File type of checkpoints/.",
)
@force_option
@json_option
@talk_options
def command(
    dataset: Path,
    recipe: str,
    kind: str,
    emotions: Emotions | None,
    out: Path | None,
    name: str | None,
    seed: int,
    epochs: int | None,
    patience: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    test_size: float | None,
    validation_size: float | None,
    checkpoint_format: str,
    force: bool,
    as_json: bool,
) -> None:
    """Train an expression model on a DATASET (default: data/emotion.csv).

    Writes a model bundle: the best network as model.keras and model.onnx, bundle.json (settings,
    split, figures), history.csv, training.png, checkpoints/ and a model card.
    """
    from aufer.cli.talk import print_data, say
    from aufer.files import to_json
    from aufer.metrics import with_interval
    from aufer.train import train

    with epoch_talk() as on_epoch, _exit_code_kept():
        bundle = train(
            dataset,
            recipe=recipe,
            kind=kind,
            emotions=emotions,
            out=out,
            name=name,
            seed=seed,
            epochs=epochs,
            patience=patience,
            batch_size=batch_size,
            learning_rate=learning_rate,
            test_size=test_size,
            validation_size=validation_size,
            checkpoint_format=checkpoint_format,
            on_epoch=on_epoch,
            force=force,
            command=_as_typed(),
        )
    for line in summary(bundle.facts, with_interval):
        say(line)
    say(f"Model: {bundle.path} (model card: {bundle.path / 'README.md'})")
    print_data(to_json(bundle.facts).rstrip() if as_json else str(bundle.path))


@contextmanager
def epoch_talk() -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A function to be told of each epoch: on a terminal it rewrites one line, which also names the
    best epoch so far; elsewhere it says a line per epoch. Silent with ``-q``."""
    from aufer.cli.talk import log, say

    if not sys.stderr.isatty() or log.getEffectiveLevel() > logging.INFO:
        yield lambda epoch, values: say(describe_epoch(epoch, values))
        return
    from tqdm import tqdm

    with tqdm(total=None, bar_format="{desc}  [{elapsed}]", leave=False, dynamic_ncols=True) as bar:
        best = (math.inf, 0)

        def update(epoch: int, values: dict[str, float]) -> None:
            nonlocal best
            best = min(best, (values["val_loss"], epoch))
            bar.set_description_str(
                f"{describe_epoch(epoch, values)}  best {best[1]}: {best[0]:.4f}"
            )

        yield update


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


def describe_epoch(epoch: int, values: dict[str, float]) -> str:
    """Losses and accuracies of one epoch, of the training and the validation rows."""
    return (
        f"epoch {epoch:3d}  loss {values['loss']:.4f}  accuracy {values['accuracy']:.3f}  "
        f"val_loss {values['val_loss']:.4f}  val_accuracy {values['val_accuracy']:.3f}  "
        f"{values['seconds']:.1f} s"
    )


def summary(facts: dict[str, Any], with_interval: Any) -> list[str]:
    """The sentences that end a training."""
    training, metrics = facts["training"], facts["metrics"]
    return [
        f"{training['epochs_run']} epochs ({training['stopped']}); the best by validation loss is "
        f"epoch {training['best_epoch']}.",
        f"Test accuracy of the best epoch: {with_interval(metrics['test']['accuracy'])}, "
        "95 % interval (Wilson).",
        "Test accuracy of the last epoch: "
        f"{with_interval(metrics['last_epoch']['test']['accuracy'])}.",
    ]


def _as_typed() -> str:
    import shlex

    return shlex.join(["aufer", *sys.argv[1:]])
