"""The C# of docs/unity.md: compiled and run with Debian's mono, against real sockets."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aufer.live.event_loop import EventLoop
from aufer.live.sinks.sink import Step
from aufer.live.sinks.tcp import TcpServer
from tests.require import require
from tests.test_live_message import MESSAGE, make_message

UNITY = Path(__file__).parent / "unity"
PAGE = Path(__file__).parents[1] / "docs" / "unity.md"
PATIENCE_S = 30


@dataclass
class Answer:
    """What a running client has: everything so far, and what it is doing."""

    said: list[str]

    def all(self, word: str) -> list[str]:
        """What followed this word, each time."""
        return [text[len(word) + 1 :] for text in self.said if text.startswith(word + " ")]

    def last(self, word: str) -> str:
        return self.all(word)[-1]

    @property
    def seqs(self) -> list[int]:
        return [json.loads(line)["seq"] for line in self.all("line")]


class Unity:
    """The program of tests/unity, running."""

    def __init__(self, program: Path, *args: object) -> None:
        self._process = subprocess.Popen(
            ["mono", str(program), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._last = "status" if args[0] == "client" else "latest"
        self.answer = Answer([])

    def until(self, good: Callable[[Answer], bool]) -> Answer:
        """Take what is waiting, until that is so."""
        assert self._process.stdin
        assert self._process.stdout
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self._process.stdin.write("take\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                self.answer.said.append(line.rstrip("\n"))
                if line.startswith(self._last):
                    break
            if good(self.answer):
                return self.answer
            assert time.monotonic() < deadline, self.answer.said[-20:]
            time.sleep(0.02)

    def end(self) -> Answer:
        """End it in order; it must end by itself."""
        rest, _ = self._process.communicate("end\n", timeout=PATIENCE_S)
        self.answer.said += rest.splitlines()
        assert self._process.returncode == 0, self.answer.said[-20:]
        assert self.answer.said[-1] == "end"
        return self.answer

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files and tests/unity, compiled; a warning is an error."""
    found = shutil.which("mcs") and shutil.which("mono")
    require("mono", None if found else "mcs and mono are not installed")
    folder = tmp_path_factory.mktemp("unity")
    blocks = re.findall(
        r"^```csharp\n// File: (\S+)\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S
    )
    assert [name for name, _ in blocks] == ["AuferClient.cs", "AuferReceiver.cs"]
    for name, text in blocks:
        (folder / name).write_text(text, encoding="utf-8")
    sources = [*folder.glob("*.cs"), *UNITY.glob("*.cs")]
    words = ["-langversion:7.2", "-warn:4", "-warnaserror", f"-out:{folder / 'unity.exe'}"]
    done = subprocess.run(
        ["mcs", *words, *map(str, sources)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "unity.exe"


@pytest.fixture
def unity(program: Path) -> Iterator[Callable[..., Unity]]:
    """``unity(mode, …)`` starts the program."""
    started: list[Unity] = []

    def start(*args: object) -> Unity:
        started.append(Unity(program, *args))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A listening socket on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE_S)
        yield listening


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def line_of(seq: int, *, first: bool = False) -> bytes:
    return make_message(2, seq=seq).line(with_labels=first)


def test_glued_and_split_messages_come_whole_and_in_order(
    unity: Callable[..., Unity], server: socket.socket
) -> None:
    client = unity("client", "127.0.0.1", port_of(server), "", 300)
    connection, _ = server.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"".join(line_of(seq) for seq in range(40)))  # glued
        client.until(lambda answer: len(answer.all("line")) == 40)
        for byte in line_of(40):  # torn
            connection.sendall(bytes([byte]))
        client.until(lambda answer: len(answer.all("line")) == 41)
        odd = json.dumps({"seq": 41, "expression": "Glück 幸 😀"}, ensure_ascii=False).encode()
        for start in range(len(odd)):  # at each byte, within characters too
            connection.sendall(odd[start : start + 1])
            time.sleep(0.001)
        connection.sendall(b"\r\n\n  \n" + line_of(42)[:70])
        time.sleep(0.05)
        connection.sendall(line_of(42)[70:] + line_of(43) + line_of(44)[:-1])
        client.until(lambda answer: len(answer.all("line")) == 44)
        connection.sendall(b"\n")
        answer = client.until(lambda answer: len(answer.all("line")) == 45)
    assert answer.seqs == list(range(45))
    assert answer.all("line")[40] == line_of(40).decode().rstrip()
    assert json.loads(answer.all("line")[41])["expression"] == "Glück 幸 😀"
    assert answer.last("status") == f"connected to 127.0.0.1:{port_of(server)}"
    assert answer.last("dropped") == "0"
    assert client.end().last("status") == "stopped"


