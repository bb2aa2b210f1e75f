"""One contract, one suite: the same tests over both engines of OpenFace (tests/engine_cases.py).

The engine without OpenFace can't be told what to see: its own are in tests/test_au_net.py."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from aufer.au_table import AuTable
from aufer.emotions import Emotions
from aufer.errors import AuferError, EnvironmentFailure, UsageError
from aufer.extract import extract
from aufer.images import Image, find_images
from aufer.openface.engine import landmark_model, split_arguments
from aufer.openface.engines import ENGINES, make_engine
from aufer.openface.measure import measure
from aufer.openface.measuring.plan import Plan
from aufer.openface.staging import Checked
from aufer.openface.store import stamp_of
from aufer.openface.ways import ENLARGE_OFF
from aufer.progress import Progress, no_progress
from tests.stand_in.pictures import save_broken, save_face

if TYPE_CHECKING:
    from tests.engine_cases import EngineCase

pytest_plugins = ["tests.engine_cases"]
pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


def run(
    case: EngineCase,
    folder: Path,
    *,
    openface_args: str = "",
    progress: Progress = no_progress,
    **how,
) -> AuTable:
    images = find_images(folder, Emotions())
    with closing(case.make(openface_args)) as engine:
        return measure(images, engine, Plan(**how), progress=progress)


def run_and_keep(case: EngineCase, folder: Path, out: Path, openface_args: str = "", **options):
    with closing(case.make(openface_args)) as engine:
        return extract(folder, out, engine=engine, **options)


def rows(table: AuTable) -> dict[str, pd.Series]:
    return {row["image"]: row for _, row in table.frame.iterrows()}


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".aufer-*")]


def test_every_image_gets_its_row_and_status(case: EngineCase, folder: Path) -> None:
    save_face(folder / "happy/plain.jpg", seed=1, aus="1.25," + ",".join(["0.50"] * 16))
    save_face(folder / "happy/none.jpg", seed=2, faces=0)
    save_face(folder / "sad/small.jpg", seed=3, size=(50, 59))
    save_face(folder / "sad/dies.jpg", seed=4, die=134)
    for kind in ("zero", "garbage", "truncated_png", "truncated_jpeg", "tiny"):
        save_broken(folder / f"angry/{kind}.jpg", kind)
    save_broken(folder / "angry/folder.jpg", "directory")
    found = rows(run(case, folder, enlarge=ENLARGE_OFF, looks=1))
    assert {name: row["status"] for name, row in found.items()} == {
        "happy/plain.jpg": "ok",
        "happy/none.jpg": "no_face",
        "sad/small.jpg": "no_face",
        "sad/dies.jpg": "crashed",
        "angry/zero.jpg": "unreadable",
        "angry/garbage.jpg": "unreadable",
        "angry/truncated_png.jpg": "unreadable",
        "angry/truncated_jpeg.jpg": "unreadable",
        "angry/tiny.jpg": "too_small",
    }
    plain = found["happy/plain.jpg"]
    assert (plain["AU01_r"], plain["AU45_r"], plain["n_faces"], plain["face"]) == (1.25, 0.5, 1, 0)
    assert (plain["emotion"], plain["width"], plain["height"]) == ("happy", 200, 150)
    assert (plain["face_width"], plain["scale"]) == (105.0, 1.0)
    assert plain["sha256"] == hashlib.sha256((folder / "happy/plain.jpg").read_bytes()).hexdigest()
    assert "below 60 pixels" in found["sad/small.jpg"]["reason"]
    assert "42x120" in found["angry/tiny.jpg"]["reason"]
    for name, row in found.items():
        if name != "happy/plain.jpg":
            assert pd.isna(row["AU01_r"])
            assert pd.isna(row["confidence"])
    assert found["happy/none.jpg"]["n_faces"] == 0


def test_names_that_openface_would_mix_up_or_skip(case: EngineCase, folder: Path) -> None:
    names = [
        *("happy/a.jpg", "happy/a.png", "happy/a.bmp", "sad/a.jpg", "happy/deep/er/a.jpg"),
        *("happy/CAPS.JPG", "happy/two words.jpg", "happy/Jörg 笑.png", "happy/-f.jpg"),
        *("happy/b.webp", "happy/c.tif", "happy/semi;colon $HOME 'q'.jpg"),
    ]
    for seed, name in enumerate(names):
        save_face(folder / name, seed=seed, confidence=f"0.{900 + seed}")
    found = rows(run(case, folder))
    assert {name for name, row in found.items() if row["status"] == "ok"} == set(names)
    as_they_are = [name for name in names if not name.endswith((".webp", ".tif"))]
    for name in as_they_are:  # each got its own values
        assert found[name]["confidence"] == pytest.approx(0.9 + names.index(name) / 1000)


@pytest.mark.parametrize(
    ("policy", "face", "status"), [("largest", 1, "ok"), ("best", 2, "ok"), ("error", None, "")]
)
def test_one_face_of_several(case: EngineCase, folder: Path, policy, face, status) -> None:
    save_face(
        folder / "happy/group.jpg", faces=3, face_sizes="0.2,0.4,0.1", confidence="0.9,0.8,0.95"
    )
    row = rows(run(case, folder, faces=policy))["happy/group.jpg"]
    assert row["n_faces"] == 3
    if face is None:
        assert (row["status"], row["reason"]) == ("many_faces", "3 faces")
        assert pd.isna(row["face"])
        assert pd.isna(row["AU01_r"])
    else:
        assert (row["status"], row["face"]) == (status, face)


def test_equal_files_are_measured_once(case: EngineCase, folder: Path, tmp_path: Path) -> None:
    data = save_face(folder / "happy/b.jpg").read_bytes()
    for name in ("happy/a.jpg", "sad/copy of a.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    frame = run_and_keep(case, folder, tmp_path / "t.csv").frame.set_index("image")
    assert frame["duplicate_of"].to_dict() == {
        "happy/a.jpg": "",
        "happy/b.jpg": "happy/a.jpg",
        "sad/copy of a.jpg": "happy/a.jpg",
    }
    assert frame["AU01_r"].nunique() == 1
    assert frame["emotion"].tolist() == ["happy", "happy", "sad"]
    assert len(list((tmp_path / "t.openface").rglob("*.csv"))) == 1


@pytest.mark.parametrize("code", [1, 134, 137, 139])
def test_one_bad_picture_costs_only_itself(case: EngineCase, folder: Path, code: int) -> None:
    for seed in range(9):
        options = {"die": code} if seed in (3, 4, 8) else {}
        save_face(folder / f"happy/{seed}.jpg", seed=seed, **options)
    found = rows(run(case, folder))
    crashed = {name for name, row in found.items() if row["status"] == "crashed"}
    assert crashed == {"happy/3.jpg", "happy/4.jpg", "happy/8.jpg"}
    assert {row["status"] for name, row in found.items() if name not in crashed} == {"ok"}
    for name in crashed:
        assert f"exit code {code}" in found[name]["reason"]


def test_a_picture_that_only_openface_cant_open(
    case: EngineCase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_face(folder / "happy/a.jpg", seed=1)
    save_broken(folder / "happy/b.jpg", "zero")
    save_face(folder / "happy/c.jpg", seed=3)
    _let_everything_through(monkeypatch)
    found = rows(run(case, folder))
    assert {name: row["status"] for name, row in found.items()} == {
        "happy/a.jpg": "ok",
        "happy/b.jpg": "crashed",
        "happy/c.jpg": "ok",
    }
    assert "the engine could not open it" in found["happy/b.jpg"]["reason"]


def _let_everything_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Pillow had found every file in order."""
    from aufer.openface.measuring import stagers

    def check(path: Path) -> Checked:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return Checked(sha256, 200, 150, "0" * 16, "", stamp_of(path.stat()))

    def hand_over(path: Path, way, target: Path, stem: str, *, stamp=None) -> str:
        (target / f"{stem}.jpg").write_bytes(path.read_bytes())
        return f"{stem}.jpg"

    monkeypatch.setattr(stagers, "check_picture", check)
    monkeypatch.setattr(stagers, "hand_over", hand_over)


