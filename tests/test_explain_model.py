"""A model explained as a whole: importance, coefficients, profiles, its page, and what fails."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import permutation_importance as sklearn_importance

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import Bundle
from aufer.classifiers.classifier import Examples
from aufer.classifiers.logistic import fit as fit_logistic
from aufer.classifiers.recipe import RECIPES
from aufer.emotions import PROTOTYPES, Emotions
from aufer.errors import AuferError, DataError
from aufer.explaining.coefficients import HESSIAN, SANDWICH, coefficient_facts, fit_regression
from aufer.explaining.importance import permutation_importance
from aufer.explaining.model_rows import ModelRows, bundle_rows, given_rows
from aufer.explaining.profile import effect_sizes, profile_facts
from aufer.explaining.whole_model import explain_whole
from aufer.explaining.whole_page import check_whole_folder, write_whole
from aufer.explaining.whole_text import sentences
from aufer.image_input import ImageInput
from aufer.openface.faces import read_faces
from aufer.prototypes import prototype_agreement
from aufer.provenance import Extractor
from aufer.splits import TRAINING_PARTS
from aufer.train import train
from tests.image_model import make_image_bundle
from tests.running import RunAufer

NAMES = ("angry", "disgust", "happy", "neutral", "sad", "surprise")


@pytest.fixture(scope="module")
def dataset(sample_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's faces as if four neighbours of one emotion were a person's."""
    frame = pd.read_csv(sample_dataset)
    frame["group"] = [f"p{n // 4}" for n in frame.groupby("emotion").cumcount()]
    path = tmp_path_factory.mktemp("grouped") / "grouped.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def model(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return train(dataset, kind="logistic", out=tmp_path_factory.mktemp("models") / "whole")


@pytest.fixture(scope="module")
def facts(model: Bundle) -> dict:
    return explain_whole(model, repeats=5, seed=2)


def random_rows(n: int = 600, n_features: int = 3, seed: int = 0) -> ModelRows:
    """Faces whose label hangs on their values, the last of which says most."""
    random = np.random.default_rng(seed)
    values = random.gamma(1, 1, (n, n_features))
    slopes = np.array([[0.0, 0, 0], [0.8, -0.5, 0], [-0.3, 0.4, 1.5]])[:, :n_features]
    odds = np.exp(values @ slopes.T)
    labels = np.array([random.choice(3, p=row) for row in odds / odds.sum(axis=1, keepdims=True)])
    groups = np.array([f"g{row // 10}" for row in range(n)], dtype=object)
    return ModelRows(values, labels, groups, f"{n} rows", unseen=True)


def statsmodels_fit(rows: ModelRows, **how) -> tuple[np.ndarray, np.ndarray]:
    """MNLogit's coefficients against the mean of the emotions, and their errors."""
    scaled = (rows.values - rows.values.mean(axis=0)) / rows.values.std(axis=0)
    fitted = sm.MNLogit(rows.labels, sm.add_constant(scaled)).fit(disp=0, **how)
    n_emotions, n = 3, scaled.shape[1] + 1
    weights = np.vstack([np.zeros(n), np.asarray(fitted.params).T])
    covariance = np.zeros((n_emotions, n, n_emotions, n))
    covariance[1:, :, 1:] = np.asarray(fitted.cov_params()).reshape(2, n, 2, n)
    centre = np.eye(n_emotions) - 1 / n_emotions
    variances = np.einsum("ak,kfjf,aj->af", centre, covariance, centre)
    return (weights - weights.mean(axis=0))[:, 1:], np.sqrt(variances)[:, 1:]


# ---- coefficients


def test_coefficients_and_errors_are_statsmodels() -> None:
    rows = random_rows()
    found = fit_regression(rows.values, rows.labels, 3, ridge=1e-9)
    weights, errors = statsmodels_fit(rows)
    assert found.coefficients == pytest.approx(weights, abs=1e-6)
    assert found.errors == pytest.approx(errors, abs=1e-6)
    assert (found.method, found.n_groups) == (HESSIAN, 0)
    assert found.factor == pytest.approx(1.959964, abs=1e-5)
    assert found.coefficients.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)


