"""The command ``aufer extract``, from the typed line to files, messages and exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from aufer.au_table import COLUMNS, read_au_table
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.extract import extract
from aufer.images import find_images
from aufer.openface.engines import make_engine
from aufer.openface.measure import measure
from aufer.openface.scratch import scratch_folder
from aufer.openface.store import open_store
from tests.running import Ran, RunAufer, run_aufer
from tests.stand_in.pictures import save_broken, save_face

if TYPE_CHECKING:
    from tests.engine_cases import EngineCase

pytest_plugins = ["tests.engine_cases"]
pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A small workspace: two emotions, three good pictures."""
    folder = tmp_path / "data" / "images"
    save_face(folder / "happy/a.jpg", seed=1)
    save_face(folder / "happy/b.png", seed=2)
    save_face(folder / "sad/c.jpg", seed=3)
    return folder


@pytest.fixture
def run(aufer: RunAufer, local_case: EngineCase):
    """``run(…)`` is ``aufer extract --engine local …`` in the workspace."""

    def start(*args: object, **env: str) -> Ran:
        return aufer("extract", *local_case.words, *args, **env)

    return start


def table(tmp_path: Path, name: str = "data/aus.csv") -> pd.DataFrame:
    return read_au_table(tmp_path / name).frame.set_index("image")


def test_the_usual_way(images: Path, tmp_path: Path, aufer: RunAufer, case: EngineCase) -> None:
    ran = aufer("extract", *case.words).check()
    assert ran.out == f"data{os.sep}aus.csv\n"  # stdout is data
    assert "no image of: angry, disgust, neutral, surprise" in ran.err
    lines = [line.split() for line in ran.err.splitlines()]
    assert ["ok", "all"] in lines
    assert ["happy", "2", "2"] in lines
    assert ["all", "3", "3"] in lines
    assert "next: aufer build-dataset" in ran.err
    frame = table(tmp_path)
    assert list(read_au_table(tmp_path / "data/aus.csv").frame.columns) == list(COLUMNS)
    assert frame["status"].to_dict() == dict.fromkeys(
        ["happy/a.jpg", "happy/b.png", "sad/c.jpg"], "ok"
    )
    facts = json.loads((tmp_path / "data/aus.json").read_text(encoding="utf-8"))
    assert facts["extractor"]["engine"] == case.name
    assert facts["extractor"]["measure"] == "openface-static"
    assert facts["images_folder"] == "data/images"
    assert (tmp_path / "data/openface/index.tsv").is_file()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        *(".aufer", "aus.csv", "aus.json", "extraction", "images", "openface")
    ]


def test_the_same_input_gives_the_same_bytes(images: Path, tmp_path: Path, run) -> None:
    run().check()
    first = (tmp_path / "data/aus.csv").read_bytes()
    run().check()
    assert (tmp_path / "data/aus.csv").read_bytes() == first


def test_failed_images_show_in_the_exit_code(images: Path, tmp_path: Path, run) -> None:
    save_broken(images / "happy/zero.jpg", "zero")
    save_face(images / "happy/dies.jpg", seed=9, die=134)
    ran = run().check(5)
    assert "unreadable, or crashed the engine: 2" in ran.err
    assert ran.out.strip().endswith("aus.csv")
    run("--keep-going").check(0)
    assert table(tmp_path)["status"].value_counts().to_dict() == {
        "ok": 3,
        "unreadable": 1,
        "crashed": 1,
    }


def test_results_are_no_failures(images: Path, run) -> None:
    save_face(images / "happy/none.jpg", seed=4, faces=0)
    save_face(images / "happy/low.jpg", seed=5, confidence=0.1)
    save_broken(images / "happy/tiny.jpg", "tiny")
    save_face(images / "happy/two.jpg", seed=6, faces=2)
    run("--faces", "error").check(0)


def test_json_on_stdout(images: Path, run) -> None:
    facts = json.loads(run("--json").check().out)
    assert facts["statuses"] == {"ok": 3}
    assert facts["schema"] == "aufer/au-table/1"


def test_labels_from_a_table(tmp_path: Path, run) -> None:
    for name in ("one.jpg", "two.jpg", "three.jpg"):
        save_face(tmp_path / "photos" / name, seed=len(name))
    (tmp_path / "photos.csv").write_text(
        "image,emotion,group\none.jpg,anger,ann\nthree.jpg, Happy ,bob\n"
    )
    run("photos", "--labels", "photos.csv").check()
    frame = table(tmp_path)
    assert frame["emotion"].to_dict() == {"one.jpg": "angry", "three.jpg": "happy"}
    assert frame["group"].to_dict() == {"one.jpg": "ann", "three.jpg": "bob"}


