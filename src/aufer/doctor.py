"""The verb ``doctor``: what each command needs, whether it is there, and what to do if not."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aufer.errors import AuferError, EnvironmentFailure
from aufer.measures import APPROXIMATES
from aufer.openface.engine import DEFAULT_IMAGE, SEE_DOCTOR

PYTHONS = ((3, 10), (3, 13))
"""First and last version of Python that pyproject.toml allows."""

PACKAGES: dict[str, tuple[str, str]] = {
    "numpy": ("numpy", "every command"),
    "pandas": ("pandas", "every command"),
    "PIL": ("pillow", "extract"),
    "cv2": ("opencv-python-headless", "extract, live"),
    "imagehash": ("imagehash", "extract"),
    "psutil": ("psutil", "extract, doctor"),
    "docker": ("docker", "extract --engine docker"),
    "platformdirs": ("platformdirs", "extract --engine docker"),
    "keras": ("keras", "train"),
    "tensorflow": ("tensorflow", "train"),
    "onnx": ("onnx", "train"),
    "onnxruntime": ("onnxruntime", "evaluate, predict, live"),
    "sklearn": ("scikit-learn", "train, evaluate"),
    "scipy": ("scipy", "train, evaluate"),
    "tf2onnx": ("tf2onnx", "import-model"),
    "threadpoolctl": ("threadpoolctl", "learning-curve"),
    "matplotlib": ("matplotlib", "train, evaluate"),
    "jinja2": ("jinja2", "evaluate"),
    "tqdm": ("tqdm", "extract"),
    "websockets": ("websockets", "live --web, --websocket"),
    "pooch": ("pooch", "models fetch"),
    "requests": ("requests", "models fetch"),
    "pythonosc": ("python-osc", "live --osc"),
    "pylsl": ("pylsl", "live --lsl"),
}
"""Module -> its name for pip, and the commands that import it."""

OPTIONAL = {"docker", "platformdirs", "pythonosc", "pylsl"}
"""Modules without which much can be done: of the engine ``docker``, and extras."""

ENOUGH_DISK, ENOUGH_MEMORY = 2 << 30, 1 << 30
"""Bytes. A picture of 24 megapixels takes OpenFace 1 GB of memory."""

DEVICES = Path("/dev")
"""Where Linux has its cameras."""

DOCKER, LOCAL, BUILTIN = "docker engine", "local FaceLandmarkImg", "builtin AU network"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it is. ok: whether it will do. detail: what was found.
        hint: what to do if it won't; empty else.
        needed_by: the commands that need it.
        required: whether nothing goes on without it (an engine is required, but any will do).
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""
    needed_by: str = "every command"
    required: bool = False

    def facts(self) -> dict[str, Any]:
        """The check as plain JSON."""
        return asdict(self)


def check_all(
    workspace: Path = Path(), *, image: str = DEFAULT_IMAGE, openface: str | None = None
) -> list[Check]:
    """Look at everything; nothing is changed, pulled or started.

    Args:
        workspace: the folder whose disk and permissions are looked at.
        image: the Docker image that extract would use.
        openface: the path or command prefix that extract would use with ``--engine local``.
    """
    return [
        _check_python(),
        *_check_packages(),
        *_check_docker(image),
        _check_local(openface),
        _check_builtin(),
        _check_disk(workspace),
        _check_writing(workspace),
        _check_memory(),
        Check("processors", True, f"{os.cpu_count() or 1}", needed_by="extract, train"),
        _check_camera(),
    ]


def is_ready(checks: list[Check]) -> bool:
    """Whether the main job can be done: all that is required, and an engine of any kind."""
    engines = [check for check in checks if check.name in (DOCKER, LOCAL, BUILTIN)]
    return all(check.ok for check in checks if check.required) and any(
        check.ok for check in engines
    )


def _check_python() -> Check:
    version = sys.version_info[:2]
    first, last = PYTHONS
    ok = first <= version <= last
    hint = "" if ok else f"install aufer with Python {last[0]}.{last[1]}"
    detail = ".".join(str(part) for part in sys.version_info[:3])
    return Check("python", ok, detail, hint, required=version < first)


def _check_packages() -> Iterator[Check]:
    for module, (package, needed_by) in PACKAGES.items():
        required = module not in OPTIONAL
        if find_spec(module) is None:
            hint = f"pip install {package}"
            yield Check(f"package {package}", False, "missing", hint, needed_by, required)
            continue
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:  # another build of it, such as tensorflow-cpu
            version = "version unknown"
        yield Check(f"package {package}", True, version, "", needed_by, required)


def _check_docker(image: str) -> Iterator[Check]:
    from aufer.openface.docker.client import clear_failures, connect, digest_of, find_image

    by = "extract --engine docker (the default)"
    name = f"docker image {image}"
    try:
        client = connect()
        with clear_failures():
            version = client.version()
            found = find_image(client, image)
        client.close()
    except EnvironmentFailure as failure:
        yield Check(DOCKER, False, failure.message, _hint_of(failure), by)
        yield Check(name, False, "not known: no engine", "start Docker first", by)
        return
    about = f"{version.get('Version', '?')} ({version.get('Os', '?')}/{version.get('Arch', '?')})"
    yield Check(DOCKER, True, about, "", by)
    if found is None:
        hint = f"aufer extract pulls it at its first run; or now: docker pull {image}"
        yield Check(name, False, "not here", hint, by)
    else:
        yield Check(name, True, digest_of(found, image), "", by)


def _check_local(openface: str | None) -> Check:
    from aufer.openface.engine_local import find_program

    by = "extract --engine local"
    try:
        return Check(LOCAL, True, " ".join(find_program(openface)), "", by)
    except EnvironmentFailure as failure:
        return Check(LOCAL, False, failure.message, _hint_of(failure), by)


def _check_builtin() -> Check:
    from aufer.openface.engine_builtin import BuiltinEngine

    by = "extract --engine builtin"
    try:
        extractor = BuiltinEngine().extractor()
    except AuferError as failure:
        return Check(BUILTIN, False, failure.message, failure.hint or "", by)
    about = f"{extractor.model}, sha256 {extractor.binary[:12]}: {APPROXIMATES}"
    return Check(BUILTIN, True, about, "", by)


def can_run_openface(checks: list[Check]) -> bool:
    """Whether OpenFace itself can measure, in Docker or as a program of this machine."""
    return any(check.ok for check in checks if check.name in (DOCKER, LOCAL))


def _hint_of(failure: EnvironmentFailure) -> str:
    """Its hint, but for the words that lead to where we are."""
    return (failure.hint or "").removesuffix(SEE_DOCTOR).rstrip("; ")


def _check_disk(workspace: Path) -> Check:
    free = shutil.disk_usage(workspace.absolute()).free
    ok = free >= ENOUGH_DISK
    hint = "" if ok else f"free some space on the disk of {workspace.absolute()}"
    return Check("free disk", ok, f"{free / (1 << 30):.1f} GB", hint)


def _check_writing(workspace: Path) -> Check:
    name = "write permission"
    try:
        with tempfile.TemporaryFile(dir=workspace):
            return Check(name, True, str(workspace.absolute()), required=True)
    except OSError as error:
        hint = "work in a folder of your own: aufer init my-study"
        detail = f"{workspace.absolute()}: {error.strerror}"
        return Check(name, False, detail, hint, required=True)


def _check_memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    ok = memory.available >= ENOUGH_MEMORY
    hint = "" if ok else "close other programs; OpenFace takes 1 GB for a 24-megapixel picture"
    detail = f"{memory.available / (1 << 30):.1f} of {memory.total / (1 << 30):.1f} GB free"
    return Check("memory", ok, detail, hint, "extract, train")


def _check_camera() -> Check:
    """Whether there is a camera, without opening one: its lamp would light."""
    name, by = "camera", "live"
    if not sys.platform.startswith("linux"):
        return Check(name, True, "not looked for; try: aufer live --benchmark", "", by)
    found = sorted(DEVICES.glob("video[0-9]*"))
    hint = "" if found else "plug one in; or play a video: aufer live party.mp4"
    return Check(name, bool(found), ", ".join(map(str, found)) or "none", hint, by)