def test_the_innocent_picture_before_a_crash_is_not_branded(case: EngineCase, folder: Path) -> None:
    save_face(
        folder / "happy/a.jpg", seed=1, corner="never"
    )  # leaves details and no CSV, as a crash does
    save_face(folder / "happy/b.jpg", seed=2, die=134)
    save_face(folder / "happy/c.jpg", seed=3, corner="never")
    found = rows(run(case, folder))
    assert [row["status"] for row in found.values()] == ["no_face", "crashed", "no_face"]


def test_an_empty_table_needs_no_run(case: EngineCase, folder: Path) -> None:
    save_broken(folder / "happy/zero.jpg", "zero")
    table = run(case, folder)
    assert table.counts() == {"unreadable": 1}
    assert table.extractor.engine == case.name


def test_the_input_is_left_as_it_was(case: EngineCase, folder: Path, tmp_path: Path) -> None:
    save_face(folder / "happy/a.jpg", seed=1)
    save_face(folder / "happy/b.jpg", seed=2, die=134)

    def state() -> dict[str, tuple[bytes, int, int]]:
        return {
            str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
            for path in folder.rglob("*")
            if path.is_file()
        }

    before = state()
    run_and_keep(case, folder, tmp_path / "data" / "aus.csv")
    assert state() == before


