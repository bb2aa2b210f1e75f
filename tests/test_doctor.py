"""The command ``aufer doctor``: what is there, and a hint for what is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aufer import doctor
from aufer.doctor import BUILTIN, DOCKER, LOCAL, PACKAGES, check_all, is_ready
from tests.docker_engine import STAND_IN
from tests.running import RunAufer

if TYPE_CHECKING:
    from tests.engine_cases import EngineCase

pytest_plugins = ["tests.engine_cases"]
pytestmark = pytest.mark.usefixtures("own_state")

NO_DOCKER = {"DOCKER_HOST": "unix:///nonexistent"}
NO_NETWORK = {"AUFER_AU_NET": "/nonexistent"}


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (NO_DOCKER | NO_NETWORK).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)


def _by_name(**options) -> dict[str, doctor.Check]:
    return {check.name: check for check in check_all(**options)}


def test_without_any_engine_it_is_not_ready(aufer: RunAufer) -> None:
    ran = aufer("doctor", PATH="", **NO_DOCKER, **NO_NETWORK).check(3)
    lines = ran.out.splitlines()
    assert any(line.startswith("missing  docker engine") for line in lines)
    assert any(line.startswith("missing  local FaceLandmarkImg") for line in lines)
    assert any(line.startswith("missing  builtin AU network") for line in lines)
    for number, line in enumerate(lines):
        if line.startswith("missing"):
            assert lines[number + 1].strip().startswith("hint: ")
    assert "not ready" in lines[-1]


def test_a_local_program_is_enough(aufer: RunAufer, local_case: EngineCase) -> None:
    ran = aufer("doctor", "--openface", STAND_IN, **NO_DOCKER).check(0)
    assert f"ok       {LOCAL}" in ran.out
    assert ran.out.splitlines()[-1] == "aufer is ready."


def test_docker_and_its_image(docker_case: EngineCase, aufer: RunAufer) -> None:
    image = docker_case.options["image"]
    facts = json.loads(aufer("doctor", "--image", image, "--json").check(0).out)
    assert facts["ready"] is True
    checks = {check["name"]: check for check in facts["checks"]}
    assert checks[DOCKER]["ok"]
    assert checks[f"docker image {image}"]["detail"].startswith("sha256:")
    assert set(checks["memory"]) == {"name", "ok", "detail", "hint", "needed_by", "required"}


def test_a_missing_image_is_pulled_later(docker_case: EngineCase) -> None:
    checks = _by_name(image="aufer-absent:none")
    assert not checks["docker image aufer-absent:none"].ok
    assert "docker pull aufer-absent:none" in checks["docker image aufer-absent:none"].hint
    assert is_ready(list(checks.values()))  # extract pulls it


@pytest.mark.usefixtures("no_engine")
def test_every_failure_has_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    monkeypatch.setattr(doctor, "ENOUGH_DISK", 1 << 80)
    monkeypatch.setattr(doctor, "ENOUGH_MEMORY", 1 << 80)
    monkeypatch.setattr(doctor, "PYTHONS", ((99, 0), (99, 1)))
    monkeypatch.setattr(doctor, "DEVICES", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    checks = _by_name(workspace=tmp_path)
    failed = {name for name, check in checks.items() if not check.ok}
    packages = {f"package {package}" for package, _ in PACKAGES.values()}
    image = "docker image algebr/openface:latest"
    others = {"python", "free disk", "memory", "camera"}
    assert failed == {DOCKER, LOCAL, BUILTIN, image, *others, *packages}
    assert all(checks[name].hint for name in failed)
    assert checks["package pillow"].hint == "pip install pillow"
    assert not is_ready(list(checks.values()))


def test_a_missing_package_is_not_ready(monkeypatch: pytest.MonkeyPatch, local_case) -> None:
    options = {"openface": str(STAND_IN)}
    assert is_ready(check_all(**options))
    monkeypatch.setattr(
        doctor, "find_spec", lambda module: None if module == "pandas" else object()
    )
    assert not is_ready(check_all(**options))


def test_docker_is_needed_for_its_engine_only(monkeypatch, local_case: EngineCase) -> None:
    monkeypatch.setenv("AUFER_AU_NET", NO_NETWORK["AUFER_AU_NET"])
    monkeypatch.setattr(
        doctor, "find_spec", lambda module: None if module == "docker" else object()
    )
    monkeypatch.setitem(sys.modules, "docker", None)  # importing it fails
    checks = check_all(openface=str(STAND_IN))
    found = {check.name: check for check in checks}
    assert not found["package docker"].ok
    assert not found[DOCKER].ok
    assert is_ready(checks)
    assert not is_ready(check_all(openface="/absent/FaceLandmarkImg"))


def test_whatever_is_imported_is_looked_for() -> None:
    """Every package that aufer depends on, but for those that its command line itself needs."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["osc"], *extras["lsl"]]
    needed = {re.split(r"[<>=;\s]", text)[0] for text in wanted}
    assert needed - {"click", "tomli"} == {package for package, _ in PACKAGES.values()}


@pytest.mark.usefixtures("no_engine")
def test_a_camera_is_told_and_none_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "DEVICES", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not _by_name()["camera"].ok
    assert not _by_name()["camera"].required
    (tmp_path / "video2").touch()
    camera = _by_name()["camera"]
    assert camera.ok
    assert camera.detail.endswith("video2")


@pytest.mark.usefixtures("no_engine")
def test_no_hint_sends_back_to_doctor() -> None:
    assert all("aufer doctor" not in check.hint for check in check_all())


@pytest.mark.usefixtures("no_engine")
def test_a_folder_that_cant_be_written_to(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    check = _by_name(workspace=tmp_path)["write permission"]
    assert (check.ok, check.required) == (False, True)
    assert "aufer init" in check.hint


def test_nothing_heavy_is_imported_to_look() -> None:
    code = (
        "import sys; from aufer.doctor import check_all; check_all(); "
        "print([m for m in ('tensorflow', 'onnxruntime', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
