"""What is asked of engines that can't be run here, and what is made of their answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import pytest

from aufer.openface.docker.client import Layers, digest_of
from aufer.openface.docker.container import judge_memory
from aufer.openface.docker.options import NOBODY, as_command, unshared

AN_IMAGE = SimpleNamespace(id="sha256:0", attrs={"Architecture": "amd64", "Os": "linux"})


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        ([], {"user": "1000:100"}),
        (["name=rootless"], {}),
        (["name=userns"], {"user": "1000:100", "userns_mode": "host"}),
        (["name=selinux"], {"user": "1000:100", "security_opt": ["label=disable"]}),
    ],
)
def test_what_is_asked_of_other_engines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, security, expected
) -> None:
    pytest.importorskip("docker")  # not for the first time on a system that isn't this one
    from aufer.openface.engine_docker import DockerEngine

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "getuid", lambda: 1000, raising=False)
    monkeypatch.setattr(os, "getgid", lambda: 100, raising=False)
    engine = DockerEngine("openface", ("-wild",))
    engine._info = {"SecurityOptions": security, "Architecture": "x86_64"}
    options = engine._options(AN_IMAGE, tmp_path, tmp_path, False)
    asked = {
        name: options[name] for name in ("user", "userns_mode", "security_opt") if name in options
    }
    assert asked == expected
    assert "platform" not in options
    engine._info["Architecture"] = "aarch64"
    assert engine._options(AN_IMAGE, tmp_path, tmp_path, False)["platform"] == "linux/amd64"
    assert options["command"][-4:] == ["-aus", "-pose", "-2Dfp", "-wild"]


def test_outside_linux_no_user_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("docker")  # not for the first time on a system that isn't this one
    from aufer.openface.engine_docker import DockerEngine

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "getuid", raising=False)
    assert "user" not in DockerEngine("openface")._options(AN_IMAGE, tmp_path, tmp_path, False)


def test_a_pull_is_counted_in_percent_and_never_back() -> None:
    layers = Layers()
    events = [
        {"status": "Pulling from algebr/openface", "id": "latest"},
        {"status": "Pulling fs layer", "id": "a"},
        {"status": "Pulling fs layer", "id": "b"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 5, "total": 10}},
        {"status": "Download complete", "id": "a"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 1, "total": 10}},
        {"status": "Already exists", "id": "c"},
        {"status": "Extracting", "id": "a", "progressDetail": {"current": 10, "total": 10}},
        {"status": "Digest: sha256:0"},
    ]
    steps = [layers.advance(event) for event in events]
    assert steps == [0, 0, 0, 12, 12, 0, 25, 17, 0]
    assert sum(steps) + layers.finish() == 100


def _ended(code: int, *, oom_killed: bool) -> dict:
    return {"Status": "exited", "ExitCode": code, "OOMKilled": oom_killed}


@pytest.mark.parametrize(
    ("state", "limit", "code", "said"),
    [
        (_ended(137, oom_killed=True), 64 << 20, 137, "ran out of memory, its container being"),
        (_ended(134, oom_killed=True), 64 << 20, 137, "ran out of memory"),
        (_ended(137, oom_killed=True), 0, 137, "ran out of memory\n"),
        (_ended(137, oom_killed=False), 64 << 20, 137, "probably ran out of memory"),  # podman
        (_ended(137, oom_killed=False), 0, 137, ""),  # killed by somebody
        (_ended(0, oom_killed=True), 64 << 20, 0, ""),  # only a child, and it went on
    ],
)
def test_running_out_of_memory_is_said(state, limit, code, said) -> None:
    found, text = judge_memory(state, "a warning\n", {"mem_limit": limit} if limit else {})
    assert found == code
    assert text.startswith("a warning\n")
    assert said in text if said else text == "a warning\n"


@pytest.mark.parametrize(
    ("repo_digests", "name", "digest"),
    [
        (["algebr/openface@sha256:1"], "algebr/openface:latest", "sha256:1"),
        (["docker.io/algebr/openface@sha256:1"], "algebr/openface", "sha256:1"),  # podman
        (["x/y@sha256:2", "docker.io/a/b@sha256:1"], "a/b", "sha256:1"),
        (["docker.io/library/face@sha256:1", "x/y@sha256:2"], "face:2", "sha256:1"),
        (["x/y@sha256:2", "localhost:5000/b@sha256:1"], "localhost:5000/b:1", "sha256:1"),
        ([], "a/b", "sha256:id"),
    ],
)
def test_the_digest_of_an_image(repo_digests, name, digest) -> None:
    image = SimpleNamespace(id="sha256:id", attrs={"RepoDigests": repo_digests})
    assert digest_of(image, name) == digest


def _asked(info: dict, folder, **how) -> dict:
    """What is asked of an engine that says this of itself."""
    pytest.importorskip("docker")
    from aufer.openface.engine_docker import DockerEngine

    engine = DockerEngine("openface")
    engine._info = info
    engine.limits_memory = info.get("MemoryLimit") is not False
    return engine._options(AN_IMAGE, folder, folder, False, **how)


def test_memory_is_limited_without_swap_where_it_can_be(tmp_path: Path) -> None:
    asked = _asked({}, tmp_path, memory_bytes=1 << 30)
    assert (asked["mem_limit"], asked["memswap_limit"]) == (1 << 30, 1 << 30)
    assert "mem_limit" not in _asked({}, tmp_path)
    # rootless engines refuse it, or warn, where no rights over control groups are delegated
    assert "mem_limit" not in _asked({"MemoryLimit": False}, tmp_path, memory_bytes=1 << 30)


def test_paths_are_passed_as_the_system_writes_them() -> None:
    """Docker Desktop takes a drive's letter; it maps the path into its virtual machine itself."""
    there = PureWindowsPath(r"C:\Users\me\my faces\in")
    mounts = _asked({}, SimpleNamespace(resolve=lambda: there))["mounts"]
    assert [mount["Source"] for mount in mounts] == [r"C:\Users\me\my faces\in"] * 2


