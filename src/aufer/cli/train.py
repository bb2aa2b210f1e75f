"""``aufer train``."""

from __future__ import annotations

import logging
import math
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from aufer.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

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

Ctrl-C keeps the best model so far.""",
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
    "--kind", type=click.Choice(KINDS), default="dense", show_default=True, help="Model kind."
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
    "--patience",
    type=click.IntRange(0),
    help="Stop after so many epochs without a lower validation loss. Default: the recipe's.",
)
@click.option("--batch-size", type=click.IntRange(1), help="Rows per step. Default: the recipe's.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Adam's step size. Default: the recipe's.",
)
@click.option(
    "--test-size",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of rows for the test; 0 for none (with --cv). Default: 0.25.",
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
    """Train an expression model on a DATASET (default: data/emotion.csv).

    Writes a model bundle: the best network as model.keras and model.onnx, bundle.json (settings,
    split, figures), history.csv, training.png, checkpoints/ and a model card; with --cv also
    cross-validation/.
    """
    from aufer.cli.talk import print_data, say, say_table
    from aufer.files import to_json
    from aufer.train import CvPlan, train

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


@contextmanager
def fold_talk() -> Iterator[Callable[[str, str, int, int], None]]:
    """A function to be told of each fit of a cross-validation, which says which it is."""
    from aufer.cli.talk import say

    started: tuple[str, str, int] | None = None

    def tell(protocol: str, model: str, repeat: int, fold: int) -> None:
        nonlocal started
        if (protocol, model, repeat) != started:
            started = (protocol, model, repeat)
            say(f"cross-validation, {protocol} folds: {model}, round {repeat}")

    yield tell


def cv_table(facts: dict[str, Any]) -> pd.DataFrame:
    """The models of a cross-validation, and their mean accuracy and deviation by protocol."""
    import pandas as pd

    from aufer.metrics import with_deviation

    rows: dict[str, dict[str, str]] = {}
    for protocol in facts["protocols"]:
        for model in protocol["models"]:
            row = rows.setdefault(model["title"], {"cross-validated": model["title"]})
            for key, title in (("accuracy", "accuracy"), ("macro_f1", "macro-F1"), ("ece", "ECE")):
                row[f"{protocol['name']} {title}"] = with_deviation(model[key])
    for block in (facts["blocks"] or {"rows": []})["rows"]:
        title = f"{facts['blocks']['model']}, blocks of {block['size']} rows"
        rows[title] = {
            "cross-validated": title,
            f"{facts['protocols'][0]['name']} accuracy": with_deviation(block["accuracy"]),
        }
    return pd.DataFrame(rows.values()).fillna("")


def summary(facts: dict[str, Any]) -> list[str]:
    """The sentences that end a training."""
    from aufer.metrics import with_interval

    training, metrics = facts["training"], facts["metrics"]
    lines = []
    if training["best_epoch"]:
        lines.append(
            f"{training['epochs_run']} epochs ({training['stopped']}); the best by validation loss "
            f"is epoch {training['best_epoch']}."
        )
    if metrics["test"] is None:
        return [*lines, "No face was kept for a test (--test-size 0)."]
    is_best_epoch = training["best_epoch"] and not training.get("refit")
    of_what = " of the best epoch" if is_best_epoch else ""
    lines.append(
        f"Test accuracy{of_what}: {with_interval(metrics['test']['accuracy'])}, 95 % interval "
        "(Wilson)."
    )
    if "last_epoch" in metrics:
        lines.append(
            "Test accuracy of the last epoch: "
            f"{with_interval(metrics['last_epoch']['test']['accuracy'])}."
        )
    return lines


def _as_typed() -> str:
    import shlex

    return shlex.join(["aufer", *sys.argv[1:]])
