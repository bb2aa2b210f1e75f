"""Recordings: what is written, what is left of it after a disaster, and what is played back."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aufer.errors import AuferError, DataError, EnvironmentFailure, UsageError
from aufer.live.box import Box
from aufer.live.frame import Frame
from aufer.live.recording_folder import open_recording
from aufer.live.replay import replay
from aufer.live.sinks.recording import Recorder
from aufer.live.sinks.sink import Step, StopAsked
from tests.live_video import numbered_frame, read_number
from tests.tcp_case import EXPRESSIONS, make_message

SIZE = (320, 240)
GAPS_S = (0.0, 0.1, 0.3, 0.05, 0.15)
FAST = 1e6


def step_of(seq: int, *, at_s: float = 0.0, size: tuple[int, int] = SIZE, n_faces: int = 1) -> Step:
    """A step with a numbered frame, so long after the first."""
    pixels = numbered_frame(seq, size)
    message = make_message(seq, n_faces)
    box = Box(10 + seq % 10, 40, size[0] // 2, size[1] // 2)
    message = replace(
        message,
        width=size[0],
        height=size[1],
        timestamp=1.7e9 + at_s,
        faces=tuple(replace(face, box=box) for face in message.faces),
    )
    return Step(message, Frame(pixels, seq, message.timestamp, time.perf_counter()))


def some_steps(n_faces: int = 1) -> list[Step]:
    times = np.cumsum(GAPS_S)
    return [step_of(seq, at_s=float(at_s), n_faces=n_faces) for seq, at_s in enumerate(times)]


def record(folder: Path, steps: list[Step], **options: Any) -> Recorder:
    recorder = Recorder(folder, source="camera 0", model="face-cnn", **options)
    recorder.start()
    for step in steps:
        recorder.send(step)
    recorder.close()
    return recorder


def lines_of(steps: list[Step]) -> list[bytes]:
    return [step.message.line() for step in steps]


def facts_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "recording.json").read_text(encoding="utf-8"))


# what is written


def test_no_picture_is_kept_unless_asked(tmp_path: Path) -> None:
    recorder = record(tmp_path / "r", some_steps(2))
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == [
        "messages.jsonl",
        "recording.json",
    ]
    facts = facts_of(tmp_path / "r")
    assert facts["schema"] == "aufer/recording/1"
    assert (facts["source"], facts["model"], facts["video"]) == ("camera 0", "face-cnn", None)
    assert (facts["n_messages"], facts["n_faces"], facts["duration_s"]) == (5, 10, 0.6)
    assert (facts["frame_width"], facts["frame_height"]) == SIZE
    assert facts["labels"] == list(EXPRESSIONS.words)
    assert facts["is_complete"]
    assert facts["made_by"].startswith("aufer ")
    assert recorder.summary() == f"recording {tmp_path / 'r'}: 5 messages"


def test_the_start_says_whether_pictures_are_kept(tmp_path: Path) -> None:
    without = Recorder(tmp_path / "a", source="s", model="m")
    assert "no pictures" in without.start()
    with_video = Recorder(tmp_path / "b", source="s", model="m", save_video=True)
    assert "the video" in with_video.start()
    without.close()
    with_video.close()


def test_a_folder_with_something_in_it_is_kept_unless_forced(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    record(folder, some_steps(), save_video=True)
    before = (folder / "messages.jsonl").read_bytes()
    with pytest.raises(AuferError, match="not empty") as caught:
        record(folder, [])
    assert "--force" in (caught.value.hint or "")
    assert (folder / "messages.jsonl").read_bytes() == before
    (folder / "note.txt").write_text("mine")
    record(folder, some_steps()[:2], force=True)
    assert sorted(p.name for p in folder.iterdir()) == [
        "messages.jsonl",
        "note.txt",
        "recording.json",
    ]
    assert [s.frame for s in replay(folder, speed=FAST)] == [None, None]


def test_a_file_is_no_place_for_a_recording(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(AuferError, match="is no folder"):
        record(tmp_path / "file", [])
    with pytest.raises(EnvironmentFailure, match="can't be written"):
        record(tmp_path / "file" / "r", [])
    assert (tmp_path / "file").read_text() == "x"


# what is played


def test_a_replay_gives_the_same_messages(tmp_path: Path) -> None:
    steps = [step_of(seq, n_faces=n) for seq, n in enumerate((2, 0, 1, 5))]
    record(tmp_path, steps)
    played = list(replay(tmp_path, speed=FAST))
    assert lines_of(played) == lines_of(steps)
    assert all(step.frame is None for step in played)
    assert played[0].message.expressions == EXPRESSIONS


def test_a_replay_keeps_the_gaps(tmp_path: Path) -> None:
    record(tmp_path, some_steps())
    began_s = time.perf_counter()
    came_s = [time.perf_counter() - began_s for _ in replay(tmp_path)]
    # never early; how late depends on the machine
    for came, due in zip(came_s, np.cumsum(GAPS_S), strict=True):
        assert came >= due - 0.02
    assert len(list(replay(tmp_path, speed=FAST))) == 5


def test_a_clock_that_was_set_back_costs_no_time_and_a_replay_goes_on(tmp_path: Path) -> None:
    steps = [step_of(0, at_s=5000.0), step_of(1, at_s=0.0), step_of(2, at_s=0.01)]
    record(tmp_path, steps)
    assert lines_of(list(replay(tmp_path))) == lines_of(steps)


def test_each_frame_of_the_video_belongs_to_its_message(tmp_path: Path) -> None:
    steps = some_steps()
    record(tmp_path, steps, save_video=True, frames_per_s=15)
    played = list(replay(tmp_path, speed=FAST))
    assert [s.frame and read_number(s.frame.pixels) for s in played] == [0, 1, 2, 3, 4]
    assert [s.frame and s.frame.taken_at for s in played] == [s.message.timestamp for s in played]
    facts = facts_of(tmp_path)
    assert (facts["video"], facts["n_frames"], facts["frames_per_s"]) == ("video.avi", 5, 15)


@pytest.mark.skipif(sys.platform == "win32", reason="no name has a colon there")
def test_a_relative_folder_may_look_like_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "plain", some_steps(), save_video=True)
    record(Path("monday:1"), some_steps(), save_video=True)
    coded = [(tmp_path / name / "video.avi").read_bytes() for name in ("plain", "monday:1")]
    assert coded[0] == coded[1]  # by the same writer, not by one that OpenCV falls back to
    frames = [step.frame for step in replay(Path("monday:1"), speed=FAST)]
    assert [read_number(frame.pixels) for frame in frames if frame is not None] == list(range(5))


def test_frames_of_another_size_come_back_in_theirs(tmp_path: Path) -> None:
    sizes = [SIZE, (640, 480), (320, 120), (160, 240), SIZE]
    steps = [step_of(seq, size=size) for seq, size in enumerate(sizes)]
    record(tmp_path, steps, save_video=True)
    played = list(replay(tmp_path, speed=FAST))
    assert [(s.frame.width, s.frame.height) for s in played if s.frame] == sizes
    assert [s.frame and read_number(s.frame.pixels) for s in played] == [0, 1, 2, 3, 4]


def test_a_message_without_a_frame_keeps_the_order(tmp_path: Path) -> None:
    steps = some_steps()
    steps[0], steps[3] = Step(steps[0].message), Step(steps[3].message)
    record(tmp_path, steps, save_video=True)
    frames = [s.frame.pixels if s.frame else None for s in replay(tmp_path, speed=FAST)]
    assert [f is not None and f.max() < 10 for f in frames] == [True, False, False, True, False]
    assert [read_number(frames[k]) for k in (1, 2, 4)] == [1, 2, 4]  # type: ignore[arg-type]


def test_looping_counts_on(tmp_path: Path) -> None:
    steps = some_steps()
    record(tmp_path, steps, save_video=True)
    playing = replay(tmp_path, loop=True, speed=FAST)
    played = [next(playing) for _ in range(12)]
    playing.close()  # type: ignore[attr-defined]
    assert [s.message.seq for s in played] == list(range(12))
    assert [s.frame and read_number(s.frame.pixels) for s in played] == [k % 5 for k in range(12)]
    times = [s.message.timestamp for s in played]
    assert times == sorted(set(times))
    assert times[6] - times[5] == pytest.approx(times[1] - times[0])


def test_a_replay_stops_while_it_waits(tmp_path: Path) -> None:
    record(tmp_path, [step_of(0), step_of(1, at_s=10_000.0)])
    stop = threading.Event()
    playing = replay(tmp_path, stop=stop)
    assert next(playing).message.seq == 0
    threading.Timer(0.2, stop.set).start()
    assert list(playing) == []


def test_a_window_is_asked_while_a_replay_waits(tmp_path: Path) -> None:
    record(tmp_path, [step_of(0), step_of(1, at_s=10_000.0)])

    def poll() -> None:
        raise StopAsked("q")

    playing = replay(tmp_path, on_idle=poll)
    next(playing)
    with pytest.raises(StopAsked):
        next(playing)


# disasters


def test_a_cut_last_line_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record(tmp_path, some_steps())
    path = tmp_path / "messages.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    with caplog.at_level(logging.WARNING, "aufer"):
        assert [s.message.seq for s in replay(tmp_path, speed=FAST)] == [0, 1, 2, 3]
    assert not caplog.records


def test_bad_lines_are_skipped_with_one_warning_and_frames_still_match(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(tmp_path, some_steps(), save_video=True)
    path = tmp_path / "messages.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[0] = b"\xff\xfe garbage\n"  # the labels are in recording.json too
    lines[2] = b"{" + b"[" * 100_000 + b"\n"
    path.write_bytes(b"".join(lines))
    with caplog.at_level(logging.WARNING, "aufer"):
        played = list(replay(tmp_path, speed=FAST))
    assert [s.message.seq for s in played] == [1, 3, 4]
    assert [s.frame and read_number(s.frame.pixels) for s in played] == [1, 3, 4]
    assert len(caplog.records) == 1
    assert "2 lines of" in caplog.text
    assert "line 1" in caplog.text


def test_a_video_that_is_none_leaves_the_messages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(tmp_path, some_steps(), save_video=True)
    (tmp_path / "video.avi").write_bytes(b"no video")
    with caplog.at_level(logging.WARNING, "aufer"):
        assert [s.frame for s in replay(tmp_path, speed=FAST)] == [None] * 5
    assert "can't be played" in caplog.text


RECORD = """
import sys
from pathlib import Path
from aufer.live.sinks.recording import Recorder
from tests.test_live_recording import step_of
recorder = Recorder(Path(sys.argv[1]), source="s", model="m", save_video=True)
recorder.start()
for seq in range(1_000_000):
    recorder.send(step_of(seq, at_s=seq / 30))
    print(seq, flush=True)
