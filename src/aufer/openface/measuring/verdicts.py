"""What OpenFace's files say of each picture, read as soon as they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aufer.openface.output import choose_faces, read_face_csvs
from aufer.openface.store import Look, LookFiles
from aufer.openface.ways import Way


@dataclass(frozen=True)
class Verdict:
    """What was seen in one picture.

    Attributes:
        problem: why its CSV can't be used; empty if it can.
        confidence: policy (``largest``, ``best``) -> confidence of the face it takes, 0-1.
    """

    problem: str = ""
    n_faces: int = 0
    confidence: Mapping[str, float] = field(default_factory=dict)

    def to_look(self, way: Way, seconds: float, *, annotated: bool) -> Look:
        """It as the store keeps it."""
        return Look(
            way.name,
            n_faces=self.n_faces,
            confidence=self.confidence,
            seconds=seconds,
            has_annotated=annotated,
        )


def judge_files(files: Sequence[LookFiles]) -> list[Verdict]:
    """Read the CSVs of several pictures; a picture without a CSV has no face."""
    with_csv = [position for position, each in enumerate(files) if each.csv is not None]
    verdicts = [Verdict(_lost(each)) for each in files]
    if not with_csv:
        return verdicts
    read = read_face_csvs([files[position].csv or b"" for position in with_csv])
    for number, problem in read.problems.items():
        verdicts[with_csv[number]] = Verdict(problem)
    largest = choose_faces(read, "largest")
    is_alone = bool((largest["n_faces"] == 1).all())
    best = (largest if is_alone else choose_faces(read, "best"))["confidence"]
    for number, n_faces, confidence in zip(
        largest.index, largest["n_faces"], largest["confidence"], strict=True
    ):
        of_faces = {"largest": float(confidence), "best": float(best[number])}
        verdicts[with_csv[number]] = Verdict("", int(n_faces), of_faces)
    return verdicts


def _lost(files: LookFiles) -> str:
    """OpenFace's details name the CSV that it wrote: one that isn't there is no "no face"."""
    return "is missing, although the engine wrote it" if b"Output csv" in files.details else ""
