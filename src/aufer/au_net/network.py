"""The AU network at work: crops of faces -> landmarks, 17 Action Units, a confidence."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS, INTENSITY_RANGE
from aufer.au_net.aligning import (
    Patch,
    Region,
    crops,
    cut_patch,
    inverse,
    moved,
    similarities,
    upright,
)
from aufer.au_net.format import (
    ALIGN,
    AUS,
    CONFIDENCE,
    FACTS_NAME,
    LANDMARKS,
    N_LANDMARKS,
    PIXELS,
    SCHEMA,
)
from aufer.bundle import open_session
from aufer.errors import DataError, EnvironmentFailure
from aufer.files import sha256_of
from aufer.live.box import Box
from aufer.shipped import models_folder

METHOD = "2"
"""Changes whenever the same files give other numbers: finding, cutting, aligning."""

VARIABLE = "AUFER_AU_NET"
"""Environment variable that stands for ``--au-net`` where that isn't given."""

SHIPPED = "au-net"
"""The folder, among the models that come with the package."""

AT_ONCE = 8
"""Faces that go through a network together: more are slower (a core's cache), and take memory."""

_PASSES = 2
"""So often the landmarks are looked for: the second time in a crop laid straight by the first."""


@dataclass(frozen=True)
class Measured:
    """What was measured of n faces.

    Attributes:
        aus: float32 [n, 17], 0-5, in the order of `action_units.INTENSITY_COLUMNS`.
        landmarks: float32 [n, 68, 2], (x, y) in pixels of the face's picture.
        confidence: float32 [n], 0-1: how much it looks like a face that is well placed.
    """

    aus: np.ndarray
    landmarks: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class _Network:
    """One of the two, as ``au-net.json`` has it."""

    path: Path
    sha256: str
    side: int
    unit: float
    reference: np.ndarray  # [68, 2]


def find_folder(folder: Path | None = None) -> Path:
    """The network's folder: as given, else ``AUFER_AU_NET``, else the one that came with aufer.

    Raises:
        EnvironmentFailure: it isn't there.
    """
    told = folder or (Path(text) if (text := os.environ.get(VARIABLE)) else None)
    if told is not None:
        if not (told / FACTS_NAME).is_file():
            raise EnvironmentFailure(
                f"There is no AU network in {told} (no {FACTS_NAME}).",
                hint=f"correct --au-net, or {VARIABLE}; without both, aufer's own is taken",
            )
        return told
    models = models_folder()
    if models is None or not (models / SHIPPED / FACTS_NAME).is_file():
        raise EnvironmentFailure(
            "aufer's AU network is missing from this installation.",
            hint="install aufer again; or name one that you trained: --au-net FOLDER",
        )
    return models / SHIPPED


