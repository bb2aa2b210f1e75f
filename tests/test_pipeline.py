"""What is measured when, and what is not measured again: looks, deaths, resuming, the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable, read_au_table
from aufer.errors import AuferError, EnvironmentFailure, UsageError
from aufer.extract import extract
from aufer.openface.engines import make_engine
from aufer.openface.measure import key_of, store_of
from aufer.openface.measuring.call_log import read_calls
from aufer.openface.measuring.pipeline import path_key
from aufer.openface.measuring.plan import Plan
from aufer.openface.store import Look, open_store
from aufer.openface.ways import ENLARGE_OFF, Enlarge
from aufer.progress import Progress, no_progress
from tests.running import RunAufer
from tests.stand_in.pictures import save_broken, save_face

if TYPE_CHECKING:
    from tests.engine_cases import EngineCase

pytest_plugins = ["tests.engine_cases"]
pytestmark = pytest.mark.usefixtures("own_state")


class Study:
    """A workspace that is measured by the stand-in, which writes down what it sees."""

    def __init__(self, folder: Path, case: EngineCase) -> None:
        self.images, self.out = folder / "images", folder / "data" / "aus.csv"
        self.case = case
        self._seen = folder / "seen.tsv"

    def put(self, name: str, **marks) -> Path:
        return save_face(self.images / name, **marks)

    def run(self, *, progress: Progress = no_progress, openface_args: str = "", **how) -> AuTable:
        self._seen.unlink(missing_ok=True)
        os.environ["STAND_IN_SEEN"] = str(self._seen)
        try:
            with closing(self.case.make(openface_args)) as engine:
                return extract(
                    self.images, self.out, engine=engine, plan=Plan(**how), progress=progress
                )
        finally:
            del os.environ["STAND_IN_SEEN"]

    def rows(self, **how) -> dict[str, pd.Series]:
        return {row["image"]: row for _, row in self.run(**how).frame.iterrows()}

    def seen(self) -> Counter[str]:
        """How often the stand-in opened each picture in the last run, by the image's stem."""
        return Counter(name for name, _, _ in self.seen_sizes())

    def seen_sizes(self) -> list[tuple[str, int, int]]:
        if not self._seen.exists():
            return []
        rows = [line.split("\t") for line in self._seen.read_text().splitlines()]
        return [(Path(path).stem.rpartition("-")[0], int(w), int(h)) for path, w, h in rows]


@pytest.fixture
def study(tmp_path: Path, local_case: EngineCase) -> Study:
    return Study(tmp_path, local_case)


# Further looks


def test_small_pictures_are_enlarged_and_large_ones_are_not(study: Study) -> None:
    study.put("happy/small.png", size=(48, 48), seed=1)
    study.put("happy/tiny.png", size=(30, 40), seed=2)
    study.put("happy/large.png", size=(200, 150), seed=3, confidence=0.9)
    rows = study.rows(looks=1)
    assert sorted(study.seen_sizes()) == [
        ("large", 200, 150),
        ("small", 192, 192),
        ("tiny", 192, 256),
    ]
    assert {name: (row["way"], row["scale"]) for name, row in rows.items()} == {
        "happy/small.png": ("192", 4.0),
        "happy/tiny.png": ("192", 6.4),
        "happy/large.png": ("as it is", 1.0),
    }
    assert (rows["happy/small.png"]["width"], rows["happy/small.png"]["height"]) == (48, 48)


def test_only_pictures_without_a_confident_face_get_further_looks(study: Study) -> None:
    for seed, corner in enumerate(
        ("", "none_below_288", "none_below_576", "unsure_below_288", "never", "unsure")
    ):
        marks = {"corner": corner} if corner else {"confidence": 0.9, "size": (200, 150)}
        study.put(f"happy/{corner or 'sure'}.png", **{"size": (48, 48), "seed": seed, **marks})
    rows = study.rows(jobs=1)
    assert study.seen() == {
        "sure": 1,
        "none_below_288": 2,
        "none_below_576": 3,
        "unsure_below_288": 2,
        "never": 3,
        "unsure": 3,
    }
    found = {name[6:-4]: (r["status"], r["way"], r["confidence"]) for name, r in rows.items()}
    assert found["none_below_288"] == ("ok", "192+25%", 0.95)
    assert found["none_below_576"] == ("ok", "384+25%", 0.95)
    assert found["unsure_below_288"] == ("ok", "192+25%", 0.95)
    assert found["unsure"] == ("ok", "192+25%", 0.55)  # the best of 0.35, 0.55 and 0.45
    assert found["never"][:2] == ("no_face", "192")
    assert rows["happy/never.png"]["reason"] == "no face in 3 looks (192, 192+25%, 384+25%)"


