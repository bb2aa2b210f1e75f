"""The console script ``aufer``: finds the command, reads aufer.toml, maps errors to exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

import click

from aufer import __version__
from aufer.errors import AuferError

COMMANDS: dict[str, str] = {
    "init": "Make a workspace: folders, aufer.toml.",
    "doctor": "Check what each command needs on this machine.",
    "demo": "Run the main job on the bundled sample.",
    "extract": "Measure the Action Units of images with OpenFace.",
    "build-dataset": "Make emotion.csv from an AU table or OpenFace CSVs.",
    "train": "Train an expression model on a dataset.",
    "evaluate": "Test a model on unseen faces and write a report.",
    "predict": "Print the expression of faces.",
    "learning-curve": "Measure what more training images bring.",
    "mask-study": "Measure what a mask hides, and what the eyes still tell.",
    "compare": "Put models side by side on the same images.",
    "agreement": "Measure how two AU tables of the same images agree.",
    "explain": "Tell the reasons for an answer, or of a whole model.",
    "import-model": "Make a bundle of a model of another program.",
    "live": "Tell the expressions before a camera, frame by frame.",
    "listen": "Print what `aufer live` sends.",
    "models": "List the models at hand, or fetch one.",
}
"""Every command and its line in ``aufer --help``; the code lies in ``cli/<command>.py``."""

_WORKFLOW = """
\b
The main job, in a folder made by `aufer init my-study`:
  aufer extract                           photos in data/images/<emotion>/ -> data/aus.csv
  aufer build-dataset                     -> data/emotion.csv
  aufer train                             -> models/<run>/
  aufer evaluate --testset data/testset   -> reports/<run>/report.html
No photos at hand? `aufer demo` runs it on a bundled sample.
"""


class Commands(click.Group):
    """Loads a command's file only when it is called: ``aufer --help`` must cost nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the file of one command; None for a name that is no command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"aufer.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def all_commands(self, ctx: click.Context) -> dict[str, click.Command]:
        """Every command; imports all of their files."""
        found = {name: self.get_command(ctx, name) for name in COMMANDS}
        return {name: command for name, command in found.items() if command is not None}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As Click does, with the settings file read and the nearest name for a wrong command."""
        import difflib

        name = args[0] if args else ""
        if name and name not in COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            ctx.fail(f"There is no command '{name}'; {hint}`aufer --help` lists them.")
        found, command, rest = super().resolve_command(ctx, args)
        wants_help = any(word in ("-h", "--help") for word in rest)
        if command is not None and found is not None and not wants_help:
            from aufer.cli.settings import defaults_for

            ctx.default_map = {found: defaults_for(found, lambda: self.all_commands(ctx))}
        return found, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from `COMMANDS`, so that none of their files is imported."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_WORKFLOW,
)
@click.version_option(__version__, prog_name="aufer")
def cli() -> None:
    """From folders of face photos to facial Action Units (AUs), measured by OpenFace; to a trained,
    explained and honestly evaluated expression model."""


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 usage, 3 environment, 4 bad data,
    5 done but some images failed, 130 interrupted. A genuine bug keeps its traceback."""
    _set_up_process()
    try:
        code: Any = cli.main(args, prog_name="aufer", standalone_mode=False)
        sys.stdout.flush()
    except AuferError as error:
        code = _say(error.message, error.hint, error.exit_code)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context is not None else "aufer --help"
        code = _say(error.format_message(), hint, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        code = _say("Interrupted.", None, 130)
    except BrokenPipeError:  # `aufer predict … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        code = _say_os_error(error)
        if code is None:
            raise
    sys.exit(code if isinstance(code, int) else 0)


def _set_up_process() -> None:
    """Results in UTF-8 whatever the system's encoding; a polite kill ends like Ctrl-C."""
    for stream, encoding in ((sys.stdout, "utf-8"), (sys.stderr, None)):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _say(message: str, hint: str | None, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    return code


def _say_os_error(error: OSError) -> int | None:
    """The system's refusals that a user can mend; None for what must be a bug of ours."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return _say(
            f"The disk is full{where}; nothing was replaced.", "free some space, then run again", 1
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return _say(
            f"No permission{where}: {error.strerror}; nothing was replaced.",
            "check the owner of the folder, or choose another with --out",
            1,
        )
    if error.errno == errno.ENAMETOOLONG:
        return _say(f"The name is too long{where[:80]}.", "choose a shorter one", 2)
    if isinstance(error, (NotADirectoryError, FileExistsError, IsADirectoryError)):
        return _say(
            f"A file stands where a folder is needed, or the reverse{where}; nothing was replaced.",
            "rename it, or choose another place with --out",
            1,
        )
    return None
