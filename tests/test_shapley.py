"""Shapley values: complete, equal to other ways of computing them, the same for every kind."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import Bundle
from aufer.explaining import shapley
from aufer.explaining.outputs import LOG_ODDS, PROBABILITY, SCALES, log_odds, value_of
from aufer.explaining.shapley import MIN_PAIRS, Value, exact_shares, sampled_shares
from aufer.train import train
from tests.faces import synthetic_faces, write_faces

KINDS = ("dense", "logistic", "svm", "trees")
N_AUS = len(INTENSITY_COLUMNS)
ZERO = np.zeros(N_AUS)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """A model of each kind, trained on made-up faces; read only."""
    folder = tmp_path_factory.mktemp("kinds")
    dataset = write_faces(folder / "faces.csv", 240)
    short = {"dense": {"epochs": 3}}
    return {
        kind: train(dataset, kind=kind, out=folder / kind, **short.get(kind, {})) for kind in KINDS
    }


def made_up(seed: int, n_features: int, n_outputs: int) -> Value:
    """A function with interactions of all orders, for [n, features]."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(n_features, 8))
    second = rng.normal(size=(8, n_outputs))
    return lambda rows: np.tanh(np.asarray(rows, dtype=np.float64) @ first) @ second


def by_orders(value: Value, face: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """The definition: the mean over all orders of what each feature changes, when it joins."""
    shares = np.zeros((len(face), value(baseline[None]).shape[1]))
    orders = list(permutations(range(len(face))))
    for order in orders:
        row = baseline.copy()
        before = value(row[None])[0]
        for feature in order:
            row[feature] = face[feature]
            after = value(row[None])[0]
            shares[feature] += after - before
            before = after
    return shares / len(orders)


# ---- against other ways of computing the same


@pytest.mark.parametrize("n_features", [1, 2, 3, 5, 6])
def test_they_equal_the_mean_over_all_orders(n_features: int) -> None:
    rng = np.random.default_rng(n_features)
    value = made_up(n_features, n_features, 3)
    faces, baseline = rng.uniform(0, 5, (4, n_features)), rng.uniform(0, 5, n_features)
    found = exact_shares(value, faces, baseline)
    for face, shares in zip(faces, found.shares, strict=True):
        assert np.allclose(shares, by_orders(value, face, baseline), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_model_they_equal_the_mean_over_all_orders(
    kind: str, models: dict[str, Bundle]
) -> None:
    face = np.zeros(N_AUS, dtype=np.float32)
    face[[0, 4, 8, 14]] = [1.2, 2.0, 3.1, 0.7]
    differs = np.flatnonzero(face)
    full = value_of(models[kind])

    def value(rows: np.ndarray) -> np.ndarray:
        wide = np.zeros((len(rows), N_AUS), dtype=np.float32)
        wide[:, differs] = rows
        return full(wide)

    found = exact_shares(full, face[None], ZERO)
    expected = by_orders(value, face[differs], np.zeros(4))
    assert np.allclose(found.shares[0, differs], expected, atol=1e-6)
    assert not found.shares[0, np.flatnonzero(face == 0)].any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 8))
def test_a_weighted_sum_gives_each_its_term(seed: int, n_features: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(n_features, 2))
    face, baseline = rng.normal(size=n_features), rng.normal(size=n_features)
    found = exact_shares(lambda rows: rows @ weights, face[None], baseline)
    assert np.allclose(found.shares[0], weights * (face - baseline)[:, None], atol=1e-10)


def test_features_that_play_the_same_part_get_the_same() -> None:
    def value(rows: np.ndarray) -> np.ndarray:
        return (rows[:, :3].max(axis=1) * (1 + rows[:, 3]))[:, None]

    face = np.array([2.0, 2.0, 2.0, 1.0, 4.0])
    shares = exact_shares(value, face[None], np.zeros(5)).shares[0, :, 0]
    assert np.allclose(shares[:3], shares[0])
    assert shares[4] == pytest.approx(0, abs=1e-15)  # nothing depends on it
    assert shares.sum() == pytest.approx(4)


# ---- of every kind of model


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_they_add_up(kind: str, scale: str, models: dict[str, Bundle]) -> None:
    faces = np.round(synthetic_faces(12, seed=3)[0], 1)  # some zeros
    faces[0] = 0
    faces[1] = np.random.default_rng(0).uniform(0.1, 5, N_AUS)  # all 17 differ
    faces = faces.astype(np.float32)
    value = value_of(models[kind], scale)
    found = exact_shares(value, faces, ZERO)
    difference = found.at_face - found.at_baseline
    assert np.abs(found.shares.sum(axis=1) - difference).max() < 1e-12
    assert not found.shares[0].any()
    # and the ends are what the model says of the face and of the baseline
    alone = np.concatenate([value(face[None]) for face in faces])
    assert np.allclose(found.at_face, alone, atol=2e-6 if scale == PROBABILITY else 1e-3)
    if scale == PROBABILITY:  # what one emotion gains the others lose
        assert np.abs(found.shares.sum(axis=2)).max() < 1e-5


