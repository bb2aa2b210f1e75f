"""The mask study: parts of the face, equal folds, figures that come out again, and its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from aufer.action_units import INTENSITY_COLUMNS
from aufer.classifiers.classifier import Examples
from aufer.classifiers.fitting import fit_calibrated
from aufer.classifiers.recipe import RECIPES
from aufer.cli.mask_study import command
from aufer.dataset import read_dataset
from aufer.errors import AuferError, DataError, UsageError
from aufer.face_regions import ALL, LOWER, PARTS, REGIONS, UPPER, numbers_of
from aufer.mask_study import DEFAULT_KINDS, MaskStudy, mask_study
from aufer.masking.confusion import accuracy, count, draw_confusions, macro_f1, share_read
from aufer.masking.figures import figures_of
from aufer.masking.page import check_study_folder, render, write_study
from aufer.masking.tables import make_tables
from aufer.masking.text import (
    CAVEAT,
    HIDES,
    IS_SMALL,
    SHORT_CAVEAT,
    UNCLEAR,
    answer,
    judge,
    sentences,
)

KINDS = ("logistic", "trees")


@pytest.fixture(scope="module")
def grouped(sample_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's faces as if four neighbours of one emotion were a person's."""
    frame = pd.read_csv(sample_dataset)
    frame["group"] = [f"p{n // 4}" for n in frame.groupby("emotion").cumcount()]
    path = tmp_path_factory.mktemp("grouped") / "grouped.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def study(grouped: Path) -> MaskStudy:
    return mask_study(grouped, kinds=KINDS, cv=2, repeats=2, seed=5)


# ---- parts of the face


def test_every_au_is_in_one_region_and_in_one_half() -> None:
    assert sorted(sum(REGIONS.values(), ())) == sorted(INTENSITY_COLUMNS)
    assert PARTS[ALL] == INTENSITY_COLUMNS
    assert set(PARTS[UPPER]) == {*REGIONS["brow"], *REGIONS["eyes"]}
    assert set(PARTS[LOWER]) == {*REGIONS["nose"], *REGIONS["mouth"]}
    assert numbers_of(PARTS[UPPER]) == "1, 2, 4, 5, 6, 7, 45"


def test_a_network_takes_a_part_of_the_aus(sample_dataset: Path) -> None:
    dataset = read_dataset(sample_dataset)
    rows, columns = np.arange(len(dataset)), PARTS[UPPER]
    aus = dataset.aus[list(columns)].to_numpy(dtype=np.float32)
    examples = Examples(aus, dataset.labels, columns, dataset.emotions.names, rows, rows[:0])
    recipe = replace(RECIPES["standard"].changed(epochs=1), calibrate=False)
    fitted = fit_calibrated("dense", examples, recipe, 0)
    found = fitted.predict_proba(aus)
    assert found.shape == (len(dataset), 6)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(dataset)), abs=1e-5)


@pytest.mark.parametrize("kind", ["logistic", "svm", "trees"])
def test_every_other_kind_takes_a_part_of_the_aus(kind: str, sample_dataset: Path) -> None:
    found = mask_study(sample_dataset, kinds=[kind], cv=2)
    (result,) = found.facts["results"]
    assert set(result["parts"]) == {ALL, UPPER, LOWER}
    for part in result["parts"].values():
        assert np.sum(part["confusion"]) == found.facts["dataset"]["n_rows"]
    p = found.predictions[found.facts["emotions"]].to_numpy()
    assert p.sum(axis=1) == pytest.approx(np.ones(len(p)), abs=1e-5)


