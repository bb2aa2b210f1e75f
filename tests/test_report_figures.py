"""Every figure of the report, computed again from predictions.csv by other libraries alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.preprocessing import label_binarize
from statsmodels.stats.proportion import proportion_confint

from aufer.action_units import INTENSITY_COLUMNS
from tests.running import run_aufer

if TYPE_CHECKING:
    from tests.report_case import ReportCase

pytest_plugins = ["tests.report_case"]

PARTS = ("all", "unseen")


def rows_of(report_case: ReportCase, part: str) -> pd.DataFrame:
    table = report_case.predictions
    return table if part == "all" else table[~table["seen_in_training"]]


def answered_of(report_case: ReportCase, part: str) -> pd.DataFrame:
    rows = rows_of(report_case, part)
    return rows[rows["predicted"] != ""]


def probabilities_of(report_case: ReportCase, rows: pd.DataFrame) -> np.ndarray:
    return rows[report_case.facts["emotions"]].to_numpy(dtype=float)


def assert_share(share: dict[str, Any], k: int, n: int) -> None:
    """Value and Wilson's interval of k of n, by statsmodels."""
    assert (share["k"], share["n"]) == (k, n)
    assert share["value"] == pytest.approx(k / n)
    low, high = proportion_confint(k, n, alpha=0.05, method="wilson")
    assert (share["low"], share["high"]) == pytest.approx((low, high), abs=1e-9)


def test_the_case_has_everything(report_case: ReportCase) -> None:
    """Or the tests below would test nothing."""
    assert set(report_case.facts["figures"]) == {"all", "unseen"}
    assert set(report_case.predictions["seen_how"]) == {"", "same_file", "equal_aus", "near_copy"}
    assert {"ok", "no_face", "low_confidence"} <= set(report_case.predictions["status"])
    assert report_case.facts["model"]["calibration"]["temperature"] != 1
    wrong = report_case.predictions["correct"] == False  # noqa: E712
    assert wrong.sum() > 12


@pytest.mark.parametrize("part", PARTS)
def test_accuracy_and_coverage(report_case: ReportCase, part: str) -> None:
    figures = report_case.facts["figures"][part]
    rows, answered = rows_of(report_case, part), answered_of(report_case, part)
    right = int((answered["predicted"] == answered["emotion"]).sum())
    assert (figures["n_images"], figures["n_answered"]) == (len(rows), len(answered))
    assert_share(figures["accuracy"], right, len(answered))
    assert_share(figures["accuracy_all"], right, len(rows))
    assert_share(figures["coverage"], len(answered), len(rows))
    guess = answered[report_case.facts["emotions"]].idxmax(axis=1)
    assert guess.tolist() == answered["predicted"].tolist()


@pytest.mark.parametrize("part", PARTS)
def test_scores_by_scikit_learn(report_case: ReportCase, part: str) -> None:
    figures, names = report_case.facts["figures"][part], report_case.facts["emotions"]
    answered = answered_of(report_case, part)
    truth, guess = answered["emotion"], answered["predicted"]
    p = probabilities_of(report_case, answered)
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert figures["macro_f1"] == pytest.approx(metrics.f1_score(truth, guess, average="macro"))
    assert figures["balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(truth, guess)
    )
    assert figures["confusion"] == metrics.confusion_matrix(truth, guess, labels=names).tolist()
    shares = p / p.sum(axis=1, keepdims=True)
    assert figures["log_loss"] == pytest.approx(
        metrics.log_loss(truth, shares, labels=names), rel=1e-6
    )
    one_hot = label_binarize(truth, classes=names)
    by_emotion = [
        metrics.brier_score_loss(one_hot[:, column], np.clip(p[:, column], 0, 1))
        for column in range(len(names))
    ]
    assert figures["brier"] == pytest.approx(sum(by_emotion), rel=1e-6)
    told = metrics.classification_report(truth, guess, labels=names, output_dict=True)
    for row in figures["per_emotion"]:
        of = told[row["emotion"]]
        assert row["n"] == of["support"]
        assert row["precision"] == pytest.approx(of["precision"])
        assert row["f1"] == pytest.approx(of["f1-score"])
        hits = int(((truth == row["emotion"]) & (guess == truth)).sum())
        assert_share(row["recall"], hits, int(of["support"]))
        n_images = int((rows_of(report_case, part)["emotion"] == row["emotion"]).sum())
        assert row["n_images"] == n_images
        assert_share(row["coverage"], row["n"], n_images)