def test_errors_by_group_are_statsmodels() -> None:
    rows = random_rows(seed=1)
    found = fit_regression(rows.values, rows.labels, 3, rows.groups, ridge=1e-9)
    number = np.array([int(name[1:]) for name in rows.groups])
    how = {"cov_type": "cluster", "cov_kwds": {"groups": number, "use_correction": False}}
    _, errors = statsmodels_fit(rows, **how)
    assert found.errors == pytest.approx(errors * np.sqrt(60 / 59), abs=1e-6)
    assert (found.method, found.n_groups) == (SANDWICH, 60)
    assert found.factor > 1.96


def test_it_is_the_regression_that_is_trained(model: Bundle) -> None:
    rows = bundle_rows(model, TRAINING_PARTS, "training")
    found = fit_regression(rows.values, rows.labels, 6)
    every = np.arange(len(rows))
    examples = Examples(
        rows.values.astype(np.float32), rows.labels, INTENSITY_COLUMNS, NAMES, every, every[:0]
    )
    expected = fit_logistic(examples, RECIPES["standard"], 0)
    assert found.coefficients == pytest.approx(expected.coefficients, abs=0.01)
    assert found.intercepts == pytest.approx(
        expected.intercepts - expected.intercepts.mean(), abs=0.01
    )
    told = model.facts["training"].get("coefficients") or expected.settings["coefficients"]
    assert told["happy"]["AU12_r"] == pytest.approx(found.coefficients[2, 8], abs=0.05)


def test_separable_faces_have_finite_coefficients() -> None:
    values, labels = np.repeat([[0.0], [5.0]], 20, axis=0), np.repeat([0, 1], 20)
    found = fit_regression(values, labels, 2)
    assert 0 < found.coefficients[1, 0] < 5
    assert np.isfinite(found.errors).all()


def test_coefficients_per_unit_are_those_per_deviation_divided_by_it() -> None:
    rows = random_rows()
    found = coefficient_facts(rows, ("AU01_r", "AU02_r", "AU12_r"), ("sad", "angry", "happy"))
    assert [row["au"] for row in found["rows"][:3]] == ["AU01", "AU02", "AU12"]
    for row in found["rows"]:
        for key in ("value", "low", "high"):
            deviation = found["deviation"][row["au"]]
            assert row["per_intensity"][key] * deviation == pytest.approx(row["coefficient"][key])
        assert row["coefficient"]["low"] < row["coefficient"]["value"] < row["coefficient"]["high"]
    one = ModelRows(rows.values, np.zeros(len(rows), dtype=int), rows.groups, "", True)
    with pytest.raises(DataError, match="fewer than two emotions"):
        coefficient_facts(one, ("AU01_r", "AU02_r", "AU12_r"), ("sad", "angry", "happy"))


# ---- importance


class Given(ClassifierMixin, BaseEstimator):
    """A model as scikit-learn wants it."""

    def __init__(self, predict=None) -> None:
        self.predict_proba = predict
        self.classes_ = np.arange(6)

    def fit(self, values, labels):
        return self

    def predict(self, values):
        return self.predict_proba(values).argmax(axis=1)


def test_importance_is_scikit_learns(model: Bundle) -> None:
    rows = bundle_rows(model, ("train", "validation", "test"), "all")
    found = permutation_importance(
        model.predict_proba, rows, model.features, NAMES, repeats=30, seed=1
    )
    expected = sklearn_importance(
        Given(model.predict_proba),
        rows.values,
        rows.labels,
        scoring=["accuracy", "f1_macro", "neg_log_loss"],
        n_repeats=30,
        random_state=3,
    )
    for ours, theirs in (
        ("accuracy", "accuracy"),
        ("macro_f1", "f1_macro"),
        ("log_loss", "neg_log_loss"),
    ):
        by_name = {f"{row['name']}_r": row[ours] for row in found["aus"]}
        for number, name in enumerate(model.features):
            noise = expected[theirs].importances_std[number] / np.sqrt(30) * np.sqrt(2)
            there = expected[theirs].importances_mean[number]
            assert by_name[name]["mean"] == pytest.approx(there, abs=5 * noise + 1e-9)
            assert by_name[name]["sd"] == pytest.approx(
                expected[theirs].importances_std[number], rel=0.8, abs=1e-6
            )