"""


def test_a_killed_process_leaves_a_recording_that_plays(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with subprocess.Popen(
        [sys.executable, "-c", RECORD, str(folder)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        last = 0
        while last < 150:
            last = int(process.stdout.readline())
        process.kill()
    played = list(replay(folder, speed=FAST))
    assert len(played) > 150
    assert [s.message.seq for s in played] == list(range(len(played)))
    numbers = [read_number(s.frame.pixels) for s in played if s.frame]
    assert len(numbers) > 50  # but for what OpenCV had not written yet
    assert numbers[:-1] == list(range(len(numbers) - 1))  # the last frame may be cut
    assert not facts_of(folder)["is_complete"]


def test_a_full_disk_ends_the_recording_and_nothing_else(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = small_disk / "r"
    recorder = Recorder(folder, source="s", model="m")
    recorder.start()
    with caplog.at_level(logging.WARNING, "aufer"):
        for seq in range(4000):
            recorder.send(Step(replace(make_message(seq, 2), timestamp=1.7e9)))
        recorder.close()
    assert "No space left" in caplog.records[0].message
    assert "ends early" in (recorder.summary() or "")
    n = len(list(replay(folder, speed=FAST)))
    assert f": {n} messages" in (recorder.summary() or "")
    assert n > 100


def test_a_video_ends_before_the_disk_is_full(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "aufer"):
        recorder = record(small_disk / "r", some_steps(), save_video=True)
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "MB are free" in caplog.text
    assert "5 messages, 0 frames of video; it ends early" in (recorder.summary() or "")
    assert len(list(replay(small_disk / "r", speed=FAST))) == 5


# what can't be played


def test_what_is_no_recording_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        replay(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is no folder"):
        replay(tmp_path / "file")
    with pytest.raises(DataError, match=r"there is no recording\.json"):
        replay(tmp_path)
    with pytest.raises(UsageError, match="speed"):
        replay(tmp_path, speed=0)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("recording.json", "{", "not valid JSON"),
        ("recording.json", '{"schema": "aufer/recording/2"}', "aufer/recording/1 can be played"),
        ("messages.jsonl", None, r"there is no messages\.jsonl"),
        ("messages.jsonl", "", "holds no message"),
        ("messages.jsonl", "x\n", "line 1: it is not valid JSON"),
        ("messages.jsonl", "{}\n" * 2000, "line 1000: v is no whole number"),
    ],
)
def test_broken_recordings_are_data_errors(
    tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    record(tmp_path, some_steps())
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=says):
        open_recording(tmp_path)


def test_scores_of_nothing_can_not_be_played(tmp_path: Path) -> None:
    record(tmp_path, some_steps())
    facts = facts_of(tmp_path) | {"labels": None}
    (tmp_path / "recording.json").write_text(json.dumps(facts))
    assert open_recording(tmp_path).expressions == EXPRESSIONS  # the first line says it too
    path = tmp_path / "messages.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(DataError, match="nobody says"):
        open_recording(tmp_path)
