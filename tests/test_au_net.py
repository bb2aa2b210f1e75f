"""The engine ``builtin``: aufer's own AU network instead of OpenFace, and the network's parts."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from aufer.action_units import INTENSITY_COLUMNS, PRESENCE_COLUMNS
from aufer.au_net.aligning import (
    REGION_PIXELS,
    Region,
    crops,
    cut_patch,
    inverse,
    moved,
    similarities,
    upright,
)
from aufer.au_net.files import read_grey
from aufer.au_net.finding import PictureFinder
from aufer.au_net.format import FACTS_NAME
from aufer.au_net.network import AT_ONCE, METHOD, VARIABLE, AuNet, find_folder
from aufer.au_net.program import MODULE
from aufer.au_table import AuTable
from aufer.emotions import Emotions
from aufer.errors import DataError, EnvironmentFailure
from aufer.extract import extract
from aufer.files import read_json, to_json
from aufer.images import find_images
from aufer.live.box import Box
from aufer.openface.engines import make_engine
from aufer.openface.measure import measure
from aufer.openface.measuring.plan import Plan
from aufer.openface.output import read_face_csvs
from aufer.openface.staging import Checked
from aufer.openface.store import stamp_of
from aufer.openface.ways import ENLARGE_OFF
from aufer.provenance import Extractor, compare_extractors
from tests.au_net_model import make_au_net, mean_shape
from tests.portraits import draw_portrait, save_pixels, save_portrait
from tests.require import require
from tests.running import RunAufer
from tests.stand_in.pictures import save_broken

NOISE = np.random.default_rng(5).integers(0, 255, (160, 200)).astype(np.uint8)


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network made by hand; read only."""
    return make_au_net(tmp_path_factory.mktemp("network") / "by-hand")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "images"


@pytest.fixture(scope="session")
def real_net() -> Path:
    """The network that comes with aufer, or the one that the environment names."""
    try:
        return find_folder()
    except EnvironmentFailure as failure:
        require("au-net", failure.message)
        raise


def run(net: Path, folder: Path, **how) -> AuTable:
    with closing(make_engine("builtin", au_net=net)) as engine:
        return measure(find_images(folder, Emotions()), engine, Plan(**how))


def run_and_keep(net: Path, folder: Path, out: Path, **options):
    with closing(make_engine("builtin", au_net=net)) as engine:
        return extract(folder, out, engine=engine, **options)


def rows(table: AuTable) -> dict[str, pd.Series]:
    return {row["image"]: row for _, row in table.frame.iterrows()}