@pytest.mark.parametrize("part", PARTS)
def test_calibration(report_case: ReportCase, part: str) -> None:
    figures = report_case.facts["figures"][part]
    answered = answered_of(report_case, part)
    top = probabilities_of(report_case, answered).max(axis=1)
    right = (answered["predicted"] == answered["emotion"]).to_numpy(dtype=float)
    bins = pd.cut(top, np.linspace(0, 1, 16), precision=9)
    grouped = pd.DataFrame({"top": top, "right": right}).groupby(bins, observed=False)
    table = grouped.agg(n=("top", "size"), confidence=("top", "mean"), accuracy=("right", "mean"))
    gaps = (table["confidence"] - table["accuracy"]).abs() * table["n"]
    assert figures["ece"] == pytest.approx(gaps.sum() / len(answered), abs=1e-6)
    assert len(figures["reliability"]) == 15
    for row, (interval, expected) in zip(figures["reliability"], table.iterrows(), strict=True):
        assert row["high"] == pytest.approx(interval.right, abs=1e-6)
        assert row["n"] == expected["n"]
        if row["n"]:
            assert row["confidence"] == pytest.approx(expected["confidence"], abs=1e-6)
            hits = round(expected["accuracy"] * expected["n"])
            assert_share(row["accuracy"], hits, int(expected["n"]))


@pytest.mark.parametrize("part", PARTS)
def test_answering_only_when_sure(report_case: ReportCase, part: str) -> None:
    answered = answered_of(report_case, part)
    top = probabilities_of(report_case, answered).max(axis=1)
    right = (answered["predicted"] == answered["emotion"]).to_numpy()
    rows = report_case.facts["figures"][part]["by_coverage"]
    assert [row["share"] for row in rows] == [1.0, *np.arange(95, 5, -5) / 100]
    for row in rows:
        # the highest threshold that still answers the share that was asked for
        fitting = [t for t in np.unique(top) if (top >= t).mean() >= row["share"] - 1e-9]
        threshold = max(fitting)
        sure = top >= threshold
        assert row["threshold"] == pytest.approx(threshold, abs=1e-6)
        assert row["coverage"] == pytest.approx(sure.mean())
        assert_share(row["accuracy"], int(right[sure].sum()), int(sure.sum()))


@pytest.mark.parametrize("part", PARTS)
def test_other_thresholds_of_confidence(report_case: ReportCase, part: str) -> None:
    rows = rows_of(report_case, part)
    guess = rows[report_case.facts["emotions"]].fillna(0).idxmax(axis=1)
    right = (guess == rows["emotion"]) & rows[report_case.facts["emotions"][0]].notna()
    told = report_case.facts["figures"][part]["by_confidence"]
    assert [row["min_confidence"] for row in told] == [0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    for row in told:
        taken = rows["confidence"] >= row["min_confidence"]
        assert_share(row["coverage"], int(taken.sum()), len(rows))
        assert_share(row["accuracy"], int((right & taken).sum()), int(taken.sum()))
    in_use = next(
        row for row in told if row["min_confidence"] == report_case.facts["min_confidence"]
    )
    assert in_use["accuracy"] == report_case.facts["figures"][part]["accuracy"]


@pytest.mark.parametrize("part", PARTS)
def test_the_bootstrap_of_groups(report_case: ReportCase, part: str) -> None:
    """Against a plain loop that draws whole groups; both are random, so they agree nearly."""
    answered = answered_of(report_case, part)
    told = report_case.facts["figures"][part]["bootstrap"]
    sizes = answered["group"].value_counts()
    assert (told["by"], told["n_groups"], told["largest"]) == ("group", len(sizes), sizes.max())
    rng = np.random.default_rng(123)
    members = [rows for _, rows in answered.groupby("group")]
    drawn: dict[str, list[float]] = {"accuracy": [], "macro_f1": [], "balanced_accuracy": []}
    for _ in range(400):
        chosen = pd.concat([members[i] for i in rng.integers(0, len(members), len(members))])
        truth, guess = chosen["emotion"], chosen["predicted"]
        drawn["accuracy"].append(float((truth == guess).mean()))
        present = sorted(set(truth))
        drawn["macro_f1"].append(
            metrics.f1_score(truth, guess, labels=present, average="macro", zero_division=0)
        )
        drawn["balanced_accuracy"].append(
            metrics.recall_score(truth, guess, labels=present, average="macro", zero_division=0)
        )
    for name, values in drawn.items():
        # a limit's own deviation with 400 draws is about 0.13 of the figure's
        error = 4 * 0.13 * np.std(values)
        assert told[name] == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=error)


