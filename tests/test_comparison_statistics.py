"""The statistics of a comparison, against statsmodels, scikit-learn and brute force."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from aufer.comparison.contender import MASK, WRONG, Contender, distinct_names
from aufer.comparison.disagreements import find_disagreements
from aufer.comparison.figures import ALL, UNSEEN, make_views
from aufer.comparison.fusion import LOGARITHMS, MEANS, PROBABILITIES, fit_fusion, fuse
from aufer.comparison.pairs import (
    ANSWERED,
    EVERY,
    compare_pairs,
    difference_interval,
    holm,
    images_needed,
    mcnemar,
)
from aufer.comparison.text import about, describe_pair
from aufer.errors import DataError
from aufer.metrics import wilson_interval

COUNTS = st.integers(0, 400)


@given(COUNTS, COUNTS)
@settings(max_examples=80, deadline=None)
def test_mcnemar_is_statsmodels(first_only: int, second_only: int) -> None:
    theirs = their_mcnemar([[7, first_only], [second_only, 3]], exact=True).pvalue
    ours = mcnemar(first_only, second_only)
    assert ours == pytest.approx(1.0 if np.isnan(theirs) else theirs, abs=1e-12)


def test_holm_is_statsmodels() -> None:
    random = np.random.default_rng(4)
    for n in (1, 2, 3, 6, 10, 21) * 10:
        p_values = random.choice([random.random(n), random.random(n) ** 6, np.full(n, 0.02)])
        theirs = multipletests(p_values, method="holm")[1]
        assert holm(p_values.tolist()) == pytest.approx(theirs.tolist(), abs=1e-12)


@given(COUNTS, COUNTS)
@settings(max_examples=80, deadline=None)
def test_wilson_is_statsmodels(successes: int, failures: int) -> None:
    n = successes + failures
    if n:
        theirs = proportion_confint(successes, n, method="wilson")
        assert wilson_interval(successes, n) == pytest.approx(theirs, abs=1e-12)


def test_the_exact_test_by_counting_every_outcome() -> None:
    for b, c in product(range(9), repeat=2):
        n = b + c
        as_unlikely = [k for k in range(n + 1) if comb(n, k) <= comb(n, b)]
        expected = sum(comb(n, k) for k in as_unlikely) / 2**n
        assert mcnemar(b, c) == pytest.approx(expected)


def test_so_many_images_do_tell_them_apart() -> None:
    """Drawn anew with the shares observed, the test finds the difference four times of five."""
    n, first_only, second_only = 200, 40, 26
    needed = images_needed(n, first_only, second_only)
    assert needed is not None
    assert needed > n
    random = np.random.default_rng(0)
    drawn = random.multinomial(needed, [40 / n, 26 / n, 1 - 66 / n], size=2000)
    counts, times = np.unique(drawn[:, :2], axis=0, return_counts=True)
    found = times[[mcnemar(int(b), int(c)) < 0.05 for b, c in counts]].sum() / 2000
    assert 0.74 < found < 0.84  # the exact test is a little shy of 0.8
    stricter = images_needed(n, first_only, second_only, alpha=0.05 / 3)
    assert stricter is not None
    assert stricter > needed
    assert images_needed(60, 5, 5) is None


def test_the_interval_of_a_difference_covers() -> None:
    random = np.random.default_rng(1)
    shares = [0.18, 0.1, 0.72]
    drawn = random.multinomial(150, shares, size=2000)
    limits = [difference_interval(150, int(b), int(c)) for b, c, _ in drawn]
    covered = np.mean([low <= 0.08 <= high for low, high in limits])
    assert 0.93 < covered < 0.97
    assert difference_interval(0, 0, 0) == (-1.0, 1.0)


def _pairs(right: np.ndarray, answered: np.ndarray, images: str = ANSWERED) -> list[dict]:
    names = [f"m{n}" for n in range(len(right))]
    return compare_pairs(names, right, answered, np.full(right.shape[1], "", dtype=object), images)


def test_pairs_are_counted_on_what_both_answer_and_on_all() -> None:
    answered = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]], dtype=bool)
    right = np.array([[1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 0, 0]], dtype=bool)
    (both,) = _pairs(right, answered)
    counts = ("n", "both", "first_only", "second_only", "neither")
    assert [both[key] for key in counts] == [3, 1, 1, 1, 0]
    (every,) = _pairs(right, answered, EVERY)
    assert [every[key] for key in counts] == [6, 1, 1, 2, 2]
    assert every["difference"] == pytest.approx(-1 / 6)
    assert every["by_group"] is None


def test_several_pairs_are_corrected_together() -> None:
    random = np.random.default_rng(2)
    right = random.random((4, 300)) < np.array([[0.7], [0.6], [0.62], [0.61]])
    pairs = _pairs(right, np.ones_like(right))
    assert len(pairs) == 6
    theirs = multipletests([pair["p"] for pair in pairs], method="holm")[1]
    assert [pair["p_holm"] for pair in pairs] == pytest.approx(theirs.tolist())
    assert [pair["differ"] for pair in pairs] == (theirs < 0.05).tolist()


def test_whole_persons_are_drawn_where_they_are_known() -> None:
    right = np.array([[1, 1, 1, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 1, 1]], dtype=bool)
    groups = np.array(list("aaaabbcd"), dtype=object)
    (pair,) = compare_pairs(["x", "y"], right, np.ones_like(right), groups)
    low, high = pair["by_group"]
    assert low <= pair["difference"] <= high


def test_what_single_images_tell_must_hold_of_groups() -> None:
    right = np.zeros((2, 200), dtype=bool)
    right[0], right[1, 40:] = True, True  # all of the difference is one person's
    groups = np.repeat([f"p{number}" for number in range(5)], 40).astype(object)
    (pair,) = compare_pairs(["x", "y"], right, np.ones_like(right), groups)
    assert pair["p_holm"] < 0.001
    assert pair["by_group"][0] == 0
    assert not pair["differ"]
    said = describe_pair(pair)
    assert said.startswith("200 images of these groups can't tell x and y apart (100.0 % and 80.0")
    assert "the difference is +0.0 to +" in said
    (turned,) = compare_pairs(["y", "x"], right[::-1], np.ones_like(right), groups)
    assert describe_pair(turned) == said
    each = np.array([f"p{number}" for number in range(200)], dtype=object)
    (pair,) = compare_pairs(["x", "y"], right, np.ones_like(right), each)
    assert pair["differ"]


def test_the_number_of_images_is_one_that_holm_s_correction_takes() -> None:
    right = np.zeros((3, 60), dtype=bool)
    right[0, :48], right[1, 5:50], right[2, 10:57] = True, True, True
    pairs = _pairs(right, np.ones_like(right))
    pair = pairs[0]
    assert pair["needed_holm"] > pair["needed"] > 60
    assert f"about {about(pair['needed_holm'])} would" in describe_pair(pair)


def test_the_sentence_that_follows() -> None:
    right = np.zeros((2, 60), dtype=bool)
    right[0, :48], right[1, 5:50] = True, True  # 48 and 45 of 60
    (pair,) = _pairs(right, np.ones_like(right))
    said = describe_pair(pair)
    assert said.startswith("60 images can't tell m0 and m1 apart (80.0 % and 75.0 %; p = 0.45)")
    assert f"about {-(-pair['needed'] // 10) * 10} would" in said
    right[1, 5:30] = False
    (pair,) = _pairs(right, np.ones_like(right))
    assert describe_pair(pair).startswith("m0 reads more of 60 images as labelled than m1: 80.0 %")
    (turned,) = _pairs(right[::-1], np.ones_like(right))
    assert describe_pair(turned) == (
        describe_pair(pair).replace("m0", "?").replace("m1", "m0").replace("?", "m1")
    )
    (same,) = _pairs(right[[0, 0]], np.ones_like(right))
    assert describe_pair(same) == "m0 and m1 read the same of 60 images as labelled."
    right[1] = np.roll(right[0], 3)
    (equal,) = _pairs(right, np.ones_like(right))
    assert describe_pair(equal).endswith("both read as many as labelled.")
    (none,) = _pairs(right, np.zeros_like(right))
    assert describe_pair(none) == "No image is answered by both m0 and m1."


NAMES = ("happy", "sad")


def contender(
    name: str, p: list[list[float]], emotions: tuple[str, ...] = NAMES, seen: str = ""
) -> Contender:
    given = np.array(p, dtype=np.float64)
    answered = ~np.isnan(given).any(axis=1)
    how = np.array(["same_file" if s == "1" else "" for s in seen.ljust(len(p))], dtype=object)
    texts = np.full(len(p), "", dtype=object)
    return Contender(name, emotions, answered, given, texts, texts, how, {"input": ""})


def test_emotions_that_are_not_asked_for_are_masked_or_stay() -> None:
    one = contender("x", [[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]], ("sad", "fear", "happy"))
    names, p = one.over(NAMES, MASK)
    assert names == NAMES
    assert p[0].tolist() == pytest.approx([0.6, 0.4])
    assert np.isnan(p[1]).all()  # it says nothing of the others: that is no answer
    names, p = one.over(NAMES, WRONG)
    assert names == ("happy", "sad", "fear")
    assert p[0].tolist() == pytest.approx([0.3, 0.2, 0.5])
    with pytest.raises(DataError, match="images of angry, which the model x doesn't know"):
        one.check_knows(("happy", "angry"), ("happy", "sad"))


def test_views_with_and_without_copies_masked_and_not() -> None:
    nan = float("nan")
    truth = np.array(["happy", "sad", "happy", "sad"], dtype=object)
    groups = np.full(4, "", dtype=object)
    plain = contender("plain", [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [nan, nan]], seen="1")
    more = contender(
        "more",
        [[0.3, 0.1, 0.6], [0.1, 0.9, 0], [0.8, 0.1, 0.1], [0.2, 0.3, 0.5]],
        (*NAMES, "fear"),
    )
    majority = {"majority": np.full(4, "happy", dtype=object)}
    found = make_views([plain, more], truth, NAMES, groups, majority)
    assert found["n_seen"] == 1
    assert set(found["views"]) == {UNSEEN, ALL}
    every = found["views"][ALL]
    counts = {
        extra: [(m["accuracy"]["k"], m["accuracy"]["n"]) for m in every[extra]["models"]]
        for extra in (MASK, WRONG)
    }
    assert counts == {MASK: [(2, 3), (4, 4)], WRONG: [(2, 3), (2, 4)]}
    assert [m["accuracy_all"]["n"] for m in every[MASK]["models"]] == [4, 4]
    assert every[MASK]["n_common"] == 3
    assert [m["common"]["k"] for m in every[MASK]["models"]] == [2, 3]
    unseen = found["views"][UNSEEN][MASK]
    assert [m["accuracy"]["n"] for m in unseen["models"]] == [2, 3]
    assert unseen["baselines"][0]["accuracy"]["k"] == 1
    alone = make_views([plain.take(np.array([1, 2])), more.take(np.array([1, 2]))],
                       truth[1:3], NAMES, groups[:2], {})  # fmt: skip
    assert set(alone["views"]) == {ALL}


def test_an_answer_that_is_masked_altogether_is_none() -> None:
    truth = np.array(["happy", "sad", "happy"], dtype=object)
    sure = contender("sure", [[0, 0, 1], [0, 1, 0], [1, 0, 0]], (*NAMES, "fear"))
    other = contender("other", [[0.1, 0.9], [0.3, 0.7], [0.6, 0.4]])
    found = make_views([sure, other], truth, NAMES, np.full(3, "", dtype=object), {})["views"][ALL]
    masked, wrong = (found[extra]["models"][0] for extra in (MASK, WRONG))
    assert (masked["accuracy"]["k"], masked["n_answered"]) == (2, 2)
    assert (wrong["accuracy"]["k"], wrong["n_answered"]) == (2, 3)
    assert found[MASK]["n_common"] == 2
    images = ["a", "b", "c"]
    assert find_disagreements([sure, other], images, truth, NAMES, MASK) == []
    (case,) = find_disagreements([sure, other], images, truth, NAMES, WRONG)
    assert case["models"][0]["predicted"] == "fear"
    three = [sure, other, contender("third", [[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])]
    (case,) = find_disagreements(three, images, truth, NAMES, MASK)
    assert case["models"][0]["predicted"] == ""
    assert "emotions that are not asked for" in case["models"][0]["reason"]


def test_models_of_one_name_are_told_apart(tmp_path: object) -> None:
    from pathlib import Path

    assert distinct_names(["a", "b"], [Path("x/a"), Path("y/b")]) == ["a", "b"]
    assert distinct_names(["a", "a", "b"], [Path("x/a"), Path("y/a"), Path("b")]) == [
        "x/a",
        "y/a",
        "b",
    ]
    assert distinct_names(["a", "a"], [Path("x/a"), Path("x/a")]) == ["x/a (1)", "x/a (2)"]
    assert distinct_names(["fusion", "b"], [Path("x/f"), Path("b")], ["fusion"]) == [
        "x/fusion",
        "b",
    ]


def _softmax(logits: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return found


def test_a_fusion_is_the_mean_and_one_model_s_where_the_other_is_silent() -> None:
    first = np.array([[0.8, 0.2], [0.5, 0.5], [np.nan, np.nan], [np.nan, np.nan]])
    second = np.array([[0.4, 0.6], [np.nan, np.nan], [0.3, 0.7], [np.nan, np.nan]])
    p = fuse(first, second, 0.25, PROBABILITIES)
    assert p[0].tolist() == pytest.approx([0.5, 0.5])
    assert p[1].tolist() == [0.5, 0.5]
    assert p[2].tolist() == [0.3, 0.7]
    assert np.isnan(p[3]).all()
    logs = fuse(first, second, 0.25, LOGARITHMS)[0]
    raw = np.array([0.8**0.25 * 0.4**0.75, 0.2**0.25 * 0.6**0.75])
    assert logs.tolist() == pytest.approx((raw / raw.sum()).tolist())


def test_the_weight_is_the_one_that_makes_validation_images_most_probable() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 400)
    signal = np.eye(3)[truth]
    good = _softmax(2.0 * signal + random.normal(0, 1, (400, 3)))
    poor = _softmax(0.7 * signal + random.normal(0, 1, (400, 3)))
    noise = _softmax(random.normal(0, 1, (400, 3)))
    fitted = fit_fusion(good, poor, truth)
    assert fitted.weight > 0.5
    assert fitted.losses["fused"] <= min(fitted.losses["first"], fitted.losses["second"])
    rows = np.arange(400)
    least = min(
        -np.log(fuse(good, poor, w / 100, mean)[rows, truth]).mean()
        for w in range(101)
        for mean in MEANS
    )
    assert fitted.losses["fused"] == pytest.approx(least)
    assert fit_fusion(noise, good, truth).weight < 0.3
    assert fit_fusion(good, good, truth).weight == 0.5
