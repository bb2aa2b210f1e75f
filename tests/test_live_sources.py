"""Sources of frames and the thread that reads them: real files, pipes, sockets and streams."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from aufer.errors import DataError, EnvironmentFailure, UsageError
from aufer.live.access import LATE_TOKEN, WRONG_TOKEN
from aufer.live.newest import FrameReader
from aufer.live.pace import Cap
from aufer.live.sources import frame_server
from aufer.live.sources.capture import Address, Camera, VideoFile, shown_url
from aufer.live.sources.choose import choose_source
from aufer.live.sources.folder import Folder, natural_key
from aufer.live.sources.frame_server import NOT_HTTP, REPLACED, TAKEN, FrameServer
from aufer.live.sources.jpeg_splitter import JpegSplitter
from aufer.live.sources.jpeg_stream import StandardInput
from aufer.live.sources.pictures import decode_picture
from aufer.live.sources.source import Picture, Source, SourceLost
from aufer.pictures.decoding import Undecodable
from tests.live_video import (
    MjpegServer,
    face_frames,
    jpeg,
    numbered_frame,
    read_number,
    write_frames,
    write_video,
)

SMALL = (320, 240)
PATIENCE_S = 30


def numbers(reader: FrameReader) -> list[int]:
    """What is painted on all its frames, to the end."""
    return [read_number(frame.pixels) for frame in reader.frames()]


def wait_until(is_so: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, f"waited in vain: {what}"
        time.sleep(0.01)


def next_number(reader: FrameReader) -> int:
    frame = reader.next_frame(PATIENCE_S)
    assert frame is not None, "no frame came"
    return read_number(frame.pixels)


@contextlib.contextmanager
def started(source: Source, **how: Any) -> Iterator[FrameReader]:
    reader = FrameReader(source, **how)
    reader.start()
    try:
        yield reader
    finally:
        reader.close()


class Scripted:
    """A source that does what it is told: for what no file or socket does on demand."""

    title = "the script"
    is_series = True

    def __init__(
        self, *script: object, is_live: bool = True, rate: float | None = None, opens: int = 99
    ) -> None:
        self.is_live, self.frames_per_s = is_live, rate
        self.script = list(script)
        self.n_open = self.n_close = 0
        self.opens = opens

    def open(self) -> None:
        self.n_open += 1
        if 1 < self.n_open <= self.opens:
            raise EnvironmentFailure("not yet")

    def read(self) -> Picture | None:
        if not self.script:
            return None
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            step()
            return self.read()
        assert isinstance(step, int)
        return Picture(numbered_frame(step, SMALL))

    def close(self) -> None:
        self.n_close += 1


# --- video files


def test_every_frame_of_a_video_in_order(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 40, SMALL)
    with started(VideoFile(video), every_frame=True) as reader:
        frames = list(reader.frames())
    assert [read_number(frame.pixels) for frame in frames] == list(range(40))
    assert [frame.number for frame in frames] == list(range(40))
    assert (reader.n_read, reader.dropped, reader.skipped) == (40, 0, 0)
    assert reader.has_ended
    steps = np.diff([frame.taken_at for frame in frames])
    assert steps == pytest.approx(1 / 30, abs=1e-5), "a film that is worked through keeps its time"
    assert (frames[0].width, frames[0].height) == SMALL
    assert all(frame.read_s > 0 for frame in frames)


def test_a_video_plays_at_its_own_rate_and_the_newest_wins(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 30, SMALL, fps=30)
    taken = []
    with started(VideoFile(video)) as reader:
        began = time.perf_counter()
        for frame in reader.frames():
            taken.append(frame.number)
            assert read_number(frame.pixels) == frame.number
            time.sleep(0.15)  # slower than frames come
    assert time.perf_counter() - began > 29 / 30, "faster than the video plays"
    assert taken == sorted(set(taken))
    assert taken[-1] == 29, "the last one is never lost"
    assert reader.dropped > 0
    assert reader.n_read == 30 == len(taken) + reader.dropped
    assert reader.skipped == 0


def test_benchmarks_read_without_pause(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 30, SMALL, fps=1)
    with started(VideoFile(video), play_at_rate=False) as reader:
        assert numbers(reader) == list(range(30))  # half a minute if it were paced


def test_fps_caps_a_video_and_skipped_is_not_dropped(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 30, SMALL, fps=30)
    began = time.perf_counter()
    with started(VideoFile(video), fps=5) as reader:
        taken = numbers(reader)
    assert len(taken) <= 5 * (time.perf_counter() - began) + 1.25
    assert reader.skipped > 0
    assert reader.n_read == 30 == len(taken) + reader.dropped + reader.skipped


def test_fps_paces_every_frame(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 6, SMALL, fps=30)
    began = time.perf_counter()
    with started(VideoFile(video), every_frame=True, fps=10) as reader:
        assert numbers(reader) == list(range(6))
    assert time.perf_counter() - began > 0.49


def test_a_video_that_loops_goes_on(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 5, SMALL)
    with started(VideoFile(video, loop=True), every_frame=True) as reader:
        found = [next_number(reader) for _ in range(12)]
        assert found == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
        assert not reader.has_ended


def test_a_mirrored_video(tmp_path: Path) -> None:
    frame = np.zeros((240, 320, 3), dtype=np.uint8)
    frame[:, :160] = 200
    video = write_frames(tmp_path / "v.avi", [frame] * 2)
    for mirror in (False, True):
        with started(VideoFile(video), every_frame=True, mirror=mirror) as reader:
            first = next(reader.frames()).pixels
        bright, dark = (
            (first[:, 170:], first[:, :150]) if mirror else (first[:, :150], first[:, 170:])
        )
        assert bright.mean() > 150
        assert dark.mean() < 50


def test_damage_inside_a_video_does_not_end_it(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 40, SMALL)
    data = bytearray(video.read_bytes())
    at, size = len(data) // 2, len(data) // 8
    data[at : at + size] = np.random.default_rng(0).bytes(size)
    video.write_bytes(data)
    with started(VideoFile(video), every_frame=True) as reader:
        frames = list(reader.frames())
    assert len(frames) >= 20
    assert read_number(frames[-1].pixels) == 39


def test_files_that_are_no_video(tmp_path: Path) -> None:
    (tmp_path / "empty.avi").touch()
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    cut = write_video(tmp_path / "cut.avi", 10, SMALL)
    cut.write_bytes(cut.read_bytes()[:300])
    for name in ("empty.avi", "text.mp4", "cut.avi"):
        with pytest.raises(DataError, match=name):
            FrameReader(VideoFile(tmp_path / name)).start()
    with pytest.raises(UsageError):
        VideoFile(tmp_path / "absent.avi").open()


# --- cameras and addresses


def test_no_camera_is_one_clear_error_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "from aufer.live.sources.choose import choose_source\n"
        "from aufer.errors import AuferError\n"
        "for source in (choose_source(None, camera=97), choose_source('http://127.0.0.1:9/x'),\n"
        "               choose_source('rtsp://me:secret@127.0.0.1:9/x?key=secret')):\n"
        "    try:\n"
        "        source.open()\n"
        "    except AuferError as error:\n"
        "        print(error.exit_code, error.message, '|', error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr == ""
    camera, http, rtsp = done.stdout.splitlines()
    assert camera.startswith("3 Camera 97 can't be opened. | ")
    assert "aufer live party.mp4" in camera
    assert http.startswith("3 http://127.0.0.1:9/x gives no picture.")
    assert "secret" not in rtsp
    with pytest.raises(UsageError):
        Camera(1400)


def test_a_stream_that_drops_out_and_returns(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aufer")
    with MjpegServer() as server, started(choose_source(server.url), mirror=True) as reader:
        assert reader.source.is_live
        assert next_number(reader) > 0
        for turn in (1, 2):
            server.stop()
            wait_until(lambda: reader.is_lost, "the drop-out")
            assert reader.next_frame(0.1) is None or reader.next_frame(0.1) is None
            assert not reader.has_ended
            server.start()
            wait_until(lambda turn=turn: reader.reopened == turn, "the return")
            assert reader.next_frame(PATIENCE_S) is not None
            assert not reader.is_lost
    lines = [record.getMessage() for record in caplog.records]
    told = [line.split(" dropped out; ")[-1] for line in lines if "dropped out" in line]
    assert told == ["waiting for it to come back"]  # the second time came within a minute
    assert sum(line.endswith(" is back") for line in lines) == 1


def test_a_film_over_http_plays_and_ends(tmp_path: Path) -> None:
    import functools
    import http.server

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    write_video(tmp_path / "v.avi", 10, SMALL)
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        address = Address(f"http://127.0.0.1:{server.server_port}/v.avi")
        with started(address, every_frame=True) as reader:
            assert numbers(reader) == list(range(10))
        server.shutdown()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://me:pa%40ss@cam.lan:554/live?token=1", "rtsp://cam.lan:554/live"),
        ("http://[::1]:80/x#y", "http://[::1]:80/x"),
        ("http://me:secret@host:port/x?key=secret", "http://host:port/x"),
        ("rtsp://cam:554/h264/user=me_password=secret_channel=1/x", "rtsp://cam:554/h264/…"),
        ("rtsp://me:12/34@cam/live", "rtsp://me:12/…"),
    ],
)
def test_addresses_are_shown_without_their_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown
    assert Address(url).title == shown


# --- folders


def test_a_folder_of_pictures_in_natural_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, number in (("a10.png", 3), ("a2.png", 2), ("B/1.jpg", 4)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(numbered_frame(number, SMALL)[:, :, ::-1]).save(path)
    PIL.Image.fromarray(np.full((20, 30), 77, dtype=np.uint8)).save(tmp_path / "a1.png")
    (tmp_path / "a3.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    source = choose_source(str(tmp_path))
    assert isinstance(source, Folder)
    assert not source.is_series
    with started(source) as reader:
        frames = list(reader.frames())
    assert [frame.name for frame in frames] == ["a1.png", "a2.png", "a10.png", "B/1.jpg"]
    assert frames[0].pixels.shape == (20, 30, 3)
    assert (frames[0].pixels == 77).all()
    assert [read_number(frame.pixels) for frame in frames[1:]] == [2, 3, 4]
    assert (frames[1].pixels == numbered_frame(2, SMALL)).all(), "blue, green, red"
    assert source.n_unreadable == 1
    assert sum("a3.png is passed over" in record.getMessage() for record in caplog.records) == 1
    assert (reader.n_read, reader.dropped) == (4, 0)


def test_one_picture_upright(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    PIL.Image.new("RGB", (40, 20), "red").save(tmp_path / "p.jpg", exif=exif)
    with started(choose_source(str(tmp_path / "p.jpg"))) as reader:
        (frame,) = reader.frames()
    assert (frame.width, frame.height, frame.name) == (20, 40, "p.jpg")
    assert frame.pixels[..., 2].mean() > 200
    assert frame.pixels[..., 0].mean() < 50


def test_a_folder_loops_only_if_asked_and_never_without_end_in_vain(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        PIL.Image.new("L", (8, 8)).save(tmp_path / name)
    with started(Folder(tmp_path, loop=True)) as reader:
        names = [frame.name for frame, _ in zip(reader.frames(), range(5), strict=False)]
    assert names == ["a.png", "b.png", "a.png", "b.png", "a.png"]
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"broken")
    with started(Folder(tmp_path, loop=True)) as reader, pytest.raises(DataError, match="None of"):
        list(reader.frames())


def test_a_folder_without_a_picture(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture"):
        Folder(tmp_path).open()


def test_names_are_sorted_as_people_count() -> None:
    names = ["b", "a10b", "a2", "A1", "10", "9", "a", "a/2", "a/10"]
    assert sorted(names, key=natural_key) == [
        "9",
        "10",
        "a",
        "A1",
        "a2",
        "a10b",
        "a/2",
        "a/10",
        "b",
    ]


# --- JPEGs cut out of bytes


def a_jpeg(number: int, **options: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(numbered_frame(number, SMALL)[:, :, ::-1]).save(file, "JPEG", **options)
    return file.getvalue()


def with_segment(data: bytes, payload: bytes) -> bytes:
    """With an APP1 segment that holds anything."""
    return data[:2] + b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload + data[2:]


def split(data: bytes, step: int, splitter: JpegSplitter | None = None) -> list[bytes]:
    splitter = splitter or JpegSplitter()
    return [one for at in range(0, len(data), step) for one in splitter.feed(data[at : at + step])]


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_jpegs_of_all_kinds_are_cut_where_they_end(step: int) -> None:
    plain = a_jpeg(1)
    thumbnail = a_jpeg(9)[:30000]
    kinds = [
        plain,
        a_jpeg(2, progressive=True),
        with_segment(plain, b"Exif\0\0" + thumbnail),
        with_segment(plain, b"\xff\xd9\xff\xd8\xff"),
        jpeg(numbered_frame(3, SMALL)),
        a_jpeg(4, restart_marker_rows=1),
        plain[:-2] + b"\xff\xff\xff\xd9",  # fillings before the end
        plain[:-2] + b"\xff\xfe\x00\x02\xff\xd9",  # an empty comment there
    ]
    between = [b"", b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n", b"\xff\xd0", b"\0\xff"]
    stream = b"".join(between[n % 4] + one for n, one in enumerate(kinds))
    splitter = JpegSplitter()
    assert split(stream, step, splitter) == kinds
    assert splitter.n_broken == 0
    assert splitter.n_passed_over == sum(len(between[n % 4]) for n in range(len(kinds)))
    assert all(decode_picture(io.BytesIO(one)).shape == (240, 320, 3) for one in kinds)


@pytest.mark.parametrize("step", [13, 4096])
def test_after_damage_it_goes_on_at_the_next_jpeg(step: int) -> None:
    whole = [a_jpeg(n) for n in range(1, 6)]
    noise = np.random.default_rng(0).bytes(5000)
    cut = [
        whole[0][: len(whole[0]) // 2],  # in its coded data
        whole[0][:-1],
        whole[0][:3],
        b"\xff\xd8\xff\x00" + noise,
    ]
    stream = noise + b"".join(bad + good for bad, good in zip(cut, whole, strict=False)) + whole[4]
    splitter = JpegSplitter()
    found = split(stream, step, splitter)
    assert splitter.n_broken >= 4
    assert [one for one in found if one in whole] == [found for found in whole if found in found]
    assert whole[4] in found


def test_random_bytes_never_pile_up_nor_raise() -> None:
    rng = np.random.default_rng(1)
    base = a_jpeg(1)
    splitter = JpegSplitter(most_bytes=50_000)
    for _ in range(300):
        data = bytearray(base)
        for at in rng.integers(0, len(data), 20):
            data[at] = rng.integers(0, 256)
        for one in splitter.feed(bytes(data)):
            with contextlib.suppress(Undecodable):
                decode_picture(io.BytesIO(one))
        assert len(splitter._bytes) <= 50_000 + len(base)
    assert any(base == one for one in splitter.feed(base * 10)), "it never found its way back"


def test_an_oversized_jpeg_is_passed_over() -> None:
    small, large = a_jpeg(1), a_jpeg(2, quality=100)
    limit = len(small) + 100
    assert len(large) > limit
    for step in (100, 1 << 20):
        splitter = JpegSplitter(most_bytes=limit)
        assert split(small + large + small, step, splitter) == [small, small]
        assert splitter.n_broken == 1
    endless = JpegSplitter(most_bytes=limit)
    for _ in range(100):
        assert endless.feed(large[:-2] if endless.n_broken == 0 else b"\x00" * 1000) == []
        assert len(endless._bytes) <= limit + len(large)


def test_a_jpeg_of_absurdly_many_pixels_is_passed_over() -> None:
    plain = a_jpeg(1)
    at = plain.index(b"\xff\xc0") + 5
    bomb = plain[:at] + b"\xff\xff\xff\xff" + plain[at + 4 :]
    assert split(bomb + plain, 4096) == [plain]


# --- standard input


@contextlib.contextmanager
def piped() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    with contextlib.ExitStack() as closing:
        closing.callback(_close, read_end)
        closing.callback(_close, write_end)
        yield read_end, write_end


def _close(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    with open(fd, "wb") as file:  # closes it
        file.write(data)


def test_every_jpeg_of_a_pipe_in_order_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    damaged = a_jpeg(7)
    at = damaged.index(b"\xff\xc4") + 4
    damaged = damaged[:at] + b"\x01" * 17 + damaged[at + 17 :]  # whole, but nonsense
    with pytest.raises(Undecodable):
        decode_picture(io.BytesIO(damaged))
    stream = b"garbage" + b"".join(a_jpeg(n) + (damaged if n == 5 else b"") for n in range(30))
    with piped() as (read_end, write_end):
        writer = threading.Thread(target=write_all, args=(write_end, stream))
        writer.start()
        source = StandardInput(read_end, every_frame=True)
        assert source.is_live
        with started(source, every_frame=True) as reader:
            assert numbers(reader) == list(range(30))
        writer.join()
    assert source.n_damaged == 1
    assert (reader.n_read, reader.dropped) == (30, 0)
    assert sum("damaged" in record.getMessage() for record in caplog.records) == 1


def test_of_a_live_pipe_the_newest_wins() -> None:
    with piped() as (read_end, write_end), started(StandardInput(read_end)) as reader:
        os.write(write_end, a_jpeg(0))
        assert next_number(reader) == 0
        write_all(write_end, b"".join(a_jpeg(n) for n in range(1, 40)))
        wait_until(lambda: reader.n_read == 40, "all to be read")
        taken = [read_number(frame.pixels) for frame in reader.frames()]
        assert taken == [39]
        assert reader.dropped == 38


def test_a_file_as_standard_input_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "v.mjpeg").write_bytes(b"".join(a_jpeg(n) for n in range(12)))
    code = (
        "from aufer.live.sources.choose import choose_source\n"
        "from aufer.live.newest import FrameReader\n"
        "from tests.live_video import read_number\n"
        "import time\n"
        "reader = FrameReader(choose_source('-')); reader.start()\n"
        "for frame in reader.frames():\n"
        "    time.sleep(0.01); print(read_number(frame.pixels))\n"
    )
    with (tmp_path / "v.mjpeg").open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=file,
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[1],
        )
    assert [int(line) for line in done.stdout.split()] == list(range(12))


def test_no_jpeg_on_standard_input() -> None:
    with piped() as (read_end, write_end):
        write_all(write_end, b"no JPEG at all")
        with started(StandardInput(read_end)) as reader, pytest.raises(DataError, match="no JPEG"):
            list(reader.frames())


@pytest.mark.skipif(os.name != "posix", reason="terminals are made differently")
def test_a_terminal_is_no_standard_input() -> None:
    ours, theirs = os.openpty()
    with pytest.raises(UsageError, match="Nothing is piped"):
        StandardInput(theirs).open()
    _close(ours)
    _close(theirs)


def test_closing_ends_a_wait_for_input() -> None:
    with piped() as (read_end, _):
        with started(StandardInput(read_end)) as reader:
            assert reader.next_frame(0.2) is None
        assert reader.has_ended
        thread = reader._thread
        assert thread is not None
        assert not thread.is_alive()


# --- frames by TCP


@contextlib.contextmanager
def connected(source: FrameServer) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", source.port), PATIENCE_S) as client:
        yield client


def refusal(client: socket.socket) -> str:
    with client.makefile("rb") as file:
        line = file.readline()
        assert file.read() == b"", "one line, then the end"
    error = json.loads(line)["error"]
    assert isinstance(error, str)
    return error


def test_clients_hand_over_frames_one_after_the_other() -> None:
    source = FrameServer(0, every_frame=True)
    with started(source, every_frame=True) as reader:
        assert source.port > 0
        assert str(source.port) in source.title
        for turn in range(3):
            with connected(source) as client:
                client.sendall(b"garbage" + b"".join(a_jpeg(10 * turn + n) for n in range(5)))
                client.sendall(a_jpeg(99)[:500])  # leaves in the middle
                found = [next_number(reader) for _ in range(5)]
                assert found == [10 * turn + n for n in range(5)]
                wait_until(lambda: source._sender is not None, "the sender")
            wait_until(lambda: source._sender is None, "its leaving to be noticed")
            assert reader.next_frame(0.05) is None
            assert not reader.has_ended
        assert (reader.n_read, reader.dropped, reader.reopened) == (15, 0, 0)
    with pytest.raises(OSError, match=r"."):
        socket.create_connection(("127.0.0.1", source.port), 2)


def test_of_many_frames_sent_at_once_the_newest_wins() -> None:
    source = FrameServer(0)
    with started(source) as reader, connected(source) as client:
        client.sendall(b"".join(a_jpeg(n) for n in range(1, 61)))
        wait_until(lambda: reader.n_read == 60, "all to be read")
        assert next_number(reader) == 60
        assert reader.dropped == 59


def test_a_second_client_is_refused_while_the_first_sends() -> None:
    source = FrameServer(0)
    with started(source) as reader:
        with connected(source) as first:
            first.sendall(a_jpeg(1))
            assert next_number(reader) == 1
            with connected(source) as second:
                second.sendall(a_jpeg(2) * 3)
                assert refusal(second) == TAKEN
            first.sendall(a_jpeg(3))
            assert next_number(reader) == 3
        wait_until(lambda: source._sender is None, "the first to leave")
        with connected(source) as third:
            third.sendall(a_jpeg(4))
            assert next_number(reader) == 4


def test_who_sends_nothing_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_server, "_SILENT_S", 0.2)
    source = FrameServer(0)
    with started(source) as reader, connected(source) as silent:
        silent.sendall(b"this is no JPEG")
        time.sleep(0.3)
        with connected(source) as client:
            client.sendall(a_jpeg(5))
            assert next_number(reader) == 5
            assert refusal(silent) == REPLACED


def test_a_token_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_server, "TOKEN_PATIENCE_S", 0.5)
    source = FrameServer(0, token="the right one")
    with started(source) as reader:
        for first in (b'{"token": "wrong"}\n', a_jpeg(1), b"\n", b"x" * 1_000_000):
            with connected(source) as client:
                with contextlib.suppress(OSError):  # may be put out while it sends
                    client.sendall(first)
                assert refusal(client) == WRONG_TOKEN
        with connected(source) as idle:
            assert refusal(idle) == LATE_TOKEN
        assert reader.n_read == 0
        with connected(source) as client:
            line = json.dumps({"token": "the right one"}).encode() + b"\n"
            client.sendall(line[:5])
            time.sleep(0.05)
            client.sendall(line[5:] + a_jpeg(6))
            assert next_number(reader) == 6
            time.sleep(0.6)  # the patience with tokens is over, but it had one
            client.sendall(a_jpeg(7))
            assert next_number(reader) == 7


def test_a_browser_can_not_hand_over_frames() -> None:
    source = FrameServer(0)
    with started(source) as reader, connected(source) as client:
        client.sendall(b"PO")
        time.sleep(0.05)
        client.sendall(b"ST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + a_jpeg(1))
        assert refusal(client) == NOT_HTTP
        assert reader.n_read == 0


def test_without_a_free_file_descriptor_the_server_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    refused, naps = [], []

    class Exhausted:
        def accept(self) -> None:
            refused.append(1)
            raise OSError(errno.EMFILE, "too many open files")

    server = FrameServer(0)
    monkeypatch.setattr(frame_server, "time", types.SimpleNamespace(sleep=naps.append))
    server._accept(Exhausted())
    assert (len(refused), len(naps)) == (1, 1)


def test_ports_and_hosts_that_can_not_be_had() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(EnvironmentFailure, match=f"Port {port} is taken") as error:
            FrameServer(port).open()
    assert error.value.hint is not None
    assert error.value.hint.startswith("--listen-frames ")
    with pytest.raises(UsageError, match="token"):
        FrameServer(0, host="0.0.0.0")


# --- the reader


def test_a_source_that_is_lost_while_opening_again(caplog: pytest.LogCaptureFixture) -> None:
    source = Scripted(1, SourceLost("gone"), 2, opens=2)
    with started(source) as reader:
        assert next_number(reader) == 1
        assert next_number(reader) == 2
        assert reader.next_frame(PATIENCE_S) is None
        assert reader.has_ended
        assert (reader.reopened, source.n_open) == (1, 3)
    assert sum("The script dropped out" in record.getMessage() for record in caplog.records) == 1


def test_a_bug_in_a_source_surfaces_with_its_frames_first() -> None:
    with started(Scripted(1, ZeroDivisionError("a bug"), is_live=False)) as reader:
        frames = reader.frames()
        assert read_number(next(frames).pixels) == 1
        with pytest.raises(ZeroDivisionError, match="a bug"):
            next(frames)


def test_what_can_not_be_opened_is_raised_by_start_and_released() -> None:
    source = Scripted(opens=2)
    source.n_open = 1
    reader = FrameReader(source)
    with pytest.raises(EnvironmentFailure):
        reader.start()
    assert source.n_close == 1
    reader.close()


def test_close_returns_while_reading_hangs_and_counts_what_nobody_took() -> None:
    hanging, freed = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        freed.wait(PATIENCE_S)

    source = Scripted(1, hang, 2)
    reader = FrameReader(source)
    reader.start()
    assert hanging.wait(PATIENCE_S)
    reader.close()
    reader.close()
    assert reader._thread is not None
    assert reader._thread.is_alive(), "close waited until it was over"
    assert reader.has_ended
    assert list(reader.frames()) == []
    assert reader.n_read == reader.dropped == 1
    freed.set()
    reader._thread.join(PATIENCE_S)
    assert not reader._thread.is_alive()
    assert reader.n_read == 1, "what came after the end counts"


def test_close_while_it_waits_for_a_lost_source() -> None:
    source = Scripted(SourceLost("gone"))
    with started(source) as reader:
        wait_until(lambda: reader.is_lost, "the loss")
    assert reader._thread is not None
    assert not reader._thread.is_alive()
    assert source.n_open == 1


def test_who_waits_for_room_reads_one_ahead_only() -> None:
    source = Scripted(*range(10), is_live=False)
    with started(source) as reader:
        time.sleep(0.1)
        assert len(source.script) == 10  # before anybody looks, nothing is read
        first = reader.next_frame(PATIENCE_S)
        assert first is not None
        assert first.number == 0
        wait_until(lambda: len(source.script) == 7, "two more frames to be read")
        time.sleep(0.1)
        assert len(source.script) == 7
        assert numbers(reader) == list(range(1, 10))


def test_a_cap_holds_the_rate_on_average() -> None:
    rng = np.random.default_rng(0)
    for rate, expected in ((5, 5), (10, 10), (20, 20), (30, 30), (60, 30)):
        cap = Cap(rate)
        n = sum(cap.lets_through(k / 30 + rng.uniform(-0.003, 0.003)) for k in range(3000))
        assert n / 100 == pytest.approx(expected, rel=0.03)
    cap = Cap(5)
    assert [t for t in range(0, 500, 20) if cap.lets_through(t / 1000)] == [0, 160, 360]
    assert [t for t in range(5000, 5500, 20) if cap.lets_through(t / 1000)] == [5000, 5160, 5360]


# --- what the user typed


def test_sources_by_what_is_typed(tmp_path: Path) -> None:
    (tmp_path / "party.mp4").touch()
    (tmp_path / "face.JPG").touch()
    for text, kind in (
        (None, Camera),
        ("/dev/video2", Camera),
        ("rtsp://host/x", Address),
        ("HTTPS://host/x", Address),
        (str(tmp_path), Folder),
        (str(tmp_path / "face.JPG"), Folder),
        (str(tmp_path / "party.mp4"), VideoFile),
    ):
        assert type(choose_source(text)) is kind, text
    assert choose_source(None, camera=2).title == "camera 2"
    assert choose_source("/dev/video2").title == "camera 2"
    assert isinstance(choose_source(None, listen_frames=0), FrameServer)


def test_sources_that_exist_nowhere(tmp_path: Path) -> None:
    (tmp_path / "party one.mp4").touch()
    for text, hint in (
        (str(tmp_path / "party on.mp4"), "party one.mp4'"),
        ("1", "aufer live --camera 1"),
        ("nothing.like.it", "--camera 0"),
        ("", "aufer live party.mp4"),
        ("ftp://host/x", "rtsp://"),
        ("http:///x", "rtsp://host"),
        ("x" * 5000, "choose another path"),
    ):
        with pytest.raises(UsageError) as error:
            choose_source(text)
        assert error.value.hint is not None
        assert hint in error.value.hint, text
    with pytest.raises(UsageError, match="two sources"):
        choose_source("party.mp4", listen_frames=5001)


def test_the_face_frames_hold_as_many_faces(data: Path) -> None:
    import cv2

    path = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
    cascade = cv2.CascadeClassifier(path)
    for n in (0, 1, 5):
        frames = face_frames(data, n)
        for frame, _ in zip(frames, range(3), strict=False):
            grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            assert len(cascade.detectMultiScale(grey, 1.1, 5, minSize=(30, 30))) == n
