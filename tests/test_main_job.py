"""The main job as the README has it: four bare commands, a fresh workspace, a real engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import pandas as pd
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.emotions import DEFAULT_NAMES
from tests.running import RunAufer, run_aufer
from tests.stand_in.pictures import save_broken, save_face

if TYPE_CHECKING:
    from tests.engine_cases import EngineCase

pytest_plugins = ["tests.engine_cases"]

ROOT = Path(__file__).parents[1]
PER_EMOTION = 14


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, sample: Path) -> Path:
    """Photos whose faces carry the AUs of real ones (the bundled sample); some are difficult."""
    folder = tmp_path_factory.mktemp("photos")
    for part, emotion_count in (("images", PER_EMOTION), ("testset", 4)):
        source = sample / ("train" if part == "images" else "test")
        for emotion in DEFAULT_NAMES:
            csvs = sorted((source / emotion).glob("*.csv"))[:emotion_count]
            for number, csv in enumerate(csvs):
                aus = pd.read_csv(csv).loc[0, list(INTENSITY_COLUMNS)]
                suffix = (".jpg", ".JPG", ".png", ".jpeg")[number % 4]
                name = (
                    f"photo {number}{suffix}" if part == "images" else f"{emotion}{number:03}.jpg"
                )
                place = folder / part / emotion if part == "images" else folder / part
                place.mkdir(parents=True, exist_ok=True)
                seed = crc32(f"{part} {emotion} {number}".encode())
                save_face(
                    place / name, size=(240, 200), seed=seed, aus=aus.tolist(), confidence=0.97
                )
    save_face(folder / "images" / "happy" / "empty room.jpg", seed=1, corner="never")
    save_face(folder / "images" / "happy" / "blurred.jpg", seed=2, corner="unsure")
    save_broken(folder / "images" / "sad" / "cut.png", "truncated_png")
    return folder


def readme_commands() -> list[list[str]]:
    """The four commands for one's own photos, from the README itself."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^\$ (aufer (?:extract|build-dataset|train|evaluate)[^#\n]*)", text, re.M)
    return [shlex.split(line)[1:] for line in found][-4:]


def test_the_four_commands_of_the_readme(
    tmp_path: Path,
    studio: Path,
    docker_case: EngineCase,
) -> None:
    commands = readme_commands()
    assert [words[0] for words in commands] == ["extract", "build-dataset", "train", "evaluate"]
    run_aufer("init", ".", cwd=tmp_path).check()
    settings = (tmp_path / "aufer.toml").read_text()
    image = docker_case.options["image"]
    for section in ("extract", "evaluate"):  # the published image can't be had here
        settings = settings.replace(f"[{section}]\n", f'[{section}]\nimage = "{image}"\n')
    (tmp_path / "aufer.toml").write_text(settings)
    for part in ("images", "testset"):
        shutil.copytree(studio / part, tmp_path / "data" / part, dirs_exist_ok=True)

    ran = run_aufer(*commands[0], cwd=tmp_path).check(5)  # one image is unreadable: 5
    assert ran.out.strip() == str(Path("data/aus.csv"))
    table = pd.read_csv(tmp_path / "data" / "aus.csv", keep_default_na=False)
    assert len(table) == 6 * PER_EMOTION + 3
    by_name = table.set_index("image")
    assert by_name.loc["happy/empty room.jpg", "status"] == "no_face"
    assert by_name.loc["happy/blurred.jpg", "status"] == "ok"
    assert by_name.loc["sad/cut.png", "status"] == "unreadable"

    ran = run_aufer(*commands[1], cwd=tmp_path).check(5)
    rows = pd.read_csv(tmp_path / "data" / "emotion.rows.csv")
    excluded = pd.read_csv(tmp_path / "data" / "emotion.excluded.csv")
    assert len(rows) == 6 * PER_EMOTION
    assert set(excluded["status"]) == {"no_face", "low_confidence", "unreadable"}
    assert rows["sha256"].str.fullmatch("[0-9a-f]{64}").all()

    ran = run_aufer(*commands[2], cwd=tmp_path).check()
    bundle = tmp_path / ran.out.strip()
    facts = json.loads((bundle / "bundle.json").read_text())
    assert facts["extractor"]["engine"] == "docker"
    assert (
        facts["extractor"]["digest"].startswith("sha256:")
        or "@sha256:" in (facts["extractor"]["digest"])
    )
    assert facts["dataset"]["n_rows"] == len(rows)

    ran = run_aufer(*commands[3], cwd=tmp_path).check()
    page = tmp_path / ran.out.strip()
    assert page.is_file()
    report = json.loads((page.parent / "report.json").read_text())
    assert report["figures"]["all"]["n_images"] == 24
    assert report["figures"]["all"]["coverage"]["value"] == 1
    assert report["seen_in_training"]["n"] == 0
    assert report["warnings"] == []  # measured by the same engine as the training faces
    left = [name for name in os.listdir(tmp_path / "data") if name.endswith((".tmp", ".old"))]
    assert left == []

    # a training photo among the test photos is found by its bytes
    shutil.copy(
        tmp_path / "data" / "images" / "angry" / "photo 0.jpg",
        tmp_path / "data" / "testset" / "angry099.jpg",
    )
    ran = run_aufer(*commands[3], cwd=tmp_path).check()
    report = json.loads((page.parent / "report.json").read_text())
    part = pd.read_csv(bundle / "rows.csv").set_index("image").loc["angry/photo 0.jpg", "part"]
    expected = [] if part == "test" else ["angry099.jpg"]
    assert report["seen_in_training"]["images"] == expected


def test_predict_measures_photos(
    tmp_path: Path,
    studio: Path,
    docker_case: EngineCase,
    bundle: Path,
) -> None:
    photo = studio / "testset" / "happy000.jpg"
    ran = run_aufer("predict", photo, *docker_case.words, cwd=tmp_path).check()
    assert ran.out.splitlines()[1].startswith("happy000.jpg,ok,0.97,")
    ran = run_aufer("predict", studio / "testset", *docker_case.words, cwd=tmp_path).check()
    assert len(ran.out.splitlines()) == 25


def test_demo_runs_the_main_job_without_docker(aufer: RunAufer, tmp_path: Path) -> None:
    no_engine = {"DOCKER_HOST": "unix:///nonexistent.sock"}
    ran = aufer("demo", **no_engine).check()
    page = Path(re.findall(r"report: file://(\S+)", ran.out)[0])
    facts = json.loads(page.with_name("report.json").read_text())
    assert facts["figures"]["all"]["n_images"] == 66
    assert facts["seen_in_training"]["n"] == 0
    # six emotions: better than always answering one of them, by more than chance
    assert facts["figures"]["all"]["accuracy"]["low"] > 1 / 6
    assert "$ aufer build-dataset data/openface" in ran.err
    assert "aufer init my-study" in ran.err
    again = aufer("demo", **no_engine).check()  # a second run is no error
    assert len(list((tmp_path / "aufer-demo" / "models").glob("*/bundle.json"))) == 2
    assert "report: file://" in again.out
