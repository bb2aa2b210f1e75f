"""2,000 pictures, one in twenty of them poison: every good one measured, every bad one named.

What is right is dictated by the pictures themselves (tests/poison.py), or found by running the
stand-in bare.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from aufer.action_units import INTENSITY_COLUMNS, PRESENCE_COLUMNS
from aufer.au_table import POSE_COLUMNS, read_au_table
from aufer.openface.staging import hand_over
from aufer.openface.ways import Way
from tests.docker_engine import STAND_IN
from tests.faces import EMOTIONS
from tests.poison import LARGE, SHORTER_SIDE, SMALL, Wanted, find_faults, make_images, save_good
from tests.running import Ran, run_aufer
from tests.stand_in.pictures import paint_corner, save_broken, save_face

if TYPE_CHECKING:
    from tests.engine_cases import EngineCase

pytest_plugins = ["tests.engine_cases"]
pytestmark = pytest.mark.usefixtures("own_state")

LIMIT = ("--image-timeout", "3")
LOOKS = ("192", "192+25%", "384+25%")
LATE = ("none_below_288", "none_below_576", "unsure")


def extract(images: Path, case: EngineCase, folder: Path, *words: object, **env: str) -> Ran:
    """Run the command in a folder of its own; the table is ``folder/aus.csv``."""
    folder.mkdir(exist_ok=True)
    return run_aufer("extract", images, "--out", "aus.csv", *case.words, *words, cwd=folder, **env)


def check_named(folder: Path, wanted: dict[str, Wanted]) -> None:
    """Every image without a usable face is in failures.csv with its reason, and no other one."""
    with (folder / "extraction/failures.csv").open(newline="", encoding="utf-8") as file:
        failed = {row["image"]: row for row in csv.DictReader(file)}
    bad = {
        name
        for name, want in wanted.items()
        if want.status != "ok" or (want.confidence is not None and want.confidence < 0.7)
    }
    assert set(failed) == bad
    for name in bad:
        if wanted[name].status not in ("ok", "no_face"):
            assert failed[name]["status"] == wanted[name].status
            assert wanted[name].reason in failed[name]["reason"]


def run_stand_in(inputs: Path, outputs: Path) -> dict[str, dict[str, str]]:
    """The stand-in bare over a folder: stem -> the first row of its CSV."""
    command = [STAND_IN, "-fdir", inputs, "-out_dir", outputs, "-aus", "-pose", "-2Dfp"]
    subprocess.run(command, check=True, capture_output=True)
    rows = {}
    for path in outputs.glob("*.csv"):
        with path.open(newline="") as file:
            rows[path.stem] = next(csv.DictReader(file))
    return rows


@pytest.mark.timeout(900)
def test_2000_images_of_which_100_are_poison(local_case: EngineCase, tmp_path: Path) -> None:
    images = tmp_path / "images"
    wanted = make_images(images, 2000)
    for jobs in (1, 2, 4):
        folder = tmp_path / f"jobs{jobs}"
        extract(images, local_case, folder, "--jobs", jobs, *LIMIT).check(5)
        frame = read_au_table(folder / "aus.csv").frame
        faults = find_faults(frame, wanted)
        assert not faults, "\n".join([f"{len(faults)} with {jobs} jobs:", *faults[:20]])
        check_named(folder, wanted)
    tables = {(tmp_path / f"jobs{jobs}/aus.csv").read_bytes() for jobs in (1, 2, 4)}
    assert len(tables) == 1, "the number of jobs is in the table"

    plain = [name for name, want in wanted.items() if want.aus and want.n_faces == 1][:60]
    (tmp_path / "plain").mkdir()
    for number, name in enumerate(plain):
        shutil.copy(images / name, tmp_path / f"plain/{number}{Path(name).suffix.lower()}")
    bare = run_stand_in(tmp_path / "plain", tmp_path / "bare")
    frame = frame.set_index("image")
    for number, name in enumerate(plain):
        for column in ("confidence", *POSE_COLUMNS, *INTENSITY_COLUMNS, *PRESENCE_COLUMNS):
            assert frame.loc[name, column] == float(bare[str(number)][column]), (name, column)


@pytest.mark.timeout(600)
def test_either_engine_gives_the_same_table(
    local_case: EngineCase, docker_case: EngineCase, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    wanted = make_images(images, 160)
    for case in (local_case, docker_case):
        extract(images, case, tmp_path / case.name, "--jobs", 2, *LIMIT).check(5)
        faults = find_faults(read_au_table(tmp_path / case.name / "aus.csv").frame, wanted)
        assert not faults, "\n".join([case.name, *faults[:20]])
    tables = [(tmp_path / name / "aus.csv").read_bytes() for name in ("local", "docker")]
    assert tables[0] == tables[1]


def read_seen(path: Path) -> list[tuple[str, int]]:
    """What the stand-in was given: the file's name and its shorter side, in pixels."""
    lines = path.read_text().splitlines() if path.exists() else []
    fields = [line.split("\t") for line in lines]
    return [(Path(name).name, min(int(width), int(height))) for name, width, height in fields]


