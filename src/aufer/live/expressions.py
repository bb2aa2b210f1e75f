"""How messages name and number expressions, whatever the order of the model's outputs.

Names, numbers and colours are those of the museum's exhibit whose Unity client they must please.
"""

from __future__ import annotations

from dataclasses import dataclass

from aufer.emotions import ALIASES, Emotions

NUMBERS = {
    "angry": 0,
    "disgust": 1,
    "fear": 2,
    "happy": 3,
    "sad": 4,
    "surprise": 5,
    "neutral": 6,
}
"""``expressionIdx`` of each expression; any other one of a model follows, from 7 on."""

COLOURS = {
    "angry": "#e02020",
    "disgust": "#9b30c9",
    "fear": "#2fa84f",
    "happy": "#ffd400",
    "sad": "#1f3fa8",
    "surprise": "#56b4e9",
    "neutral": "#f58220",
}
"""Red, purple, green, yellow, dark blue, sky, orange."""

OTHER_COLOUR = "#8a8f98"


@dataclass(frozen=True)
class Expressions:
    """What a model can answer, in the order of its outputs.

    Attributes:
        names: lower case, usual words ("happy", also where the model says "joy").
        words: as messages spell them ("Happy").
        numbers: ``expressionIdx`` of each.
        colours: ``#rrggbb`` of each.
    """

    names: tuple[str, ...]
    words: tuple[str, ...]
    numbers: tuple[int, ...]
    colours: tuple[str, ...]

    @classmethod
    def of(cls, emotions: Emotions) -> Expressions:
        """Those of a model."""
        names = tuple(ALIASES.get(name, name) for name in emotions)
        if len(set(names)) < len(names):  # "joy" and "happy" in one model
            names = emotions.names
        others = iter(range(len(NUMBERS), len(NUMBERS) + len(names)))
        return cls(
            names=names,
            words=tuple(name.capitalize() for name in names),
            numbers=tuple(NUMBERS[n] if n in NUMBERS else next(others) for n in names),
            colours=tuple(COLOURS.get(name, OTHER_COLOUR) for name in names),
        )
