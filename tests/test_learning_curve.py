"""The learning curve: which images, the same faces each time, and figures that come out again."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.proportion import proportion_confint

from aufer.classifiers.curve_fits import CurveFits, run_fits
from aufer.classifiers.recipe import RECIPES
from aufer.curve.figures import CURVE_COLUMNS, half_width, make_gains, make_points
from aufer.curve.page import check_curve_folder, write_curve
from aufer.curve.sizes import choose_sizes, make_ladder, parse_sizes, rank_within_emotion
from aufer.curve.text import IS_FLAT, RISES, UNCLEAR, judge, more_images, sentences
from aufer.dataset import read_dataset
from aufer.errors import AuferError, DataError, UsageError
from aufer.learning_curve import LearningCurve, _plan_fits, learning_curve
from tests.running import RunAufer, run_aufer


def fits_of(dataset: Path, sizes: tuple = (5, 20, "all"), repeats: int = 2, **more) -> CurveFits:
    settings = {"kind": "logistic", "recipe": RECIPES["standard"], "folds": 3, "seed": 4, **more}
    fits, _ = _plan_fits(read_dataset(dataset), asked=sizes, repeats=repeats, **settings)
    return fits


@pytest.fixture(scope="module")
def grouped(sample_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's faces as if four neighbours of one emotion were a person's."""
    frame = pd.read_csv(sample_dataset)
    frame["group"] = [f"p{n // 4}" for n in frame.groupby("emotion").cumcount()]
    path = tmp_path_factory.mktemp("grouped") / "grouped.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def curve(grouped: Path) -> LearningCurve:
    return learning_curve(
        grouped, kind="logistic", sizes=[5, 10, 20, "all"], folds=3, repeats=2, jobs=1
    )


# ---- sizes


def test_the_ladder_ends_with_all() -> None:
    assert make_ladder(832) == (10, 20, 50, 100, 200, 500, 832)
    assert make_ladder(600) == (10, 20, 50, 100, 200, 600)
    assert make_ladder(9) == (1, 2, 5, 9)
    assert make_ladder(1) == (1,)


def test_sizes_are_read_and_those_too_large_are_all_of_them() -> None:
    assert parse_sizes(" 10, 50,ALL") == (10, 50, "all")
    for text in ("", "ten", "10,-5", "10,0", "1.5"):
        with pytest.raises(UsageError, match="--sizes"):
            parse_sizes(text)
    assert choose_sizes(None, 25) == ((10, 25), ())
    assert choose_sizes(["all", 5, 5], 25) == ((5, 25), ())
    sizes, (note,) = choose_sizes([5, 100], 25)
    assert sizes == (5, 25)
    assert note.startswith("100 images per emotion are more than there are")
    with pytest.raises(DataError, match=r"has 25 training images.*"):
        choose_sizes([100, "all"], 25)
    with pytest.raises(UsageError):
        choose_sizes([0, 5], 25)


def test_images_are_added_group_by_group() -> None:
    labels = np.tile([0, 1, 1], 20)
    together = np.repeat([f"g{n}" for n in range(12)], 5)
    rank = rank_within_emotion(labels, together, (0,))
    for label in (0, 1):
        assert sorted(rank[labels == label]) == list(range((labels == label).sum()))
        in_order = together[labels == label][np.argsort(rank[labels == label])]
        changes = (in_order[1:] != in_order[:-1]).sum()
        assert changes == len(set(in_order)) - 1  # each group in one piece
    # the same order of groups for both
    first = {label: {} for label in (0, 1)}
    for label, group, place in zip(labels, together, rank, strict=True):
        first[label][group] = min(place, first[label].get(group, place))
    orders = [sorted(first[label], key=first[label].get) for label in (0, 1)]
    assert orders[0] == orders[1]
    assert np.array_equal(rank, rank_within_emotion(labels, together, (0,)))
    assert not np.array_equal(rank, rank_within_emotion(labels, together, (1,)))


def test_each_smaller_set_lies_within_the_larger_and_no_group_on_both_sides(grouped: Path) -> None:
    fits = fits_of(grouped)
    dataset = read_dataset(grouped)
    assert fits.sizes[:2] == (5, 20)
    for repeat in range(2):
        assert set(fits.of_row[repeat]) == {0, 1, 2}
        for fold in range(3):
            held = fits.of_row[repeat] == fold
            sets = [fits.training_rows((size, repeat, fold)) for size in fits.sizes]
            assert set(sets[0]) < set(sets[1]) < set(sets[2])
            assert set(sets[2]) == set(np.flatnonzero(~held))
            for size, rows in zip(fits.sizes, sets, strict=True):
                counts = np.bincount(dataset.labels[rows])
                there = np.bincount(dataset.labels[~held])
                assert counts.tolist() == np.minimum(there, size).tolist()
                assert not set(dataset.groups[rows]) & set(dataset.groups[held])
    assert not np.array_equal(fits.of_row[0], fits.of_row[1])


