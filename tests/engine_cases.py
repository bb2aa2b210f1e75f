"""Engines with the stand-in, as fixtures; test files load them as a plugin:

pytest_plugins = ["tests.engine_cases"]
"""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import docker_engine
from tests.require import require


@dataclass(frozen=True)
class EngineCase:
    """One way to run the stand-in: as the library makes it, and as the command line asks for it."""

    name: str
    options: dict[str, str] = field(default_factory=dict)

    def make(self, openface_args: str = ""):
        from aufer.openface.engines import make_engine

        return make_engine(self.name, openface_args=openface_args, **self.options)

    @property
    def words(self) -> list[str]:
        words = ["--engine", self.name]
        for name, value in self.options.items():
            words += [f"--{name}", value]
        return words


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test works in its folder, and what aufer remembers of its user goes there; no engine by
    environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / ".state"))
    monkeypatch.delenv("AUFER_OPENFACE", raising=False)


@pytest.fixture(scope="session")
def stand_in_image() -> Iterator[str]:
    """The name of an image with the stand-in, in a real Docker engine; removed at the end."""
    require("docker", docker_engine.engine_reason())
    require("docker", docker_engine.busybox_reason())
    import docker

    name = f"aufer-stand-in:{uuid.uuid4().hex[:8]}"
    docker_engine.import_stand_in_image(name)
    yield name
    client = docker.from_env()
    client.images.remove(name, force=True)
    client.close()


@pytest.fixture(scope="session")
def local_case() -> EngineCase:
    require("sh", "no POSIX shell" if os.name == "nt" else None)
    return EngineCase("local", {"openface": str(docker_engine.STAND_IN)})


@pytest.fixture(scope="session")
def docker_case(stand_in_image: str) -> EngineCase:
    return EngineCase("docker", {"image": stand_in_image})


@pytest.fixture(params=["local", "docker"])
def case(request: pytest.FixtureRequest) -> EngineCase:
    """Each engine in turn: one contract, one suite."""
    found: EngineCase = request.getfixturevalue(f"{request.param}_case")
    return found


@pytest.fixture
def script(tmp_path: Path):
    """Makes an executable shell script of the given lines."""
    require("sh", "no POSIX shell" if os.name == "nt" else None)

    def write(*lines: str, name: str = "FaceLandmarkImg") -> str:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
        path.chmod(0o755)
        return shlex.quote(str(path))

    return write