def test_what_a_model_does_not_look_at_costs_nothing() -> None:
    rows = random_rows()

    def predict(values: np.ndarray) -> np.ndarray:
        sure = (values[:, 2] > 1).astype(float)
        return np.column_stack([1 - sure, np.zeros(len(values)), sure])

    features = ("AU01_r", "AU04_r", "AU12_r")
    found = permutation_importance(predict, rows, features, ("sad", "angry", "happy"), repeats=4)
    by_name = {row["name"]: row for row in (*found["aus"], *found["regions"])}
    assert by_name["AU01"]["accuracy"] == {"mean": 0.0, "sd": 0.0}
    assert (by_name["AU01"]["low"], by_name["AU01"]["high"]) == (0, 0)
    assert by_name["AU12"]["accuracy"]["mean"] > 0.05
    assert by_name["AU12"]["low"] > 0
    assert next(iter(by_name)) == "AU12"
    assert by_name["brow"]["columns"] == ["AU01_r", "AU04_r"]
    assert by_name["mouth"]["columns"] == ["AU12_r"]
    assert "eyes" not in by_name  # none of its AUs is the model's
    assert (found["n_groups"], found["by"]) == (60, "group")


def test_a_region_is_shuffled_as_one() -> None:
    random = np.random.default_rng(0)
    base = random.random(500)
    values = np.column_stack([base, base, random.random(500)])
    labels = (base > 0.5).astype(int)
    groups = np.full(500, "", dtype=object)
    rows = ModelRows(values, labels, groups, "", unseen=True)
    asked = []

    def predict(given: np.ndarray) -> np.ndarray:
        asked.append(given)
        right = (given[:, 0] + given[:, 1] > 1).astype(float)
        return np.column_stack([1 - right, right])

    found = permutation_importance(
        predict, rows, ("AU01_r", "AU02_r", "AU12_r"), ("sad", "happy"), repeats=1
    )
    apart = [given for given in asked if not (given[:, 0] == given[:, 1]).all()]
    assert len(asked) == 1 + 3 + 2
    assert len(apart) == 2  # each alone; as a region they stay together
    by_name = {row["name"]: row["accuracy"]["mean"] for row in (*found["aus"], *found["regions"])}
    assert by_name["brow"] > by_name["AU01"] + 0.1
    assert found["by"] == "face"
    assert found["aus"][0]["accuracy"]["sd"] is None


# ---- profiles


def test_profiles_are_means_and_cohens_d(model: Bundle) -> None:
    rows = bundle_rows(model, TRAINING_PARTS, "training")
    found = profile_facts(rows, model.features, NAMES)
    happy = rows.labels == 2
    assert found["means"][2]["AU12"] == pytest.approx(rows.values[happy, 8].mean())
    inside, outside = rows.values[happy, 8], rows.values[~happy, 8]
    pooled = np.sqrt((inside.var() * len(inside) + outside.var() * len(outside)) / (len(rows) - 2))
    d = (inside.mean() - outside.mean()) / pooled
    assert effect_sizes(rows.values, happy)[8] == pytest.approx(d)
    row = next(row for row in found["prototypes"] if row["emotion"] == "happy")
    assert {one["au"]: one["by"] for one in row["stand_out"]}["AU12"] == pytest.approx(d)
    assert row["shared"] == [au for au in PROTOTYPES["happy"] if au not in row["missing"]]
    agreement = prototype_agreement(rows.values, model.features, NAMES)
    assert row["agreeing"] == pytest.approx((agreement[happy].argmax(axis=1) == 2).mean())
    assert effect_sizes(rows.values, np.zeros(len(rows), dtype=bool)).tolist() == [0] * 17