def test_the_part_that_a_network_stops_by_is_of_other_groups(grouped: Path) -> None:
    fits = fits_of(grouped, kind="dense")
    groups = read_dataset(grouped).groups
    rows = fits.training_rows((fits.sizes[-1], 0, 0))
    examples = fits._examples(rows, 0, 0)
    assert sorted([*examples.train, *examples.validation]) == rows.tolist()
    assert not set(groups[examples.train]) & set(groups[examples.validation])
    assert 0.05 < len(examples.validation) / len(rows) < 0.2
    # of very few images, one of each emotion at least on either side
    few = fits.training_rows((5, 0, 0))
    examples = fits._examples(few, 0, 0)
    for part in (examples.train, examples.validation):
        assert set(fits.labels[part]) == set(range(6))


# ---- figures


def test_the_figures_come_out_again_from_the_counts(curve: LearningCurve) -> None:
    counts, k = curve.counts, 3
    assert list(counts.columns) == list(CURVE_COLUMNS)
    assert len(counts) == 4 * 2 * 3 * 6
    for point in curve.facts["points"]:
        rows = counts[counts["size"] == point["size"]]
        accuracy = point["accuracy"]
        assert accuracy["value"] == pytest.approx(rows["correct"].sum() / rows["n_test"].sum())
        assert accuracy["n"] == 2 * curve.facts["dataset"]["n_rows"]
        by_fold = rows.groupby(["repeat", "fold"])[["correct", "n_test", "n_train"]].sum()
        values = (by_fold["correct"] / by_fold["n_test"]).to_numpy()
        # Nadeau and Bengio: the folds' mean with a variance that knows of shared training images
        scale = np.sqrt(values.var(ddof=1) * (1 / 6 + 1 / (k - 1)))
        half = stats.t.interval(0.95, 5, scale=scale)[1]
        n = accuracy["n"] // 2
        low, high = proportion_confint(round(accuracy["value"] * n), n, method="wilson")
        assert accuracy["low"] == pytest.approx(min(low, accuracy["value"] - half))
        assert accuracy["high"] == pytest.approx(max(high, accuracy["value"] + half))
        assert point["n_train"] == pytest.approx(by_fold["n_train"].mean())
        for one in point["per_emotion"]:
            of_emotion = rows[rows["emotion"] == one["emotion"]]
            recall = of_emotion["correct"].sum() / of_emotion["n_test"].sum()
            assert one["recall"]["value"] == pytest.approx(recall)
            assert one["recall"]["low"] <= recall <= one["recall"]["high"]
            short = one["n_train"] < 0.95 * point["size"]
            assert (one["emotion"] in point["short_of"]) == short
    for gain, (old, new) in zip(
        curve.facts["gains"],
        zip(curve.facts["points"], curve.facts["points"][1:], strict=False),
        strict=True,
    ):
        assert (gain["from"], gain["to"]) == (old["size"], new["size"])
        difference = new["accuracy"]["value"] - old["accuracy"]["value"]
        assert gain["gain"] == pytest.approx(difference)
        assert gain["low"] <= difference <= gain["high"]
        doublings = np.log2(new["n_train"] / old["n_train"])
        assert gain["per_doubling"] == pytest.approx(difference / doublings)


def test_the_counts_are_those_of_the_model_itself(grouped: Path, curve: LearningCurve) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fits = fits_of(grouped, sizes=(5, 10, 20, "all"), seed=0)
    size, held = fits.sizes[-1], fits.of_row[0] == 0
    rows = fits.training_rows((size, 0, 0))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    guess = model.fit(fits.aus[rows], fits.labels[rows]).predict(fits.aus[held])
    found = curve.counts.query(f"size == {size} and repeat == 1 and fold == 1")
    assert found["n_test"].tolist() == np.bincount(fits.labels[held]).tolist()
    ours = found["correct"].sum() / held.sum()
    assert ours == pytest.approx((guess == fits.labels[held]).mean(), abs=0.03)


