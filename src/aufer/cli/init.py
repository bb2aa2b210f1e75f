"""``aufer init``."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import click

from aufer.cli.options import PATH, emotions_option, talk_options
from aufer.emotions import Emotions


@click.command(
    "init",
    epilog="""\b
Example:
  aufer init my-study && cd my-study""",
)
@click.argument("folder", type=PATH, default=Path(), metavar="[DIR]")
@emotions_option()
@talk_options
def command(folder: Path, emotions: Emotions) -> None:
    """Make a workspace in DIR (default: here): folders for photos by emotion, aufer.toml for
    settings, a README with the steps. What is already there is kept."""
    from aufer.cli.talk import print_data, say
    from aufer.init import init

    made = init(folder, emotions)
    for path in made.made:
        say(f"  made  {path}{'/' if path.is_dir() else ''}")
    for path in made.kept:
        if path.is_file():
            say(f"  kept  {path}")
    inside = "" if folder == Path() else f"cd {_quoted(folder)}, "
    say(f"Next: {inside}put photos into data/images/<emotion>/, then: aufer extract")
    print_data(str(made.folder))


def _quoted(folder: Path) -> str:
    """A path as it is to be typed into this system's shell."""
    return subprocess.list2cmdline([folder]) if os.name == "nt" else shlex.quote(str(folder))
