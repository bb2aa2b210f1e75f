"""The reasons for a model's answers to faces, as plain facts (docs/explaining.md has the keys)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_RANGE
from aufer.emotions import OPTIONAL_AUS, PROTOTYPES
from aufer.explaining.baseline import Baseline
from aufer.explaining.change import ANY, Change, smallest_changes
from aufer.explaining.outputs import PROBABILITY, value_of
from aufer.explaining.shapley import Shares, exact_shares, sampled_shares
from aufer.model import Model
from aufer.prototypes import NEUTRAL, TRACE, prototype_agreement, prototype_of

FACES_AT_ONCE = 50
"""Faces between two reports of progress."""


@dataclass(frozen=True)
class Question:
    """What is asked of a model about each face.

    Attributes:
        baseline: what faces are compared with. scale: one of `outputs.SCALES`.
        why_not: further emotions that are shown, by name. pairs, seed: `shapley.sampled_shares`.
    """

    baseline: Baseline
    scale: str = PROBABILITY
    why_not: tuple[str, ...] = ()
    pairs: int = 1000
    seed: int = 0


def explain_faces(
    model: Model,
    values: np.ndarray,
    measured: np.ndarray | None,
    question: Question,
    on_step: Callable[[int], None] = lambda n: None,
) -> list[dict[str, Any]]:
    """The reasons for each face's answer.

    Args:
        model: of AUs. values: what it takes, float64 [n, features], no gaps.
        measured: the intensities, 0-5, that ``values`` are or were made of, [n, features]; None
            where only differences are known.
        on_step: told how many more faces are done.
    """
    found: list[dict[str, Any]] = []
    for start in range(0, len(values), FACES_AT_ONCE):
        part = slice(start, start + FACES_AT_ONCE)
        shares = shares_of(model, values[part], question)
        probabilities = shares.at_face
        if question.scale != PROBABILITY:
            probabilities = model.predict_proba(values[part]).astype(np.float64)
        for row in range(len(values[part])):
            found.append(
                _explain_face(
                    model,
                    values[start + row],
                    None if measured is None else measured[start + row],
                    probabilities[row],
                    shares,
                    row,
                    question,
                )
            )
            on_step(1)
    return found


def shares_of(model: Model, values: np.ndarray, question: Question) -> Shares:
    """The Shapley values of faces: exact against one row, else estimated.

    Args:
        values: [n, features], at least one row.
    """
    value = value_of(model, question.scale)
    faces = values.astype(np.float32)  # as the model takes them: half the memory
    rows = question.baseline.rows
    if not question.baseline.is_background:
        return exact_shares(value, faces, rows[0])
    each = [
        sampled_shares(value, face, rows, pairs=question.pairs, seed=question.seed)
        for face in faces
    ]
    return Shares(
        np.concatenate([one.shares for one in each]),
        np.concatenate([one.at_face for one in each]),
        np.concatenate([one.at_baseline for one in each]),
        np.concatenate([one.errors for one in each if one.errors is not None]),
        sum(one.n_rows for one in each),
    )


def _explain_face(
    model: Model,
    values: np.ndarray,
    measured: np.ndarray | None,
    probabilities: np.ndarray,
    shares: Shares,
    row: int,
    question: Question,
) -> dict[str, Any]:
    names, aus = model.emotions.names, [name.removesuffix("_r") for name in model.features]
    answer = names[int(probabilities.argmax())]
    shown = list(dict.fromkeys([answer, *question.why_not]))
    base = None if question.baseline.is_background else question.baseline.rows[0]
    reasons = {
        name: _reason(aus, values, base, shares, row, number) for number, name in enumerate(names)
    }
    return {
        "answer": answer,
        "probabilities": _by_name(names, probabilities),
        "shown": shown,
        "aus": _by_name(aus, values),
        "measured": _by_name(aus, values if measured is None else measured),
        "reasons": reasons,
        "prototypes": _prototypes(model, values if measured is None else measured, reasons),
        "changes": _changes(model, values, measured, shown),
    }


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _reason(
    aus: Sequence[str],
    values: np.ndarray,
    base: np.ndarray | None,
    shares: Shares,
    row: int,
    number: int,
) -> dict[str, Any]:
    """Why the output of one emotion is what it is: its AUs, the weightiest first."""
    own = shares.shares[row, :, number]
    errors = None if shares.errors is None else shares.errors[row, :, number]
    order = np.argsort(-np.abs(own), kind="stable")
    return {
        "at_baseline": float(shares.at_baseline[row, number]),
        "at_face": float(shares.at_face[row, number]),
        "shares": [
            {
                "au": aus[k],
                "value": float(values[k]),
                "baseline": None if base is None else float(base[k]),
                "share": float(own[k]),
                "error": None if errors is None else float(errors[k]),
            }
            for k in order.tolist()
            if base is None or np.float32(values[k]) != np.float32(base[k])
        ],
    }


def _prototypes(
    model: Model, measured: np.ndarray, reasons: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """How the face agrees with each emotion's published prototype, and the reasons with it.

    ``of_reasons``: of all that speaks for the emotion, the share of the prototype's AUs (optional
    ones too); None for neutral, whose prototype is that all are low, and where nothing speaks for
    the emotion.
    """
    names = model.emotions.names
    agreement = prototype_agreement(measured[None], model.features, names)[0]
    value_of_au = {
        name.removesuffix("_r"): float(value)
        for name, value in zip(model.features, measured, strict=True)
    }
    by_emotion: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(names):
        key = prototype_of(name)
        if key is None or np.isnan(agreement[number]):
            continue
        own = [au for au in PROTOTYPES[key] if au in value_of_au]
        with_optional = {*own, *OPTIONAL_AUS.get(key, ())}
        speaks = {s["au"]: s["share"] for s in reasons[name]["shares"] if s["share"] > 0}
        total = sum(speaks.values())
        by_prototype = sum(share for au, share in speaks.items() if au in with_optional)
        by_emotion[name] = {
            "agreement": float(agreement[number]),
            "there": [au for au in own if value_of_au[au] >= TRACE],
            "missing": [au for au in own if value_of_au[au] < TRACE],
            "of_reasons": by_prototype / total if total > 0 and key != NEUTRAL else None,
        }
    best = max(by_emotion, key=lambda name: by_emotion[name]["agreement"], default=None)
    return {"best": best, "by_emotion": by_emotion}


def _changes(
    model: Model, values: np.ndarray, measured: np.ndarray | None, shown: Sequence[str]
) -> list[dict[str, Any]]:
    """The smallest change to any other answer, and to each emotion that was asked about."""
    least, most = INTENSITY_RANGE
    if measured is None:
        low, high = np.full(len(values), least - most), np.full(len(values), most - least)
    else:  # relative to the person or not: as measured, an AU stays within its range
        low, high = least + values - measured, most + values - measured
    names = model.emotions.names
    targets = [ANY, *(names.index(name) for name in shown[1:])]
    found = smallest_changes(value_of(model), values, low, high, targets)
    return [
        _change_facts(model, values, None if target == ANY else names[target], change)
        for target, change in found.items()
    ]


def _change_facts(
    model: Model, values: np.ndarray, target: str | None, change: Change | None
) -> dict[str, Any]:
    """``target``: the emotion that was wanted; None: any other answer."""
    if change is None:
        return {"target": target, "found": False}
    return {
        "target": target,
        "found": True,
        "aus": [
            {
                "au": model.features[position].removesuffix("_r"),
                "from": float(values[position]),
                "to": value,
            }
            for position, value in change.values.items()
        ],
        "total": change.total,
        "answer": model.emotions.names[change.answer],
        "probability": float(change.outputs[change.answer]),
    }
