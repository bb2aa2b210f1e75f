"""``aufer train --kind cnn``: the part of ``aufer train`` that is about pictures; and which options
go with which kind."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click
from click.core import ParameterSource

from aufer.errors import UsageError

CNN, AU_NET = "cnn", "au-net"

_OF_AUS = ("recipe", "n_members", "cv", "repeats", "baselines", "checkpoint_format")
_OF_PICTURES = ("images", "resume")
_OF_AU_NET = ("aus", "steps")
_NOT_OF_AU_NET = ("emotions", "class_weights", "patience", "validation_size")


def refuse_options(kind: str) -> None:
    """Raise `UsageError` for an option of another sort of model that was typed.

    Args:
        kind: of the model.
    """
    dataset = _context().params["dataset"]
    takes_pictures = kind in (CNN, AU_NET)
    if takes_pictures and is_typed("dataset"):
        raise UsageError(
            f"The kind {kind} learns from pictures, not from a dataset of AUs.",
            hint=_usage(dataset if dataset.is_dir() else "DIR", kind),
        )
    for name in _OF_AUS if takes_pictures else _OF_PICTURES:
        if is_typed(name):
            other = (
                f"--kind {kind} learns from pictures"
                if takes_pictures
                else f"only --kind {CNN} and {AU_NET} take it"
            )
            what = "for models of AUs" if takes_pictures else "for models of pictures"
            raise UsageError(
                f"{_option(name)} is {what}; {other}.",
                hint="leave it away" if takes_pictures else _usage(),
            )
    for name in _NOT_OF_AU_NET if kind == AU_NET else _OF_AU_NET:
        if is_typed(name):
            what = "is for models of emotions" if kind == AU_NET else f"goes with --kind {AU_NET}"
            raise UsageError(
                f"{_option(name)} {what}.",
                hint="leave it away" if kind == AU_NET else _usage(kind=AU_NET),
            )
    if not takes_pictures and dataset.is_dir():
        raise UsageError(
            f"{dataset} is a folder, no dataset of AUs.",
            hint=f"train on its pictures themselves: {_usage(dataset)}; or measure their AUs "
            "first: aufer extract, aufer build-dataset",
        )


def _option(name: str) -> str:
    """How an option is typed."""
    options = {option.name: option.opts[0] for option in _context().command.params}
    return options[name]


def _usage(folder: Path | str = "DIR", kind: str = CNN) -> str:
    typed = f"aufer train --kind {kind} --images {shlex.quote(str(folder))}"
    return f"{typed} --aus aus.csv" if kind == AU_NET else typed


def train_pictures(
    images: Path | None,
    *,
    resume: bool,
    seed: int,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train, tell of it on stderr, print the bundle's path or facts on stdout.

    Args:
        settings: of `train_images.train_images`, as they were typed, or as aufer.toml has them. On
            resuming only what was typed counts.
    """
    from aufer.cli.talk import print_data, progress, say
    from aufer.cli.training_talk import describe_epoch, summary
    from aufer.files import to_json
    from aufer.train_images import train_images

    if images is None:
        raise UsageError(
            "--kind cnn needs --images: a folder per emotion with pictures of faces.", hint=_usage()
        )
    given: dict[str, Any] = {**settings, "seed": seed}
    if resume:
        begun = ("seed", "emotions", "class_weights", "epochs", "patience", "batch_size")
        for name in (*begun, "learning_rate", "test_size", "validation_size"):
            given[name] = given[name] if is_typed(name) else None
    with training_progress(describe_epoch) as told:
        bundle = train_images(
            images,
            resume=resume,
            on_start=lambda recipe, done: told.start(recipe.epochs, done),
            on_step=told.step,
            on_epoch=told.epoch,
            progress=progress,
            **given,
        )
    for line in summary(bundle.facts):
        say(line)
    say(f"Model: {bundle.path} (model card: {bundle.path / 'README.md'})")
    print_data(to_json(bundle.facts).rstrip() if as_json else str(bundle.path))


Describe = Callable[[int, dict[str, float]], str]


class Told(Protocol):
    """Is told how far a training is."""

    def start(self, epochs: int, done: int) -> None:
        """So many epochs are done; the next step is the first one now."""

    def step(self, step: int, steps: int) -> None:
        """A step of an epoch is over."""

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """An epoch is over."""


class _Lines:
    """A line per epoch, with the time that is left."""

    def __init__(self, describe: Describe) -> None:
        self._epochs, self._done, self._describe = 0, 0, describe

    def start(self, epochs: int, done: int) -> None:
        from aufer.cli.talk import say

        self._epochs, self._done = epochs, done
        if done:
            say(f"going on after epoch {done} of {epochs}")

    def step(self, step: int, steps: int) -> None:
        pass

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        from aufer.cli.talk import say

        left = (self._epochs - epoch) * values["seconds"]
        self._done = epoch
        say(self._describe(epoch, values) + (f"  at most {spell_time(left)} left" if left else ""))


class _Bar(_Lines):
    """The same, and below it a bar of the steps, from the first one on."""

    _FORM = "{desc} |{bar}| {percentage:3.0f} %  {elapsed}, at most {remaining} left"

    def __init__(self, describe: Describe) -> None:
        super().__init__(describe)
        self._bar: Any = None

    def step(self, step: int, steps: int) -> None:
        from tqdm import tqdm

        if self._bar is None:
            initial, total = self._done * steps, self._epochs * steps
            self._bar = tqdm(
                total=total, initial=initial, bar_format=self._FORM, leave=False, dynamic_ncols=True
            )
        now = f"epoch {self._done + 1} of {self._epochs}"
        self._bar.set_description_str(now, refresh=False)
        self._bar.update(1)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


@contextmanager
def training_progress(describe: Describe) -> Iterator[Told]:
    """What is told of each step and epoch: on a terminal a bar with the time left.

    Args:
        describe: what to say of an epoch, by its number and row.
    """
    from aufer.cli.talk import log

    if not sys.stderr.isatty() or log.getEffectiveLevel() > logging.INFO:
        yield _Lines(describe)
        return
    bar = _Bar(describe)
    try:
        yield bar
    finally:
        bar.close()


def spell_time(seconds: float) -> str:
    """A duration for a person: ``40 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _context() -> click.Context:
    return click.get_current_context()


def is_typed(name: str) -> bool:
    """Whether an option was typed, and is not from aufer.toml or a default."""
    return _context().get_parameter_source(name) == ParameterSource.COMMANDLINE