def test_openfaces_own_files_are_kept_untouched(
    case: EngineCase, folder: Path, tmp_path: Path
) -> None:
    save_face(folder / "happy/a b.jpg", seed=1)
    save_face(folder / "happy/a_b.jpg", seed=2, corner="never")
    save_face(folder / "sad/c.png", seed=3, die=134)
    kept = tmp_path / "data" / "openface"
    run_and_keep(case, folder, tmp_path / "data/aus.csv")
    index = pd.read_csv(kept / "index.tsv", sep="\t").set_index("image")["file"].to_dict()
    assert set(index) == {"happy/a b.jpg", "happy/a_b.jpg"}
    csv = kept / index["happy/a b.jpg"]
    assert csv.parent == kept / "happy"
    assert csv.read_text().startswith("face,confidence,pose_Tx")
    assert index["happy/a_b.jpg"].endswith("_of_details.txt")
    files = {path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()}
    details = {index["happy/a_b.jpg"], index["happy/a b.jpg"].replace(".csv", "_of_details.txt")}
    assert files == {"index.tsv", index["happy/a b.jpg"], *details}
    assert left_behind(tmp_path) == []


def test_annotated_pictures_and_landmarks_are_kept_if_wanted(
    case: EngineCase, folder: Path, tmp_path: Path
) -> None:
    save_face(folder / "happy/a.jpg", seed=1, faces=2, face_sizes="0.2,0.4")
    save_face(folder / "happy/none.jpg", seed=2, corner="never")
    out, kept = tmp_path / "aus.csv", tmp_path / "openface"
    without = run_and_keep(case, folder, out)
    assert list(kept.rglob("*.jpg")) == []
    table = run_and_keep(case, folder, out, keep=("annotated", "landmarks"))
    assert len(list(kept.rglob("a-*.jpg"))) == 1
    landmarks = pd.read_csv(tmp_path / "aus.landmarks.csv")
    assert landmarks["image"].tolist() == ["happy/a.jpg"]
    row = rows(table)["happy/a.jpg"]
    xs = landmarks[[f"x_{i}" for i in range(68)]].iloc[0]
    ys = landmarks[[f"y_{i}" for i in range(68)]].iloc[0]
    assert (row["face"], row["face_x"], row["face_y"]) == (1, xs.min(), ys.min())
    again = run_and_keep(case, folder, out)
    assert list(kept.rglob("*.jpg")) == []
    for each in (without, again):
        pd.testing.assert_frame_equal(each.frame, table.frame)


def test_a_failed_run_leaves_the_old_files(case: EngineCase, folder: Path, tmp_path: Path) -> None:
    out, kept = tmp_path / "aus.csv", tmp_path / "openface"
    save_face(folder / "happy/a.jpg", seed=1)
    run_and_keep(case, folder, out)
    before = sorted(path.name for path in kept.rglob("*"))
    save_face(folder / "happy/b.jpg", seed=2)
    with pytest.raises(EnvironmentFailure):
        run_and_keep(case, folder, out, openface_args="-mloc /absent/model.txt")
    assert sorted(path.name for path in kept.rglob("*")) == before
    assert left_behind(tmp_path) == []


def test_a_missing_model_is_the_engines_fault(case: EngineCase, folder: Path) -> None:
    save_face(folder / "happy/a.jpg")
    with pytest.raises(EnvironmentFailure, match="landmark model") as failure:
        run(case, folder, openface_args="-mloc /absent/model.txt")
    assert "-mloc" in (failure.value.hint or "")


