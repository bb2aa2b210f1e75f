"""The engines there are, by name. One that needs no OpenFace goes into `ENGINES` beside these."""

from __future__ import annotations

from collections.abc import Callable

from aufer.errors import UsageError
from aufer.openface.engine import DEFAULT_IMAGE, Engine, split_arguments


def make_engine(
    name: str = "docker",
    *,
    image: str = DEFAULT_IMAGE,
    openface: str | None = None,
    openface_args: str = "",
) -> Engine:
    """The engine of that name (`ENGINES`); nothing is looked up or started yet.

    Args:
        image: the Docker image, by name, ``NAME@sha256:…`` or id (engine ``docker``).
        openface: path of FaceLandmarkImg, or any command prefix (engine ``local``).
        openface_args: further flags for FaceLandmarkImg, as one text.
    """
    if name not in ENGINES:
        raise UsageError(f"There is no engine '{name}'; known are {', '.join(ENGINES)}.")
    return ENGINES[name](image, openface, split_arguments(openface_args))


def _make_docker(image: str, openface: str | None, arguments: tuple[str, ...]) -> Engine:
    from aufer.openface.engine_docker import DockerEngine

    if openface:
        raise UsageError(
            "--openface names a local FaceLandmarkImg, but the engine is docker.",
            hint="add: --engine local",
        )
    return DockerEngine(image, arguments)


def _make_local(image: str, openface: str | None, arguments: tuple[str, ...]) -> Engine:
    from aufer.openface.engine_local import LocalEngine

    return LocalEngine(openface, arguments)


ENGINES: dict[str, Callable[[str, str | None, tuple[str, ...]], Engine]] = {
    "docker": _make_docker,
    "local": _make_local,
}
