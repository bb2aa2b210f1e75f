"""What the commands say: stderr is talk, stdout is data; everything reads well without colour."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("aufer")
_LINE_EVERY_S = 10.0


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, with the level in front where it is a warning or worse."""
        prefix = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        line = f"{prefix}{record.getMessage()}"
        tqdm = sys.modules.get("tqdm")
        if tqdm is not None:
            tqdm.tqdm.write(line, file=sys.stderr)  # does not tear a running bar
        else:
            click.echo(line, err=True)


def set_level(level: int) -> None:
    """Send the library's talk to stderr from this level on."""
    if not any(isinstance(handler, _StderrHandler) for handler in log.handlers):
        log.addHandler(_StderrHandler())
    log.setLevel(level)


def say(text: str = "") -> None:
    """A line of talk (stderr), silent with ``-q``."""
    log.info(text)


def warn(text: str) -> None:
    """A warning (stderr), silent with ``-qq``."""
    log.warning(text)


def print_data(text: str, *, end: str = "\n") -> None:
    """A result (stdout)."""
    click.echo(text + end, nl=False)


def say_table(table: pd.DataFrame, *, index: bool = False) -> None:
    """A small table (stderr)."""
    for line in table.to_string(index=index).splitlines():
        say("  " + line.rstrip())


@contextmanager
def progress(total: int, what: str, unit: str = "image") -> Iterator[Callable[[int], None]]:
    """A tqdm bar with rate and time left on a terminal; a line every ten seconds elsewhere.

    Gives a function that is told how many have finished since the last call.
    """
    if log.getEffectiveLevel() > logging.INFO:
        yield lambda count: None
        return
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=what, unit=unit, dynamic_ncols=True, leave=False) as bar:

            def update(count: int) -> None:
                bar.update(count)

            yield update
        return
    done, said_at = 0, time.monotonic()

    def advance(count: int) -> None:
        nonlocal done, said_at
        done += count
        if time.monotonic() - said_at >= _LINE_EVERY_S:
            said_at = time.monotonic()
            say(f"{what}: {done} of {total} {unit}s")

    yield advance
