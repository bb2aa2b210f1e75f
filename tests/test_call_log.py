"""The log of engine calls: every call stands in it, whatever happened to the file before."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from aufer.openface.engine import EngineRun
from aufer.openface.measuring import call_log
from aufer.openface.measuring.call_log import (
    ALONE,
    Call,
    CallLog,
    describe_call,
    older_log,
    read_calls,
)

CALL = Call(
    started_at="2025-01-01T00:00:00+00:00",
    seconds=1.25,
    engine="docker",
    exit_code=0,
    n_images=2,
    n_measured=2,
    first_image="happy/a.jpg",
    last_image="happy/ä.jpg",
    memory_bytes=1 << 30,
    command="docker run --rm openface -fdir /in",
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "extraction" / "engine-calls.jsonl"
    calls = [
        CALL,
        replace(CALL, exit_code=None, stalled=True, why=ALONE),
        replace(CALL, first_image="new\nline\udcff\u2028.jpg", output='a "quote" \\ \x00'),
    ]
    log = CallLog(path)
    for call in calls:
        log.add(call)
    assert read_calls(path) == calls
    assert path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize(("exit_code", "output"), [(0, ""), (134, "x" * 491 + "terminate")])
def test_only_a_failing_program_is_quoted(exit_code: int, output: str) -> None:
    run = EngineRun(exit_code, "out", "x" * 9000 + "terminate\n\n", "docker run")
    call = describe_call(
        run,
        command="docker run",
        started_at="t",
        seconds=0.12345,
        engine="local",
        images=["a", "b", "c"],
        n_measured=1,
    )
    assert call.output == output
    assert (call.first_image, call.last_image, call.n_images) == ("a", "c", 3)
    assert call.seconds == 0.123


def test_stdout_is_quoted_where_stderr_is_silent() -> None:
    run = EngineRun(1, "could not open a.jpg\n", " \n", "docker run")
    call = describe_call(
        run, command="", started_at="t", seconds=1, engine="local", images=["a"], n_measured=0
    )
    assert call.output == "could not open a.jpg"


def test_a_run_that_we_ended_has_no_exit_code() -> None:
    call = describe_call(
        None, command="c", started_at="t", seconds=1, engine="local", images=["a"], n_measured=0
    )
    assert call.exit_code is None
    assert call.command == "c"


def test_a_cut_line_spoils_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    CallLog(path).add(CALL)
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole + whole[:length])
        CallLog(path).add(replace(CALL, n_measured=7))
        found = read_calls(path)
        # all but the newline had arrived: that call is whole
        assert len(found) == (3 if length == len(whole) - 1 else 2)
        assert found[-1].n_measured == 7


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\x00\x00\x00",
        b"\xff\xfe",
        b"[1, 2]",
        b"null",
        b"{}",
        b"[" * 100_000,
        json.dumps({**CALL.__dict__, "seconds": "long"}).encode(),
        json.dumps({**CALL.__dict__, "n_images": True}).encode(),
        json.dumps({**CALL.__dict__, "engine": None}).encode(),
        json.dumps({key: 1 for key in CALL.__dict__ if key != "engine"}).encode(),
    ],
)
def test_damaged_lines_are_passed_over(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "calls.jsonl"
    CallLog(path).add(CALL)
    with path.open("ab") as file:
        file.write(damage + b"\n")
    CallLog(path).add(CALL)
    assert read_calls(path) == [CALL, CALL]


def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps({**CALL.__dict__, "gpu": "none"}) + "\n")
    assert read_calls(path) == [CALL]


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    log = CallLog(path)

    def write(worker: int) -> None:
        for number in range(50):
            log.add(replace(CALL, n_images=worker, n_measured=number, output="x" * 500))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {(call.n_images, call.n_measured) for call in read_calls(path)}
    assert found == {(worker, number) for worker in range(8) for number in range(50)}


def test_a_long_log_is_moved_aside_and_none_of_the_last_calls_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_log, "LARGEST_LOG", 5_000)
    path = tmp_path / "engine-calls.jsonl"
    log = CallLog(path)
    for number in range(100):
        log.add(replace(CALL, n_measured=number))
        assert path.stat().st_size <= 5_000
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "engine-calls.1.jsonl",
        "engine-calls.jsonl",
    ]
    numbers = [c.n_measured for c in (*read_calls(older_log(path)), *read_calls(path))]
    assert numbers == list(range(numbers[0], 100))
    assert len(numbers) > 10


def test_a_log_that_cannot_be_written_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "calls.jsonl"
    path.mkdir()
    log = CallLog(path)
    with caplog.at_level(logging.WARNING, logger="aufer"):
        log.add(CALL)
        log.add(CALL)
    assert len(caplog.records) == 1
    assert "engine calls" in caplog.text


def test_no_log_is_no_calls(tmp_path: Path) -> None:
    assert read_calls(tmp_path / "none.jsonl") == []