@pytest.mark.parametrize("part", PARTS)
def test_baselines_on_the_same_faces(report_case: ReportCase, part: str) -> None:
    answered = answered_of(report_case, part)
    trained = pd.read_csv(report_case.bundle / "rows.csv")
    trained = trained[trained["part"].isin(["train", "validation"])]
    counts = trained["emotion"].value_counts()
    most = {name for name, n in counts.items() if n == counts.max()}
    assert set(answered["by_majority"]) <= most
    told = {row["name"]: row for row in report_case.facts["figures"][part]["baselines"]}
    assert set(told) == {"majority", "prototypes"}
    for name, row in told.items():
        guess, truth = answered[f"by_{name}"], answered["emotion"]
        assert_share(row["accuracy"], int((guess == truth).sum()), len(answered))
        assert row["macro_f1"] == pytest.approx(
            metrics.f1_score(
                truth, guess, labels=sorted(set(truth)), average="macro", zero_division=0
            )
        )


def test_prototypes_are_those_of_facs(report_case: ReportCase) -> None:
    """Mean of the prototype's AUs minus mean of the others, optional ones left aside."""
    aus = report_case.predictions[list(INTENSITY_COLUMNS)]
    aus = aus.rename(columns=lambda name: int(name[2:4])).dropna()
    known = {
        "happy": ({6, 12}, {25}),
        "sad": ({1, 4, 15}, {17}),
        "surprise": ({1, 2, 5, 25, 26}, set()),
        "angry": ({4, 5, 7, 23}, set()),
        "disgust": ({9, 10, 15, 17}, {4}),
    }
    scores = {"neutral": 1 - aus.mean(axis=1)}
    for name, (own, optional) in known.items():
        others = set(aus.columns) - own - optional
        scores[name] = aus[list(own)].mean(axis=1) - aus[list(others)].mean(axis=1)
    best = pd.DataFrame(scores).idxmax(axis=1)
    assert report_case.predictions.loc[best.index, "by_prototypes"].tolist() == best.tolist()


def test_seen_faces_are_found_in_three_ways(report_case: ReportCase) -> None:
    trained = pd.read_csv(report_case.bundle / "rows.csv", dtype=str, keep_default_na=False)
    trained = trained[trained["part"].isin(["train", "validation"])]
    files, aus = set(trained["sha256"]), set(trained["aus"])
    pictures = [int(text, 16) for text in trained["phash"]]
    test = pd.read_csv(report_case.folder.parents[1] / "test.csv", dtype=str, keep_default_na=False)
    expected = []
    for _, row in test.iterrows():
        values = [row[name] for name in INTENSITY_COLUMNS]
        measured = " ".join(f"{float(value):.2f}" for value in values) if all(values) else ""
        near = any(bin(int(row["phash"], 16) ^ other).count("1") <= 6 for other in pictures)
        how = "near_copy" if near else ""
        how = "equal_aus" if measured in aus else how
        expected.append("same_file" if row["sha256"] in files else how)
    assert report_case.predictions["seen_how"].tolist() == expected
    seen = report_case.facts["seen_in_training"]
    assert seen["n"] == sum(how != "" for how in expected)
    assert seen["ways"] == {how: expected.count(how) for how in seen["ways"]}
    assert report_case.predictions["seen_in_training"].tolist() == [how != "" for how in expected]


def test_profiles_and_mistakes_are_of_the_leading_faces(report_case: ReportCase) -> None:
    answered = answered_of(report_case, "unseen")
    means = answered.groupby("emotion")[list(INTENSITY_COLUMNS)].mean()
    for row in report_case.facts["au_profile"]:
        for column in INTENSITY_COLUMNS:
            expected = means.loc[row["emotion"], column]
            assert row[column.removesuffix("_r")] == pytest.approx(expected)
    wrong = answered[answered["predicted"] != answered["emotion"]]
    certainty = wrong[report_case.facts["emotions"]].max(axis=1)
    worst = wrong.loc[certainty.sort_values(ascending=False, kind="stable").index[:12]]
    assert [row["image"] for row in report_case.facts["mistakes"]] == worst["image"].tolist()
    for row, (_, expected) in zip(report_case.facts["mistakes"], worst.iterrows(), strict=True):
        assert row["probability"] == pytest.approx(expected[row["predicted"]], abs=1e-6)
        assert row["aus"]["AU12"] == pytest.approx(expected["AU12_r"])


