"""``aufer demo``: the commands of the main job, one after the other, on the bundled sample."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from aufer.cli.options import PATH, talk_options


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


STEPS: tuple[tuple[str, ...], ...] = (
    ("build-dataset", "data/openface"),
    ("train",),
    ("evaluate", "--testset", "data/openface-test"),
)


@click.command(
    "demo",
    epilog="""\b
Example:
  aufer demo""",
)
@click.argument("folder", type=PATH, default=Path("aufer-demo"), metavar="[DIR]")
@talk_options
def command(folder: Path) -> None:
    """Run the main job on a bundled sample of real OpenFace output (660 faces): build-dataset,
    train, evaluate. It works in a workspace of its own, DIR, without Docker or photos."""
    from aufer.cli.main import cli
    from aufer.cli.talk import print_data, say
    from aufer.init import init
    from aufer.shipped import sample_folder

    sample = sample_folder()
    init(folder)
    for part, place in {"train": "openface", "test": "openface-test"}.items():
        if not (folder / "data" / place).exists():
            shutil.copytree(sample / part, folder / "data" / place)
    say(f"The workspace {folder}/ holds OpenFace's output for 600 training and 60 test faces.")
    with _inside(folder):
        for step in STEPS:
            say()
            say(f"$ aufer {shlex.join(step)}")
            levels = click.get_current_context().meta["aufer.talk"]
            arguments = [*step, *["-q"] * levels["quiet"], *["-v"] * levels["verbose"]]
            code = cli.main(arguments, prog_name="aufer", standalone_mode=False)
            if isinstance(code, int) and code:
                click.get_current_context().exit(code)
        page = max(Path("reports").glob("*/report.html"), key=lambda path: path.stat().st_mtime)
        print_data(f"report: {page.resolve().as_uri()}")
    say()
    say("That was the main job on a small sample of hard, 48-pixel faces. For your own photos:")
    if shutil.which("aufer") is None:  # run by its path, as `make demo` does
        activate = Path(sys.prefix) / ("Scripts" if os.name == "nt" else "bin") / "activate"
        say(f"  . {shlex.quote(str(activate))}   # puts aufer on the path")
    say(
        "  aufer init my-study && cd my-study   # then photos into data/images/<emotion>/, and:\n"
        "  aufer extract && aufer build-dataset && aufer train && "
        "aufer evaluate --testset data/testset"
    )
