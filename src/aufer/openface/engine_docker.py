"""The engine ``docker``: one container per run, of the published OpenFace image."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aufer.errors import EnvironmentFailure
from aufer.openface.docker.client import (
    PLATFORM,
    EngineGone,
    clear_failures,
    connect,
    digest_of,
    find_image,
    pull,
)
from aufer.openface.docker.container import (
    DOING,
    judge_memory,
    read_log,
    remove,
    remove_left_behind,
    removed_by_others,
    wait_for_end,
)
from aufer.openface.docker.copying import CopyOut, copy_in
from aufer.openface.docker.host import find_docker_host
from aufer.openface.docker.notice import show_licence_notice
from aufer.openface.docker.options import (
    BINARY,
    INPUT,
    OUTPUT,
    as_command,
    build_options,
    unshared,
)
from aufer.openface.engine import (
    DEFAULT_IMAGE,
    Capacity,
    EngineRun,
    describe,
    program_arguments,
)
from aufer.openface.threads import in_thread, result_of
from aufer.progress import Progress
from aufer.provenance import Extractor

if TYPE_CHECKING:
    from concurrent.futures import Future

    from docker import DockerClient
    from docker.errors import APIError
    from docker.models.images import Image as DockerImage

talk = logging.getLogger("aufer")

NOT_FOUND = 127
"""A shell's exit code for a program that isn't there."""

_NO_EMULATION = "exec format error"


class DockerEngine:
    """Runs FaceLandmarkImg in containers: no network, input read-only, as the host's user.

    An engine that can't see this machine's folders gets the images copied, and gives its files
    back in the same way.
    """

    name = "docker"
    limits_memory = True

    def __init__(self, image: str, arguments: Sequence[str] = ()) -> None:
        self._image_name = image
        self._arguments = tuple(arguments)
        self._client: DockerClient | None = None
        self._image: DockerImage | None = None
        self._info: dict[str, Any] = {}
        self._is_remote = self._copies = False

    def check(self) -> None:
        """See `Engine.check`. A missing image is no failure: `prepare` pulls it."""
        self._connected()

    def prepare(self, progress: Progress) -> None:
        """See `Engine.prepare`."""
        if self._image is not None:
            return
        client = self._connected()
        remove_left_behind(client)
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

    def capacity(self) -> Capacity:
        """See `Engine.capacity`: of the engine's machine, which may be a virtual one."""
        import psutil

        self._connected()
        total = int(self._info.get("MemTotal") or 0)
        memory = psutil.virtual_memory()
        is_this_machine = not self._is_remote and total == memory.total
        return Capacity(
            cpus=max(1, int(self._info.get("NCPU") or 1)),
            memory_bytes=memory.available if is_this_machine else total,
        )

    def run(
        self,
        input_folder: Path,
        output_folder: Path,
        *,
        annotated: bool = False,
        memory_bytes: int = 0,
        on_start: Callable[[str], None] = lambda command: None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> EngineRun:
        """See `Engine.run`."""
        client, image = self._connected(), self._prepared()
        options = self._options(
            image, input_folder, output_folder, annotated, memory_bytes=memory_bytes
        )
        is_gone = False
        # in a thread: a Ctrl-C in the middle of it must not lose the container
        creating = in_thread(partial(self._create, client, options))
        try:
            container_id, options = result_of(creating, on_poll)
            copying = None
            if "mounts" not in options:
                putting = partial(self._put, client, container_id, input_folder)
                result_of(in_thread(putting, forgettable=True), on_poll)
                copying = CopyOut(client, container_id, OUTPUT, output_folder)
            command = as_command(options, {INPUT: input_folder, OUTPUT: output_folder})
            on_start(command)
            with self._explaining():
                client.api.start(container_id)
            state = self._follow(client, container_id, copying, on_poll)
            with self._explaining():
                out, err = (read_log(client, container_id, name) for name in ("stdout", "stderr"))
        except EngineGone:
            is_gone = True
            raise
        finally:
            in_thread(partial(_end, creating, client, options["name"], is_gone)).result()
        if state["ExitCode"] == NOT_FOUND:
            raise self._no_openface()
        if _NO_EMULATION in err:
            raise self._no_emulation()
        code, err = judge_memory(state, err, options)
        return EngineRun(code, out, err, command)

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
            self._is_remote = self._copies = find_docker_host().is_remote
            self.limits_memory = self._info.get("MemoryLimit") is not False
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
        self,
        image: DockerImage,
        input_folder: Path,
        output_folder: Path,
        annotated: bool,
        *,
        memory_bytes: int = 0,
    ) -> dict[str, Any]:
        """What is asked of the engine (tested as such where it can't be run)."""
        options = build_options(
            str(image.id),
            program_arguments(INPUT, OUTPUT, self._arguments, annotated=annotated),
            input_folder,
            output_folder,
            security=self._security,
            memory_bytes=memory_bytes if self.limits_memory else 0,
        )
        if self._is_foreign(image):
            options["platform"] = PLATFORM
        return unshared(options, self._security) if self._copies else options

    @property
    def _security(self) -> list[str]:
        return [str(item) for item in self._info.get("SecurityOptions") or []]

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Say what the engine answers, or that it doesn't, as what the user can do about it."""
        import docker

        try:
            with clear_failures(doing=DOING):
                yield
        except docker.errors.APIError as error:
            raise self._explained(error) from error

    def _create(self, client: DockerClient, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Make the container: its id, and the options that it was made with."""
        import docker

        with self._explaining():
            try:
                return str(client.containers.create(**options).id), options
            except docker.errors.APIError as error:
                if "mounts" not in options or "source path does not exist" not in str(error):
                    raise
            # an engine behind a tunnel, or the one outside of the container that we are in
            if not self._copies:
                self._copies = True
                talk.warning(
                    "the Docker engine can't see the images' folder: they are copied, slowly"
                )
            options = unshared(options, self._security)
            return str(client.containers.create(**options).id), options

    def _put(self, client: DockerClient, container_id: str, input_folder: Path) -> None:
        with self._explaining():
            copy_in(client, container_id, input_folder, INPUT, OUTPUT)

    def _follow(
        self,
        client: DockerClient,
        container_id: str,
        copying: CopyOut | None,
        on_poll: Callable[[], None],
    ) -> dict[str, Any]:
        """Wait until a container has ended; its state. All of its files are here then."""

        def find_end() -> dict[str, Any]:
            with self._explaining():
                return wait_for_end(client, container_id)

        def look() -> None:
            if copying:
                with self._explaining():
                    copying.look()
            on_poll()

        state = result_of(in_thread(find_end, forgettable=True), look)
        if copying:
            with self._explaining():
                copying.finish()
        return state

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
            return removed_by_others()
        if _NO_EMULATION in said.lower():
            return self._no_emulation()
        if "/bin/sh" in said or "executable file not found" in said:
            return self._no_openface()
        if isinstance(error, docker.errors.NotFound):
            return EnvironmentFailure(
                f"The image {self._image_name} is no longer there: {said}",
                hint="run the command again: it pulls the image",
            )
        return EnvironmentFailure(
            f"The Docker engine can't run OpenFace: {said}", hint="see: aufer doctor"
        )

    def _no_emulation(self) -> EnvironmentFailure:
        return EnvironmentFailure(
            f"The Docker engine can't run programs for {PLATFORM}, as in {self._image_name}.",
            hint="have them emulated: docker run --privileged --rm tonistiigi/binfmt --install "
            "amd64; or use a FaceLandmarkImg of your own: --engine local --openface PATH",
        )


def _end(creating: Future[Any], client: DockerClient, name: str, is_gone: bool) -> None:
    """Remove a container, after its creation however far that has come."""
    wait([creating])
    remove(client, name, is_gone=is_gone)
