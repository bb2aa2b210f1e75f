"""A real Docker engine for tests: is there one; an image with the stand-in, without a registry."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

STAND_IN = Path(__file__).parent / "stand_in" / "FaceLandmarkImg"
IMAGE = "aufer-stand-in:test"
WORKDIR = "/home/openface-build/build/bin"
# The published image ends in bash, and people type it; here it is the shell of busybox.
BASH = b'#!/bin/sh\nexec /bin/sh "$@"\n'


def engine_reason() -> str | None:
    """Why no Docker engine answers here; None if one does."""
    try:
        import docker
    except ImportError as error:
        return f"the docker package is missing: {error}"
    try:
        # A missing daemon raises DockerException from the constructor, other faults come from ping.
        client = docker.from_env(timeout=10)
        try:
            client.ping()
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        return f"no Docker engine answers: {error}"
    return None


def busybox_reason() -> str | None:
    """Why no image can be built of busybox here; None if one can: it must be the static build."""
    busybox = shutil.which("busybox")
    if busybox is None:
        return "busybox is missing (apt-get install busybox-static)"
    if b"/ld-" in Path(busybox).read_bytes()[:4096]:
        return f"{busybox} is not static (apt-get install busybox-static)"
    return None


def import_stand_in_image(tag: str = IMAGE) -> str:
    """Build and import an image laid out like algebr/openface, with the stand-in; return its id.

    An image of the same content gets a new id each time: import once a session.
    """
    import docker

    repository, _, version = tag.partition(":")
    client = docker.from_env()
    try:
        answer = client.api.import_image_from_data(
            _pack_root(),
            repository=repository,
            tag=version or "latest",
            changes=[f"WORKDIR {WORKDIR}", 'CMD ["/bin/sh"]', "ENV PATH=/bin"],
        )
    finally:
        client.close()
    last = json.loads(answer.strip().splitlines()[-1])
    if "error" in last:
        raise RuntimeError(f"import of {tag}: {last['error']}")
    return str(last["status"])


def _pack_root() -> bytes:
    """The root of the image as a tar: busybox with its applets, /tmp, passwd and the stand-in."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "etc", "home", "home/openface-build", "home/openface-build/build"):
            _add(tar, folder, tarfile.DIRTYPE)
        _add(tar, WORKDIR.lstrip("/"), tarfile.DIRTYPE)
        _add(tar, "tmp", tarfile.DIRTYPE, mode=0o1777)
        _add(tar, "etc/passwd", data=b"root:x:0:0:root:/:/bin/sh\n", mode=0o644)
        _add(tar, "bin/busybox", data=Path(busybox).read_bytes())
        _add(tar, "bin/bash", data=BASH)
        for applet in applets.stdout.split():
            if applet not in ("busybox", "bash"):
                _add(tar, f"bin/{applet}", tarfile.SYMTYPE, link="busybox")
        _add(tar, f"{WORKDIR.lstrip('/')}/FaceLandmarkImg", data=STAND_IN.read_bytes())
    return buffer.getvalue()


def _add(
    tar: tarfile.TarFile,
    name: str,
    kind: bytes = tarfile.REGTYPE,
    data: bytes = b"",
    mode: int = 0o755,
    link: str = "",
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.linkname, member.size = kind, mode, link, len(data)
    tar.addfile(member, io.BytesIO(data))
