"""Action Units in ``aufer live``: measured, smoothed, answered by a model of AUs, told to all."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from aufer.action_units import AU_NAMES, INTENSITY_COLUMNS
from aufer.au_net.finding import PictureFinder
from aufer.au_net.network import AuNet, find_folder
from aufer.bundle import read_bundle
from aufer.cli.listen import readable_line
from aufer.errors import DataError, UsageError
from aufer.live.au_reader import AuReader, open_au_reader
from aufer.live.au_recognizer import AuRecognizer
from aufer.live.event_loop import EventLoop
from aufer.live.finding.haar import HaarFinder
from aufer.live.finding.smoothing import Smoother
from aufer.live.finding.whole import WholeFrame
from aufer.live.frame import Frame
from aufer.live.message import Message
from aufer.live.readers import open_readers
from aufer.live.reading import BadLine, read_labels, read_message, read_object, read_units
from aufer.live.recording_folder import open_recording
from aufer.live.settings import Settings
from aufer.live.sinks.lsl import LslOutlet, sample_of
from aufer.live.sinks.osc import osc_bundle
from aufer.live.sinks.sink import Step
from aufer.live.sinks.web_page import WebPage
from aufer.live.units import BUILTIN_UNITS, NO_UNITS, Intensities
from aufer.live.unity_v1 import block
from aufer.live.watcher import Watcher
from aufer.pictures.opencv import opencv
from tests.au_bundle import NAMES, change_facts, train_au_bundle
from tests.au_net_model import make_au_net
from tests.chromium import Browser, Page, running_chromium
from tests.image_model import make_image_bundle
from tests.live_process import LiveProcess
from tests.live_video import face_frames, write_frames
from tests.portraits import draw_portrait
from tests.running import Ran, run_aufer
from tests.tcp_case import LineClient, make_message

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "live-message.schema.json").read_text(encoding="utf-8")
)
LABELS = [column.removesuffix("_r") for column in INTENSITY_COLUMNS]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a bundle of AUs in models/, an AU network, and a film of a portrait."""
    folder = tmp_path_factory.mktemp("aus") / "place"
    train_au_bundle(folder)
    make_au_net(folder / "net")
    frames = (portrait_frame(skin) for skin in [150] * 15 + [220] * 15)
    write_frames(folder / "film.avi", frames)
    return folder


@pytest.fixture
def net(place: Path) -> AuNet:
    """Answers by how bright a crop is."""
    return AuNet(place / "net")


@pytest.fixture
def model(place: Path) -> Path:
    """The bundle of AUs."""
    return place / "models" / "strength"


def portrait_frame(skin: int = 190) -> np.ndarray:
    """A drawn face in a grey room, uint8 [480, 640, 3]."""
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[120:360, 200:440] = draw_portrait(240, skin)[:, :, None]
    return frame


def run_in(place: Path, *args: object) -> Ran:
    return run_aufer(*args, cwd=place)


def frame_of(pixels: np.ndarray, at_s: float = 0.0) -> Frame:
    return Frame(pixels, 0, time.time(), at_s)


def message_with_aus(seq: int = 0, n_faces: int = 1) -> Message:
    """A message whose n-th face has AUs n + 1 apart by hundredths."""
    message = make_message(seq, n_faces)
    faces = [
        replace(face, aus=Intensities(tuple(0.25 * (k % 16) + n for k in range(17)), 0.91))
        for n, face in enumerate(message.faces)
    ]
    return replace(message, faces=tuple(faces), units=BUILTIN_UNITS)


# from frames to messages


def test_a_face_is_measured_and_the_model_of_aus_answers(net: AuNet, model: Path) -> None:
    bundle = read_bundle(model)
    watcher = Watcher(HaarFinder(), AuRecognizer(bundle, net), AuReader(net))
    message = watcher.look(frame_of(portrait_frame()))
    (face,) = message.faces
    grey = opencv().cvtColor(portrait_frame(), opencv().COLOR_BGR2GRAY)
    expected = net.measure(grey, [face.box])
    assert face.aus is not None
    assert face.aus.values == pytest.approx(expected.aus[0])
    assert face.aus.confidence == pytest.approx(expected.confidence[0])
    assert max(face.aus.values) > 1
    assert face.scores == pytest.approx(bundle.predict_proba(expected.aus)[0])
    assert message.units.labels == tuple(LABELS)
    assert message.units.names == tuple(AU_NAMES[label].capitalize() for label in LABELS)
    assert {"find", "measure", "classify"} <= set(watcher.stages.facts())