def test_pictures_outside_of_any_folder_get_a_short_hint(tmp_path: Path, run) -> None:
    for number in range(30):
        save_face(tmp_path / f"photos/{number:03}.jpg", seed=number)
    ran = run("photos").check(4)
    assert "'000', '001', '002', '003', '004' and 25 more are no emotions" in ran.err
    assert "happy/anna.jpg" in ran.err
    assert "017" not in ran.err


def test_faces_without_labels(tmp_path: Path, run) -> None:
    save_face(tmp_path / "photos/holiday/a.jpg")
    run("photos").check(4)  # "holiday" is no emotion
    ran = run("photos", "--no-labels", "--out", "photos.csv").check()
    assert "no image of" not in ran.err
    frame = table(tmp_path, "photos.csv")
    assert frame["emotion"].to_dict() == {"holiday/a.jpg": ""}
    assert frame["status"].to_dict() == {"holiday/a.jpg": "ok"}


def test_flat_names_and_other_emotions(tmp_path: Path, run) -> None:
    save_face(tmp_path / "flat/joy001.jpg", seed=1)
    save_face(tmp_path / "flat/Fear_2.jpg", seed=2)
    run("flat", "--emotions", "fear,happy").check()
    assert table(tmp_path)["emotion"].to_dict() == {"Fear_2.jpg": "fear", "joy001.jpg": "happy"}


def test_kept_extras(images: Path, tmp_path: Path, run) -> None:
    run("--keep", "annotated,landmarks").check()
    points = pd.read_csv(tmp_path / "data/aus.landmarks.csv")
    assert points.shape == (3, 137)
    assert len(list((tmp_path / "data/openface").rglob("*.jpg"))) == 3
    facts = json.loads((tmp_path / "data/aus.landmarks.json").read_text(encoding="utf-8"))
    assert facts["extractor"]["engine"] == "local"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["absent"], 2, "does not exist"),
        (["--labels", "absent.csv"], 2, "does not exist"),
        (["--keep", "hog"], 2, "--keep knows annotated and landmarks"),
        (["--faces", "first"], 2, "first"),
        (["--labels", "x.csv", "--no-labels"], 2, "exclude each other"),
        (["--openface-args", "-fdir x"], 2, "sets itself"),
        (["--emotions", "happy"], 2, "At least two"),
        (["--openface", "/absent/FaceLandmarkImg"], 3, "no /absent/FaceLandmarkImg"),
        (["--openface-args", "-mloc /absent"], 3, "landmark model"),
        (["empty"], 4, "no image"),
        (["odd"], 4, "'blissful' is no emotion"),
    ],
)
def test_refusals_say_what_and_how_and_change_nothing(
    images: Path, tmp_path: Path, run, words, code, said
) -> None:
    (tmp_path / "empty").mkdir()
    save_face(tmp_path / "odd/blissful/a.jpg")
    ran = run(*words).check(code)
    assert said in ran.err
    assert "error: " in ran.err
    assert ran.out == ""
    left = {path.name for path in (tmp_path / "data").iterdir()}
    assert left - {".aufer", "extraction"} == {"images"}  # the log tells of a run that failed


def test_no_engine(images: Path, tmp_path: Path, aufer: RunAufer) -> None:
    ran = aufer("extract", DOCKER_HOST="unix:///nonexistent").check(3)
    assert "error: No Docker engine answers" in ran.err
    assert "hint: DOCKER_HOST=unix:///nonexistent leads there" in ran.err
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["images"]


def test_an_image_but_no_network(
    images: Path, tmp_path: Path, aufer: RunAufer, stand_in_image: str
) -> None:
    ran = aufer("extract", "--image", "127.0.0.1:9/openface:none").check(3)
    assert "can't be pulled" in ran.err
    assert "hint: " in ran.err
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["images"]


def test_an_edited_table_is_kept(images: Path, tmp_path: Path, run) -> None:
    run().check()
    path = tmp_path / "data/aus.csv"
    edited = path.read_text(encoding="utf-8").replace("sad", "happy")
    path.write_text(edited, encoding="utf-8")
    ran = run().check(1)
    assert "was edited" in ran.err
    assert "--force" in ran.err
    assert path.read_text(encoding="utf-8") == edited
    run("--force").check()
    assert path.read_text(encoding="utf-8") != edited
    run().check()


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_of_somebody_else_is_never_replaced(images: Path, tmp_path: Path, run) -> None:
    """A checkout of OpenFace, say."""
    own = tmp_path / "openface/CMakeLists.txt"
    own.parent.mkdir()
    own.write_text("years of work")
    for words in ([], ["--force"]):
        ran = run("--out", "aus.csv", *words).check(1)
        assert "openface holds CMakeLists.txt and was not made by `aufer`" in ran.err
        assert "--out" in ran.err
    assert own.read_text() == "years of work"
    assert not (tmp_path / "aus.csv").exists()
    (own.parent / "index.tsv").write_text("a\tb\n1\t2\n")  # another index.tsv is none of ours
    run("--out", "aus.csv", "--force").check(1)
    (tmp_path / "data/openface").mkdir()  # an empty folder holds nothing to lose
    run().check()


