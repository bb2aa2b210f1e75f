"""``aufer live`` as a whole: a process, a video, clients; and every way of starting it wrongly."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import PIL.Image
import pytest

from aufer.bundle import IMAGE_INPUT
from aufer.emotions import DEFAULT_NAMES
from aufer.errors import DataError, EnvironmentFailure, UsageError
from aufer.image_input import CROP, RGB, ImageInput
from aufer.live.box import Box
from aufer.live.expressions import Expressions
from aufer.live.finding.whole import WholeFrame
from aufer.live.frame import Frame
from aufer.live.recognizer import MARGIN, Recognizer
from aufer.live.running_model import open_live_model
from aufer.live.session import Session
from aufer.live.settings import Settings
from aufer.live.stages import Rate, Stages
from aufer.live.watcher import Watcher
from tests.image_model import brightness_of, make_image_bundle, save_pictures
from tests.live_process import LiveProcess
from tests.live_video import MjpegServer, jpeg, numbered_frame, write_face_video, write_video
from tests.running import RunAufer, run_aufer
from tests.tcp_case import LineClient

SCHEMA = Path(__file__).parents[1] / "docs" / "live-message.schema.json"
WORDS = [name.capitalize() for name in DEFAULT_NAMES]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A bundle of pictures: how bright a face is says what it expresses."""
    return make_image_bundle(tmp_path / "models" / "brightness")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty numbered frames without a face, 30 a second."""
    return write_video(tmp_path_factory.mktemp("film") / "film.avi", 60, (320, 240))


@pytest.fixture(scope="module")
def party(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of two real faces that move."""
    return write_face_video(tmp_path_factory.mktemp("party") / "party.avi", data, 2, 2)


def grey_frame(value: int, size: tuple[int, int] = (64, 48)) -> Frame:
    pixels = np.full((size[1], size[0], 3), value, np.uint8)
    return Frame(pixels, 0, time.time(), time.perf_counter())


def open_recognizer(
    model: str | None = None, margin: float = MARGIN, workspace_models: Path = Path("models")
) -> Recognizer:
    found = open_live_model(model, reads=IMAGE_INPUT, workspace_models=workspace_models)
    return Recognizer(found, margin)


# from frames to messages


def test_a_frame_becomes_a_message_with_the_face_that_the_model_sees(model: Path) -> None:
    recognizer = open_recognizer(str(model))
    watcher = Watcher(WholeFrame(), recognizer)
    for number in range(6):
        message = watcher.look(grey_frame(brightness_of(number)))
        assert message.seq == number
        (face,) = message.faces
        assert face.box == Box(0, 0, 64, 48)
        assert face.expression == number
        assert sum(face.scores) == pytest.approx(1)
        assert (message.width, message.height) == (64, 48)
    assert {"read", "find", "classify"} <= set(watcher.stages.facts())


def test_all_faces_of_a_frame_are_asked_in_one_batch_largest_first(model: Path) -> None:
    class Corners:
        title = "corners"

        def find(self, pixels: np.ndarray, grey: np.ndarray) -> list[Box]:
            return [Box(0, 0, 10, 10), Box(30, 20, 20, 20)]

        def forget(self) -> None:
            pass

    recognizer = open_recognizer(str(model), margin=0)
    asked = []
    answer = recognizer.model.predict_proba
    recognizer.model.predict_proba = lambda values: asked.append(len(values)) or answer(values)
    frame = grey_frame(brightness_of(0))
    frame.pixels[20:40, 30:50] = brightness_of(5)
    message = Watcher(Corners(), recognizer).look(frame)
    assert asked == [2]
    assert [face.box.width for face in message.faces] == [20, 10]
    assert [face.expression for face in message.faces] == [5, 0]


def test_pictures_that_are_no_series_share_no_identity(model: Path) -> None:
    recognizer = open_recognizer(str(model))
    film = Watcher(WholeFrame(), recognizer)
    folder = Watcher(WholeFrame(), recognizer, is_series=False)
    frames = [grey_frame(100), grey_frame(100)]
    assert [film.look(frame).faces[0].id for frame in frames] == [1, 1]
    assert [folder.look(frame).faces[0].id for frame in frames] == [1, 2]


