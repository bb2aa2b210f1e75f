"""The languages that reasons are told in: a small table of texts for each.

A language is a module ``words_<code>.py`` with ``TEXTS``, ``EMOTIONS`` and ``AUS``; to add one,
copy ``words_en.py``, translate it, and name it in `LANGUAGES` (docs/explaining.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aufer.emotions import ALIASES
from aufer.explaining import words_en, words_ko

DEFAULT = "en"


class Word(str):
    """A word in a text; in Korean, what follows depends on how it ends: ``{emotion:이/가}``."""

    def __format__(self, spec: str) -> str:
        """The word; with the first particle after a final consonant, else with the second."""
        if "/" not in spec:
            return super().__format__(spec)
        closed, opened = spec.split("/")
        last = ord(self[-1]) - _FIRST_SYLLABLE if self else -1
        if not 0 <= last < _SYLLABLES:
            return f"{self}{closed}({opened})"
        final = last % _FINALS
        takes_opened = final == 0 or (final == _RIEUL and opened == "로")
        return self + (opened if takes_opened else closed)


_FIRST_SYLLABLE, _SYLLABLES, _FINALS, _RIEUL = 0xAC00, 11172, 28, 8


@dataclass(frozen=True)
class Language:
    """One language's texts.

    Attributes:
        code: ISO 639-1. texts: by key. emotions: their names, by ours. aus: FACS's names by AU.
    """

    code: str
    texts: Mapping[str, str]
    emotions: Mapping[str, str]
    aus: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """A text, with the values put in."""
        return self.texts[key].format(**values)

    def emotion(self, name: str) -> Word:
        """An emotion's name; one that the table doesn't know stays as it is."""
        return Word(self.emotions.get(name) or self.emotions.get(ALIASES.get(name, ""), name))

    def au(self, feature: str) -> str:
        """``AU12 lip corner puller``, of ``AU12_r`` or ``AU12``."""
        number = feature.removesuffix("_r")
        return f"{number} {self.aus.get(number, '')}".strip()


LANGUAGES: dict[str, Language] = {
    "en": Language("en", words_en.TEXTS, words_en.EMOTIONS, words_en.AUS),
    "ko": Language("ko", words_ko.TEXTS, words_ko.EMOTIONS, words_ko.AUS),
}
"""By code."""
