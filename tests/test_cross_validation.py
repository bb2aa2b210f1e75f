"""Cross-validation: who is held out, who is trained on, and what is reported of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aufer.bundle import read_bundle
from aufer.classifiers.classifier import Examples, Predictor
from aufer.classifiers.cross_validation import BLOCK_SIZES, cross_validate
from aufer.classifiers.folds import (
    Folds,
    deal_by_group,
    deal_by_source,
    deal_in_blocks,
    deal_randomly,
)
from aufer.classifiers.held_out import FIGURES, fit_of_kind, hold_out_each, no_folds
from aufer.classifiers.recipe import RECIPES
from aufer.dataset import Dataset, read_dataset
from aufer.errors import DataError, UsageError
from aufer.evaluate import evaluate_held_out
from aufer.train import CvPlan, train
from tests.faces import write_faces
from tests.running import run_aufer

STANDARD = RECIPES["standard"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return read_dataset(write_faces(tmp_path_factory.mktemp("faces") / "emotion.csv", 300))


def with_rows(dataset: Dataset, **columns: Any) -> Dataset:
    return replace(dataset, rows=dataset.rows.assign(**columns))


def people(n: int, faces_each: int = 5) -> list[str]:
    return [f"p{number // faces_each:02d}" for number in range(n)]


class Spy:
    """A `FitFold` that notes the rows it gets."""

    def __init__(self, n_emotions: int) -> None:
        self.trained: list[np.ndarray] = []
        self.n_emotions = n_emotions

    def __call__(self, examples: Examples, number: int) -> tuple[Predictor, float | None]:
        self.trained.append(examples.train)
        return self, None

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        return np.full((len(aus), self.n_emotions), 1 / self.n_emotions)


def spy_on(dataset: Dataset, folds: Folds) -> Spy:
    spy = Spy(len(dataset.emotions))
    hold_out_each(dataset, folds, spy, "spy", no_folds)
    return spy


def deal(name: str, dataset: Dataset) -> Folds:
    return {
        "random": lambda: deal_randomly(dataset, 5, 2, 0),
        "grouped": lambda: deal_by_group(dataset, 5, 2, 0),
        "blocks": lambda: deal_in_blocks(dataset, 10, 5, 2, 0),
        "sources": lambda: deal_by_source(dataset),
    }[name]()


@pytest.mark.parametrize("name", ["random", "grouped", "blocks", "sources"])
def test_no_row_is_asked_of_a_model_that_was_fitted_to_it(dataset: Dataset, name: str) -> None:
    labelled = with_rows(dataset, group=people(300), source=["a"] * 100 + ["b"] * 200)
    folds = deal(name, labelled)
    spy = spy_on(labelled, folds)
    fits = iter(spy.trained)
    for of_row in folds.of_row:
        for fold in range(of_row.max() + 1):
            trained = set(next(fits).tolist())
            held = np.flatnonzero(of_row == fold)
            assert trained
            assert not trained & set(held.tolist())
            if folds.together is not None:
                apart = set(folds.together[held]) & set(folds.together[list(trained)])
                assert not apart, f"{apart} on both sides"
    assert next(fits, None) is None


def test_each_repeat_deals_anew_and_by_the_seed(dataset: Dataset) -> None:
    twice = deal_randomly(dataset, 5, 2, 7).of_row
    assert (twice[0] != twice[1]).any()
    assert (twice[1] == deal_randomly(dataset, 5, 1, 8).of_row[0]).all()


def test_a_group_that_reaches_into_the_source_held_out_is_not_trained_on(dataset: Dataset) -> None:
    sources = np.array(["a"] * 150 + ["b"] * 150, dtype=object)
    groups = np.array(people(300), dtype=object)
    groups[[0, 299]] = "both"
    spy = spy_on(with_rows(dataset, group=groups, source=sources), deal_by_source_of(sources))
    spied = spy_on(
        with_rows(dataset, group=groups, source=sources),
        deal_by_source(with_rows(dataset, group=groups, source=sources)),
    )
    assert 299 in spy.trained[0]
    assert 299 not in spied.trained[0]
    assert 0 not in spied.trained[1]


def deal_by_source_of(sources: np.ndarray) -> Folds:
    return Folds("sources", "", np.array([(sources == "b").astype(int)]), None)


def test_one_source_alone_cannot_be_held_out(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="one source only") as raised:
        deal_by_source(with_rows(dataset, source="a"))
    assert "aufer build-dataset SOURCE SOURCE" in str(raised.value.hint)


def test_the_figures_are_those_of_the_answers(dataset: Dataset) -> None:
    found = cross_validate(dataset, "logistic", STANDARD, k=4, repeats=2, seed=3, baselines=False)
    answers = found.predictions
    assert len(answers) == 600
    assert answers.groupby("repeat")["row"].nunique().tolist() == [300, 300]
    right = (answers["emotion"] == answers["predicted"]).groupby(
        [answers["repeat"], answers["fold"]]
    )
    assert np.allclose(found.folds["accuracy"], right.mean().to_numpy())
    told = found.facts["protocols"][0]["models"][0]["accuracy"]
    assert told["n"] == 8
    assert np.isclose(told["mean"], right.mean().mean())
    assert np.isclose(told["sd"], right.mean().std(ddof=1))
    repeats = right.mean().groupby("repeat").mean()
    assert np.isclose(told["sd_repeats"], repeats.std(ddof=1))
    names = list(dataset.emotions.names)
    assert np.allclose(answers[names].sum(axis=1), 1)
    assert (answers[names].idxmax(axis=1) == answers["predicted"]).all()
    first = answers[answers["repeat"] == 1]
    pooled = found.facts["pooled"]
    assert pooled["accuracy"]["k"] == int((first["emotion"] == first["predicted"]).sum())


def test_unknown_groups_give_random_folds_and_blocks(dataset: Dataset) -> None:
    facts = cross_validate(dataset, "logistic", STANDARD, k=5).facts
    assert [protocol["name"] for protocol in facts["protocols"]] == ["random"]
    names = [model["name"] for model in facts["protocols"][0]["models"]]
    assert names == ["logistic", "majority", "prototypes", "svm", "trees"]
    sizes = [row["size"] for row in facts["blocks"]["rows"]]
    assert sizes == list(BLOCK_SIZES[: len(sizes)])
    assert len(sizes) > 1
    assert "accuracy_by_group" not in facts["pooled"]


def test_known_groups_give_both_figures_side_by_side(dataset: Dataset) -> None:
    labelled = with_rows(dataset, group=people(300))
    facts = cross_validate(labelled, "svm", STANDARD, k=5).facts
    assert [protocol["name"] for protocol in facts["protocols"]] == ["grouped", "random"]
    assert facts["blocks"]["rows"]  # nobody said that these groups are persons
    by_group = facts["pooled"]["accuracy_by_group"]
    value = facts["pooled"]["accuracy"]["value"]
    assert by_group["n_groups"] == 60
    assert by_group["low"] <= value <= by_group["high"]


def test_the_temperature_is_not_measured_on_held_out_rows(dataset: Dataset) -> None:
    folds = deal_randomly(dataset, 5, 1, 0)
    plain = fit_of_kind("logistic", STANDARD, 0, None)
    held = hold_out_each(dataset, folds, plain, "logistic", no_folds)
    # other labels of the held-out rows change the figures, and nothing else
    labels = dataset.labels.copy()
    first = folds.of_row[0] == 0
    labels[first] = (labels[first] + 1) % 6
    other = hold_out_each(
        replace(dataset, labels=labels), replace(folds), plain, "logistic", no_folds
    )
    assert np.array_equal(held.probabilities[0][first], other.probabilities[0][first])
    assert held.folds[0]["temperature"] == other.folds[0]["temperature"]
    assert held.folds[0]["accuracy"] != other.folds[0]["accuracy"]


def test_more_folds_than_faces_of_an_emotion(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="faces"):
        cross_validate(dataset, "logistic", STANDARD, k=90)


# the command


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    faces = write_faces(folder / "emotion.csv", 300)
    train(faces, kind="logistic", out=folder / "m", cv=CvPlan(4, repeats=2), test_size=0)
    return folder / "m"


def test_the_bundle_keeps_folds_and_answers(bundle: Path) -> None:
    facts = read_bundle(bundle).facts
    folds = pd.read_csv(bundle / "cross-validation" / "folds.csv")
    assert {"cross-validation/folds.csv", "cross-validation/predictions.csv"} <= set(facts["files"])
    own = folds[(folds["model"] == "logistic") & (folds["protocol"] == "random")]
    told = facts["cross_validation"]["protocols"][0]["models"][0]
    for name in FIGURES:
        assert np.isclose(own[name].mean(), told[name]["mean"], atol=1e-5)
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "| FACS prototypes (nothing learnt) |" in card
    assert "Nobody knows who is who" in card


def test_without_test_rows_all_faces_are_trained_on(bundle: Path) -> None:
    facts = read_bundle(bundle).facts
    assert facts["split"]["sizes"]["test"] == 0
    assert facts["metrics"]["test"] is None
    assert facts["metrics"]["validation"]["n"] == facts["split"]["sizes"]["validation"]
    assert "No row was kept for a test" in (bundle / "README.md").read_text(encoding="utf-8")
    words = ("models", "list", "--models", bundle.parent)
    records = json.loads(run_aufer(*words, "--json", cwd=bundle.parent).check().out)
    assert {record["name"]: record["test_accuracy"] for record in records}["m"] is None
    lines = run_aufer(*words, cwd=bundle.parent).check().out.splitlines()
    assert "test accuracy –" in next(line for line in lines if line.startswith("m "))


def test_held_out_faces_of_rows_without_a_confidence(bundle: Path) -> None:
    evaluation = evaluate_held_out(read_bundle(bundle))
    assert evaluation.predictions["confidence"].isna().all()
    assert evaluation.facts["figures"]["all"]["n_answered"] == 300
    assert evaluation.facts["figures"]["all"]["by_confidence"] == []


def test_groups_that_hold_every_other_row(dataset: Dataset) -> None:
    mixed = with_rows(dataset, group=people(300), source=["a", "b"] * 150)
    with pytest.raises(DataError, match="Nothing is left to train on") as raised:
        spy_on(mixed, deal_by_source(mixed))
    assert "--groups none" in str(raised.value.hint)


def test_the_command_prints_the_table(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "emotion.csv", 240)
    options = ("--kind", "logistic", "--cv", 3, "--out", "m", "--json")
    done = run_aufer("train", faces, *options, cwd=tmp_path).check()
    assert json.loads(done.out)["cross_validation"]["k"] == 3
    assert "cross-validation, random folds: logistic" in done.err
    assert "FACS prototypes" in done.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--cv", "1"], "no number of folds"),
        (["--cv", "many"], "no number of folds"),
        (["--repeats", "2"], "--repeats goes with --cv"),
        (["--cv", "sources", "--repeats", "2"], "nothing to repeat"),
        (["--ensemble", "0"], "ensemble"),
        (["--kind", "svm", "--recipe", "reference"], "one of a dense network"),
        (["--kind", "trees", "--epochs", "3"], "--epochs is for kinds that learn in epochs"),
        (["--recipe", "reference", "--test-size", "0"], "--test-size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_go_together(tmp_path: Path, args: list[str], said: str) -> None:
    faces = write_faces(tmp_path / "emotion.csv", 60)
    done = run_aufer("train", faces, "--out", "m", *args, cwd=tmp_path).check(2)
    assert said in done.err
    assert not (tmp_path / "m").exists()


def test_no_ensemble_beyond_reason(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "emotion.csv", 60)
    with pytest.raises(UsageError, match="--ensemble"):
        train(faces, n_members=101)


def test_a_bundle_without_its_data_names_nobody(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "emotion.csv", 240)
    frame = pd.read_csv(faces)
    frame.insert(0, "image", [f"secret{i}.jpg" for i in range(240)])
    frame.insert(1, "group", people(240))
    frame.to_csv(faces, index=False)
    options = ("--kind", "logistic", "--cv", 3, "--no-baselines", "--without-data", "--out", "m")
    run_aufer("train", faces, *options, cwd=tmp_path).check()
    held = frame["AU01_r"].map("{:.2f}".format)
    for path in (tmp_path / "m").rglob("*"):
        if path.suffix in (".csv", ".json", ".md"):
            text = path.read_text(encoding="utf-8")
            assert "secret" not in text, path
            assert "p01," not in text, path
            assert f"{held[0]} " not in text, path
    assert not (tmp_path / "m" / "cross-validation" / "predictions.csv").exists()
    # its own faces are found all the same
    done = run_aufer("evaluate", "--model", "m", "--testset", faces, "--json", cwd=tmp_path)
    facts = json.loads(done.check().out)
    n_trained = sum(facts["model"]["split"]["sizes"][part] for part in ("train", "validation"))
    assert facts["seen_in_training"]["n"] == n_trained
    told = run_aufer("evaluate", "--model", "m", cwd=tmp_path).check(2)
    assert "came without its faces" in told.err


def test_a_model_that_is_made_of_faces_cannot_go_without_them(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "emotion.csv", 60)
    with pytest.raises(UsageError, match="support vectors"):
        train(faces, kind="svm", with_data=False, out=tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_the_largest_seed_can_be_cross_validated(dataset: Dataset) -> None:
    found = cross_validate(
        dataset, "logistic", STANDARD, k=2, repeats=2, seed=2**32 - 1, baselines=False
    )
    assert len(found.folds) == 4
