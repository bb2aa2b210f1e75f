"""``aufer listen``: against a server in this process, as a function and as a process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aufer.cli.listen import readable_line
from aufer.errors import EnvironmentFailure, UsageError
from aufer.listen import LONGEST_LINE, Heard, Lines, listen
from tests.running import RunAufer
from tests.tcp_case import PATIENCE_S, LineClient, Sender, make_message, serving, wait_until


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


@contextlib.contextmanager
def scripted_server(*chunks: bytes) -> Iterator[int]:
    """A server that sends each client these pieces, a moment apart, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the test has ended
                while True:
                    client, _ = listening.accept()
                    with client:
                        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        for chunk in chunks:
                            client.sendall(chunk)
                            time.sleep(0.02)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE_S)


@contextlib.contextmanager
def listening_process(*args: object) -> Iterator[subprocess.Popen[str]]:
    """``aufer listen``, running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aufer", "listen", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "AUFER_TOKEN": ""},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# The function


def test_lines_come_whole_however_they_were_cut() -> None:
    text = b'{"a":1}\n\r\n{"b":2}\r\n{"c":"\xc3\xa4"}\n'
    for size in range(1, len(text) + 1):
        lines = Lines()
        pieces = (text[n : n + size] for n in range(0, len(text), size))
        found = [json.loads(line) for piece in pieces for line in lines.feed(piece)]
        assert found == [{"a": 1}, {"b": 2}, {"c": "ä"}]
    with pytest.raises(ValueError, match="line feed"):
        lines.feed(b"x" * (LONGEST_LINE + 1))
    assert lines.feed(b'{"d":4}\n') == [b'{"d":4}']


def test_glued_partial_and_broken_lines_are_survived() -> None:
    got: list[dict[str, Any]] = []
    said: list[str] = []
    text = "ä".encode()
    with scripted_server(
        b'{"faceCount":0,"faces":[],"seq":3}\n{"faceCount":0,"faces":[],"se',
        b'q":4}\nno json\n\xff\xfe\n[1]\n'
        + b"[" * 50_000
        + b'\n{"faces":[],"seq":7,"x":"'
        + text[:1],
        text[1:] + b'"}\n{"faces":[],"seq":2}\n{"faces":',
    ) as port:
        heard = listen(port=port, on_message=got.append, on_status=said.append, reconnect=False)
    assert [facts["seq"] for facts in got] == [3, 4, 7, 2]
    assert got[2]["x"] == "ä"
    assert heard == Heard(messages=4, missed=2, unreadable=4, connections=1)
    assert sum("no message" in line for line in said) == 4


def test_blocks_without_an_end_are_no_lines() -> None:
    says = pytest.raises(EnvironmentFailure, match="--compat unity-v1")
    with scripted_server(b" " * 100_000) as port, says:
        listen(port=port, on_message=print, reconnect=False)


def test_what_a_listener_raises_is_not_taken_for_the_connections_end() -> None:
    def fail(facts: dict[str, Any]) -> None:
        raise BrokenPipeError

    with scripted_server(b'{"faces":[]}\n') as port, pytest.raises(BrokenPipeError):
        listen(port=port, on_message=fail)


def test_it_connects_again_for_ever() -> None:
    got: list[dict[str, Any]] = []
    with scripted_server(b'{"faces":[],"seq":0}\n{"faces":[],"seq":1}\n') as port:
        heard = listen(port=port, on_message=got.append, stop_after=5)
    assert [facts["seq"] for facts in got] == [0, 1, 0, 1, 0]
    assert (heard.connections, heard.missed) == (3, 0)


def test_each_message_of_a_server_is_heard() -> None:
    got: list[dict[str, Any]] = []
    with serving() as server, Sender(server, n_faces=2):
        heard = listen(port=server.port, on_message=got.append, stop_after=50)
    first = got[0]["seq"]
    assert got[0] == make_message(first, 2).facts(with_labels=True)
    assert got[1:] == [make_message(first + n, 2).facts() for n in range(1, 50)]
    assert heard == Heard(messages=50, connections=1)


def test_a_slow_poller_of_lines_understands_what_it_gets() -> None:
    got: list[dict[str, Any]] = []
    with serving() as server, Sender(server, n_faces=10):
        heard = listen(port=server.port, on_message=got.append, poll_s=0.3, duration_s=2)
    assert len(got) == heard.messages > 0
    assert heard.unreadable == 0


def test_as_the_published_client_it_understands_blocks_but_not_lines() -> None:
    got: list[dict[str, Any]] = []
    with serving(unity_v1=True) as server, Sender(server, n_faces=2):
        heard = listen(
            port=server.port, unity_v1=True, on_message=got.append, stop_after=20, poll_s=0.03
        )
    assert heard == Heard(messages=20, connections=1)
    assert all(list(facts) == ["faceCount", "faces"] for facts in got)
    said: list[str] = []
    line = make_message(0).line()
    with scripted_server(line + line) as port, pytest.raises(EnvironmentFailure):
        listen(
            port=port,
            unity_v1=True,
            on_message=got.append,
            on_status=said.append,
            reconnect=False,
        )
    assert any("Extra data" in text for text in said), "glued messages are what it can't read"


def test_a_line_reader_says_that_blocks_are_no_lines_and_ends() -> None:
    with (
        serving(unity_v1=True) as server,
        Sender(server, n_faces=2),
        pytest.raises(EnvironmentFailure, match="--compat unity-v1") as failure,
    ):
        listen(port=server.port, on_message=print, duration_s=120)
    assert failure.value.hint == f"aufer listen --compat unity-v1 --port {server.port}"


def test_a_published_client_sends_no_token() -> None:
    with pytest.raises(UsageError, match="token"):
        listen(token="s3cret", unity_v1=True, on_message=print)


def test_nothing_is_heard_for_longer_than_asked(free_port: int) -> None:
    heard = listen(port=free_port, on_message=print, duration_s=0.3)
    assert heard == Heard()


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (make_message(0, 0).facts(), "30.0 fps  no face"),
        (make_message(0, 1).facts(), "30.0 fps  1 face: #1 Happy 88 %"),
        (make_message(0, 2).facts(), "30.0 fps  2 faces: #1 Happy 88 %, #2 Sad 88 %"),
        ({"faceCount": 1, "faces": [{"expression": "Sad"}]}, "1 face: Sad"),
        ({"faces": [{"expression": "\x1b[2J"}, 3]}, "2 faces: ?[2J, ?"),
        ({"faces": None}, "no face"),
        ({"fps": 10**400, "faces": [{"confidence": 10**400}]}, "1 face: ?"),
    ],
)
def test_a_message_in_words(facts: dict[str, Any], line: str) -> None:
    assert readable_line(facts) == line


# The command


def test_it_prints_a_line_per_message(aufer: RunAufer) -> None:
    with serving() as server, Sender(server, n_faces=2):
        ran = aufer("listen", "--port", server.port, "--count", 5).check()
    assert ran.out.splitlines() == ["30.0 fps  2 faces: #1 Happy 88 %, #2 Sad 88 %"] * 5
    assert f"connected to 127.0.0.1:{server.port}" in ran.err
    assert ran.err.splitlines()[-1] == "5 messages, 0 missed, 0 unreadable"


def test_json_is_what_was_sent(aufer: RunAufer) -> None:
    with serving() as server, Sender(server):
        ran = aufer("listen", "--port", server.port, "--count", 5, "--json", "-q").check()
    got = [json.loads(line) for line in ran.out.splitlines()]
    first = got[0]["seq"]
    assert got[0] == make_message(first).facts(with_labels=True)
    assert got[1:] == [make_message(first + n).facts() for n in range(1, 5)]
    assert ran.err == ""


def test_as_the_published_client(aufer: RunAufer) -> None:
    with serving(unity_v1=True) as server, Sender(server, n_faces=2):
        ran = aufer(
            "listen", "--port", server.port, "--compat", "unity-v1", "--count", 20, "--poll", 0.02
        ).check()
    assert ran.out.splitlines() == ["2 faces: Happy, Sad"] * 20
    assert ran.err.splitlines()[-1] == "20 messages, 0 missed, 0 unreadable"


def test_it_goes_on_when_the_server_comes_back_on_its_port(free_port: int) -> None:
    with listening_process("--port", free_port, "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "Nothing listens" in process.stderr.readline()
        for n in range(2):
            with serving(port=free_port) as server, Sender(server):
                assert "connected" in process.stderr.readline()
                messages = (json.loads(line) for line in process.stdout)
                first = next(each for each in messages if "labels" in each)
                assert first["faceCount"] == 1
            assert "lost the connection" in process.stderr.readline()
            if n == 0:
                assert "Nothing listens" in process.stderr.readline()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_it_with_130_and_a_summary() -> None:
    with serving() as server, Sender(server), listening_process("--port", server.port) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "0 missed, 0 unreadable" in err
    assert "Traceback" not in err


def test_a_pipe_that_ends_ends_it() -> None:
    with serving() as server, Sender(server), listening_process("--port", server.port) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("how", ["option", "environment"])
def test_the_right_token(aufer: RunAufer, how: str) -> None:
    with serving(token="s3cret") as server, Sender(server):
        args = ["listen", "--port", server.port, "--count", 2]
        if how == "option":
            ran = aufer(*args, "--token", "s3cret")
        else:
            ran = aufer(*args, AUFER_TOKEN="s3cret")
    assert len(ran.check().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("args", "says"), [(["--token", "wr0ng"], "refuses the token"), ([], "no token came")]
)
def test_a_wrong_token_or_none_is_one_sentence(aufer: RunAufer, args: list[str], says: str) -> None:
    with serving(token="s3cret") as server, Sender(server):
        ran = aufer("listen", "--port", server.port, *args, AUFER_TOKEN="").check(3)
    assert ran.out == ""
    assert says in ran.err
    assert "hint: " in ran.err
    assert "wr0ng" not in ran.err
    assert "s3cret" not in ran.err


def test_nothing_there(aufer: RunAufer, free_port: int) -> None:
    ran = aufer("listen", "--port", free_port, "--no-reconnect").check(3)
    assert ran.err.splitlines() == [
        f"error: Nothing listens on 127.0.0.1:{free_port}.",
        f"hint: start it first: aufer live --port {free_port}",
    ]


def test_no_such_host(aufer: RunAufer) -> None:
    ran = aufer("listen", "--host", "nowhere.invalid", "--no-reconnect").check(3)
    assert "There is no host 'nowhere.invalid'." in ran.err


def test_too_many_clients(aufer: RunAufer) -> None:
    with serving(most_clients=1) as server, LineClient(server.port):
        wait_until(lambda: server.n_clients == 1, "it is full")
        ran = aufer("listen", "--port", server.port, "--no-reconnect").check(3)
    assert "too many clients" in ran.err


def test_the_servers_end_is_an_end_without_reconnect() -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving())
        stack.enter_context(Sender(server))
        args = ("--port", server.port, "--no-reconnect")
        process = stack.enter_context(listening_process(*args))
        assert process.stdout is not None
        process.stdout.readline()
        server.close()
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "has ended" in err


@pytest.mark.parametrize(
    "args",
    [
        ["--port", 0],
        ["--port", 65536],
        ["--count", 0],
        ["--duration", 0],
        ["--duration", "nan"],
        ["--poll", -1],
        ["--compat", "unity-v2"],
        ["--compat", "unity-v1", "--token", "s3cret"],
        ["extra"],
    ],
)
def test_wrong_options(aufer: RunAufer, args: list[object]) -> None:
    ran = aufer("listen", *args).check(2)
    assert "hint: " in ran.err


def test_it_starts_without_heavy_packages(tmp_path: Path) -> None:
    code = "import aufer.listen, aufer.cli.listen, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"cv2", "onnxruntime", "tensorflow", "pandas", "numpy"}
