"""Reaching the Docker engine, and finding or pulling an image in it."""

from __future__ import annotations

import os
import re
import socket
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aufer.errors import EnvironmentFailure
from aufer.openface.docker.host import DockerHost, find_docker_host
from aufer.openface.docker.ssh_bridge import SshBridge
from aufer.openface.engine import SEE_DOCTOR
from aufer.progress import Progress

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image as DockerImage
    from requests import Response

PLATFORM = "linux/amd64"
"""The only platform that OpenFace's image is published for."""

TIMEOUT_S = 60
"""Of one request; pulling is a stream without a limit."""

ANSWER_S = 20
"""Of a request that an engine answers at once, unless something is wrong with it."""

CONNECTIONS = 256
"""So many are kept open for the next request; each of the runs at once needs two."""

_IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]{12,64}")
_ELSE_HINT = (
    "or use a FaceLandmarkImg of your own: --engine local --openface PATH; or measure without "
    "OpenFace, by a network that approximates its AUs (another measure): --engine builtin"
)


def connect() -> DockerClient:
    """A client of the engine that ``docker`` on the command line would use, for many threads.

    Raises:
        EnvironmentFailure: no engine answers, or we may not talk to it.
    """
    try:
        import docker
    except ImportError as error:
        raise EnvironmentFailure(
            f"The Python package docker is missing ({error}).", hint="pip install docker"
        ) from error
    host = find_docker_host()
    options: dict[str, Any] = {"timeout": ANSWER_S, "max_pool_size": CONNECTIONS}
    if host.url:
        options |= {"base_url": host.url, "tls": host.tls or False}
    bridge = None
    if host.is_ssh and hasattr(socket, "AF_UNIX"):
        bridge = SshBridge(host.url)
        options |= {"base_url": bridge.address, "tls": False}
    elif host.is_ssh:
        options["use_ssh_client"] = True
    try:
        with clear_failures(host.url):
            client = docker.DockerClient(**options)
            client.ping()
    except EnvironmentFailure as failure:
        raise _unreachable(host, bridge, failure) from failure
    if bridge is not None:
        weakref.finalize(client, bridge.close)
    client.api.timeout = TIMEOUT_S
    _keep_connections(client)
    return client


def _unreachable(
    host: DockerHost, bridge: SshBridge | None, failure: EnvironmentFailure
) -> EnvironmentFailure:
    """The failure to connect, said as it is for an engine on another machine."""
    said = bridge.complaint() if bridge else ""
    if bridge:
        bridge.close()
    if not host.is_remote:
        return failure
    return EnvironmentFailure(
        f"No Docker engine answers at {host.url}{': ' + said.rstrip('.') if said else ''}.",
        hint=f"try: docker -H {host.url} version; or unset DOCKER_HOST to use this machine's "
        f"engine, {_ELSE_HINT}",
    )


def _keep_connections(client: DockerClient) -> None:
    """Let requests use the connections of earlier ones, in any thread.

    For a socket or pipe, docker's package makes a pool for each URL, and closes the oldest of 25
    even if somebody is about to use it; for TCP it passes over the size asked for.
    """
    import requests

    base_url = client.api.base_url
    scheme = base_url.partition("://")[0]
    if scheme in ("http", "https"):
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS)
        client.api.mount(f"{scheme}://", adapter)
        return
    by_url: Any = client.api.get_adapter(base_url)
    find_pool = by_url.get_connection
    by_url.get_connection = lambda url, proxies=None: find_pool(base_url, proxies)


def ask(
    client: DockerClient,
    method: str,
    path: str,
    /,
    *,
    timeout_s: float = ANSWER_S,
    stream: bool = False,
    **parameters: str,
) -> Response:
    """One request with a time limit of its own, which docker's package has for all together only.

    Raises:
        docker.errors.APIError: the engine refused. requests.RequestException: it did not answer.
    """
    import docker
    import requests

    api = client.api
    response = api.request(
        method,
        f"{api.base_url}/v{api.api_version}{path}",
        params=parameters,
        timeout=timeout_s,
        stream=stream,
    )
    try:
        response.raise_for_status()
    except requests.exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)
    return response


class EngineGone(EnvironmentFailure):
    """No engine answers, or not any more."""


@contextmanager
def clear_failures(host: str = "", doing: str = "") -> Iterator[None]:
    """Turn what the SDK raises when there is no engine (any more) into `EngineGone`.

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
        raise EngineGone(
            message,
            hint=f"{_how_to_reach()}, {_ELSE_HINT}; {SEE_DOCTOR}",
        ) from error


def _how_to_reach() -> str:
    if host := os.environ.get("DOCKER_HOST"):
        return f"DOCKER_HOST={host} leads there: correct it, or unset it to use this machine's"
    return "start Docker (Docker Desktop, or: sudo systemctl start docker)"


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
    repository = _full_name(re.sub(r":[^/:]*$", "", name.partition("@")[0]))
    entries = [str(text).partition("@")[::2] for text in image.attrs.get("RepoDigests") or []]
    ours = [digest for known, digest in entries if _full_name(known) == repository]
    return (ours or [digest for _, digest in entries] or [str(image.id)])[0]


def _full_name(repository: str) -> str:
    """A repository as podman names it: with its registry, which docker leaves out if its own."""
    first, _, rest = repository.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return repository
    return f"docker.io/{repository if rest else f'library/{repository}'}"


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
