"""What only the Docker engine has: images, pulls, containers, permissions, vanishing."""

from __future__ import annotations

import io
import logging
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from aufer.errors import EnvironmentFailure
from aufer.images import Image
from aufer.openface.docker import container as containers
from aufer.openface.docker.client import ask, clear_failures, connect
from aufer.openface.docker.options import HOST_LABEL, PID_LABEL, ROLE, ROLE_LABEL
from aufer.openface.engine import Capacity, this_host
from aufer.openface.engines import make_engine
from aufer.openface.measure import measure
from tests import docker_engine
from tests.engine_line import Line
from tests.registry import serve_image
from tests.require import require
from tests.stand_in.pictures import save_face

pytest_plugins = ["tests.engine_cases"]
pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def client(stand_in_image: str) -> Iterator:
    import docker

    with closing(docker.from_env()) as found:
        yield found


def _containers(client, image: str) -> list:
    filters = {"label": ROLE_LABEL, "ancestor": image}
    return client.containers.list(all=True, filters=filters, ignore_removed=True)


def _measure(image: str, *paths: Path):
    with closing(make_engine("docker", image=image)) as engine:
        return measure([Image(path, path.name) for path in paths], engine)


def _wait_for(condition, what: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"waited 30 s for {what}")


@pytest.mark.parametrize("options", [{}, {"die": 134}])
def test_no_container_is_left(client, stand_in_image: str, tmp_path: Path, options) -> None:
    table = _measure(stand_in_image, save_face(tmp_path / "a.jpg", **options))
    assert table.frame["status"].tolist() == ["crashed" if options else "ok"]
    assert _containers(client, stand_in_image) == []


def test_the_container_is_shut_in(client, stand_in_image: str, tmp_path: Path) -> None:
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    save_face(tmp_path / "input" / "a.jpg", sleep=1)
    seen = []

    def look() -> None:
        seen.extend(container.attrs for container in _containers(client, stand_in_image))

    with closing(make_engine("docker", image=stand_in_image)) as engine:
        engine.check()
        engine.prepare(_silent)
        run = engine.run(tmp_path / "input", tmp_path / "output", on_poll=look)
    assert run.exit_code == 0
    assert "Starting tracking" in run.stdout
    assert seen
    attributes = seen[0]
    assert attributes["HostConfig"]["NetworkMode"] == "none"
    mounts = {mount["Destination"]: mount["RW"] for mount in attributes["Mounts"]}
    assert mounts == {"/aufer/input": False, "/aufer/output": True}
    labels = attributes["Config"]["Labels"]
    assert labels["org.aufer.role"] == "extract"
    assert labels["org.aufer.pid"] == str(os.getpid())
    assert labels["org.aufer.run"] in attributes["Name"]
    assert attributes["Config"]["WorkingDir"] == docker_engine.WORKDIR
    assert "docker run --rm --network none" in run.command


@contextmanager
def _silent(total: int, what: str, unit: str = "image") -> Iterator:
    yield lambda n: None


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can act for another user"
)
def test_files_belong_to_whoever_runs_it(
    stand_in_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 12345, 23456)
    save_face(tmp_path / "input" / "a.jpg")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(os, "getgid", lambda: 23456)
    with closing(make_engine("docker", image=stand_in_image)) as engine:
        engine.prepare(_silent)
        assert engine.run(tmp_path / "input", tmp_path / "output").exit_code == 0
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in (tmp_path / "output").iterdir()}
    assert owners == {(12345, 23456)}


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_removes_the_container_and_everything_else(
    client, stand_in_image: str, tmp_path: Path, number: int
) -> None:
    if os.name == "nt":
        pytest.skip("SIGINT can't be sent to one process here")
    save_face(tmp_path / "data/images/happy/a.jpg", sleep=60)
    command = [sys.executable, "-m", "aufer", "extract", "--image", stand_in_image]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for(
            lambda: any(c.status == "running" for c in _containers(client, stand_in_image)),
            "the container",
        )
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (130, 143)
    assert "Interrupted" in said
    assert _containers(client, stand_in_image) == []
    left = {path.name for path in (tmp_path / "data").iterdir()}
    assert left <= {"images", ".aufer", "extraction"}  # the store, the log