def test_something_else_in_our_folder_is_kept_unless_forced(
    images: Path, tmp_path: Path, run
) -> None:
    run().check()
    (tmp_path / "data/openface/.DS_Store").write_text("no work")
    for name in ("happy/mine.csv", ".notes/todo.txt"):
        own = tmp_path / "data/openface" / name
        own.parent.mkdir(exist_ok=True)
        own.write_text("years of work")
        ran = run("--faces", "best").check(1)
        assert name in ran.err
        typed = "aufer extract --engine local --openface"
        assert typed in ran.err
        assert "--faces best --force" in ran.err  # all that was typed
        assert own.read_text() == "years of work"
        run("--force").check()
        assert not own.exists()
    run("--keep", "annotated").check()  # what aufer wrote is replaced without more ado
    run("--openface-args", "-simalign").check()
    run().check()


def test_a_linked_openface_folder_is_not_replaced(images: Path, tmp_path: Path, run) -> None:
    run().check()
    try:
        (tmp_path / "data/openface").rename(tmp_path / "elsewhere")
        (tmp_path / "data/openface").symlink_to(tmp_path / "elsewhere")
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")
    before = state(tmp_path)
    ran = run("--force").check(1)
    assert "is a link" in ran.err
    assert state(tmp_path) == before
    assert (tmp_path / "data/openface").is_symlink()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        *(".aufer", "aus.csv", "aus.json", "extraction", "images", "openface")
    ]


def test_each_table_has_openface_files_of_its_own(images: Path, tmp_path: Path, run) -> None:
    run().check()
    first = state(tmp_path / "data/openface")
    save_face(tmp_path / "others/happy/z.jpg", seed=7)
    ran = run("others", "--out", "data/other faces.csv").check()
    assert "next: aufer build-dataset 'data/other faces.csv'" in ran.err
    assert state(tmp_path / "data/openface") == first
    assert (tmp_path / "data/other faces.openface/index.tsv").is_file()


@pytest.mark.parametrize("out", ["t.json", "a" * 230 + ".csv", "a" * 300])
def test_names_that_a_table_cant_have(images: Path, run, out: str) -> None:
    ran = run("--out", out).check(2)
    assert "hint: " in ran.err


def test_a_folder_name_that_is_too_long(tmp_path: Path, run) -> None:
    for words in (["a" * 300], [".", "--labels", "a" * 300]):
        assert "can't be used" in run(*words).check(2).err


@pytest.mark.parametrize("failing", ["aus.json", "aus.csv", "aus.landmarks.csv", "index.tsv"])
def test_a_failure_while_renaming_leaves_the_tables(
    images: Path, tmp_path: Path, local_case: EngineCase, monkeypatch, failing: str
) -> None:
    out = tmp_path / "data/aus.csv"
    options = {"engine": local_case.make(), "keep": ["landmarks"]}
    extract(images, out, **options)

    def tables() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in out.parent.glob("aus.*")}

    before, kept = tables(), state(tmp_path / "data/openface")
    save_face(images / "happy/more.jpg", seed=8)
    really = os.replace

    def replace(source, target) -> None:
        if Path(target).name == failing:
            monkeypatch.setattr(os, "replace", really)  # the way back is open
            raise OSError(28, "No space left on device")
        really(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="No space left"):
        extract(images, out, **options)
    assert tables() == before
    assert len(before) == 4
    now = state(tmp_path / "data/openface")
    assert {name: now[name] for name in kept if not name.endswith("index.tsv")} == {
        name: content for name, content in kept.items() if not name.endswith("index.tsv")
    }
    extract(images, out, **options)
    assert set(tables()) == set(before)
    assert len(read_au_table(out)) == 4


def test_a_name_that_is_no_utf8(images: Path, tmp_path: Path, run) -> None:
    odd = os.fsencode(images) + b"/happy/J\xf6rg.jpg"
    try:
        os.rename(save_face(images / "happy/joerg.jpg", seed=11), odd)
    except OSError as error:
        pytest.skip(f"the file system takes UTF-8 only: {error}")
    run("--keep", "landmarks").check()
    assert table(tmp_path).loc["happy/J\\xf6rg.jpg", "status"] == "ok"
    assert "J\\xf6rg.jpg" in (tmp_path / "data/openface/index.tsv").read_text(encoding="utf-8")


