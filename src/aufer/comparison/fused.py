"""Fusing two of the compared models: which two, the validation images, the fusion's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aufer.au_table import OK, AuTable
from aufer.bundle import AU_INPUT, IMAGE_INPUT
from aufer.comparison.asking import ask_models
from aufer.comparison.contender import MASK, Contender, are_answers
from aufer.comparison.fusion import LEAST_IMAGES, Fusion, fit_fusion, fuse
from aufer.comparison.matching import find_overlap, match_images
from aufer.comparison.stored import Stored
from aufer.errors import DataError, UsageError
from aufer.model import Model
from aufer.progress import Progress

FUSION = "fusion"
"""What a fusion reads, in the place of AUs or images; also its name."""


@dataclass(frozen=True)
class Validation:
    """Labelled images, neither trained nor tested on, that say how two models are fused.

    Attributes:
        faces: to ask the models about; None where all their answers are stored.
        stored: answers of the two, in the order of the models; of one, those of the stored one.
        source: where they come from, for the report.
    """

    faces: AuTable | None
    stored: tuple[Stored, ...] = ()
    source: str = ""


def parts_of(contenders: Sequence[Contender]) -> tuple[int, int]:
    """The two that are fused: the first model of AUs and the first of images, else the only two.

    Raises:
        UsageError: there are more than two, and not one of each kind.
    """
    inputs = [contender.facts["input"] for contender in contenders]
    if AU_INPUT in inputs and IMAGE_INPUT in inputs:
        one, other = sorted((inputs.index(AU_INPUT), inputs.index(IMAGE_INPUT)))
        return one, other
    if len(contenders) == 2:
        return 0, 1
    raise UsageError(
        "Which two models are to be fused can't be told: there is no model of AUs beside one of "
        "images, and there are more than two.",
        hint="compare the two that are to be fused only",
    )


def fit_parts(
    parts: Sequence[tuple[Model | Stored, Contender]],
    validation: Validation,
    tested: AuTable,
    names: Sequence[str],
    min_confidence: float,
    progress: Progress,
) -> tuple[Fusion, list[str]]:
    """Weigh two models by validation images, and say what was left out of these.

    Args:
        parts: each with what it is called among the compared. tested: the test images.
        names: the emotions asked for; validation images of others are left out.

    Raises:
        UsageError: a model's answers to the validation images are missing.
        DataError: fewer than `LEAST_IMAGES` are left that both answer and nobody saw.
    """
    tables, answers = _answers(parts, validation, min_confidence, progress)
    rows, notes = match_images(tables, [contender.name for contender in answers], common=True)
    first, second = (each.take(of) for each, of in zip(answers, rows, strict=True))
    faces = tables[0].picked(rows[0])
    truth = faces.frame["emotion"].to_numpy(dtype=object)
    asked_for = np.isin(truth, names)
    copies = find_overlap(faces, tested)
    trained_on = (first.seen != "") | (second.seen != "")
    for rows_out, why in (
        (~asked_for, "are of other emotions"),
        (asked_for & copies, "are test images"),
        (asked_for & ~copies & trained_on, "were training images of one of the two"),
    ):
        if rows_out.any():
            notes.append(f"{int(rows_out.sum()):,} validation images are left out: they {why}")
    for contender in answers:
        contender.check_knows(names, names)
        if not contender.facts["seen_checked"]:
            notes.append(
                f"whether {contender.name} was trained on the validation images is not known"
            )
    p = [each.over(names, MASK)[1] for each in (first, second)]
    used = asked_for & ~copies & ~trained_on & are_answers(p[0]) & are_answers(p[1])
    if used.sum() < LEAST_IMAGES:
        said = "; ".join(notes)
        raise DataError(
            f"{int(used.sum())} of the {len(faces):,} validation images can be used; at least "
            f"{LEAST_IMAGES} are needed to weigh two models{f' ({said})' if said else ''}.",
            hint="name images that neither model was trained on, and that are no test images",
        )
    numbers = np.array([list(names).index(word) for word in truth[used]], dtype=np.int64)
    return fit_fusion(p[0][used], p[1][used], numbers), notes


def _answers(
    parts: Sequence[tuple[Model | Stored, Contender]],
    validation: Validation,
    min_confidence: float,
    progress: Progress,
) -> tuple[list[AuTable], list[Contender]]:
    """What the two say of the validation images, and these."""
    stored = list(validation.stored)
    all_stored = len(stored) == len(parts) and validation.faces is None
    tables: list[AuTable] = []
    answers: list[Contender] = []
    for entrant, contender in parts:
        if isinstance(entrant, Stored) or all_stored:
            if not stored:
                raise UsageError(
                    f"What {contender.name} says of the validation images isn't known: its "
                    "answers come from a file.",
                    hint="name its answers to these too: --validation predictions.csv",
                )
            given = stored.pop(0)
            tables.append(given.faces)
            answers.append(given.contender(contender.name, np.arange(len(given.faces))))
            continue
        if validation.faces is None:
            raise UsageError(
                f"There are no validation images to ask {contender.name} about.",
                hint="name a folder of labelled images: --validation FOLDER",
            )
        faces = validation.faces
        every = np.arange(len(faces))
        tables.append(faces)
        answers += ask_models([(contender.name, entrant)], faces, every, min_confidence, progress)
    return tables, answers


def fused_contender(
    first: Contender, second: Contender, fusion: Fusion, names: Sequence[str]
) -> Contender:
    """The fusion's answers to the test images; it answers where one of the two does."""
    p = fuse(first.over(names, MASK)[1], second.over(names, MASK)[1], fusion.weight, fusion.mean)
    answered = are_answers(p)
    neither = np.where(answered, "", "neither model answers")
    facts = (first.facts, second.facts)
    return Contender(
        FUSION,
        tuple(names),
        answered,
        p,
        np.where(answered, OK, second.status).astype(object),
        neither.astype(object),
        np.where(first.seen != "", first.seen, second.seen),
        {
            "name": FUSION,
            "source": f"{first.name} and {second.name}",
            "stored": False,
            "kind": FUSION,
            "input": FUSION,
            **{
                key: _sum([each[key] for each in facts])
                for key in ("preprocessing_ms", "inference_ms", "size_mb", "parameters")
            },
            "seen_checked": all(each["seen_checked"] for each in facts),
            "warnings": [],
        },
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
