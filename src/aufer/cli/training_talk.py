"""What ``aufer train`` says: of each epoch and fold, and of the model at the end."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


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
