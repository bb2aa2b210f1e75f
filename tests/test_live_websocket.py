"""Messages by WebSocket: who gets them, who doesn't, and who may be slow."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from aufer.errors import EnvironmentFailure, UsageError
from aufer.live.event_loop import EventLoop
from aufer.live.sinks import websocket
from aufer.live.sinks.websocket import WebSocketServer
from tests.live_steps import EXPRESSIONS, face, step
from tests.stalled import stalled_client, wait_until

Start = Callable[..., WebSocketServer]


@pytest.fixture
def start() -> Iterator[Start]:
    """``start(…)`` gives a server on a free port; all end with the test."""
    loop = EventLoop()
    servers = []

    def started(**options: Any) -> WebSocketServer:
        server = WebSocketServer(loop, **{"port": 0} | options)
        server.start()
        servers.append(server)
        return server

    yield started
    for server in servers:
        server.close()
    loop.close()


def joined(server: WebSocketServer, number: int = 1, **options: Any) -> ClientConnection:
    """A client that the server knows already; the server then has `number`."""
    client = connect(f"ws://127.0.0.1:{server.port}/", compression=None, **options)
    wait_until(lambda: server.n_clients == number)
    return client


def heard(client: ClientConnection) -> dict[str, Any]:
    text = client.recv(timeout=30)
    assert isinstance(text, str)
    assert "\n" not in text
    return json.loads(text)


def test_each_message_is_a_text_and_the_first_has_labels(start: Start) -> None:
    server = start()
    with joined(server) as first:
        server.send(step(0, [face(3, "happy")]))
        message = heard(first)
        assert message == step(0, [face(3, "happy")]).message.facts(with_labels=True) | {
            "timestamp": message["timestamp"]
        }
        assert message["labels"] == list(EXPRESSIONS.words)
        with joined(server, 2) as second:
            server.send(step(1))
            assert "labels" not in heard(first)
            assert heard(second)["labels"] == list(EXPRESSIONS.words)
            server.send(step(2))
            assert [heard(first)["seq"], heard(second)["seq"]] == [2, 2]
        wait_until(lambda: server.n_clients == 1)
        server.send(step(3))
        assert heard(first)["seq"] == 3
    assert server.summary() == "websocket: 2 clients, 6 sent, 0 dropped for slow clients"


def test_a_client_that_does_not_read_delays_nobody(start: Start) -> None:
    server = start()
    with joined(server) as healthy, stalled_client(server.port, "/"):
        wait_until(lambda: server.n_clients == 2)
        many = [face(n, "sad") for n in range(200)]  # some 30 KB a message
        for seq in range(200):
            server.send(step(seq, many, with_frame=False))
            assert heard(healthy)["seq"] == seq
        wait_until(lambda: server.n_dropped > 50)
        server.close()  # is not held up either
        with pytest.raises(ConnectionClosed) as closed:
            healthy.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


def test_a_client_that_comes_back_to_reading_has_labels_and_the_newest(start: Start) -> None:
    server = start()
    with stalled_client(server.port, "/") as stalled, joined(server, 2) as healthy:
        many = [face(n, "sad") for n in range(200)]
        for seq in range(150):
            server.send(step(seq, many, with_frame=False))
            heard(healthy)
        wait_until(lambda: server.n_dropped > 0)
        texts = stalled.texts_until('"seq":149')
        assert '"labels":' in texts[0]
        assert 1 < len(texts) < 150


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({}, True),
        ({"Origin": "http://localhost:3000"}, True),
        ({"Origin": "http://127.0.0.1"}, True),
        ({"Origin": "http://[::1]:80"}, True),
        ({"Origin": "https://example.org"}, False),
        ({"Origin": "http://localhost.example.org"}, False),
        ({"Origin": "http://127.0.0.1.example.org"}, False),
        ({"Origin": "null"}, False),
        ({"Host": "example.org"}, False),
        ({"Host": "example.org:127"}, False),
        ({"Host": "127.0.0.1@example.org"}, False),
        ({"Host": "LOCALHOST:9000"}, True),
    ],
)
def test_pages_of_other_sites_are_refused(
    start: Start, headers: dict[str, str], is_let_in: bool
) -> None:
    server = start()
    with stalled_client(server.port, "/", headers) as client:
        assert client.status == (101 if is_let_in else 403)


def test_the_token_lets_in_whatever_the_origin(start: Start) -> None:
    server = start(host="0.0.0.0", token="sésame")
    with connect(f"ws://127.0.0.1:{server.port}/", origin="https://example.org") as client:
        client.send(json.dumps({"token": "sésame"}))
        wait_until(lambda: server.n_clients == 1)
        server.send(step(0))
        assert "labels" in heard(client)


@pytest.mark.parametrize("said", ['{"token": "sesame"}', "", "[]", b"\xff\xfe", '{"token": 5}'])
def test_a_wrong_token_gets_nothing(start: Start, said: str | bytes) -> None:
    server = start(token="sésame")
    with connect(f"ws://127.0.0.1:{server.port}/") as client:
        client.send(said)
        with pytest.raises(ConnectionClosed, match="wrong token") as closed:
            client.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert server.summary() == "websocket: no client came"


def test_a_token_that_does_not_come(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "TOKEN_PATIENCE_S", 0.1)
    server = start(token="sesame")
    with (
        connect(f"ws://127.0.0.1:{server.port}/") as client,
        pytest.raises(ConnectionClosed, match="no token came"),
    ):
        client.recv(timeout=30)


def test_beyond_loopback_only_with_a_token() -> None:
    with pytest.raises(UsageError, match="token"):
        WebSocketServer(EventLoop(), host="0.0.0.0", port=0)


def test_a_busy_port(start: Start) -> None:
    server = start()
    with pytest.raises(EnvironmentFailure, match=f"Port {server.port} is taken") as failure:
        start(port=server.port)
    assert failure.value.hint == f"--websocket {server.port + 1}"


def test_a_host_that_is_not_there(start: Start) -> None:
    with pytest.raises(UsageError, match="no host"):
        start(host="nowhere.invalid", token="sesame")


def test_too_many_clients_are_sent_away(start: Start) -> None:
    server = start(most_clients=1)
    with joined(server) as first:
        with (
            connect(f"ws://127.0.0.1:{server.port}/") as second,
            pytest.raises(ConnectionClosed, match="too many clients"),
        ):
            second.recv(timeout=30)
        server.send(step(0))
        assert heard(first)["seq"] == 0
    wait_until(lambda: server.n_clients == 0)
    with joined(server) as third:
        server.send(step(1))
        assert heard(third)["seq"] == 1


def test_who_has_no_token_takes_no_clients_place(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_MOST_STRANGERS", 2)
    server = start(token="sesame", most_clients=1)
    with contextlib.ExitStack() as stack:
        address = f"ws://127.0.0.1:{server.port}/"
        strangers = [stack.enter_context(connect(address)) for _ in range(3)]
        with pytest.raises(ConnectionClosed):
            strangers[0].recv(timeout=30)
        client = stack.enter_context(connect(address))
        client.send('{"token": "sesame"}')
        wait_until(lambda: server.n_clients == 1)
        server.send(step(0))
        assert heard(client)["seq"] == 0


@pytest.mark.parametrize(("texts", "code"), [(["x" * 5000], 1009), (["x"] * 150, 1008)])
def test_clients_that_talk_too_much_are_cut_off(start: Start, texts: list[str], code: int) -> None:
    server = start()
    with joined(server) as healthy:
        with joined(server, 2) as talking:
            with pytest.raises(ConnectionClosed) as closed:
                for text in texts:
                    talking.send(text)
                talking.recv(timeout=30)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
        wait_until(lambda: server.n_clients == 1)
        server.send(step(0))
        assert heard(healthy)["seq"] == 0


def test_garbage_instead_of_a_request(
    start: Start, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    server = start()
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff" * 500_000, b"POST / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), 30) as client:
            try:
                client.sendall(said)
                while client.recv(65536):
                    pass
            except OSError:  # it hung up while we were talking
                pass
    with pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{server.port}/", additional_headers={"Origin": "null"})
    with joined(server) as client:
        server.send(step(0))
        assert heard(client)["seq"] == 0
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
