"""Every figure against an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from aufer.metrics import (
    accuracy_by_coverage,
    bootstrap_by_group,
    bootstrap_figures,
    percent,
    score,
    wilson_interval,
    with_interval,
)

NAMES = ("a", "b", "c")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_statsmodels(case: tuple[int, int]) -> None:
    k, n = case
    expected = proportion_confint(k, n, alpha=0.05, method="wilson")
    assert wilson_interval(k, n) == pytest.approx(expected, abs=1e-9)


def test_nothing_is_known_of_no_trials() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_score_by_hand() -> None:
    truth = np.array([0, 0, 1, 1, 1, 2])
    p = np.array(
        [
            [0.8, 0.1, 0.1],
            [0.2, 0.7, 0.1],
            [0.1, 0.8, 0.1],
            [0.1, 0.6, 0.3],
            [0.5, 0.3, 0.2],
            [np.nan] * 3,
        ]
    )
    answered = np.array([True] * 5 + [False])
    figures = score(truth, p, answered, NAMES)
    assert figures["n_images"] == 6
    assert figures["coverage"]["value"] == 5 / 6
    assert (figures["accuracy"]["k"], figures["accuracy"]["n"]) == (3, 5)
    assert (figures["accuracy_all"]["k"], figures["accuracy_all"]["n"]) == (3, 6)
    assert figures["confusion"] == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    # c has no answered face: it counts in coverage, not in the means over emotions
    assert figures["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert figures["macro_f1"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert figures["log_loss"] == pytest.approx(-np.log([0.8, 0.2, 0.8, 0.6, 0.3]).mean())
    a, b, c = figures["per_emotion"]
    assert (a["precision"], b["precision"], c["precision"]) == (1 / 2, 2 / 3, None)
    assert (c["n"], c["n_images"], c["f1"], c["recall"]["value"]) == (0, 1, None, None)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_score_equals_scikit_learn_on_random_cases(seed: int) -> None:
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 60))
    truth = rng.integers(0, 3, n)
    p = rng.dirichlet(np.ones(3), n)
    figures = score(truth, p, np.ones(n, dtype=bool), NAMES)
    guess = p.argmax(axis=1)
    present = np.unique(truth)
    assert figures["accuracy"]["value"] == pytest.approx(accuracy_score(truth, guess))
    assert figures["macro_f1"] == pytest.approx(
        f1_score(truth, guess, labels=present, average="macro")
    )
    if set(guess) <= set(truth):
        assert figures["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, guess))
    assert figures["log_loss"] == pytest.approx(log_loss(truth, p, labels=[0, 1, 2]))


def test_no_answer_at_all_is_no_crash() -> None:
    figures = score(np.array([0, 1]), np.full((2, 3), np.nan), np.zeros(2, dtype=bool), NAMES)
    assert figures["accuracy"]["value"] is None
    assert figures["macro_f1"] is None
    assert figures["accuracy_all"]["value"] == 0


def test_a_certain_mistake_costs_a_finite_loss() -> None:
    figures = score(np.array([0]), np.array([[0.0, 1.0, 0.0]]), np.array([True]), NAMES)
    assert 30 < figures["log_loss"] < 40


def test_texts() -> None:
    assert percent(0.7551) == "75.5 %"
    assert percent(None) == "–"
    share = {"value": 0.75, "low": 0.628, "high": 0.842, "k": 45, "n": 60}
    assert with_interval(share) == "75.0 % [62.8, 84.2] (45 of 60)"


def test_groups_that_agree_widen_the_interval_and_single_faces_do_not() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat([f"p{n}" for n in range(30)], 20)
    ability = rng.uniform(0.3, 1, 30)[np.repeat(np.arange(30), 20)]
    hits = rng.random(600) < ability
    low, high = bootstrap_by_group(hits, groups)
    wilson = wilson_interval(int(hits.sum()), 600)
    assert high - low > 1.5 * (wilson[1] - wilson[0])
    alone = bootstrap_by_group(hits, np.full(600, ""))
    assert alone == pytest.approx(wilson, abs=0.006)
    # as many faces more of the same persons say nothing new
    again = bootstrap_by_group(np.tile(hits, 4), np.tile(groups, 4))
    assert again == pytest.approx((low, high), abs=0.01)


def test_the_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    n_covered = 0
    for seed in range(150):
        ability = rng.beta(7, 3, 40)  # mean 0.7
        groups = np.repeat(np.arange(40), 12)
        hits = rng.random(480) < ability[groups]
        low, high = bootstrap_by_group(hits, groups.astype(str), n=600, seed=seed)
        n_covered += low <= 0.7 <= high
    # 95 % nominal; with 40 groups a little less, and 150 trials scatter by 2 %
    assert 0.88 <= n_covered / 150 <= 0.99


def test_the_bootstrap_is_the_same_with_the_same_seed() -> None:
    hits, groups = np.random.default_rng(0).random(500), np.arange(500) ** 2 // 3000
    first = bootstrap_by_group(hits, groups.astype(str), seed=1)
    assert bootstrap_by_group(hits, groups.astype(str), seed=1) == first
    assert bootstrap_by_group(hits, groups.astype(str), seed=2) != first


@pytest.mark.parametrize("groups", [[], ["a"], ["a", "a", "a"]])
def test_one_group_says_nothing(groups: list[str]) -> None:
    names = np.array(groups, dtype=object)
    assert bootstrap_by_group(np.ones(len(groups)), names) == (0.0, 1.0)
    found = bootstrap_figures(np.zeros(len(names), int), np.zeros(len(names), int), names, 3)
    assert found["accuracy"] is None
    assert found["recall"] == [None] * 3


def test_all_figures_have_an_interval_around_them() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 300)
    guess = np.where(rng.random(300) < 0.6, truth, rng.integers(0, 2, 300))
    groups = (np.arange(300) // 10).astype(str)
    p = np.eye(3)[guess]
    figures = score(truth, p, np.ones(300, dtype=bool), NAMES)
    found = bootstrap_figures(truth, guess, groups, 3)
    assert found["accuracy"] == pytest.approx(bootstrap_by_group(truth == guess, groups), abs=0.01)
    for name in ("macro_f1", "balanced_accuracy"):
        assert found[name][0] < figures[name] < found[name][1]
    for row, (low, high) in zip(figures["per_emotion"], found["recall"], strict=True):
        assert low < row["recall"]["value"] < high


def test_equal_probabilities_are_answered_together() -> None:
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.6, 0.4]])
    rows = accuracy_by_coverage(p, np.array([0, 0, 1, 0]))
    by_share = {row["share"]: row for row in rows}
    assert (by_share[0.2]["n"], by_share[0.2]["accuracy"]["value"]) == (1, 1)
    assert (by_share[0.5]["n"], by_share[0.5]["accuracy"]["value"]) == (4, 0.75)
    assert accuracy_by_coverage(np.zeros((0, 2)), np.zeros(0)) == []
