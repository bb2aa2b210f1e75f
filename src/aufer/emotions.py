"""The emotions of a study: their names, their order (= label numbers) and their aliases."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aufer.errors import DataError

DEFAULT_NAMES: tuple[str, ...] = ("angry", "disgust", "happy", "neutral", "sad", "surprise")

ALIASES: dict[str, str] = {
    "anger": "angry",
    "angriness": "angry",
    "disgusted": "disgust",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "neutrality": "neutral",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "contemptuous": "contempt",
}
"""Other words for an emotion, as folder names of published face sets spell them."""


@dataclass(frozen=True)
class Emotions:
    """An ordered set of emotion names; the position of a name is its label number."""

    names: tuple[str, ...] = DEFAULT_NAMES

    def __post_init__(self) -> None:
        if len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise DataError(
                f"At least two different emotions are needed, not: {', '.join(self.names)}.",
                hint="--emotions angry,disgust,happy,neutral,sad,surprise",
            )

    @classmethod
    def parse(cls, text: str) -> Emotions:
        """Read ``angry,disgust,…`` (the value of ``--emotions``)."""
        return cls(tuple(name.strip().lower() for name in text.split(",") if name.strip()))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __str__(self) -> str:
        return ", ".join(self.names)

    def find(self, word: object) -> str | None:
        """The emotion that a name, an alias or a label number stands for, or None."""
        text = str(word).strip().lower()
        if text in self.names:
            return text
        if ALIASES.get(text) in self.names:
            return ALIASES[text]
        # a set that uses another word of the same family, e.g. --emotions anger,joy
        for name in self.names:
            if name in ALIASES and ALIASES[name] in (text, ALIASES.get(text)):
                return name
        try:
            number = float(text)
        except ValueError:
            return None
        if number.is_integer() and 0 <= number < len(self.names):
            return self.names[int(number)]
        return None

    def number(self, name: str) -> int:
        """The label number of an emotion's name."""
        return self.names.index(name)

    def nearest(self, word: str) -> str | None:
        """The known name that looks most like ``word``; for hints only."""
        known = [*self.names, *(alias for alias, name in ALIASES.items() if name in self.names)]
        close = difflib.get_close_matches(word.strip().lower(), known, n=1)
        return close[0] if close else None

    def check(self, words: Iterable[object], where: str) -> None:
        """Raise `DataError` when a word stands for no emotion of this set."""
        unknown = sorted({str(word).strip() for word in words if self.find(word) is None})
        if not unknown:
            return
        listed = ", ".join(f"'{word}'" for word in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        near = self.nearest(unknown[0])
        raise DataError(
            f"{where}: {listed}{more} is no emotion of this study; known are {self}.",
            hint=(f"rename '{unknown[0]}' to '{near}'" if near else "rename or move it")
            + f", or name your own set: --emotions {','.join([*self.names, 'other'])}",
        )
