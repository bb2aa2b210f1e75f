"""Groups: which faces belong together, and must not be on both sides of a split.

A group is a person, or a series of pictures that look alike. Where the same person is in the
training and in the test part, accuracy looks better than it is on new people (docs/groups.md).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aufer.errors import DataError, UsageError

COLUMN = "column"
PATTERN = "pattern"
IMAGES = "images"
BLOCKS = "blocks"
NONE = "none"
AUTO = "auto"
NAMED = "named"

GROUP_COLUMN = "group"
FEW_GROUPS = 10
N_NAMED = 3
"""So many examples stand in a message."""

UNKNOWN = (
    "groups (persons, series of pictures) are unknown: the same person may be on both sides of a "
    "split, and accuracy then looks better than it is on new people"
)


@dataclass(frozen=True)
class Grouping:
    """How the groups of some faces came to be.

    Attributes:
        kind: ``column`` of a table, ``pattern`` in file names, ``images`` (near copies), ``blocks``
            of rows, or ``none``.
        rule: the same in words, for people.
        n_groups: how many there are; a face without one is not counted.
        largest: faces in the largest.
    """

    kind: str = NONE
    rule: str = ""
    n_groups: int = 0
    largest: int = 0

    @classmethod
    def of(cls, kind: str, rule: str, groups: Sequence[str]) -> Grouping:
        """Count groups, [n], empty where a face has none; kind ``none`` where none has one."""
        sizes = Counter(group for group in groups if group)
        if not sizes:
            return cls()
        return cls(kind, rule, len(sizes), max(sizes.values()))

    @classmethod
    def by_column(cls, groups: Sequence[str], column: str = GROUP_COLUMN) -> Grouping:
        """Of groups, [n], that a column of a table tells."""
        return cls.of(COLUMN, f"column '{column}'", groups)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Grouping:
        """Read it from a sidecar's JSON; what a later version adds is passed over."""
        return cls(
            str(facts.get("kind", NONE)),
            str(facts.get("rule", "")),
            int(facts.get("n_groups", 0)),
            int(facts.get("largest", 0)),
        )

    def facts(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @property
    def knows_persons(self) -> bool:
        """Whether the groups say who is who."""
        return self.kind in (COLUMN, PATTERN)

    @property
    def limits(self) -> str:
        """What a user should know of these groups; empty where they say who is who."""
        if self.kind == NONE:
            return UNKNOWN
        if self.knows_persons:
            return ""
        return (
            f"groups are {self.rule}, and persons are still unknown: the same person may be on "
            "both sides of a split, and accuracy then looks better than it is on new people"
        )

    def __str__(self) -> str:
        if self.kind == NONE:
            return "groups are unknown: which faces are of one person, nobody says"
        by = f"{self.n_groups} groups by {self.rule}, the largest of {self.largest} faces"
        return by if self.knows_persons else f"{by}; which faces are of one person is unknown"


@dataclass(frozen=True)
class GroupRule:
    """What ``--groups`` asks for.

    Attributes:
        kind: ``auto``, ``named`` (a column or a pattern), ``images``, ``blocks`` or ``none``.
        text: the column or pattern. size: rows of a block.
    """

    kind: str = AUTO
    text: str = ""
    size: int = 0

    @classmethod
    def parse(cls, text: str | None) -> GroupRule:
        """Read ``COLUMN|REGEX|images|blocks:N|none``; nothing is ``auto``.

        Raises:
            UsageError: it is no rule. (Whether it is a column or a pattern, the data say.)
        """
        if not text:
            return cls()
        if text in (AUTO, IMAGES, NONE):
            return cls(text)
        word, colon, number = text.partition(":")
        if word != BLOCKS:
            return cls(NAMED, text)
        if not colon or not number.isdecimal() or int(number) < 1:
            raise UsageError(
                f"--groups {text}: blocks have a whole number of rows.",
                hint="for example: --groups blocks:60",
            )
        return cls(BLOCKS, size=int(number))


def match_names(pattern: str, names: Sequence[str], where: str) -> tuple[list[str], Grouping]:
    """Groups from images' names: what a regular expression finds in each.

    It is searched in the file names; where none of them matches, in the whole relative paths. One
    pair of brackets is the group, several are joined by "-", without brackets all that matched is.

    Args:
        names: relative paths, [n]. where: whose they are, for errors.

    Returns:
        a group per name, none empty; and how they came to be.

    Raises:
        UsageError: it is no regular expression. DataError: it doesn't match every name; a face
        without its group could be on both sides of a split.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"--groups '{pattern}' is no column of {where}, and as a regular expression it is "
            f"wrong: {error}.",
            hint="for two letters and two digits in front: --groups '^([A-Z]{2}\\d\\d)'",
        ) from error
    files = [name.rpartition("/")[2] for name in names]
    part, groups = "file names", [_find(compiled, name) for name in files]
    if not any(groups):
        part, groups = "paths", [_find(compiled, name) for name in names]
    unmatched = [name for name, group in zip(names, groups, strict=True) if not group]
    if unmatched:
        listed = ", ".join(unmatched[:N_NAMED])
        raise DataError(
            f"--groups '{pattern}': {where} has no such column, and as a pattern it finds no group "
            f"in {len(unmatched)} of the {len(names)} names ({listed}"
            f"{' …' if len(unmatched) > N_NAMED else ''}).",
            hint="an ungrouped face could be on both sides of a split: name a column or a pattern "
            "that fits all, or take --groups images or --groups none",
        )
    return groups, Grouping.of(PATTERN, f"pattern '{pattern}' in the {part}", groups)


def _find(pattern: re.Pattern[str], name: str) -> str:
    """The group in one name; empty where there is none."""
    found = pattern.search(name)
    if found is None:
        return ""
    return "-".join(part for part in found.groups() if part) if pattern.groups else found.group()


def group_by_images(hashes: Sequence[str]) -> tuple[list[str], Grouping]:
    """Groups of near copies (`near_copies.join_near_copies`): ``near-1``, ``near-2``, …

    Args:
        hashes: perceptual hashes, [n], empty where unknown: such a face is a group of its own.

    Raises:
        DataError: no face has a hash, or a text is none.
    """
    from aufer.near_copies import HASH_BITS, NEAR_BITS, join_near_copies

    if not any(hashes):
        raise DataError(
            "--groups images: none of the faces has the perceptual hash of its picture.",
            hint="measure the images with aufer extract; for OpenFace's CSVs, name the pictures' "
            "folder: --images FOLDER",
        )
    groups = [f"near-{number + 1}" for number in join_near_copies(hashes).tolist()]
    without = sum(not text for text in hashes)
    alone = f"; {without} faces without a hash are alone" if without else ""
    rule = f"near copies of a picture (hashes within {NEAR_BITS} of {HASH_BITS} bits{alone})"
    return groups, Grouping.of(IMAGES, rule, groups)


def group_by_blocks(labels: np.ndarray, size: int) -> tuple[list[str], Grouping]:
    """Groups of consecutive rows of one label (`splits.cut_blocks`): ``block-0001``, …

    Args:
        labels: int [n], in the order of the dataset. size: rows of a block at most.
    """
    from aufer.splits import cut_blocks

    groups = [f"block-{number + 1:04d}" for number in cut_blocks(labels, size).tolist()]
    rule = f"blocks of {size} consecutive rows of one emotion"
    return groups, Grouping.of(BLOCKS, rule, groups)


def join_groupings(
    groupings: Sequence[Grouping], groups: Sequence[Sequence[str]]
) -> tuple[list[str], Grouping, list[str]]:
    """The groups of several tables as those of one: only those that are persons.

    A person of the same name in two tables counts as one: should they be two, holding both together
    costs little, and the reverse would leak.

    Args:
        groupings: one per table. groups: of each table's faces, empty where unknown.

    Returns:
        the groups of all faces, how they came to be, and notes.
    """
    kept = [
        list(names) if grouping.knows_persons else [""] * len(names)
        for grouping, names in zip(groupings, groups, strict=True)
    ]
    every = [name for names in kept for name in names]
    known = [grouping for grouping in groupings if grouping.knows_persons]
    kind = PATTERN if all(grouping.kind == PATTERN for grouping in known) else COLUMN
    rule = " and ".join(dict.fromkeys(grouping.rule for grouping in known))
    times = Counter(name for names in kept for name in {*names} - {""})
    shared = sorted(name for name, n in times.items() if n > 1)
    notes = []
    if shared:
        notes.append(
            f"{len(shared)} groups have faces in more than one source, and count as the same "
            f"persons there ({', '.join(shared[:N_NAMED])}{' …' if len(shared) > N_NAMED else ''})"
        )
    return every, Grouping.of(kind, rule, every), notes


def find_weak_groups(groups: Sequence[str], emotions: Sequence[str]) -> list[str]:
    """What makes groups a weak test of new people, in sentences.

    Args:
        groups: [n], empty where unknown. emotions: the emotion's name of each face, [n].
    """
    known = [(group, word) for group, word in zip(groups, emotions, strict=True) if group]
    if not known:
        return []
    notes = []
    if len(known) < len(groups):
        notes.append(
            f"{len(groups) - len(known)} of the {len(groups)} faces have no group: each counts as "
            "a person of its own, and may be on the other side of a split than the same person"
        )
    n_groups = len({group for group, _ in known})
    if n_groups < FEW_GROUPS:
        notes.append(
            f"there {'is' if n_groups == 1 else 'are'} only {n_groups} group"
            f"{'' if n_groups == 1 else 's'}: figures by group will vary much from split to split"
        )
    sizes = Counter(emotions)
    for (group, word), n in Counter(known).items():
        if 2 * n > sizes[word] > 1:
            notes.append(
                f"group {group} has {n} of the {sizes[word]} faces of {word}: what a model learns "
                f"of {word} is mostly what that group shows"
            )
    return notes