def test_a_model_of_some_aus_gets_those_by_name(net: AuNet, model: Path) -> None:
    bundle = read_bundle(model)
    wanted = ("AU12_r", "AU01_r")
    bundle.facts["features"] = list(wanted)
    asked = []
    bundle.predict_proba = lambda values: asked.append(values) or np.full((1, 3), 1 / 3)
    aus = np.arange(17, dtype=np.float32)[None]
    AuRecognizer(bundle, net).scores(aus)
    assert asked[0].tolist() == [[INTENSITY_COLUMNS.index(name) for name in wanted]]


def test_what_the_network_takes_for_no_face_is_left_out(net: AuNet, model: Path) -> None:
    watcher = Watcher(
        WholeFrame(), AuRecognizer(read_bundle(model), net), AuReader(net), is_series=True
    )
    dark, bright = (np.full((60, 60, 3), value, np.uint8) for value in (3, 200))
    counts = [watcher.look(frame_of(p, n / 30)).faces for n, p in enumerate((dark, bright, dark))]
    assert [len(faces) for faces in counts] == [0, 1, 0]
    assert counts[1][0].id == 1
    assert watcher.n_faces == 1


def test_aus_are_smoothed_and_the_model_gets_them_so(net: AuNet, model: Path) -> None:
    bundle = read_bundle(model)
    watcher = Watcher(
        WholeFrame(), AuRecognizer(bundle, net), AuReader(net), au_smoother=Smoother(1.0)
    )
    frames = [np.full((60, 60, 3), value, np.uint8) for value in (60, 240)]
    first, last = (watcher.look(frame_of(p, 1.0 * n)).faces[0] for n, p in enumerate(frames))
    assert first.aus is not None
    assert last.aus is not None
    plain = AuReader(net).measure(frames[1][:, :, 0], [last.box]).values[0]
    before = np.array(first.aus.values)
    expected = before + (1 - math.exp(-1)) * (plain - before)
    assert last.aus.values == pytest.approx(expected)
    scores = bundle.predict_proba(expected[None].astype(np.float32))[0]
    assert last.scores == pytest.approx(scores, abs=1e-5)


def test_aus_beside_a_model_of_pictures(place: Path, tmp_path: Path) -> None:
    pictures = make_image_bundle(tmp_path / "models" / "brightness")
    settings = Settings(model=str(pictures), engine="builtin", au_net=place / "net")
    readers = open_readers(settings)
    assert readers.units == BUILTIN_UNITS
    watcher = Watcher(HaarFinder(), readers.recognizer, readers.aus)
    (face,) = watcher.look(frame_of(portrait_frame())).faces
    assert len(face.scores) == 6
    assert face.aus is not None
    assert "approximates OpenFace's AU intensities" in readers.about_aus()[0]
    plain = open_readers(Settings(model=str(pictures)))
    assert (plain.aus, plain.units, plain.about_aus()) == (None, NO_UNITS, [])


def test_without_a_model_the_shipped_one_of_its_aus_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    readers = open_readers(Settings(engine="builtin"))
    assert readers.model.name == "builtin-aus"
    assert not caplog.records  # it was trained on the network that comes with it
    readers.warm_up()


