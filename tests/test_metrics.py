"""Every figure against an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from aufer.metrics import percent, score, wilson_interval, with_interval

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
