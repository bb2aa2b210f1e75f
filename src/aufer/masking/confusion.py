"""Figures of confusion matrices, and matrices of faces whose groups are drawn anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aufer.metrics import DRAWS, number_groups

_DRAWS_AT_ONCE = 250

Figure = Callable[[np.ndarray], np.ndarray]
"""A figure of confusion matrices [..., truth, read], an array [...]."""


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of the faces that are read as labelled, of confusion matrices [..., truth, read]."""
    right = np.trace(confusion, axis1=-2, axis2=-1)
    shares: np.ndarray = right / confusion.sum(axis=(-2, -1))
    return shares


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the emotions that occur, of confusion matrices [..., truth, read]."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    of_truth, of_guess = confusion.sum(axis=-1), confusion.sum(axis=-2)
    with np.errstate(invalid="ignore"):
        f1 = np.where(of_truth > 0, 2 * right / (of_truth + of_guess), np.nan)
    means: np.ndarray = np.nanmean(f1, axis=-1)
    return means


def recall(confusion: np.ndarray, label: int) -> np.ndarray:
    """Share of an emotion's faces that are read as it; NaN where there is none."""
    with np.errstate(invalid="ignore"):
        shares: np.ndarray = confusion[..., label, label] / confusion[..., label, :].sum(axis=-1)
    return shares


def share_read(confusion: np.ndarray, label: int) -> np.ndarray:
    """Share of all faces that are read as an emotion.

    Who gave the same answers to faces at random would have this recall.
    """
    shares: np.ndarray = confusion[..., label].sum(axis=-1) / confusion.sum(axis=(-2, -1))
    return shares


def mistake(confusion: np.ndarray, truth: int, guess: int) -> np.ndarray:
    """Share of an emotion's faces that are read as another one; NaN where there is none."""
    with np.errstate(invalid="ignore"):
        shares: np.ndarray = confusion[..., truth, guess] / confusion[..., truth, :].sum(axis=-1)
    return shares


def count(labels: np.ndarray, guesses: np.ndarray, n_emotions: int) -> np.ndarray:
    """The confusion matrix [truth, read] of one round's answers, int [n] each."""
    counts = np.bincount(labels * n_emotions + guesses, minlength=n_emotions**2)
    return counts.reshape(n_emotions, n_emotions).astype(np.float64)


def draw_confusions(
    labels: np.ndarray,
    guesses: np.ndarray,
    groups: np.ndarray,
    n_emotions: int,
    n: int = DRAWS,
    seed: int = 0,
) -> np.ndarray:
    """Confusion matrices of faces whose groups were drawn anew.

    Args:
        labels: int [faces]. guesses: int [readers, rounds, faces], what each reader said in each
            round. groups: a name per face [faces]; an empty one is a group of its own.
        n: number of draws.

    Returns:
        float64 [n, readers, emotions, emotions]; a face counts once, however many rounds.
    """
    n_readers, n_rounds, _ = guesses.shape
    number, cells = number_groups(groups), n_emotions**2
    totals = np.zeros((int(number.max()) + 1, n_readers * cells))
    for reader in range(n_readers):
        for of_round in guesses[reader]:
            column = reader * cells + labels * n_emotions + of_round
            np.add.at(totals, (number, column), 1 / n_rounds)
    # groups that add the same are drawn as one kind: the same distribution, at a fraction
    kinds, counts = np.unique(np.round(totals, 9), axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            random.multinomial(len(totals), counts / len(totals), size=min(_DRAWS_AT_ONCE, n - at))
            @ kinds
            for at in range(0, n, _DRAWS_AT_ONCE)
        ]
    )
    found: np.ndarray = drawn.reshape(n, n_readers, n_emotions, n_emotions)
    return found
