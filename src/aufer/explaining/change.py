"""The smallest change of a face's AUs that changes a model's answer.

Fewest AUs first; of these the least total change (the sum over the AUs of how far each moves; S.
Wachter, B. Mittelstadt & C. Russell: Counterfactual explanations, Harvard Journal of Law &
Technology 31, 2018). One AU is searched in steps of 0.01, which is all that OpenFace writes; so
nothing smaller is missed. Two and three are searched on a grid, all sets of AUs of that number; the
nearest points that change the answer are then refined. A smaller change between the points of the
grid may be missed: what is found is one that suffices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from aufer.action_units import DECIMALS
from aufer.explaining.shapley import ROWS_AT_ONCE, Value

ANY = -1
"""Any other answer, as a target."""

FINEST = 10.0**-DECIMALS
GRIDS = {1: FINEST, 2: 0.5, 3: 1.0}
"""Steps between the values that are tried, by the number of AUs that change."""

MOST_AUS = max(GRIDS)
FINER = 5
"""Each refinement takes steps so many times smaller; there are two."""

KEPT = 8
"""So many of the nearest points are refined."""


@dataclass(frozen=True)
class Change:
    """A change of a face that gives another answer.

    Attributes:
        values: the new intensity by the feature's position. total: the sum of how far they move.
        answer: the new answer's position. outputs: the model's, float64 [emotions].
    """

    values: dict[int, float]
    total: float
    answer: int
    outputs: np.ndarray


def smallest_changes(
    predict: Value,
    face: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    targets: Sequence[int] = (ANY,),
) -> dict[int, Change | None]:
    """The smallest change for each answer that is wanted.

    Args:
        predict: probabilities of rows. face: [features]. low, high: what each may become.
        targets: positions of emotions, or `ANY` for every other one than the face's.

    Returns:
        by target; None where no change of up to `MOST_AUS` AUs was found. A target that is the
        face's answer already is left out.
    """
    search = _Search(predict, face, low, high)
    found: dict[int, Change | None] = {t: None for t in targets if t != search.answer}
    for n_aus in GRIDS:
        missing = [target for target, change in found.items() if change is None]
        if missing:
            found |= search.of_number(n_aus, missing)
    return found


class _Search:
    """Points that differ from a face in some features, and what the model says of them."""

    def __init__(self, predict: Value, face: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        self._predict = predict
        self._face = np.asarray(face, dtype=np.float64)
        self._low, self._high = low, high
        self.answer = int(predict(self._face[None])[0].argmax())

    def of_number(self, n_aus: int, targets: Sequence[int]) -> dict[int, Change | None]:
        """The smallest change of so many AUs, by target; None where there is none."""
        n_features = len(self._face)
        near: dict[int, list[np.ndarray]] = {target: [] for target in targets}
        sets = combinations(range(n_features), n_aus)
        for points in self._grid(sets, GRIDS[n_aus]):
            answers = self._predict(points).argmax(axis=1)
            for target in targets:
                near[target].append(self._nearest(points[self._reached(answers, target)]))
        changes: dict[int, Change | None] = {}
        for target, parts in near.items():
            points = self._nearest(np.concatenate(parts))
            changes[target] = self._refine(points, n_aus, target) if len(points) else None
        return changes

    def _reached(self, answers: np.ndarray, target: int) -> np.ndarray:
        reached: np.ndarray = answers != self.answer if target == ANY else answers == target
        return reached

    def _totals(self, points: np.ndarray) -> np.ndarray:
        totals: np.ndarray = np.abs(points - self._face).sum(axis=1)
        return totals

    def _nearest(self, points: np.ndarray) -> np.ndarray:
        """The `KEPT` points of the least total change, the nearest first."""
        order = np.argsort(self._totals(points).round(6), kind="stable")
        return points[order[:KEPT]]

    def _axis(self, feature: int, step: float) -> np.ndarray:
        low, high = self._low[feature], self._high[feature]
        steps = np.arange(np.floor((high - low) / step + 1e-9) + 1) * step + low
        return np.unique(np.append(steps, high).round(DECIMALS))

    def _grid(self, sets: Iterator[tuple[int, ...]], step: float) -> Iterator[np.ndarray]:
        """Every value on the grid of every set of features, [n, features], some sets at a time."""
        parts: list[np.ndarray] = []
        for features in sets:
            parts.append(self._around(features, [self._axis(each, step) for each in features]))
            if sum(map(len, parts)) >= ROWS_AT_ONCE:
                yield np.concatenate(parts)
                parts = []
        if parts:
            yield np.concatenate(parts)

    def _around(self, features: Sequence[int], axes: Sequence[np.ndarray]) -> np.ndarray:
        """The face with every combination of values of some features."""
        values = np.array(list(product(*axes)))
        points = np.repeat(self._face[None], len(values), axis=0)
        points[:, list(features)] = values
        return points

    def _refine(self, points: np.ndarray, n_aus: int, target: int) -> Change:
        """Search around the nearest points in finer and finer steps; then each AU by itself."""
        step = GRIDS[n_aus]
        while n_aus > 1 and step / FINER >= FINEST:
            finer = [points]
            for point in points:
                features = np.flatnonzero(point != self._face).tolist()
                moves = np.arange(-FINER, FINER + 1) * step / FINER
                axes = [self._within(each, point[each] + moves) for each in features]
                finer.append(self._around(features, axes))
            every = np.concatenate(finer)
            answers = self._predict(every).argmax(axis=1)
            points = self._nearest(every[self._reached(answers, target)])
            step /= FINER
        return min(
            (self._polish(point, target) for point in points),
            key=lambda change: (round(change.total, 6), -change.outputs[change.answer]),
        )

    def _within(self, feature: int, values: np.ndarray) -> np.ndarray:
        return np.unique(np.clip(values, self._low[feature], self._high[feature]).round(DECIMALS))

    def _polish(self, point: np.ndarray, target: int) -> Change:
        """Take each AU back towards the face, as far as the answer stays; in steps of `FINEST`."""
        for feature in np.flatnonzero(point != self._face).tolist():
            ends = np.sort([point[feature], self._face[feature]])
            between = self._within(feature, np.arange(ends[0], ends[1] + FINEST, FINEST))
            line = np.repeat(point[None], len(between), axis=0)
            line[:, feature] = between
            answers = self._predict(line).argmax(axis=1)
            line = np.concatenate([line[self._reached(answers, target)], point[None]])
            point = self._nearest(line)[0]
        outputs = self._predict(point[None])[0]
        differs = np.flatnonzero(point != self._face).tolist()
        values = {feature: float(point[feature]) for feature in differs}
        total = float(self._totals(point[None])[0])
        return Change(values, total, int(outputs.argmax()), outputs)
