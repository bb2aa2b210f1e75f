"""What pixels an image model takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from aufer.errors import DataError

STRETCH, CROP = "stretch", "crop"
FITS = (STRETCH, CROP)
"""How a picture of another shape comes to the model's: pressed into it, or its middle cut out."""

GREY, RGB = 1, 3
MOST_SIDE = 2048


@dataclass(frozen=True)
class ImageInput:
    """The picture that an image model takes: upright, 0-255, red before green before blue.

    Whatever the network itself was fed with (0-1, -1..1 …) is part of its ONNX graph.

    Attributes:
        width, height: pixels. channels: `GREY` or `RGB`. fit: one of `FITS`.
    """

    width: int
    height: int
    channels: int = GREY
    fit: str = STRETCH

    def __post_init__(self) -> None:
        for side in (self.width, self.height):
            if not 1 <= side <= MOST_SIDE:
                raise DataError(f"A picture's side is 1 to {MOST_SIDE} pixels, not {side}.")
        if self.channels not in (GREY, RGB):
            raise DataError(f"A picture has 1 channel (grey) or 3 (RGB), not {self.channels}.")
        if self.fit not in FITS:
            raise DataError(f"A picture's fit is one of {', '.join(FITS)}, not {self.fit!r}.")

    def __str__(self) -> str:
        colour = "grey" if self.channels == GREY else "RGB"
        return f"{self.width}x{self.height} {colour}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels: a picture's array."""
        return self.height, self.width, self.channels

    def facts(self) -> dict[str, Any]:
        """The same as plain JSON, for bundle.json."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: Any) -> ImageInput:
        """The reverse of `facts`.

        Raises:
            DataError: it is none.
        """
        try:
            sides = (int(facts["width"]), int(facts["height"]), int(facts["channels"]))
            return cls(*sides, fit=str(facts.get("fit", STRETCH)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{facts!r} describes no picture that a model takes.") from error
