"""The figures of a comparison, all from the answers of its models alone.

They come in up to four *views*: with and without the images that are copies of a compared model's
training images, and with the emotions that were not asked for masked or counted as wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aufer.comparison.contender import MASK, WRONG, Contender, answers_of, are_answers
from aufer.comparison.pairs import ANSWERED, EVERY, compare_pairs
from aufer.metrics import bootstrap_figures, proportion, score

UNSEEN, ALL = "unseen", "all"
"""Test images without copies of training images, and all of them."""


def make_views(
    contenders: Sequence[Contender],
    truth: np.ndarray,
    names: Sequence[str],
    groups: np.ndarray,
    baselines: dict[str, np.ndarray],
) -> dict[str, Any]:
    """Every view that differs from the others.

    Args:
        truth: object [n], emotions. names: the emotions asked for. groups: object [n].
        baselines: what each says, object [n], empty where it says nothing.

    Returns:
        plain JSON: ``views`` by images (`UNSEEN` where some images were seen, `ALL`) and by what
        becomes of extra emotions (`MASK`, and `WRONG` where a model knows more), and ``n_seen``.
    """
    seen = np.zeros(len(truth), dtype=bool)
    for contender in contenders:
        seen |= contender.seen != ""
    has_extras = any(contender.extras(names) for contender in contenders)
    parts = {ALL: np.ones(len(truth), dtype=bool)}
    if seen.any() and not seen.all():
        parts = {UNSEEN: ~seen, **parts}
    return {
        "n_seen": int(seen.sum()),
        "views": {
            images: {
                extra: _view(
                    [contender.take(rows) for contender in contenders],
                    truth[rows],
                    names,
                    groups[rows],
                    {name: words[rows] for name, words in baselines.items()},
                    extra,
                )
                for extra in ((MASK, WRONG) if has_extras else (MASK,))
            }
            for images, rows in parts.items()
        },
    }


def leading_view(facts: dict[str, Any]) -> dict[str, Any]:
    """The view that the page leads with."""
    images, extra = facts["leading"]["images"], facts["leading"]["extra"]
    view: dict[str, Any] = facts["views"][images][extra]
    return view


def _view(
    contenders: Sequence[Contender],
    truth: np.ndarray,
    names: Sequence[str],
    groups: np.ndarray,
    baselines: dict[str, np.ndarray],
    extra: str,
) -> dict[str, Any]:
    numbers = np.array([list(names).index(word) for word in truth], dtype=np.int64)
    told = [contender.over(names, extra) for contender in contenders]
    answered = np.array([are_answers(p) for _, p in told])
    right = np.array([answers_of(p, known) == truth for known, p in told])
    common: np.ndarray = np.all(answered, axis=0)
    models = []
    for row, (contender, (known, p)) in enumerate(zip(contenders, told, strict=True)):
        figures = score(numbers, p, answered[row], known)
        del figures["by_coverage"]
        guess = p[answered[row]].argmax(axis=1)
        drawn = bootstrap_figures(numbers[answered[row]], guess, groups[answered[row]], len(known))
        models.append(
            {
                "name": contender.name,
                **figures,
                "emotions": list(known),
                "common": proportion(int(right[row][common].sum()), int(common.sum())),
                "bootstrap": {
                    key: drawn[key] for key in ("by", "n_groups", "accuracy", "macro_f1")
                },
            }
        )
    titles = [contender.name for contender in contenders]
    return {
        "n_images": len(truth),
        "n_common": int(common.sum()),
        "models": models,
        "pairs": {
            images: compare_pairs(titles, right, answered, groups, images)
            for images in (ANSWERED, EVERY)
        },
        "baselines": [
            {"name": name, **_baseline(words, truth, numbers, names, common)}
            for name, words in baselines.items()
        ],
    }


def _baseline(
    words: np.ndarray,
    truth: np.ndarray,
    numbers: np.ndarray,
    names: Sequence[str],
    common: np.ndarray,
) -> dict[str, Any]:
    """The figures of answers without probabilities."""
    answered = words != ""
    certain = (words[:, None] == np.array(names, dtype=object)).astype(np.float64)
    full = score(numbers, certain, answered, names)
    both = common & answered
    found = {
        key: full[key]
        for key in ("n_images", "n_answered", "coverage", "accuracy", "accuracy_all", "macro_f1")
    }
    right = int((words == truth)[both].sum())
    return {**found, "common": proportion(right, int(both.sum()))}