def run_program(net: Path, source: Path, output: Path, *more: str):
    words = ["-fdir", source, "-out_dir", output, "-aus", "-pose", "-2Dfp", "-au_net", net, *more]
    return subprocess.run(
        [sys.executable, "-m", MODULE, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# ---- the engine, as the suite of the others has it


def test_every_image_gets_its_row_and_status(net: Path, folder: Path) -> None:
    save_portrait(folder / "happy/plain.png", seed=1)
    save_pixels(folder / "happy/black.png", np.zeros((200, 200), np.uint8))
    save_pixels(folder / "happy/noise.png", NOISE)
    for kind in ("zero", "garbage", "truncated_png", "truncated_jpeg", "tiny"):
        save_broken(folder / f"angry/{kind}.jpg", kind)
    save_broken(folder / "angry/folder.jpg", "directory")
    found = rows(run(net, folder, enlarge=ENLARGE_OFF, looks=1))
    assert {name: row["status"] for name, row in found.items()} == {
        "happy/plain.png": "ok",
        "happy/black.png": "no_face",
        "happy/noise.png": "no_face",
        "angry/zero.jpg": "unreadable",
        "angry/garbage.jpg": "unreadable",
        "angry/truncated_png.jpg": "unreadable",
        "angry/truncated_jpeg.jpg": "unreadable",
        "angry/tiny.jpg": "too_small",
    }
    plain = found["happy/plain.png"]
    assert (plain["emotion"], plain["n_faces"], plain["face"], plain["width"]) == (
        "happy",
        1,
        0,
        200,
    )
    assert plain["confidence"] == 1
    aus = plain[list(INTENSITY_COLUMNS)].astype(float)
    assert (aus.diff().iloc[1:] > 0).all()  # the network by hand: one slope after the other
    assert plain[list(PRESENCE_COLUMNS)].isna().all()
    assert plain[["pose_Tz", "pose_Ry"]].isna().all()
    # its landmarks lie on the drawn face, which is about 110 wide in the middle
    assert plain["face_x"] + plain["face_width"] / 2 == pytest.approx(100, abs=8)
    assert 90 < plain["face_width"] < 150
    for name, row in found.items():
        if name != "happy/plain.png":
            assert pd.isna(row["AU01_r"])
            assert pd.isna(row["confidence"])


def test_names_that_a_flat_folder_would_mix_up(net: Path, folder: Path) -> None:
    names = [
        *("happy/a.jpg", "happy/a.png", "happy/a.bmp", "sad/a.jpg", "happy/deep/er/a.jpg"),
        *("happy/CAPS.JPG", "happy/two words.jpg", "happy/Jörg 笑.png", "happy/-f.jpg"),
        *("happy/b.webp", "happy/c.tif", "happy/semi;colon $HOME 'q'.jpg"),
    ]
    for seed, name in enumerate(names):
        save_portrait(folder / name, seed=seed, skin=140 + 8 * seed)
    found = rows(run(net, folder))
    assert {name for name, row in found.items() if row["status"] == "ok"} == set(names)
    brightness = [found[name]["AU45_r"] for name in names]
    assert (np.diff(brightness) > 0).all()  # each got its own values


@pytest.mark.parametrize(
    ("policy", "face", "status"), [("largest", 1, "ok"), ("best", 0, "ok"), ("error", None, "")]
)
def test_one_face_of_several(net: Path, folder: Path, policy, face, status) -> None:
    wide = np.full((220, 380), 90, np.uint8)
    wide[20:170, :150], wide[10:210, 170:370] = draw_portrait(150, 150), draw_portrait(200, 190)
    save_pixels(folder / "happy/group.png", wide)
    row = rows(run(net, folder, faces=policy))["happy/group.png"]
    assert row["n_faces"] == 2
    if face is None:
        assert (row["status"], row["reason"]) == ("many_faces", "2 faces")
        assert pd.isna(row["AU01_r"])
    else:
        # 0 is on the left; of equally confident ones the first counts
        assert (row["status"], row["face"]) == (status, face)
        assert (row["face_x"] > 170) == (face == 1)


def test_further_ways_find_what_the_first_does_not(net: Path, folder: Path) -> None:
    portrait = draw_portrait(200)
    save_pixels(folder / "happy/tight.png", portrait[40:175, 45:155])
    assert rows(run(net, folder, looks=1))["happy/tight.png"]["status"] == "no_face"
    row = rows(run(net, folder, looks=4))["happy/tight.png"]
    assert row["status"] == "ok"
    assert "%" in row["way"]
    assert row["scale"] > 1
    # in pixels of the original, whatever the border
    assert row["face_x"] + row["face_width"] / 2 == pytest.approx(55, abs=8)


def test_a_picture_that_cant_be_opened_costs_only_itself(
    net: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aufer.openface.measuring import stagers

    for seed, name in enumerate("abcdef"):
        save_portrait(folder / f"happy/{name}.png", seed=seed)
    save_broken(folder / "happy/c.png", "zero")
    (folder / "happy/e.png").write_bytes(b"no picture at all")

    def check(path: Path) -> Checked:  # as if Pillow had found every file in order
        sha256 = path.stem * 64 if path.stem in "abcdef" else "0" * 64
        return Checked(sha256, 200, 200, "0" * 16, "", stamp_of(path.stat()))

    def hand_over(path: Path, way, target: Path, stem: str, *, stamp=None) -> str:
        (target / f"{stem}.png").write_bytes(path.read_bytes())
        return f"{stem}.png"

    monkeypatch.setattr(stagers, "check_picture", check)
    monkeypatch.setattr(stagers, "hand_over", hand_over)
    found = rows(run(net, folder))
    assert [row["status"] for row in found.values()] == [
        *("ok", "ok", "crashed", "ok", "crashed", "ok")
    ]
    assert "could not open it" in found["happy/c.png"]["reason"]


def test_a_second_run_measures_only_what_is_new(
    net: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        save_portrait(folder / f"happy/{seed}.png", seed=seed)
    out = tmp_path / "data/aus.csv"
    first = run_and_keep(net, folder, out)
    save_portrait(folder / "sad/new.png", seed=9)
    calls = []
    from aufer.openface.engine_builtin import BuiltinEngine

    really = BuiltinEngine.run

    def count(self, source: Path, target: Path, **options):
        calls.append(sorted(path.name for path in source.iterdir()))
        return really(self, source, target, **options)

    monkeypatch.setattr(BuiltinEngine, "run", count)
    second = run_and_keep(net, folder, out)
    assert [len(names) for names in calls] == [1]
    assert calls[0][0].startswith("new-")
    pd.testing.assert_frame_equal(second.frame.head(3), first.frame)
    other = make_au_net(tmp_path / "other", aus=0.5)
    third = run_and_keep(other, folder, out)  # another network: nothing of the first counts
    assert sum(map(len, calls)) == 5
    assert (third.frame["AU45_r"] < second.frame["AU45_r"]).all()


def test_the_input_stays_and_the_programs_files_are_kept(
    net: Path, folder: Path, tmp_path: Path
) -> None:
    save_portrait(folder / "happy/a b.png", seed=1)
    save_pixels(folder / "sad/none.png", NOISE)
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    out = tmp_path / "data/aus.csv"
    table = run_and_keep(net, folder, out, keep=("annotated", "landmarks"))
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before
    kept = tmp_path / "data/openface"
    index = pd.read_csv(kept / "index.tsv", sep="\t").set_index("image")["file"].to_dict()
    assert (kept / index["happy/a b.png"]).read_text().startswith("face,confidence,x_0,")
    assert index["sad/none.png"].endswith("_of_details.txt")
    (drawn,) = kept.rglob("*.jpg")
    assert PIL.Image.open(drawn).size == (200, 200)
    landmarks = pd.read_csv(tmp_path / "data/aus.landmarks.csv")
    row = rows(table)["happy/a b.png"]
    assert row["face_x"] == landmarks[[f"x_{i}" for i in range(68)]].iloc[0].min()
    sidecar = json.loads((tmp_path / "data/aus.json").read_text())
    assert sidecar["extractor"]["measure"] == "aufer-au-net"


def test_images_are_counted_as_they_finish(net: Path, folder: Path) -> None:
    for seed in range(AT_ONCE + 4):
        save_portrait(folder / f"happy/{seed}.png", 100, seed=seed)
    save_broken(folder / "happy/zero.png", "zero")
    counts: list[int] = []

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator:
        yield counts.append if what == "measuring faces" else (lambda n: None)

    with closing(make_engine("builtin", au_net=net)) as engine:
        table = measure(find_images(folder, Emotions()), engine, progress=progress)
    assert sum(counts) == AT_ONCE + 5
    assert table.counts() == {"ok": AT_ONCE + 4, "unreadable": 1}


def test_what_measured_is_described(net: Path, folder: Path) -> None:
    save_portrait(folder / "happy/a.png")
    extractor = run(net, folder).extractor
    assert (extractor.measure, extractor.engine) == ("aufer-au-net", "builtin")
    assert extractor.model == f"by-hand, method {METHOD}"
    assert extractor.binary == AuNet(net).sha256
    assert extractor.enlarge == "auto, 3 looks"
    assert "by-hand" in str(extractor)


# ---- never mixed with OpenFace's


def test_it_is_another_measure_than_openfaces() -> None:
    ours = Extractor(measure="aufer-au-net", engine="builtin", binary="1" * 64)
    for other in (Extractor(measure="openface-static", engine="docker"), Extractor()):
        for pair in ((ours, other), (other, ours)):
            with pytest.raises(DataError, match="aufer-au-net"):
                compare_extractors(*pair)
    assert compare_extractors(ours, ours) == []
    again = Extractor(measure="aufer-au-net", engine="builtin", binary="2" * 64)
    assert len(compare_extractors(ours, again)) == 1  # another network: a warning


def test_mixing_is_refused_wherever_it_could_happen(
    net: Path, folder: Path, sample: Path, sample_dataset: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    for seed in range(2):
        save_portrait(folder / f"happy/{seed}.png", seed=seed)
        save_portrait(folder / f"sad/{seed}.png", seed=5 + seed)
    builtin = ("--engine", "builtin", "--au-net", net)
    aufer("extract", folder, "--out", "aus.csv", *builtin).check()
    mixed = aufer("build-dataset", "aus.csv", sample / "test", "--out", "mixed.csv").check(4)
    assert "different measures: aufer-au-net and openface-static" in mixed.err
    assert not (tmp_path / "mixed.csv").exists()
    model = ("--model", "openface-aus")
    for command in (
        ("predict", "aus.csv", *model),
        ("predict", folder, *model, *builtin),
        ("evaluate", "--testset", "aus.csv", *model),
    ):
        ran = aufer(*command).check(4)
        assert "aufer-au-net" in ran.err, command
        assert "hint:" in ran.err
    aufer("build-dataset", "aus.csv", "--out", "own.csv", "--emotions", "happy,sad").check()
    facts = json.loads((tmp_path / "own.json").read_text())
    assert facts["extractor"]["measure"] == "aufer-au-net"


# ---- asked for, never taken in another's place


def test_without_docker_it_is_a_hint_and_no_more(
    net: Path, folder: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    save_portrait(folder / "happy/a.png")
    nowhere = {"DOCKER_HOST": "unix:///nonexistent"}
    ran = aufer("extract", folder, "--out", "aus.csv", **nowhere).check(3)
    assert "--engine builtin" in ran.err
    assert not (tmp_path / "aus.csv").exists()
    own = {VARIABLE: str(net), **nowhere}
    ran = aufer("extract", folder, "--out", "aus.csv", "--engine", "builtin", **own).check()
    assert len(pd.read_csv(tmp_path / "aus.csv")) == 1
    ran = aufer("extract", folder, "--out", "b.csv", "--au-net", net, **nowhere).check(2)
    assert "add: --engine builtin" in ran.err


def test_doctor_says_what_it_is(net: Path, aufer: RunAufer, tmp_path: Path) -> None:
    nothing = {"PATH": "", "DOCKER_HOST": "unix:///nonexistent"}
    ran = aufer("doctor", **nothing, **{VARIABLE: str(net)}).check()
    assert "ok       builtin AU network" in ran.out
    assert ran.out.splitlines()[-1].startswith("aufer is ready, without OpenFace")
    facts = json.loads(aufer("doctor", "--json", **nothing, **{VARIABLE: str(net)}).check().out)
    assert (facts["ready"], facts["openface"]) == (True, False)
    ran = aufer("doctor", **nothing, **{VARIABLE: str(tmp_path)}).check(3)
    assert "missing  builtin AU network" in ran.out
    assert "correct --au-net" in ran.out


# ---- the program


def test_the_program_writes_what_facelandmarkimg_would(net: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    save_portrait(source / "a.png", seed=1)
    save_pixels(source / "b.bmp", NOISE)
    save_portrait(source / "c.jpeg", 300, seed=2)
    save_portrait(source / "passed-over.JPG", seed=3)
    done = run_program(net, source, output)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "Starting tracking"
    details = ["a_of_details.txt", "b_of_details.txt", "c_of_details.txt"]
    assert sorted(path.name for path in output.iterdir()) == sorted(["a.csv", "c.csv", *details])
    text = (output / "a.csv").read_text()
    names = text.splitlines()[0].split(",")
    assert names[:3] == ["face", "confidence", "x_0"]
    assert tuple(names[-17:]) == INTENSITY_COLUMNS
    assert text.endswith("\n")
    read = read_face_csvs([output / "a.csv", output / "c.csv"])
    assert read.problems == {}
    assert read.has_landmarks
    small, large = (read.frame.iloc[n]["face_width"] for n in (0, 1))
    assert large / small == pytest.approx(1.5, rel=0.1)
    assert "Output csv:a.csv" in (output / "a_of_details.txt").read_text()
    assert "Output csv" not in (output / "b_of_details.txt").read_text()


def test_the_same_picture_gives_the_same_file_whatever_goes_with_it(
    net: Path, tmp_path: Path
) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    for seed in range(AT_ONCE + 1):
        save_portrait(together / f"{seed:02}.png", 90 + seed, seed=seed)
    save_portrait(alone / f"{AT_ONCE:02}.png", 90 + AT_ONCE, seed=AT_ONCE)
    save_portrait(alone / "00.png", 90, seed=0)
    for source in (together, alone):
        assert run_program(net, source, source / "out").returncode == 0
    for path in (alone / "out").iterdir():
        if path.suffix == ".csv":
            assert path.read_bytes() == (together / "out" / path.name).read_bytes()
    assert len(list((alone / "out").glob("*.csv"))) == 2


def test_the_program_stops_where_facelandmarkimg_does(net: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    save_portrait(source / "a.png", seed=1)
    save_broken(source / "b.png", "garbage")
    save_portrait(source / "c.png", seed=2)
    done = run_program(net, source, output)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == f"Error: Could not open the image: {source / 'b.png'}"
    assert (output / "a.csv").exists()
    assert not (output / "c_of_details.txt").exists()
    (tmp_path / "empty").mkdir()
    done = run_program(net, tmp_path / "empty", output)
    assert done.returncode == 1
    assert "No images found in the directory" in done.stdout
    done = run_program(tmp_path, source, output)
    assert done.returncode == 1
    assert FACTS_NAME in done.stderr
    (output / "a.csv").unlink()
    (output / "a.csv").mkdir()
    done = run_program(net, source, output)
    assert done.returncode == 1
    assert "The output CSV file is not open" in done.stdout


def test_a_full_disk_is_no_pictures_fault(net: Path, small_disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    for seed in range(3):
        save_portrait(source / f"{seed}.png", seed=seed)
    (small_disk / "rest").write_bytes(bytes(590 << 10))
    done = run_program(net, source, small_disk)
    assert done.returncode == 1
    assert "No space left" in done.stderr


# ---- the network's parts


def test_the_files_are_checked(net: Path, tmp_path: Path, monkeypatch) -> None:
    broken = make_au_net(tmp_path / "broken")
    with (broken / "aus.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(DataError, match=r"aus\.onnx is missing or was changed"):
        make_engine("builtin", au_net=broken).check()
    for change, message in (
        ({"schema": "aufer/au-net/99"}, "no description of an AU network"),
        ({"features": ["AU01_r"]}, "measures other AUs"),
        ({"box": {}}, "not as it should be"),
        ({"networks": {}}, "not as it should be"),
        ({"confidence": {"slope": 1}}, "not as it should be"),
        ({"calibration": {"AU01_r": {"from": [1, 0], "to": [0, 1]}}}, "not as it should be"),
    ):
        facts = read_json(net / FACTS_NAME) | change
        (broken / FACTS_NAME).write_text(to_json(facts))
        with pytest.raises(DataError, match=message):
            AuNet(broken)
    with pytest.raises(EnvironmentFailure, match="There is no AU network in"):
        find_folder(tmp_path / "nowhere")
    monkeypatch.setenv(VARIABLE, str(net))
    assert find_folder() == net
    assert find_folder(broken) == broken
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr("aufer.au_net.network.models_folder", lambda: tmp_path)
    with pytest.raises(EnvironmentFailure, match="missing from this installation") as failure:
        find_folder()
    assert "--au-net" in (failure.value.hint or "")


def test_landmarks_are_in_the_pictures_pixels(tmp_path: Path) -> None:
    """The mean shape lies in its box's square wherever that is, at any size."""
    network = AuNet(make_au_net(tmp_path / "a"))
    for side, at in ((100, (30, 20)), (80, (-10, 50)), (700, (150, 60))):
        grey = np.full((900, 1000), 120, np.uint8)
        found = network.measure(grey, [Box(*at, side, side)]).landmarks[0]
        region = 1.235 * side
        middle = np.array(at) + side / 2 + [0, 0.114 * side]
        assert np.allclose(found, mean_shape() * 0.354 * region + middle, atol=region / 64)
    # what the second network finds elsewhere in its crop is elsewhere in the picture
    moved_network = AuNet(make_au_net(tmp_path / "b", shift=(9.6, 0)))
    there = moved_network.measure(grey, [Box(150, 60, 700, 700)]).landmarks[0]
    across = 1.235 * 700 * 0.354 / 0.4 / 96  # pixels of the picture to one of the second crop
    assert np.allclose(there - found, [9.6 * across, 0], atol=1)


def test_no_faces_and_many(net: Path) -> None:
    network = AuNet(net)
    grey = np.random.default_rng(0).integers(0, 255, (300, 300)).astype(np.uint8)
    none = network.measure(grey, [])
    assert (none.aus.shape, none.landmarks.shape, none.confidence.shape) == (
        *((0, 17), (0, 68, 2)),
        (0,),
    )
    boxes = [Box(n, 2 * n, 80 + n, 80 + n) for n in range(AT_ONCE + 3)]
    many = network.measure(grey, boxes)
    assert many.aus.dtype == many.landmarks.dtype == many.confidence.dtype == np.float32
    for number in (0, AT_ONCE - 1, AT_ONCE, AT_ONCE + 2):
        one = network.measure(grey, [boxes[number]])
        assert np.array_equal(one.aus[0], many.aus[number])
        assert np.array_equal(one.landmarks[0], many.landmarks[number])


def test_aus_are_calibrated_and_cut(tmp_path: Path) -> None:
    plain = AuNet(make_au_net(tmp_path / "plain", aus=9))
    grey = np.full((100, 100), 204, np.uint8)
    raw = plain.measure(grey, [Box(10, 10, 80, 80)]).aus[0]
    assert raw.max() == 5
    facts = plain.facts | {"calibration": {"AU01_r": {"from": [0, 2.2, 5], "to": [0, 1.1, 5]}}}
    (tmp_path / "plain" / FACTS_NAME).write_text(to_json(facts))
    changed = AuNet(tmp_path / "plain").measure(grey, [Box(10, 10, 80, 80)]).aus[0]
    assert raw[0] == pytest.approx(9 / 17 * 4, abs=0.01)
    assert changed[0] == pytest.approx(raw[0] / 2, abs=0.01)
    assert np.array_equal(changed[1:], raw[1:])


def test_what_the_network_takes_for_no_face_gets_no_row(folder: Path, tmp_path: Path) -> None:
    save_portrait(folder / "happy/face.png")
    doubting = make_au_net(tmp_path / "doubting")
    facts = read_json(doubting / FACTS_NAME)
    for offset, status in ((-3, "no_face"), (-1, "ok")):  # 0.05 and 0.27
        facts["confidence"] = {"slope": 0, "offset": offset}
        (doubting / FACTS_NAME).write_text(to_json(facts))
        row = rows(run(doubting, folder, looks=1))["happy/face.png"]
        assert row["status"] == status
    assert row["confidence"] == pytest.approx(0.269)


def test_similarities_undo_what_was_done() -> None:
    chance = np.random.default_rng(1)
    reference = chance.normal(0, 10, (68, 2))
    angle, scale = 0.4, 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    maps = np.stack([np.c_[turn, [3, -5]], np.c_[np.eye(2), [0, 1]]])
    points = moved(np.stack([reference, reference]), maps)
    assert np.allclose(moved(points, similarities(points, reference)), reference)
    assert np.allclose(moved(points, inverse(maps)), reference)


@pytest.mark.parametrize("side", [60, 90, 400, 1500])
def test_a_cut_keeps_its_place(side: int) -> None:
    """A bright dot in the picture is where its patch says, and its crop."""
    grey = np.zeros((1200, 1600), np.uint8)
    dot = max(3, side // 20)
    x, y = 900, 500
    grey[y - dot : y + dot + 1, x - dot : x + dot + 1] = 255
    patch = cut_patch(grey, Region(880, 520, side))
    assert max(patch.grey.shape) <= REGION_PIXELS * 1.7
    if side < 700:  # else the picture ends before the patch does
        assert min(patch.grey.shape) > min(side, REGION_PIXELS) * 1.5
    there = _middle_of(patch.grey)
    assert np.allclose(patch.to_picture @ [*there, 1], [x, y], atol=0.02 * side)
    to_crop = upright(patch.region, 64)
    crop = crops([patch], to_crop[None], 64)[0, :, :, 0]
    if side > 60:  # else the dot is beyond the crop's edge
        wanted = 32 + (np.array([x, y]) - [880, 520]) * 64 / side
        assert np.allclose(_middle_of(crop), wanted, atol=1)


def _middle_of(grey: np.ndarray) -> np.ndarray:
    ys, xs = np.indices(grey.shape)
    weight = grey.astype(float)
    return np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("width", [640, 1500])
def test_faces_of_half_the_size_are_found_beside_a_large_one(width: int) -> None:
    finder = PictureFinder()
    for large, share in ((0.5, 0.55), (0.22, 0.55), (0.3, 1.0)):
        sides = [round(width * large), round(width * large * share)]
        scene = np.full((width * 3 // 4, width), 90, np.uint8)
        for side, left in zip(sides, (10, width - sides[1] - 10), strict=True):
            scene[20 : 20 + side, left : left + side] = draw_portrait(side, seed=side)
        boxes = finder.find_in(scene)
        assert len(boxes) == 2
        for box, side, left in zip(boxes, sides, (10, width - sides[1] - 10), strict=True):
            assert np.allclose(box.middle, (left + side / 2, 20 + side / 2), atol=side * 0.1)


def test_a_face_that_fills_its_picture_is_found_in_it() -> None:
    portrait = draw_portrait(400)
    (whole,) = PictureFinder().find_in(portrait)
    across, down = whole.width // 20, whole.height // 20
    tight = np.ascontiguousarray(
        portrait[whole.y + down : whole.y + whole.height, whole.x + across :][
            :, : whole.width - 2 * across
        ]
    )
    (box,) = PictureFinder().find_in(tight)
    assert 0 <= box.x < box.x + box.width <= tight.shape[1]
    assert 0 <= box.y < box.y + box.height <= tight.shape[0]
    assert np.allclose(box.middle, (whole.width / 2 - across, whole.height / 2 - down), atol=30)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (19, 19), (39, 700), (41, 40)])
def test_pictures_too_small_or_narrow_for_a_face(shape: tuple[int, int]) -> None:
    finder = PictureFinder()
    noise = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)
    assert finder.find_in(noise) == finder.find_in(np.zeros(shape, np.uint8)) == []


def test_the_program_needs_neither_pandas_nor_pillow(net: Path, tmp_path: Path) -> None:
    """Each of its processes is started anew, some for a few pictures."""
    save_portrait(tmp_path / "in/a.png")
    code = (
        "import sys\n"
        "from aufer.au_net.program import main\n"
        "loaded = {'numpy', 'cv2', 'onnxruntime'} & set(sys.modules)\n"
        "code = main(sys.argv[1:])\n"
        "heavy = {'pandas', 'PIL', 'scipy', 'matplotlib', 'tensorflow', 'click'}\n"
        "print(sorted(loaded), code, sorted(heavy & set(sys.modules)))\n"
    )
    words = ["-fdir", tmp_path / "in", "-out_dir", tmp_path / "out", "-au_net", net]
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "[] 0 []"


def test_faces_are_found_at_any_size_and_turned_by_exif(tmp_path: Path) -> None:
    finder = PictureFinder()
    for size, side in (((60, 60), 60), ((640, 480), 300), ((2000, 1500), 700), ((2000, 1500), 170)):
        scene = np.full(size[::-1], 90, np.uint8)
        scene[-side:, -side:] = draw_portrait(side)
        (box,) = finder.find_in(scene)
        middle = np.array(box.middle) - size + side
        assert np.allclose(middle, side / 2, atol=side * 0.08)
    sideways = PIL.Image.fromarray(np.ascontiguousarray(np.rot90(draw_portrait())))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # the viewer turns it by a quarter, clockwise
    sideways.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    grey = read_grey(tmp_path / "turned.jpg")
    assert grey is not None
    assert np.abs(grey.astype(int) - draw_portrait()).mean() < 5
    assert len(finder.find_in(grey)) == 1


# ---- the network that comes with aufer


def web_faces(data: Path, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Faces never trained on (their number ends in 7): grey pixels, and OpenFace's intensities."""
    found = []
    with (
        zipfile.ZipFile(data / "web" / "images.zip") as pictures,
        zipfile.ZipFile(data / "web" / "openface.zip") as csvs,
    ):
        names = [name for name in csvs.namelist() if name.endswith("7.csv")]
        step = max(1, len(names) // (2 * n))
        for name in names[::step]:
            read = read_face_csvs([csvs.read(name)])
            if len(read.frame) == 1 and read.frame["confidence"][0] >= 0.9:
                picture = PIL.Image.open(io.BytesIO(pictures.read(f"{name[:-4]}.jpg")))
                aus = read.frame[list(INTENSITY_COLUMNS)].to_numpy()[0]
                found.append((np.asarray(picture.convert("L")), aus))
    return found[:n]


def test_it_agrees_with_openface_on_faces_never_seen(real_net: Path, data: Path) -> None:
    network, finder = AuNet(real_net), PictureFinder()
    ours, theirs, confidence = [], [], []
    for pixels, aus in web_faces(data, 120):
        grey = np.pad(pixels, len(pixels) // 4, mode="edge")
        if boxes := finder.find_in(grey):
            found = network.measure(grey, [max(boxes, key=lambda box: box.area)])
            ours.append(found.aus[0])
            theirs.append(aus)
            confidence.append(found.confidence[0])
    assert len(ours) > 110
    assert np.mean(np.array(confidence) >= 0.7) > 0.9
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(np.array(ours).T, np.array(theirs).T, strict=True)]
    assert np.mean(r) > 0.65  # of 400 faces more; these are few


def test_what_is_no_face_has_no_confident_row(real_net: Path, data: Path) -> None:
    network, finder = AuNet(real_net), PictureFinder()

    def most_confident(grey: np.ndarray) -> float:
        return max(network.measure(grey, finder.find_in(grey)).confidence, default=0)

    chance = np.random.default_rng(0)
    for scale in (1, 4, 16):
        noise = chance.integers(0, 255, (320 // scale, 320 // scale)).astype(np.uint8)
        assert most_confident(np.kron(noise, np.ones((scale, scale), np.uint8))) < 0.7
    assert most_confident(np.zeros((320, 320), np.uint8)) == 0
    upside_down = [
        most_confident(np.ascontiguousarray(np.pad(pixels, 50, mode="edge")[::-1]))
        for pixels, _ in web_faces(data, 80)
    ]
    assert np.mean(np.array(upside_down) >= 0.7) <= 0.1
