"""Agreement of two AU tables: figures against scipy, statsmodels and print; pairs, maps, page."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from aufer.action_units import INTENSITY_COLUMNS
from aufer.agreeing import icc
from aufer.agreeing.column_map import ColumnMap, guess_map
from aufer.agreeing.figures import EXCELLENT, GOOD, MODERATE, POOR, figures_of, fisher_limits, judge
from aufer.agreeing.foreign import read_foreign
from aufer.agreeing.moments import Moments, sum_by_part, terms
from aufer.agreeing.page import agreement_folder, check_agreement_folder, write_agreement
from aufer.agreeing.pairing import (
    SAME_BYTES,
    SAME_END,
    SAME_FILE,
    SAME_PATH,
    SAME_STEM,
    pair_images,
)
from aufer.agreeing.source import Source, fit_sources
from aufer.agreeing.tables import make_tables
from aufer.agreeing.text import sentences
from aufer.agreement import Agreement, agreement
from aufer.au_table import AuTable, complete, write_au_table
from aufer.cli.agreement import command
from aufer.cli.settings import option_names
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.openface.faces import read_faces
from aufer.provenance import Extractor
from tests.running import RunAufer

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)
"""Table 2 of Shrout & Fleiss (1979): six subjects, four judges."""


def value_of(a: np.ndarray, b: np.ndarray, figure: str) -> float:
    moments = Moments.from_sums(terms(a[:, None], b[:, None]).sum(axis=0))
    return float(getattr(moments, figure)()[0])


def ccc_by_definition(a: np.ndarray, b: np.ndarray) -> float:
    both = np.cov(a, b, ddof=0)
    return float(2 * both[0, 1] / (both[0, 0] + both[1, 1] + (a.mean() - b.mean()) ** 2))


def table_of(images: list[str], **columns: object) -> AuTable:
    aus = dict.fromkeys(INTENSITY_COLUMNS, 1.0)
    return AuTable(complete(pd.DataFrame({"image": images, "status": "ok", **aus, **columns})))


@pytest.fixture(scope="module")
def known(sample: Path) -> AuTable:
    """The bundled training sample: OpenFace's values of 240 or so faces."""
    return read_faces(sample / "train", Emotions())


