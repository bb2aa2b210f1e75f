"""Messages to files and stdout, read back as others read them."""

from __future__ import annotations

import csv
import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aufer.errors import AuferError, EnvironmentFailure, UsageError
from aufer.live.message import Message
from aufer.live.sinks.sink import Sink, Step, StopAsked
from aufer.live.sinks.text import StdoutSink, text_sink
from tests.require import require
from tests.tcp_case import EXPRESSIONS, PATIENCE_S, make_message, wait_until


def send_all(sink: Sink, messages: list[Message]) -> None:
    sink.start()
    for message in messages:
        sink.send(Step(message))
    sink.close()


def some_messages() -> list[Message]:
    """With two faces, one and none."""
    return [make_message(seq, n_faces) for seq, n_faces in enumerate((2, 1, 0, 3))]


# files


def test_json_lines_are_the_messages_and_the_first_has_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "new" / "faces.jsonl"
    messages = some_messages()
    sink = text_sink(str(path))
    send_all(sink, messages)
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines == [m.line(with_labels=m.seq == 0) for m in messages]
    assert json.loads(lines[0])["labels"] == list(EXPRESSIONS.words)
    assert sink.summary() == f"{path}: 4 messages"


def test_the_csv_has_a_row_for_each_face_and_one_for_a_frame_without(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    messages = some_messages()
    messages[1] = replace(messages[1], image='a, "b".jpg')
    send_all(text_sink(str(path)), messages)
    table = pd.read_csv(path)
    assert list(table.columns[-7:]) == list(EXPRESSIONS.names)
    assert list(table["seq"]) == [0, 0, 1, 2, 3, 3, 3]
    assert list(table["faceCount"]) == [2, 2, 1, 0, 3, 3, 3]
    assert table["image"].dropna().tolist() == ['a, "b".jpg']
    without = table[table["seq"] == 2].iloc[0]
    assert without[["id", "expression", "x", "confidence", "happy"]].isna().all()
    row = table[(table["seq"] == 3) & (table["id"] == 2)].iloc[0]
    face = messages[3].faces[1]
    assert (row["x"], row["y"], row["width"], row["height"]) == (1003, 701, 399, 399)
    assert (row["expression"], row["expressionIdx"], row["confidence"]) == ("Sad", 4, 0.88)
    assert tuple(row[list(EXPRESSIONS.names)]) == face.scores
    assert row["timestamp"] == round(messages[3].timestamp, 3)


def test_a_name_that_is_not_utf_8_does_not_spoil_the_csv(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    send_all(text_sink(str(path)), [replace(make_message(0), image=os.fsdecode(b"a\xff.jpg"))])
    assert pd.read_csv(path)["image"].tolist() == ["a\\udcff.jpg"]


def test_a_file_grows_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    sink = text_sink(str(path))
    sink.start()
    for seq in range(3):
        sink.send(Step(make_message(seq)))
        assert len(path.read_text(encoding="utf-8").splitlines()) == seq + 2
    sink.close()


def test_an_older_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    path.write_text("mine\n" * 1000)
    with pytest.raises(AuferError, match="exists; it is kept") as caught:
        text_sink(str(path)).start()
    assert "--force" in (caught.value.hint or "")
    assert path.read_text() == "mine\n" * 1000
    send_all(text_sink(str(path), force=True), [make_message(0)])
    assert path.read_bytes() == make_message(0).line(with_labels=True)


@pytest.mark.parametrize("out", ["faces.txt", "faces", "stderr", "/dev/null", ".csv", ""])
def test_other_names_are_refused_with_those_that_are_known(out: str) -> None:
    with pytest.raises(UsageError, match=r"stdout.*\.jsonl.*\.csv"):
        text_sink(out)


def test_a_place_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EnvironmentFailure, match="can't be written"):
        text_sink(str(tmp_path / "file" / "faces.csv")).start()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(AuferError, match="not a regular file"):
        text_sink(str(tmp_path / "folder.csv"), force=True).start()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_full_disk_ends_the_file_with_a_whole_line(
    small_disk: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink = text_sink(str(small_disk / f"faces{suffix}"))
    sink.start()
    with caplog.at_level(logging.WARNING, "aufer"):
        for seq in range(4000):
            sink.send(Step(make_message(seq, 2)))
    sink.close()
    data = (small_disk / f"faces{suffix}").read_bytes()
    assert len(data) > 100_000
    assert data.endswith(b"\n")
    if suffix == ".csv":
        rows = list(csv.reader(data.decode().splitlines()))
        assert {len(row) for row in rows} == {15 + 7}
    else:
        assert all(json.loads(line)["faceCount"] == 2 for line in data.splitlines())
    assert len(caplog.records) == 1
    assert "No space left" in caplog.text
    assert "it ends early: No space left" in (sink.summary() or "")


# stdout

TO_STDOUT = """
import sys, time
from aufer.live.sinks.sink import Step, StopAsked
from aufer.live.sinks.text import text_sink
from tests.tcp_case import make_message
sink = text_sink("stdout", may_wait=sys.argv[2] == "wait")
sink.start()
try:
    for seq in range(int(sys.argv[1])):
        sink.send(Step(make_message(seq)))
        if len(sys.argv) > 3:
            time.sleep(float(sys.argv[3]))
except StopAsked as stop:
    print(f"stopped: {stop}", file=sys.stderr)
sink.close()
print(sink.summary(), file=sys.stderr)
"""


def stdout_process(*args: object, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", TO_STDOUT, *map(str, args)],
        cwd=Path(__file__).parents[1],
        stderr=subprocess.PIPE,
        **options,
    )


def test_stdout_gets_each_line_at_once() -> None:
    with stdout_process(3, "drop", 0.2, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert process.poll() is None
        rest, err = process.communicate(timeout=PATIENCE_S)
    assert first["labels"] == list(EXPRESSIONS.words)
    assert [json.loads(line)["seq"] for line in rest.splitlines()] == [1, 2]
    assert err.decode().splitlines() == ["stdout: 3 messages"]


def test_a_reader_that_leaves_stops_the_run() -> None:
    with stdout_process(100_000, "drop", 0.01, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read().decode()
        assert process.wait(PATIENCE_S) == 0
    assert err.startswith("stopped: ")
    assert "Traceback" not in err


def test_a_reader_that_sleeps_loses_the_oldest_and_knows_the_labels() -> None:
    with stdout_process(5000, "drop", stdout=subprocess.PIPE) as process:
        # it is done before anything is read: it did not wait
        assert process.stderr is not None
        err = process.stderr.readline().decode()
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout.read().splitlines()[:-1]]
    assert "dropped: its reader was slow" in err
    assert len(lines) < 5000
    assert lines[0]["labels"] == list(EXPRESSIONS.words)
    seqs = [line["seq"] for line in lines]
    assert seqs == sorted(set(seqs))


def test_a_run_that_may_wait_loses_nothing() -> None:
    with stdout_process(3000, "wait", stdout=subprocess.PIPE) as process:
        time.sleep(0.5)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert [json.loads(line)["seq"] for line in out.splitlines()] == list(range(3000))
    assert err.decode() == "stdout: 3000 messages\n"


def test_stdout_on_a_full_disk_ends_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    require("full", None if Path("/dev/full").exists() else "there is no /dev/full")
    with open("/dev/full", "wb") as file, caplog.at_level(logging.WARNING, "aufer"):
        sink = StdoutSink(descriptor=file.fileno())
        sink.start()
        for seq in range(200):
            sink.send(Step(make_message(seq)))
            time.sleep(0.001)
        sink.close()
    assert [r.message for r in caplog.records] == [
        "No more messages on stdout: No space left on device."
    ]
    assert "it ended early: No space left" in (sink.summary() or "")


def test_a_pipe_without_a_reader_asks_for_the_end() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = StdoutSink(descriptor=writing)
    sink.start()

    def send() -> bool:
        try:
            sink.send(Step(make_message(0)))
        except StopAsked:
            return True
        return False

    wait_until(send, "the end was asked for")
    sink.send(Step(make_message(1)))  # once is enough
    sink.close()
    os.close(writing)
