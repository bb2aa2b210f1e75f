"""Messages over TCP: real sockets, clients of all kinds."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from aufer.errors import EnvironmentFailure, UsageError
from aufer.live import unity_v1
from aufer.live.access import TOKEN_PATIENCE_S, check_access, check_token_line, is_loopback
from aufer.live.event_loop import EventLoop
from aufer.live.message import Message
from aufer.live.sinks.sink import Step
from aufer.live.sinks.tcp import TcpServer
from tests.tcp_case import (
    PATIENCE_S,
    LineClient,
    Sender,
    make_message,
    serving,
    vanish,
    wait_until,
)
from tests.tcp_chaos import WAYS, run_chaos

CHAOS_S = float(os.environ.get("AUFER_CHAOS_SECONDS", "6"))
MEMORY_SLACK = 8 * 1024 * 1024


class UnityClient:
    """Does as the published client does: a read of at most 1024 bytes is a message."""

    def __init__(self, port: int, *, poll_s: float = 0.0, receive_buffer: int | None = None):
        self._client = LineClient(port, receive_buffer=receive_buffer)
        self._poll_s = poll_s
        self.read: list[bytes] = []

    def read_for(self, n: int) -> UnityClient:
        """So many reads."""
        for _ in range(n):
            time.sleep(self._poll_s)
            self.read.append(self._client.socket.recv(1024))
        self._client.socket.close()
        return self

    def messages(self) -> list[dict[str, Any]]:
        """Each read parsed as one; raises for what JsonUtility does not understand either."""
        return [json.loads(data.decode("utf-8")) for data in self.read]


def in_thread(call: Any, *args: Any) -> threading.Thread:
    thread = threading.Thread(target=call, args=args, daemon=True)
    thread.start()
    return thread


def connected(server: TcpServer, n: int = 1) -> None:
    wait_until(lambda: server.n_clients == n, f"{n} clients are connected")


# Lines


def test_a_line_reading_client_understands_every_message() -> None:
    with serving() as server:
        with Sender(server, n_faces=2) as sender, LineClient(server.port) as client:
            messages = [client.message() for _ in range(60)]
            first = messages[0]["seq"]
            assert [m["seq"] for m in messages] == list(range(first, first + 60))
        assert messages[0] == make_message(first, 2).facts(with_labels=True)
        assert messages[1:] == [make_message(first + n, 2).facts() for n in range(1, 60)]
        assert sender.n >= 60


def test_each_connection_starts_with_the_labels_also_a_late_one() -> None:
    with serving() as server, Sender(server), LineClient(server.port) as early:
        early_first = early.message()
        early.message()
        with LineClient(server.port) as late:
            late_first = late.message()
            assert "labels" not in late.message()
        assert early_first["labels"] == late_first["labels"]
        assert len(late_first["labels"]) == len(late_first["faces"][0]["scores"])
        assert late_first["seq"] > early_first["seq"]
        assert "labels" not in early.message()


def test_clients_may_come_before_the_first_message_and_nobody_need_come() -> None:
    with serving() as server:
        server.send(Step(make_message(0)))
        with LineClient(server.port) as client:
            connected(server)
            server.send(Step(make_message(1)))
            assert client.message()["seq"] == 1
        wait_until(lambda: server.n_clients == 0, "the client is gone")
        assert server.n_sent == 1
    assert server.summary() == "messages: 1 client, 1 sent, 0 dropped for slow clients"


def test_a_message_without_a_face_is_sent_too() -> None:
    with serving() as server, LineClient(server.port) as client:
        connected(server)
        server.send(Step(make_message(0, n_faces=0)))
        found = client.message()
        assert (found["faceCount"], found["faces"]) == (0, [])


def test_who_does_not_read_misses_messages_and_delays_nobody() -> None:
    with serving(queue_length=4) as server:
        with (
            LineClient(server.port) as healthy,
            LineClient(server.port, receive_buffer=4096) as slow,
        ):
            connected(server, 2)
            heard: list[dict[str, Any]] = []
            reader = in_thread(lambda: heard.extend(healthy.rest()))
            with Sender(server, n_faces=20) as sender:
                wait_until(lambda: server.n_dropped > 40, "the slow client misses messages")
            n = sender.n
            wait_until(lambda: len(heard) == n, "the healthy client has all")
            late = [slow.message()]
            while late[-1]["seq"] != n - 1:  # the newest is never the one that is dropped
                late.append(slow.message())
            healthy.socket.shutdown(socket.SHUT_RDWR)
            reader.join(PATIENCE_S)
        assert [m["seq"] for m in heard] == list(range(n))
        seqs = [m["seq"] for m in late]
        assert seqs == sorted(set(seqs))
        assert n - len(seqs) == server.n_dropped
        assert late[1:] == [make_message(seq, 20).facts() for seq in seqs[1:]]


def test_the_hook_hears_of_each_message_once_when_it_has_left() -> None:
    told: list[tuple[int, float]] = []

    def hear(message: Message, at: float) -> None:
        told.append((message.seq, at))

    with serving() as server, LineClient(server.port) as one, LineClient(server.port) as other:
        server.on_sent = hear
        connected(server, 2)
        before = time.perf_counter()
        for seq in range(5):
            server.send(Step(make_message(seq)))
        assert [client.message()["seq"] for client in (one, other) for _ in range(5)] == [
            *range(5),
            *range(5),
        ]
        after = time.perf_counter()
    assert [seq for seq, _ in told] == list(range(5))
    assert all(before <= at <= after for _, at in told)


# The published Unity client


@pytest.mark.parametrize("receive_buffer", [None, 4096])
def test_the_published_unity_client_understands_each_read_also_a_slow_one(
    receive_buffer: int | None,
) -> None:
    with serving(unity_v1=True) as server, Sender(server, n_faces=3):
        quick = UnityClient(server.port)
        slow = UnityClient(server.port, poll_s=0.04, receive_buffer=receive_buffer)
        threads = [in_thread(quick.read_for, 300), in_thread(slow.read_for, 70)]
        for thread in threads:
            thread.join(PATIENCE_S)
    for client, n in ((quick, 300), (slow, 70)):
        assert [len(data) for data in client.read] == [1024] * n
        for message in client.messages():
            assert list(message) == ["faceCount", "faces"]
            assert message["faceCount"] == len(message["faces"]) == 3
            for face in message["faces"]:
                assert list(face) == ["expressionIdx", "expression", "position"]
                assert list(face["position"]) == ["x", "y", "width", "height"]


def test_unity_messages_are_dropped_whole_while_the_socket_is_behind() -> None:
    with serving(unity_v1=True) as server:
        client = LineClient(server.port, receive_buffer=4096)
        connected(server)
        with Sender(server, per_second=1000) as sender:
            wait_until(lambda: server.n_dropped > 100, "messages are dropped")
        n, stream = sender.n, b""
        last = json.loads(unity_v1.block(make_message(n - 1)))
        with client:
            while not stream or len(stream) % 1024 or json.loads(stream[-1024:]) != last:
                stream += client.socket.recv(700)
        blocks = [stream[at : at + 1024] for at in range(0, len(stream), 1024)]
        numbers = [json.loads(each)["faces"][0]["position"]["x"] - 1000 for each in blocks]
        assert len(blocks) == n - server.n_dropped
        assert numbers[-1] == (n - 1) % 1000


def test_ten_faces_fit_a_block_without_the_smallest() -> None:
    message = make_message(999, n_faces=12)
    block = unity_v1.block(message)
    facts = json.loads(block)
    assert len(block) == 1024
    assert not block.endswith(b"\n")
    assert 9 <= facts["faceCount"] == len(facts["faces"]) < 12
    widths = [face["position"]["width"] for face in facts["faces"]]
    assert widths == [400 - n for n in range(len(widths))]


def test_a_block_is_the_reference_object_with_spaces() -> None:
    block = unity_v1.block(make_message(7))
    assert block.rstrip() == (
        b'{"faceCount":1,"faces":[{"expressionIdx":3,"expression":"Happy",'
        b'"position":{"x":1007,"y":700,"width":400,"height":400}}]}'
    )
    assert unity_v1.block(make_message(0, 0)) == b'{"faceCount":0,"faces":[]}'.ljust(1024)


# Chaos


def test_twenty_clients_come_stall_and_die_and_the_healthy_ones_miss_nothing() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.tcp_chaos"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def quiet() -> dict[str, int]:
            """What is left when all have gone."""
            wait_until(lambda: ask()["connections"] == 0, "all connections are gone")
            return ask()

        def ask() -> dict[str, int]:
            print("?", file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        port = int(process.stdout.readline())
        watched = psutil.Process(process.pid)
        n_files = watched.num_handles if os.name == "nt" else watched.num_fds
        run_chaos(port, 1.5, seed=1)  # buffers and code that grow once
        quiet()
        before = n_files(), watched.memory_info().rss
        toll = run_chaos(port, CHAOS_S, seed=2)
        assert quiet() == {"connections": 0, "clients": 0}
        after = n_files(), watched.memory_info().rss
        process.stdin.close()
        counts = json.loads(process.stdout.readline())
        assert process.wait(PATIENCE_S) == 0
    assert set(toll.ways) == set(WAYS)
    assert toll.missed == 0
    assert min(len(seqs) for seqs in toll.heard) > 30 * CHAOS_S  # of 100 a second, on slow cores
    assert counts["sent"] > 0
    assert after[0] == before[0]
    assert after[1] - before[1] < MEMORY_SLACK, toll.ways


@pytest.mark.parametrize("sent", [b"\x00\xff{[" * 2000, b"x" * 1_000_000, b"\n" * 50_000])
def test_who_sends_too_much_is_disconnected_and_the_others_go_on(sent: bytes) -> None:
    with serving() as server, Sender(server), LineClient(server.port) as healthy:
        first = healthy.message()["seq"]
        with LineClient(server.port) as loud, pytest.raises(ConnectionError):
            for _ in range(100):
                loud.socket.sendall(sent)
                loud.line()
        assert [healthy.message()["seq"] for _ in range(30)] == list(range(first + 1, first + 31))
        assert server.n_clients == 1


def test_a_little_garbage_and_a_token_that_nobody_asked_for_do_no_harm() -> None:
    with serving() as server, Sender(server), LineClient(server.port) as client:
        client.socket.sendall(b'{"token": "any"}\n' + b"\x00\xff" * 500)
        assert client.message()["v"] == 1
        client.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert len([client.message() for _ in range(20)]) == 20


# Who may come


def test_the_right_token_opens_in_whatever_pieces_it_comes() -> None:
    with serving(token="s3cret ü") as server, Sender(server):
        with LineClient(server.port) as client:
            line = json.dumps({"token": "s3cret ü"}).encode()
            for n in range(0, len(line), 5):
                client.socket.sendall(line[n : n + 5])
                time.sleep(0.002)
            assert server.n_clients == 0
            client.socket.sendall(b"\r\nand more")
            assert "labels" in client.message()
        assert server.n_refused == 0


@pytest.mark.parametrize(
    "sent",
    [
        b'{"token": "wrong"}\n',
        b'{"token": 1}\n',
        b'{"token": null}\n',
        b"{}\n",
        b'"s3cret"\n',
        b"\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff\xfe\n",
        b"[" * 1000 + b"\n",
        b'{"token": "s3cret"}'.ljust(1100) + b"\n",
        b"x" * 5000,
    ],
)
def test_without_the_token_there_is_one_line_and_the_end(sent: bytes) -> None:
    with serving(token="s3cret") as server, Sender(server), LineClient(server.port) as client:
        client.socket.sendall(sent)
        assert json.loads(client.line()) == {"error": "wrong token"}
        assert client.line() == b""
        assert (server.n_clients, server.n_sent, server.n_refused) == (0, 0, 1)


def test_a_megabyte_for_a_token_is_refused() -> None:
    with serving(token="s3cret") as server, LineClient(server.port) as client:
        with pytest.raises(ConnectionError):
            for _ in range(100):
                client.socket.sendall(b"x" * 1_000_000)
        assert server.n_refused == 1


def test_a_token_that_never_comes_is_not_waited_for() -> None:
    with serving(token="s3cret") as server, Sender(server), LineClient(server.port) as client:
        client.socket.sendall(b'{"token": ')
        assert TOKEN_PATIENCE_S < PATIENCE_S
        assert json.loads(client.line()) == {"error": "no token came"}
        assert client.line() == b""
        assert server.n_sent == 0


def test_too_many_clients_are_told_and_those_inside_stay() -> None:
    with serving(most_clients=2) as server, Sender(server):
        with LineClient(server.port) as one, LineClient(server.port) as two:
            one.message(), two.message()
            with LineClient(server.port) as third:
                assert json.loads(third.line()) == {"error": "too many clients"}
                assert third.line() == b""
            assert one.message()["v"] == two.message()["v"] == 1
        wait_until(lambda: server.n_clients == 0, "both are gone")
        with LineClient(server.port) as fourth:
            assert "labels" in fourth.message()
    assert ", 1 refused" in str(server.summary())


def test_who_waits_without_a_token_does_not_keep_others_out() -> None:
    with serving(token="s3cret", most_clients=2) as server, Sender(server):
        idle = [LineClient(server.port) for _ in range(40)]
        with LineClient(server.port) as client:
            client.socket.sendall(b'{"token": "s3cret"}\n')
            assert "labels" in client.message()
        for each in idle:
            each.socket.close()


def test_too_many_unity_clients_are_closed_without_a_word() -> None:
    with serving(most_clients=1, unity_v1=True) as server, LineClient(server.port):
        connected(server)
        with LineClient(server.port) as second, pytest.raises(ConnectionError):
            assert second.socket.recv(1024) == b"", "closed with a reset, or an end"
            raise ConnectionError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    check_access(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.2", "example.org", "128.0.0.1"])
def test_others_need_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="token") as caught:
        TcpServer(EventLoop(), host=host)
    assert "--token" in str(caught.value.hint)
    check_access(host, "s3cret")
    with pytest.raises(UsageError, match="unity-v1"):
        TcpServer(EventLoop(), host=host, token="s3cret", unity_v1=True)


@pytest.mark.parametrize("token", ["", " ", "x" * 1024])
def test_tokens_that_are_none_are_refused(token: str) -> None:
    with pytest.raises(UsageError, match="token"):
        check_access("127.0.0.1", token)


def test_tokens_are_compared_whole() -> None:
    assert check_token_line(b' {"token": "abc", "more": 1} \r\n', "abc")
    assert not check_token_line(b'{"token": "ab"}', "abc")
    assert not check_token_line('{"token": "\\ud800"}', "abc")


# Ports


def test_a_busy_port_is_one_sentence_and_a_hint() -> None:
    with serving() as server:
        second = TcpServer(EventLoop(), port=server.port)
        with pytest.raises(EnvironmentFailure, match=f"Port {server.port} is taken") as caught:
            second.start()
        second.close()
        assert caught.value.hint == f"--port {server.port + 1}"
        assert caught.value.exit_code == 3


def test_a_host_that_is_not_ours_is_refused() -> None:
    server = TcpServer(EventLoop(), host="192.0.2.1", port=0, token="s3cret")
    with pytest.raises(EnvironmentFailure, match="no address of this machine"):
        server.start()
    server.close()


def test_the_port_is_free_again_after_the_end_also_with_clients_that_stall() -> None:
    port = 0
    for _ in range(3):
        with serving(port=port) as server:
            port = server.port
            stalling = LineClient(port, receive_buffer=4096)
            reading = LineClient(port)
            dying = LineClient(port)
            connected(server, 3)
            vanish(dying.socket)
            heard: list[dict[str, Any]] = []
            reader = in_thread(lambda: heard.extend(reading.rest()))
            with Sender(server, n_faces=20) as sender:
                wait_until(lambda: server.n_dropped > 10, "a client stalls")
        reader.join(PATIENCE_S)  # it reads an end of file, after the last message
        assert [m["seq"] for m in heard] == list(range(sender.n))
        stalling.socket.close()
        reading.socket.close()


def test_close_may_come_twice_or_without_a_start() -> None:
    loop = EventLoop()
    server = TcpServer(loop, port=0)
    server.close()
    line = server.start()
    assert line == f"messages: TCP 127.0.0.1:{server.port}, one JSON object a line"
    server.close()
    server.close()
    loop.close()
    server.send(Step(make_message(0)))
    assert server.summary() == "messages: no client came"
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)


def test_the_end_leaves_no_warning(tmp_path: Path) -> None:
    code = """
import socket
from tests.tcp_case import LineClient, Sender, serving, wait_until
with serving() as server, Sender(server, n_faces=20):
    clients = [LineClient(server.port, receive_buffer=4096) for _ in range(4)]
    wait_until(lambda: server.n_dropped > 10, "all stall")
    clients[0].socket.close()
for client in clients:
    client.socket.close()
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