def test_cross_validation_is_that_of_its_folds(report_case: ReportCase) -> None:
    folds = pd.read_csv(report_case.bundle / "cross-validation" / "folds.csv")
    cross = report_case.facts["model"]["cross_validation"]
    assert {protocol["name"] for protocol in cross["protocols"]} == {"random", "grouped"}
    table = report_case.table("cross-validation").set_index("model")
    for protocol in cross["protocols"]:
        for model in protocol["models"]:
            of = folds[(folds["protocol"] == protocol["name"]) & (folds["model"] == model["name"])]
            for figure in ("accuracy", "macro_f1", "log_loss", "brier", "ece"):
                told = model[figure]
                assert told["mean"] == pytest.approx(of[figure].mean(), rel=1e-4)
                assert told["sd"] == pytest.approx(of[figure].std(), abs=1e-4)
            key = f"accuracy_{protocol['name']}"
            assert table.loc[model["title"], f"{key}_mean"] == pytest.approx(
                of["accuracy"].mean(), rel=1e-4
            )
    # and the folds are those of the predictions
    answers = pd.read_csv(report_case.bundle / "cross-validation" / "predictions.csv")
    own = folds[folds["model"] == cross["own"]].set_index(["protocol", "repeat", "fold"])
    for key, rows in answers.groupby(["protocol", "repeat", "fold"]):
        right = (rows["emotion"] == rows["predicted"]).mean()
        assert own.loc[key, "accuracy"] == pytest.approx(right, rel=1e-4)
        # no person on two sides
    grouped = answers[answers["protocol"] == "grouped"]
    assert (grouped.groupby("group")["fold"].nunique() == 1).all()


def same(value: Any, cell: Any) -> bool:
    """Whether a cell of a CSV is a value of report.json."""
    if value is None:
        return bool(pd.isna(cell))
    if isinstance(value, str):
        return value == ("" if pd.isna(cell) else cell)
    return cell == pytest.approx(value, rel=1e-6, abs=1e-9)


def assert_equal_rows(
    table: pd.DataFrame, rows: list[dict[str, Any]], columns: dict[str, str]
) -> None:
    """The CSV's columns against paths such as ``accuracy.low`` in the rows of report.json."""
    assert len(table) == len(rows)
    for (_, cells), row in zip(table.iterrows(), rows, strict=True):
        for column, path in columns.items():
            value: Any = row
            for key in path.split("."):
                value = value[int(key) if isinstance(value, list) else key]
            assert same(value, cells[column]), (column, value, cells[column])


SHARE = ("value", "low", "high", "k", "n")


def share_columns(name: str) -> dict[str, str]:
    return {name if end == "value" else f"{name}_{end}": f"{name}.{end}" for end in SHARE}


def test_tables_are_the_numbers_of_report_json(report_case: ReportCase) -> None:
    shown, names = report_case.facts["figures"]["unseen"], report_case.facts["emotions"]
    plain = {key: key for key in ("emotion", "n", "n_images", "precision", "f1")}
    assert_equal_rows(
        report_case.table("by-emotion"), shown["per_emotion"], plain | share_columns("recall")
    )
    assert report_case.table("confusion")[names].to_numpy().tolist() == shown["confusion"]
    assert_equal_rows(
        report_case.table("reliability"),
        [row for row in shown["reliability"] if row["n"]],
        {key: key for key in ("low", "high", "n", "confidence")} | share_columns("accuracy"),
    )
    assert_equal_rows(
        report_case.table("answering-when-sure"),
        shown["by_coverage"],
        {key: key for key in ("share", "threshold", "n")} | share_columns("accuracy"),
    )
    assert_equal_rows(
        report_case.table("openface-confidence"),
        shown["by_confidence"],
        {"min_confidence": "min_confidence"}
        | share_columns("coverage")
        | share_columns("accuracy"),
    )
    aus = [column.removesuffix("_r") for column in INTENSITY_COLUMNS]
    assert_equal_rows(
        report_case.table("au-profile"),
        report_case.facts["au_profile"],
        {key: key for key in ("emotion", "n", *aus)},
    )
    assert_equal_rows(
        report_case.table("mistakes"),
        report_case.facts["mistakes"],
        {key: key for key in ("image", "emotion", "predicted", "probability", "of_truth")},
    )
    assert_equal_rows(
        report_case.table("folds").drop(columns="model"),
        report_case.facts["model"]["folds"],
        {key: key for key in ("protocol", "repeat", "fold", "n", "accuracy", "temperature")},
    )
    accuracy = report_case.table("accuracy")
    assert_equal_rows(
        accuracy.iloc[1:-1],
        shown["baselines"],
        {"model": "title", "macro_f1": "macro_f1", "by_group_low": "by_group.0"}
        | share_columns("accuracy"),
    )
    limits = {
        "by_group_low": "bootstrap.accuracy.0",
        "macro_f1_limits_high": "bootstrap.macro_f1.1",
    }
    everything = report_case.facts["figures"]["all"]
    assert_equal_rows(
        accuracy.iloc[[0, -1]], [shown, everything], limits | share_columns("accuracy")
    )
    figures = report_case.table("figures")
    for column, part in (("unseen", "unseen"), ("all", "all")):
        found = dict(zip(figures["figure"], figures[column], strict=True))
        told = report_case.facts["figures"][part]
        assert found["macro-F1"] == pytest.approx(told["macro_f1"])
        assert found["Brier score"] == pytest.approx(told["brier"])
        assert found["images"] == told["n_images"]
    test_data = report_case.table("test-data").set_index("emotion")
    counts = pd.crosstab(report_case.predictions["emotion"], report_case.predictions["status"])
    for name in names:
        assert test_data.loc[name, "ok"] == counts.loc[name, "ok"]
        assert test_data.loc[name, "low_confidence"] == counts.loc[name, "low_confidence"]
    assert test_data.loc["total", "images"] == len(report_case.predictions)
    assert test_data.loc["total", "seen"] == report_case.facts["seen_in_training"]["n"]
    unanswered = report_case.predictions[report_case.predictions["predicted"] == ""]
    assert report_case.table("without-answer")["image"].tolist() == unanswered["image"].tolist()