def test_more_looks_later_cost_only_the_further_ones(study: Study) -> None:
    study.put("happy/a.png", size=(48, 48), corner="none_below_576")
    assert study.rows(looks=1)["happy/a.png"]["status"] == "no_face"
    assert study.rows(looks=3)["happy/a.png"]["status"] == "ok"
    assert [size for _, size, _ in study.seen_sizes()] == [288, 576]
    assert study.rows(looks=2)["happy/a.png"]["status"] == "no_face"  # as if it had been so
    assert not study.seen()


def test_boxes_are_in_the_pixels_of_the_original(study: Study) -> None:
    """Equal faces, so equal boxes relative to the picture, whatever the way."""
    study.put("happy/border.png", size=(48, 48), corner="none_below_288")
    study.put("happy/plain.png", size=(48, 48), corner="unsure")
    rows = study.rows(looks=2)
    assert rows["happy/border.png"]["way"] == "192+25%"
    for row in rows.values():
        # the stand-in's faces take 0.7 of the shorter side, in the middle
        share = 0.7 * (1.5 if row["way"] == "192+25%" else 1)
        assert row["face_width"] == pytest.approx(48 * share, abs=0.5)
        middle = row["face_x"] + row["face_width"] / 2
        assert middle == pytest.approx(24, abs=2)


def test_the_distance_is_corrected_for_a_border(study: Study) -> None:
    """OpenFace takes the focal length from the size of the picture, border included."""
    study.put("happy/border.png", size=(200, 150), seed=1, corner="none_below_288")
    # 256x192 with 48 pixels on every side: 352x288
    larger = (352 / 640 + 288 / 480) / (256 / 640 + 192 / 480)
    for args, factor in (("", larger), ("-fx 500 -fy 500", 1.0)):
        row = study.rows(openface_args=args)["happy/border.png"]
        assert row["way"] == "192+25%"
        [csv] = study.out.with_name("openface").rglob("*.csv")
        raw = pd.read_csv(csv, skipinitialspace=True)["pose_Tz"].iloc[0]
        assert row["pose_Tz"] == pytest.approx(raw / factor, abs=0.06)


def test_landmarks_are_in_the_pixels_of_the_original(study: Study, tmp_path: Path) -> None:
    study.put("happy/a.png", size=(60, 48), corner="none_below_288")
    with closing(study.case.make()) as engine:
        table = extract(study.images, study.out, engine=engine, keep=["landmarks"])
    points = pd.read_csv(study.out.with_name("aus.landmarks.csv")).iloc[0]
    row = table.frame.iloc[0]
    assert row["way"] == "192+25%"
    assert points[[f"x_{i}" for i in range(68)]].min() == pytest.approx(row["face_x"], abs=0.01)
    height = np.ptp(points[[f"y_{i}" for i in range(68)]].astype(float))
    assert height == pytest.approx(row["face_height"], abs=0.02)


def test_enlarging_can_be_turned_off(study: Study) -> None:
    study.put("happy/tiny.png", size=(42, 100), seed=1)
    study.put("happy/small.png", size=(48, 48), seed=2)
    rows = study.rows(enlarge=ENLARGE_OFF, looks=1)
    assert rows["happy/tiny.png"]["status"] == "too_small"
    assert "42x100" in rows["happy/tiny.png"]["reason"]
    assert rows["happy/small.png"]["status"] == "no_face"
    assert "48x48" in rows["happy/small.png"]["reason"]
    assert rows["happy/small.png"]["scale"] == 1
    assert study.seen() == {"small": 1}
    assert study.rows(enlarge=Enlarge.parse("300"))["happy/small.png"]["way"].startswith("300")


@pytest.mark.parametrize("policy", ["largest", "best", "error"])
def test_confident_is_who_is_taken(study: Study, policy: str) -> None:
    study.put("happy/a.jpg", faces=2, face_sizes="0.4,0.2", confidence="0.3,0.9")
    study.run(faces=policy, looks=2)
    assert study.seen() == {"a": 2 if policy == "largest" else 1}


# Deaths


