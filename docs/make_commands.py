"""Writes docs/commands.md from the commands' own --help: `make docs`; a test holds it to that."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aufer.cli.main import COMMANDS, cli

HEAD = """\
# Commands

Made by `make docs` from each command's `--help`. Every option can also be set in `aufer.toml`
([files](files.md#aufertoml)).

Exit codes: 0 done; 1 failed; 2 usage (a path that doesn't exist included); 3 environment (no
engine, image); 4 bad data; 5 done, but some images were unreadable or crashed (0 with
`--keep-going`); 130 interrupted. Results go to stdout, talk to stderr.
"""


def help_of(command: click.Command, name: str, parent: click.Context) -> str:
    """One command's section, and those of its subcommands."""
    context = click.Context(command, info_name=name, parent=parent, max_content_width=96)
    context.terminal_width = 96
    text = f"\n## aufer {context.command_path.removeprefix('aufer ')}\n\n```text\n"
    text += command.get_help(context).rstrip() + "\n```\n"
    if isinstance(command, click.Group):
        for inner_name, inner in command.commands.items():
            text += help_of(inner, inner_name, context)
    return text


def main() -> None:
    """Write the page to the path given, or to its place."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("commands.md")
    parent = click.Context(cli, info_name="aufer", help_option_names=["-h", "--help"])
    text = HEAD
    for name in COMMANDS:
        command = cli.get_command(parent, name)
        if command is not None:
            text += help_of(command, name, parent)
    lines = [line.rstrip() for line in text.splitlines()]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
