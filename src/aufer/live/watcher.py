"""From a frame to what is said of it: faces found, measured, followed, read, smoothed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aufer.live.au_reader import AuReader
from aufer.live.au_recognizer import AuRecognizer
from aufer.live.box import Box
from aufer.live.finding.finder import Finder
from aufer.live.finding.smoothing import Smoother
from aufer.live.finding.tracking import Tracker
from aufer.live.frame import Frame
from aufer.live.message import Face, Message
from aufer.live.recognizer import Recognizer
from aufer.live.stages import Rate, Stages
from aufer.live.units import NO_UNITS, Intensities
from aufer.pictures.opencv import opencv

MOST_FACES = 64


@dataclass
class Watcher:
    """Watches frames, one after the other.

    Attributes:
        is_series: whether a frame follows from the one before; pictures of a folder don't, and
            nothing is carried from one to the next.
        by_taken_at: durations between frames are those of ``taken_at``: a film that is worked
            through faster or slower than it plays.
        au_reader: measures AUs; None for not. What it takes for no face is left out.
        au_smoother: of AUs. A model that reads AUs gets them smoothed, and its scores are not.
        most_faces: more are left out, the smallest first.
        n_messages, n_faces: so far; a face counts in each of its frames.
    """

    finder: Finder
    recognizer: Recognizer | AuRecognizer
    au_reader: AuReader | None = None
    tracker: Tracker = field(default_factory=Tracker)
    smoother: Smoother = field(default_factory=lambda: Smoother(0.0))
    au_smoother: Smoother = field(default_factory=lambda: Smoother(0.0))
    is_series: bool = True
    by_taken_at: bool = False
    most_faces: int = MOST_FACES
    stages: Stages = field(default_factory=Stages)
    n_messages: int = 0
    n_faces: int = 0
    _rate: Rate = field(default_factory=Rate, repr=False)

    def look(self, frame: Frame) -> Message:
        """What is said of a frame; it counts as the next one."""
        self.stages.add("read", frame.read_s)
        if not self.is_series:
            self.finder.forget()
            self.tracker.forget()
        cv2 = opencv()
        with self.stages.timed("find"):
            grey = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY)
            boxes = sorted(self.finder.find(frame.pixels, grey), key=lambda box: -box.area)
            boxes = boxes[: self.most_faces]
        faces = self._read(frame, grey, boxes)
        message = Message(
            seq=self.n_messages,
            timestamp=frame.taken_at,
            fps=self._rate.count(time.perf_counter()),
            width=frame.width,
            height=frame.height,
            faces=faces,
            expressions=self.recognizer.expressions,
            units=NO_UNITS if self.au_reader is None else self.au_reader.units,
            image=frame.name,
        )
        self.n_messages += 1
        self.n_faces += len(faces)
        return message

    def _read(self, frame: Frame, grey: np.ndarray, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """What is said of the faces that were found."""
        at_s = frame.taken_at if self.by_taken_at else frame.read_at_s
        aus, sure = None, None
        if self.au_reader is not None:
            with self.stages.timed("measure"):
                measures = self.au_reader.measure(grey, boxes)
            boxes, aus, sure = measures.boxes, measures.values, measures.confidence.tolist()
        with self.stages.timed("classify"):
            ids = self.tracker.follow(boxes, at_s)
            if aus is not None:
                aus = self.au_smoother.smooth(ids, aus, at_s)
            if isinstance(self.recognizer, AuRecognizer):
                assert aus is not None, "a model of AUs needs an au_reader"
                scores = self.recognizer.scores(aus)
            else:
                scores = self.recognizer.scores(frame.pixels, grey, boxes)
                scores = self.smoother.smooth(ids, scores, at_s)
        faces = []
        for row, (id, box) in enumerate(zip(ids, boxes, strict=True)):
            units = None
            if aus is not None and sure is not None:
                units = Intensities(tuple(aus[row].tolist()), sure[row])
            answer = int(scores[row].argmax())
            faces.append(Face(id, box, answer, tuple(scores[row].tolist()), units))
        return tuple(faces)
