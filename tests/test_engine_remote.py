"""A Docker engine that can't see this machine's folders: images are copied in, files out.

It is the real engine, reached by an address of this machine that isn't its loopback.
"""

from __future__ import annotations

import io
import os
import socket
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from aufer.errors import AuferError, EnvironmentFailure
from aufer.images import Image
from aufer.openface.docker import copying
from aufer.openface.docker.client import connect
from aufer.openface.docker.copying import CopyOut, plain_name
from aufer.openface.docker.host import DockerHost, find_docker_host
from aufer.openface.docker.options import NOBODY, ROLE_LABEL
from aufer.openface.docker.ssh_bridge import ssh_command
from aufer.openface.engines import make_engine
from aufer.openface.measure import measure
from tests import docker_engine
from tests.engine_line import ENGINE_SOCKET, Line, own_address
from tests.require import require
from tests.stand_in.pictures import save_face

pytest_plugins = ["tests.engine_cases"]
pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def client(stand_in_image: str) -> Iterator:
    import docker

    with closing(docker.DockerClient(base_url=f"unix://{ENGINE_SOCKET}")) as found:
        yield found


@pytest.fixture
def line(client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The way to the engine as if it were another machine's; DOCKER_HOST says so."""
    address = own_address()
    require("docker", None if address else "this machine has no address but its loopback")
    found = Line(str(address))
    monkeypatch.setenv("DOCKER_HOST", found.host)
    yield found
    found.cut()


@contextmanager
def _prepared(image: str, openface_args: str = "") -> Iterator:
    from aufer.progress import no_progress

    with closing(make_engine("docker", image=image, openface_args=openface_args)) as engine:
        engine.check()
        engine.prepare(no_progress)
        yield engine


def _folders(tmp_path: Path, name: str = "job") -> tuple[Path, Path]:
    folders = tmp_path / name / "input", tmp_path / name / "output"
    for folder in folders:
        folder.mkdir(parents=True)
    return folders


def _containers(client, image: str) -> list:
    filters = {"label": ROLE_LABEL, "ancestor": image}
    return client.containers.list(all=True, filters=filters, ignore_removed=True)


def _content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("url", "is_remote"),
    [
        ("", False),
        ("unix:///var/run/docker.sock", False),
        ("unix:///run/user/1000/podman/podman.sock", False),
        ("npipe:////./pipe/docker_engine", False),
        ("tcp://localhost:2375", False),
        ("tcp://127.0.0.2:2375", False),
        ("tcp://[::1]:2375", False),
        ("tcp://:2375", False),
        ("tcp://10.1.2.3:2375", True),
        ("https://docker.example.org:2376", True),
        ("tcp://[fd00::2]:2376", True),
        ("ssh://me@server", True),
        ("ssh://localhost", True),  # may be another user's, or lead on
    ],
)
def test_which_engines_see_our_folders(url: str, is_remote: bool) -> None:
    assert DockerHost(url).is_remote == is_remote


def test_an_address_without_a_scheme_is_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", "10.1.2.3:2375")
    assert find_docker_host() == DockerHost("tcp://10.1.2.3:2375")
    assert find_docker_host().is_remote


def test_files_come_out_while_it_runs_and_are_those_of_a_local_engine(
    client, line: Line, stand_in_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "EVERY_S", 0.2)
    args = "-simalign -hogalign"
    here, there = _folders(tmp_path, "here"), _folders(tmp_path, "there")
    for number in range(4):
        for folder in (here[0], there[0]):
            name = ("a", "b 笑", "c.d", "e")[number]
            save_face(folder / f"{name}.jpg", seed=number, sleep=0.0 if folder is here[0] else 1)
    for number, name in enumerate(("a", "b 笑", "c.d", "e")):  # marks change nothing in the files
        save_face(here[0] / f"{name}.jpg", seed=number, sleep=1)
    seen: list[set[str]] = []
    attributes: list[dict] = []

    def look() -> None:
        seen.append({path.name for path in there[1].iterdir()})
        attributes.extend(found.attrs for found in _containers(client, stand_in_image))

    with _prepared(stand_in_image, args) as engine:
        run = engine.run(*there, annotated=True, on_poll=look)
    assert run.exit_code == 0
    assert "Starting tracking" in run.stdout
    with closing(
        make_engine("local", openface=str(docker_engine.STAND_IN), openface_args=args)
    ) as e:
        e.run(*here, annotated=True)
    found, expected = _content(there[1]), _content(here[1])
    assert set(found) == set(expected)
    assert "a_aligned/face_det_000000.bmp" in found
    for name, content in expected.items():
        assert name.endswith("_of_details.txt") or found[name] == content  # these hold the path
    assert any(0 < len(names) < len(seen[-1]) for names in seen)
    for names in seen:  # what was started before is there when the next one's start is
        started = {name.removesuffix("_of_details.txt") for name in names if "_of_d" in name}
        assert all(f"{stem}.csv" in names for stem in sorted(started)[:-1])
    assert attributes[0]["Mounts"] == []
    assert attributes[0]["HostConfig"]["NetworkMode"] == "none"
    assert attributes[0]["Config"]["User"] == NOBODY
    assert [path.name for path in (tmp_path / "there").iterdir() if path.name[0] == "."] == []
    assert _containers(client, stand_in_image) == []