def test_a_picture_is_crashed_only_after_it_died_twice_alone(study: Study) -> None:
    for seed in range(8):
        study.put(
            f"happy/{seed}.jpg", seed=seed, confidence=0.9, **({"die": 134} if seed == 3 else {})
        )
    rows = study.rows(jobs=2)
    seen = study.seen()
    assert seen["3"] == 3
    assert seen.total() == 3 + 7 + 1  # one was the control: the engine was well
    assert rows["happy/3.jpg"]["status"] == "crashed"
    assert rows["happy/3.jpg"]["reason"].startswith("exit code 134, twice alone")
    calls = read_calls(study.out.with_name("extraction") / "engine-calls.jsonl")
    of_it = [call for call in calls if call.first_image == call.last_image == "happy/3.jpg"]
    assert [call.why for call in of_it][-2:] == ["alone", "alone again"]
    assert [call.why for call in calls].count("control") == 1
    assert {call.exit_code for call in of_it} == {134}
    assert "FaceLandmarkImg" in calls[0].command


def test_a_crash_is_remembered_and_tried_again_when_asked(study: Study) -> None:
    study.put("happy/a.jpg", seed=1, confidence=0.9)
    study.put("happy/b.jpg", seed=2, die=139)
    first = study.run()
    again = study.run()
    assert not study.seen()
    pd.testing.assert_frame_equal(first.frame, again.frame)
    study.run(retry_crashed=True)
    assert study.seen() == {"b": 3, "control-a": 1}


def test_a_hang_is_ended_and_the_others_are_measured(study: Study) -> None:
    for seed in range(6):
        hang = {"sleep": 600} if seed == 2 else {"confidence": 0.9}
        study.put(f"happy/{seed}.jpg", seed=seed, **hang)
    rows = study.rows(image_timeout_s=0.5, jobs=1)
    assert {n[6]: row["status"] for n, row in rows.items()} == {
        **dict.fromkeys("01345", "ok"),
        "2": "crashed",
    }
    assert rows["happy/2.jpg"]["reason"] == "the engine did not get over it in 0.5 s, twice alone"
    assert not _running_in(study.out.parent)
    study.run(image_timeout_s=0.4)
    assert not study.seen()  # it did not get over it with more
    study.run(image_timeout_s=1.0)
    assert study.seen()["2"] == 3  # more time than it ever had


def _running_in(folder: Path) -> list[str]:
    import psutil

    words = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [" ".join(each) for each in words if any(str(folder) in word for word in each)]


def test_a_crash_at_a_further_look_leaves_the_first_one(study: Study) -> None:
    study.put("happy/a.png", size=(48, 48), corner="dies_from_288")
    study.put("happy/b.png", size=(48, 48), seed=1, corner="none_below_288")
    row = study.rows()["happy/a.png"]
    assert (row["status"], row["way"], row["confidence"]) == ("ok", "192", 0.35)
    assert "a further look (192+25%) failed" in row["reason"]


def _engine_of(script, *lines: str, skips: str = "nothing"):
    """A program that writes the details of all pictures but some, and then does as told."""
    return make_engine(
        "local",
        openface=script(
            "while [ $# -gt 0 ]; do case $1 in -fdir) in=$2;; -out_dir) out=$2;; esac; shift; done",
            "echo Starting tracking",
            'for f in "$in"/*; do n=${f##*/}; stem=${n%.*}; d="$out/${stem}_of_details.txt"',
            f"case $stem in {skips}) continue;; esac",
            'echo "Input:$f" >"$d"',
            *lines,
            "done",
        ),
    )


def test_a_csv_that_is_cut_is_measured_again_alone(study: Study, script, data_csv: str) -> None:
    for name in "abc":
        study.put(f"happy/{name}.jpg", seed=ord(name))
    good = f'cp {data_csv} "$out/$stem.csv"'
    cut = f'head -c 700 {data_csv} >"$out/$stem.csv"'
    engine = _engine_of(script, f"case $stem in b-*) {cut};; *) {good};; esac")
    frame = extract(study.images, study.out, engine=engine).frame.set_index("image")
    assert frame["status"].to_dict() == {
        "happy/a.jpg": "ok",
        "happy/b.jpg": "crashed",
        "happy/c.jpg": "ok",
    }
    assert "is cut" in frame.loc["happy/b.jpg", "reason"]
    assert frame.loc["happy/a.jpg", list(INTENSITY_COLUMNS)].notna().all()


@pytest.fixture
def data_csv(tmp_path: Path, local_case: EngineCase) -> str:
    """A whole CSV of one face."""
    save_face(tmp_path / "one/a.jpg", confidence=0.9)
    command = [local_case.options["openface"], "-fdir", tmp_path / "one", "-out_dir", tmp_path]
    subprocess.run([*command, "-aus", "-pose", "-2Dfp"], check=True, capture_output=True)
    return str(tmp_path / "a.csv")


