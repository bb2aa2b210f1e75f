"""What is said of a frame: one JSON object a line (docs/live-message.schema.json)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aufer.live.box import Box
from aufer.live.expressions import Expressions
from aufer.live.units import NO_UNITS, Intensities, Units

VERSION = 1
"""``v``: raised when a field changes its meaning or goes; added fields don't raise it."""

AU_CONFIDENCE = "auConfidence"
"""How well a face was seen whose AUs are told: its name in messages, tables and streams."""

_DIGITS = 4
_DIGITS_OF_AUS = 2


@dataclass(frozen=True)
class Face:
    """A face of a frame.

    Attributes:
        id: the same from frame to frame for the same face, from 1.
        box: where it is. expression: position of the answer among the expressions.
        scores: a probability for each expression, in their order; smoothed where that was asked.
        aus: its Action Units, where they are measured.
    """

    id: int
    box: Box
    expression: int
    scores: tuple[float, ...]
    aus: Intensities | None = None

    @property
    def confidence(self) -> float:
        """The answer's score."""
        return self.scores[self.expression]


@dataclass(frozen=True)
class Message:
    """What is said of one frame.

    Attributes:
        seq: counts messages, from 0. timestamp: seconds since the epoch, when the frame was read.
        fps: messages in the last second or so, per second. width, height: the frame's, in pixels.
        faces: largest first. expressions: what the model can answer.
        units: the Action Units that each face has.
        image: the picture's file, where the source is a folder; not part of the JSON object.
    """

    seq: int
    timestamp: float
    fps: float
    width: int
    height: int
    faces: tuple[Face, ...]
    expressions: Expressions = field(repr=False)
    units: Units = field(default=NO_UNITS, repr=False)
    image: str = ""

    def facts(self, *, with_labels: bool = False) -> dict[str, Any]:
        """The object: the reference's fields first, then ours.

        Args:
            with_labels: with what a connection's first has: ``labels``, the order of ``scores``,
                and where AUs are measured ``auLabels``, theirs, ``auNames`` and ``auMeasure``.
        """
        facts = {
            "faceCount": len(self.faces),
            "faces": [self._of_face(face) for face in self.faces],
            "v": VERSION,
            "seq": self.seq,
            "timestamp": round(self.timestamp, 3),
            "fps": round(self.fps, 1),
            "frameWidth": self.width,
            "frameHeight": self.height,
        }
        return facts | (self._legend() if with_labels else {})

    def line(self, *, with_labels: bool = False) -> bytes:
        """The object as one line of UTF-8, with its line feed."""
        text = json.dumps(self.facts(with_labels=with_labels), separators=(",", ":"))
        return text.encode("ascii") + b"\n"

    def _legend(self) -> dict[str, Any]:
        legend: dict[str, Any] = {"labels": list(self.expressions.words)}
        return legend | (units_facts(self.units) if self.units else {})

    def _of_face(self, face: Face) -> dict[str, Any]:
        facts = {
            **reference_face(face, self.expressions),
            "id": face.id,
            "confidence": round(face.confidence, _DIGITS),
            "scores": [round(score, _DIGITS) for score in face.scores],
        }
        return facts | ({} if face.aus is None else aus_facts(face.aus))


def units_facts(units: Units) -> dict[str, Any]:
    """What the AUs of a message are."""
    return {
        "auLabels": list(units.labels),
        "auNames": list(units.names),
        "auMeasure": units.measure,
    }


def aus_facts(aus: Intensities) -> dict[str, Any]:
    """The AUs of a face, rounded to what they can say."""
    return {
        "aus": [round(value, _DIGITS_OF_AUS) for value in aus.values],
        AU_CONFIDENCE: round(aus.confidence, _DIGITS_OF_AUS),
    }


def reference_face(face: Face, expressions: Expressions) -> dict[str, Any]:
    """A face with the fields, in the types and the order, that the published Unity client knows."""
    box = face.box
    return {
        "expressionIdx": expressions.numbers[face.expression],
        "expression": expressions.words[face.expression],
        "position": {"x": box.x, "y": box.y, "width": box.width, "height": box.height},
    }