@pytest.fixture(scope="module")
def noised(known: AuTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another toolkit's table of the same faces: own names, less spread, more and more noise from
    AU to AU; AU20 always 0, no AU45; the last five images missing, one of its own."""
    random = np.random.default_rng(0)
    frame = known.frame[known.frame["status"] == "ok"]
    table = pd.DataFrame({"file": ["C:\\pics\\" + n.replace("/", "\\") for n in frame["image"]]})
    for number, au in enumerate(INTENSITY_COLUMNS[:-1]):
        noise = random.normal(0, 0.05 + 0.12 * number, len(frame))
        table[f"x{au[2:4]}"] = np.clip(0.8 * frame[au].to_numpy() + noise, 0, 5).round(3)
    table["x20"] = 0.0
    table = pd.concat([table[:-5], table[:1].assign(file="elsewhere/other.png")])
    path = tmp_path_factory.mktemp("noised") / "theirs.csv"
    table.to_csv(path, index=False)
    return path


MAP = ",".join(f"{au}=x{au[2:4]}" for au in INTENSITY_COLUMNS[:-1])


@pytest.fixture(scope="module")
def found(sample: Path, noised: Path) -> Agreement:
    theirs = Source(noised, ColumnMap.parse(MAP), "file")
    return agreement(Source(sample / "train"), theirs, min_confidence=0.8)


# ---- the figures


def test_the_iccs_are_those_that_shrout_and_fleiss_published() -> None:
    subjects, raters, residual = icc.mean_squares(SHROUT_FLEISS)
    assert (subjects, raters, residual) == pytest.approx((11.24, 32.49, 1.02), abs=0.005)
    assert float(icc.consistency(subjects, residual, 4)) == pytest.approx(0.71, abs=0.005)
    agreed = icc.absolute_agreement(subjects, raters, residual, 6, 4)
    assert float(agreed) == pytest.approx(0.29, abs=0.005)
    # the interval as the R package psych prints it
    limits = icc.consistency_limits(subjects, residual, 6, 4)
    assert limits == pytest.approx((0.342, 0.946), abs=0.005)


def test_the_iccs_follow_from_the_analysis_of_variance_of_statsmodels() -> None:
    random = np.random.default_rng(1)
    a = random.normal(2, 1, 40)
    b = 0.7 * a + random.normal(1, 0.5, 40)
    long = pd.DataFrame(
        {"face": [*range(40)] * 2, "table": ["a"] * 40 + ["b"] * 40, "v": np.concatenate([a, b])}
    )
    anova = anova_lm(ols("v ~ C(face) + C(table)", long).fit())
    squares = (anova["sum_sq"] / anova["df"]).tolist()
    moments = Moments.from_sums(terms(a[:, None], b[:, None]).sum(axis=0))
    assert [float(m[0]) for m in moments.mean_squares()] == pytest.approx(squares)
    assert icc.mean_squares(np.column_stack([a, b])) == pytest.approx(squares)
    subjects, raters, residual = squares
    consistent = (subjects - residual) / (subjects + residual)
    agreed = (subjects - residual) / (subjects + residual + 2 * (raters - residual) / 40)
    assert value_of(a, b, "icc_consistency") == pytest.approx(consistent)
    assert value_of(a, b, "icc_agreement") == pytest.approx(agreed)


def test_r_and_ccc_are_those_of_scipy_and_of_the_definition() -> None:
    random = np.random.default_rng(2)
    a = np.clip(random.normal(0, 1, 200), 0, 5)
    b = np.clip(0.6 * a + random.normal(0.3, 0.4, 200), 0, 5)
    expected = stats.pearsonr(a, b)
    assert value_of(a, b, "pearson") == pytest.approx(expected.statistic)
    interval = expected.confidence_interval(0.95)
    assert fisher_limits(expected.statistic, 200) == pytest.approx((interval.low, interval.high))
    ccc = value_of(a, b, "concordance")
    assert ccc == pytest.approx(ccc_by_definition(a, b))
    both = abs(expected.statistic)  # CCC = r times a factor of at most 1, which bias lessens
    assert value_of(a, b + 1, "concordance") < ccc < both
    assert value_of(a, b + 1, "icc_consistency") == pytest.approx(value_of(a, b, "icc_consistency"))
    assert value_of(a, b + 1, "icc_agreement") < value_of(a, b, "icc_agreement")


def test_every_figure_comes_out_again_from_the_pairs(found: Agreement) -> None:
    pairs = found.pairs
    labels = pairs["emotion"]
    for row in found.facts["aus"]:
        a, b = (pairs[f"{row['au']}_{side}"].to_numpy() for side in "ab")
        assert row["n"] == len(pairs)
        assert row["bias"] == pytest.approx((a - b).mean())
        assert row["mae"] == pytest.approx(np.abs(a - b).mean())
        assert row["mae_of_mean"] == pytest.approx(np.abs(b - b.mean()).mean())
        half = 1.96 * np.std(a - b, ddof=1)
        assert row["limits"] == pytest.approx([row["bias"] - half, row["bias"] + half])
        assert row["zeros_a"] == pytest.approx((a == 0).mean())
        assert row["zeros_b"] == pytest.approx((np.round(b, 2) == 0).mean(), abs=0.02)
        assert (row["mean_b"], row["sd_a"]) == pytest.approx((b.mean(), a.std(ddof=1)))
        if row["au"] == "AU20_r":
            assert (row["constant"], row["r"], row["icc2"], row["ccc"]) == ("B", None, None, None)
            continue
        assert row["kappa"] == pytest.approx(cohen_kappa_score(a < 0.005, b < 0.005))
        assert row["r"]["value"] == pytest.approx(np.corrcoef(a, b)[0, 1])
        assert row["ccc"] == pytest.approx(ccc_by_definition(a, b))
        subjects, between, residual = icc.mean_squares(np.column_stack([a, b]))
        assert row["icc3"]["value"] == pytest.approx(float(icc.consistency(subjects, residual)))
        agreed = icc.absolute_agreement(subjects, between, residual, len(a))
        assert row["icc2"] == pytest.approx(float(agreed))
        left = [v - pd.Series(v).groupby(labels).transform("mean").to_numpy() for v in (a, b)]
        assert row["within"]["value"] == pytest.approx(np.corrcoef(*left)[0, 1])
        assert row["within"]["pooled"] == pytest.approx(row["r"]["value"])
        for figure in (row["r"], row["within"], row["icc3"]):
            assert -1 <= figure["low"] < figure["value"] < figure["high"] <= 1
    mean = found.facts["mean"]
    rs = [row["r"]["value"] for row in found.facts["aus"] if row["r"]]
    assert (mean["r"]["value"], mean["n_aus"]) == (pytest.approx(np.mean(rs)), 15)
    assert mean["r"]["low"] < np.mean(rs) < mean["r"]["high"]
    assert mean["mae"] == pytest.approx(np.mean([row["mae"] for row in found.facts["aus"]]))


def test_pooled_r_flatters_and_within_emotion_r_does_not() -> None:
    random = np.random.default_rng(3)
    labels = np.array(["happy"] * 150 + ["sad"] * 150, dtype=object)
    smile = np.where(labels == "happy", 3.0, 0.5)
    a, b = (smile + random.normal(0, 0.5, 300) for _ in range(2))  # nothing else in common
    nobody = np.full(300, "", dtype=object)
    row = figures_of(a[:, None], b[:, None], ["AU12_r"], labels, nobody)["aus"][0]
    assert row["r"]["low"] > 0.8
    assert row["within"]["low"] < 0 < row["within"]["high"]
    # a quarter without a label: within and its pooled r are of the others
    some = np.where(np.arange(300) % 4 == 0, "", labels)
    row = figures_of(a[:, None], b[:, None], ["AU12_r"], some, nobody)["aus"][0]
    known = some != ""
    assert row["within"]["n"] == known.sum() < row["n"]
    assert row["within"]["pooled"] == pytest.approx(np.corrcoef(a[known], b[known])[0, 1])
    for one in (nobody, np.full(300, "sad", dtype=object)):
        found = figures_of(a[:, None], b[:, None], ["AU12_r"], one, nobody)
        assert found["aus"][0]["within"] is found["mean"]["within"] is None


def test_the_intervals_are_those_of_groups_drawn_anew() -> None:
    random = np.random.default_rng(4)
    person = np.repeat(random.normal(0, 1, 30), 10)  # ten pictures of each are much alike
    a = person + random.normal(0, 0.3, 300)
    b = 0.5 * person + random.normal(0, 0.5, 300) + np.repeat(random.normal(0, 0.5, 30), 10)
    groups = np.array([f"p{n // 10}" for n in range(300)], dtype=object)
    nobody = np.full(300, "", dtype=object)
    found = figures_of(a[:, None], b[:, None], ["AU01_r"], nobody, groups, seed=1)
    draws = []
    for _ in range(2000):  # by brute force, person by person
        rows = np.concatenate([np.arange(10) + 10 * g for g in random.integers(0, 30, 30)])
        draws.append(np.corrcoef(a[rows], b[rows])[0, 1])
    r = found["aus"][0]["r"]
    assert (r["low"], r["high"]) == pytest.approx(np.percentile(draws, (2.5, 97.5)), abs=0.03)
    assert found["draws"] == {**found["draws"], "n_groups": 30, "by": "group"}
    alone = figures_of(a[:, None], b[:, None], ["AU01_r"], nobody, nobody, seed=1)["aus"][0]["r"]
    assert alone["high"] - alone["low"] < r["high"] - r["low"]


def test_missing_values_few_faces_and_constants_are_said_and_no_warning_is_given() -> None:
    nan = np.nan
    a = np.array([[0, 1, nan, 2], [1, 1, nan, 0], [2, 1, 3, 1], [nan, 1, 2, 0]])
    b = np.array([[0, 0, nan, 2], [1, 2, 1.0, 0], [3, 1, 3, 1], [1.0, 3, 4, 0]])
    nobody = np.full(4, "", dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = figures_of(a, b, list(INTENSITY_COLUMNS[:4]), nobody, nobody)
    some, constant, few, same = found["aus"]
    assert some["n"] == 3
    assert some["r"]["value"] == pytest.approx(np.corrcoef([0, 1, 2], [0, 1, 3])[0, 1])
    assert (some["r"]["low"], some["r"]["high"]) == (-1, 1)  # of three nothing is known
    assert (constant["constant"], constant["r"], constant["mae"]) == ("A", None, 1.0)
    assert (few["n"], few["r"], few["mae"], few["limits"]) == (2, None, None, None)
    assert same["r"]["value"] == same["icc3"]["value"] == pytest.approx(1)
    assert (same["ccc"], same["mae"], same["kappa"]) == (pytest.approx(1), 0, 1)
    assert found["mean"]["n_aus"] == 2


def test_rows_missing_in_one_au_leave_the_others_alone() -> None:
    random = np.random.default_rng(6)
    a, b = random.random((2, 50, 2))
    holes = b.copy()
    holes[::3, 0] = np.nan
    part = np.zeros(50, dtype=np.int64)
    sums = [Moments.from_sums(sum_by_part(terms(a, v), part, 1)[0]) for v in (b, holes)]
    assert sums[0].pearson()[1] == pytest.approx(sums[1].pearson()[1])
    kept = np.arange(50) % 3 != 0
    assert sums[1].pearson()[0] == pytest.approx(np.corrcoef(a[kept, 0], b[kept, 0])[0, 1])


@pytest.mark.parametrize(
    ("value", "word"),
    [(-0.2, POOR), (0.49, POOR), (0.5, MODERATE), (0.75, GOOD), (0.9, EXCELLENT), (None, "")],
)
def test_the_words_are_koo_and_lis(value: float | None, word: str) -> None:
    assert judge(value) == word


# ---- which images are the same


@pytest.mark.parametrize(
    ("b", "rule", "pairs"),
    [
        (["happy/2.png", "happy/1.png", "sad/1.png"], SAME_PATH, [(0, 1), (1, 0), (2, 2)]),
        ([".\\happy\\1.png", "x.png"], SAME_PATH, [(0, 0)]),
        (["happy/1.jpg", "happy/2", "sad/9.jpg"], SAME_STEM, [(0, 0), (1, 1)]),
        (["/d/happy/1.png", "/d/sad/1.png"], SAME_END, [(0, 0), (2, 1)]),
        (["2.png", "1.png"], SAME_END, [(1, 0)]),  # two are called 1
        (["raw/2.jpg", "raw/1.jpg"], SAME_FILE, [(1, 0)]),
    ],
)
def test_images_are_known_by(b: list[str], rule: str, pairs: list[tuple[int, int]]) -> None:
    found = pair_images(table_of(["happy/1.png", "happy/2.png", "sad/1.png"]), table_of(b))
    assert found.rule == rule
    assert sorted(zip(found.a.tolist(), found.b.tolist(), strict=True)) == pairs


def test_images_are_known_by_their_bytes_and_another_file_of_the_name_is_no_pair() -> None:
    a = table_of(["a.png", "b.png", "c.png"], sha256=["1", "2", "3"])
    found = pair_images(a, table_of(["y.png", "a.png", "z.png"], sha256=["3", "9", "2"]))
    assert (found.rule, found.a.tolist(), found.b.tolist()) == (SAME_BYTES, [1, 2], [2, 0])
    found = pair_images(a, table_of(["a.png", "b.png", "c.png"], sha256=["1", "9", ""]))
    assert (found.rule, found.a.tolist(), found.n_other_file) == (SAME_PATH, [0, 2], 1)
    with pytest.raises(DataError, match="no image in common"):
        pair_images(a, table_of(["q.png"]))


def test_tables_without_names_are_matched_row_by_row(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, n in (("a", 9), ("b", 9), ("c", 8)):
        frame = pd.DataFrame({au: random.random(n).round(2) for au in INTENSITY_COLUMNS})
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    a, b, c = (Source(tmp_path / f"{name}.csv") for name in "abc")
    found = agreement(a, b)
    assert len(found.pairs) == 9
    assert any("row n of A" in note for note in found.facts["notes"])
    with pytest.raises(DataError, match="Neither table names its images"):
        agreement(a, c)


# ---- maps and tables of other toolkits


def test_a_map_is_typed_or_a_file(tmp_path: Path) -> None:
    expected = {"AU01_r": "inner", "AU12_r": "smile", "image": "file"}
    (tmp_path / "m.toml").write_text('AU1 = "inner"\nau12_r = "smile"\nimage = "file"\n')
    (tmp_path / "m.json").write_text('{"AU01": "inner", "AU12": "smile", "image": "file"}')
    (tmp_path / "m.csv").write_text("ours,theirs\nAU01_r,inner\nAU12_r,smile\nimage,file\n")
    typed = ["AU01_r=inner, au12=smile,image=file,"]
    for text in typed + [str(tmp_path / f"m.{end}") for end in ("toml", "json", "csv")]:
        assert ColumnMap.parse(text).columns == expected
    assert guess_map(["file", "AU01", "au_12", "AU28", "AU99"]) == "AU01_r=AU01,AU12_r=au_12"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AU99=x", "'AU99', which is no column of ours"),
        ("AU28_r=x", "'AU28_r'"),
        ("AU01_r", "is no pair"),
        ("AU01_r=", "gives no column for AU01_r"),
        ("AU01_r=x,AU1=y", "AU01_r twice"),
        ("AU01_r=x,AU02_r=x", "to two of ours"),
        ("image=file", "names no AU"),
        ("", "names no AU"),
        ("nowhere.toml", "no map of columns nowhere.toml"),
    ],
)
def test_a_wrong_map_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ColumnMap.parse(text)


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", "AU01_r = "), ("a.json", "[1]"), ("a.csv", "AU01_r,x,y\n")]
)
def test_a_damaged_map_is_refused(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match="is no map of columns"):
        ColumnMap.parse(str(tmp_path / name))


def test_a_foreign_table_is_read_row_by_row_of_an_image(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text(
        "id,au1,au2,sure,emotion\n007,0.5,70,0.9,happy\n008,1,,0.2,sad\n008,2,3,0.8,sad\n009,,,0.9,\n"
    )
    typed = "AU01=au1,AU02=au2,image=id"
    table = read_foreign(path, ColumnMap.parse(typed + ",confidence=sure"))
    assert table.frame["image"].tolist() == ["007", "008", "009"]
    assert table.frame["status"].tolist() == ["ok", "ok", "no_face"]
    assert table.frame["AU01_r"].tolist()[:2] == [0.5, 2]  # the surer face of 008
    assert table.frame["AU02_r"].tolist()[:2] == [70, 3]  # any range
    assert table.frame["AU04_r"].isna().all()
    table = read_foreign(path, ColumnMap.parse(typed))
    assert table.frame["status"].tolist() == ["ok", "many_faces", "no_face"]
    assert np.isnan(table.frame["AU01_r"][1])


def test_what_a_foreign_table_can_not_have(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"

    def read(text: str, columns: str = "AU01=au1", image: str | None = "id") -> AuTable:
        path.write_text(text)
        return read_foreign(path, ColumnMap.parse(columns) if columns else None, image)

    with pytest.raises(UsageError, match="has no column au1"):
        read("id,au2\n1,2\n")
    with pytest.raises(UsageError, match="has no column id"):
        read("au1\n1\n")
    with pytest.raises(DataError, match="not a number"):
        read("id,au1\nx,much\n")
    with pytest.raises(DataError, match="infinite"):
        read("id,au1\nx,inf\n")
    with pytest.raises(DataError, match="has no image in the column id"):
        read("id,au1\n,1\n")
    with pytest.raises(DataError, match="no row"):
        read("id,au1\n")
    with pytest.raises(DataError, match="outside 0-1"):
        read("id,au1,sure\nx,1,99\n", "AU01=au1,confidence=sure")
    with pytest.raises(DataError, match="no column named as one of the 17 AUs") as error:
        read("id,AU01,AU12\nx,1,2\n", "", None)
    assert "AU01_r=AU01,AU12_r=AU12" in (error.value.hint or "")


def test_a_map_goes_to_the_table_that_has_its_columns(sample: Path, noised: Path) -> None:
    columns = ColumnMap.parse("AU01_r=x01")
    one, other = fit_sources((noised, sample / "train"), columns, "file")
    assert (one.columns, one.image, other.columns, other.image) == (columns, "file", None, None)
    own = ColumnMap.parse("AU02_r=x02")
    one, other = fit_sources((noised, noised), columns, None, (None, own), (None, "file"))
    assert (one.columns, other.columns, one.image, other.image) == (columns, own, None, "file")
    with pytest.raises(UsageError, match="Neither table has a column y01"):
        fit_sources((noised, noised), ColumnMap.parse("AU01_r=y01"), None)
    with pytest.raises(UsageError, match="Neither table has a column name"):
        fit_sources((noised, sample / "train"), None, "name")
    with pytest.raises(UsageError, match="There is no"):
        fit_sources((noised, Path("nowhere.csv")), None, None)


def test_frames_of_a_video_are_compared_by_number(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    aus = {f" {au}": random.random(6) for au in INTENSITY_COLUMNS}
    head = {"frame": range(1, 7), " timestamp": 0.0, " confidence": 0.9}
    video = pd.DataFrame({**head, " success": [1, 1, 1, 1, 1, 0], **aus})
    video.to_csv(tmp_path / "static.csv", index=False)
    video[::-1].to_csv(tmp_path / "dynamic.csv", index=False)
    found = agreement(Source(tmp_path / "static.csv"), Source(tmp_path / "dynamic.csv"))
    assert found.facts["images"] == {**found.facts["images"], "paired": 6, "both": 5, "neither": 1}
    assert found.facts["mean"]["r"]["value"] == pytest.approx(1)


# ---- the whole


def test_what_is_in_one_table_only_is_counted_and_listed(found: Agreement, known: AuTable) -> None:
    images = found.facts["images"]
    n_ok = int((known.frame["status"] == "ok").sum())
    assert images["a"] == len(known)
    assert (images["b"], images["paired"], images["only_b"]) == (n_ok - 4, n_ok - 5, 1)
    assert images["only_a"] == len(known) - n_ok + 5
    assert images["both"] == len(found.pairs)
    ok = known.frame["status"].to_numpy() == "ok"
    assert images["b_alone"] == int((ok & ~known.is_usable(0.8))[np.flatnonzero(ok)[:-5]].sum()) > 0
    of_a = found.left_out[found.left_out["table"] == "A"]
    assert len(of_a) == images["a"] - images["both"]
    assert "low_confidence" in set(of_a["reason"])
    of_b = found.left_out[found.left_out["table"] == "B"]
    assert len(of_b) == images["b"] - images["both"]
    assert set(of_b["reason"]) == {"not in the other", "low_confidence in the other"}
    assert set(found.pairs["emotion"]) == set(Emotions().names)
    assert found.facts["n_labelled"] == images["both"]
    assert (found.facts["only_in_a"], found.facts["only_in_b"]) == (["AU45_r"], [])


def test_the_sentences_name_the_weak_the_constant_and_the_missing(found: Agreement) -> None:
    text = " ".join(sentences(found.facts))
    weak = [row for row in found.facts["aus"] if row["verdict"] == POOR]
    assert weak
    assert "AU01_r" not in [row["au"] for row in weak]
    for row in weak:
        assert f"{row['au'][:4]} " in text.split("Weak, with an ICC below 0.50:")[1].split(".  ")[0]
    assert "Only A has AU45." in text
    assert "AU20 lip stretcher never varies in B" in text
    assert "Within emotions" in text
    assert f"{found.facts['images']['only_a']:,} only in A and 1 only in B" in text
    assert f"confidence of at least {found.facts['min_confidence']:g}" in text


def test_a_table_agrees_with_itself(sample: Path) -> None:
    side = Source(sample / "train")
    found = agreement(side, side).facts
    assert found["mean"]["r"]["value"] == pytest.approx(1)
    assert found["mean"]["icc2"] == pytest.approx(1)
    assert (found["mean"]["mae"], found["mean"]["bias"]) == (0, 0)
    text = " ".join(sentences(found))
    assert "No AU is weak." in text
    assert "No AU's bias reaches 0.1." in text


def test_different_extractors_are_welcome_and_named(known: AuTable, tmp_path: Path) -> None:
    write_au_table(known, tmp_path / "one.csv")
    half = known.frame.copy()
    half[list(INTENSITY_COLUMNS)] *= 0.2
    half["emotion"] = "happy"
    other = Extractor("another-measure", "builtin", image="net-1")
    write_au_table(AuTable(half, other), tmp_path / "two.csv")
    found = agreement(Source(tmp_path / "one.csv"), Source(tmp_path / "two.csv")).facts
    assert "openface-static" in found["a"]["measured"]
    assert "another-measure (builtin, net-1)" in found["b"]["measured"]
    assert found["mean"]["r"]["value"] == pytest.approx(1)
    assert found["mean"]["icc3"]["value"] < 0.5
    notes = " ".join(found["notes"])
    assert "the values of B are much smaller" in notes
    n_other = len(known.picked(known.is_usable() & (known.frame["emotion"] != "happy").to_numpy()))
    assert f"label {n_other} images with different emotions" in notes
    assert found["emotions"] == {"happy": found["images"]["both"] - n_other}
    assert found["mean"]["within"] is None


def test_the_folder_holds_the_page_and_all_of_it_as_files(found: Agreement, tmp_path: Path) -> None:
    page = write_agreement(tmp_path / "a", found.facts, found.pairs, found.left_out)
    folder = page.parent
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    pictures = ("agreement", "bland-altman", "scatter")
    figures = {f"figures/{name}.{end}" for name in pictures for end in ("svg", "png")}
    tables = {f"tables/{name}.csv" for name in make_tables(found.facts)}
    plain = {"agreement.html", "agreement.json", "pairs.csv", "left-out.csv"}
    assert names == figures | tables | plain
    facts = json.loads((folder / "agreement.json").read_text())
    assert set(facts.pop("files")) == names - {"agreement.json"}
    assert facts == json.loads(json.dumps(found.facts))
    text = page.read_text()
    assert not re.search(r'(?:src|href)="https?:', text)
    for link in re.findall(r'href="([^#"]+)"', text):
        assert (folder / link).is_file()
    shown = text.replace("&#39;", "'").replace("\u00a0", " ")
    for sentence in sentences(found.facts):
        assert sentence in shown
    assert "{" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S)  # no dict as a text
    svg = (folder / "figures" / "bland-altman.svg").read_text()
    assert all(f">{row['au'][:4]}<" in svg for row in found.facts["aus"])
    back = pd.read_csv(folder / "tables" / "agreement.csv")
    assert back["au"].tolist()[-1] == "mean over AUs"
    assert back["r"].iloc[0] == pytest.approx(found.facts["aus"][0]["r"]["value"])
    pairs = pd.read_csv(folder / "pairs.csv")
    assert list(pairs.columns) == list(found.pairs.columns)
    check_agreement_folder(folder, force=False)  # ours: replaced; edited: kept
    page.write_text("mine")
    with pytest.raises(AuferError, match="was edited"):
        check_agreement_folder(folder, force=False)
    check_agreement_folder(folder, force=True)


def test_many_faces_make_a_small_page(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    for name in ("a", "b"):
        frame = pd.DataFrame({au: random.random(8_000).round(2) for au in INTENSITY_COLUMNS[:2]})
        frame.insert(0, "image", [f"{n}.png" for n in range(8_000)])
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    found = agreement(Source(tmp_path / "a.csv"), Source(tmp_path / "b.csv"))
    page = write_agreement(tmp_path / "out", found.facts, found.pairs, found.left_out)
    assert page.stat().st_size < 1_500_000
    assert abs(found.facts["mean"]["r"]["value"]) < 0.05


def test_the_command(
    sample: Path,
    noised: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    few = "AU01_r=x01,AU12_r=x12"
    words = [str(noised), str(sample / "train"), "--columns", few, "--image", "file", "--json"]
    command.main(words, standalone_mode=False)
    facts = json.loads(capsys.readouterr().out)
    assert facts["schema"] == "aufer/agreement/1"
    assert facts["a"]["columns"]["AU01_r"] == "x01"
    assert facts["min_confidence"] == 0.7
    page = tmp_path / "reports" / "agreement-theirs-train" / "agreement.html"
    assert page.is_file()
    page.write_text("mine")
    with pytest.raises(AuferError, match="was edited"):
        command.main(words, standalone_mode=False)
    assert page.read_text() == "mine"
    both = (Path("x/aus.csv"), Path("y/aus.csv"))
    assert agreement_folder(Path("r"), *both) == Path("r/agreement-x-y")
    # a Docker image at the top of aufer.toml is not the column of the images
    assert {"image-column", "columns-a", "image-b"} <= set(option_names(command))
    assert "image" not in option_names(command)


def test_what_can_not_be_compared(sample: Path, noised: Path, tmp_path: Path) -> None:
    train, theirs = Source(sample / "train"), Source(noised, ColumnMap.parse(MAP), "file")
    with pytest.raises(DataError, match="no image in common"):
        agreement(Source(sample / "test"), theirs)
    two = tmp_path / "two.csv"
    two.write_text("".join(noised.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(DataError, match="takes three"):
        agreement(train, Source(two, ColumnMap.parse(MAP), "file"))
    with pytest.raises(UsageError, match="is a folder; a map"):
        agreement(Source(sample / "train", ColumnMap.parse(MAP)), theirs)
    with pytest.raises(UsageError, match="There is no"):
        agreement(Source(tmp_path / "nowhere"), theirs)
    one, other = (ColumnMap.parse(text) for text in ("AU01=x01", "AU02=x02"))
    with pytest.raises(DataError, match="no AU in common"):
        agreement(Source(noised, one, "file"), Source(noised, other, "file"))


def test_as_a_process_what_is_wrong_is_one_line_and_its_exit_code(
    aufer: RunAufer, noised: Path, sample: Path
) -> None:
    done = aufer("agreement", sample / "train", noised, "--columns", "AU99=x").check(2)
    assert done.err.startswith("error: The map of columns names 'AU99'")
    done = aufer("agreement", sample / "train", noised).check(4)
    assert "hint: say which column is which AU: --columns-b" in done.err
    typed = ("--columns", "AU01=x01,AU20=x20", "--image", "file", "--out", "here")
    done = aufer("agreement", sample / "train", noised, *typed).check()
    assert done.out == f"{Path('here') / 'agreement.html'}\n"
    assert "mean over AUs" in done.err
    assert "RuntimeWarning" not in done.err


def test_on_fer2013_it_agrees_with_its_noised_self(data: Path, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(data / "fer2013" / "openface-public.zip") as archive:
        wanted = [name for name in archive.namelist() if name.startswith(("happy/", "sad/"))]
        archive.extractall(tmp_path / "fer", wanted)
    faces = read_faces(tmp_path / "fer", Emotions())
    random = np.random.default_rng(0)
    frame = faces.frame.copy()
    aus = frame[list(INTENSITY_COLUMNS)]
    frame[list(INTENSITY_COLUMNS)] = np.clip(aus + random.normal(0, 0.2, aus.shape), 0, 5)
    write_au_table(AuTable(frame, faces.extractor), tmp_path / "noised.csv")
    found = agreement(Source(tmp_path / "fer"), Source(tmp_path / "noised.csv")).facts
    assert found["images"]["both"] > 800
    assert 0.8 < found["mean"]["icc3"]["value"] < found["mean"]["r"]["high"] < 1
    smile = next(row for row in found["aus"] if row["au"] == "AU12_r")
    assert smile["within"]["value"] < smile["r"]["value"]