def test_an_interrupt_while_the_container_is_made_does_not_lose_it(
    client, stand_in_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import Future

    path = save_face(tmp_path / "a.jpg")
    really = Future.result
    interrupted: list[bool] = []

    def interrupt_first(future, timeout=None):
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return really(future, timeout)

    monkeypatch.setattr(Future, "result", interrupt_first)
    with pytest.raises(KeyboardInterrupt):
        _measure(stand_in_image, path)
    assert _containers(client, stand_in_image) == []


def test_containers_of_killed_processes_are_removed_by_the_next(
    client, stand_in_image: str, tmp_path: Path
) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()  # its id belongs to nobody now
    owners = {
        "dead": {HOST_LABEL: this_host(), PID_LABEL: str(done.pid)},
        "alive": {HOST_LABEL: this_host(), PID_LABEL: str(os.getpid())},
        "elsewhere": {HOST_LABEL: "another_host", PID_LABEL: str(done.pid)},
        "old": {},
        "not ours": {HOST_LABEL: this_host(), PID_LABEL: str(done.pid), ROLE_LABEL: "train"},
    }
    made = {
        owner: client.containers.create(stand_in_image, labels={ROLE_LABEL: ROLE, **labels})
        for owner, labels in owners.items()
    }
    try:
        assert _measure(stand_in_image, save_face(tmp_path / "a.jpg")).counts() == {"ok": 1}
        there = {container.id for container in _containers(client, stand_in_image)}
        assert {owner for owner, container in made.items() if container.id not in there} == {"dead"}
    finally:
        for container in made.values():
            with suppress(docker_errors().NotFound):
                container.remove(force=True)


def docker_errors():
    import docker.errors

    return docker.errors


def test_no_engine_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(EnvironmentFailure, match="No Docker engine answers") as failure:
        connect()
    assert failure.value.exit_code == 3
    for way_out in ("unset it to use this machine", "--engine local --openface", "aufer doctor"):
        assert way_out in (failure.value.hint or "")


def test_a_missing_permission_has_its_own_hint() -> None:
    import docker

    with pytest.raises(EnvironmentFailure, match="permission denied") as failure, clear_failures():
        raise docker.errors.DockerException(
            "Error while fetching server API version: ('Connection aborted.', "
            "PermissionError(13, 'Permission denied'))"
        )
    assert "usermod -aG docker" in (failure.value.hint or "")


def test_an_image_that_cant_be_pulled(stand_in_image: str, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        name = f"127.0.0.1:{unused.getsockname()[1]}/openface:none"
        with pytest.raises(EnvironmentFailure, match="can't be pulled") as failure:
            _measure(name, save_face(tmp_path / "a.jpg"))
    assert f"docker pull {name}" in (failure.value.hint or "")


@pytest.mark.parametrize("kind", ["unpinned", "pinned"])
def test_a_missing_image_is_pulled_and_its_digest_recorded(
    client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    path = save_face(tmp_path / "a.jpg")
    bars: list[tuple[str, int, list[int]]] = []

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator:
        bars.append((what, total, []))
        yield bars[-1][2].append

    caplog.set_level(logging.ERROR, "aufer")  # -qq does not silence the licence
    with serve_image(docker_engine._pack_root()) as (repository, digest):
        name = f"{repository}@{digest}" if kind == "pinned" else f"{repository}:latest"
        try:
            with closing(make_engine("docker", image=name)) as engine:
                table = measure([Image(path, "a.jpg")], engine, progress=progress)
            assert table.frame["status"].tolist() == ["ok"]
            assert table.extractor.digest == digest
            assert table.extractor.image == name
            assert [(what, sum(steps)) for what, _, steps in bars if "pulling" in what] == [
                (f"pulling {name}", 100)
            ]
            assert capsys.readouterr().err.count("non-commercial") == 1
            # it is here now: not pulled again, nor is the notice shown again
            bars.clear()
            again = measure([Image(path, "a.jpg")], make_engine("docker", image=name))
            assert again.extractor == table.extractor
            other = f"{repository}@sha256:{'0' * 64}"
            with pytest.raises(EnvironmentFailure, match="can't be pulled"):
                _measure(other, path)
            assert "non-commercial" not in capsys.readouterr().err
        finally:
            client.images.remove(name, force=True)


def test_an_image_can_be_named_by_its_id(client, stand_in_image: str, tmp_path: Path) -> None:
    path = save_face(tmp_path / "a.jpg")
    full = client.images.get(stand_in_image).id
    for name in (full, full.removeprefix("sha256:")[:12], f"{stand_in_image}@{full}"):
        assert _measure(name, path).extractor.digest == full
    with pytest.raises(EnvironmentFailure, match="no image with the id"):
        _measure("sha256:" + "0" * 64, path)


def test_a_pin_that_the_local_image_does_not_have_is_not_used(
    stand_in_image: str, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailure, match="can't be pulled"):
        _measure(f"{stand_in_image}@sha256:{'0' * 64}", save_face(tmp_path / "a.jpg"))


def test_an_image_without_openface(client, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    client.api.import_image_from_data(buffer.getvalue(), "aufer-empty", "test")
    try:
        with pytest.raises(EnvironmentFailure, match="no image of OpenFace") as failure:
            _measure("aufer-empty:test", save_face(tmp_path / "a.jpg"))
        assert "algebr/openface" in (failure.value.hint or "")
        assert _containers(client, "aufer-empty:test") == []
    finally:
        client.images.remove("aufer-empty:test", force=True)


def test_an_engine_that_vanishes_midway(
    client, stand_in_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_url = client.api.base_url
    if not base_url.startswith("http+docker"):
        pytest.skip("the engine is not at a Unix socket")
    line = Line()
    monkeypatch.setenv("DOCKER_HOST", line.host)
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    save_face(tmp_path / "input/a.jpg", sleep=60)
    engine = make_engine("docker", image=stand_in_image)
    engine.prepare(_silent)

    def cut_when_it_runs() -> None:
        if any(c.status == "running" for c in _containers(client, stand_in_image)):
            line.cut()

    try:
        with pytest.raises(EnvironmentFailure, match="went away while OpenFace was running"):
            engine.run(tmp_path / "input", tmp_path / "output", on_poll=cut_when_it_runs)
    finally:
        line.cut()
        for container in _containers(client, stand_in_image):  # nobody else could
            container.remove(force=True)


def test_a_container_that_somebody_removes_is_no_picture_that_crashed(
    client, stand_in_image: str, tmp_path: Path
) -> None:
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    save_face(tmp_path / "input/a.jpg", sleep=60)

    def remove() -> None:
        for container in _containers(client, stand_in_image):
            container.remove(force=True)

    with closing(make_engine("docker", image=stand_in_image)) as engine:
        engine.prepare(_silent)
        with pytest.raises(EnvironmentFailure, match="removed by somebody else"):
            engine.run(tmp_path / "input", tmp_path / "output", on_poll=remove)


def _prepared(tmp_path: Path, *, name: str = "job", **picture):
    """A folder with one picture, and an empty one for OpenFace's files."""
    folders = tmp_path / name / "input", tmp_path / name / "output"
    for folder in folders:
        folder.mkdir(parents=True)
    save_face(folders[0] / f"{name}.jpg", **picture)
    return folders


def test_several_runs_at_once(client, stand_in_image: str, tmp_path: Path) -> None:
    jobs = [_prepared(tmp_path, name=f"job{seed}", seed=seed, sleep=1) for seed in range(6)]
    most = [0]

    def look() -> None:
        running = [c for c in _containers(client, stand_in_image) if c.status == "running"]
        most[0] = max(most[0], len(running))

    with (
        closing(make_engine("docker", image=stand_in_image)) as engine,
        ThreadPoolExecutor(len(jobs)) as pool,
    ):
        engine.prepare(_silent)
        running = [pool.submit(engine.run, *job, on_poll=look) for job in jobs]
        assert [run.result().exit_code for run in running] == [0] * len(jobs)
    assert most[0] >= 2
    for seed, (_, output) in enumerate(jobs):
        assert {path.name for path in output.iterdir()} == {
            f"job{seed}.csv",
            f"job{seed}_of_details.txt",
        }
    assert _containers(client, stand_in_image) == []


@pytest.mark.parametrize("kind", ["OSError", "APIError", "KeyboardInterrupt"])
def test_what_on_poll_raises_is_not_taken_for_the_engines_fault(
    client, stand_in_image: str, tmp_path: Path, kind: str
) -> None:
    known = {"OSError": OSError, "APIError": docker_errors().APIError}
    raised = known.get(kind, KeyboardInterrupt)("of the caller")

    def look() -> None:
        if _containers(client, stand_in_image):
            raise raised

    with closing(make_engine("docker", image=stand_in_image)) as engine:
        engine.prepare(_silent)
        with pytest.raises(type(raised)) as found:
            engine.run(*_prepared(tmp_path, sleep=60), on_poll=look)
    assert found.value is raised
    assert _containers(client, stand_in_image) == []


def test_what_on_poll_raises_ends_each_of_several_runs(
    client, stand_in_image: str, tmp_path: Path
) -> None:
    jobs = [_prepared(tmp_path, name=f"job{n}", sleep=60) for n in range(3)]
    all_run = threading.Event()

    class Stopped(Exception):
        pass

    def look() -> None:
        if len([c for c in _containers(client, stand_in_image) if c.status == "running"]) == 3:
            all_run.set()
        if all_run.is_set():
            raise Stopped

    with (
        closing(make_engine("docker", image=stand_in_image)) as engine,
        ThreadPoolExecutor(len(jobs)) as pool,
    ):
        engine.prepare(_silent)
        for run in [pool.submit(engine.run, *job, on_poll=look) for job in jobs]:
            with pytest.raises(Stopped):
                run.result()
    assert _containers(client, stand_in_image) == []


def test_a_run_that_ends_while_the_interpreter_does(
    client, stand_in_image: str, tmp_path: Path
) -> None:
    """Python lets nothing be submitted to its pools then; the container must go all the same."""
    input_folder, output_folder = _prepared(tmp_path, sleep=60)
    code = f"""
import threading
from pathlib import Path
from aufer.openface.engines import make_engine
from aufer.progress import no_progress
engine = make_engine("docker", image="{stand_in_image}")
engine.prepare(no_progress)
runs = threading.Event()
def look():
    runs.set()
    if not threading.main_thread().is_alive():
        raise RuntimeError("stopped")
folders = Path("{input_folder}"), Path("{output_folder}")
threading.Thread(target=engine.run, args=folders, kwargs={{"on_poll": look}}).start()
runs.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "RuntimeError: stopped" in done.stderr
    assert _containers(client, stand_in_image) == []


@pytest.fixture
def image_of(client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """Makes an image whose FaceLandmarkImg is a script of the given lines."""
    names: list[str] = []

    def make(*lines: str) -> str:
        program = tmp_path / "FaceLandmarkImg"
        program.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
        monkeypatch.setattr(docker_engine, "STAND_IN", program)
        names.append(f"aufer-script:{tmp_path.name.lower()[-20:].strip('_')}{len(names)}")
        docker_engine.import_stand_in_image(names[-1])
        return names[-1]

    yield make
    for name in names:
        client.images.remove(name, force=True)


def test_a_run_is_held_to_its_memory(client, image_of, tmp_path: Path) -> None:
    require("docker", None if client.info()["MemoryLimit"] else "this engine can't limit memory")
    image = image_of("awk 'BEGIN { s = \"x\"; for (i = 0; i < 30; i++) s = s s }'")
    folders = _prepared(tmp_path)
    with closing(make_engine("docker", image=image)) as engine:
        engine.prepare(_silent)
        run = engine.run(*folders, memory_bytes=32 << 20)
    assert run.exit_code == 137
    assert run.stderr.splitlines()[-1].endswith(
        "ran out of memory, its container being limited to 32 MB"
    )
    assert f"--memory {32 << 20} --memory-swap {32 << 20}" in run.command


def test_an_engine_that_hangs_is_not_waited_for(
    client, stand_in_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped, or its network is gone: no connection is refused, but nothing is answered either."""
    line = Line()
    monkeypatch.setenv("DOCKER_HOST", line.host)
    monkeypatch.setattr(containers, "LISTEN_S", 1)
    monkeypatch.setattr(containers, "_GONE_S", 1)
    monkeypatch.setattr(ask, "__kwdefaults__", {**ask.__kwdefaults__, "timeout_s": 1})
    engine = make_engine("docker", image=stand_in_image)
    engine.prepare(_silent)
    folders = _prepared(tmp_path, sleep=60)

    def hold_when_it_runs() -> None:
        if any(c.status == "running" for c in _containers(client, stand_in_image)):
            line.hold()

    try:
        with pytest.raises(EnvironmentFailure, match="went away while OpenFace was running"):
            engine.run(*folders, on_poll=hold_when_it_runs)
    finally:
        line.cut()
        for left in _containers(client, stand_in_image):  # nobody else could
            with suppress(docker_errors().APIError):  # the removal that was held up goes on
                left.remove(force=True)
        _wait_for(lambda: not _containers(client, stand_in_image), "the removal")


def test_a_program_that_cant_be_emulated(image_of, tmp_path: Path) -> None:
    """As on an arm64 machine without emulation."""
    image = image_of("echo 'exec /bin/sh: exec format error' >&2; exit 1")
    with pytest.raises(EnvironmentFailure, match="can't run programs for linux/amd64") as failure:
        _measure(image, save_face(tmp_path / "a.jpg"))
    assert "binfmt" in (failure.value.hint or "")


def test_the_capacity_is_that_of_the_engines_machine(
    monkeypatch: pytest.MonkeyPatch, stand_in_image: str
) -> None:
    import psutil

    with closing(make_engine("docker", image=stand_in_image)) as engine:
        engine.check()
        found = engine.capacity()
        assert found.cpus == engine._info["NCPU"]
        # what is free, where the memory is the one that we can look at
        assert 0 < found.memory_bytes < psutil.virtual_memory().total
        engine._info = {"NCPU": 6, "MemTotal": 8 << 30}  # Docker Desktop's virtual machine
        assert engine.capacity() == Capacity(6, 8 << 30)
        engine._info = {}
        assert engine.capacity() == Capacity(1, 0)
