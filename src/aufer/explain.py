"""The verb ``explain``: why a model answers as it does, face by face.

AU models by exact Shapley values (`explaining.shapley`), the FACS prototypes and the smallest
change that gives another answer; image models by what covering parts of the picture does
(`explaining.saliency`). A model as a whole: `explaining.whole_model`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import BOX_COLUMNS, FAILED_STATUSES, OK, AuTable
from aufer.bundle import ONNX_NAME, check_features
from aufer.errors import DataError, UsageError
from aufer.explaining.baseline import (
    MOST_BACKGROUND,
    Baseline,
    background_of,
    mean_baseline,
    neutral_baseline,
    training_faces,
    zero_baseline,
)
from aufer.explaining.face_picture import FacePicture
from aufer.explaining.outputs import PROBABILITY, SCALES
from aufer.explaining.page import SCHEMA
from aufer.explaining.reasons import Question, explain_faces
from aufer.explaining.saliency import probability_lost, saliency_map
from aufer.measures import check_measure, describe_measure
from aufer.model import Model, answer_faces, normalization_of, relate_faces
from aufer.openface.faces import read_faces
from aufer.openface.landmarks import find_landmarks
from aufer.pictures.pixels import read_pixels
from aufer.progress import Progress, no_progress
from aufer.provenance import made_by, versions

if TYPE_CHECKING:
    from aufer.groups import GroupRule
    from aufer.openface.faces import EngineMaker
    from aufer.openface.measuring.plan import Plan

ZERO, NEUTRAL = "zero", "neutral"
MOST_FACES = 10
"""So many faces are explained unless they are named."""


@dataclass(frozen=True)
class Explanation:
    """The reasons for a model's answers.

    Attributes:
        facts: content of ``explain.json`` (docs/explaining.md). pictures: what there is to draw of
            each face in ``facts["faces"]``.
    """

    facts: dict[str, Any]
    pictures: tuple[FacePicture, ...]


def explain(
    model: Model,
    source: Path,
    *,
    rows: Sequence[str] = (),
    most: int = MOST_FACES,
    baseline: str = ZERO,
    background: str | None = None,
    scale: str = PROBABILITY,
    why_not: Sequence[str] = (),
    pairs: int = 1000,
    seed: int = 0,
    min_confidence: float = 0.0,
    engine: EngineMaker | None = None,
    plan: Plan | None = None,
    keep_in: Path | None = None,
    groups: GroupRule | None = None,
    images: Path | None = None,
    progress: Progress = no_progress,
    command: str = "",
) -> Explanation:
    """Why a model answers as it does to faces.

    Args:
        source: whatever `openface.faces.read_faces` takes. engine, plan, keep_in, groups, images:
            likewise.
        rows: names of images, or numbers of rows, from 1; none: the first ``most`` with an answer.
        baseline: ``zero`` (all AUs 0), ``neutral`` (the mean neutral training face) or a path: the
            mean of its faces. background: a path, or a number of training faces, instead; then
            ``pairs`` of random orders are drawn by ``seed``.
        scale: one of `outputs.SCALES`. why_not: further emotions to tell about.
        min_confidence: faces that OpenFace fitted with less have no answer.
        command: what was typed, for the record.

    Raises:
        UsageError: no such file, face, emotion or scale. DataError: no face has an answer; the
        model doesn't hold its training faces; or what `model.answer_faces` raises.
    """
    asked = _check_asked(model, scale, why_not)
    is_image_model = model.image_input is not None
    faces = read_faces(
        source, model.emotions, engine=engine, plan=plan, labelled=False, keep_in=keep_in,
        groups=groups, images=images, pictures_only=is_image_model, progress=progress,
    )  # fmt: skip
    chosen = choose_rows(faces, rows, source)
    if is_image_model and not rows:  # each picture has to be read: no more than are wanted
        chosen = chosen[:most]
    answers = answer_faces(model, faces.picked(chosen), min_confidence, "the faces")
    answered = chosen[answers.answered]
    taken = answered if rows else answered[:most]
    unanswered = [
        {"image": faces.frame["image"].iat[row], "status": status, "reason": reason}
        for row, status, reason in zip(chosen, answers.status, answers.reasons, strict=True)
        if status != OK
    ]
    if not len(taken):
        why = f": {unanswered[0]['image']} is {unanswered[0]['status']}" if unanswered else ""
        raise DataError(
            f"No face in {source} has an answer to explain{why}.",
            hint="aufer predict shows the status of each image",
        )
    one = faces.picked(taken)
    facts = {
        "schema": SCHEMA,
        **made_by(),
        "command": command,
        "model": _model_facts(model),
        "input": source.as_posix(),
        "n_rows": len(faces),
        "n_left_out": len(answered) - len(taken) + (len(faces) - len(chosen) if not rows else 0),
        "scale": scale,
        "pairs": pairs,
        "seed": seed,
        "relative": None,
        "knows_measured": True,
        "baseline": None,
        "n_unanswered": len(unanswered),
        "n_failed": sum(one["status"] in FAILED_STATUSES for one in unanswered),
        "unanswered": unanswered[:most],
        "warnings": [*answers.warnings, *faces.notes],
        "versions": versions("numpy", "onnxruntime"),
    }
    with progress(len(taken), "explain", "face") as step:
        if is_image_model:
            found, pictures = _explain_pictures(model, one, step)
        else:
            chosen_baseline = _read_baseline(model, baseline, background, seed)
            question = Question(chosen_baseline, scale, asked, pairs, seed)
            values, measured = _values_of(model, faces)
            known = None if measured is None else measured[taken]
            found = explain_faces(model, values[taken], known, question, step)
            facts["baseline"] = _baseline_facts(model, chosen_baseline)
            how = normalization_of(model)
            facts["relative"] = how.how if how.is_relative else None
            facts["knows_measured"] = measured is not None
            points = find_landmarks(
                faces, source, store_folder=keep_in, policy=plan.faces if plan else "largest"
            )
            pictures = [_picture_of(faces, row, points) for row in taken.tolist()]
    facts["faces"] = [{**_row_facts(one, n), **face} for n, face in enumerate(found)]
    return Explanation(facts, tuple(pictures))


def _check_asked(model: Model, scale: str, why_not: Sequence[str]) -> tuple[str, ...]:
    """The emotions of ``why_not``, by the model's own names."""
    if scale not in SCALES:
        raise UsageError(f"There is no scale '{scale}'; known are {', '.join(SCALES)}.")
    names = []
    for word in why_not:
        name = model.emotions.find_name(word)
        if name is None:
            raise UsageError(
                f"The model {model.name} doesn't know the emotion '{word}'; it knows "
                f"{model.emotions}.",
                hint=f"--why-not {model.emotions.nearest(word) or model.emotions.names[0]}",
            )
        names.append(name)
    return tuple(names)