def test_macro_f1_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    rows, expected = [], []
    for repeat in (1, 2):
        truth, guess = random.integers(0, 3, 300), random.integers(0, 3, 300)
        fold = random.integers(1, 4, 300)
        expected.append(f1_score(truth, guess, average="macro"))
        rows += [
            {
                **{"size": 10, "repeat": repeat, "fold": f, "emotion": "abc"[label]},
                **{"n_train": 10, "n_test": int((truth[fold == f] == label).sum())},
                "correct": int(((truth == label) & (guess == label))[fold == f].sum()),
                "predicted": int((guess[fold == f] == label).sum()),
            }
            for f in (1, 2, 3)
            for label in range(3)
        ]
    (point,) = make_points(pd.DataFrame(rows), 3)
    assert point["macro_f1"]["value"] == pytest.approx(np.mean(expected))
    assert point["macro_f1"]["low"] < np.mean(expected) < point["macro_f1"]["high"]
    assert make_gains(pd.DataFrame(rows), 3) == []


def test_an_emotion_that_a_fold_lacks_is_no_error() -> None:
    rows = [
        {**{"size": 5, "repeat": 1, "fold": fold, "emotion": name, "n_train": 5}, **counts}
        for fold, name, counts in (
            (1, "happy", {"n_test": 4, "correct": 4, "predicted": 5}),
            (1, "sad", {"n_test": 2, "correct": 1, "predicted": 1}),
            (2, "happy", {"n_test": 5, "correct": 3, "predicted": 5}),
            (2, "sad", {"n_test": 0, "correct": 0, "predicted": 0}),
        )
    ]
    (point,) = make_points(pd.DataFrame(rows), 2)
    happy, sad = point["per_emotion"]
    assert (happy["emotion"], sad["emotion"]) == ("happy", "sad")
    assert (sad["recall"]["value"], sad["recall"]["n"]) == (0.5, 2)
    assert half_width(np.array([0.5, np.nan]), 2) == 0


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"),
    [
        (0.001, 0.03, RISES, "still rises"),
        (-0.02, 0.005, IS_FLAT, "is flat"),
        (-0.02, 0.03, UNCLEAR, "can't be told"),
    ],
)
def test_what_the_last_step_says(
    low: float, high: float, verdict: str, words: str, curve: LearningCurve
) -> None:
    gain = {**curve.facts["gains"][-1], "gain": (low + high) / 2, "low": low, "high": high}
    assert judge(gain) == verdict
    assert words in more_images({**curve.facts, "gains": [gain]})


def test_the_result_does_not_depend_on_the_number_of_processes(grouped: Path) -> None:
    fits = fits_of(grouped, sizes=(5, "all"), repeats=1, kind="svm")
    told = []
    several = run_fits(fits, 2, told.append)
    assert several == run_fits(fits, 1)
    assert told == [1] * 6
    assert [row["size"] for row in several] == sorted(row["size"] for row in several)


def test_what_a_process_raises_arrives(grouped: Path) -> None:
    fits = fits_of(grouped, kind="logistic")
    broken = CurveFits(**{**vars(fits), "kind": "nothing"})
    with pytest.raises(UsageError, match="no kind 'nothing'"):
        run_fits(broken, 2)


# ---- failures


def test_what_can_not_be_is_refused(sample_dataset: Path, tmp_path: Path) -> None:
    for wrong, message in (
        ({"kind": "forest"}, "no kind 'forest'; known are dense, logistic"),
        ({"recipe": "secret"}, "no recipe 'secret'"),
        ({"kind": "svm", "recipe": "reference"}, "are about networks"),
        ({"kind": "svm", "epochs": 3}, "are about networks"),
        ({"folds": 1}, "--folds is a whole number from 2"),
        ({"repeats": 0}, "--repeats"),
        ({"jobs": 0}, "--jobs"),
        ({"seed": -1}, "--seed"),
    ):
        with pytest.raises(UsageError, match=message):
            learning_curve(sample_dataset, **wrong)
    with pytest.raises(UsageError, match="does not exist"):
        learning_curve(tmp_path / "nowhere.csv")


