"""The engine ``docker``: one container per run, of the published OpenFace image."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

from aufer.errors import EnvironmentFailure
from aufer.openface.docker_client import (
    PLATFORM,
    clear_failures,
    connect,
    digest_of,
    find_image,
    pull,
)
from aufer.openface.engine import (
    DEFAULT_IMAGE,
    TAIL_BYTES,
    EngineRun,
    describe,
    is_left_behind,
    program_arguments,
    this_host,
)
from aufer.openface.notice import show_licence_notice
from aufer.openface.polling import pauses
from aufer.progress import Progress
from aufer.provenance import Extractor

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.errors import APIError
    from docker.models.containers import Container
    from docker.models.images import Image as DockerImage

talk = logging.getLogger("aufer")

BINARY = "/home/openface-build/build/bin/FaceLandmarkImg"
"""Where the published image has the program; its models lie beside it."""

ENTRYPOINT = ["/bin/sh", "-c", '"$0" "$@"; exit $?', BINARY]
"""A shell is the container's first process: the first one's own abort would not give 134."""

INPUT, OUTPUT = "/aufer/input", "/aufer/output"
ROLE_LABEL, RUN_LABEL = "org.aufer.role", "org.aufer.run"
HOST_LABEL, PID_LABEL = "org.aufer.host", "org.aufer.pid"
ROLE = "extract"
NOT_FOUND = 127
"""A shell's exit code for a program that isn't there."""

_TAIL_LINES = 200
_DOING = "OpenFace was running"


class DockerEngine:
    """Runs FaceLandmarkImg in a container: input read-only, no network, as the host's user."""

    name = "docker"

    def __init__(self, image: str, arguments: Sequence[str] = ()) -> None:
        self._image_name = image
        self._arguments = tuple(arguments)
        self._client: DockerClient | None = None
        self._image: DockerImage | None = None
        self._info: dict[str, Any] = {}

    def check(self) -> None:
        """See `Engine.check`. A missing image is no failure: `prepare` pulls it."""
        self._connected()

    def prepare(self, progress: Progress) -> None:
        """See `Engine.prepare`."""
        client = self._connected()
        _remove_left_behind(client)
        with clear_failures(doing="looking for the image"):
            self._image = find_image(client, self._image_name)
        if self._image is None:
            show_licence_notice()
            self._image = pull(client, self._image_name, progress)
        if self._is_foreign(self._image):
            talk.warning(
                "the image is made for %s and this machine is %s: it runs under emulation, slowly",
                PLATFORM,
                self._info.get("Architecture", "another"),
            )

    def extractor(self) -> Extractor:
        """See `Engine.extractor`."""
        image = self._prepared()
        digest = digest_of(image, self._image_name)
        return describe(self.name, self._arguments, image=self._image_name, digest=digest)

    def run(
        self,
        input_folder: Path,
        output_folder: Path,
        *,
        annotated: bool = False,
        on_poll: Callable[[], None] = lambda: None,
    ) -> EngineRun:
        """See `Engine.run`."""
        import docker

        client, image = self._connected(), self._prepared()
        options = self._options(image, input_folder, output_folder, annotated)
        # Creating goes through a thread: a Ctrl-C in the middle of it must not lose the container.
        with ThreadPoolExecutor(1) as thread:
            try:
                creating = thread.submit(client.containers.create, **options)
                with clear_failures(doing=_DOING):
                    container = creating.result()
                    container.start()
                code = _wait(container, on_poll)
                if code == NOT_FOUND:
                    raise self._no_openface()
                out, err = _read_log(container, "stdout"), _read_log(container, "stderr")
                return EngineRun(code, out, err, command=_as_command(options))
            except docker.errors.APIError as error:
                raise self._explained(error) from error
            finally:
                # the one thread takes this after the creation, however far that has come
                thread.submit(_remove, client, options["name"]).result()

    def close(self) -> None:
        """See `Engine.close`."""
        if self._client is not None:
            self._client.close()
        self._client = self._image = None

    def _connected(self) -> DockerClient:
        if self._client is None:
            client = connect()
            with clear_failures():
                self._info = client.info()
            self._client = client
        return self._client

    def _prepared(self) -> DockerImage:
        if self._image is None:
            raise RuntimeError("prepare() comes first")
        return self._image

    def _is_foreign(self, image: DockerImage) -> bool:
        machines = {"x86_64": "amd64", "aarch64": "arm64"}
        ours = str(self._info.get("Architecture", ""))
        theirs = str(image.attrs.get("Architecture", ""))
        return bool(ours and theirs) and machines.get(ours, ours) != theirs

    def _options(
        self, image: DockerImage, input_folder: Path, output_folder: Path, annotated: bool
    ) -> dict[str, Any]:
        """What is asked of the engine (tested as such where it can't be run)."""
        from docker.types import LogConfig, Mount

        run_id = uuid.uuid4().hex[:12]
        options: dict[str, Any] = {
            "image": image.id,
            "name": f"aufer-{run_id}",
            "entrypoint": ENTRYPOINT,
            "command": program_arguments(INPUT, OUTPUT, self._arguments, annotated=annotated),
            "working_dir": BINARY.rpartition("/")[0],
            "mounts": [
                Mount(INPUT, str(input_folder.resolve()), type="bind", read_only=True),
                Mount(OUTPUT, str(output_folder.resolve()), type="bind"),
            ],
            "network_mode": "none",
            "labels": {
                ROLE_LABEL: ROLE,
                RUN_LABEL: run_id,
                HOST_LABEL: this_host(),
                PID_LABEL: str(os.getpid()),
            },
            # the engine's default log driver may be one that can't be read back
            "log_config": LogConfig(type="json-file", config={"max-size": "10m", "max-file": "1"}),
        }
        security = " ".join(str(item) for item in self._info.get("SecurityOptions") or [])
        if sys.platform == "linux" and "name=rootless" not in security:
            options["user"] = f"{os.getuid()}:{os.getgid()}"
        if "name=userns" in security:
            options["userns_mode"] = "host"
        if "name=selinux" in security:  # else the container may not read the folders
            options["security_opt"] = ["label=disable"]
        if self._is_foreign(image):
            options["platform"] = PLATFORM
        return options

    def _no_openface(self) -> EnvironmentFailure:
        return EnvironmentFailure(
            f"The image {self._image_name} has no {BINARY}: it is no image of OpenFace.",
            hint=f"--image {DEFAULT_IMAGE}",
        )

    def _explained(self, error: APIError) -> EnvironmentFailure:
        """What the engine answered, as what the user can do about it."""
        import docker

        said = " ".join(str(error.explanation or error).split())
        if isinstance(error, docker.errors.NotFound) and "such container" in said.lower():
            return EnvironmentFailure(
                "OpenFace's container was removed by somebody else while it was running.",
                hint="run the command again",
            )
        if "executable file not found" in said or "no such file" in said:
            return self._no_openface()
        if isinstance(error, docker.errors.NotFound):
            return EnvironmentFailure(
                f"The image {self._image_name} is no longer there: {said}",
                hint="run the command again: it pulls the image",
            )
        return EnvironmentFailure(
            f"The Docker engine can't run OpenFace: {said}", hint="see: aufer doctor"
        )


