"""Ten runs of which something is killed; benchmarks/chaos.py does it two hundred times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import own_docker
from tests.chaos import AUFER, CONTAINER, ENGINE, OPENFACE, Scene, disturb, find_faults, set_scene
from tests.require import require

if TYPE_CHECKING:
    from tests.engine_cases import EngineCase

pytest_plugins = ["tests.engine_cases"]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def local_scene(local_case: EngineCase, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return set_scene(tmp_path_factory.mktemp("local"), local_case.words)


@pytest.fixture(scope="module")
def docker_scene(docker_case: EngineCase, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    image = docker_case.options["image"]
    return set_scene(tmp_path_factory.mktemp("docker"), docker_case.words, image=image)


@pytest.fixture(scope="module")
def own_docker_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    require("dockerd", own_docker.reason())
    with own_docker.OwnDocker() as engine:
        words = ["--engine", "docker", "--image", own_docker.IMAGE]
        folder = tmp_path_factory.mktemp("own-docker")
        yield set_scene(folder, words, image=own_docker.IMAGE, own_docker=engine)


def check(scene: Scene, victim: str, seed: int) -> None:
    disturbed = disturb(scene, victim, seed)
    assert not disturbed.faults, str(disturbed)


@pytest.mark.parametrize(
    ("victim", "seed"), [(AUFER, 1), (AUFER, 2), (AUFER, 3), (OPENFACE, 4), (OPENFACE, 5)]
)
def test_killed_with_a_local_openface(local_scene: Scene, victim: str, seed: int) -> None:
    check(local_scene, victim, seed)


@pytest.mark.parametrize(
    ("victim", "seed"), [(AUFER, 6), (OPENFACE, 7), (CONTAINER, 8), (CONTAINER, 9)]
)
def test_killed_with_docker(docker_scene: Scene, victim: str, seed: int) -> None:
    check(docker_scene, victim, seed)


def test_the_docker_engine_is_killed(own_docker_scene: Scene) -> None:
    check(own_docker_scene, ENGINE, 10)


def test_a_table_that_differs_and_files_left_behind_are_found(
    local_scene: Scene, tmp_path: Path
) -> None:
    """The judge itself: it must not pass what it should find."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "aus.csv").write_bytes(local_scene.table.replace(b",ok,", b",crashed,", 1))
    (tmp_path / ".aufer-x-1-y").mkdir()
    faults = "\n".join(find_faults(local_scene, tmp_path))
    assert "others:" in faults
    assert "crashed" in faults
    assert "left behind: .aufer-x-1-y" in faults
    assert "missing: aus.json" in faults