def test_the_landmarks_fall_on_the_face_in_the_boxes_of_live(data: Path) -> None:
    network = AuNet(find_folder())
    live, single = HaarFinder(), PictureFinder()
    whole = open_au_reader(None, "whole")
    n_compared = 0
    for frame in islice(face_frames(data, 2), 0, 30, 6):
        grey = opencv().cvtColor(frame, opencv().COLOR_BGR2GRAY)
        boxes = sorted(live.find(frame, grey), key=lambda box: box.x)
        assert len(boxes) == 2
        for box, found in zip(boxes, network.measure(grey, boxes).landmarks, strict=True):
            eyes = found[36:42].mean(axis=0), found[42:48].mean(axis=0)
            mouth, side = found[48:68].mean(axis=0), float(eyes[1][0] - eyes[0][0])
            assert box.x < eyes[0][0] < box.middle[0] < eyes[1][0] < box.x + box.width
            assert box.y < eyes[0][1] < box.middle[1] < mouth[1] < box.y + box.height
            # as in the boxes of extract's finder, and in a picture that is one face
            by_extract = max(single.find_in(grey), key=box.overlap)
            cut = box.enlarged(0.08).cut(grey)
            (in_whole,) = whole.measure(cut, WholeFrame().find(cut, cut)).values
            other = network.measure(grey, [by_extract, box])
            assert np.abs(other.landmarks[0] - found).mean() < 0.05 * side
            assert np.abs(other.aus[0] - other.aus[1]).mean() < 0.15
            assert np.abs(in_whole - other.aus[1]).mean() < 0.3
            n_compared += 1
    assert n_compared == 10


# the messages


def test_messages_with_aus_are_what_the_schema_says() -> None:
    first, later = (message_with_aus(0, 2).facts(with_labels=labels) for labels in (True, False))
    for facts in (first, later, message_with_aus(0, 0).facts(with_labels=True)):
        jsonschema.Draft202012Validator(SCHEMA).validate(facts)
    assert set(first) == set(SCHEMA["properties"])
    assert set(later) == set(SCHEMA["required"])
    assert set(first["faces"][0]) == set(SCHEMA["$defs"]["face"]["properties"])
    assert first["auLabels"] == LABELS
    assert first["auNames"][LABELS.index("AU12")] == "Lip corner puller"
    assert first["auMeasure"] == "aufer-au-net"
    exact = Intensities((1.23456, *[0.0] * 16), 0.98765)
    message = message_with_aus()
    face = replace(message.faces[0], aus=exact)
    (told,) = replace(message, faces=(face,)).facts()["faces"]
    assert (told["aus"][0], told["auConfidence"]) == (1.23, 0.99)


@pytest.mark.parametrize(
    "change",
    [
        {"auLabels": "AU01"},
        {"auLabels": []},
        {"auNames": None},
        {"auMeasure": ""},
        {"face": {"aus": [6.0] * 17}},
        {"face": {"aus": [-0.1] * 17}},
        {"face": {"auConfidence": 2}},
        {"face": {"auConfidence": None}},
    ],
)
def test_the_schema_refuses_other_aus(change: dict[str, Any]) -> None:
    facts = message_with_aus().facts(with_labels=True)
    facts["faces"][0].update(change.pop("face", {}))
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(facts | change)


def test_the_published_unity_client_sees_none_of_it() -> None:
    message = message_with_aus(3, 4)
    plain = replace(
        message, units=NO_UNITS, faces=tuple(replace(face, aus=None) for face in message.faces)
    )
    assert block(message) == block(plain)
    assert b"au" not in block(message).replace(b"Disgust", b"")


def test_messages_come_back_from_their_lines() -> None:
    message = message_with_aus(5, 2)
    facts = read_object(message.line(with_labels=True))
    expressions, units = read_labels(facts), read_units(facts)
    assert units == BUILTIN_UNITS
    assert expressions is not None
    assert read_message(facts, expressions, units).line() == message.line()
    assert read_message(facts, expressions).faces[0].aus is None  # nobody says what they are
    assert read_units(make_message(0).facts(with_labels=True)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"auLabels": [1] * 17},
        {"auLabels": ["AU01"] * 17},
        {"auNames": ["Blink"]},
        {"auMeasure": None},
        {"face": {"aus": None}},
        {"face": {"aus": [1.0]}},
        {"face": {"aus": [9.0] * 17}},
        {"face": {"aus": ["1"] * 17}},
        {"face": {"auConfidence": 1.5}},
    ],
)
def test_bad_aus_are_refused(change: dict[str, Any]) -> None:
    message = message_with_aus()
    facts = message.facts(with_labels=True)
    facts["faces"][0].update(change.pop("face", {}))
    with pytest.raises(BadLine):
        read_message(
            facts | change, message.expressions, read_units(facts | change) or BUILTIN_UNITS
        )


# other places


