"""aufer.toml: the settings of a study, any option of any command, unknown keys refused.

seed = 7                    # any command that has --seed
emotions = ["angry", "happy", "neutral"]

[extract]
engine = "local"

[train]
recipe = "reference"
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from aufer.errors import UsageError

SETTINGS_NAME = "aufer.toml"


def read_settings(path: Path = Path(SETTINGS_NAME)) -> dict[str, Any]:
    """The content of aufer.toml in this folder; nothing where there is none."""
    if not path.is_file():
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        # Notepad puts a byte order mark in front
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}.",
            hint="it is UTF-8 text; settings look like this: min-confidence = 0.7, texts in quotes",
        ) from error


def option_names(command: click.Command) -> dict[str, click.Option]:
    """Settable options of a command and its subcommands, by the name they have in aufer.toml."""
    found: dict[str, click.Option] = {}
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            found |= option_names(inner)
    return found | {
        _key(option): option
        for option in command.params
        if isinstance(option, click.Option) and option.expose_value
    }


def _key(option: click.Option) -> str:
    longest = max(option.opts, key=len)
    return longest.lstrip("-")


def defaults_for(name: str, commands: Callable[[], dict[str, click.Command]]) -> dict[str, Any]:
    """The settings that apply to one command, as Click's defaults.

    Args:
        name: the command. commands: gives every command by name; called only if there are settings.

    Raises:
        UsageError: a key or command that doesn't exist (the whole file is checked), a wrong type.
    """
    settings = read_settings()
    if not settings:
        return {}
    found = commands()
    options = {each: option_names(command) for each, command in found.items()}
    check_settings(settings, options)
    known = options[name]
    merged = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    merged = {key: value for key, value in merged.items() if _dashed(key) in known}
    merged |= settings.get(name, {})
    defaults = {
        str(known[_dashed(key)].name): _as_default(key, value, known[_dashed(key)])
        for key, value in merged.items()
    }
    command = found[name]
    return (
        dict.fromkeys(command.commands, defaults) if isinstance(command, click.Group) else defaults
    )


def _as_default(key: str, value: Any, option: click.Option) -> Any:
    """The value of a setting as Click takes it; `UsageError` if it is of another type."""
    if option.is_flag:
        right, word, example = isinstance(value, bool), "true or false", "true"
    elif isinstance(option.type, click.types.IntParamType):
        right = isinstance(value, int) and not isinstance(value, bool)
        word, example = "a whole number", "3"
    elif isinstance(option.type, click.types.FloatParamType):
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
        word, example = "a number", "0.5"
    elif option.multiple:
        value = [value] if isinstance(value, str) else value
        right = isinstance(value, list) and all(isinstance(v, str) for v in value)
        word, example = "a text or several", '["a", "b"]'
    elif isinstance(value, list):
        right, word, example = all(isinstance(v, str) for v in value), "texts", '["a", "b"]'
        value = ",".join(map(str, value))
    else:
        right, word, example = isinstance(value, str), "a text", '"…"'
    if not right:
        raise UsageError(
            f"{SETTINGS_NAME}: {key} must be {word}, not {value!r}.",
            hint=f"write: {key} = {example}",
        )
    return value


def check_settings(
    settings: dict[str, Any], options: Mapping[str, Mapping[str, click.Option]]
) -> None:
    """Refuse keys and sections that mean nothing, with the nearest one that does."""
    everywhere = set().union(*options.values())
    for key, value in settings.items():
        if key in options and not isinstance(value, dict):
            raise UsageError(
                f"{SETTINGS_NAME}: {key} is a command, and its settings go into a section.",
                hint=f"write: [{key}], and the settings below it",
            )
        if isinstance(value, dict):
            if key not in options:
                raise _unknown(f"section [{key}]", key, options)
            for inner in value:
                if _dashed(inner) not in options[key]:
                    raise _unknown(f"key '{inner}' in [{key}]", inner, options[key])
        elif _dashed(key) not in everywhere:
            raise _unknown(f"key '{key}'", key, everywhere | set(options))


def _dashed(key: str) -> str:
    return key.replace("_", "-")


def _unknown(what: str, key: str, known: Any) -> UsageError:
    close = difflib.get_close_matches(_dashed(key), sorted(known), n=1)
    return UsageError(
        f"{SETTINGS_NAME} has the {what}, which means nothing.",
        hint=f"did you mean '{close[0]}'?" if close else f"remove it from {SETTINGS_NAME}",
    )
