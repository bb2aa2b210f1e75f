"""The figures of a mask study, from what a kind of model read in the held-out faces.

The same faces are read with all AUs, with those of the upper and with those of the lower face, so
that differences are taken face by face. Intervals are the 2.5th and 97.5th percentile over draws
of whole groups, with replacement, as many as there are (A. C. Davison, D. V. Hinkley: Bootstrap
methods and their application, 1997, section 3.8); one draw serves all figures. Of a share the
interval is the wider of that and Wilson's (1927), which is not empty where every face was read
correctly. They know which faces were tested, not what other training faces would have taught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from aufer.comparison.pairs import holm, mcnemar
from aufer.face_regions import ALL, LOWER, UPPER
from aufer.masking.confusion import (
    Figure,
    accuracy,
    count,
    draw_confusions,
    macro_f1,
    mistake,
    recall,
    share_read,
)
from aufer.metrics import DRAWS, number_groups, wilson_interval


@dataclass(frozen=True)
class Readings:
    """What several readers made of the same faces.

    Attributes:
        observed: by reader, the confusion matrix, mean over the rounds.
        drawn: by reader, matrices of faces drawn anew, [draws, truth, read].
        n_groups: that they were drawn from.
    """

    observed: dict[str, np.ndarray]
    drawn: dict[str, np.ndarray]
    n_groups: int

    @classmethod
    def of(
        cls,
        labels: np.ndarray,
        guesses: Mapping[str, np.ndarray],
        groups: np.ndarray,
        n_emotions: int,
        seed: int,
    ) -> Readings:
        """Count and draw; the arguments are those of `figures_of`."""
        stacked = np.stack(list(guesses.values()))
        drawn = draw_confusions(labels, stacked, groups, n_emotions, seed=seed)
        observed = {
            reader: np.mean([count(labels, of_round, n_emotions) for of_round in rounds], axis=0)
            for reader, rounds in guesses.items()
        }
        by_reader = {reader: drawn[:, position] for position, reader in enumerate(guesses)}
        return cls(observed, by_reader, int(number_groups(groups).max()) + 1)

    def share(self, reader: str, figure: Figure, n: int) -> dict[str, Any]:
        """A figure that is a share of n faces: value, low, high."""
        value = float(figure(self.observed[reader]))
        low, high = wilson_interval(round(value * n), n)
        drawn = self._limits(figure(self.drawn[reader]), (0.0, 1.0))
        return {"value": value, "low": min(low, drawn[0]), "high": max(high, drawn[1])}

    def number(self, reader: str, figure: Figure) -> dict[str, Any]:
        """A figure, 0-1, that is no share of faces: value, low, high."""
        low, high = self._limits(figure(self.drawn[reader]), (0.0, 1.0))
        return {"value": float(figure(self.observed[reader])), "low": low, "high": high}

    def difference(self, one: tuple[str, Figure], other: tuple[str, Figure]) -> dict[str, Any]:
        """The first reader's figure minus the second's: value, low, high."""

        def of(by_reader: dict[str, np.ndarray]) -> np.ndarray:
            return one[1](by_reader[one[0]]) - other[1](by_reader[other[0]])

        low, high = self._limits(of(self.drawn), (-1.0, 1.0))
        return {"value": float(of(self.observed)), "low": low, "high": high}

    def _limits(self, values: np.ndarray, nothing: tuple[float, float]) -> tuple[float, float]:
        """The percentiles of draws; ``nothing`` where there is a single group: all is possible."""
        known = values[np.isfinite(values)]
        if self.n_groups < 2 or not len(known):
            return nothing
        low, high = np.percentile(known, (2.5, 97.5))
        return float(low), float(high)


def exact_test(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """McNemar's exact test of two readers' hits on the same faces, bool [n] each.

    Returns:
        ``only_before`` and ``only_after``: faces that one of them alone read correctly; ``p``.
    """
    one, other = int((before & ~after).sum()), int((after & ~before).sum())
    return {"only_before": one, "only_after": other, "p": mcnemar(one, other)}


def figures_of(
    labels: np.ndarray,
    guesses: Mapping[str, np.ndarray],
    groups: np.ndarray,
    names: Sequence[str],
    seed: int = 0,
) -> dict[str, Any]:
    """All figures of one kind of model.

    Args:
        labels: int [n], positions in ``names``, of each of which there is a face.
        guesses: by `face_regions.PARTS`, what was read: int [rounds, n], positions in ``names``.
        groups: what is drawn together, a name per face [n]. seed: of the draws.

    Returns:
        plain JSON:

        * ``parts``, by part: ``accuracy`` and ``macro_f1`` (value, low, high), ``per_emotion``
          (emotion, n, recall), ``confusion`` (rows truth, columns read; mean over the rounds);
        * ``hidden``, by emotion: ``loss`` = recall with all AUs minus recall with the upper ones,
          and ``test``: McNemar's in the first round, with ``p_holm``; the same of all faces last,
          whose ``emotion`` is empty;
        * ``eyes``, by emotion: ``recall`` with the upper AUs, ``at_random`` (`share_read`),
          ``above``, their difference, and ``mouth``: recall with the lower AUs;
        * ``mistakes``: what an emotion is read as with the upper AUs, the most frequent first:
          ``share`` of its faces, ``share_all`` with all AUs, ``more``, their difference;
        * ``draws``: of the intervals, and how many groups they were drawn from.
    """
    found = Readings.of(labels, guesses, groups, len(names), seed)
    counts = np.bincount(labels, minlength=len(names)).tolist()
    recalls = [partial(recall, label=label) for label in range(len(names))]
    parts = {
        reader: {
            "accuracy": found.share(reader, accuracy, len(labels)),
            "macro_f1": found.number(reader, macro_f1),
            "per_emotion": [
                {"emotion": name, "n": n, "recall": found.share(reader, of_emotion, n)}
                for name, n, of_emotion in zip(names, counts, recalls, strict=True)
            ],
            "confusion": found.observed[reader].tolist(),
        }
        for reader in guesses
    }
    eyes = []
    for label, name in enumerate(names):
        random = partial(share_read, label=label)
        eyes.append(
            {
                "emotion": name,
                "recall": parts[UPPER]["per_emotion"][label]["recall"],
                "at_random": float(random(found.observed[UPPER])),
                "above": found.difference((UPPER, recalls[label]), (UPPER, random)),
                "mouth": parts[LOWER]["per_emotion"][label]["recall"],
            }
        )
    mistakes = []
    for truth, guess in np.argwhere(~np.eye(len(names), dtype=bool)).tolist():
        wrong = partial(mistake, truth=truth, guess=guess)
        mistakes.append(
            {
                "emotion": names[truth],
                "read_as": names[guess],
                "share": float(wrong(found.observed[UPPER])),
                "share_all": float(wrong(found.observed[ALL])),
                "more": found.difference((UPPER, wrong), (ALL, wrong)),
            }
        )
    return {
        "parts": parts,
        "hidden": _hidden(found, labels, guesses, names, recalls),
        "eyes": eyes,
        "mistakes": sorted(mistakes, key=lambda row: -row["share"]),
        "draws": {"n": DRAWS, "seed": seed, "n_groups": found.n_groups},
    }


def _hidden(
    found: Readings,
    labels: np.ndarray,
    guesses: Mapping[str, np.ndarray],
    names: Sequence[str],
    recalls: Sequence[Figure],
) -> list[dict[str, Any]]:
    """What is lost without the lower AUs, by emotion; of all faces last."""
    hits = {reader: rounds[0] == labels for reader, rounds in guesses.items()}
    rows: list[dict[str, Any]] = []
    for label, (name, figure) in enumerate([*zip(names, recalls, strict=True), ("", accuracy)]):
        of = labels == label if name else np.ones(len(labels), dtype=bool)
        rows.append(
            {
                "emotion": name,
                "n": int(of.sum()),
                "loss": found.difference((ALL, figure), (UPPER, figure)),
                "test": exact_test(hits[ALL][of], hits[UPPER][of]),
            }
        )
    corrected = holm([row["test"]["p"] for row in rows])
    for row, p in zip(rows, corrected, strict=True):
        row["test"]["p_holm"] = p
    return rows