def test_too_few_images(sample_dataset: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(sample_dataset)
    path = tmp_path / "few.csv"
    frame.groupby("emotion").head(3).to_csv(path, index=False)
    with pytest.raises(DataError, match="too small to split"):
        learning_curve(path, kind="logistic")
    frame[frame["emotion"] == 2].to_csv(path, index=False)
    with pytest.raises(DataError, match="one emotion only"):
        learning_curve(path, kind="logistic")
    few = frame[frame["emotion"].isin([0, 1])]
    few.assign(group=few["emotion"].map({0: "a", 1: "b"})).to_csv(path, index=False)
    with pytest.raises(DataError, match="all faces of an emotion are in one group"):
        learning_curve(path, kind="logistic", folds=2, emotions=None)


# ---- the folder and the command


def test_the_folder_holds_the_page_and_all_of_it_as_files(
    curve: LearningCurve, tmp_path: Path
) -> None:
    page = write_curve(tmp_path / "c", curve.facts, curve.counts)
    folder = page.parent
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    figures = {f"figures/{n}.{end}" for n in ("curve", "emotions") for end in ("svg", "png")}
    tables = {f"tables/{n}.csv" for n in ("points", "gains", "emotions", "learnt")}
    own = {f"learning-curve.{end}" for end in ("html", "csv", "json")}
    assert names == figures | tables | own
    facts = json.loads((folder / "learning-curve.json").read_text())
    assert set(facts.pop("files")) == names - {"learning-curve.json"}
    assert facts == json.loads(json.dumps(curve.facts))
    text = page.read_text()
    assert not re.search(r'(?:src|href)="https?:', text)
    for link in re.findall(r'href="([^#"]+)"', text):
        assert (folder / link).is_file()
    for sentence in sentences(curve.facts):
        assert sentence.replace(" %", "\u00a0%").split("'")[0] in text
    back = pd.read_csv(folder / "learning-curve.csv")
    pd.testing.assert_frame_equal(back, curve.counts)
    table = pd.read_csv(folder / "tables" / "points.csv")
    assert table["accuracy"].tolist() == pytest.approx(
        [point["accuracy"]["value"] for point in curve.facts["points"]]
    )
    # again: replaced; edited: kept
    write_curve(folder, curve.facts, curve.counts)
    page.write_text("mine")
    with pytest.raises(AuferError, match="was edited"):
        check_curve_folder(folder, force=False)
    check_curve_folder(folder, force=True)


def test_the_command_makes_a_curve_of_a_network(
    aufer: RunAufer, sample_dataset: Path, tmp_path: Path
) -> None:
    ran = aufer(
        *("learning-curve", sample_dataset, "--sizes", "10,all", "--folds", "2"),
        *("--epochs", "2", "--jobs", "1"),
    ).check()
    page = tmp_path / "reports" / "learning-curve-emotion-dense" / "learning-curve.html"
    assert ran.out.strip() == page.relative_to(tmp_path).as_posix()
    assert "With 10 images per emotion it read" in ran.err
    facts = json.loads(page.with_suffix(".json").read_text())
    assert facts["command"].startswith("aufer learning-curve")
    assert facts["model"]["recipe"] == "standard"
    assert facts["model"]["settings"]["epochs"] == 2
    with page.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["size"] for row in rows} == {"10", str(facts["most"])}
    assert all(int(row["n_train"]) <= int(row["size"]) for row in rows)


def test_the_command_refuses_before_it_fits(
    aufer: RunAufer, sample_dataset: Path, tmp_path: Path
) -> None:
    ran = aufer("learning-curve", sample_dataset, "--sizes", "ten").check(2)
    assert "'ten' is no number of images" in ran.err
    assert "no number" not in aufer("learning-curve", "nowhere.csv").check(2).err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    ran = aufer("learning-curve", sample_dataset, "--out", "mine").check(1)
    assert "is no learning curve; it is kept" in ran.err
    aufer("learning-curve", sample_dataset, "--kind", "forest").check(2)


def in_group(group: int) -> list[psutil.Process]:
    """The processes of a group that still run."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_neither_files_nor_processes(
    jobs: str, sample_dataset: Path, tmp_path: Path
) -> None:
    words = ["learning-curve", str(sample_dataset), "--kind", "svm", "--repeats", "100"]
    with subprocess.Popen(
        [sys.executable, "-m", "aufer", *words, "--jobs", jobs, "-v"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        time.sleep(8)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Interrupted." in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    deadline = time.monotonic() + 20
    while (left := in_group(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []


def test_equal_settings_give_equal_curves(sample_dataset: Path, tmp_path: Path) -> None:
    words = ("--kind", "trees", "--sizes", "5,all", "--folds", "2", "--seed", "3", "--json")
    one, other = (
        run_aufer("learning-curve", sample_dataset, *words, "--jobs", jobs, cwd=tmp_path).check()
        for jobs in ("1", "2")
    )
    first, second = json.loads(one.out), json.loads(other.out)
    assert first["points"] == second["points"]
    assert first["gains"] == second["gains"]
