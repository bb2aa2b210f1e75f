"""The Action Units of the faces of a frame, by aufer's own network, all of them in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aufer.au_net.folder import LEAST_CONFIDENCE
from aufer.au_net.network import AuNet, find_folder
from aufer.errors import UsageError
from aufer.live.box import Box
from aufer.live.units import BUILTIN_UNITS

_OF_WHOLE = -0.075
"""Haar's box in a picture that is one face: its sides are 0.85 of the picture's (the median of web
faces is 0.87, of FER2013's 0.84); the network's landmarks are the same from 0.7 to 1."""

_WARM_SIDE = 64

HAAR_BOXES: dict[str, Callable[[Box], Box]] = {
    "haar": lambda box: box,
    "whole": lambda box: box.enlarged(_OF_WHOLE),
}
"""How the boxes of a finder become those of Haar's cascade, which the network is trained on."""


@dataclass(frozen=True)
class Measures:
    """What was measured of a frame's faces.

    Attributes:
        boxes: the faces, as they were found; what the network takes for no face is left out.
        values: float32 [n, 17], 0-5, in the order of `action_units.INTENSITY_COLUMNS`.
        confidence: float32 [n], 0-1.
    """

    boxes: list[Box]
    values: np.ndarray
    confidence: np.ndarray


class AuReader:
    """Measures faces.

    Attributes:
        network: what measures. units: which Action Units those are.
    """

    units = BUILTIN_UNITS

    def __init__(self, network: AuNet, haar_box: Callable[[Box], Box] = HAAR_BOXES["haar"]) -> None:
        """``haar_box``: makes one of Haar's cascade of a finder's box."""
        self.network = network
        self._haar_box = haar_box

    def measure(self, grey: np.ndarray, boxes: Sequence[Box]) -> Measures:
        """Measure the faces of a frame.

        Args:
            grey: the frame, uint8 [h, w]. boxes: the faces, inside it.
        """
        found = self.network.measure(grey, [self._haar_box(box) for box in boxes])
        faces = found.confidence >= LEAST_CONFIDENCE
        there = [box for box, is_face in zip(boxes, faces, strict=True) if is_face]
        return Measures(there, found.aus[faces], found.confidence[faces])

    def warm_up(self) -> None:
        """Open the networks now, so that the first face does not wait for them."""
        grey = np.zeros((_WARM_SIDE, _WARM_SIDE), dtype=np.uint8)
        self.network.measure(grey, [Box(0, 0, _WARM_SIDE, _WARM_SIDE)])


def open_au_reader(folder: Path | None = None, detector: str = "haar") -> AuReader:
    """Open the AU network for live use; TensorFlow is never imported.

    Args:
        folder: of the network; None: see `aufer.au_net.network.find_folder`.
        detector: what finds the faces.

    Raises:
        UsageError: it was not trained on that detector's boxes. EnvironmentFailure: there is no
            network. DataError: its files were changed.
    """
    if detector not in HAAR_BOXES:
        raise UsageError(
            f"AUs are measured in boxes of Haar's cascade; those of --detector {detector} are "
            "others, on which nobody has tried the AU network.",
            hint="leave --detector away; or expressions without AUs: aufer live "
            f"--detector {detector} --model face-cnn",
        )
    return AuReader(AuNet(find_folder(folder)), HAAR_BOXES[detector])
