"""Messages by OSC and LSL, heard by the libraries that others hear them with."""

from __future__ import annotations

import logging
import math
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aufer.errors import EnvironmentFailure, UsageError
from aufer.live.box import Box
from aufer.live.frame import Frame
from aufer.live.sinks.lsl import OWN_CHANNELS, LslOutlet, sample_of
from aufer.live.sinks.osc import FACE, FRAME, LABELS, SCORES, OscSender, parse_osc_address
from aufer.live.sinks.sink import Step
from tests.require import require
from tests.tcp_case import EXPRESSIONS, PATIENCE_S, make_message

# OSC


@pytest.fixture
def osc_server() -> Iterator[tuple[int, queue.Queue]]:
    """python-osc's own server on a port of the system's choice, and what it hears."""
    osc_server = pytest.importorskip("pythonosc.osc_server")
    dispatcher_module = pytest.importorskip("pythonosc.dispatcher")
    heard: queue.Queue = queue.Queue()
    dispatcher = dispatcher_module.Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: heard.put((address, *values)))
    server = osc_server.BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1], heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_osc_says_all_of_a_message(osc_server: tuple[int, queue.Queue]) -> None:
    port, heard = osc_server
    sink = OscSender("localhost", port)
    assert "leave this machine" not in sink.start()
    messages = [make_message(3, 2), make_message(4, 0)]
    for message in messages:
        sink.send(Step(message))
    got = [heard.get(timeout=PATIENCE_S) for _ in range(7)]
    assert got[0] == (LABELS, *EXPRESSIONS.words)
    assert got[1] == (FRAME, 3, messages[0].timestamp, 2)
    assert got[2][:4] == (FACE, 1, 3, "Happy")
    assert got[2][4] == pytest.approx(0.88)
    assert got[2][5:] == (1003, 700, 400, 400)
    assert got[3][:2] == (SCORES, 1)
    assert got[3][2:] == pytest.approx(messages[0].faces[0].scores)
    assert got[4][:4] == (FACE, 2, 4, "Sad")
    assert got[5][:2] == (SCORES, 2)
    assert got[6] == (FRAME, 4, messages[1].timestamp, 0)
    assert heard.empty()
    sink.close()
    assert sink.summary() == "OSC: 2 messages"


def test_osc_takes_numbers_that_none_of_its_ints_holds(
    osc_server: tuple[int, queue.Queue],
) -> None:
    port, heard = osc_server
    message = make_message(2**31 + 5, 1)
    (face,) = message.faces
    far = replace(face, id=2**31, box=Box(2**31, 0, 1, 1))
    sender = OscSender("127.0.0.1", port)
    sender.start()
    sender.send(Step(replace(message, faces=(far,))))
    sender.close()
    said = [heard.get(timeout=PATIENCE_S) for _ in range(4)]
    assert next(each for each in said if each[0] == FRAME)[1] == 5
    assert next(each for each in said if each[0] == FACE)[5] == 2**31 - 1


def test_osc_says_the_labels_again(
    osc_server: tuple[int, queue.Queue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aufer.live.sinks.osc._LABELS_EVERY_S", 0.0)
    port, heard = osc_server
    sink = OscSender("127.0.0.1", port)
    sink.start()
    for seq in range(3):
        sink.send(Step(make_message(seq, 0)))
    got = [heard.get(timeout=PATIENCE_S)[0] for _ in range(6)]
    assert got == [LABELS, FRAME] * 3
    sink.close()


def test_osc_goes_on_where_nobody_listens_and_beyond_what_udp_takes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sink = OscSender("127.0.0.1", port)
    sink.start()
    with caplog.at_level(logging.WARNING, "aufer"):
        for seq in range(20):
            sink.send(Step(make_message(seq)))
        for seq in range(2):
            sink.send(Step(make_message(seq, 690)))
    sink.close()
    sink.close()
    assert len(caplog.records) == 1
    assert sink.summary() == "OSC: 20 messages, 2 could not be sent"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("touch.local:1", ("touch.local", 1)),
        ("[::1]:9000", ("::1", 9000)),
    ],
)
def test_osc_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_osc_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "9000", ":9000", "host:", "host:0", "host:65536", "host:9e3", "::1:9000", "a:²"]
)
def test_what_is_no_osc_address(text: str) -> None:
    with pytest.raises(UsageError, match="no HOST:PORT") as caught:
        parse_osc_address(text)
    assert caught.value.hint