def choose_rows(faces: AuTable, wanted: Sequence[str], source: Path) -> np.ndarray:
    """Positions of the faces that were named, int64; of all where none was.

    A name is that of the image, its end after a slash, or the number of the row, from 1.

    Raises:
        UsageError: there is none of that name, or several.
    """
    if not wanted:
        return np.arange(len(faces))
    images = faces.frame["image"].tolist()
    found = []
    for word in wanted:
        rows = [row for row, image in enumerate(images) if image == word]
        rows = rows or [row for row, image in enumerate(images) if image.endswith(f"/{word}")]
        if not rows and word.isdecimal() and 1 <= int(word) <= len(images):
            rows = [int(word) - 1]
        if len(rows) != 1:
            listed = ", ".join(images[row] for row in rows[:3]) or f"the first is {images[0]}"
            what = "several faces" if rows else "no face"
            raise UsageError(
                f"{source} has {what} of the name '{word}': {listed}.",
                hint=f"name the image as it stands there, or its row: --row 1 … {len(images)}",
            )
        found.append(rows[0])
    return np.array(list(dict.fromkeys(found)), dtype=np.int64)


def _values_of(model: Model, faces: AuTable) -> tuple[np.ndarray, np.ndarray | None]:
    """What the model takes of each face, and the measured intensities; [n, features] each.

    The latter are None where only differences from the person are known.
    """
    check_features(model.features, INTENSITY_COLUMNS, model.name)
    columns = [INTENSITY_COLUMNS.index(name) for name in model.features]
    given = faces.intensities()[:, columns]
    relative = relate_faces(model, faces)
    if relative is not None:
        return relative.values[:, columns], given
    return given, None if faces.normalization.is_relative else given