def test_aus_that_a_model_does_not_take_have_no_mean() -> None:
    found = profile_facts(random_rows(), ("AU01_r", "AU02_r", "AU12_r"), ("sad", "mine", "happy"))
    assert found["means"][0]["AU45"] is None
    assert [row["emotion"] for row in found["prototypes"]] == ["sad", "happy"]
    assert found["prototypes"][1]["prototype"] == ["AU12"]


# ---- the faces


def test_a_bundles_own_faces(model: Bundle) -> None:
    test = bundle_rows(model, ("test",), "test")
    learnt = bundle_rows(model, TRAINING_PARTS, "training")
    assert (test.unseen, learnt.unseen) == (True, False)
    assert len(test) + len(learnt) == model.facts["dataset"]["n_rows"]
    assert not set(test.groups) & set(learnt.groups)
    assert test.source == f"the model's {len(test)} test rows"
    assert test.values.shape == (len(test), 17)


def test_given_faces_that_were_trained_on_are_left_out(
    model: Bundle, dataset: Path, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = read_faces(dataset, Emotions())
    monkeypatch.setattr("aufer.explaining.model_rows.LEAST_UNSEEN", 10)
    rows, notes = given_rows(model, faces, 0.7)
    assert rows.unseen
    n_test = len(bundle_rows(model, ("test",), "test"))
    assert len(rows) == n_test
    assert any("were in the model's training" in note for note in notes)
    others, _ = given_rows(model, read_faces(sample / "test", Emotions()), 0.7)
    assert others.unseen
    assert len(others) > 40
    monkeypatch.setattr("aufer.explaining.model_rows.LEAST_UNSEEN", len(faces))
    every, notes = given_rows(model, faces, 0.7)
    assert every.unseen is False
    assert len(every) == len(faces)
    assert any("was trained on" in note for note in notes)


def test_of_a_model_that_does_not_say_what_it_learnt_nothing_is_known(
    model: Bundle, sample: Path, tmp_path: Path
) -> None:
    elsewhere = Bundle(tmp_path, model.facts)  # without rows.csv
    elsewhere._session = model._open()
    rows, notes = given_rows(elsewhere, read_faces(sample / "test", Emotions()), 0.7)
    assert rows.unseen is None
    assert any("doesn't say what it was trained on" in note for note in notes)


def test_a_bundle_without_data_is_explained_on_given_faces(
    dataset: Path, sample: Path, tmp_path: Path
) -> None:
    bare = train(dataset, kind="logistic", out=tmp_path / "bare", with_data=False)
    with pytest.raises(DataError, match="without the faces") as error:
        explain_whole(bare)
    assert "labelled faces" in error.value.hint
    faces = read_faces(sample / "test", Emotions())
    found = explain_whole(bare, rows=faces, repeats=2)
    assert found["importance"]["unseen"]
    assert found["profile"]["faces"] == found["importance"]["faces"]
    assert any("doesn't bring the faces" in note for note in found["notes"])
    write_whole(tmp_path / "page", found)
    seen = read_faces(dataset, Emotions())
    learnt = bundle_rows(train(dataset, kind="logistic", out=tmp_path / "b"), ("train",), "x")
    keys = {tuple(row) for row in learnt.values}
    is_train = [tuple(row) in keys for row in seen.intensities().tolist()]
    found = explain_whole(bare, rows=seen.picked(np.flatnonzero(is_train)), repeats=1)
    assert not found["importance"]["unseen"]
    assert any("was trained on" in note for note in found["notes"])
    unlabelled = read_faces(sample / "test", Emotions())
    unlabelled.frame["emotion"] = ""
    with pytest.raises(DataError, match="None of the given faces"):
        explain_whole(bare, rows=unlabelled)


def test_without_test_rows_there_is_no_importance(dataset: Path, tmp_path: Path) -> None:
    all_in = train(dataset, kind="logistic", out=tmp_path / "all", test_size=0.0)
    found = explain_whole(all_in)
    assert found["importance"] is None
    assert any("no test rows" in note for note in found["notes"])
    page = write_whole(tmp_path / "page", found)
    assert not (page.parent / "figures" / "importance.svg").exists()
    assert (page.parent / "figures" / "profile.svg").exists()


# ---- all of it


def test_the_facts_of_a_whole_model(facts: dict, model: Bundle) -> None:
    assert facts["available"]
    found = facts["importance"]
    assert {row["name"] for row in found["regions"]} == {"brow", "eyes", "nose", "mouth"}
    assert {row["name"] for row in found["aus"]} == {n.removesuffix("_r") for n in model.features}
    means = [row["accuracy"]["mean"] for row in found["aus"]]
    assert means == sorted(means, reverse=True)
    test = bundle_rows(model, ("test",), "test")
    hits = model.predict_proba(test.values).argmax(axis=1) == test.labels
    assert found["before"]["accuracy"] == pytest.approx(hits.mean())
    assert facts["coefficients"]["method"] == SANDWICH
    assert len(facts["coefficients"]["rows"]) == 6 * 17
    assert facts == json.loads(json.dumps(facts, allow_nan=False))
    again = explain_whole(model, repeats=5, seed=2)
    assert again["importance"] == found


def test_its_folder_holds_the_page_and_all_of_it_as_files(facts: dict, tmp_path: Path) -> None:
    page = write_whole(tmp_path / "why", facts)
    folder = page.parent
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    pictures = ("importance", "coefficients", "profile")
    tables = ("regions", "importance", "coefficients", "profile", "prototypes")
    assert names == {
        *(f"figures/{name}.{end}" for name in pictures for end in ("svg", "png")),
        *(f"tables/{name}.csv" for name in tables),
        "explain-model.html",
        "explain-model.json",
    }
    text = page.read_text()
    assert not re.search(r'(?:src|href)="https?:', text)
    for link in re.findall(r'href="([^#"]+)"', text):
        assert (folder / link).is_file()
    for sentence in sentences(facts):
        assert sentence.replace(" %", "\u00a0%") in text.replace("&#39;", "'")
    text = text.replace("&#39;", "'")
    assert f"regression of {facts['coefficients']['faces']}" in text
    assert f"over {facts['profile']['faces']}." in text
    assert "{" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S)  # no dict as a text
    table = pd.read_csv(folder / "tables" / "coefficients.csv")
    assert len(table) == 6 * 17
    back = json.loads((folder / "explain-model.json").read_text())
    assert set(back.pop("files")) == names - {"explain-model.json"}
    assert back == facts
    page.write_text("mine")
    with pytest.raises(AuferError, match="was edited"):
        check_whole_folder(folder, force=False)
    check_whole_folder(folder, force=True)


def test_of_a_model_of_pictures_it_says_what_there_is_not(tmp_path: Path) -> None:
    class Looks:
        path, name, features = tmp_path, "looks", ()
        emotions, facts = Emotions(), {"kind": "cnn"}
        image_input, extractor = ImageInput(48, 48), Extractor()

    found = explain_whole(Looks())
    assert not found["available"]
    assert "reads pictures" in found["why_not"]
    assert sentences(found) == [found["why_not"]]
    text = write_whole(tmp_path / "page", found).read_text()
    assert "saliency map" in text


def test_the_command_says_that_a_model_of_pictures_has_no_aus(
    aufer: RunAufer, tmp_path: Path
) -> None:
    model = make_image_bundle(tmp_path / "bright")
    ran = aufer("explain", model, "--testset", "nowhere").check()  # which is not read in vain
    assert "warning: This model reads pictures, not AUs" in ran.err