def test_what_the_caller_removed_does_not_come_back(
    line: Line, stand_in_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "EVERY_S", 0.1)
    folders = _folders(tmp_path)
    for number in range(4):
        save_face(folders[0] / f"{number}.jpg", seed=number, sleep=0.7)
    harvested: list[str] = []

    def harvest() -> None:
        started = sorted(path.name[0] for path in folders[1].glob("*_of_details.txt"))
        for stem in started[:-1]:
            harvested.append(stem)
            for path in folders[1].glob(f"{stem}*"):
                path.unlink()

    with _prepared(stand_in_image) as engine:
        engine.run(*folders, on_poll=harvest)
    assert len(harvested) == len(set(harvested)) >= 1
    left = sorted(path.name for path in folders[1].iterdir())
    expected = [n for n in map(str, range(4)) if n not in harvested]
    assert left == [name for n in expected for name in (f"{n}.csv", f"{n}_of_details.txt")]


def test_the_table_is_that_of_the_local_engine(
    line: Line, stand_in_image: str, tmp_path: Path
) -> None:
    images = [
        save_face(tmp_path / f"{n}.jpg", seed=n, **({"die": 134} if n == 2 else {}))
        for n in range(5)
    ]
    found = [Image(path, path.name) for path in images]
    with closing(make_engine("docker", image=stand_in_image)) as engine:
        there = measure(found, engine).frame
    with closing(make_engine("local", openface=str(docker_engine.STAND_IN))) as engine:
        here = measure(found, engine).frame
    assert there.equals(here)
    assert there["status"].tolist() == ["ok", "ok", "crashed", "ok", "ok"]


def test_several_runs_at_once(client, line: Line, stand_in_image: str, tmp_path: Path) -> None:
    jobs = [_folders(tmp_path, f"job{n}") for n in range(4)]
    for n, (folder, _) in enumerate(jobs):
        save_face(folder / f"{n}.jpg", seed=n, sleep=1)
    with _prepared(stand_in_image) as engine, ThreadPoolExecutor(len(jobs)) as pool:
        for run in [pool.submit(engine.run, *job) for job in jobs]:
            assert run.result().exit_code == 0
    for n, (_, output) in enumerate(jobs):
        assert {path.name for path in output.iterdir()} == {f"{n}.csv", f"{n}_of_details.txt"}
    assert _containers(client, stand_in_image) == []


def test_a_stop_while_the_images_are_copied(
    client, line: Line, stand_in_image: str, tmp_path: Path
) -> None:
    folders = _folders(tmp_path)
    (folders[0] / "large.jpg").write_bytes(os.urandom(40 << 20))

    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    with _prepared(stand_in_image) as engine, pytest.raises(Stopped):
        engine.run(*folders, on_poll=stop)
    assert _containers(client, stand_in_image) == []


def test_an_engine_that_vanishes_midway(
    client, line: Line, stand_in_image: str, tmp_path: Path
) -> None:
    folders = _folders(tmp_path)
    save_face(folders[0] / "a.jpg", sleep=60)

    def cut_when_it_runs() -> None:
        if any(c.status == "running" for c in _containers(client, stand_in_image)):
            line.cut()

    try:
        with (
            _prepared(stand_in_image) as engine,
            pytest.raises(EnvironmentFailure, match="went away while OpenFace was running"),
        ):
            engine.run(*folders, on_poll=cut_when_it_runs)
    finally:
        for left in _containers(client, stand_in_image):
            left.remove(force=True)


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker")
    address = own_address()
    require("docker", None if address else "this machine has no address but its loopback")
    with socket.socket() as unused:
        unused.bind((address, 0))
        url = f"tcp://{address}:{unused.getsockname()[1]}"
        monkeypatch.setenv("DOCKER_HOST", url)
        with pytest.raises(EnvironmentFailure, match=f"No Docker engine answers at {url}") as told:
            connect()
    assert f"docker -H {url} version" in (told.value.hint or "")


