"""The images on which the models disagree, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aufer.comparison.contender import Contender, answers_of

N_SHOWN = 24
"""So many are on the page, the clearest first; the table has all."""


def find_disagreements(
    contenders: Sequence[Contender],
    images: Sequence[str],
    truth: np.ndarray,
    names: Sequence[str],
    extra: str,
) -> list[dict[str, Any]]:
    """Every image that two models answer differently, the clearest first.

    Clearest is where the models' probabilities of the true emotion lie farthest apart.

    Args:
        contenders: the models. images: their names [n]. truth: object [n].
        names, extra: as in `Contender.over`.

    Returns:
        plain JSON per image: ``row`` (its position), ``image``, ``emotion`` (truth), ``apart``
        (0-1), ``seen`` and ``models``: ``name``, ``predicted`` (empty: no answer), ``correct``,
        ``probability`` of the answer and ``of_truth``, ``probabilities`` by emotion, ``reason``
        (why there is no answer; of answers see `reasons.add_reasons`).
    """
    known, given, said = [], [], []
    for contender in contenders:
        of_names, p = contender.over(names, extra)
        known.append(of_names)
        given.append(p)
        said.append(answers_of(p, of_names))
    words = np.array(said, dtype=object)  # [models, n]
    differ = np.array([len(set(column) - {""}) > 1 for column in words.T], dtype=bool)
    position = np.array([list(names).index(word) for word in truth], dtype=np.int64)
    of_truth = np.array([p[np.arange(len(truth)), position] for p in given])
    rows = np.flatnonzero(differ)
    apart = np.nanmax(of_truth[:, rows], axis=0) - np.nanmin(of_truth[:, rows], axis=0)
    found = []
    for row, distance in sorted(zip(rows.tolist(), apart.tolist(), strict=True), key=_clearest):
        found.append(
            {
                "row": row,
                "image": images[row],
                "emotion": truth[row],
                "apart": distance,
                "seen": any(contender.seen[row] != "" for contender in contenders),
                "models": [
                    _answer(contender, row, known[k], given[k][row], said[k][row], truth[row])
                    for k, contender in enumerate(contenders)
                ],
            }
        )
    return found


def _clearest(item: tuple[int, float]) -> tuple[float, int]:
    return -item[1], item[0]


def _answer(
    contender: Contender,
    row: int,
    names: Sequence[str],
    p: np.ndarray,
    word: str,
    truth: str,
) -> dict[str, Any]:
    """What one model says of one image."""
    if not word:
        why = contender.reasons[row] or contender.status[row]
        if contender.answered[row]:  # `Contender.over`
            why = "all that it says is of emotions that are not asked for"
        return {
            "name": contender.name,
            "predicted": "",
            "correct": None,
            "probability": None,
            "of_truth": None,
            "probabilities": {},
            "reason": str(why),
        }
    by_name = {name: float(value) for name, value in zip(names, p, strict=True)}
    return {
        "name": contender.name,
        "predicted": word,
        "correct": word == truth,
        "probability": by_name[word],
        "of_truth": by_name[truth],
        "probabilities": by_name,
        "reason": "",
    }