def test_a_picture_that_openface_passes_over(study: Study, script, data_csv: str) -> None:
    for name in "abc":
        study.put(f"happy/{name}.jpg", seed=ord(name))
    good = f'cp {data_csv} "$out/$stem.csv"'
    engine = _engine_of(script, good, skips="b-*")
    frame = extract(study.images, study.out, engine=engine).frame.set_index("image")
    assert frame["status"].tolist() == ["ok", "crashed", "ok"]
    assert "passed over" in frame.loc["happy/b.jpg", "reason"]


@pytest.mark.parametrize(
    ("lines", "n_images"), [(["exit 134"], 9), (["echo Starting tracking; exit 134"], 30)]
)
def test_an_engine_that_dies_at_everything_is_blamed_itself(
    study: Study, script, lines: list[str], n_images: int
) -> None:
    for seed in range(n_images):
        study.put(f"happy/{seed}.jpg", seed=seed)
    engine = make_engine("local", openface=script('echo x >>"$0.calls"', *lines))
    with pytest.raises(EnvironmentFailure, match="measured no image"):
        extract(study.images, study.out, engine=engine, plan=Plan(jobs=1))
    assert not study.out.exists()
    key = key_of(engine.extractor())
    with open_store(store_of(study.out.parent)) as store:
        assert store.count_measured(key) == 0  # nobody is branded


def test_few_pictures_that_all_die_are_not_branded_by_a_broken_engine(study: Study, script) -> None:
    for name in "abcd":
        study.put(f"happy/{name}.jpg", seed=ord(name))
    engine = _engine_of(script, "exit 134")
    with pytest.raises(EnvironmentFailure, match="measured no image"):
        extract(study.images, study.out, engine=engine)
    with open_store(store_of(study.out.parent)) as store:
        assert store.count_measured(key_of(engine.extractor())) == 0


def test_bad_pictures_may_come_first(study: Study) -> None:
    for number in range(12):
        marks = {"die": 134} if number < 10 else {"confidence": 0.9}
        study.put(f"happy/{number:02}.jpg", seed=number, **marks)
    rows = study.rows(jobs=1)
    assert [row["status"] for row in rows.values()] == ["crashed"] * 10 + ["ok"] * 2


def test_an_engine_that_breaks_midway_brands_nobody(study: Study, script, data_csv: str) -> None:
    for number in range(8):
        study.put(f"happy/{number}.jpg", seed=number)
    # works for four pictures, and never again
    engine = _engine_of(
        script,
        'echo x >>"$0.n"; [ "$(wc -l <"$0.n")" -le 4 ] || exit 134',
        f'cp {data_csv} "$out/$stem.csv"',
    )
    with pytest.raises(EnvironmentFailure, match="does not measure any more"):
        extract(study.images, study.out, engine=engine, plan=Plan(jobs=1))
    key = key_of(engine.extractor())
    with open_store(store_of(study.out.parent)) as store:
        assert store.count_measured(key) == 4
        shas = [h for _, h in store.files([*map(path_key, study.images.rglob("*.jpg"))]).values()]
        looks = [look for ways in store.looks(key, shas).values() for look in ways.values()]
        assert not any(look.crashed for look in looks)


def test_csvs_that_are_all_useless_are_the_engines_fault(study: Study, script) -> None:
    for number in range(30):
        study.put(f"happy/{number}.jpg", seed=number)
    engine = _engine_of(script, 'printf "face,confidence\\n0,0.9\\n" >"$out/$stem.csv"')
    with pytest.raises(AuferError, match="None of the CSVs") as failure:
        extract(study.images, study.out, engine=engine)
    assert "--openface-args" in (failure.value.hint or "")
    calls = read_calls(study.out.with_name("extraction") / "engine-calls.jsonl")
    assert len(calls) < 12


def test_a_csv_that_got_lost_is_no_face_without_a_word(study: Study, script, data_csv: str) -> None:
    study.put("happy/a.jpg", seed=1)
    study.put("happy/b.jpg", seed=2)
    lost = 'echo "Output csv:$stem.csv" >>"$d"'
    engine = _engine_of(
        script, f'{lost}; case $stem in b-*) ;; *) cp {data_csv} "$out/$stem.csv";; esac'
    )
    frame = extract(study.images, study.out, engine=engine).frame.set_index("image")
    assert frame["status"].to_dict() == {"happy/a.jpg": "ok", "happy/b.jpg": "crashed"}
    assert "is missing" in frame.loc["happy/b.jpg", "reason"]


