"""What one model says of the test images, whatever it is: a bundle, a file, stored answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aufer.emotions import Emotions
from aufer.errors import DataError

MASK, WRONG = "mask", "wrong"
EXTRAS = (MASK, WRONG)
"""What becomes of emotions that a model knows and that are not asked for: they are left out, and
the other probabilities are divided by their sum; or they stay, and answering one is wrong."""

LEAST_SUM = 1e-12
"""A model that gives all it has to emotions that are left out has no answer among the others."""


@dataclass(frozen=True)
class Contender:
    """One model's answers to the test images.

    Attributes:
        name: distinct among the compared. emotions: in the order of the probabilities.
        answered: bool [n]. probabilities: float64 [n, emotions], NaN where there is no answer.
        status, reasons: object [n], why there is none (`model.Answers`).
        seen: object [n], how the model knows the image from its training (`seen.WAYS`), or empty.
        facts: plain JSON: ``name``, ``source``, ``input`` (aus, image, fusion or empty: unknown),
            ``kind``, ``size_mb``, ``parameters``, ``preprocessing_ms`` and ``inference_ms`` per
            image (None: not known), ``seen_checked``, ``n_seen``, ….
    """

    name: str
    emotions: tuple[str, ...]
    answered: np.ndarray
    probabilities: np.ndarray
    status: np.ndarray
    reasons: np.ndarray
    seen: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)

    def take(self, rows: np.ndarray) -> Contender:
        """The same of some of the images: bool [n] or positions."""
        return replace(
            self,
            answered=self.answered[rows],
            probabilities=self.probabilities[rows],
            status=self.status[rows],
            reasons=self.reasons[rows],
            seen=self.seen[rows],
        )

    def extras(self, names: Sequence[str]) -> tuple[str, ...]:
        """The emotions that it knows beyond ``names``."""
        return tuple(name for name in self.emotions if name not in names)

    def check_knows(self, names: Sequence[str], shared: Sequence[str]) -> None:
        """Raise `DataError` where it lacks one of the emotions of the test images.

        Args:
            shared: emotions that every model knows, for the hint.
        """
        missing = [name for name in names if name not in self.emotions]
        if missing:
            raise DataError(
                f"The test set has images of {', '.join(missing)}, which the model {self.name} "
                f"doesn't know ({', '.join(self.emotions)}).",
                hint=f"leave them out: --emotions {','.join(shared)}"
                if len(shared) > 1
                else "compare models that know the same emotions",
            )

    def over(self, names: Sequence[str], extra: str = MASK) -> tuple[tuple[str, ...], np.ndarray]:
        """Its probabilities of ``names``, and of the extra ones behind them unless masked.

        Returns:
            the names, and float64 [n, names], each row's sum 1; NaN where there is no answer, or
            none among these (`LEAST_SUM`).
        """
        wanted = tuple(names) if extra == MASK else (*names, *self.extras(names))
        p = self.probabilities[:, [self.emotions.index(name) for name in wanted]]
        sums = p.sum(axis=1, keepdims=True)
        return wanted, np.divide(p, sums, out=np.full_like(p, np.nan), where=sums >= LEAST_SUM)


def are_answers(p: np.ndarray) -> np.ndarray:
    """Which rows of probabilities [n, emotions] are an answer, bool [n]: NaN is none."""
    found: np.ndarray = ~np.isnan(p).any(axis=1)
    return found


def answers_of(p: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The most probable emotion's name, object [n]; empty where there is no answer."""
    words = np.array(names, dtype=object)[np.nan_to_num(p).argmax(axis=1)]
    found: np.ndarray = np.where(are_answers(p), words, "")
    return found


def join_emotions(sets: Iterable[Iterable[str]]) -> Emotions:
    """All emotions of several models, each once: an alias stands for the word that came first."""
    known: Emotions | None = None
    for names in sets:
        new = [n for n in names if known is None or known.find_name(n) is None]
        known = Emotions((*(known or ()), *new))
    assert known is not None, "there is a model"
    return known


def distinct_names(
    names: Sequence[str], paths: Sequence[Path], taken: Sequence[str] = ()
) -> list[str]:
    """Names that differ, also from those ``taken``: those of one name get the folder that they lie
    in, else a number."""
    every = [*names, *taken]
    found = [
        f"{path.resolve().parent.name}/{name}" if every.count(name) > 1 else name
        for name, path in zip(names, paths, strict=True)
    ]
    repeated = {name for name in found if found.count(name) > 1}
    counts: dict[str, int] = {}
    for position, name in enumerate(found):
        if name in repeated:
            counts[name] = counts.get(name, 0) + 1
            found[position] = f"{name} ({counts[name]})"
    return found