def test_fer2013_is_enlarged_and_looked_at_again_only_where_needed(
    data: Path, local_case: EngineCase, tmp_path: Path
) -> None:
    """Real 48x48 faces; a few are given corners in which no look, or only a late one, sees a face.

    What each look sees is found by running the stand-in bare on what is handed over.
    """
    images = tmp_path / "images"
    with zipfile.ZipFile(data / "fer2013/images-public.zip") as archive:
        for emotion in EMOTIONS:
            names = [name for name in archive.namelist() if name.startswith(f"{emotion}/")]
            for name in sorted(names)[:10]:
                archive.extract(name, images)
    files = sorted(images.rglob("*.jpg"))
    assert len(files) == 60
    for path, corner in zip(files[::12], ("never", "never", *LATE), strict=True):
        with Image.open(path) as picture:
            picture.load()
        paint_corner(picture, corner)
        picture.save(path)

    confidences: dict[Path, dict[str, float]] = {path: {} for path in files}
    for way in LOOKS:
        inputs = tmp_path / "inputs" / way
        inputs.mkdir(parents=True)
        for number, path in enumerate(files):
            hand_over(path, Way.parse(way), inputs, f"{number:02}")
        found = run_stand_in(inputs, tmp_path / "outputs" / way)
        for number, path in enumerate(files):
            confidences[path][way] = float(found.get(f"{number:02}", {}).get("confidence", -1))

    seen = tmp_path / "seen.tsv"
    extract(images, local_case, tmp_path / "out", STAND_IN_SEEN=str(seen)).check()
    frame = read_au_table(tmp_path / "out/aus.csv").frame.set_index("image")
    expected_seen: Counter[tuple[str, int]] = Counter()
    for path, found in confidences.items():
        row = frame.loc[path.relative_to(images).as_posix()]
        assert (row["width"], row["height"], row["duplicate_of"]) == (48, 48, "")
        looks = []
        for way in LOOKS:
            looks.append(way)
            if found[way] >= 0.7:
                break
        expected_seen.update((row["sha256"][:16], SHORTER_SIDE[way]) for way in looks)
        best = max(looks, key=lambda way: found[way])
        if found[best] < 0:
            assert row["status"] == "no_face", path
        else:
            assert (row["way"], row["confidence"]) == (best, found[best]), path
            assert row["scale"] == (8 if best.startswith("384") else 4), path
    given = Counter((Path(name).stem.rpartition("-")[2], side) for name, side in read_seen(seen))
    assert given == expected_seen
    again = {side: sum(n for (_, s), n in given.items() if s == side) for side in (192, 288, 576)}
    assert again[192] == 60 > again[288] > again[576] > 2