def test_a_model_of_colours_gets_red_before_blue(tmp_path: Path) -> None:
    bundle = make_image_bundle(tmp_path / "rgb", wanted=ImageInput(8, 8, RGB, CROP))
    recognizer = open_recognizer(str(bundle))
    seen = []
    recognizer.model.predict_proba = lambda values: seen.append(values) or np.full((1, 6), 1 / 6)
    frame = grey_frame(0)
    frame.pixels[:] = (10, 20, 200)  # BGR
    Watcher(WholeFrame(), recognizer).look(frame)
    assert seen[0].shape == (1, 8, 8, 3)
    assert seen[0][0, 0, 0].tolist() == [200, 20, 10]


def test_a_margin_takes_more_of_the_picture_and_stays_inside(model: Path) -> None:
    recognizer = Recognizer(open_recognizer(str(model)).model, margin=0.5)
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[10:20, 10:20] = 255
    scores = recognizer.scores(pixels, pixels[:, :, 0], [Box(10, 10, 10, 10), Box(0, 0, 4, 4)])
    assert scores[0].argmax() == 1  # a quarter is white: 64 of 255
    assert scores[1].argmax() == 0


def test_only_a_bundle_of_pictures_will_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reads Action Units"):
        open_recognizer("openface-aus")
    (tmp_path / "model.hdf5").write_bytes(b"no model")
    with pytest.raises(DataError, match="bare file"):
        open_recognizer(str(tmp_path / "model.hdf5"))
    with pytest.raises(UsageError, match="no model 'nobody'"):
        open_recognizer("nobody")
    assert open_recognizer(workspace_models=tmp_path).model.name == "face-cnn"


def test_without_a_name_the_workspaces_model_of_pictures_is_taken(
    model: Path, bundle: Path
) -> None:
    found = open_recognizer(workspace_models=model.parent)
    assert bundle.parent == model.parent  # a newer model of AUs lies there too
    assert found.model.name == model.name


def test_percentiles_and_rates() -> None:
    stages = Stages()
    for milliseconds in range(1, 101):
        stages.add("find", milliseconds / 1000)
    found = stages.facts()["find"]
    assert found["p50_ms"] == pytest.approx(50.5)
    assert found["p99_ms"] == pytest.approx(99.01)
    rate = Rate()
    assert rate.count(10.0) == 0
    found_rates = [rate.count(10 + n / 20) for n in range(1, 100)]
    assert found_rates[-1] == pytest.approx(20)
    assert rate.count(100.0) == 0  # the source was away


# the command


def test_a_video_is_told_to_a_line_client(party: Path, tmp_path: Path) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    with LiveProcess(party, "--loop", "--port", 0, cwd=tmp_path) as live:
        with LineClient(live.port) as client:
            messages = [client.message() for _ in range(30)]
            with LineClient(live.port) as late:
                assert late.message()["labels"] == messages[0]["labels"]
        live.interrupt()
        assert live.wait() == 130
    for message in messages:
        jsonschema.validate(message, schema)
    assert ["labels" in message for message in messages] == [True] + 29 * [False]
    assert [m["seq"] for m in messages] == list(range(messages[0]["seq"], messages[0]["seq"] + 30))
    assert messages[0]["labels"][3] == "Neutral"  # face-cnn's order, and not the reference's
    seen = [face for message in messages for face in message["faces"]]
    assert {face["id"] for face in seen} == {1, 2}
    for face in seen:
        assert face["expression"] == messages[0]["labels"][int(np.argmax(face["scores"]))]
    assert any("no picture leaves this machine" in line for line in live.said)
    assert any(", 2 faces" in line for line in live.said)


def test_the_published_unity_client_is_pleased(party: Path, tmp_path: Path) -> None:
    with LiveProcess(party, "--loop", "--port", 0, "--compat", "unity-v1", cwd=tmp_path) as live:
        with socket.create_connection(("127.0.0.1", live.port), 30) as client:
            for n in range(40):
                found = json.loads(client.recv(1024).decode("utf-8"))
                assert set(found) == {"faceCount", "faces"}
                assert found["faceCount"] == len(found["faces"]) == 2
                assert set(found["faces"][0]) == {"expressionIdx", "expression", "position"}
                if n > 30:
                    time.sleep(0.1)  # slower than the film
        live.interrupt()
        assert live.wait() == 130