def test_of_the_logistic_model_they_are_coefficient_times_difference(
    models: dict[str, Bundle],
) -> None:
    model = models["logistic"]
    training, temperature = model.facts["training"], model.facts["calibration"]["temperature"]
    slopes = np.array(
        [
            [training["coefficients"][e][f] / training["deviation"][f] for e in model.emotions]
            for f in model.features
        ]
    )
    assert np.abs(slopes.sum(axis=1)).max() < 1e-4  # scikit-learn's add up to 0: centred already
    faces = synthetic_faces(5, seed=4)[0].astype(np.float32)
    baseline = np.round(np.random.default_rng(1).uniform(0, 2, N_AUS), 2).astype(np.float32)
    found = exact_shares(value_of(model, LOG_ODDS), faces, baseline)
    centred = slopes - slopes.mean(axis=1, keepdims=True)
    expected = (faces - baseline)[:, :, None] * centred / temperature
    assert np.abs(found.shares - expected).max() < 1e-5


def test_log_odds_are_centred() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(10, 6))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.allclose(log_odds(probabilities), scores - scores.mean(axis=1, keepdims=True))
    assert np.isfinite(log_odds(np.array([[0.0, 1.0]]))).all()


def test_an_unknown_scale_is_refused(models: dict[str, Bundle]) -> None:
    with pytest.raises(ValueError, match="scale must be one of"):
        value_of(models["logistic"], "percent")


# ---- how they are computed


def test_only_what_differs_is_asked_for_and_equal_faces_once() -> None:
    asked: list[int] = []

    def value(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return rows.sum(axis=1, keepdims=True)

    faces = np.zeros((5, N_AUS))
    faces[:3, :4] = 1.0  # three times the same, four AUs
    faces[3, :2] = 2.0
    found = exact_shares(value, faces, ZERO)
    assert asked == [1 + 2**2 + 2**4]  # all in one call
    assert found.n_rows == sum(asked)
    assert found.shares[:, :, 0].sum(axis=1).tolist() == [4, 4, 4, 4, 0]


def test_many_faces_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapley, "ROWS_AT_ONCE", 64)
    asked: list[int] = []
    inner = made_up(0, 7, 2)

    def value(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return inner(rows)

    faces = np.random.default_rng(0).integers(0, 3, (30, 7)).astype(float)
    faces[0] = 1  # alone larger than a part
    found = exact_shares(value, faces, np.zeros(7))
    assert len(asked) > 5
    assert max(asked) == 2**7
    for face, shares in zip(faces, found.shares, strict=True):
        alone = exact_shares(inner, face[None], np.zeros(7)).shares[0]
        assert np.allclose(shares, alone, atol=1e-12)


def test_no_face_and_too_many_features() -> None:
    found = exact_shares(made_up(0, 3, 2), np.zeros((0, 3)), np.zeros(3))
    assert found.shares.shape == (0, 3, 2)
    with pytest.raises(ValueError, match="more than 20 features"):
        exact_shares(made_up(0, 21, 2), np.ones((1, 21)), np.zeros(21))


# ---- many background rows


def test_one_background_row_is_a_baseline() -> None:
    value = made_up(1, 6, 2)
    rng = np.random.default_rng(0)
    face, row = rng.uniform(0, 5, 6), rng.uniform(0, 5, 6)
    exact = exact_shares(value, face[None], row).shares[0]
    found = sampled_shares(value, face, row[None], pairs=2000)
    assert found.errors is not None
    assert np.allclose(found.shares[0], exact, atol=4 * found.errors.max())


def test_the_error_is_as_large_as_it_says() -> None:
    """Of many drawings, the share whose 95 % intervals hold the exact values."""
    value = made_up(2, 5, 1)
    rng = np.random.default_rng(0)
    face, background = rng.uniform(0, 5, 5), rng.uniform(0, 5, (7, 5))
    exact = np.mean([exact_shares(value, face[None], row).shares[0] for row in background], axis=0)
    inside = []
    for seed in range(200):
        found = sampled_shares(value, face, background, pairs=140, seed=seed)
        assert found.errors is not None
        inside.append(np.abs(found.shares[0] - exact) <= 1.96 * found.errors[0])
    assert 0.91 < np.mean(inside) < 0.98


@pytest.mark.parametrize(("n_rows", "pairs"), [(1, 2), (3, 50), (100, 10)])
def test_estimates_add_up_too(n_rows: int, pairs: int, models: dict[str, Bundle]) -> None:
    rng = np.random.default_rng(0)
    face = rng.uniform(0, 5, N_AUS).astype(np.float32)
    background = rng.uniform(0, 5, (n_rows, N_AUS)).round(2)
    value = value_of(models["dense"])
    found = sampled_shares(value, face, background, pairs=pairs)
    difference = found.at_face - found.at_baseline
    assert np.abs(found.shares.sum(axis=1) - difference).max() < 1e-12
    mean = value(background.astype(np.float32)).mean(axis=0)
    assert np.allclose(found.at_baseline[0], mean, atol=1e-6)
    n_pairs = n_rows * max(MIN_PAIRS, -(-pairs // n_rows))
    assert found.n_rows == n_pairs * 2 * (N_AUS + 1)
    again = sampled_shares(value, face, background, pairs=pairs)
    assert np.array_equal(again.shares, found.shares)


def test_a_weighted_sum_has_no_error() -> None:
    weights = np.arange(1.0, 5.0)[:, None]
    face, background = np.full(4, 3.0), np.random.default_rng(0).uniform(0, 5, (9, 4))
    found = sampled_shares(lambda rows: rows @ weights, face, background, pairs=20)
    assert found.errors is not None
    assert found.errors.max() < 1e-12
    assert np.allclose(found.shares[0, :, 0], weights[:, 0] * (face - background.mean(axis=0)))