def test_a_folder_that_the_engine_does_not_see_is_copied(
    client, stand_in_image: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind a tunnel on the loopback, or when we are in a container ourselves."""
    from aufer.openface.engine_docker import DockerEngine

    class Elsewhere(DockerEngine):
        def _options(self, *args, **kw):
            options = super()._options(*args, **kw)
            for mount in options.get("mounts", ()):
                mount["Source"] = f"/elsewhere{mount['Source']}"
            return options

    with closing(Elsewhere(stand_in_image)) as engine, caplog.at_level("WARNING", "aufer"):
        from aufer.progress import no_progress

        engine.prepare(no_progress)
        for name in ("first", "second"):
            folders = _folders(tmp_path, name)
            save_face(folders[0] / "a.jpg")
            assert engine.run(*folders).exit_code == 0
            assert {path.name for path in folders[1].iterdir()} == {"a.csv", "a_of_details.txt"}
    assert caplog.text.count("can't see the images' folder") == 1
    assert _containers(client, stand_in_image) == []


def _member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    return member


@pytest.mark.parametrize(
    ("name", "kind", "place"),
    [
        ("output/a.csv", tarfile.REGTYPE, "a.csv"),
        ("output/a_aligned/face_det_000000.bmp", tarfile.REGTYPE, "a_aligned/face_det_000000.bmp"),
        ("output", tarfile.DIRTYPE, ""),
        ("output", tarfile.REGTYPE, ""),
        ("output/folder/a.csv", tarfile.REGTYPE, ""),
        ("output/a_aligned/b_aligned/c.bmp", tarfile.REGTYPE, ""),
        ("output/../a.csv", tarfile.REGTYPE, ""),
        ("output/..", tarfile.REGTYPE, ""),
        ("../a_aligned/a.csv", tarfile.REGTYPE, "a_aligned/a.csv"),
        ("/etc/passwd", tarfile.REGTYPE, ""),
        ("output//etc/passwd", tarfile.REGTYPE, ""),
        ("output/C:a.csv", tarfile.REGTYPE, ""),
        ("output/..\\a.csv", tarfile.REGTYPE, ""),
        ("output/a\n.csv", tarfile.REGTYPE, ""),
        ("output/a.csv", tarfile.SYMTYPE, ""),
        ("output/a.csv", tarfile.LNKTYPE, ""),
        ("output/a.csv", tarfile.FIFOTYPE, ""),
        ("output/a.csv", tarfile.CHRTYPE, ""),
    ],
)
def test_only_plain_files_with_plain_names_come_out(name, kind, place) -> None:
    assert plain_name(_member(name, kind)) == place


def _copy_of(monkeypatch: pytest.MonkeyPatch, target: Path, data: bytes) -> CopyOut:
    """A copy out of a container whose output folder is such an archive."""
    pytest.importorskip("docker")
    answer = SimpleNamespace(headers={}, iter_content=lambda size: iter([data]), close=lambda: None)
    monkeypatch.setattr(copying, "ask", lambda *args, **how: answer)
    return CopyOut(SimpleNamespace(), "container", "/aufer/output", target)


def _archive(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = _member(f"output/{name}")
            member.size, member.mtime, member.mode = len(content), 1_600_000_000, 0o6777
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_a_file_that_grew_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = _folders(tmp_path)[1]
    copy = _copy_of(monkeypatch, target, _archive(a=b"1"))
    copy.copy()
    copy.copy()
    assert _content(target) == {"a": b"1"}
    (target / "a").unlink()
    copy.copy()
    assert _content(target) == {}
    grown = _copy_of(monkeypatch, target, _archive(a=b"12"))
    grown._sizes = copy._sizes
    grown.copy()
    assert _content(target) == {"a": b"12"}
    assert (target / "a").stat().st_mode & 0o7111 == 0
    assert int((target / "a").stat().st_mtime) == 1_600_000_000


@pytest.mark.parametrize("kept", [0, 700, 1030])
def test_a_damaged_copy_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """As where a file shrank while the engine read it: the next copy will do, but not the last."""
    target = _folders(tmp_path)[1]
    copy = _copy_of(monkeypatch, target, _archive(a=b"1" * 600, b=b"2" * 600)[:kept])
    copy._due = 0
    copy.look()
    assert _content(target) == {}
    assert copy._due > time.monotonic()
    with pytest.raises(EnvironmentFailure, match="can't be copied out"):
        copy.finish()
    assert _content(target) == {}
    assert [path.name for path in target.parent.iterdir() if path.name[0] == "."] == []


@pytest.mark.parametrize("limit", ["LARGEST_BYTES", "MOST_FILES"])
def test_what_openface_never_writes_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(copying, limit, 1)
    copy = _copy_of(monkeypatch, _folders(tmp_path)[1], _archive(a=b"1", b=b"2", c=b"34"))
    with pytest.raises(EnvironmentFailure, match="files that OpenFace does not write"):
        copy.copy()


def test_a_full_disk_here_is_not_the_engines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = _copy_of(monkeypatch, _folders(tmp_path)[1], _archive(a=b"1"))

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(AuferError, match="No space left on device") as told:
        copy.copy()
    assert told.value.exit_code == 1


def test_what_docker_itself_calls_for_ssh() -> None:
    assert (
        ssh_command("ssh://me@server:2222")[3:]
        == [*("-T", "-l", "me", "-p", "2222", "--", "server", "docker", "system", "dial-stdio")][0:]
    )
    assert "-p" not in ssh_command("ssh://server")  # it may stand in ssh's configuration
    words = ssh_command("ssh://server/run/user/1000/docker.sock")
    assert words[-5:] == [
        *("docker", "--host", "unix:///run/user/1000/docker.sock", "system", "dial-stdio")
    ]


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program in ssh's place; returns the file where it notes how it was called."""
    require("sh", "no POSIX shell" if os.name == "nt" else None)
    folder = tmp_path / "ssh-bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    calls = tmp_path / "ssh-calls"

    def make(code: str) -> Path:
        (folder / "ssh").write_text(
            f"#!{sys.executable}\nimport os, socket, sys, threading\n"
            f"open({str(calls)!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))\n{code}"
        )
        (folder / "ssh").chmod(0o755)
        return calls

    return make


DIAL = f"""
engine = socket.socket(socket.AF_UNIX)
engine.connect({ENGINE_SOCKET!r})
def send():
    while data := os.read(0, 65536):
        engine.sendall(data)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while data := engine.recv(65536):
    os.write(1, data)
"""


def test_an_engine_behind_ssh(
    client, stand_in_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_ssh
) -> None:
    calls = fake_ssh(DIAL)
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@server:2222")
    monkeypatch.setattr(copying, "EVERY_S", 0.1)
    jobs = [_folders(tmp_path, f"job{n}") for n in range(2)]
    for n, (folder, _) in enumerate(jobs):
        save_face(folder / f"{n}.jpg", seed=n, sleep=2)
    with _prepared(stand_in_image) as engine, ThreadPoolExecutor(len(jobs)) as pool:
        for run in [pool.submit(engine.run, *job) for job in jobs]:
            assert run.result().exit_code == 0
        connections = calls.read_text().splitlines()
    for n, (_, output) in enumerate(jobs):
        assert {path.name for path in output.iterdir()} == {f"{n}.csv", f"{n}_of_details.txt"}
    expected = "-l me -p 2222 -- server docker system dial-stdio"
    assert all(call.endswith(expected) for call in connections)
    assert len(connections) <= 6  # they are used again: there were dozens of requests
    assert _containers(client, stand_in_image) == []
    del engine
    ssh = [p for p in psutil.Process().children() if "ssh-bin" in " ".join(p.cmdline())]
    assert psutil.wait_procs(ssh, timeout=10)[1] == []


def test_what_ssh_says_is_passed_on(monkeypatch: pytest.MonkeyPatch, fake_ssh) -> None:
    pytest.importorskip("docker")
    fake_ssh("sys.stderr.write('me@server: Permission denied (publickey).\\n'); sys.exit(255)")
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@server")
    with pytest.raises(EnvironmentFailure, match=r"Permission denied \(publickey\)\.$") as told:
        connect()
    assert "docker -H ssh://me@server version" in (told.value.hint or "")


def test_no_ssh_client(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@server")
    with pytest.raises(EnvironmentFailure, match="no ssh client"):
        connect()


def test_where_there_are_no_unix_sockets_dockers_package_calls_ssh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in Windows."""
    docker = pytest.importorskip("docker")
    asked: dict = {}

    def refuse(**options) -> None:
        asked.update(options)
        raise docker.errors.DockerException("no such machine")

    monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    monkeypatch.setattr(docker, "DockerClient", refuse)
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@server")
    with pytest.raises(EnvironmentFailure, match="No Docker engine answers at ssh://me@server"):
        connect()
    assert (asked["base_url"], asked["use_ssh_client"]) == ("ssh://me@server", True)