def test_every_frame_of_a_film_goes_into_a_file(film: Path, model: Path, aufer: RunAufer) -> None:
    ran = aufer(
        *("live", film, "--every-frame", "--no-server", "--detector", "whole"),
        *("--model", model, "--out", "film.csv", "--out", "stdout"),
    ).check()
    table = pd.read_csv(model.parents[1] / "film.csv")
    assert table["seq"].tolist() == list(range(60))
    # a film has its own time, however fast it is worked through
    assert np.diff(table["timestamp"]) == pytest.approx(1 / 30, abs=0.002)
    assert len(ran.out.splitlines()) == 60
    assert "60 frames" in ran.err
    assert "dropped as" not in ran.err


def test_a_folder_of_pictures_is_read_as_evaluate_reads_it(
    model: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    pictures = save_pictures(tmp_path / "pictures")
    aufer(
        *("live", pictures, "--detector", "whole", "--model", model, "--smooth", "1"),
        *("--no-server", "--out", "live.csv"),
    ).check()
    live = pd.read_csv(tmp_path / "live.csv").set_index("image")
    aufer("evaluate", "--testset", pictures, "--model", model, "--out", "report").check()
    evaluated = pd.read_csv(tmp_path / "report" / "predictions.csv").set_index("image")
    assert len(live) == len(evaluated) == 24
    assert live["expression"].str.lower().to_dict() == evaluated["predicted"].to_dict()
    for name in DEFAULT_NAMES:
        assert live[name].to_numpy() == pytest.approx(
            evaluated.loc[live.index, name].to_numpy(), abs=1e-4
        )


def test_mini_xception_gives_the_labels_of_evaluate(
    data: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    import zipfile

    with zipfile.ZipFile(data / "fer2013" / "images-public.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".jpg"))[::40]
        archive.extractall(tmp_path / "faces", names)
    folder = tmp_path / "faces"
    file = data / "models" / "fer2013_mini_XCEPTION.102-0.66.hdf5"
    aufer("import-model", file, "--preset", "mini-xception", "--out", "mini").check()
    aufer("evaluate", "--testset", folder, "--model", "mini", "--out", "report").check()
    aufer(
        *("live", folder, "--model", "mini", "--detector", "whole"),
        *("--no-server", "--out", "live.csv"),
    ).check()
    live = pd.read_csv(tmp_path / "live.csv").set_index("image")
    evaluated = pd.read_csv(tmp_path / "report" / "predictions.csv").set_index("image")
    assert len(live) == len(names) >= 80
    assert live["expression"].str.lower().to_dict() == evaluated["predicted"].to_dict()
    assert (evaluated["predicted"] == evaluated["emotion"]).mean() > 0.5  # and the right scaling


def test_a_picture_that_cant_be_read_is_told_and_counted(
    model: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    pictures = save_pictures(tmp_path / "pictures", n_each=1)
    (pictures / "happy" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    command = ("live", pictures, "--detector", "whole", "--no-server", "--model", model)
    ran = aufer(*command, "--out", "a.csv").check(5)
    assert "broken.jpg" in ran.err
    assert len(pd.read_csv(tmp_path / "a.csv")) == 6
    aufer(*command, "--out", "b.csv", "--keep-going").check(0)


def test_tensorflow_and_pandas_are_never_imported(film: Path, tmp_path: Path) -> None:
    code = (
        "import sys, aufer.cli.main as m\n"
        f"try: m.main(['live', {str(film)!r}, '--port', '0', '--web', '--web-port', '0',"
        " '--duration', '0.5'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"onnxruntime", "cv2"} <= loaded
    assert not loaded & {"tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib"}


def test_jpegs_on_stdin(model: Path, tmp_path: Path) -> None:
    frames = [np.full((48, 64, 3), brightness_of(n), np.uint8) for n in range(6)]
    film = b"".join(jpeg(frame, 100) for frame in frames)
    options = ("--detector", "whole", "--model", model, "--no-server", "--every-frame")
    with LiveProcess("-", *options, "--out", "stdout", cwd=tmp_path, stdin=film) as live:
        assert live.wait() == 0
    found = [json.loads(line) for line in live.out.splitlines()]
    assert [message["faces"][0]["expression"] for message in found] == WORDS


def test_a_client_hands_over_the_frames(model: Path, tmp_path: Path) -> None:
    options = ("--listen-frames", 0, "--port", 0, "--detector", "whole", "--model", model)
    with LiveProcess(*options, cwd=tmp_path) as live:
        with LineClient(live.port) as client:
            frames_port = int(live.hear(r"sent to 127\.0\.0\.1:(\d+)")[1])
            for round_ in range(2):  # it leaves, and comes back
                with socket.create_connection(("127.0.0.1", frames_port), 30) as camera:
                    for number in range(6):
                        camera.sendall(
                            jpeg(np.full((48, 64, 3), brightness_of(number), np.uint8), 100)
                        )
                        message = client.message()
                        assert message["seq"] == 6 * round_ + number
                        assert message["faces"][0]["expression"] == WORDS[number]
        live.interrupt()
        assert live.wait() == 130


def test_an_address_that_drops_and_returns(model: Path, tmp_path: Path) -> None:
    options = ("--port", 0, "--model", model)
    with (
        MjpegServer(frames=[numbered_frame(n, (320, 240)) for n in range(20)]) as camera,
        LiveProcess(camera.url, *options, cwd=tmp_path) as live,
        LineClient(live.port) as client,
    ):
        first = client.message()
        camera.stop()
        live.hear("dropped out")
        camera.start()
        live.hear("is back")
        last = client.message()["seq"]
        while (message := client.message())["seq"] <= last + 5:
            pass
        assert message["v"] == first["v"]
        assert message["frameWidth"] == 320
        live.interrupt()
        assert live.wait() == 130
    assert any("opened again 1 time" in line for line in live.said)


def test_ctrl_c_ends_in_order_and_keeps_what_was_written(film: Path, tmp_path: Path) -> None:
    with LiveProcess(film, "--loop", "--port", 0, "--out", "a.jsonl", cwd=tmp_path) as live:
        with LineClient(live.port) as client:
            last = [client.message() for _ in range(10)][-1]
            live.interrupt()
            for last in client.rest():  # whole lines, then the end
                pass
        assert live.wait() == 130
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines()
    messages = [json.loads(line) for line in lines]
    assert [message["seq"] for message in messages] == list(range(len(messages)))
    assert messages[-1]["seq"] >= last["seq"]
    assert not any("Traceback" in line for line in live.said)
    assert any("a.jsonl" in line and str(len(messages)) in line for line in live.said)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_a_polite_kill_ends_in_order_too(film: Path, tmp_path: Path) -> None:
    with LiveProcess(film, "--loop", "--port", 0, cwd=tmp_path) as live:
        with LineClient(live.port) as client:
            client.message()
            os.kill(live.pid, signal.SIGTERM)
            assert list(client.rest()) is not None
        assert live.wait() == 130
    assert any(re.search(r"\d+ frames?", line) for line in live.said[-3:])


def test_recorded_and_played_again(party: Path, tmp_path: Path, aufer: RunAufer) -> None:
    aufer("live", party, "--no-server", "--record", "tape", "--save-video").check()
    assert (tmp_path / "tape" / "video.avi").is_file()
    recorded = [
        json.loads(line) for line in (tmp_path / "tape" / "messages.jsonl").read_text().splitlines()
    ]
    assert len(recorded) > 10
    with LiveProcess("--replay", "tape", "--port", 0, "--out", "b.jsonl", cwd=tmp_path) as live:
        with LineClient(live.port) as client:
            heard = list(client.rest())
        assert live.wait() == 0
    played = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    for message in (*recorded, *played):
        message.pop("fps")
    assert played == recorded
    assert len(heard) > 0
    aufer("live", party, "--no-server", "--record", "tape").check(1)  # not over the old one


def test_a_replay_ends_after_its_duration_and_tells_what_went_where(
    film: Path, model: Path, tmp_path: Path
) -> None:
    tape = tmp_path / "tape"
    settings = Settings(
        source=str(film), model=str(model), every_frame=True, no_server=True, record=tape
    )
    with Session(settings) as session:
        session.run()
    out = tmp_path / "again.jsonl"
    session = Session(
        Settings(replay=tape, loop=True, duration=0.2, no_server=True, outs=(str(out),))
    )
    session.start()
    session.run()  # without an end, hadn't it a duration
    played, file = session.close()
    assert 1 <= session.n_steps < 60
    assert played in (f"{session.n_steps} messages played", "1 message played")
    assert file == f"{out}: {session.n_steps} messages"
    assert len(out.read_text().splitlines()) == session.n_steps


def test_the_benchmark_measures_every_stage(party: Path, aufer: RunAufer) -> None:
    ran = aufer("live", party, "--benchmark", "--duration", "2", "--json", "-q").check()
    figures = json.loads(ran.out)
    assert figures["frames"] > 10
    assert figures["fps"] == pytest.approx((figures["frames"] - 1) / figures["seconds"], rel=0.1)
    assert figures["faces_per_frame"] == pytest.approx(2, abs=0.1)
    assert figures["dropped"] == 0
    stages = figures["stages"]
    assert set(stages) == {"read", "find", "classify", "send", "frame_to_socket"}
    for stage in stages.values():
        assert 0 < stage["p50_ms"] <= stage["p95_ms"] <= stage["p99_ms"]
    assert stages["frame_to_socket"]["p50_ms"] > stages["find"]["p50_ms"]
    text = aufer("live", party, "--benchmark", "--duration", "1", "-q").check().out
    assert "frames a second" in text
    assert "frame to socket" in text


def test_the_same_in_python(film: Path, model: Path) -> None:
    settings = Settings(
        source=str(film), every_frame=True, detector="whole", model=str(model), port=0
    )
    with Session(settings) as session:
        steps = list(session.steps())
    assert [step.message.seq for step in steps] == list(range(60))
    assert session.n_steps == 60
    assert all(step.frame is not None and step.frame.width == 320 for step in steps)


def test_the_network_is_opened_beside_the_main_thread(
    film: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # in which Ctrl-C makes an ImportError of onnxruntime's import
    threads = []
    monkeypatch.setattr(Recognizer, "warm_up", lambda _: threads.append(threading.current_thread()))
    with Session(Settings(source=str(film), model=str(model), port=0)):
        pass
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_a_benchmark_reaches_a_server_at_all_addresses(film: Path, model: Path) -> None:
    for host in ("0.0.0.0", "[127.0.0.1]"):
        settings = Settings(
            source=str(film),
            model=str(model),
            port=0,
            host=host,
            token="x",
            benchmark=True,
            duration=0.5,
        )
        with Session(settings) as session:
            session.run()
            assert session.figures()["frames"] > 0


# started wrongly


def test_a_start_that_fails_leaves_nothing_in_the_way_of_the_next(
    film: Path, model: Path, tmp_path: Path
) -> None:
    out, tape = tmp_path / "film.csv", tmp_path / "tape"
    settings = Settings(
        source=str(film), model=str(model), no_server=True, outs=(str(out),), record=tape
    )
    with pytest.raises(EnvironmentFailure):
        Session(replace(settings, osc="nowhere.invalid:9000")).start()
    with Session(settings):  # also one that ends before the first message
        pass
    assert not out.exists()
    assert not tape.exists()


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--camera", "77"], 3, "amera 77"),
        (["nowhere.avi"], 2, "nowhere.avi"),
        (["text.avi"], 4, "text.avi"),
        (["http://127.0.0.1:9/stream"], 3, "127.0.0.1:9"),
        (["ftp://example.org/a"], 2, "ftp"),
        (["film.avi", "--camera", "0"], 2, "SOURCE and --camera"),
        (["film.avi", "--replay", "tape"], 2, "SOURCE and --replay"),
        (["--loop"], 2, "--loop"),
        (["--every-frame"], 2, "--every-frame"),
        (["film.avi", "--save-video"], 2, "--record"),
        (["film.avi", "--no-server"], 2, "nobody would hear"),
        (["film.avi", "--no-server", "--compat", "unity-v1"], 2, "--compat"),
        (["film.avi", "--compat", "unity-v2"], 2, "unity-v2"),
        (["film.avi", "--host", "0.0.0.0"], 2, "token"),
        (["film.avi", "--host", "0.0.0.0", "--compat", "unity-v1", "--token", "x"], 2, "unity-v1"),
        (["film.avi", "--model", "openface-aus"], 4, "reads Action Units"),
        (["film.avi", "--model", "nobody"], 2, "nobody"),
        (["film.avi", "--out", "film.xml"], 2, "film.xml"),
        (["film.avi", "--osc", "nothing"], 2, "nothing"),
        (["film.avi", "--detector", "yunet", "--yunet", "nowhere.onnx"], 2, "nowhere.onnx"),
        (["film.avi", "--smooth", "-1"], 2, "smooth"),
        (["film.avi", "--fps", "0"], 2, "fps"),
        (["film.avi", "--json"], 2, "--benchmark"),
        (["--replay", "nowhere"], 2, "nowhere"),
        (["--replay", "tape", "--mirror"], 2, "as they were recorded"),
        (["film.avi", "--yunet", "yunet.onnx"], 2, "the detector is haar"),
        (["--replay", "tape", "--benchmark"], 2, "--benchmark"),
        (["rtsp://me:secret@/stream"], 2, "rtsp:///stream names no host"),
        (["film.avi", "--out", "a.csv", "--out", "./a.csv"], 2, "the same file"),
        (["film.avi", "--out", "tape/messages.jsonl", "--record", "tape"], 2, "the same file"),
        (["tape/video.avi", "--record", "tape", "--force"], 2, "would replace tape/video.avi"),
        (["--replay", "tape", "--record", "./tape", "--force"], 2, "written to"),
        (["--replay", "tape", "--out", "tape/messages.jsonl", "--force"], 2, "written to"),
    ],
)
def test_a_wrong_start_says_one_clear_line(
    args: list[str], code: int, says: str, film: Path, tmp_path: Path, aufer: RunAufer
) -> None:
    shutil.copy(film, tmp_path / "film.avi")
    (tmp_path / "text.avi").write_text("this is no film")
    ran = aufer("live", *args).check(code)
    (error,) = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert says in error
    assert ran.err.splitlines()[-1].startswith("hint: ")
    assert ran.out == ""


@pytest.mark.parametrize("option", ["--port", "--websocket", "--web-port", "--listen-frames"])
def test_a_busy_port(option: str, film: Path, aufer: RunAufer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        args: list[Any] = [] if option == "--listen-frames" else [film]
        args += [option, port]
        args += [] if option == "--port" else ["--port", 0]
        args += ["--web"] if option == "--web-port" else []
        ran = aufer("live", *args).check(3)
    assert f"{port}" in ran.err.split("error: ")[1].splitlines()[0]
    assert option in ran.err.splitlines()[-1]


def test_expressions_have_the_references_numbers() -> None:
    from aufer.emotions import Emotions

    found = Expressions.of(Emotions(("neutral", "joy", "contempt", "anger")))
    assert found.words == ("Neutral", "Happy", "Contempt", "Angry")
    assert found.numbers == (6, 3, 7, 0)


def test_an_unsteady_picture_size_is_no_trouble(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sizes"
    folder.mkdir()
    for n, side in enumerate((8, 640, 33, 300)):
        PIL.Image.new("L", (side, side // 2), brightness_of(n)).save(folder / f"{n}.png")
    run_aufer(
        *("live", folder, "--no-server", "--out", "a.jsonl", "--model", model),
        cwd=tmp_path,
    ).check()
    found = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [message["frameWidth"] for message in found] == [8, 640, 33, 300]


def test_opencv_is_whole_for_threads_that_import_it_at_once() -> None:
    code = (
        "import threading, time\n"
        "from aufer.pictures.opencv import opencv\n"
        "found = []\n"
        "def ask(n):\n"
        "    time.sleep(n / 500); found.append(hasattr(opencv(), 'data'))\n"
        "threads = [threading.Thread(target=ask, args=[n]) for n in range(200)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "assert found == [True] * 200, found.count(False)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_start_that_fails_keeps_the_older_file(
    film: Path, tmp_path: Path, aufer: RunAufer
) -> None:
    (tmp_path / "a.csv").write_text("of yesterday")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        args = ("--out", "a.csv", "--force", "--no-server", "--web", "--web-port", port)
        aufer("live", film, *args).check(3)
        aufer("live", film, "--out", "a.csv", "--force", "--no-server", "--osc", "x.invalid:9")
    assert (tmp_path / "a.csv").read_text() == "of yesterday"
    aufer("live", film, "--out", "a.csv", "--force", "--no-server", "--duration", "0.5").check()
    assert "of yesterday" not in (tmp_path / "a.csv").read_text()
    assert len(pd.read_csv(tmp_path / "a.csv")) > 3


def test_a_replay_ends_in_time_also_in_a_long_gap(tmp_path: Path, aufer: RunAufer) -> None:
    film = write_video(tmp_path / "film.avi", 2, (64, 48))
    aufer("live", film, "--every-frame", "--no-server", "--record", "tape").check()
    path = tmp_path / "tape" / "messages.jsonl"
    first, last = map(json.loads, path.read_text().splitlines())
    last["timestamp"] = first["timestamp"] + 3600
    path.write_text("".join(json.dumps(each) + "\n" for each in (first, last)))
    ran = aufer(
        *("live", "--replay", "tape", "--duration", "1", "--no-server", "--out", "a.jsonl")
    ).check()
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 1
    assert "1 message" in ran.err