def test_pictures_that_die_before_the_program_speaks_are_no_broken_engine(
    study: Study, script, data_csv: str
) -> None:
    for number in range(6):
        study.put(f"happy/{number}.jpg", seed=number)
    silent = make_engine(
        "local",
        openface=script(
            "while [ $# -gt 0 ]; do case $1 in -fdir) in=$2;; -out_dir) out=$2;; esac; shift; done",
            'set -- "$in"/*; case $1 in */[2345]-*) exit 139;; esac',
            "echo Starting tracking",
            'for f in "$in"/*; do n=${f##*/}; stem=${n%.*}',
            "case $stem in [2345]-*) exit 139;; esac",
            'echo "Input:$f" >"$out/${stem}_of_details.txt"',
            f'cp {data_csv} "$out/$stem.csv"; done',
        ),
    )
    frame = extract(study.images, study.out, engine=silent, plan=Plan(jobs=1)).frame
    assert frame["status"].tolist() == ["ok"] * 2 + ["crashed"] * 4


def _looks_in_store(study: Study, engine) -> dict[str, list[Look]]:
    """sha256 -> what is recorded of it by this engine."""
    key = key_of(engine.extractor())
    with open_store(store_of(study.out.parent)) as store:
        files = store.files([path_key(path) for path in study.images.rglob("*.jpg")])
        looks = store.looks(key, [sha256 for _, sha256 in files.values()])
    return {sha256: [*ways.values()] for sha256, ways in looks.items()}


def _switch(script, data_csv: str, *, broken: str = "exit 134", after: int = 0):
    """An engine that works until it has looked at so many pictures; then it does as told."""
    return _engine_of(
        script,
        f'echo x >>"$0.n"; [ "$(wc -l <"$0.n")" -le {after} ] || {{ {broken}; }}',
        "case $stem in bad*) exit 139;; esac",
        f'[ -s "$out/$stem.csv" ] || cp {data_csv} "$out/$stem.csv"',
    )


def test_an_engine_that_broke_since_the_last_run_destroys_nothing(
    study: Study, script, data_csv: str
) -> None:
    for number in range(6):
        study.put(f"happy/{number}.jpg", seed=number)
    engine = _switch(script, data_csv, after=6)
    extract(study.images, study.out, engine=engine)
    before = _looks_in_store(study, engine)
    for plan in (Plan(fresh=True), Plan(fresh=True, jobs=1)):
        with pytest.raises(EnvironmentFailure):
            extract(study.images, study.out, engine=engine, plan=plan)
    assert _looks_in_store(study, engine) == before
    other = study.images.with_name("others")
    for number in range(10, 18):
        save_face(other / f"happy/{number}.jpg", seed=number)
    with pytest.raises(EnvironmentFailure):
        extract(other, study.out.with_name("other.csv"), engine=engine)


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    "broken", ["exit 134", 'head -c 700 /dev/zero | tr "\\0" 1 >"$out/$stem.csv"']
)
def test_nobody_is_branded_after_the_engine_broke(
    study: Study, script, data_csv: str, jobs: int, broken: str
) -> None:
    study.put("happy/bad.jpg", seed=99)
    for number in range(30):
        study.put(f"happy/{number:02}.jpg", seed=number)
    engine = _switch(script, data_csv, broken=broken, after=20)
    with pytest.raises(EnvironmentFailure, match="does not measure any more"):
        extract(study.images, study.out, engine=engine, plan=Plan(jobs=jobs))
    looks = [look for several in _looks_in_store(study, engine).values() for look in several]
    assert len(looks) >= 15
    assert sum(look.crashed for look in looks) <= 1  # the bad one, if it was tried before


def test_many_bad_pictures_may_come_first(study: Study) -> None:
    for number in range(40):
        marks = {"die": 134} if number < 25 else {"confidence": 0.9}
        study.put(f"happy/{number:02}.jpg", seed=number, **marks)
    assert study.run(jobs=1).counts() == {"ok": 15, "crashed": 25}
    study.run()
    assert not study.seen()


def test_a_single_picture_that_dies_is_not_remembered(study: Study) -> None:
    """Nothing tells whether it was the picture or the engine."""
    study.put("happy/a.jpg", die=134)
    assert study.run().counts() == {"crashed": 1}
    study.put("happy/b.jpg", seed=1, confidence=0.9)
    rows = study.rows()
    assert [row["status"] for row in rows.values()] == ["crashed", "ok"]
    assert study.seen()["a"] >= 2  # again: now it is known that the engine works
    study.run()
    assert not study.seen()


