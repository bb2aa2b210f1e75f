"""Pictures into a container, OpenFace's files out of it: for engines that can't see our folders.

The container is not trusted: only plain files with plain names come out, and only below the folder
that is meant for them.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from aufer.errors import AuferError, EnvironmentFailure
from aufer.openface.docker.client import ask, clear_failures
from aufer.openface.docker.container import DOING

if TYPE_CHECKING:
    from docker import DockerClient
    from requests import Response

EVERY_S = 2.0
"""At most so often is looked for new files; and copying takes a fifth of the time at most."""

LARGEST_BYTES = 1 << 30
"""OpenFace writes no file that is larger."""

MOST_FILES = 1_000_000

_CHUNK = 1 << 16
_STARTED = "_of_details.txt"
_ALIGNED = "_aligned"
_PLAIN = re.compile(r'[^/\\:*?"<>|\x00-\x1f]+')


def copy_in(client: DockerClient, container_id: str, input_folder: Path, to: str, out: str) -> None:
    """Put the files of a folder into a container that was not started yet.

    Args:
        to: their folder in the container. out: a further one, which anybody may write to.

    Raises:
        EnvironmentFailure: the engine went away. docker.errors.APIError: it refused.
    """
    with clear_failures(doing="the images were copied to it"):
        client.api.put_archive(
            container_id, "/", _pack(input_folder, to.strip("/"), out.strip("/"))
        )


def _pack(input_folder: Path, to: str, out: str) -> Iterator[bytes]:
    """A tar archive in pieces; a file is in memory one at a time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, mode in ((str(PurePosixPath(to).parent), 0o755), (to, 0o755), (out, 0o777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        for path in sorted(path for path in input_folder.iterdir() if path.is_file()):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise AuferError(f"{path} can't be read: {error.strerror}.") from error
            member = tarfile.TarInfo(f"{to}/{path.name}")
            member.size, member.mode, member.mtime = len(content), 0o644, int(time.time())
            tar.addfile(member, io.BytesIO(content))
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


class CopyOut:
    """Keeps a folder here like one in a container; what was taken from here doesn't come back.

    Files appear at once and whole as they are there. Those that say that OpenFace started a picture
    appear last, as they would be seen here if it wrote directly.
    """

    def __init__(self, client: DockerClient, container_id: str, source: str, target: Path) -> None:
        self._client, self._id = client, container_id
        self._source, self._target = source, target
        self._sizes: dict[str, int] = {}
        self._due = time.monotonic() + EVERY_S / 4  # the first files come soon

    def look(self) -> None:
        """Copy what is new, if it is time for that."""
        if time.monotonic() < self._due:
            return
        began = time.monotonic()
        with suppress(tarfile.TarError):  # a file changed while it was read: the next time, then
            self.copy()
        now = time.monotonic()
        self._due = now + max(EVERY_S, 4 * (now - began))

    def finish(self) -> None:
        """Copy what is new, once the container has ended."""
        try:
            self.copy()
        except tarfile.TarError as error:
            raise EnvironmentFailure(
                f"OpenFace's files can't be copied out of its container: {error}.",
                hint="run the command again; is the Docker engine's disk full?",
            ) from error

    def copy(self) -> None:
        """Copy what is new.

        Raises:
            tarfile.TarError: what arrived is damaged; nothing has changed here.
            EnvironmentFailure: the engine went away, or the container holds what OpenFace does not
            write. AuferError: the files can't be written here. docker.errors.APIError.
        """
        with clear_failures(doing=DOING):
            path = f"/containers/{self._id}/archive"
            response = ask(self._client, "GET", path, stream=True, path=self._source)
        try:
            with (
                closing(response),
                tempfile.TemporaryDirectory(prefix=".copied-", dir=self._target.parent) as folder,
            ):
                arrived = self._receive(response, Path(folder))
                for name in sorted(arrived, key=lambda name: (name.endswith(_STARTED), name)):
                    target = self._target / name
                    target.parent.mkdir(exist_ok=True)
                    size = arrived[name].stat().st_size
                    arrived[name].replace(target)
                    self._sizes[name] = size
        except OSError as error:
            raise AuferError(
                f"OpenFace's files can't be written to {self._target}: {error.strerror or error}.",
                hint="is the disk full, or not writable?",
            ) from error

    def _receive(self, response: Response, folder: Path) -> dict[str, Path]:
        """Unpack what is new into a folder; name -> the file that holds it."""
        behind_s = _clock_behind_s(response)
        body = _Body(response)
        arrived: dict[str, Path] = {}
        with tarfile.open(fileobj=body, mode="r|") as tar:  # type: ignore[call-overload]
            for number, member in enumerate(tar):
                name = plain_name(member)
                if number > MOST_FILES or (name and member.size > LARGEST_BYTES):
                    raise EnvironmentFailure(
                        f"The container holds files that OpenFace does not write: {member.name}.",
                        hint="is that image OpenFace's? See --image",
                    )
                if not name or self._sizes.get(name) == member.size:
                    continue
                content = tar.extractfile(member)
                if content is None:
                    continue
                arrived[name] = folder / str(number)
                with arrived[name].open("wb") as file:
                    while piece := content.read(_CHUNK):
                        file.write(piece)
                os.utime(arrived[name], (member.mtime + behind_s,) * 2)
        body.finish()
        return arrived


def plain_name(member: tarfile.TarInfo) -> str:
    """Where a member belongs below the output folder; empty if it is nothing of OpenFace's.

    OpenFace writes plain files, and folders of them only for ``-simalign``.
    """
    parts = member.name.rstrip("/").split("/")[1:]  # the first is the output folder itself
    is_place = len(parts) == 1 or (len(parts) == 2 and parts[0].endswith(_ALIGNED))
    if not member.isreg() or not is_place:
        return ""
    if any(part in (".", "..") or not _PLAIN.fullmatch(part) for part in parts):
        return ""
    return "/".join(parts)


def _clock_behind_s(response: Response) -> float:
    """By how much the engine's clock is behind ours, whose times its files carry."""
    try:
        return time.time() - parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return 0.0


class _Body:
    """The body of an answer, as `tarfile` reads it."""

    def __init__(self, response: Response) -> None:
        self._pieces = self._receive(response)
        self._rest = b""

    @staticmethod
    def _receive(response: Response) -> Iterator[bytes]:
        with clear_failures(doing=DOING):
            yield from response.iter_content(_CHUNK)

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        wanted, self._rest = self._rest[:size], self._rest[size:]
        return wanted

    def finish(self) -> None:
        """Take the little that follows an archive: only then can the connection be used again."""
        for _ in zip(range(16), self._pieces, strict=False):
            pass