class AuNet:
    """An AU network, whole and checked; its ONNX files are opened when they are first needed."""

    def __init__(self, folder: Path) -> None:
        """Read the facts, and check that the files are those that they speak of.

        Raises:
            DataError: they aren't, or the facts aren't what they should be.
        """
        self.folder = folder
        self.facts = _read_facts(folder / FACTS_NAME)
        try:
            self._align, self._aus = (self._network(name) for name in (ALIGN, AUS))
            box = self.facts["box"]
            self._box = (float(box["scale"]), float(box["right"]), float(box["down"]))
            sure = self.facts.get("confidence") or {"slope": 1, "offset": 0}
            self._sureness = (float(sure["slope"]), float(sure["offset"]))
            self._calibration = _read_calibration(self.facts.get("calibration") or {})
            self.name = str(self.facts["name"])
            features = tuple(self.facts["features"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{folder / FACTS_NAME} is not as it should be ({error!r}).", hint=_RESTORE
            ) from error
        if features != INTENSITY_COLUMNS:
            raise DataError(f"The AU network in {folder} measures other AUs.", hint=_RESTORE)
        for network in (self._align, self._aus):
            if not network.path.is_file() or sha256_of(network.path) != network.sha256:
                raise DataError(
                    f"{network.path} is missing or was changed: its sha256 is not that of "
                    f"{FACTS_NAME}.",
                    hint=_RESTORE,
                )

    @cached_property
    def sha256(self) -> str:
        """Of ``au-net.json``, which has those of the two networks: names all that measures."""
        return sha256_of(self.folder / FACTS_NAME)

    def _network(self, name: str) -> _Network:
        facts = self.facts["networks"][name]
        reference = np.array(facts["reference"], dtype=np.float64)
        if reference.shape != (N_LANDMARKS, 2):
            raise ValueError(f"reference of {name}: {reference.shape}")
        path = self.folder / Path(str(facts["file"])).name
        return _Network(
            path, str(facts["sha256"]), int(facts["side"]), float(facts["unit"]), reference
        )

    @cached_property
    def _sessions(self) -> tuple[Any, Any]:
        return open_session(self._align.path), open_session(self._aus.path)

    def cut(self, grey: np.ndarray, box: Box) -> Patch:
        """A face, cut out of its picture to be measured; a copy, so that the picture can go.

        Args:
            grey: uint8 [h, w]. box: of Haar's cascade.
        """
        scale, right, down = self._box
        size, (x, y) = (box.width + box.height) / 2, box.middle
        return cut_patch(grey, Region(x + right * size, y + down * size, scale * size))

    def measure(self, grey: np.ndarray, boxes: Sequence[Box]) -> Measured:
        """Measure the faces of one picture; see `cut`."""
        return self.measure_patches([self.cut(grey, box) for box in boxes])

    def measure_patches(self, patches: Sequence[Patch]) -> Measured:
        """Measure faces, of any number of pictures."""
        parts = [
            self._measure(list(patches[start : start + AT_ONCE]))
            for start in range(0, max(1, len(patches)), AT_ONCE)
        ]
        return Measured(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _measure(self, patches: list[Patch]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(patches)
        if not n:
            empty = np.zeros((0, N_LANDMARKS, 2), np.float32)
            return np.zeros((0, len(INTENSITY_COLUMNS)), np.float32), empty, np.zeros(0, np.float32)
        if n == 1:  # onnxruntime multiplies a single row in another way, and rounds otherwise
            aus, points, confidence = self._measure(patches * 2)
            return aus[:1], points[:1], confidence[:1]
        align, measure = self._sessions
        to_crop = np.stack([upright(patch.region, self._align.side) for patch in patches])
        for n_done in range(1, _PASSES + 1):
            pixels = crops(patches, to_crop, self._align.side)
            found = align.run([LANDMARKS], {PIXELS: pixels})[0]
            points = moved(_points(found, self._align), inverse(to_crop))
            is_last = n_done == _PASSES
            to_crop = similarities(points, (self._aus if is_last else self._align).reference)
        pixels = crops(patches, to_crop, self._aus.side)
        found, values, logits = measure.run([LANDMARKS, AUS, CONFIDENCE], {PIXELS: pixels})
        points = moved(_points(found, self._aus), inverse(to_crop))
        landmarks = moved(points, np.stack([patch.to_picture for patch in patches]))
        slope, offset = self._sureness
        sure = (slope * logits.reshape(n).astype(np.float64) + offset).clip(-30, 30)
        confidence = 1 / (1 + np.exp(-sure))
        return self._calibrated(values), landmarks.astype(np.float32), confidence.astype(np.float32)

    def _calibrated(self, values: np.ndarray) -> np.ndarray:
        values = values.astype(np.float32)
        for column, (knots, aims) in self._calibration.items():
            values[:, column] = np.interp(values[:, column], knots, aims)
        return np.clip(values, *INTENSITY_RANGE)


_RESTORE = "install aufer again; or train it anew: aufer train --kind au-net"


def _points(output: np.ndarray, network: _Network) -> np.ndarray:
    """A network's landmarks [n, 136] as [n, 68, 2], pixels of its crop."""
    offsets = output.reshape(len(output), N_LANDMARKS, 2).astype(np.float64)
    return network.reference + offsets * network.unit


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read: {error}.", hint=_RESTORE) from error
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise DataError(f"{path} is no description of an AU network ({SCHEMA}).", hint=_RESTORE)
    return facts


def _read_calibration(
    facts: Mapping[str, Any],
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Column -> knots and what they become."""
    found = {}
    for name, each in facts.items():
        knots, aims = (np.array(each[key], dtype=np.float64) for key in ("from", "to"))
        if knots.shape != aims.shape or len(knots) < 2 or not (np.diff(knots) > 0).all():
            raise ValueError(f"calibration of {name}")
        found[INTENSITY_COLUMNS.index(name)] = (knots, aims)
    return found