def _read_baseline(model: Model, baseline: str, background: str | None, seed: int) -> Baseline:
    if background is not None:
        if background.isdecimal():
            rows = training_faces(model).values
            most = max(1, int(background))
            return background_of(rows, model.name, most=most, seed=seed)
        rows = _read_rows(model, Path(background))
        return background_of(rows, background, most=MOST_BACKGROUND, seed=seed)
    if baseline == ZERO:
        return zero_baseline(len(model.features))
    if baseline == NEUTRAL:
        return neutral_baseline(model)
    return mean_baseline(_read_rows(model, Path(baseline)), baseline)


def _read_rows(model: Model, path: Path) -> np.ndarray:
    """What the model takes of the usable faces of a file, float64 [n, features]."""
    if not path.exists():
        raise UsageError(
            f"There is no {path} to take the baseline from.",
            hint="--baseline zero, --baseline neutral, or a file or folder of OpenFace's or of AUs",
        )
    faces = read_faces(path, model.emotions, labelled=False)
    check_measure(model.name, model.extractor, faces.extractor)
    values, _ = _values_of(model, faces)
    rows: np.ndarray = values[faces.is_usable() & ~np.isnan(values).any(axis=1)]
    if not len(rows):
        raise DataError(f"{path} has no usable face to be a baseline.", hint="--baseline zero")
    return rows


def _baseline_facts(model: Model, baseline: Baseline) -> dict[str, Any]:
    probabilities = model.predict_proba(baseline.rows).astype(np.float64).mean(axis=0)
    by_name = dict(zip(model.emotions.names, probabilities.tolist(), strict=True))
    return {**baseline.facts(model.features), "probabilities": by_name}


def _model_facts(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "path": model.path.as_posix(),
        "kind": model.facts.get("kind"),
        "sha256": model.facts.get("files", {}).get(ONNX_NAME, model.facts.get("sha256")),
        "input": "image" if model.image_input is not None else "aus",
        "labels": list(model.emotions.names),
        "measured_by": describe_measure(model.extractor),
    }


def _row_facts(faces: AuTable, row: int) -> dict[str, Any]:
    confidence = float(faces.frame["confidence"].to_numpy()[row])
    return {
        "image": faces.frame["image"].iat[row],
        "label": faces.frame["emotion"].iat[row],
        "confidence": None if np.isnan(confidence) else confidence,
    }


def _picture_of(faces: AuTable, row: int, points: dict[int, np.ndarray]) -> FacePicture:
    box = faces.frame[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)[row]
    path = None if faces.paths is None else faces.paths[row]
    left, top, width, height = map(float, box)
    return FacePicture(
        path, points.get(row), None if np.isnan(box).any() else (left, top, width, height)
    )


def _explain_pictures(
    model: Model, faces: AuTable, step: Callable[[int], None]
) -> tuple[list[dict[str, Any]], list[FacePicture]]:
    """Where a model of pictures looked, face by face."""
    wanted = model.image_input
    paths = faces.paths
    assert wanted is not None, "it is a model of pictures"
    assert paths is not None, "answer_faces asks for them"
    found, pictures = [], []
    for part in read_pixels(paths.tolist(), [wanted]):
        for row, pixels in zip(part.rows.tolist(), part.of_input[wanted], strict=True):
            probabilities = model.predict_proba(pixels[None])[0].astype(np.float64)
            label = int(probabilities.argmax())
            lost = probability_lost(model, pixels, label)
            found.append(
                {
                    "answer": model.emotions.names[label],
                    "probabilities": dict(
                        zip(model.emotions.names, probabilities.tolist(), strict=True)
                    ),
                    "saliency": _thirds(lost),
                    "most_lost": float(lost.max()),
                }
            )
            pictures.append(FacePicture(paths[row], pixels=pixels, saliency=saliency_map(lost)))
            step(1)
    return found, pictures


def _thirds(saliency: np.ndarray) -> dict[str, float] | None:
    """Shares of what speaks for the answer, by thirds of the picture's height; None: nothing."""
    weight = np.clip(saliency, 0, None).sum(axis=1)
    total = float(weight.sum())
    if total <= 0:
        return None
    parts = np.array_split(weight, 3)
    names = ("upper", "middle", "lower")
    return {name: float(part.sum()) / total for name, part in zip(names, parts, strict=True)}
