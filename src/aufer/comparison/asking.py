"""Asking several models about the same images: each picture is decoded once for all of them.

The milliseconds are measured on the way. Decoding goes on in other threads while a network runs in
this one, so its time is this thread's, which nobody else's work lengthens.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.au_table import AuTable
from aufer.bundle import AU_INPUT, IMAGE_INPUT, ONNX_NAME, Bundle
from aufer.comparison.contender import Contender
from aufer.errors import DataError
from aufer.image_input import ImageInput
from aufer.model import Answers, Model, answer_faces, answer_pictures, relate_faces
from aufer.pictures.pixels import read_pixels
from aufer.progress import Progress, no_progress
from aufer.report.of_model import knows_persons, read_rows
from aufer.seen import WAYS, find_seen

N_TIMED = 64
"""Pictures that preprocessing is timed on, by one thread, for each kind of input."""

N_TIMED_FACES = 2048


@dataclass(frozen=True)
class Asked:
    """What a model said, and how long it took.

    Attributes:
        answers: `model.Answers`, [n]. preprocessing_ms: per image, one thread, decoding included;
            None where nothing is to be done, or it was done before. inference_ms: per image, None
            where none was answered.
    """

    answers: Answers
    preprocessing_ms: float | None
    inference_ms: float | None


def ask_models(
    models: Sequence[tuple[str, Model]],
    faces: AuTable,
    rows: np.ndarray,
    min_confidence: float,
    progress: Progress = no_progress,
) -> list[Contender]:
    """Ask each model for some of the faces.

    Args:
        models: each with its name, distinct. faces: all of them: a model of AUs relative to the
            person finds the person's neutral faces among them. rows: those asked for, bool [n].

    Raises:
        DataError: as `model.answer_faces`; a model of pictures, and there are none.
    """
    asked_of = faces.picked(rows)
    by_number: dict[int, Asked] = {}
    readers = [(n, m) for n, (_, m) in enumerate(models) if m.image_input is not None]
    for number, asked in _ask_readers(readers, asked_of, progress):
        by_number[number] = asked
    for number, (_, model) in enumerate(models):
        if model.image_input is None:
            by_number[number] = _ask_of_aus(model, faces, rows, min_confidence)
    return [
        _contender(name, model, asked_of, faces, rows, by_number[number])
        for number, (name, model) in enumerate(models)
    ]


def _ask_of_aus(model: Model, faces: AuTable, rows: np.ndarray, min_confidence: float) -> Asked:
    answers = answer_faces(model, faces, min_confidence, "the test faces")
    answered = answers.answered[rows]
    found = Answers(
        answers.names,
        answered,
        answers.probabilities[rows],
        answers.warnings,
        answers.status[rows],
        answers.reasons[rows],
    )
    n = min(int(answered.sum()), N_TIMED_FACES)
    if not n:
        return Asked(found, None, None)
    columns = faces.frame.loc[:, list(model.features)].to_numpy(dtype=np.float64)
    values = columns[rows][answered][:n]
    started = time.perf_counter()
    model.predict_proba(values)
    return Asked(found, None, 1000 * (time.perf_counter() - started) / n)


def _ask_readers(
    readers: Sequence[tuple[int, Model]], faces: AuTable, progress: Progress
) -> Iterator[tuple[int, Asked]]:
    """Ask the models of pictures, each with its number, for all faces."""
    if not readers:
        return
    names = ", ".join(model.name for _, model in readers)
    if faces.paths is None or not faces.paths.astype(bool).any():
        raise DataError(
            f"These models read pictures, and the test set comes without: {names}.",
            hint="name the folder of the pictures themselves as --testset, or beside OpenFace's "
            "files: --images FOLDER",
        )
    timed = [_Timed(model) for _, model in readers]
    inputs = [each.image_input for each in timed if each.image_input is not None]
    paths = [path for path in faces.paths if path is not None]
    preprocessing = {wanted: _time_reading(paths, wanted) for wanted in dict.fromkeys(inputs)}
    for (_, model), wanted in zip(readers, inputs, strict=True):
        model.predict_proba(np.zeros((1, *wanted.shape), dtype=np.uint8))  # opens its session
    with progress(len(faces), "pictures") as step:
        found = answer_pictures(timed, faces, step)
    for (number, _), each, wanted, answers in zip(readers, timed, inputs, found, strict=True):
        n_read = int(answers.answered.sum())
        took = 1000 * each.seconds / n_read if n_read else None
        yield number, Asked(answers, preprocessing[wanted], took)


class _Timed:
    """A model of pictures whose answering is timed.

    Attributes:
        seconds: of this thread, until now.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name, self.emotions, self.image_input = model.name, model.emotions, model.image_input
        self.seconds = 0.0

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        started = time.thread_time()
        found = self._model.predict_proba(values)
        self.seconds += time.thread_time() - started
        return found


def _time_reading(paths: Sequence[Path], wanted: ImageInput) -> float | None:
    """Milliseconds of decoding and fitting a picture, the mean over some, by one thread."""
    some = paths[:: max(1, len(paths) // N_TIMED)][:N_TIMED]
    for _ in read_pixels(some[:1], [wanted], threads=1):  # what is loaded at first
        pass
    started = time.perf_counter()
    n_read = sum(len(part.rows) for part in read_pixels(some, [wanted], threads=1))
    return 1000 * (time.perf_counter() - started) / n_read if n_read else None


def _contender(
    name: str, model: Model, faces: AuTable, every: AuTable, rows: np.ndarray, asked: Asked
) -> Contender:
    """A model's answers with what is known of it, and of what it saw in training."""
    answers = asked.answers
    relative = relate_faces(model, every) if model.image_input is None else None
    values = faces.intensities() if relative is None else relative.values[rows]
    dataset = model.facts.get("dataset")
    persons_known = isinstance(dataset, dict) and knows_persons(dataset)
    seen = find_seen(read_rows(model), faces, values, persons_known=persons_known)
    warnings = [*answers.warnings, *seen.warnings()]
    return Contender(
        name,
        tuple(model.emotions.names),
        answers.answered,
        np.where(answers.answered[:, None], answers.probabilities, np.nan),
        answers.status,
        answers.reasons,
        seen.how,
        {
            "name": name,
            "source": str(model.path),
            "stored": False,
            "kind": str(model.facts.get("kind", "")),
            "input": AU_INPUT if model.image_input is None else IMAGE_INPUT,
            "pictures": "" if model.image_input is None else str(model.image_input),
            "preprocessing_ms": asked.preprocessing_ms,
            "inference_ms": asked.inference_ms,
            **_size(model),
            "seen_checked": seen.checked,
            "near_copies_checked": seen.near_copies_checked,
            "seen_ways": {way: int((seen.how == way).sum()) for way in WAYS},
            "warnings": warnings,
        },
    )


def _size(model: Model) -> dict[str, Any]:
    """MB (10^6 bytes) of the file that answers, and a network's number of parameters."""
    if not isinstance(model, Bundle):
        return {"size_mb": model.path.stat().st_size / 1e6, "parameters": None}
    path = model.path / ONNX_NAME
    return {"size_mb": path.stat().st_size / 1e6, "parameters": count_parameters(path)}


def count_parameters(path: Path) -> int | None:
    """The numbers of a network's weights in an ONNX file; None for trees and the like."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    if any(node.domain == "ai.onnx.ml" for node in graph.node):
        return None
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    return sum(
        int(np.prod(tensor.dims)) for tensor in graph.initializer if tensor.data_type in floats
    )
