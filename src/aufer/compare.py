"""The verb ``compare``: several models on the same images, and what chance alone explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aufer.au_table import DEFAULT_MIN_CONFIDENCE, AuTable
from aufer.comparison.asking import ask_models
from aufer.comparison.baselines import answer_baselines
from aufer.comparison.contender import (
    EXTRAS,
    MASK,
    Contender,
    answers_of,
    distinct_names,
    join_emotions,
)
from aufer.comparison.disagreements import N_SHOWN, find_disagreements
from aufer.comparison.figures import ALL, UNSEEN, make_views
from aufer.comparison.fused import FUSION, Validation, fit_parts, fused_contender, parts_of
from aufer.comparison.matching import match_images
from aufer.comparison.page import SCHEMA
from aufer.comparison.reasons import add_reasons
from aufer.comparison.stored import Stored
from aufer.emotions import DEFAULT_NAMES, Emotions
from aufer.errors import DataError, UsageError
from aufer.model import Model
from aufer.progress import Progress, no_progress
from aufer.provenance import made_by, versions
from aufer.report.of_model import read_rows

Entrant = Model | Stored
"""What can be compared: a model, or the answers of one."""


@dataclass(frozen=True)
class Comparison:
    """Several models compared.

    Attributes:
        facts: content of ``comparison.json`` (docs/comparing.md).
        predictions: one row per image, and of each model its status, answer and probabilities.
        disagreements: `find_disagreements`, of the images that lead.
        pictures: where the picture of an image lies, as far as it is known.
    """

    facts: dict[str, Any]
    predictions: pd.DataFrame
    disagreements: list[dict[str, Any]]
    pictures: dict[str, Path]


def compare(
    entrants: Sequence[Entrant],
    faces: AuTable | None = None,
    *,
    testset: str = "",
    emotions: Emotions | None = None,
    extra: str = MASK,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    common: bool = False,
    validation: Validation | None = None,
    progress: Progress = no_progress,
    command: str = "",
) -> Comparison:
    """Compare models on the same images.

    Args:
        entrants: two or more models, or stored answers of models.
        faces: the test images with their emotions, AUs for models of AUs, paths for models of
            pictures; None: those of the stored answers. testset: where they come from.
        emotions: test images of others are left out, and only these are asked for; None: all that
            occur, and those of the usual six that every model knows.
        extra: which figures lead where a model knows more emotions, one of `contender.EXTRAS`.
        min_confidence: faces fitted by OpenFace with less are not answered by models of AUs.
        common: where the stored answers are of other images, take those that all have.
        validation: adds a fusion of the first model of AUs and the first of pictures, else of the
            two there are.
        command: what was typed, for the record.

    Raises:
        UsageError: fewer than two models; models and no faces; no two models to fuse.
        DataError: no image; fewer than two emotions asked for; emotions that a model doesn't know;
        different image sets; validation images that are test or training images all of them.
    """
    if extra not in EXTRAS:
        raise UsageError(f"There is no way '{extra}' to count; known are {', '.join(EXTRAS)}.")
    _check_entrants(entrants, faces)
    titles = distinct_names([e.name for e in entrants], [e.path for e in entrants], (FUSION,))
    known = join_emotions(entrant.emotions for entrant in entrants)
    if emotions is not None:
        emotions = Emotions(tuple(known.find_name(name) or name for name in emotions))
    stored = [entrant for entrant in entrants if isinstance(entrant, Stored)]
    given = [*([faces] if faces is not None else []), *(each.faces for each in stored)]
    tables = [_in_words_of(known, table) for table in given]
    kept = [_of_emotions(table, emotions) for table in tables]
    sources = [*([testset] if faces is not None else []), *(str(each.path) for each in stored)]
    matched, notes = match_images([t.picked(k) for t, k in zip(tables, kept, strict=True)],
                                  sources, common=common)  # fmt: skip
    rows = [np.flatnonzero(k)[m] for k, m in zip(kept, matched, strict=True)]
    tested = tables[0].picked(rows[0])
    contenders = [
        replace(each, emotions=tuple(known.find_name(name) or name for name in each.emotions))
        for each in _ask(entrants, titles, tables, rows, min_confidence, progress)
    ]
    shared = [name for name in known if all(name in c.emotions for c in contenders)]
    names = _names_of(tested, emotions, known, shared)
    for contender in contenders:
        contender.check_knows(names, shared)
    fusion = None
    if validation is not None:
        one, other = parts_of(contenders)
        parts = [(entrants[k], contenders[k]) for k in (one, other)]
        fitted, said = fit_parts(parts, validation, tested, names, min_confidence, progress)
        contenders.append(fused_contender(contenders[one], contenders[other], fitted, names))
        fusion = {
            "name": contenders[-1].name,
            "parts": [contenders[one].name, contenders[other].name],
            "source": validation.source,
            **fitted.facts(),
            "notes": said,
        }
    truth = tested.frame["emotion"].to_numpy(dtype=object)
    trained = [
        (title, None if isinstance(entrant, Stored) else _trained_on(entrant, known))
        for title, entrant in zip(titles, entrants, strict=True)
    ]
    baselines, told = answer_baselines(tested, names, trained, min_confidence)
    groups = tested.frame["group"].to_numpy(dtype=object)
    figures = make_views(contenders, truth, names, groups, baselines)
    images = UNSEEN if UNSEEN in figures["views"] else ALL
    leading = {"images": images, "extra": extra if extra in figures["views"][images] else MASK}
    seen: np.ndarray = np.any([contender.seen != "" for contender in contenders], axis=0)
    disagreements = [
        each
        for each in find_disagreements(
            contenders, tested.frame["image"].tolist(), truth, names, leading["extra"]
        )
        if images == ALL or not each["seen"]
    ]
    models = {t: e for t, e in zip(titles, entrants, strict=True) if not isinstance(e, Stored)}
    if models:
        add_reasons(disagreements[:N_SHOWN], models, tables[0], rows[0])
    facts = {
        "schema": SCHEMA,
        **made_by(),
        "command": command,
        "testset": _testset_facts(tables[0], kept[0], tested, sources[0], names),
        "emotions": list(names),
        "min_confidence": min_confidence,
        "leading": leading,
        "models": [
            {
                **contender.facts,
                "extra_emotions": list(contender.extras(names)),
                "seen": tested.frame.loc[contender.seen != "", "image"].tolist(),
            }
            for contender in contenders
        ],
        "baselines": told,
        "fusion": fusion,
        "n_disagreements": len(disagreements),
        "disagreements": disagreements[:N_SHOWN],
        **figures,
        "notes": [*notes, *tested.notes],
        "versions": versions("aufer", "numpy", "scipy", "scikit-learn", "onnxruntime"),
    }
    paths = tested.paths if tested.paths is not None else [None] * len(tested)
    return Comparison(
        facts,
        _tabulate(contenders, tested, seen),
        disagreements,
        {
            name: path
            for name, path in zip(tested.frame["image"], paths, strict=True)
            if path is not None
        },
    )


def _check_entrants(entrants: Sequence[Entrant], faces: AuTable | None) -> None:
    """Raise where there is nothing to compare, or nothing to compare on."""
    if len(entrants) < 2:
        raise UsageError(
            "There is one model only; a comparison takes two or more.",
            hint="aufer compare MODEL MODEL --testset FOLDER; of one model: aufer evaluate",
        )
    if faces is None and not all(isinstance(each, Stored) for each in entrants):
        raise UsageError(
            "Models are compared on images, and none are named.",
            hint="add: --testset FOLDER",
        )
    if faces is not None and faces.frame.empty:
        raise DataError("The test set has no images.")


def _in_words_of(known: Emotions, faces: AuTable) -> AuTable:
    """Images with the words for emotions that the models use."""
    words = {word: known.find_name(word) or word for word in faces.frame["emotion"].unique()}
    return replace(faces, frame=faces.frame.assign(emotion=faces.frame["emotion"].map(words)))


def _trained_on(model: Model, known: Emotions) -> pd.DataFrame | None:
    """The rows of a model's dataset in these words; None where it doesn't tell."""
    rows = read_rows(model)
    if rows is None:
        return None
    return rows.assign(emotion=[known.find_name(word) or word for word in rows["emotion"]])


def _of_emotions(faces: AuTable, emotions: Emotions | None) -> np.ndarray:
    """Which rows are of the emotions asked for, bool [n]."""
    if emotions is None:
        return np.ones(len(faces), dtype=bool)
    kept: np.ndarray = faces.frame["emotion"].isin(emotions.names).to_numpy()
    if not kept.any():
        raise DataError(
            f"The test set has no image of {emotions}.",
            hint=f"it has {', '.join(sorted(faces.frame['emotion'].unique()))}",
        )
    return kept


def _names_of(
    faces: AuTable, emotions: Emotions | None, known: Emotions, shared: Sequence[str]
) -> tuple[str, ...]:
    """The emotions that are asked for.

    Those that were typed; else those that occur, and those of the usual six that every model knows:
    were answers that don't occur left out, the labels would have helped the models.
    """
    if emotions is not None:
        names = tuple(emotions.names)
    else:
        usual = {known.find_name(name) for name in DEFAULT_NAMES}
        there = set(faces.frame["emotion"])
        asked = there | (usual & set(shared))
        names = (*(n for n in known if n in asked), *sorted(there - set(known)))
    if len(names) < 2:
        raise DataError(
            f"Only {names[0]} is asked for: every answer would be right.",
            hint="compare on two emotions or more: --emotions angry,happy,…",
        )
    return names


def _ask(
    entrants: Sequence[Entrant],
    titles: Sequence[str],
    tables: Sequence[AuTable],
    rows: Sequence[np.ndarray],
    min_confidence: float,
    progress: Progress,
) -> list[Contender]:
    """The answers of each entrant, in order, to the same images.

    Args:
        tables: the test images for models, where there are models or a test set was named; then
            those of each file of stored answers. rows: positions of the compared ones in each.
    """
    named = list(zip(titles, entrants, strict=True))
    models = [(title, each) for title, each in named if not isinstance(each, Stored)]
    of_models = iter(
        ask_models(models, tables[0], rows[0], min_confidence, progress) if models else ()
    )
    n_stored = len(entrants) - len(models)
    of_stored = iter(rows[len(rows) - n_stored :])
    return [
        each.contender(title, next(of_stored)) if isinstance(each, Stored) else next(of_models)
        for title, each in named
    ]


def _testset_facts(
    faces: AuTable, kept: np.ndarray, tested: AuTable, source: str, names: Sequence[str]
) -> dict[str, Any]:
    """Where the test images come from, how many there are, and what was left out."""
    left_out = faces.frame.loc[~kept, "emotion"].value_counts()
    groups = tested.frame.loc[tested.frame["group"] != "", "group"]
    return {
        "source": source,
        "n_images": len(tested),
        "by_emotion": {name: int((tested.frame["emotion"] == name).sum()) for name in names},
        "left_out": {str(name): int(n) for name, n in left_out.items()},
        "statuses": tested.counts(),
        "n_failed": tested.n_failed,
        "n_groups": int(groups.nunique()),
        "groups": tested.grouping.facts(),
        "extractor": tested.extractor.facts(),
    }


def _tabulate(contenders: Sequence[Contender], faces: AuTable, seen: np.ndarray) -> pd.DataFrame:
    """``predictions.csv``: what each model says of each image, as it is: nothing masked."""
    frame = faces.frame
    columns: dict[str, Any] = {
        **{name: frame[name].to_numpy() for name in ("image", "sha256", "group", "emotion")},
        "seen_in_training": seen,
    }
    for contender in contenders:
        words = answers_of(contender.probabilities, contender.emotions)
        columns[f"{contender.name}.status"] = contender.status
        columns[f"{contender.name}.predicted"] = words
        for name, p in zip(contender.emotions, contender.probabilities.T, strict=True):
            columns[f"{contender.name}.{name}"] = p
    return pd.DataFrame(columns)
