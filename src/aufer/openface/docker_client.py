"""Reaching the Docker engine, and finding or pulling an image in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aufer.errors import EnvironmentFailure
from aufer.openface.engine import SEE_DOCTOR
from aufer.progress import Progress

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image as DockerImage

PLATFORM = "linux/amd64"
"""The only platform that OpenFace's image is published for."""

TIMEOUT_S = 60
"""Of one request; pulling and waiting are many requests or streams without a limit."""

_IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]{12,64}")
_ELSE_HINT = "or use a FaceLandmarkImg of your own: --engine local --openface PATH"


def connect() -> DockerClient:
    """A client of the engine that ``docker`` on the command line would use.

    Raises:
        EnvironmentFailure: no engine answers, we may not talk to it, or it is another machine.
    """
    try:
        import docker
    except ImportError as error:
        raise EnvironmentFailure(
            f"The Python package docker is missing ({error}).", hint="pip install docker"
        ) from error
    host = _current_host()
    address = urlsplit(host)
    if address.scheme in ("tcp", "ssh", "http", "https") and address.hostname not in (
        "localhost",
        "127.0.0.1",
        "::1",
    ):
        raise EnvironmentFailure(
            f"The Docker engine {host} is another machine, which can't see the images' folder.",
            hint=f"unset DOCKER_HOST to use this machine's engine, {_ELSE_HINT}",
        )
    with clear_failures(host):
        if "DOCKER_HOST" in os.environ or not host:
            client = docker.from_env(timeout=TIMEOUT_S)
        else:
            client = docker.DockerClient(base_url=host, timeout=TIMEOUT_S)
        client.ping()
    return client


def _current_host() -> str:
    """``DOCKER_HOST``, else the endpoint of docker's current context; empty: the usual socket."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    from docker.context import ContextAPI

    try:
        name = os.environ.get("DOCKER_CONTEXT")
        context = ContextAPI.get_context(name) if name else ContextAPI.get_current_context()
        return str(context.Host or "") if context else ""
    except Exception:  # a damaged docker configuration is docker's to report
        return ""


@contextmanager
def clear_failures(host: str = "", doing: str = "") -> Iterator[None]:
    """Turn what the SDK raises when there is no engine (any more) into `EnvironmentFailure`.

    Errors that the engine itself answers with (`docker.errors.APIError`) pass, except a missing
    permission.
    """
    import docker
    import requests

    try:
        yield
    except docker.errors.APIError:
        raise
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        text = str(error)
        if isinstance(error, PermissionError) or "Permission denied" in text or "EACCES" in text:
            raise EnvironmentFailure(
                "This user may not talk to the Docker engine (permission denied on its socket).",
                hint="sudo usermod -aG docker $USER, then log in again; or use rootless Docker",
            ) from error
        where = f" at {host}" if host else ""
        if doing:
            message = f"The Docker engine{where} went away while {doing}."
        else:
            message = f"No Docker engine answers{where}."
        raise EnvironmentFailure(
            message,
            hint=f"start Docker (Docker Desktop, or: sudo systemctl start docker), {_ELSE_HINT}; "
            f"{SEE_DOCTOR}",
        ) from error


def find_image(client: DockerClient, name: str) -> DockerImage | None:
    """The local image of a name, ``NAME@sha256:…`` or id; None if there is none just like that."""
    import docker

    repository, _, pinned = name.partition("@")
    candidates = [name, repository] if pinned else [name]
    for candidate in candidates:
        try:
            image = client.images.get(candidate)
        except docker.errors.APIError:  # ImageNotFound, or not a valid name
            continue
        if not pinned or pinned == image.id or pinned in _digests(image):
            return image
    return None


def _digests(image: DockerImage) -> list[str]:
    return [str(text).partition("@")[2] for text in image.attrs.get("RepoDigests") or []]


def digest_of(image: DockerImage, name: str) -> str:
    """The digest under which a registry knows the image, else (built or imported here) its id."""
    repository = re.sub(r":[^/:]*$", "", name.partition("@")[0])
    entries = [str(text).partition("@")[::2] for text in image.attrs.get("RepoDigests") or []]
    ours = [digest for known, digest in entries if known == repository]
    return (ours or [digest for _, digest in entries] or [str(image.id)])[0]


def pull(client: DockerClient, name: str, progress: Progress) -> DockerImage:
    """Fetch an image from its registry, with a bar.

    Raises:
        EnvironmentFailure: no network, no such image, a full disk: whatever the engine says.
    """
    import docker
    from docker.utils import parse_repository_tag

    if _IMAGE_ID.fullmatch(name):
        raise EnvironmentFailure(
            f"There is no image with the id {name} here.",
            hint="see what there is: docker image ls --no-trunc",
        )
    plain, _, digest = name.partition("@")
    repository, tag = parse_repository_tag(plain)
    layers = Layers()
    try:
        with clear_failures(doing=f"pulling {name}"), progress(100, f"pulling {name}", "%") as step:
            events = client.api.pull(
                repository,
                tag=digest or tag or "latest",
                stream=True,
                decode=True,
                platform=PLATFORM,
            )
            for event in events:
                if "error" in event:
                    raise _no_image(name, str(event["error"]))
                step(layers.advance(event))
            step(layers.finish())
    except docker.errors.APIError as error:
        raise _no_image(name, str(error.explanation or error)) from error
    image = find_image(client, name)
    if image is None:
        raise _no_image(name, "the engine doesn't list it after the pull")
    return image


def _no_image(name: str, why: str) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"The image {name} is not here and can't be pulled: {' '.join(why.split())}",
        hint=f"check the name and the network; or, where there is one: docker pull {name}, then "
        f"docker save -o openface.tar {name}, and here: docker load -i openface.tar",
    )


class Layers:
    """Turns the events of a pull into whole percents: of each layer, half for fetching it."""

    def __init__(self) -> None:
        self._done: dict[str, float] = {}
        self._percent = 0

    def advance(self, event: dict[str, Any]) -> int:
        """By how many percent this event goes on (never back)."""
        layer, status = str(event.get("id", "")), str(event.get("status", ""))
        detail = event.get("progressDetail") or {}
        total = float(detail.get("total") or 0)
        part = float(detail.get("current") or 0) / total if total > 0 else 0.0
        stages = {
            "Pulling fs layer": 0.0,
            "Waiting": 0.0,
            "Downloading": 0.5 * part,
            "Verifying Checksum": 0.5,
            "Download complete": 0.5,
            "Extracting": 0.5 + 0.5 * part,
            "Pull complete": 1.0,
            "Already exists": 1.0,
        }
        if not layer or status not in stages:
            return 0
        self._done[layer] = max(self._done.get(layer, 0.0), min(stages[status], 1.0))
        return self._go_to(int(99 * sum(self._done.values()) / len(self._done)))

    def finish(self) -> int:
        """What is missing to 100."""
        return self._go_to(100)

    def _go_to(self, percent: int) -> int:
        step = max(0, percent - self._percent)
        self._percent += step
        return step