def test_osc_to_other_machines_is_said_and_unknown_hosts_are_refused() -> None:
    pytest.importorskip("pythonosc")
    sink = OscSender("192.0.2.1", 9000)
    assert "leave this machine" in sink.start()
    sink.close()
    with pytest.raises(EnvironmentFailure, match=r"no-such-host\.invalid"):
        OscSender("no-such-host.invalid", 9000).start()


WITHOUT = """
import sys
sys.modules[{module!r}] = None
from aufer.errors import EnvironmentFailure
from aufer.live.sinks.osc import OscSender
from aufer.live.sinks.lsl import LslOutlet
from tests.tcp_case import EXPRESSIONS
try:
    {sink}.start()
except EnvironmentFailure as error:
    print(error.hint)
"""


@pytest.mark.parametrize(
    ("module", "sink", "hint"),
    [
        ("pythonosc", "OscSender('127.0.0.1', 9)", "pip install 'aufer[osc]'"),
        ("pylsl", "LslOutlet('x', EXPRESSIONS)", "pip install 'aufer[lsl]'"),
    ],
)
def test_a_missing_package_is_named(module: str, sink: str, hint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(module=module, sink=sink)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == hint


# LSL


@pytest.fixture
def lsl() -> Any:
    """pylsl, with its library."""
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:
        require("lsl", f"pylsl can't be used: {error}")
    return pylsl


def test_lsl_gives_the_largest_face_at_its_frames_time(lsl: Any) -> None:
    name = f"aufer-test-{os.getpid()}"
    sink = LslOutlet(name, EXPRESSIONS)
    assert name in sink.start()
    found = lsl.resolve_byprop("name", name, 1, PATIENCE_S)
    assert len(found) == 1
    inlet = lsl.StreamInlet(found[0])
    inlet.open_stream(PATIENCE_S)
    info = inlet.info(PATIENCE_S)
    assert (info.type(), info.nominal_srate(), info.channel_count()) == ("Expression", 0.0, 12)
    assert info.source_id().endswith(name)
    labels, units = channel_texts(info, "label"), channel_texts(info, "unit")
    assert labels == [label for label, _ in OWN_CHANNELS] + list(EXPRESSIONS.names)
    assert units == ["count"] + ["pixels"] * 4 + ["probability"] * 7

    two, none = make_message(5, 2), make_message(6, 0)
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 0, 0.0, time.perf_counter() - 100.0)
    before = lsl.local_clock()
    sink.send(Step(two, frame))
    sink.send(Step(none))
    after = lsl.local_clock()
    sample, taken_at = inlet.pull_sample(PATIENCE_S)
    assert sample == pytest.approx([1, 1005, 700, 400, 400, *two.faces[0].scores])
    assert before - 101 < taken_at < after - 99
    sample, taken_at = inlet.pull_sample(PATIENCE_S)
    assert all(math.isnan(value) for value in sample)
    assert before <= taken_at <= after
    inlet.close_stream()
    sink.close()
    assert sink.summary() == "LSL: 2 samples"


def channel_texts(info: Any, what: str) -> list[str]:
    channel = info.desc().child("channels").child("channel")
    texts = []
    while not channel.empty():
        texts.append(channel.child_value(what))
        channel = channel.next_sibling()
    return texts


def test_an_lsl_stream_needs_a_name(lsl: Any) -> None:
    sink = LslOutlet("", EXPRESSIONS)
    with pytest.raises(EnvironmentFailure, match="can't be opened"):
        sink.start()
    sink.close()


def test_lsl_samples_have_a_channel_each() -> None:
    assert len(sample_of(make_message(0, 0))) == len(sample_of(make_message(0, 1))) == 12
