"""The engines there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aufer.errors import UsageError
from aufer.measures import BUILTIN
from aufer.openface.engine import DEFAULT_IMAGE, Engine, split_arguments


@dataclass(frozen=True)
class _Asked:
    """What was asked for; each engine takes what is for it, and refuses the rest."""

    image: str
    openface: str | None
    openface_args: str
    au_net: Path | None


def make_engine(
    name: str = "docker",
    *,
    image: str = DEFAULT_IMAGE,
    openface: str | None = None,
    openface_args: str = "",
    au_net: Path | None = None,
) -> Engine:
    """The engine of that name (`ENGINES`); nothing is looked up or started yet.

    Args:
        image: the Docker image, by name, ``NAME@sha256:…`` or id (engine ``docker``).
        openface: path of FaceLandmarkImg, or any command prefix (engine ``local``).
        openface_args: further flags for FaceLandmarkImg, as one text.
        au_net: folder of an AU network (engine ``builtin``); None for the one that comes along.
    """
    if name not in ENGINES:
        raise UsageError(f"There is no engine '{name}'; known are {', '.join(ENGINES)}.")
    if au_net is not None and name != BUILTIN:
        raise UsageError(
            f"--au-net names a network of aufer's own, but the engine is {name}.",
            hint="add: --engine builtin",
        )
    return ENGINES[name](_Asked(image, openface, openface_args, au_net))


def _make_docker(asked: _Asked) -> Engine:
    from aufer.openface.engine_docker import DockerEngine

    _refuse_program(asked, "docker")
    return DockerEngine(asked.image, split_arguments(asked.openface_args))


def _make_local(asked: _Asked) -> Engine:
    from aufer.openface.engine_local import LocalEngine

    return LocalEngine(asked.openface, split_arguments(asked.openface_args))


def _make_builtin(asked: _Asked) -> Engine:
    from aufer.openface.engine_builtin import BuiltinEngine

    _refuse_program(asked, BUILTIN)
    if asked.openface_args.strip():
        raise UsageError(
            "--openface-args are for FaceLandmarkImg, but the engine is builtin.",
            hint="leave them out; or measure with OpenFace: --engine docker",
        )
    return BuiltinEngine(asked.au_net)


def _refuse_program(asked: _Asked, name: str) -> None:
    if asked.openface:
        raise UsageError(
            f"--openface names a local FaceLandmarkImg, but the engine is {name}.",
            hint="add: --engine local",
        )


ENGINES: dict[str, Callable[[_Asked], Engine]] = {
    "docker": _make_docker,
    "local": _make_local,
    BUILTIN: _make_builtin,
}