def test_it_connects_again_and_drops_the_torn_line(
    unity: Callable[..., Unity], server: socket.socket
) -> None:
    client = unity("client", "127.0.0.1", port_of(server), "", 300)
    for turn in range(4):
        connection, _ = server.accept()
        with connection:
            connection.sendall(line_of(turn, first=True) + line_of(99)[:50])
            client.until(lambda answer, turn=turn: len(answer.all("line")) == turn + 1)
            if turn == 2:  # not a farewell, but a reset
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
                )
    answer = client.until(lambda answer: answer.last("status").startswith("not connected"))
    assert answer.seqs == [0, 1, 2, 3]
    assert int(answer.last("connections")) >= 4
    assert "trying again" in answer.last("status")
    client.end()


def test_it_may_be_there_before_the_server(unity: Callable[..., Unity]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = port_of(gone)
    client = unity("client", "127.0.0.1", port, "", 300)
    answer = client.until(lambda answer: "refused" in answer.last("status"))
    assert answer.last("connections") == "0"
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(PATIENCE_S)
        connection, _ = server.accept()
        with connection:
            connection.sendall(line_of(5))
            assert client.until(lambda answer: bool(answer.all("line"))).seqs == [5]
    client.end()


def test_the_token_is_its_first_line(unity: Callable[..., Unity], server: socket.socket) -> None:
    token = 'a"b\\c ü😀'
    client = unity("client", "127.0.0.1", port_of(server), token, 300)
    for turn in range(2):  # also when it comes back
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as lines:
            assert json.loads(lines.readline()) == {"token": token}
            if turn:
                connection.sendall(line_of(8))
                client.until(lambda answer: bool(answer.all("line")))
            else:
                connection.sendall(b'{"error": "wrong token"}\n')
                client.until(lambda answer: "wrong token" in answer.last("status"))
    assert client.end().seqs == [8]


def test_a_reader_that_is_behind_gets_the_newest(
    unity: Callable[..., Unity], server: socket.socket
) -> None:
    client = unity("client", "127.0.0.1", port_of(server), "", 5)
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"".join(line_of(seq) for seq in range(200)))
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""  # it has read everything and has gone
        answer = client.until(lambda answer: len(answer.all("line")) >= 5)
    assert answer.seqs == [195, 196, 197, 198, 199]
    assert answer.last("dropped") == "195"
    client.end()


def test_a_stream_without_line_feeds_is_left(
    unity: Callable[..., Unity], server: socket.socket
) -> None:
    client = unity("client", "127.0.0.1", port_of(server), "", 300)
    connection, _ = server.accept()
    with connection:
        try:
            for _ in range(200):
                connection.sendall(b'{"faceCount": 0, "faces": []}'.ljust(1024))
        except ConnectionError:  # it has hung up
            pass
        answer = client.until(lambda answer: "no line feed" in answer.last("status"))
    assert answer.all("line") == []
    client.end()


