"""What a mask study says, in plain words."""

from __future__ import annotations

from typing import Any

from aufer.comparison.text import listed
from aufer.face_regions import ALL, LOWER, UPPER, numbers_of
from aufer.metrics import percent

CAVEAT = (
    "The AUs were measured on uncovered faces: OpenFace was not tested on masks. On a covered face "
    "it may find no face at all, or measure the upper AUs worse; these figures say what the upper "
    "face can tell at best."
)
SHORT_CAVEAT = "AUs measured on uncovered faces; OpenFace was not tested on masks."

PART_TITLES = {ALL: "whole face", UPPER: "upper face", LOWER: "lower face"}

SMALL = 0.05
"""A loss that is surely below five points in a hundred is called small."""

HIDES, IS_SMALL, UNCLEAR = "hides", "small", "unclear"


def part_title(facts: dict[str, Any], part: str) -> str:
    """A part of the face and its number of AUs, e.g. ``upper face (7 AUs)``."""
    return f"{PART_TITLES[part]} ({len(facts['parts'][part])} AUs)"


def points(figure: dict[str, Any]) -> str:
    """A difference of shares in points with its interval, e.g. ``2.1 (0.3 to 4.0)``."""
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def with_limits(figure: dict[str, Any]) -> str:
    """A share with its interval, e.g. ``66.0 % [64.6, 67.4]``."""
    limits = f"[{100 * figure['low']:.1f}, {100 * figure['high']:.1f}]"
    return f"{percent(figure['value'])} {limits}"


def judge(loss: dict[str, Any]) -> str:
    """Whether a mask surely hides something of an emotion, surely little, or neither."""
    if loss["low"] > 0:
        return HIDES
    return IS_SMALL if loss["high"] < SMALL else UNCLEAR


def ask(facts: dict[str, Any]) -> str:
    """What was asked, and how."""
    return (
        "Which expressions can still be read when a mask covers nose and mouth? Models of "
        f"{facts['dataset']['name']} were given the AUs of the whole face, those of the upper face "
        f"alone ({numbers_of(facts['parts'][UPPER])}: brow and eyes), and those of the lower face "
        f"alone ({numbers_of(facts['parts'][LOWER])}), and read faces that they had not learnt "
        "from."
    )


def answer(facts: dict[str, Any], result: dict[str, Any]) -> str:
    """The accuracies in one sentence."""
    parts, majority = result["parts"], facts["majority"]
    return (
        f"With the whole face the {result['title']} read {with_limits(parts[ALL]['accuracy'])} of "
        f"the faces as labelled, with the upper face alone {with_limits(parts[UPPER]['accuracy'])},"
        f" with the lower face alone {with_limits(parts[LOWER]['accuracy'])}. Always saying "
        f"{majority['emotion']} would give {percent(majority['share'])}."
    )


def describe_hidden(result: dict[str, Any]) -> str:
    """What a mask hides, emotion by emotion, the largest loss first."""
    rows = sorted(result["hidden"][:-1], key=lambda row: -float(row["loss"]["value"]))
    by_verdict = {
        verdict: [row for row in rows if judge(row["loss"]) == verdict]
        for verdict in (HIDES, IS_SMALL, UNCLEAR)
    }
    said = []
    if by_verdict[HIDES]:
        losses = ", ".join(f"{row['emotion']} {points(row['loss'])}" for row in by_verdict[HIDES])
        said.append(
            "Of a hundred faces of each, so many fewer are read as labelled without the lower "
            f"face: {losses}."
        )
    if by_verdict[IS_SMALL]:
        named = listed([row["emotion"] for row in by_verdict[IS_SMALL]])
        said.append(f"Next to nothing is lost of {named}.")
    if by_verdict[UNCLEAR]:
        named = listed([row["emotion"] for row in by_verdict[UNCLEAR]])
        said.append(f"Whether anything is lost of {named} can't be told from these faces.")
    return " ".join(said)


def describe_eyes(result: dict[str, Any]) -> str:
    """What the upper face still tells, against answers at random."""
    told = [row for row in result["eyes"] if row["above"]["low"] > 0]
    if not told:
        return (
            "The upper face tells no emotion surely better than the same answers, given at random."
        )
    told.sort(key=lambda row: -float(row["above"]["value"]))
    recalls = ", ".join(
        f"{row['emotion']} {percent(row['recall']['value'])} (at random "
        f"{percent(row['at_random'])})"
        for row in told
    )
    said = f"Brow and eyes still tell: {recalls}."
    others = [row["emotion"] for row in result["eyes"] if row not in told]
    if others:
        said += f" Of {listed(others)} they tell nothing that is surely above chance."
    return said


def describe_mistakes(result: dict[str, Any]) -> str:
    """What the expressions are mistaken for, where the mask makes surely more of a mistake."""
    more = [row for row in result["mistakes"] if row["more"]["low"] > 0]
    if not more:
        return "No mistake is surely more frequent without the lower face."
    more.sort(key=lambda row: -float(row["more"]["value"]))
    mistakes = ", ".join(
        f"{row['emotion']} read as {row['read_as']} ({percent(row['share'])} instead of "
        f"{percent(row['share_all'])})"
        for row in more[:4]
    )
    return f"The mistakes that grow most: {mistakes}."


def describe_interval(facts: dict[str, Any]) -> str:
    """How the intervals were made."""
    draws = facts["results"][0]["draws"]
    by_group = facts["dataset"]["grouping"]["kind"] != "none"
    what = "groups of faces" if by_group else "faces"
    return (
        f"Intervals are 95 %: {draws['n']:,} times as many {what} as there are "
        f"({draws['n_groups']:,}) were drawn anew with replacement, and every figure was taken of "
        "the same draws, so that differences are taken face by face. Of accuracy and recall they "
        "are the wider of this and Wilson's (1927). They know which faces were tested, not what "
        "other training faces would have taught."
    )


def describe_test(facts: dict[str, Any]) -> str:
    """How the test is to be read."""
    said = (
        "McNemar's exact test (1947) asks whether as many faces are read by the whole face alone "
        "as by the upper face alone; p-values are corrected for their number by Holm's rule (1979)."
    )
    if facts["dataset"]["grouping"]["kind"] != "none":
        said += (
            " It takes every face for one of another person; where these come in groups, trust "
            "the intervals."
        )
    if facts["protocol"]["repeats"] > 1:
        said += " It is of the first round of folds."
    return said


def sentences(facts: dict[str, Any]) -> list[str]:
    """What the terminal says, the caveat last."""
    said = []
    for result in facts["results"]:
        said += [
            answer(facts, result),
            describe_hidden(result),
            describe_eyes(result),
            describe_mistakes(result),
        ]
    return [*said, facts["caveat"]]