def test_a_bad_csv_is_not_kept(study: Study, script, data_csv: str) -> None:
    """It is cut at the first time, while others are still measured in the same run."""
    for number in range(4):
        study.put(f"happy/{number}.jpg", seed=number)
    cut = f'head -c 700 {data_csv} >"$out/$stem.csv"'
    engine = _engine_of(
        script,
        f'case $stem in 0-*) [ -e "$0.once" ] || {{ : >"$0.once"; {cut}; }};; *) sleep 1;; esac',
        f'[ -s "$out/$stem.csv" ] || cp {data_csv} "$out/$stem.csv"',
    )
    table = extract(study.images, study.out, engine=engine, plan=Plan(jobs=2))
    assert table.counts() == {"ok": 4}
    kept = [path.read_bytes() for path in study.out.with_name("openface").rglob("*.csv")]
    assert kept == [Path(data_csv).read_bytes()] * 4


def test_ctrl_c_is_told_as_such_whatever_dies_meanwhile(
    study: Study, script, data_csv: str
) -> None:
    for number in range(6):
        study.put(f"happy/{number}.jpg", seed=number)
    cut = f'head -c 700 {data_csv} >"$out/$stem.csv"'
    engine = _engine_of(
        script, f'case $stem in [012]-*) cp {data_csv} "$out/$stem.csv";; *) {cut};; esac'
    )

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator[Callable[[int], None]]:
        def step(n: int) -> None:
            raise KeyboardInterrupt

        yield step

    with pytest.raises(KeyboardInterrupt):
        extract(study.images, study.out, engine=engine, plan=Plan(jobs=1), progress=progress)
    assert len(_looks_in_store(study, engine)) >= 1


# Resuming


def test_a_second_run_measures_nothing(study: Study) -> None:
    for seed in range(5):
        study.put(f"happy/{seed}.jpg", seed=seed)
    study.put("sad/none.png", seed=9, faces=0)
    save_broken(study.images / "sad/zero.jpg", "zero")
    study.run()
    first = study.out.read_bytes()
    said: list[str] = []

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator[Callable[[int], None]]:
        said.append(f"{what} {total}")
        yield lambda n: None

    study.run(progress=progress)
    assert not study.seen()
    assert said == ["measuring faces 1"]  # the broken one is looked at anew
    assert study.out.read_bytes() == first


def test_a_new_changed_or_moved_image_costs_only_itself(study: Study) -> None:
    for seed in range(5):
        study.put(f"happy/{seed}.jpg", seed=seed, confidence=0.9)
    study.run()
    study.put("happy/new.jpg", seed=10, confidence=0.9)
    study.put("happy/1.jpg", seed=11, confidence=0.9)
    (study.images / "sad").mkdir()
    (study.images / "happy/2.jpg").rename(study.images / "sad/renamed.jpg")
    (study.images / "happy/3.jpg").unlink()
    rows = study.rows()
    assert study.seen() == {"new": 1, "1": 1}
    assert sorted(rows) == [
        *("happy/0.jpg", "happy/1.jpg", "happy/4.jpg", "happy/new.jpg", "sad/renamed.jpg")
    ]
    assert {row["status"] for row in rows.values()} == {"ok"}
    kept = study.out.with_name("openface")
    assert sorted(path.name.split("-")[0] for path in kept.rglob("*.csv")) == [
        *("0", "1", "4", "new", "renamed")
    ]
    assert len(list(kept.rglob("*_of_details.txt"))) == 5


