"""The emotions of a study: their names, their order (= label numbers) and their aliases."""

from __future__ import annotations

import difflib
import re
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

PROTOTYPES: dict[str, tuple[str, ...]] = {
    "angry": ("AU04", "AU05", "AU07", "AU23"),
    "disgust": ("AU09", "AU10", "AU15", "AU17"),
    "happy": ("AU06", "AU12"),
    "neutral": (),
    "sad": ("AU01", "AU04", "AU15"),
    "surprise": ("AU01", "AU02", "AU05", "AU25", "AU26"),
}
"""The AUs of the prototype of each emotion; neutral: none.

The union of EMFACS (Friesen & Ekman: EMFACS-7, 1983) and of the table in the FACS manual (Ekman,
Friesen & Hager: Facial action coding system, the investigator's guide, 2002), as far as OpenFace
measures the AU's intensity. What is usual when an emotion is shown, never the truth about a face.
"""

OPTIONAL_AUS: dict[str, tuple[str, ...]] = {
    "disgust": ("AU04",),
    "happy": ("AU25",),
    "sad": ("AU17",),
}
"""AUs that may be there or not in an emotion's prototype."""

RESERVED = frozenset(
    "image sha256 group status reason confidence emotion label predicted correct "
    "seen_in_training seen_how by_majority by_prototypes".split()
)
"""Columns of the tables in which each emotion has a column too."""

_MOST_NEW = 12
"""More unknown names than this are something else than emotions."""

_PLAIN = re.compile(r"\w[\w -]*")


@dataclass(frozen=True)
class Emotions:
    """An ordered set of emotion names; the position of a name is its label number."""

    names: tuple[str, ...] = DEFAULT_NAMES
    n_numbered: int | None = None
    """Label numbers stand for the first so many names; None: for all. 0: nobody said the order."""

    def __post_init__(self) -> None:
        usual = f"--emotions {','.join(DEFAULT_NAMES)}"
        if len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise DataError(
                f"At least two different emotions are needed, not: {str(self) or 'none'}.",
                hint=usual,
            )
        for name in self.names:
            if not _PLAIN.fullmatch(name) or name in RESERVED or name.isdecimal():
                raise DataError(
                    f"{name!r} can't be an emotion's name: it names a folder and a column too.",
                    hint=f"plain words, and none of our columns' names: {usual}",
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

    def find_name(self, word: object) -> str | None:
        """The emotion that a name or an alias stands for, or None; for folder and file names."""
        text = str(word).strip().lower()
        if text in self.names:
            return text
        if ALIASES.get(text) in self.names:
            return ALIASES[text]
        # a set that uses another word of the same family, e.g. --emotions anger,joy
        for name in self.names:
            if name in ALIASES and ALIASES[name] in (text, ALIASES.get(text)):
                return name
        return None

    def find(self, word: object) -> str | None:
        """The emotion that a name, an alias or a label number stands for; for tables of labels."""
        found = self.find_name(word)
        if found is not None:
            return found
        try:
            number = float(str(word))
        except ValueError:
            return None
        limit = len(self.names) if self.n_numbered is None else self.n_numbered
        if number.is_integer() and 0 <= number < limit:
            return self.names[int(number)]
        return None

    def with_others(self) -> Emotions:
        """This set with the other well-known emotions behind it, to read data that have more."""
        others = [n for n in (*DEFAULT_NAMES, *ALIASES.values()) if self.find_name(n) is None]
        return Emotions((*self.names, *dict.fromkeys(others)), n_numbered=len(self.names))

    def without_numbers(self) -> Emotions:
        """This set where nobody said which number is which emotion."""
        return Emotions(self.names, n_numbered=0)

    def number(self, name: str) -> int:
        """The label number of an emotion's name."""
        return self.names.index(name)

    def nearest(self, word: str) -> str | None:
        """The known name that looks most like ``word``; for hints only."""
        known = [*self.names, *(alias for alias, name in ALIASES.items() if name in self.names)]
        close = difflib.get_close_matches(word.strip().lower(), known, n=1)
        return close[0] if close else None

    def check(self, words: Iterable[object], where: str, *, numbers: bool = True) -> None:
        """Raise `DataError` when a word stands for no emotion of this set.

        Args:
            where: what the words are, for the message. numbers: whether label numbers count.
        """
        find = self.find if numbers else self.find_name
        unknown = sorted({str(word).strip() for word in words if find(word) is None})
        if not unknown:
            return
        listed = ", ".join(f"'{word}'" for word in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        if numbers and unknown[0].replace(".", "", 1).isdecimal():
            raise DataError(
                f"{where}: which emotion the label {listed}{more} is, nobody says; known are "
                f"{self}.",
                hint="use names, or say the order of the numbers: "
                f"--emotions {','.join(self.names)}",
            )
        if len(unknown) > _MOST_NEW:
            raise DataError(
                f"{where}: {listed}{more} are no emotions of this study; known are {self}.",
                hint="pictures lie in a folder for each emotion: happy/anna.jpg; if these are "
                "emotions, name them all: --emotions joy,anger,…",
            )
        near = self.nearest(unknown[0])
        new = ",".join(w.lower() for w in unknown if _PLAIN.fullmatch(w.lower())) or "other"
        raise DataError(
            f"{where}: {listed}{more} is no emotion of this study; known are {self}.",
            hint=(f"rename '{unknown[0]}' to '{near}'" if near else "rename or move it")
            + f", or name your own set: --emotions {','.join([*self.names, new])}",
        )
