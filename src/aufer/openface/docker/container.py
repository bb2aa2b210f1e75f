"""One container that runs OpenFace: waiting for its end, what it printed, and removing it."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aufer.errors import EnvironmentFailure
from aufer.openface.docker.client import TIMEOUT_S, ask, clear_failures
from aufer.openface.docker.options import HOST_LABEL, PID_LABEL, ROLE, ROLE_LABEL
from aufer.openface.engine import TAIL_BYTES, is_left_behind

if TYPE_CHECKING:
    from docker import DockerClient

talk = logging.getLogger("aufer")

DOING = "OpenFace was running"
"""In the messages about an engine that vanished."""

LISTEN_S = 30
"""After so long without a word, the engine is asked whether the container still runs."""

_GONE_S = 5
"""An engine that went away gets so long to remove a container nevertheless."""

KILLED = 137
"""A shell's exit code for a program that was killed, as it is when memory runs out."""

_TAIL_LINES = 200


def wait_for_end(client: DockerClient, container_id: str) -> dict[str, Any]:
    """Wait until a container has ended; its state. It costs nothing meanwhile.

    Raises:
        EnvironmentFailure: the engine went away, or the container was removed.
        docker.errors.APIError: the engine refused to tell.
    """
    import docker
    import requests

    while True:
        asked_at = time.monotonic()
        # no word yet? an engine that is gone doesn't answer the next question either
        with suppress(docker.errors.APIError, requests.exceptions.RequestException):
            ask(client, "POST", f"/containers/{container_id}/wait", timeout_s=LISTEN_S)
        state = find_state(client, container_id)
        if state["Status"] in ("exited", "dead", "stopped"):
            return state
        if state["Status"] == "removing":
            raise removed_by_others()
        time.sleep(max(0.0, min(0.2, 1 - (time.monotonic() - asked_at))))


def find_state(client: DockerClient, container_id: str) -> dict[str, Any]:
    """What the engine knows of a container: ``Status``, ``ExitCode``, ``OOMKilled`` and more."""
    with clear_failures(doing=DOING):
        state: dict[str, Any] = ask(client, "GET", f"/containers/{container_id}/json").json()
        return state["State"]


def removed_by_others() -> EnvironmentFailure:
    """A container that vanished is nothing that a picture did."""
    return EnvironmentFailure(
        "OpenFace's container was removed by somebody else while it was running.",
        hint="run the command again",
    )


def judge_memory(state: dict[str, Any], stderr: str, options: dict[str, Any]) -> tuple[int, str]:
    """The exit code and the text of stderr, saying so if memory ran out.

    Podman doesn't tell why a program was killed; under a limit it hardly is for another reason.
    """
    code = int(state["ExitCode"])
    limit = options.get("mem_limit", 0)
    limited = f", its container being limited to {limit >> 20} MB" if limit else ""
    if state.get("OOMKilled") and code:
        return KILLED, f"{stderr.rstrip()}\nOpenFace ran out of memory{limited}\n".lstrip()
    if limit and code == KILLED:
        return KILLED, f"{stderr.rstrip()}\nOpenFace probably ran out of memory{limited}\n".lstrip()
    return code, stderr


def read_log(client: DockerClient, container_id: str, stream: str) -> str:
    """The end of what it printed to ``stdout`` or ``stderr``; empty if the engine keeps no log."""
    import docker

    try:
        with clear_failures(doing=DOING):
            data: bytes = client.api.logs(
                container_id,
                stdout=stream == "stdout",
                stderr=stream == "stderr",
                tail=_TAIL_LINES,
            )
    except docker.errors.APIError:
        return ""
    return data[-TAIL_BYTES:].decode("utf-8", errors="replace")


def remove(client: DockerClient, name: str, *, is_gone: bool = False) -> None:
    """Remove a container, running or not; nothing to do where there is none.

    Args:
        is_gone: the engine did not answer before: it isn't waited for long.
    """
    import docker
    import requests

    patience_s = _GONE_S if is_gone else TIMEOUT_S
    try:
        ask(client, "DELETE", f"/containers/{name}", timeout_s=patience_s, force="true", v="true")
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):  # gone already, or going
            talk.warning("the container %s could not be removed: %s", name, error.explanation)
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
        talk.warning("the container %s may still run; to end it: docker rm -f %s", name, name)


def remove_left_behind(client: DockerClient) -> None:
    """Remove our containers of processes that were killed, and could not do it."""
    with clear_failures():
        found = client.api.containers(all=True, filters={"label": f"{ROLE_LABEL}={ROLE}"})
    for entry in found:
        labels = entry.get("Labels") or {}
        if is_left_behind(labels.get(HOST_LABEL, ""), labels.get(PID_LABEL, "")):
            remove(client, entry["Id"])