def test_podman_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As podman's service answers for a user: root inside is that user outside."""
    monkeypatch.setattr(sys, "platform", "linux")
    security = ["name=seccomp,profile=default", "name=rootless", "name=selinux"]
    asked = _asked({"SecurityOptions": security, "Architecture": "amd64"}, tmp_path)
    assert "user" not in asked
    assert asked["security_opt"] == ["label=disable"]
    assert "platform" not in asked
    arm = _asked({"SecurityOptions": security, "Architecture": "arm64"}, tmp_path)
    assert arm["platform"] == "linux/amd64"


def test_without_shared_folders_nothing_of_this_machine_is_asked_for(tmp_path: Path) -> None:
    info = {"SecurityOptions": ["name=userns", "name=selinux"]}
    asked = unshared(_asked(info, tmp_path, memory_bytes=1 << 30), info["SecurityOptions"])
    assert not {"mounts", "userns_mode", "security_opt"} & set(asked)
    assert (asked["user"], asked["network_mode"], asked["mem_limit"]) == (NOBODY, "none", 1 << 30)
    assert "user" not in unshared(asked, ["name=rootless"])


def test_the_equivalent_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "getuid", lambda: 1000, raising=False)
    monkeypatch.setattr(os, "getgid", lambda: 100, raising=False)
    folders = {"/aufer/input": tmp_path / "my in", "/aufer/output": tmp_path / "out"}
    asked = _asked({"Architecture": "arm64"}, tmp_path, memory_bytes=1 << 30)
    command = as_command(asked, folders)
    for words in (
        "docker run --rm --network none",
        "--user 1000:100 --memory 1073741824 --memory-swap 1073741824 --platform linux/amd64",
        f"-v '{tmp_path}/my in:/aufer/input:ro' -v {tmp_path}/out:/aufer/output ",
        "/FaceLandmarkImg sha256:0 -fdir /aufer/input -out_dir /aufer/output -aus -pose -2Dfp",
    ):
        assert words in command
    assert as_command(unshared(asked, []), folders).endswith("the engine being apart")