def test_osc_has_an_address_for_them() -> None:
    pytest.importorskip("pythonosc")
    message = message_with_aus(0, 2)
    bundle = osc_bundle(message, with_labels=True)
    said = [
        (bundle.content(n).address, *bundle.content(n).params) for n in range(bundle.num_contents)
    ]
    assert [each for each in said if each[0] == "/aufer/auLabels"] == [("/aufer/auLabels", *LABELS)]
    aus = [each for each in said if each[0] == "/aufer/aus"]
    assert [each[1] for each in aus] == [1, 2]
    assert aus[1][2] == pytest.approx(0.91)
    assert aus[1][3:] == pytest.approx(message.faces[1].aus.values)
    plain = osc_bundle(make_message(0), with_labels=True)
    assert not any("au" in plain.content(n).address[6:] for n in range(plain.num_contents))


def test_lsl_has_channels_for_them() -> None:
    message = message_with_aus()
    channels = LslOutlet("x", message.expressions, BUILTIN_UNITS)._channels()
    names = [label for label, _ in channels]
    assert names[-18:] == [*LABELS, "auConfidence"]
    assert "aufer-au-net" in channels[-2][1]
    sample = sample_of(message)
    assert len(sample) == len(channels)
    assert sample[-18:] == pytest.approx([*message.faces[0].aus.values, 0.91])
    none = sample_of(message_with_aus(0, 0))
    assert len(none) == len(channels)
    assert all(math.isnan(value) for value in none)


def test_listen_names_the_strongest() -> None:
    facts = message_with_aus().facts()
    line = readable_line(facts, LABELS)
    assert "(AU45 0.0" not in line
    assert line.endswith("Happy 88 % (AU26 3.8, AU25 3.5, AU23 3.2)")
    assert readable_line(facts).endswith("88 %")  # before it knows the labels
    facts["faces"][0]["aus"] = ["<b>", None, 1e9] * 6
    assert readable_line(facts, LABELS).endswith("88 %")


# the command


def test_told_to_clients_files_and_recordings(place: Path) -> None:
    options = ("--model", "strength", "--au-net", "net", "--smooth", 0.1)
    outs = ("--out", "a.csv", "--out", "a.jsonl", "--record", "tape", "--force")
    with LiveProcess("film.avi", "--loop", *options, *outs, "--port", 0, cwd=place) as live:
        with LineClient(live.port) as client:
            messages = [client.message() for _ in range(20)]
            with LineClient(live.port) as late:
                assert late.message()["auLabels"] == LABELS
        live.hear("AUs: 17 intensities .* approximates OpenFace's AU intensities")
        live.interrupt()
        assert live.wait() == 130
    for message in messages:
        jsonschema.validate(message, SCHEMA)
    assert ["auLabels" in message for message in messages] == [True] + 19 * [False]
    assert messages[0]["labels"] == [name.capitalize() for name in NAMES]
    faces = [face for message in messages for face in message["faces"]]
    assert len(faces) > 10
    assert all(len(face["aus"]) == 17 for face in faces)
    assert all(face["aus"] == sorted(face["aus"]) for face in faces)  # as that network answers

    lines = [json.loads(line) for line in (place / "a.jsonl").read_text().splitlines()]
    with (place / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-18:] == [*LABELS, "auConfidence"]
    for line, row in zip(lines, rows, strict=True):  # a face or an empty row each
        told = line["faces"][0]["aus"] if line["faces"] else []
        assert [float(row[label]) for label in LABELS if row[label]] == told
    refused = run_in(place, "build-dataset", "a.csv", "--out", "no.csv")
    assert refused.code == 4  # nobody takes it for OpenFace's
    assert open_recording(place / "tape").units == BUILTIN_UNITS
    facts = json.loads((place / "tape" / "recording.json").read_text())
    assert facts["auMeasure"] == "aufer-au-net"
    run_in(place, "live", "--replay", "tape", "--no-server", "--out", "b.csv").check()
    with (place / "b.csv").open(newline="") as file:
        assert [row["AU12"] for row in csv.DictReader(file)] == [row["AU12"] for row in rows]


def test_the_engine_alone_takes_the_workspaces_model_of_its_aus(place: Path) -> None:
    options = ("--engine", "builtin", "--au-net", "net", "--benchmark", "--duration", 1, "--json")
    ran = run_in(place, "live", "film.avi", *options).check()
    assert "→ strength" in ran.err
    figures = json.loads(ran.out)
    assert set(figures["stages"]) == {
        *("read", "find", "measure", "classify", "send", "frame_to_socket")
    }


