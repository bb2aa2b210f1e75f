"""Fixtures that several test files share: the command line, the sample, a trained bundle."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aufer.shipped import sample_folder
from tests.require import require
from tests.running import RunAufer, run_aufer


@pytest.fixture
def aufer(tmp_path: Path) -> RunAufer:
    """``aufer(…)`` runs the command line in the test's own folder."""
    return lambda *args, **env: run_aufer(*args, cwd=tmp_path, **env)


@pytest.fixture(scope="session")
def sample() -> Path:
    """The bundled sample of real OpenFace output: ``train`` and ``test``."""
    return sample_folder()


@pytest.fixture(scope="session")
def data() -> Path:
    """The development data (AUFER_DATA)."""
    folder = os.environ.get("AUFER_DATA", "")
    require("data", None if folder else "AUFER_DATA does not name the development data")
    return Path(folder)


@pytest.fixture(scope="session")
def sample_dataset(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``emotion.csv`` of the bundled training sample; read only."""
    folder = tmp_path_factory.mktemp("sample-dataset")
    run_aufer("build-dataset", sample / "train", "--out", "emotion.csv", cwd=folder).check()
    return folder / "emotion.csv"


@pytest.fixture(scope="session")
def trained(sample_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained for a few epochs on the bundled sample; read only."""
    folder = tmp_path_factory.mktemp("trained") / "small"
    run_aufer(
        "train", sample_dataset, "--out", folder, "--epochs", "4", cwd=sample_dataset.parent
    ).check()
    return folder


@pytest.fixture
def bundle(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained bundle that a test may change: ``models/small`` in its folder."""
    return Path(shutil.copytree(trained, tmp_path / "models" / "small"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 KB."""
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)]
    mounted = os.name == "posix" and (
        subprocess.run(command, capture_output=True, check=False).returncode == 0
    )
    require("mount", None if mounted else "a small file system can't be mounted here")
    yield small
    subprocess.run(["umount", str(small)], check=True)