def _wait(container: Container, on_poll: Callable[[], None]) -> int:
    """Wait until the container has ended; its exit code."""
    for pause_s in pauses():
        with clear_failures(doing=_DOING):
            container.reload()
        state = container.attrs["State"]
        if state["Status"] in ("exited", "dead"):
            return int(state["ExitCode"])
        on_poll()
        sleep(pause_s)
    raise AssertionError("pauses() never ends")


def _read_log(container: Container, stream: str) -> str:
    import docker

    try:
        with clear_failures(doing=_DOING):
            data: bytes = container.logs(
                stdout=stream == "stdout", stderr=stream == "stderr", tail=_TAIL_LINES
            )
    except docker.errors.APIError:  # an engine that keeps no log
        return ""
    return data[-TAIL_BYTES:].decode("utf-8", errors="replace")


def _remove(client: DockerClient, name: str) -> None:
    """Remove a container, running or not; nothing to do where there is none."""
    import docker
    import requests

    # gone already, or the engine is: that was told where it happened
    gone = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)
    with suppress(*gone):
        client.api.remove_container(name, force=True, v=True)


def _remove_left_behind(client: DockerClient) -> None:
    """Remove our containers of processes that were killed, and could not do it."""
    with clear_failures():
        found = client.api.containers(all=True, filters={"label": f"{ROLE_LABEL}={ROLE}"})
    for entry in found:
        labels = entry.get("Labels") or {}
        if is_left_behind(labels.get(HOST_LABEL, ""), labels.get(PID_LABEL, "")):
            _remove(client, entry["Id"])


def _as_command(options: dict[str, Any]) -> str:
    """The equivalent ``docker run``, for messages and logs."""
    words = ["docker", "run", "--rm", "--network", "none", "-w", options["working_dir"]]
    if "user" in options:
        words += ["--user", options["user"]]
    for mount in options["mounts"]:
        read_only = ":ro" if mount.get("ReadOnly") else ""
        words += ["-v", f"{mount['Source']}:{mount['Target']}{read_only}"]
    words += ["--entrypoint", BINARY, options["image"], *options["command"]]
    return shlex.join(words)