def test_neither_tensorflow_nor_pandas_is_imported(place: Path) -> None:
    code = (
        "import sys\n"
        "from aufer.live.session import Session\n"
        "from aufer.live.settings import Settings\n"
        "settings = Settings(source='film.avi', every_frame=True, no_server=True, model='strength',"
        " au_net=__import__('pathlib').Path('net'), outs=('stdout',))\n"
        "with Session(settings) as session: session.run()\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[0])["auLabels"] == LABELS
    loaded = set(done.stderr.split())
    assert {"onnxruntime", "cv2"} <= loaded
    assert not loaded & {"tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib"}


def test_what_the_settings_say_of_openface_is_not_for_live(place: Path, tmp_path: Path) -> None:
    shutil.copy(place / "film.avi", tmp_path)
    (tmp_path / "aufer.toml").write_text('engine = "docker"\n')
    args = ("live", "film.avi", "--every-frame", "--no-server", "--out", "a.jsonl")
    ran = run_in(tmp_path, *args).check()
    assert "face-cnn" in ran.err
    assert "auLabels" not in (tmp_path / "a.jsonl").read_text()


# started wrongly


@pytest.mark.parametrize(
    ("args", "code", "says", "hint"),
    [
        (["--model", "openface-aus"], 4, "another measure", "--model builtin-aus"),
        (["--engine", "docker"], 2, "can't measure live", "--engine builtin"),
        (["--engine", "local", "--model", "strength"], 2, "can't measure live", "--engine builtin"),
        (["--engine", "openface"], 2, "openface", "--help"),
        (["--model", "strength", "--detector", "yunet"], 2, "boxes of Haar's", "leave --detector"),
        (["--model", "strength", "--au-net", "nowhere"], 3, "no AU network in nowhere", "--au-net"),
    ],
)
def test_a_wrong_start_says_one_clear_line(
    args: list[str], code: int, says: str, hint: str, place: Path
) -> None:
    ran = run_in(place, "live", "film.avi", *args).check(code)
    (error,) = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert says in error
    assert hint in ran.err.splitlines()[-1]
    assert ran.out == ""


def test_models_that_can_not_be_asked(
    model: Path, net: AuNet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = Path(shutil.copytree(model, tmp_path / "copy"))
    change_facts(bundle / "bundle.json", extractor={"measure": "openface-static"})
    with pytest.raises(DataError, match="copy reads Action Units of another measure"):
        AuRecognizer(read_bundle(bundle), net)
    own = {"measure": "aufer-au-net", "binary": "1" * 64}
    change_facts(bundle / "bundle.json", extractor=own, dataset={"normalization": {"how": "group"}})
    with pytest.raises(DataError, match="relative to the person") as refused:
        AuRecognizer(read_bundle(bundle), net)
    # not --engine builtin: that takes the workspace's newest, which may be this very one
    assert (refused.value.hint or "").startswith("aufer live --model builtin-aus;")
    change_facts(bundle / "bundle.json", dataset={})
    AuRecognizer(read_bundle(bundle), net)
    assert "another network (111111111111)" in caplog.text
    with pytest.raises(UsageError, match="yunet"):
        open_au_reader(net.folder, "yunet")


def test_a_network_for_nothing_is_said(place: Path, tmp_path: Path, caplog: Any) -> None:
    pictures = make_image_bundle(tmp_path / "models" / "brightness")
    readers = open_readers(Settings(model=str(pictures), au_net=place / "net"))
    assert readers.aus is None
    assert "No AUs are measured" in caplog.text


# the page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@contextmanager
def shown(browser: Browser, messages: list[Message]) -> Iterator[Page]:
    """A tab with the page, which the last of these messages is sent to on and on."""
    loop = EventLoop()
    page = WebPage(loop, port=0)
    page.start()
    ended = threading.Event()

    def send() -> None:
        seq = 0
        while not ended.wait(0.04):
            page.send(Step(replace(messages[-1], seq=seq)))
            seq += 1

    sender = threading.Thread(target=send)
    sender.start()
    tab = browser.page()
    try:
        tab.open(f"http://127.0.0.1:{page.port}/")
        tab.wait_for("document.querySelector('#answer').textContent")
        yield tab
        assert not tab.complaints
    finally:
        ended.set()
        sender.join()
        tab.close()
        page.close()
        loop.close()


ROWS = """[...document.querySelectorAll('#unit-list li')].map(row => [row.dataset.unit,
    row.querySelector('.facs').textContent, row.querySelector('.intensity').textContent,
    row.querySelector('.track span').style.width])"""


def test_the_page_shows_a_bar_for_each(browser: Browser) -> None:
    messages = [message_with_aus(0, 2)]
    with shown(browser, messages) as tab:
        tab.wait_for("document.querySelector('.intensity').textContent == '0.0'")
        rows = tab.evaluate(ROWS)
        values = messages[0].faces[0].aus.values
        assert [row[0] for row in rows] == LABELS
        assert [row[1] for row in rows] == list(BUILTIN_UNITS.names)
        assert [float(row[2]) for row in rows] == pytest.approx(list(values), abs=0.06)
        assert [float(row[3].rstrip("%")) for row in rows] == pytest.approx(
            [20 * v for v in values]
        )
        assert tab.text("#units-title") == "Action Units of face 1"
        assert "approximates OpenFace’s AU intensities" in tab.text("#units-note")
        # what a screen reader gets of a row, and what it is spared
        spoken = "document.querySelector('#unit-list li').innerText.replace(/\\s+/g, ' ')"
        assert tab.evaluate(spoken) == "AU01 Inner brow raiser 0.0"
        assert tab.evaluate("document.querySelector('#unit-list .track').ariaHidden") == "true"
        assert tab.evaluate("document.querySelector('#units-unsure').hidden") is True
        # the other face, by its button
        tab.evaluate("document.querySelectorAll('#faces input')[2].click()")
        tab.wait_for("document.querySelector('#units-title').textContent.endsWith('face 2')")
        assert float(tab.evaluate(ROWS)[0][2]) == pytest.approx(1, abs=0.06)
        # a face that is badly seen, then none
        (face,) = message_with_aus().faces
        unsure = replace(face, aus=replace(face.aus, confidence=0.3))
        messages.append(replace(messages[0], faces=(unsure,)))
        tab.evaluate("document.querySelectorAll('#faces input')[0].click()")
        tab.wait_for("!document.querySelector('#units-unsure').hidden")
        messages.append(message_with_aus(0, 0))
        tab.wait_for("document.querySelector('.intensity').textContent == '–'")
        assert tab.evaluate(ROWS)[16][3] == "0%"
        assert tab.evaluate("document.querySelector('#units-unsure').hidden") is True


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read_in_light_and_dark_and_on_a_telephone(
    browser: Browser, scheme: str
) -> None:
    with shown(browser, [message_with_aus()]) as tab:
        tab.prefer(color_scheme=scheme, reduced_motion="reduce")
        tab.resize(320, 640, 2)
        assert tab.wait_for("document.documentElement.scrollWidth") == 320
        bar = "document.querySelector('#unit-list .track span')"
        assert tab.evaluate(f"getComputedStyle({bar}).transitionDuration") == "0s"
        colours = [
            f"getComputedStyle({what}).backgroundColor"
            for what in (bar, f"{bar}.parentElement", "document.querySelector('#units')")
        ]
        levels = [luminance(tab.evaluate(colour)) for colour in colours]
        for ground in levels[1:]:  # WCAG 2: graphics want 3 to 1
            low, high = sorted((levels[0], ground))
            assert (high + 0.05) / (low + 0.05) >= 3
        for what in ("#units-note", "#unit-list .facs", "#unit-list .none .intensity"):
            text = luminance(
                tab.evaluate(f"getComputedStyle(document.querySelector('{what}')).color")
            )
            low, high = sorted((text, levels[2]))
            assert (high + 0.05) / (low + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """WCAG's, of ``rgb(1, 2, 3)``."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_without_aus_the_page_has_no_place_for_them(browser: Browser) -> None:
    with shown(browser, [make_message(0)]) as tab:
        assert tab.evaluate("document.querySelector('#units').checkVisibility()") is False