def test_a_full_disk_is_told_as_such(
    case: EngineCase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_face(folder / "happy/a.jpg")
    engine = case.make()
    really_run = engine.run

    def run_on_full_disk(input_folder: Path, output_folder: Path, **options):
        result = really_run(input_folder, output_folder, **options)
        for path in output_folder.glob("*.csv"):
            path.write_bytes(b"")  # exit 0 and 0 bytes: what OpenFace does
        return result

    monkeypatch.setattr(engine, "run", run_on_full_disk)
    with closing(engine), pytest.raises(AuferError, match="disk is full") as failure:
        measure(find_images(folder, Emotions()), engine)
    assert failure.value.exit_code == 1


def test_images_are_counted_as_they_finish(case: EngineCase, folder: Path) -> None:
    for seed in range(5):
        options = {"die": 134} if seed == 2 else {}
        save_face(folder / f"happy/{seed}.jpg", seed=seed, **options)
    save_broken(folder / "happy/zero.jpg", "zero")
    counts: dict[str, list[int]] = {}
    totals: dict[str, int] = {}

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator:
        totals[what] = total
        yield counts.setdefault(what, []).append

    run(case, folder, progress=progress)
    assert totals == {"measuring faces": 6}
    assert sum(counts["measuring faces"]) == 6
    assert all(step > 0 for step in counts["measuring faces"])


def test_a_poll_sees_the_pictures_that_are_done(case: EngineCase, folder: Path) -> None:
    save_face(folder / "happy/a.jpg", seed=1)
    save_face(folder / "happy/b.jpg", seed=2, sleep=1)
    done: list[int] = []

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator:
        yield done.append if what == "measuring faces" else (lambda n: None)

    run(case, folder, progress=progress, jobs=1)
    assert done == [1, 1]  # not [2]: the first was told while the second was measured


def test_what_measured_is_described(case: EngineCase, folder: Path) -> None:
    save_face(folder / "happy/a.jpg")
    extractor = run(case, folder, openface_args="-wild -mloc model/main_clnf_general.txt").extractor
    assert extractor.measure == "openface-static"
    assert extractor.engine == case.name
    assert extractor.flags == "-aus -pose -2Dfp -wild"
    assert extractor.model == "model/main_clnf_general.txt"
    assert extractor.enlarge == "auto, 3 looks"
    known_by = extractor.digest if case.name == "docker" else extractor.binary
    assert len(known_by.removeprefix("sha256:")) == 64


def test_both_engines_give_the_same_table(
    local_case: EngineCase, docker_case: EngineCase, folder: Path
) -> None:
    for seed in range(6):
        options = {2: {"faces": 0}, 3: {"die": 134}, 4: {"faces": 3}}.get(seed, {})
        save_face(folder / f"happy/{seed}.jpg", seed=seed, **options)
    save_broken(folder / "sad/zero.jpg", "zero")
    frames = [run(case, folder).frame for case in (local_case, docker_case)]
    pd.testing.assert_frame_equal(frames[0], frames[1])


def test_words_that_aufer_sets_itself_are_refused() -> None:
    with pytest.raises(UsageError, match="-out_dir"):
        split_arguments("-wild -out_dir /tmp")
    with pytest.raises(UsageError, match="needs a value"):
        split_arguments("-wild -mloc")
    with pytest.raises(UsageError, match="can't be read"):
        split_arguments("'open")


def test_unknown_flags_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    assert split_arguments("-wlid -sigma -1") == ("-wlid", "-sigma", "-1")
    assert [record.args for record in caplog.records] == [("-wlid",)]


def test_the_last_model_counts() -> None:
    assert landmark_model(["-mloc", "a", "-wild", "-mloc", "b c"]) == "b c"
    assert landmark_model(["-wild"]) == ""


def test_engines_are_made_by_name() -> None:
    assert {name: make_engine(name).name for name in ENGINES} == {
        "docker": "docker",
        "local": "local",
        "builtin": "builtin",
    }
    with pytest.raises(UsageError, match="known are docker, local, builtin"):
        make_engine("podman")
    with pytest.raises(UsageError, match="engine is docker"):
        make_engine("docker", openface="FaceLandmarkImg")
    with pytest.raises(UsageError, match="engine is builtin"):
        make_engine("builtin", openface="FaceLandmarkImg")
    with pytest.raises(UsageError, match="--openface-args"):
        make_engine("builtin", openface_args="-wild")
    with pytest.raises(UsageError, match="engine is docker"):
        make_engine("docker", au_net=Path("models/au-net"))


def test_measuring_single_images_needs_no_folders(case: EngineCase, folder: Path) -> None:
    path = save_face(folder / "photo.jpg")
    with closing(case.make()) as engine:
        table = measure([Image(path, "photo.jpg")], engine)
    assert isinstance(table, AuTable)
    assert table.frame["status"].tolist() == ["ok"]
    assert table.frame["emotion"].tolist() == [""]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no user ids here")
def test_files_belong_to_the_user(case: EngineCase, folder: Path, tmp_path: Path) -> None:
    save_face(folder / "happy/a.jpg")
    run_and_keep(case, folder, tmp_path / "aus.csv")
    owners = {path.stat().st_uid for path in tmp_path.rglob("*")}
    assert owners == {os.getuid()}