def test_the_page_shows_the_numbers_of_report_json(report_case: ReportCase) -> None:
    page = (report_case.folder / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    shown = report_case.facts["figures"]["unseen"]
    for name in ("accuracy", "accuracy_all", "coverage"):
        share = shown[name]
        assert f"{100 * share['value']:.1f} % [{100 * share['low']:.1f}, " in page
    for value in (shown["macro_f1"], shown["log_loss"], shown["brier"]):
        assert f">{value:.3f}</td>" in page
    low, high = shown["bootstrap"]["accuracy"]
    assert f"95 % interval {100 * low:.1f} % to {100 * high:.1f} %, " in page
    for row in shown["per_emotion"]:
        recall = row["recall"]
        assert f"{100 * recall['value']:.1f} % [{100 * recall['low']:.1f}" in page
    own = report_case.facts["model"]["cross_validation"]["protocols"][0]["models"][0]["accuracy"]
    assert f"{100 * own['mean']:.1f} ± {100 * own['sd']:.1f} %" in page
    for figure in ("accuracy", "macro_f1"):
        methods = (report_case.folder / "methods.txt").read_text(encoding="utf-8")
        value = shown[figure]["value"] if figure == "accuracy" else shown[figure]
        assert (f"{100 * value:.1f} %" if figure == "accuracy" else f"{value:.3f}") in methods


def test_a_report_of_the_folds_is_their_pooled_figures(
    report_case: ReportCase, study: Path, tmp_path: Path
) -> None:
    words = ("emotion.csv", "--kind", "logistic", "--cv", "3", "--test-size", "0")
    run_aufer("train", *words, "--no-baselines", "--out", tmp_path / "m", cwd=study).check()
    run_aufer("evaluate", "--model", tmp_path / "m", "--out", tmp_path / "r", cwd=study).check()
    crossed = type(report_case).read(tmp_path / "r", tmp_path / "m")
    assert crossed.facts["tested_on"] == "cross-validation"
    pooled = crossed.facts["model"]["cross_validation"]["pooled"]
    figures = crossed.facts["figures"]["all"]
    assert figures["accuracy"] == pooled["accuracy"]
    assert figures["confusion"] == pooled["confusion"]
    for name in ("macro_f1", "log_loss", "brier"):
        assert figures[name] == pytest.approx(pooled[name], rel=1e-4)
    answers = pd.read_csv(tmp_path / "m" / "cross-validation" / "predictions.csv")
    grouped = answers[answers["protocol"] == "grouped"]
    right = grouped["emotion"] == grouped["predicted"]
    assert figures["accuracy"]["value"] == pytest.approx(right.mean())
    # each answer stands beside the AUs of its own face
    assert crossed.predictions["image"].tolist() == grouped.sort_values("row")["image"].tolist()
    trained = pd.read_csv(study / "emotion.csv")[list(INTENSITY_COLUMNS)]
    assert np.allclose(crossed.predictions[list(INTENSITY_COLUMNS)], trained)