def test_a_part_tells_nothing_of_the_others(sample_dataset: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(sample_dataset)
    random = np.random.default_rng(0)
    shuffled = frame.copy()
    for column in PARTS[LOWER]:
        shuffled[column] = random.permutation(shuffled[column])
    # equal faces stay in one fold: there are none before or after
    frame = frame[~frame.duplicated(list(INTENSITY_COLUMNS), keep=False)]
    shuffled = shuffled.loc[frame.index]
    found = []
    for name, table in (("one", frame), ("other", shuffled)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        got = mask_study(tmp_path / f"{name}.csv", kinds=["logistic"], cv=3).predictions
        found.append({part: got[got["aus"] == part]["predicted"].tolist() for part in PARTS})
    assert found[0][UPPER] == found[1][UPPER]
    assert found[0][LOWER] != found[1][LOWER]
    assert found[0][ALL] != found[1][ALL]


# ---- the folds and the figures


def test_all_models_read_the_same_faces_in_the_same_folds(study: MaskStudy, grouped: Path) -> None:
    table, n = study.predictions, len(pd.read_csv(grouped))
    assert len(table) == 2 * 3 * 2 * n
    columns = ["repeat", "fold", "row", "group", "emotion"]
    parts = [part[columns].reset_index(drop=True) for _, part in table.groupby(["kind", "aus"])]
    for other in parts[1:]:
        pd.testing.assert_frame_equal(parts[0], other)
    for _, of_group in parts[0].groupby(["repeat", "group"]):
        assert of_group["fold"].nunique() == 1
    one, two = (parts[0][parts[0]["repeat"] == r]["fold"].tolist() for r in (1, 2))
    assert one != two


def test_the_figures_come_out_again_from_the_predictions(study: MaskStudy) -> None:
    names = study.facts["emotions"]
    for result in study.facts["results"]:
        of_kind = study.predictions[study.predictions["kind"] == result["kind"]]
        recalls = {}
        for part, found in result["parts"].items():
            rows = of_kind[of_kind["aus"] == part]
            f1 = [
                sk.f1_score(r["emotion"], r["predicted"], average="macro")
                for _, r in rows.groupby("repeat")
            ]
            confusion = sk.confusion_matrix(rows["emotion"], rows["predicted"], labels=names) / 2
            assert np.array(found["confusion"]) == pytest.approx(confusion)
            share = sk.accuracy_score(rows["emotion"], rows["predicted"])
            assert found["accuracy"]["value"] == pytest.approx(share)
            assert found["macro_f1"]["value"] == pytest.approx(np.mean(f1), abs=0.01)
            low, high = proportion_confint(round(share * len(rows) / 2), len(rows) / 2, 0.05)
            assert found["accuracy"]["low"] < low + 0.02 < high < found["accuracy"]["high"] + 0.02
            recalls[part] = sk.recall_score(
                rows["emotion"], rows["predicted"], labels=names, average=None
            )
            given = [row["recall"]["value"] for row in found["per_emotion"]]
            assert given == pytest.approx(recalls[part])
        losses = [row["loss"]["value"] for row in result["hidden"]]
        assert losses[:-1] == pytest.approx(recalls[ALL] - recalls[UPPER])
        read = of_kind[of_kind["aus"] == UPPER]["predicted"].value_counts(normalize=True)
        for row, mouth in zip(result["eyes"], recalls[LOWER], strict=True):
            assert row["at_random"] == pytest.approx(read.get(row["emotion"], 0))
            above = row["recall"]["value"] - row["at_random"]
            assert row["above"]["value"] == pytest.approx(above)
            assert row["mouth"]["value"] == pytest.approx(mouth)
        shares = [row["share"] for row in result["mistakes"]]
        assert shares == sorted(shares, reverse=True)
        assert len(shares) == len(names) * (len(names) - 1)


def test_the_paired_test_is_statsmodels(study: MaskStudy) -> None:
    for result in study.facts["results"]:
        table = study.predictions
        table = table[(table["kind"] == result["kind"]) & (table["repeat"] == 1)]
        hits = {
            part: (rows["emotion"] == rows["predicted"]).to_numpy()
            for part, rows in table.groupby("aus")
        }
        truth = table[table["aus"] == ALL]["emotion"].to_numpy()
        expected = []
        for row in result["hidden"]:
            of = truth == row["emotion"] if row["emotion"] else np.ones(len(truth), dtype=bool)
            cross = pd.crosstab(hits[ALL][of], hits[UPPER][of])
            cross = cross.reindex(index=[False, True], columns=[False, True], fill_value=0)
            expected.append(mcnemar(cross.to_numpy(), exact=True).pvalue)
            assert row["test"]["p"] == pytest.approx(expected[-1])
        corrected = multipletests(expected, method="holm")[1]
        assert [row["test"]["p_holm"] for row in result["hidden"]] == pytest.approx(corrected)


def test_the_intervals_are_those_of_groups_drawn_anew() -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, 400)
    groups = np.array([f"g{n // 5}" for n in range(400)], dtype=object)
    guesses = {
        part: np.where(random.random((2, 400)) < share, labels, random.integers(0, 3, (2, 400)))
        for part, share in ((ALL, 0.7), (UPPER, 0.5), (LOWER, 0.4))
    }
    found = figures_of(labels, guesses, groups, ["a", "b", "c"], seed=1)
    hits = {part: (of_part == labels).mean(axis=0) for part, of_part in guesses.items()}
    losses, at_random = [], []
    for _ in range(2000):  # by brute force, group by group
        drawn = np.concatenate([np.arange(5) + 5 * g for g in random.integers(0, 80, 80)])
        of_a = drawn[labels[drawn] == 0]
        losses.append((hits[ALL] - hits[UPPER])[of_a].mean())
        share = (guesses[UPPER][:, drawn] == 0).mean()
        at_random.append(hits[UPPER][of_a].mean() - share)
    for figure, draws in (
        (found["hidden"][0]["loss"], losses),
        (found["eyes"][0]["above"], at_random),
    ):
        low, high = np.percentile(draws, (2.5, 97.5))
        assert figure["low"] == pytest.approx(low, abs=0.015)
        assert figure["high"] == pytest.approx(high, abs=0.015)
    assert found["draws"]["n_groups"] == 80


def test_draws_are_of_all_faces_and_a_row_without_a_group_stands_alone() -> None:
    labels, guesses = np.array([0, 0, 1, 1]), np.array([[[0, 1, 1, 1]]])
    groups = np.array(["a", "a", "", ""], dtype=object)
    drawn = draw_confusions(labels, guesses, groups, 2, n=300)
    sizes = drawn.sum(axis=(1, 2, 3))
    assert drawn.shape == (300, 1, 2, 2)
    assert set(sizes.round().astype(int)) == {3, 4, 5, 6}  # three groups: of two, one, one
    one = count(labels, guesses[0, 0], 2)
    assert (accuracy(one), macro_f1(one)) == (0.75, pytest.approx((2 / 3 + 0.8) / 2))
    assert share_read(one, 1) == 0.75


def test_of_a_single_group_nothing_is_known() -> None:
    labels = np.array([0, 1, 0, 1])
    guesses = {part: np.array([[0, 1, 0, 0]]) for part in PARTS}
    found = figures_of(labels, guesses, np.array(["x"] * 4, dtype=object), ["a", "b"])
    loss = found["hidden"][0]["loss"]
    assert (loss["value"], loss["low"], loss["high"]) == (0, -1, 1)
    assert found["parts"][ALL]["accuracy"]["high"] == 1


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.2, HIDES), (-0.03, 0.04, IS_SMALL), (-0.03, 0.2, UNCLEAR)],
)
def test_what_a_loss_says(low: float, high: float, verdict: str) -> None:
    assert judge({"low": low, "high": high}) == verdict


