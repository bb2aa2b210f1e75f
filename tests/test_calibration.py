"""Temperature and calibration, against independent computations and a model that lies by design."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aufer.calibration import (
    TEMPERATURES,
    apply_temperature,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    reliability,
    undo_smoothing,
)


def honest(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels drawn by them: calibrated by construction."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.6, 0.8, 1.0], n)
    labels = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return p, np.clip(labels, 0, 2)


@pytest.mark.parametrize("temperature", [0.4, 0.8, 1.0, 1.7, 4.0])
def test_the_temperature_that_a_model_lies_by_is_found(temperature: float) -> None:
    p, labels = honest(20_000)
    lying = apply_temperature(p, 1 / temperature)
    assert fit_temperature(lying, labels) == pytest.approx(temperature, rel=0.04)
    mended = apply_temperature(lying, fit_temperature(lying, labels))
    assert expected_calibration_error(mended, labels) < 0.015
    if temperature != 1:
        assert expected_calibration_error(lying, labels) > 0.03


def test_no_other_temperature_is_more_probable() -> None:
    p, labels = honest(300, seed=3)
    p = apply_temperature(p, 0.5)
    best = fit_temperature(p, labels)

    def loss(temperature: float) -> float:
        chosen = apply_temperature(p, temperature)[np.arange(len(labels)), labels]
        return float(-np.log(chosen).mean())

    assert loss(best) <= min(loss(t) for t in np.geomspace(*TEMPERATURES, 400)) + 1e-9


def test_the_temperature_stays_within_its_limits() -> None:
    sure = np.array([[0.7, 0.3], [0.4, 0.6]])
    assert fit_temperature(sure, np.array([0, 1])) == pytest.approx(TEMPERATURES[0], rel=1e-3)
    assert fit_temperature(sure, np.array([1, 0])) == pytest.approx(TEMPERATURES[1], rel=1e-2)
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=int)) == 1.0
    # an emotion that the model holds for impossible
    assert TEMPERATURES[0] <= fit_temperature(np.array([[1.0, 0.0]]), np.array([1]))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_a_temperature_changes_no_answer(seed: int, temperature: float) -> None:
    p = np.random.default_rng(seed).dirichlet(np.ones(4), 20)
    scaled = apply_temperature(p, temperature)
    assert np.allclose(scaled.sum(axis=1), 1)
    assert (scaled.argmax(axis=1) == p.argmax(axis=1)).all()
    by_hand = p ** (1 / temperature)
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    floor = p.min(axis=1) > 1e-7  # below it the logarithm is cut
    assert np.allclose(scaled[floor], by_hand[floor], atol=1e-9)
    assert np.array_equal(apply_temperature(p, 1.0), p)


def test_undoing_label_smoothing_gives_back_what_was_meant() -> None:
    random = np.random.default_rng(3)
    meant = random.dirichlet([0.5] * 6, size=400).clip(2e-3)
    meant /= meant.sum(axis=1, keepdims=True)
    smoothed = 0.9 * meant + 0.1 / 6
    found = undo_smoothing(smoothed, 0.1)
    assert np.allclose(found, meant, atol=1e-12)
    assert np.array_equal(undo_smoothing(meant, 0.0), meant)


def test_undoing_label_smoothing_keeps_the_answer_and_gives_probabilities() -> None:
    sure = np.random.default_rng(4).dirichlet([0.1] * 6, size=400)  # smaller than smoothing allows
    found = undo_smoothing(sure, 0.1)
    assert np.allclose(found.sum(axis=1), 1)
    assert found.min() > 5e-4
    assert (found.argmax(axis=1) == sure.argmax(axis=1)).all()


def test_a_network_of_smoothed_labels_is_better_calibrated_without_them() -> None:
    random = np.random.default_rng(5)
    meant = random.dirichlet([0.3] * 6, size=6000)
    labels = np.array([random.choice(6, p=row) for row in meant])
    smoothed = 0.9 * meant + 0.1 / 6
    best = apply_temperature(smoothed, fit_temperature(smoothed, labels))
    undone = undo_smoothing(smoothed, 0.1)
    undone = apply_temperature(undone, fit_temperature(undone, labels))
    eces = [expected_calibration_error(p, labels) for p in (undone, best)]
    assert eces[0] < 0.015 < eces[1]


def test_calibration_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.35, 0.65], [0.05, 0.95]])
    labels = np.array([0, 1, 1, 1])
    # each face is alone in its bin, but 0.9 (12.6 to 13.5 of 15) and 0.95 are in 13/15 and 14/15
    gaps = [abs(1 - 0.9), abs(0 - 0.8), abs(1 - 0.65), abs(1 - 0.95)]
    assert expected_calibration_error(p, labels) == pytest.approx(sum(gaps) / 4)
    squares = [2 * 0.1**2, 2 * 0.8**2, 2 * 0.35**2, 2 * 0.05**2]
    assert brier_score(p, labels) == pytest.approx(sum(squares) / 4)
    rows = [row for row in reliability(p, labels) if row["n"]]
    assert [row["n"] for row in rows] == [1, 1, 1, 1]
    assert [row["accuracy"] for row in rows] == [1, 0, 1, 1]


def test_a_bin_is_open_below_and_closed_above() -> None:
    p = np.array([[1.0, 0.0], [0.6, 0.4], [0.5, 0.5]])
    rows = reliability(p, np.array([0, 0, 0]), bins=10)
    assert [row["n"] for row in rows] == [0, 0, 0, 0, 1, 1, 0, 0, 0, 1]


def test_nothing_is_known_of_no_faces() -> None:
    nothing = np.zeros((0, 3)), np.zeros(0, dtype=int)
    assert math.isnan(expected_calibration_error(*nothing))
    assert math.isnan(brier_score(*nothing))
    assert all(row["accuracy"] is None for row in reliability(*nothing))
