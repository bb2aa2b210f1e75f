"""What each AU says of each emotion: multinomial logistic regression, with intervals.

    log-odds of emotion e against the mean of all = intercept_e + sum of coefficient_e,au x AU

It is fitted as `classifiers.logistic` fits it: to standardised AUs, with a penalty of half the sum
of squared coefficients, which of thousands of rows shrinks next to nothing and of few keeps them
finite. Of each AU the coefficients add up to 0 over the emotions: positive speaks for the emotion,
against the others. Held are all other AUs: what moves together shares its coefficient.

The intervals come from the Hessian of the penalised log-likelihood; where faces come in groups,
from the sandwich that lets faces of one group be alike (K.-Y. Liang & S. Zeger, Biometrika 73,
1986), with the usual factor G / (G - 1) and Student's t with G - 1 degrees of freedom for G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.action_units import AU_NAMES
from aufer.errors import DataError
from aufer.metrics import number_groups

if TYPE_CHECKING:
    from aufer.explaining.model_rows import ModelRows

HESSIAN, SANDWICH = "hessian", "sandwich"

RIDGE = 1.0
"""Weight of half the sum of squared coefficients: the inverse of `classifiers.logistic.C`."""

LEVEL = 0.95

_MOST_STEPS, _SMALL_STEP = 100, 1e-9


@dataclass(frozen=True)
class Regression:
    """A fitted regression of standardised AUs.

    Attributes:
        mean, deviation: of each AU, float64 [features].
        coefficients: float64 [emotions, features], log-odds per deviation, columns sum to 0.
        intercepts: float64 [emotions], sum 0. errors: standard errors of the coefficients.
        factor: an interval is so many standard errors to either side.
        method: `HESSIAN` or `SANDWICH`. n_groups: of the sandwich.
    """

    mean: np.ndarray
    deviation: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    errors: np.ndarray
    factor: float
    method: str
    n_groups: int


def fit_regression(
    values: np.ndarray,
    labels: np.ndarray,
    n_emotions: int,
    groups: np.ndarray | None = None,
    *,
    ridge: float = RIDGE,
) -> Regression:
    """Fit by Newton's method.

    Args:
        values: AUs [n, features]. labels: int [n], each of ``n_emotions`` with a row.
        groups: a name per row [n]; None, or all empty: rows are independent.
        ridge: weight of half the sum of squared coefficients, above 0: there is one finite maximum.
    """
    from scipy.stats import norm, t

    deviation = values.std(axis=0)
    deviation = np.where(deviation < 1e-6, 1.0, deviation)
    mean = values.mean(axis=0)
    design = np.column_stack([np.ones(len(values)), (values - mean) / deviation])  # [n, 1 + f]
    hits = np.eye(n_emotions)[labels]  # [n, emotions]
    weights, hessian = _maximise(design, hits, ridge)
    bread = np.linalg.inv(hessian)
    number = None if groups is None or not (groups != "").any() else number_groups(groups)
    n_groups = 0 if number is None else int(number.max()) + 1
    if number is not None and n_groups > 1:
        residuals = hits - _softmax(design @ weights.T)
        scores = (residuals[:, :, None] * design[:, None, :]).reshape(len(design), -1)
        sums = np.zeros((n_groups, scores.shape[1]))
        np.add.at(sums, number, scores)
        covariance = bread @ (sums.T @ sums) @ bread * (n_groups / (n_groups - 1))
        method, factor = SANDWICH, float(t.ppf((1 + LEVEL) / 2, n_groups - 1))
    else:
        covariance, method = bread, HESSIAN
        factor = float(norm.ppf((1 + LEVEL) / 2))
    centre = np.eye(n_emotions) - 1 / n_emotions
    blocks = covariance.reshape(n_emotions, design.shape[1], n_emotions, design.shape[1])
    of_au = np.einsum("kfjf->fkj", blocks)  # [1 + f, emotions, emotions]
    variances = np.einsum("ak,fkj,aj->af", centre, of_au, centre)
    return Regression(
        mean,
        deviation,
        weights[:, 1:],
        weights[:, 0],
        np.sqrt(np.maximum(variances[:, 1:], 0)),
        factor,
        method,
        n_groups,
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _maximise(design: np.ndarray, hits: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """The weights [emotions, columns] and the Hessian of the negative penalised log-likelihood.

    The likelihood doesn't change when all emotions' weights of a column rise by the same. A pin
    holds their sums at 0: it changes no fit, and makes the Hessian invertible.
    """
    (n, n_columns), n_emotions = design.shape, hits.shape[1]
    penalty = np.full((n_emotions, n_columns), ridge)
    penalty[:, 0] = 0.0
    pin = np.kron(np.ones((n_emotions, n_emotions)), np.eye(n_columns)) * n / n_emotions

    def loss(weights: np.ndarray) -> float:
        logits = design @ weights.T
        top = logits.max(axis=1)
        norms = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        fit = (norms - (logits * hits).sum(axis=1)).sum()
        return float(fit + 0.5 * (penalty * weights**2).sum())

    weights = np.zeros((n_emotions, n_columns))
    for _ in range(_MOST_STEPS):
        p = _softmax(design @ weights.T)  # [n, emotions]
        gradient = (p - hits).T @ design + penalty * weights
        hessian = _curvature(design, p) + np.diag(penalty.ravel()) + pin
        step = np.linalg.solve(hessian, gradient.ravel()).reshape(weights.shape)
        size, now = 1.0, loss(weights)
        while loss(weights - size * step) > now and size > _SMALL_STEP:
            size /= 2
        weights = weights - size * step
        if np.abs(step).max() < _SMALL_STEP or size <= _SMALL_STEP:
            break
    return weights, hessian


def _curvature(design: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The Hessian of the negative log-likelihood, [emotions x columns] squared."""
    n_columns, n_emotions = design.shape[1], p.shape[1]
    found = np.empty((n_emotions, n_columns, n_emotions, n_columns))
    for one in range(n_emotions):
        for other in range(one, n_emotions):
            weight = p[:, one] * ((one == other) - p[:, other])
            block = (design * weight[:, None]).T @ design
            found[one, :, other] = block
            found[other, :, one] = block
    return found.reshape(n_emotions * n_columns, n_emotions * n_columns)