def test_an_edit_made_while_measuring_is_kept(
    images: Path, tmp_path: Path, local_case: EngineCase, monkeypatch
) -> None:
    out = tmp_path / "data/aus.csv"
    engine = local_case.make()
    extract(images, out, engine=engine)
    save_face(images / "happy/more.jpg", seed=8)
    really_run = engine.run

    def run_and_edit(*args, **options):
        out.write_text("edited meanwhile")
        return really_run(*args, **options)

    monkeypatch.setattr(engine, "run", run_and_edit)
    with pytest.raises(AuferError, match="was edited"):
        extract(images, out, engine=engine)
    assert out.read_text() == "edited meanwhile"


def test_files_that_are_no_pictures_are_told_of(images: Path, run) -> None:
    (images / "happy/notes.txt").write_text("x")
    (images / "happy/photo.heic").write_bytes(b"x")
    (images / ".hidden").write_text("x")
    ran = run().check()
    assert "files passed over, as their endings are no picture's: 2" in ran.err
    assert ".heic (1)" in ran.err


def _leave_pages(folder: Path, n_pages: int) -> None:
    free = os.statvfs(folder)
    (folder / "ballast").write_bytes(b"x" * (free.f_bavail - n_pages) * free.f_bsize)


def test_a_disk_that_fills_up_keeps_what_was_there(images: Path, small_disk: Path, run) -> None:
    old = small_disk / "aus.csv"
    run("--out", str(old)).check()
    before = {path.name: path.read_bytes() for path in small_disk.glob("aus.*")}
    for seed in range(8):  # copies: links don't reach another file system
        save_face(images / f"happy/more{seed}.png", size=(400, 400), seed=100 + seed)
    ran = run("--out", str(old)).check(1)
    assert "No space left" in ran.err
    assert "hint: " in ran.err
    assert {path.name: path.read_bytes() for path in small_disk.glob("aus.*")} == before
    assert not list(small_disk.glob(".aufer-*"))
    _leave_pages(small_disk, 4)
    ran = run("--out", str(old)).check(1)
    assert "MB left" in ran.err  # seen before anything starts
    (small_disk / "ballast").unlink()
    for path in images.glob("happy/more[2-7].png"):
        path.unlink()
    run("--out", str(old)).check()


def test_openfaces_silence_on_a_full_disk_is_heard(
    images: Path, small_disk: Path, case: EngineCase, tmp_path: Path
) -> None:
    """Exit 0, no message, 0-byte files: what a full disk does to OpenFace."""
    found = find_images(images, Emotions())

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator[Callable[[int], None]]:
        pictures = sum(-(-image.path.stat().st_size // 4096) for image in found)
        _leave_pages(small_disk, pictures + 3)  # of six files that OpenFace writes
        yield lambda n: None

    with (
        closing(case.make()) as engine,
        open_store(tmp_path / "measured.sqlite") as store,
        scratch_folder(small_disk) as scratch,
        pytest.raises(AuferError, match="disk is full"),
    ):
        measure(found, engine, store=store, scratch=scratch, progress=progress)
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_from_python(images: Path, tmp_path: Path, local_case: EngineCase) -> None:
    engine = local_case.make()
    measured = extract(images, tmp_path / "t.csv", engine=engine, keep_openface_files=False)
    assert measured.counts() == {"ok": 3}
    assert measured.images_folder == images.as_posix()
    assert not (tmp_path / "t.openface").exists()
    with pytest.raises(UsageError, match="--keep"):
        extract(images, tmp_path / "t.csv", engine=engine, keep=["hog"])
    with pytest.raises(DataError):
        extract(tmp_path, tmp_path / "t.csv", engine=engine)
    (tmp_path / "u.openface").write_text("x")
    with pytest.raises(AuferError, match="is a file"):
        extract(images, tmp_path / "u.csv", engine=engine)


def test_a_place_that_cant_be_written_to(images: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(AuferError, match="can't be written to"):
        extract(images, tmp_path / "t.csv", engine=make_engine("local"))


def test_no_face_at_all_is_told_with_the_common_reason(tmp_path: Path, local_case) -> None:
    for seed in range(3):
        save_face(tmp_path / "photos" / "happy" / f"{seed}.png", size=(48, 48), seed=seed)
    words = [*local_case.words, "--enlarge", "off", "--looks", "1"]
    ran = run_aufer("extract", "photos", *words, cwd=tmp_path).check()
    assert "no face was measured in 3 images, mostly: no face is found" in ran.err
    assert "next:" not in ran.err
