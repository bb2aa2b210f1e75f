"""How many training images per emotion a learning curve looks at, and which ones they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aufer.errors import DataError, UsageError

ALL = "all"
"""Every training image there is, of each emotion."""

FEWEST = 10
"""Where the ladder of sizes begins."""

_NEAR = 0.75
"""A step of the ladder this near to all images is left out."""


def parse_sizes(text: str) -> tuple[int | str, ...]:
    """Read ``10,20,50,all``.

    Raises:
        UsageError: it names no size, or something else.
    """
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    wrong = [word for word in words if word != ALL and not (word.isdecimal() and int(word) > 0)]
    if wrong or not words:
        raise UsageError(
            f"--sizes: '{wrong[0] if wrong else text}' is no number of images.",
            hint="numbers of training images per emotion, and 'all': --sizes 10,50,200,all",
        )
    return tuple(word if word == ALL else int(word) for word in words)


def make_ladder(most: int) -> tuple[int, ...]:
    """10, 20, 50, 100, 200, 500, … up to all.

    Args:
        most: training images of the most frequent emotion.
    """
    steps = [factor * 10**power for power in range(len(str(most))) for factor in (1, 2, 5)]
    below = [step for step in steps if step <= _NEAR * most]
    return (*([step for step in below if step >= FEWEST] or below), most)


def choose_sizes(
    asked: Sequence[int | str] | None, most: int
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The sizes to fit, ascending, and notes about those that can't be.

    Args:
        asked: sizes and `ALL`; None for the ladder. most: training images of the most frequent
            emotion: that many per emotion are all.

    Raises:
        UsageError: a size below 1. DataError: fewer than two different sizes can be fitted.
    """
    if asked is None:
        sizes = set(make_ladder(most))
    else:
        numbers = [most if size == ALL else int(size) for size in asked]
        if min(numbers, default=0) < 1:
            raise UsageError("--sizes: at least one image per emotion is needed.")
        sizes = {min(number, most) for number in numbers}
        asked = [number for number in numbers if number > most]
    if len(sizes) < 2:
        raise DataError(
            "A curve needs two sizes at least; the most frequent emotion has "
            f"{most} training image{'' if most == 1 else 's'} beside a held-out fold.",
            hint=f"other sizes, e.g. --sizes {max(1, most // 4)},{max(1, most // 2)},all; or more "
            "images: aufer build-dataset",
        )
    notes = [
        f"{number} images per emotion are more than there are: all were taken, {most} of the most "
        "frequent emotion"
        for number in sorted(set(asked or ()), key=int)
    ]
    return tuple(sorted(sizes)), tuple(notes)


def rank_within_emotion(
    labels: np.ndarray, together: np.ndarray, seed: Sequence[int]
) -> np.ndarray:
    """The order in which training images are added, by chance, emotion by emotion.

    The images of rank below s are the s images per emotion of that size, so each smaller set lies
    within the larger one. They come group by group, in one order of groups for all emotions, as a
    collection grows person by person; only the last group of an emotion may be there in part.

    Args:
        labels: int [n]. together: [n], equal for rows of one group. seed: of the order.

    Returns:
        int [n], from 0 on within each emotion.
    """
    random = np.random.default_rng(seed)
    group = np.unique(together, return_inverse=True)[1]
    place = random.permutation(int(group.max(initial=-1)) + 1)[group]
    order = np.lexsort((random.permutation(len(labels)), place))
    rank = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_emotion = order[labels[order] == label]
        rank[of_emotion] = np.arange(len(of_emotion))
    return rank
