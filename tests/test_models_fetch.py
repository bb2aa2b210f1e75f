"""``aufer models fetch`` against a real server: right, wrong and cut files, and no server."""

from __future__ import annotations

import hashlib
import http.server
import json
import logging
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from aufer.errors import AuferError, DataError, EnvironmentFailure, UsageError
from aufer.fetch_model import fetch_model
from aufer.fetchable import FETCHABLE, fetched_folder
from tests.running import RunAufer

CONTENT = bytes(range(256)) * 900
YUNET = FETCHABLE["yunet"]


class Server(http.server.ThreadingHTTPServer):
    """Serves `CONTENT` and variations of it; ``asked`` has the paths in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        what = self.path.strip("/")
        if what == "moved":
            self.send_response(302)
            self.send_header("Location", "/right")
            self.end_headers()
            return
        if what not in ("right", "wrong", "cut", "endless", "empty"):
            self.send_error(404)
            return
        content = {"wrong": b"<html>Log in</html>", "empty": b""}.get(what, CONTENT)
        self.send_response(200)
        if what != "endless":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if what == "cut" else content)
        try:
            while what == "endless":
                self.wfile.write(content)
        except OSError:  # whoever asked has heard enough
            pass

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def model(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """``model`` can be fetched: `CONTENT`, from the server."""
    entry = replace(
        YUNET,
        name="model",
        file="model.onnx",
        addresses=(server.url("right"),),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
    )
    monkeypatch.setitem(FETCHABLE, "model", entry)


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("model")
def test_a_file_is_fetched_once(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[int] = []

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator[object]:
        assert total == len(CONTENT)
        yield counted.append

    with caplog.at_level(logging.INFO, logger="aufer"):
        path = fetch_model("model", out=tmp_path / "new", progress=progress)  # type: ignore[arg-type]
    assert path == tmp_path / "new" / "model.onnx"
    assert path.read_bytes() == CONTENT
    assert files_in(tmp_path) == ["model.onnx"]
    assert sum(counted) == len(CONTENT)
    assert "MIT" in caplog.text
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) & 0o400
        fresh = tmp_path / "fresh"
        fresh.touch()
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(fresh.stat().st_mode)
    assert fetch_model("model", out=tmp_path / "new") == path
    assert server.asked == ["/right"]


@pytest.mark.usefixtures("model")
def test_without_a_folder_it_goes_to_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aufer.fetch_model.fetched_folder", lambda: tmp_path / "user" / "models")
    path = fetch_model("model")
    assert path == tmp_path / "user" / "models" / "model.onnx"
    path.write_bytes(b"damaged since")
    assert fetch_model("model").read_bytes() == CONTENT
    assert fetched_folder().name == "models"


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("what", "kind", "says"),
    [
        ("wrong", DataError, "is not model.onnx"),
        ("empty", DataError, "is not model.onnx"),
        ("endless", DataError, "is not model.onnx"),
        ("cut", EnvironmentFailure, "can't be downloaded"),
        ("missing", EnvironmentFailure, "404"),
    ],
)
def test_nothing_is_kept_of_what_is_not_the_file(
    server: Server, tmp_path: Path, what: str, kind: type[AuferError], says: str
) -> None:
    with pytest.raises(kind, match=says) as failure:
        fetch_model("model", out=tmp_path, address=server.url(what))
    assert "--from FILE" in str(failure.value.hint)
    assert hashlib.sha256(CONTENT).hexdigest() in str(failure.value.hint)
    assert files_in(tmp_path) == []


@pytest.mark.usefixtures("model")
def test_a_redirection_is_followed(server: Server, tmp_path: Path) -> None:
    path = fetch_model("model", out=tmp_path, address=server.url("moved"))
    assert path.read_bytes() == CONTENT
    assert server.asked == ["/moved", "/right"]


@pytest.mark.usefixtures("model")
def test_the_next_address_is_tried(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = [f"http://127.0.0.1:{closed_port()}/x", server.url("missing"), server.url("wrong")]
    entry = replace(FETCHABLE["model"], addresses=(*several, server.url("right")))
    monkeypatch.setitem(FETCHABLE, "model", entry)
    assert fetch_model("model", out=tmp_path).read_bytes() == CONTENT
    assert server.asked == ["/missing", "/wrong", "/right"]
    monkeypatch.setitem(FETCHABLE, "model", replace(entry, addresses=tuple(several)))
    with pytest.raises(DataError):  # a wrong file tells more than a missing one
        fetch_model("model", out=tmp_path / "other")


@pytest.mark.usefixtures("model")
def test_another_file_in_its_place_is_kept(tmp_path: Path) -> None:
    there = tmp_path / "model.onnx"
    there.write_bytes(b"somebody's")
    with pytest.raises(AuferError, match="is kept"):
        fetch_model("model", out=tmp_path)
    assert there.read_bytes() == b"somebody's"
    assert fetch_model("model", out=tmp_path, force=True).read_bytes() == CONTENT
    there.unlink()
    there.mkdir()
    with pytest.raises(AuferError, match="is kept"):
        fetch_model("model", out=tmp_path, force=True)


@pytest.mark.usefixtures("model")
def test_a_file_that_was_downloaded_by_hand(server: Server, tmp_path: Path) -> None:
    given = tmp_path / "download (1).bin"
    given.write_bytes(CONTENT)
    path = fetch_model("model", out=tmp_path / "models", source=given)
    assert path.read_bytes() == CONTENT
    assert given.read_bytes() == CONTENT
    given.write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match="its sha256 is"):
        fetch_model("model", out=tmp_path / "others", source=given)
    assert files_in(tmp_path / "others") == []
    for missing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UsageError, match="There is no file"):
            fetch_model("model", out=tmp_path / "others", source=missing)
    with pytest.raises(UsageError, match="two sources"):
        fetch_model("model", source=given, address=server.url("right"))
    assert server.asked == []


@pytest.mark.parametrize(
    "address", ["", "file.onnx", "ftp://127.0.0.1/x", "http://", "https://.x/"]
)
def test_what_is_no_address_is_said(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        fetch_model("yunet", out=tmp_path, address=address)


def test_the_table_is_sound() -> None:
    assert YUNET.file == "face_detection_yunet_2023mar.onnx"
    for name, each in FETCHABLE.items():
        assert each.name == name
        assert len(bytes.fromhex(each.sha256)) == 32
        assert all(address.startswith("https://") for address in each.addresses)
        assert all(address.endswith(each.file) for address in each.addresses)


def test_on_the_command_line(aufer: RunAufer, server: Server, tmp_path: Path) -> None:
    home = {name: str(tmp_path / "home") for name in ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA")}
    listed = aufer("models", "fetch", **home).check()
    assert "yunet" in listed.out
    assert "MIT" in listed.out
    (facts,) = json.loads(aufer("models", "fetch", "--json", **home).check().out)
    assert facts["sha256"] == YUNET.sha256

    wrong = aufer("models", "fetch", "yunet", "--url", server.url("wrong"), **home).check(4)
    assert wrong.out == ""
    assert "--from FILE" in wrong.err
    gone = f"http://127.0.0.1:{closed_port()}/x"
    failed = aufer("models", "fetch", "yunet", "--url", gone, **home).check(3)
    assert "no connection" in failed.err
    assert YUNET.sha256 in failed.err
    (tmp_path / "other.onnx").write_bytes(CONTENT)
    aufer("models", "fetch", "yunet", "--from", "other.onnx", **home).check(4)
    assert "known: yunet" in aufer("models", "fetch", "hog", **home).check(2).err
    assert "no name" in aufer("models", "fetch", "--url", "x", **home).check(2).err
    assert files_in(tmp_path / "home") == []
