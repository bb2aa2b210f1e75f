"""A support vector machine with a Gaussian (RBF) kernel on standardised AUs.

It decides between each two emotions. How far a face lies from such a border is made into a
probability by a sigmoid that is fitted to faces which the machine had not seen (J. Platt, 1999),
and the pairs' probabilities are joined by the rule of D. Price, S. Knerr, L. Personnaz &
G. Dreyfus (Pairwise neural network classifiers with probabilistic outputs, NIPS 7, 1995):

    p_i = 1 / (sum over j != i of 1 / r_ij - (k - 2)),    then divided by their sum

which is plain arithmetic, so that the ONNX file says the same. (scikit-learn's ``probability=True``
iterates, and is deprecated; its calibration of one emotion against the rest is 2 points less
accurate on AUs.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import AU_INPUT
from aufer.classifiers.classifier import Examples, OnEpoch, no_epochs
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.recipe import Recipe
from aufer.classifiers.single_fit import Scaling, SingleFit, TrainingRows, place, training_rows

# C and gamma: best of a grid by cross-validation on the reference data, fold seeds 10-12
C = 4.0
"""Cost of a face on the wrong side of a border."""

GAMMA = 0.06
"""Two faces whose squared distance is 1 / gamma (in deviations) are alike by 1/e."""

N_FOLDS = 3
"""The sigmoids are fitted to faces held out in so many folds."""

MOST_EVIDENCE = 60.0
"""Log-odds between two emotions are cut there, where float32 still has an exponential."""

_ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class SvmClassifier(SingleFit):
    """A fitted machine.

    Attributes:
        scaling: of the training rows.
        support: the support vectors, standardised, float64 [support, 17].
        weights: float64 [support, pairs], intercepts: [pairs]; of the log-odds of each two emotions
            in training, first against second, in the order of `pairs_of`.
        present: the emotions that had a training row, as positions in all emotions.
    """

    scaling: Scaling
    support: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray
    present: np.ndarray
    n_emotions: int

    @property
    def settings(self) -> dict[str, Any]:
        """``C``, ``gamma``, the number of support vectors, the folds of the sigmoids."""
        return {
            "C": C,
            "gamma": GAMMA,
            "support_vectors": len(self.support),
            "calibration_folds": N_FOLDS,
        }

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Probabilities, float64 [n, emotions], rows sum to 1, of intensities [n, 17]."""
        from sklearn.metrics.pairwise import rbf_kernel

        found = np.zeros((len(aus), self.n_emotions))
        for start in range(0, len(aus), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            kernel = rbf_kernel(self.scaling.apply(aus[rows]), self.support, GAMMA)  # [n, support]
            log_odds = kernel @ self.weights + self.intercepts  # [n, pairs]
            joined = join_pairs(log_odds, len(self.present))  # [n, present]
            found[rows] = place(joined, self.present, self.n_emotions)
        return found

    def to_onnx(self, features: tuple[str, ...], emotions: tuple[str, ...]) -> Any:
        """The ``onnx.ModelProto``: a product with the support vectors, an exponential, a product
        with the weights, and the joining of the pairs."""
        from aufer.classifiers.onnx_graph import Graph

        graph = Graph()
        scale = 1 / self.scaling.deviation
        scaled = graph.add("Sub", AU_INPUT, graph.constant(self.scaling.mean))
        scaled = graph.add("Mul", scaled, graph.constant(scale))  # [n, 17]
        # -gamma |x - s|^2 = 2 gamma x.s - gamma |x|^2 - gamma |s|^2: with |x|^2 as an 18th column
        # it is a single product
        squares = graph.add("ReduceSumSquare", scaled, axes=[1], keepdims=1)  # [n, 1]
        joined = graph.add("Concat", scaled, squares, axis=1)  # [n, 18]
        kernel = np.vstack([2 * GAMMA * self.support.T, np.full(len(self.support), -GAMMA)])
        exponents = graph.affine(joined, kernel, -GAMMA * (self.support**2).sum(axis=1))
        alike = graph.add("Exp", exponents)  # [n, support]
        first, second = pairs_of(len(self.present))
        # thousands of large weights that cancel: in float32 the sum would be off by some 1e-4
        exact = graph.add("Cast", alike, to=graph.DOUBLE)
        log_odds = graph.affine(exact, self.weights, self.intercepts, dtype=np.float64)
        log_odds = graph.add("Cast", log_odds, to=graph.FLOAT)  # [n, pairs]
        against = graph.add("Concat", graph.add("Neg", log_odds), log_odds, axis=1)
        limits = (graph.constant(-MOST_EVIDENCE), graph.constant(MOST_EVIDENCE))
        odds = graph.add("Exp", graph.add("Clip", against, *limits))  # [n, 2 pairs]
        to_emotion = np.eye(len(self.present))[np.concatenate([first, second])]
        total = graph.affine(odds, to_emotion, np.ones(len(self.present)))  # [n, present]
        # 1 / total, divided by their sum
        found = graph.add("Softmax", graph.add("Neg", graph.add("Log", total)), axis=1)
        found = graph.place(found, self.present.tolist(), len(emotions))
        return graph.to_model(found, len(features), len(emotions))


def pairs_of(n: int) -> tuple[np.ndarray, np.ndarray]:
    """First and second of each two of n emotions, int [n (n - 1) / 2], as scikit-learn has them."""
    first, second = np.triu_indices(n, 1)
    return first, second


def join_pairs(log_odds: np.ndarray, n: int) -> np.ndarray:
    """Probabilities of n emotions from the log-odds of each two, by the rule of Price et al.

    With r_ij = 1 / (1 + exp(-log_odds_ij)) the rule is 1 / (1 + sum over j of exp(-log_odds_ij)).

    Args:
        log_odds: [rows, pairs], of the first against the second of `pairs_of`.

    Returns:
        float64 [rows, n], rows sum to 1.
    """
    first, second = pairs_of(n)
    cut = np.clip(log_odds, -MOST_EVIDENCE, MOST_EVIDENCE)
    against = np.exp(-cut) @ np.eye(n)[first] + np.exp(cut) @ np.eye(n)[second]  # [rows, n]
    found = 1 / (1 + against)
    joined: np.ndarray = found / found.sum(axis=1, keepdims=True)
    return joined


def fit(
    examples: Examples,
    recipe: Recipe,
    seed: int,
    *,
    on_epoch: OnEpoch = no_epochs,
    checkpoints: Path | None = None,
    ctrl_c: CtrlC | None = None,
) -> SvmClassifier:
    """Fit a machine to the training rows; the seed deals the rows into the sigmoids' folds.

    Raises:
        DataError: the training rows are of one emotion only.
    """
    rows = training_rows(examples)
    scaling = Scaling.of(rows.aus)
    scaled = scaling.apply(rows.aus)
    balance = "balanced" if recipe.class_weights else None
    machine = _machine(balance).fit(scaled, rows.labels)
    margins = _held_out_margins(scaled, rows, seed, balance)
    slopes, offsets = _fit_sigmoids(margins, rows, balance)
    weights, intercepts = borders_of(machine)
    return SvmClassifier(
        scaling,
        scaled[machine.support_],
        weights * slopes,
        intercepts * slopes + offsets,
        rows.present,
        len(examples.emotions),
    )


def _machine(balance: str | None) -> Any:
    from sklearn.svm import SVC

    return SVC(
        C=C, gamma=GAMMA, class_weight=balance, decision_function_shape="ovo", cache_size=500
    )


def borders_of(machine: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weights [support, pairs] and intercepts [pairs] of the margins between each two emotions.

    A margin is positive on the side of the first of `pairs_of`. scikit-learn keeps the weights as
    libsvm does: a support vector of emotion i has one for each other emotion, in their order; the
    border of (i, j) uses those of i and of j.
    """
    n = len(machine.classes_)
    owner = np.repeat(np.arange(n), machine.n_support_)  # emotion of each support vector
    first, second = pairs_of(n)
    weights = np.zeros((len(owner), len(first)))
    for pair, (i, j) in enumerate(zip(first, second, strict=True)):
        weights[owner == i, pair] = machine.dual_coef_[j - 1, owner == i]
        weights[owner == j, pair] = machine.dual_coef_[i, owner == j]
    sign = -1.0 if n == 2 else 1.0  # of two, scikit-learn gives the second against the first
    return sign * weights, sign * machine.intercept_


def _held_out_margins(
    scaled: np.ndarray, rows: TrainingRows, seed: int, balance: str | None
) -> np.ndarray:
    """Margins of each row by a machine that was not fitted to it, [n, pairs].

    Rows are dealt into `N_FOLDS` emotion by emotion. NaN where the other folds lack an emotion.
    """
    order = np.random.default_rng(seed).permutation(len(scaled))
    fold = np.empty(len(scaled), dtype=np.int64)
    for label in range(len(rows.present)):
        of_emotion = order[rows.labels[order] == label]
        fold[of_emotion] = np.arange(len(of_emotion)) % N_FOLDS
    first, second = pairs_of(len(rows.present))
    margins = np.full((len(scaled), len(first)), np.nan)
    for held in range(N_FOLDS):
        here = fold == held
        known = np.unique(rows.labels[~here])
        if not here.any() or len(known) < 2:
            continue
        machine = _machine(balance).fit(scaled[~here], rows.labels[~here])
        found = machine.decision_function(scaled[here]).reshape(here.sum(), -1)
        pairs = np.flatnonzero(np.isin(first, known) & np.isin(second, known))
        margins[np.ix_(here, pairs)] = -found if len(known) == 2 else found
    return margins


def _fit_sigmoids(
    margins: np.ndarray, rows: TrainingRows, balance: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset, [pairs] each, that make margins into log-odds, by logistic regression.

    A pair without held-out rows of both emotions (there is a single face of one) keeps slope 1 and
    offset 0.
    """
    from sklearn.linear_model import LogisticRegression

    slopes, offsets = np.ones(margins.shape[1]), np.zeros(margins.shape[1])
    for pair, (i, j) in enumerate(zip(*pairs_of(len(rows.present)), strict=True)):
        used = np.isin(rows.labels, (i, j)) & np.isfinite(margins[:, pair])
        is_first = rows.labels[used] == i
        if 0 < is_first.sum() < used.sum():
            found = LogisticRegression(class_weight=balance)
            found.fit(margins[used, pair][:, None], is_first)
            slopes[pair], offsets[pair] = found.coef_[0, 0], found.intercept_[0]
    return slopes, offsets