def test_the_user_says_how_often_and_whether_to_enlarge(
    local_case: EngineCase, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    corners = ("never", "unsure", "unsure_below_288")
    for corner in corners:
        save_face(images / f"sad/{corner}.png", size=SMALL, corner=corner)
    save_face(images / "sad/tiny.png", size=(30, 40))
    cases: dict[tuple[str, ...], tuple[list[int], ...]] = {
        (): ([192, 288, 576], [192, 288, 576], [192, 288]),
        ("--looks", "1"): ([192], [192], [192]),
        ("--enlarge", "off"): ([48, 72, 96], [48, 72, 96], [48, 72, 96]),
        ("--enlarge", "96", "--looks", "2"): ([96, 144], [96, 144], [96, 144]),
    }
    for number, (words, wanted) in enumerate(cases.items()):
        seen, folder = tmp_path / f"seen{number}.tsv", tmp_path / f"out{number}"
        extract(images, local_case, folder, *words, STAND_IN_SEEN=str(seen)).check()
        given: dict[str, list[int]] = {}
        for name, side in read_seen(seen):
            given.setdefault(name.rpartition("-")[0], []).append(side)
        tiny = given.pop("tiny", [])
        assert given == dict(zip(corners, wanted, strict=True)), words
        status = read_au_table(folder / "aus.csv").frame.set_index("image")["status"]
        assert (status["sad/tiny.png"] == "too_small") == ("off" in words)
        assert (tiny == []) == ("off" in words)


def test_what_crashed_is_tried_again_only_when_asked(
    local_case: EngineCase, tmp_path: Path
) -> None:
    images, folder, seen = tmp_path / "images", tmp_path / "out", tmp_path / "seen.tsv"
    save_face(images / "happy/good.jpg", size=LARGE, seed=1)
    save_face(images / "happy/slow.jpg", size=LARGE, seed=2, sleep=4, confidence=0.95)
    save_face(images / "sad/dies.jpg", size=LARGE, seed=3, die=139)
    save_broken(images / "sad/zero.jpg", "zero")

    def run(*words: object) -> tuple[set[str], dict[str, str]]:
        seen.unlink(missing_ok=True)
        extract(images, local_case, folder, *words, STAND_IN_SEEN=str(seen)).check(5)
        frame = read_au_table(folder / "aus.csv").frame.set_index("image")
        names = {name.rpartition("-")[0] for name, _ in read_seen(seen)}
        # before it brands a picture, aufer makes sure with a good one that the engine is well
        given = {name for name in names if not name.startswith("control-")}
        return given, frame["status"].to_dict()

    crashed = {
        **{"happy/good.jpg": "ok", "happy/slow.jpg": "crashed"},
        **{"sad/dies.jpg": "crashed", "sad/zero.jpg": "unreadable"},
    }
    assert run("--image-timeout", 1) == ({"good", "slow", "dies"}, crashed)
    assert run("--image-timeout", 1) == (set(), crashed)
    assert run("--image-timeout", 1, "--retry", "crashed") == ({"slow", "dies"}, crashed)
    given, status = run("--image-timeout", 60, "--retry", "crashed")
    assert given == {"slow", "dies"}
    assert status == {**crashed, "happy/slow.jpg": "ok"}
    assert run("--image-timeout", 60) == (set(), status)
    assert run("--image-timeout", 60, "--fresh") == ({"good", "slow", "dies"}, status)


def test_a_changed_image_costs_only_itself(local_case: EngineCase, tmp_path: Path) -> None:
    images, folder, seen = tmp_path / "images", tmp_path / "out", tmp_path / "seen.tsv"
    for number in range(5):
        save_good(images / f"happy/{number}.bmp", number)

    def run(*words: object) -> set[str]:
        seen.unlink(missing_ok=True)
        extract(images, local_case, folder, *words, STAND_IN_SEEN=str(seen)).check()
        return {name.rpartition("-")[0] for name, _ in read_seen(seen)}

    assert run() == {"0", "1", "2", "3", "4"}
    before = (folder / "aus.csv").read_bytes()
    assert run() == set()
    assert (folder / "aus.csv").read_bytes() == before
    (images / "sad").mkdir()
    (images / "happy/0.bmp").rename(images / "sad/moved.bmp")
    save_good(images / "sad/new.bmp", 5)
    save_good(images / "happy/1.bmp", 6)
    assert run() == {"new", "1"}
    unnoticed = images / "happy/2.bmp"
    stat = unnoticed.stat()
    with unnoticed.open("r+b") as file:  # the same file, of the same size
        file.seek(200)
        file.write(b"other pixels")
    os.utime(unnoticed, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert run() == set()
    assert run("--rehash") == {"2"}
