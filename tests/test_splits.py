"""What stays together in a split, and what is said where faces are too few."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from aufer.errors import DataError
from aufer.splits import cut_blocks, hold_out, make_folds, split_groups, split_stratified

NAMES = ("angry", "happy", "sad surprised")


def texts(*values: str) -> np.ndarray:
    return np.array(values, dtype=object)


def same_side(groups: np.ndarray | None, keys: np.ndarray) -> set[tuple[int, ...]]:
    together = split_groups(groups, keys)
    return {tuple(np.flatnonzero(together == name)) for name in set(together)}


def test_rows_linked_by_group_or_by_equal_aus_stay_together() -> None:
    #                 a-b by the AUs k1, b-c by k2: one chain; the rest alone
    groups = texts("a", "b", "b", "c", "", "", "d", "")
    keys = texts("k1", "k1", "k2", "k2", "k3", "k3", "k4", "k5")
    assert same_side(groups, keys) == {(0, 1, 2, 3), (4, 5), (6,), (7,)}


def test_a_face_of_no_known_group_goes_with_its_twin() -> None:
    assert same_side(texts("a", "", "b"), texts("k", "k", "m")) == {(0, 1), (2,)}
    assert same_side(None, texts("k", "k", "m")) == {(0, 1), (2,)}


def test_a_group_and_a_key_of_one_spelling_are_two_things() -> None:
    assert same_side(texts("x", "y"), texts("y", "z")) == {(0,), (1,)}


def test_equal_aus_in_two_known_groups_stay_on_one_side() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 900)
    groups = np.array([f"p{i}" for i in rng.integers(0, 300, 900)], dtype=object)
    keys = np.array([f"k{i}" for i in range(900)], dtype=object)
    twins = rng.choice(900, 60, replace=False).reshape(-1, 2)
    keys[twins[:, 1]] = keys[twins[:, 0]]
    assert (groups[twins[:, 0]] != groups[twins[:, 1]]).any()
    parts = split_stratified(labels, groups, keys, 0.25, 0.25, seed=0)
    sides = (parts.train, parts.validation, parts.test)
    for values in (groups, keys):
        assert all(not set(values[a]) & set(values[b]) for a, b in combinations(sides, 2))
    assert parts.rule.endswith("a group, and faces with equal AUs, stay on one side")


def test_many_rows_are_joined_in_no_time() -> None:
    n = 200_000
    groups = np.array([f"p{i % 5000}" for i in range(n)], dtype=object)
    keys = np.array([f"k{i}" for i in range(n)], dtype=object)
    assert len(set(split_groups(groups, keys))) == 5000


def test_the_rare_emotions_are_named_with_the_counts_of_the_whole_dataset() -> None:
    labels = np.array([0] * 40 + [1] * 4 + [2] * 40)
    keys = np.array([str(i) for i in range(len(labels))], dtype=object)
    with pytest.raises(DataError, match="happy has 4 faces; ") as raised:
        split_stratified(labels, None, keys, 0.25, 0.25, 0, NAMES)
    assert str(raised.value.hint).endswith(
        "leave them out: aufer build-dataset --emotions 'angry,sad surprised'"
    )


def test_no_command_is_given_that_would_leave_one_emotion() -> None:
    labels = np.array([0] * 40 + [1] * 1 + [2] * 2)
    with pytest.raises(DataError, match="happy has 1 face, sad surprised has 2 faces") as raised:
        hold_out(labels, None, 0.25, 0, NAMES)
    assert raised.value.hint == "add images of happy, sad surprised"


def test_an_emotion_without_any_face_is_no_rare_one() -> None:
    labels = np.array([0] * 40 + [2] * 40)
    kept, held = hold_out(labels, None, 0.25, 0, NAMES)
    assert (len(kept), len(held)) == (60, 20)


def test_an_emotion_of_one_person_is_named() -> None:
    labels = np.array([0] * 60 + [1] * 60 + [2] * 20)
    groups = np.array([f"p{i}" for i in range(120)] + ["one"] * 20, dtype=object)
    keys = np.array([str(i) for i in range(140)], dtype=object)
    with pytest.raises(DataError, match=r"all faces of sad surprised \(20\) belong to groups"):
        split_stratified(labels, groups, keys, 0.5, 0.5, 0, NAMES)


def test_blocks_are_cut_within_runs_of_one_label() -> None:
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 0, 0])
    assert cut_blocks(labels, 2).tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4]
    assert cut_blocks(labels, 100).tolist() == [0, 0, 0, 0, 0, 1, 1, 2, 2]
    assert cut_blocks(labels, 1).tolist() == list(range(9))
    assert cut_blocks(np.zeros(0, dtype=int), 3).tolist() == []


def test_folds_are_scikit_learns() -> None:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(0, 3, 300))
    groups = cut_blocks(labels, 7)
    zeros = np.zeros(300)
    plain = StratifiedKFold(5, shuffle=True, random_state=4).split(zeros, labels)
    grouped = StratifiedGroupKFold(5, shuffle=True, random_state=4).split(zeros, labels, groups)
    for splits, given in ((plain, None), (grouped, groups)):
        folds = make_folds(labels, given, 5, 4, NAMES)
        for number, (_, held) in enumerate(splits):
            assert np.flatnonzero(folds == number).tolist() == sorted(held.tolist())


def test_no_group_is_in_two_folds() -> None:
    labels = np.repeat([0, 1, 2], 40)
    groups = np.array([f"p{i // 4}" for i in range(120)], dtype=object)
    folds = make_folds(labels, groups, 5, 0, NAMES)
    assert all(len(set(folds[groups == name].tolist())) == 1 for name in set(groups))
    assert sorted(set(folds.tolist())) == [0, 1, 2, 3, 4]


def test_more_folds_than_faces_or_groups() -> None:
    with pytest.raises(DataError, match="angry has 2 faces"):
        make_folds(np.array([0, 0, 1, 1, 1, 1]), None, 3, 0, NAMES)
    groups = np.array(["a", "a", "a", "b", "b", "b"], dtype=object)
    with pytest.raises(DataError, match="too few groups to split: 2, and 3 are needed") as raised:
        make_folds(np.array([0, 1, 0, 1, 0, 1]), groups, 3, 0, NAMES)
    assert "aufer build-dataset" in str(raised.value.hint)


def test_without_a_test_part() -> None:
    labels = np.repeat([0, 1, 2], 20)
    keys = np.arange(60).astype(str).astype(object)
    parts = split_stratified(labels, None, keys, 0, 0.25, 0, NAMES)
    assert parts.sizes() == {"train": 45, "validation": 15, "test": 0}