def test_equal_stamps_are_trusted_but_not_with_rehash(study: Study) -> None:
    path = study.put("happy/a.jpg", confidence=0.91)
    study.put("happy/b.jpg", seed=1, confidence=0.92)
    study.run()
    stamp = path.stat()
    with path.open("r+b") as file:  # in place: the same inode
        content = file.read()
        file.seek(0)
        file.write(content.replace(b"confidence=0.91", b"confidence=0.93"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert study.rows()["happy/a.jpg"]["confidence"] == 0.91
    assert not study.seen()
    assert study.rows(rehash=True)["happy/a.jpg"]["confidence"] == 0.93
    assert study.seen() == {"a": 1}


def test_fresh_measures_all_again(study: Study) -> None:
    for seed in range(3):
        study.put(f"happy/{seed}.jpg", seed=seed, confidence=0.9)
    first = study.run()
    again = study.run(fresh=True)
    assert study.seen() == {"0": 1, "1": 1, "2": 1}
    pd.testing.assert_frame_equal(first.frame, again.frame)


def test_another_extractor_knows_nothing_of_the_first(study: Study) -> None:
    study.put("happy/a.jpg", confidence=0.9)
    study.run()
    study.run(openface_args="-wild")
    assert study.seen() == {"a": 1}
    study.run()
    assert not study.seen()


def test_tables_of_one_folder_share_what_was_measured(study: Study) -> None:
    study.put("happy/a.jpg", confidence=0.9)
    study.run()
    study.out = study.out.with_name("other.csv")
    study.run()
    assert not study.seen()
    assert len(list(study.out.with_name("other.openface").rglob("*.csv"))) == 1


def test_ctrl_c_keeps_what_was_measured(study: Study) -> None:
    for seed in range(12):
        study.put(f"happy/{seed:02}.jpg", seed=seed, confidence=0.9)
    study.put("happy/99.jpg", seed=99, sleep=3, confidence=0.9)

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator[Callable[[int], None]]:
        done = 0

        def step(n: int) -> None:
            nonlocal done
            done += n
            if done >= 10:
                raise KeyboardInterrupt

        yield step

    with pytest.raises(KeyboardInterrupt):
        study.run(progress=progress, jobs=1)
    assert not _running_in(study.out.parent)
    assert not list(study.out.parent.glob(".aufer-*"))
    assert not study.out.exists()
    assert study.run().counts() == {"ok": 13}
    seen = study.seen()
    assert seen["99"] == 1
    assert seen.total() <= 3  # of 12, 10 and more were kept


def test_two_runs_at_once_are_refused(study: Study, aufer: RunAufer) -> None:
    study.put("happy/a.jpg", sleep=4)
    words = ["extract", "images", "--out", "data/aus.csv", *study.case.words]
    with subprocess.Popen(
        [sys.executable, "-m", "aufer", *words], stderr=subprocess.DEVNULL
    ) as one:
        while not store_of(study.out.parent).exists():
            time.sleep(0.05)
            assert one.poll() is None
        time.sleep(1)
        ran = aufer(*words).check(3)
        assert "Another aufer is measuring" in ran.err
        assert "hint: " in ran.err
        assert one.wait() == 0
    aufer(*words).check()


# Files that are equal, changed, or gone


def test_equal_files_are_measured_once_and_reported(study: Study, aufer: RunAufer) -> None:
    data = study.put("happy/b.jpg", confidence=0.9).read_bytes()
    for name in ("happy/a.jpg", "sad/c.jpg"):
        (study.images / name).parent.mkdir(exist_ok=True)
        (study.images / name).write_bytes(data)
    frame = study.run().frame.set_index("image")
    assert sum(study.seen().values()) == 1
    assert frame["duplicate_of"].to_dict() == {
        "happy/a.jpg": "",
        "happy/b.jpg": "happy/a.jpg",
        "sad/c.jpg": "happy/a.jpg",
    }
    assert frame["phash"].nunique() == 1
    assert len(frame["phash"].iloc[0]) == 16
    ran = aufer("extract", "images", "--out", "data/aus.csv", *study.case.words).check()
    assert "the same picture under two emotions" in ran.err
    report = json.loads((study.out.with_name("extraction") / "report.json").read_text())
    assert report["n_duplicates"] == 2


def _meanwhile(act: Callable[[], None]) -> Progress:
    """A progress that acts when the first image is done."""
    acts = [act]

    @contextmanager
    def progress(total: int, what: str, unit: str = "image") -> Iterator[Callable[[int], None]]:
        def step(n: int) -> None:
            if acts:
                acts.pop()()

        yield step

    return progress


def test_an_image_changed_while_it_is_measured_is_not_branded(study: Study) -> None:
    study.put("happy/a.jpg", seed=1, confidence=0.9)
    target = study.put("happy/b.jpg", seed=2, sleep=1.5, confidence=0.9)

    def change() -> None:
        with target.open("ab") as file:
            file.write(b"more")

    rows = study.rows(progress=_meanwhile(change), jobs=1)
    assert rows["happy/a.jpg"]["status"] == "ok"
    assert rows["happy/b.jpg"]["status"] == "unreadable"
    assert "changed while it was measured" in rows["happy/b.jpg"]["reason"]
    assert study.rows()["happy/b.jpg"]["status"] == "ok"
    assert study.seen() == {"b": 1}


def test_an_image_removed_before_its_turn(study: Study) -> None:
    save_broken(study.images / "happy/a.jpg", "garbage")
    for number in range(60):
        study.put(f"happy/b{number:02}.jpg", seed=number, confidence=0.9)
    gone = study.put("happy/z.jpg", seed=99, confidence=0.9)
    rows = study.rows(progress=_meanwhile(gone.unlink))
    assert rows["happy/z.jpg"]["status"] == "unreadable"
    assert "No such file" in rows["happy/z.jpg"]["reason"]
    assert study.rows()["happy/b00.jpg"]["status"] == "ok"
    assert not study.seen()


def test_an_image_that_failed_is_not_the_first_of_its_duplicates(study: Study) -> None:
    study.put("happy/0.jpg", seed=9, confidence=0.9)
    target = study.put("happy/a.jpg", seed=2, sleep=1.5, confidence=0.9)
    (study.images / "happy/b.jpg").write_bytes(target.read_bytes())

    def change() -> None:
        with target.open("ab") as file:
            file.write(b"more")

    rows = study.rows(progress=_meanwhile(change), jobs=1)
    a, b = rows["happy/a.jpg"], rows["happy/b.jpg"]
    assert (a["status"], a["way"]) == ("unreadable", "")
    assert pd.isna(a["width"])
    assert (b["status"], b["duplicate_of"]) == ("ok", "")
    kept = study.out.with_name("openface")
    assert sorted(path.name[0] for path in kept.rglob("*.csv")) == ["0", "b"]


def test_kept_files_are_those_of_the_look_that_counts(study: Study) -> None:
    """Two looks at one picture may end in runs that overlap."""
    for seed in range(24):
        study.put(f"happy/{seed:02}.png", size=(48, 48), seed=seed, corner="unsure_below_288")
    table = study.run(jobs=3)
    index = pd.read_csv(study.out.with_name("openface") / "index.tsv", sep="\t")
    assert index["way"].unique().tolist() == ["192+25%"]
    for file in index["file"]:
        kept = pd.read_csv(study.out.with_name("openface") / file, skipinitialspace=True)
        assert kept["confidence"].tolist() == [0.95]
    assert table.frame["confidence"].unique().tolist() == [0.95]


def test_few_new_images_beside_many_known_ones_use_all_jobs(study: Study) -> None:
    for seed in range(40):
        study.put(f"happy/{seed:02}.jpg", seed=seed, confidence=0.9)
    study.run()
    for seed in range(40, 52):
        study.put(f"happy/{seed:02}.jpg", seed=seed, confidence=0.9)
    study.run(jobs=3)
    calls = read_calls(study.out.with_name("extraction") / "engine-calls.jsonl")
    assert [call.n_images for call in calls[-3:]] == [4, 4, 4]


def test_the_report_names_the_slowest_of_its_own_table(study: Study) -> None:
    study.put("happy/a.jpg", seed=1, sleep=0.4, confidence=0.9)
    study.run()
    study.images = study.images.with_name("others")
    study.out = study.out.with_name("other.csv")
    study.put("happy/b.jpg", seed=2, confidence=0.9)
    study.run()
    report = json.loads((study.out.with_name("other.extraction") / "report.json").read_text())
    assert [each["image"] for each in report["slowest"]] == ["happy/b.jpg"]


# Many jobs, and what comes out


@pytest.mark.parametrize("jobs", [2, 4])
def test_the_table_is_the_same_for_any_number_of_jobs(study: Study, jobs: int) -> None:
    for seed in range(40):
        marks = {3: {"die": 134}, 5: {"faces": 0}, 7: {"faces": 3}, 9: {"confidence": 0.2}}
        study.put(f"happy/{seed}.jpg", seed=seed, **marks.get(seed, {}))
    study.run(jobs=1)
    one = study.out.read_bytes()
    study.run(jobs=jobs, fresh=True)
    assert study.out.read_bytes() == one
    calls = read_calls(study.out.with_name("extraction") / "engine-calls.jsonl")
    assert sum(call.why == "batch" for call in calls) > jobs


def test_a_table_without_openface_files(study: Study) -> None:
    study.put("happy/a.jpg")
    with closing(study.case.make()) as engine:
        extract(study.images, study.out, engine=engine, keep_openface_files=False)
    assert not study.out.with_name("openface").exists()
    assert read_au_table(study.out).counts() == {"ok": 1}


def test_files_that_somebody_removed_come_back_from_the_store(study: Study) -> None:
    study.put("happy/a.jpg", confidence=0.9)
    study.run()
    [csv] = study.out.with_name("openface").rglob("*.csv")
    before = csv.read_bytes()
    csv.unlink()
    study.run()
    assert not study.seen()
    assert csv.read_bytes() == before


def test_settings_that_make_no_sense() -> None:
    for wrong in ({"faces": "first"}, {"looks": 0}, {"jobs": -1}, {"image_timeout_s": 0}):
        with pytest.raises(UsageError):
            replace(Plan(), **wrong)