def test_it_ends_while_it_connects_waits_or_reads(
    unity: Callable[..., Unity], server: socket.socket
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = port_of(gone)
    assert unity("client", "127.0.0.1", nobody, "", 300).end().last("status") == "stopped"
    # an address that no one has: its packets get lost, or are refused
    assert unity("client", "192.0.2.1", 5000, "", 300).end().last("status") == "stopped"
    client = unity("client", "127.0.0.1", port_of(server), "", 300)
    connection, _ = server.accept()
    with connection:
        assert client.end().last("status") == "stopped"
        assert connection.recv(1) == b""


def test_unity_gets_every_message_on_its_main_thread(
    unity: Callable[..., Unity], server: socket.socket
) -> None:
    scene = unity("receiver", "127.0.0.1", port_of(server), "", "false")
    connection, _ = server.accept()
    with connection:
        connection.sendall(line_of(0, first=True) + line_of(1) + b"not JSON\n{}\n" + line_of(2))
        connection.sendall(make_message(0, seq=3).line())
        answer = scene.until(lambda answer: answer.last("latest") == "3")
        labels = "Angry,Disgust,Fear,Happy,Sad,Surprise,Neutral"
        assert answer.all("message") == [
            f"{seq} {n_faces} {labels} main" for seq, n_faces in enumerate((2, 2, 2, 0))
        ]
        assert answer.all("face")[:2] == ["1 0 Angry 7 0.0167", "2 0 Angry 7 0.0167"]
        # 640 x 480 on a screen of 1280 x 960: twice as large, from the bottom left
        assert answer.all("screen")[0] == "40 870 60 70 1180"
        assert [w for w in answer.all("warning") if "no message" in w] == answer.all("warning")
        assert len(answer.all("warning")) == 1
        assert answer.all("log") == [f"aufer: connected to 127.0.0.1:{port_of(server)}"]
        scene.end()


def test_unity_may_want_the_newest_only(unity: Callable[..., Unity], server: socket.socket) -> None:
    scene = unity("receiver", "127.0.0.1", port_of(server), "secret", "true")
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as lines:
        assert json.loads(lines.readline()) == {"token": "secret"}
        connection.sendall(b"".join(line_of(seq, first=not seq) for seq in range(120)))
        answer = scene.until(lambda answer: answer.last("latest") == "119")
        seqs = [int(text.split()[0]) for text in answer.all("message")]
        assert seqs == sorted(set(seqs))
        assert len(seqs) == len(set(answer.all("latest")) - {"-1"})  # one a frame of Unity's
        scene.end()


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    """The loop that serves."""
    serving = EventLoop()
    yield serving
    serving.close()


def test_it_understands_our_own_server(unity: Callable[..., Unity], loop: EventLoop) -> None:
    tcp = TcpServer(loop, port=0, token="right")
    tcp.start()
    port = tcp.port
    stranger = unity("client", "127.0.0.1", port, "wrong", 300)
    stranger.until(lambda answer: '{"error": "wrong token"}' in answer.last("status"))
    assert stranger.end().all("line") == []
    client = unity("client", "127.0.0.1", port, "right", 300)
    scene = unity("receiver", "127.0.0.1", port, "right", "false")
    n_sent = 0
    for turn in range(2):  # the server goes, and comes back on its port
        if turn:
            tcp = TcpServer(loop, port=port, token="right")
            tcp.start()
        client.until(lambda _: tcp.n_clients == 2)
        for _ in range(50):
            tcp.send(Step(make_message(3, seq=n_sent)))
            n_sent += 1
            time.sleep(0.002)
        client.until(lambda answer, n=n_sent: len(answer.all("line")) == n)
        scene.until(lambda answer, n=n_sent: len(answer.all("message")) == n)
        tcp.close()
    seen = client.end()
    assert seen.seqs == list(range(n_sent))
    for place, line in enumerate(seen.all("line")):
        MESSAGE.validate(json.loads(line))
        assert ("labels" in json.loads(line)) == (place in (0, 50))
    labels = "Angry,Disgust,Fear,Happy,Sad,Surprise,Neutral"
    assert scene.end().all("message") == [f"{seq} 3 {labels} main" for seq in range(n_sent)]