def test_the_sentences_name_what_is_hidden_and_what_is_told(study: MaskStudy) -> None:
    said = sentences(study.facts)
    assert said[-1] == CAVEAT
    text = " ".join(said)
    for result in study.facts["results"]:
        assert result["title"] in text
    for name in study.facts["emotions"]:
        assert name in text


# ---- failures


def test_what_can_not_be_is_refused(sample_dataset: Path, tmp_path: Path) -> None:
    for wrong, message in (
        ({"kinds": ["forest"]}, "no kind 'forest'"),
        ({"kinds": []}, "--kind names each kind once"),
        ({"kinds": ["svm", "svm"]}, "--kind names each kind once"),
        ({"kinds": ["svm"], "epochs": 3}, "--epochs is about networks"),
        ({"cv": 1}, "--cv is a whole number from 2"),
        ({"repeats": 0}, "--repeats"),
        ({"seed": -1}, "--seed"),
    ):
        with pytest.raises(UsageError, match=message):
            mask_study(sample_dataset, **wrong)
    with pytest.raises(UsageError, match="does not exist"):
        mask_study(tmp_path / "nowhere.csv")


def test_too_few_faces(sample_dataset: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(sample_dataset)
    path = tmp_path / "few.csv"
    frame.groupby("emotion").head(3).to_csv(path, index=False)
    with pytest.raises(DataError, match="too small to split"):
        mask_study(path)
    frame[frame["emotion"] == 2].to_csv(path, index=False)
    with pytest.raises(DataError, match="one emotion only"):
        mask_study(path)
    few = frame[frame["emotion"].isin([0, 1])]
    few.assign(group=few["emotion"].map({0: "a", 1: "b"})).to_csv(path, index=False)
    with pytest.raises(DataError, match="groups that fall into one fold"):
        mask_study(path, cv=2)


def test_an_emotion_without_a_face_is_left_out(sample_dataset: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(sample_dataset)
    path = tmp_path / "four.csv"
    frame[~frame["emotion"].isin([1, 3])].to_csv(path, index=False)
    found = mask_study(path, kinds=["logistic"], cv=2)
    assert found.facts["emotions"] == ["angry", "happy", "sad", "surprise"]
    assert set(found.predictions["predicted"]) <= set(found.facts["emotions"])
    assert np.shape(found.facts["results"][0]["parts"][ALL]["confusion"]) == (4, 4)


# ---- the folder and the command


def test_the_folder_holds_the_page_and_all_of_it_as_files(study: MaskStudy, tmp_path: Path) -> None:
    study = MaskStudy({**study.facts, "results": study.facts["results"][:1]}, study.predictions)
    page = write_study(tmp_path / "m", study.facts, study.predictions)
    folder = page.parent
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    figures = {
        f"figures/{n}-logistic.{end}"
        for n in ("recall", "hidden", "confusion")
        for end in ("svg", "png")
    }
    tables = {f"tables/{name}.csv" for name in make_tables(study.facts)}
    assert names == figures | tables | {"mask-study.html", "mask-study.json", "predictions.csv"}
    facts = json.loads((folder / "mask-study.json").read_text())
    assert set(facts.pop("files")) == names - {"mask-study.json"}
    assert facts == json.loads(json.dumps(study.facts))
    assert facts["caveat"] == CAVEAT
    text = page.read_text()
    assert not re.search(r'(?:src|href)="https?:', text)
    for link in re.findall(r'href="([^#"]+)"', text):
        assert (folder / link).is_file()
    for sentence in sentences(study.facts):
        assert sentence.replace(" %", "\u00a0%").split("'")[0] in text.replace("&#39;", "'")
    for name in figures:
        if name.endswith(".svg"):
            assert SHORT_CAVEAT in (folder / name).read_text()
    back = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    assert list(back.columns) == list(study.predictions.columns)
    assert back["predicted"].tolist() == study.predictions["predicted"].tolist()
    assert "{" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S)  # no dict as a text
    check_study_folder(folder, force=False)  # ours: replaced; edited: kept
    page.write_text("mine")
    with pytest.raises(AuferError, match="was edited"):
        check_study_folder(folder, force=False)
    check_study_folder(folder, force=True)


def test_the_page_of_several_kinds_has_a_part_for_each(study: MaskStudy) -> None:
    tables = make_tables(study.facts)
    pictures = {f"{n}-{k}": "" for n in ("recall", "hidden", "confusion") for k in KINDS}
    text = render(study.facts, tables, pictures)
    for result in study.facts["results"]:
        assert f"<h2>{result['title'].capitalize()}</h2>" in text
        assert answer(study.facts, result).replace(" %", "\u00a0%") in text
    assert text.count("<h3>What the mask hides</h3>") == 2
    assert text.count(CAVEAT) == 2


def test_the_command(
    grouped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(grouped), "--kind", "logistic", "--cv", "3", "--json"]
    command.main(words, standalone_mode=False)
    facts = json.loads(capsys.readouterr().out)
    assert facts["schema"] == "aufer/mask-study/1"
    assert facts["protocol"] == {**facts["protocol"], "k": 3, "repeats": 1, "seed": 0}
    assert (tmp_path / "reports" / "mask-study-grouped-logistic" / "mask-study.html").is_file()
    (option,) = (option for option in command.params if option.name == "kinds")
    assert option.type.convert(option.default, None, None) == DEFAULT_KINDS
    assert option.type.convert("svm, trees", None, None) == ("svm", "trees")
    for wrong in ("forest", "svm,forest", ","):
        with pytest.raises(click.UsageError, match="is none of dense, logistic"):
            option.type.convert(wrong, option, None)
    assert "not tested on masks" in (command.epilog or "")


def test_it_comes_out_the_same_again(grouped: Path) -> None:
    one, other = (mask_study(grouped, kinds=["logistic"], cv=2, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.predictions, other.predictions)
    assert one.facts["results"] == other.facts["results"]