def coefficient_facts(
    rows: ModelRows, features: Sequence[str], emotions: Sequence[str]
) -> dict[str, Any]:
    """The regression of a model's faces, for its explanation.

    Returns:
        plain JSON: ``n``, ``method``, ``n_groups``, ``mean`` and ``deviation`` by AU,
        ``intercepts`` by emotion, and ``rows``, one per emotion that has a face and AU:
        ``emotion``, ``au``, ``title``, ``coefficient`` (log-odds per deviation) and
        ``per_intensity`` (per unit of intensity), each with ``low`` and ``high``, the 95 % limits.

    Raises:
        DataError: the faces are of fewer than two emotions.
    """
    present, labels = np.unique(rows.labels, return_inverse=True)
    if len(present) < 2:
        raise DataError("The faces are of fewer than two emotions; there is nothing to tell apart.")
    found = fit_regression(rows.values, labels, len(present), rows.groups)
    names = [emotions[label] for label in present]
    aus = [feature.removesuffix("_r") for feature in features]
    listed = []
    for number, name in enumerate(names):
        for column, au in enumerate(aus):
            value = found.coefficients[number, column]
            half = found.factor * found.errors[number, column]
            limits = {"value": value, "low": value - half, "high": value + half}
            unit = found.deviation[column]
            listed.append(
                {
                    "emotion": name,
                    "au": au,
                    "title": AU_NAMES.get(au, ""),
                    "coefficient": {key: float(x) for key, x in limits.items()},
                    "per_intensity": {key: float(x / unit) for key, x in limits.items()},
                }
            )
    return {
        "n": len(rows),
        "method": found.method,
        "n_groups": found.n_groups,
        "ridge": RIDGE,
        "mean": dict(zip(aus, found.mean.tolist(), strict=True)),
        "deviation": dict(zip(aus, found.deviation.tolist(), strict=True)),
        "intercepts": dict(zip(names, found.intercepts.tolist(), strict=True)),
        "rows": listed,
    }
