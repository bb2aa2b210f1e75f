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
        with path.open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}.",
            hint="settings look like this: min-confidence = 0.7, texts in quotes",
        ) from error


def option_names(command: click.Command) -> dict[str, click.Option]:
    """Settable options of a command by the name they have in aufer.toml (``min-confidence``)."""
    return {
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
    options = {name: option_names(command) for name, command in commands().items()}
    check_settings(settings, options)
    known = options[name]
    merged = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    own = settings.get(name, {})
    merged = {key: value for key, value in merged.items() if _dashed(key) in known} | own
    defaults: dict[str, Any] = {}
    for key, value in merged.items():
        option = known[_dashed(key)]
        if option.is_flag and not isinstance(value, bool):
            raise UsageError(
                f"{SETTINGS_NAME}: {key} must be true or false, not {value!r}.",
                hint=f"write: {key} = true",
            )
        is_text = isinstance(value, list) and not option.multiple
        defaults[str(option.name)] = ",".join(map(str, value)) if is_text else value
    return defaults


def check_settings(
    settings: dict[str, Any], options: Mapping[str, Mapping[str, click.Option]]
) -> None:
    """Refuse keys and sections that mean nothing, with the nearest one that does."""
    everywhere = set().union(*options.values())
    for key, value in settings.items():
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
