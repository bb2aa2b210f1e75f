"""How foreign models want their pictures: scales, and the models that are known by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.image_input import CROP, GREY, RGB, STRETCH, ImageInput


@dataclass(frozen=True)
class Scale:
    """What is done to a picture's values, 0-255, before the network: ``x * factor + offset``.

    Attributes:
        name: as ``--scale`` takes it. text: the same as a formula.
        factor, offset: one number for all channels, or one for each of three (RGB).
    """

    name: str
    text: str
    factor: tuple[float, ...]
    offset: tuple[float, ...]

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Scaled pictures, float32, of ``pixels`` [n, height, width, channels], 0-255."""
        scaled = pixels.astype(np.float64) * np.array(self.factor) + np.array(self.offset)
        return scaled.astype(np.float32)


def _standardised(means: tuple[float, ...], deviations: tuple[float, ...]) -> Scale:
    return Scale(
        "imagenet",
        f"(x / 255 - {list(means)}) / {list(deviations)}, red, green, blue",
        tuple(1 / (255 * deviation) for deviation in deviations),
        tuple(-mean / deviation for mean, deviation in zip(means, deviations, strict=True)),
    )


SCALES: dict[str, Scale] = {
    scale.name: scale
    for scale in (
        Scale("0-1", "x / 255", (1 / 255,), (0.0,)),
        Scale("-1-1", "x / 127.5 - 1", (1 / 127.5,), (-1.0,)),
        Scale("0-255", "x, as it is", (1.0,), (0.0,)),
        _standardised((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    )
}
"""By name. The last one's numbers are mean and deviation of the ImageNet pictures, with which most
networks that were trained on them are fed."""


@dataclass(frozen=True)
class Preset:
    """A foreign model, or a kind of them, whose preprocessing is known.

    Attributes:
        name: as ``--preset`` takes it. title: what it is.
        scale: a key of `SCALES`. inputs: the pictures that it may take, without their fit.
        fit: how a picture of another shape comes to that one.
        emotions: in the order of its outputs; None: its labels.txt says.
        sha256: of files that are known to be it.
        terms: its licence, as far as known.
    """

    name: str
    title: str
    scale: str
    inputs: tuple[tuple[int, int, int], ...]
    fit: str = STRETCH
    emotions: Emotions | None = None
    sha256: tuple[str, ...] = ()
    terms: str = ""


TEACHABLE_MACHINE = Preset(
    "teachable-machine",
    "image model of Google's Teachable Machine",
    "-1-1",
    ((224, 224, RGB), (96, 96, GREY)),
    fit=CROP,
)
MINI_XCEPTION = Preset(
    "mini-xception",
    "mini-XCEPTION trained on FER2013 (O. Arriaga, face_classification)",
    "-1-1",
    ((64, 64, GREY), (48, 48, GREY)),
    emotions=Emotions(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")),
    sha256=("59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",),
    terms="MIT licence",
)
PRESETS: dict[str, Preset] = {one.name: one for one in (TEACHABLE_MACHINE, MINI_XCEPTION)}


def find_preset(name: str | None, sha256: str, *, is_export: bool) -> Preset | None:
    """The preset that is asked for, or that a model file is known to be.

    Args:
        sha256: of the model file. is_export: whether it is named as Teachable Machine names its.

    Raises:
        UsageError: there is no preset of that name.
    """
    if name is not None:
        if name not in PRESETS:
            raise UsageError(f"There is no preset '{name}'; known are {', '.join(PRESETS)}.")
        return PRESETS[name]
    for preset in PRESETS.values():
        if sha256 in preset.sha256:
            return preset
    return TEACHABLE_MACHINE if is_export else None


def parse_input(text: str) -> tuple[int, int, int]:
    """Read ``WxHxC`` (``64x64x1``): width, height, channels; ``WxH`` is grey.

    Raises:
        UsageError: it is none, or no picture has such a size.
    """
    words = text.lower().replace("×", "x").split("x")
    if len(words) not in (2, 3) or not all(word.strip().isdecimal() for word in words):
        raise UsageError(
            f"'{text}' is no size of a picture.", hint="width x height x channels: --input 64x64x1"
        )
    width, height, channels = (*(int(word) for word in words), GREY)[:3]
    try:
        ImageInput(width, height, channels)
    except DataError as error:
        raise UsageError(error.message, hint="--input 64x64x1, say") from error
    return width, height, channels
