"""The tables of a mask study, the same on its page and as CSV files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aufer.face_regions import ALL, LOWER, UPPER
from aufer.masking.text import part_title
from aufer.tables import (
    COUNT,
    LIMITS,
    NUMBER,
    NUMBER_LIMITS,
    P_VALUE,
    PERCENT,
    PLAIN,
    Column,
    Table,
)

N_MISTAKES = 12
"""So many mistakes are on the page; the CSV has all of them."""


def make_tables(facts: dict[str, Any]) -> dict[str, Table]:
    """Every table, by its name; those of one kind of model end in ``-<kind>``."""
    found = {"accuracy": _accuracy(facts)}
    for result in facts["results"]:
        for table in _of_kind(facts, result):
            found[table.name] = table
    return found


def _accuracy(facts: dict[str, Any]) -> Table:
    rows = [
        {
            "model": result["title"],
            "part": part_title(facts, part),
            "accuracy": found["accuracy"]["value"],
            "limits": _limits(found["accuracy"]),
            "macro_f1": found["macro_f1"]["value"],
            "macro_f1_limits": _limits(found["macro_f1"]),
        }
        for result in facts["results"]
        for part, found in result["parts"].items()
    ]
    majority = facts["majority"]
    nothing = {"model": f"always {majority['emotion']}", "part": "none"}
    return Table(
        "accuracy",
        "Unseen faces that are read as labelled, and macro-F1, in which each emotion counts alike.",
        (
            Column("model", "model"),
            Column("part", "what it sees"),
            Column("accuracy", "accuracy", PERCENT),
            Column("limits", "95 %", LIMITS),
            Column("macro_f1", "macro-F1", NUMBER),
            Column("macro_f1_limits", "95 %", NUMBER_LIMITS),
        ),
        [*rows, {**nothing, "accuracy": majority["share"]}],
    )


def _of_kind(facts: dict[str, Any], result: dict[str, Any]) -> Iterator[Table]:
    kind, title = result["kind"], result["title"]
    per_part = {part: found["per_emotion"] for part, found in result["parts"].items()}
    yield Table(
        f"hidden-{kind}",
        f"What a mask hides ({title}): faces of each emotion that are read as labelled (recall), "
        "and the difference with its interval. p: McNemar's exact test, corrected by Holm.",
        (
            Column("emotion", "emotion"),
            Column("n", "faces", COUNT),
            Column("all", part_title(facts, ALL), PERCENT),
            Column("upper", part_title(facts, UPPER), PERCENT),
            Column("loss", "hidden", PERCENT),
            Column("limits", "95 %", LIMITS),
            Column("only_all", "read by whole face alone", COUNT),
            Column("only_upper", "by upper face alone", COUNT),
            Column("p", "p", P_VALUE),
        ),
        [
            {
                "emotion": row["emotion"] or "all faces",
                "n": row["n"],
                "all": _share_of(result, ALL, number),
                "upper": _share_of(result, UPPER, number),
                "loss": row["loss"]["value"],
                "limits": _limits(row["loss"]),
                "only_all": row["test"]["only_before"],
                "only_upper": row["test"]["only_after"],
                "p": row["test"]["p_holm"],
            }
            for number, row in enumerate(result["hidden"])
        ],
    )
    yield Table(
        f"eyes-{kind}",
        f"What brow and eyes still tell ({title}): recall with the upper AUs, the recall of the "
        "same answers given at random, and the difference with its interval; beside it recall "
        "with the lower AUs alone.",
        (
            Column("emotion", "emotion"),
            Column("recall", part_title(facts, UPPER), PERCENT),
            Column("limits", "95 %", LIMITS),
            Column("at_random", "at random", PERCENT),
            Column("above", "above that", PERCENT),
            Column("above_limits", "95 %", LIMITS),
            Column("mouth", part_title(facts, LOWER), PERCENT),
            Column("mouth_limits", "95 %", LIMITS),
        ),
        [
            {
                "emotion": row["emotion"],
                "recall": row["recall"]["value"],
                "limits": _limits(row["recall"]),
                "at_random": row["at_random"],
                "above": row["above"]["value"],
                "above_limits": _limits(row["above"]),
                "mouth": row["mouth"]["value"],
                "mouth_limits": _limits(row["mouth"]),
            }
            for row in result["eyes"]
        ],
    )
    yield Table(
        f"mistakes-{kind}",
        f"What the expressions are mistaken for without the lower face ({title}).",
        (
            Column("emotion", "emotion"),
            Column("read_as", "read as"),
            Column("share", part_title(facts, UPPER), PERCENT),
            Column("share_all", part_title(facts, ALL), PERCENT),
            Column("more", "more", PERCENT),
            Column("limits", "95 %", LIMITS),
        ),
        [
            {
                **{key: row[key] for key in ("emotion", "read_as", "share", "share_all")},
                "more": row["more"]["value"],
                "limits": _limits(row["more"]),
            }
            for row in result["mistakes"]
        ],
        shown=N_MISTAKES,
    )
    names = [row["emotion"] for row in per_part[ALL]]
    yield Table(
        f"confusion-{kind}",
        f"Every face, as it was labelled and as it was read ({title}; mean over the rounds).",
        (
            Column("part", "what is seen"),
            Column("emotion", "emotion"),
            *(Column(name, f"read as {name}", PLAIN) for name in names),
        ),
        [
            {
                "part": part_title(facts, part),
                "emotion": name,
                **dict(zip(names, counts, strict=True)),
            }
            for part, found in result["parts"].items()
            for name, counts in zip(names, found["confusion"], strict=True)
        ],
    )


def _share_of(result: dict[str, Any], part: str, number: int) -> float:
    """Recall of an emotion; of all faces, which come last, the accuracy."""
    found = result["parts"][part]
    rows = found["per_emotion"]
    share = rows[number]["recall"] if number < len(rows) else found["accuracy"]
    return float(share["value"])


def _limits(figure: dict[str, Any]) -> tuple[float, float]:
    return figure["low"], figure["high"]
