"""What an agreement says, in plain words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aufer.action_units import AU_NAMES
from aufer.agreeing.figures import EXCELLENT, GOOD, MODERATE, POOR
from aufer.comparison.text import listed
from aufer.metrics import percent

RULE = (
    "Words for ICC(3,1) are Koo and Li's (2016): poor below 0.50, moderate to 0.75, good to 0.90, "
    "excellent from there; an AU that is poor is called weak. Cicchetti's (1994) are milder: poor "
    "below 0.40, fair to 0.60, good to 0.75."
)
_GAP = 0.05
"""From here on within-emotion r counts as lower than pooled r."""
_LARGE_BIAS = 0.1


def short(au: str) -> str:
    """``AU12`` of ``AU12_r``."""
    return au.removesuffix("_r")


def named(au: str) -> str:
    """``AU12 lip corner puller`` of ``AU12_r``."""
    return f"{short(au)} {AU_NAMES[short(au)]}"


def with_limits(figure: dict[str, Any]) -> str:
    """``0.84 [0.83, 0.85]``."""
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def signed(value: float) -> str:
    """``+0.31``; a true minus sign, and never -0.00."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def ask(facts: dict[str, Any]) -> str:
    """What was asked."""
    return "Do two measurements of the same images give the same AUs? " + " ".join(
        f"{side}: {facts[side.lower()]['name']}, {facts[side.lower()]['measured']}."
        for side in ("A", "B")
    )


def answer(facts: dict[str, Any]) -> str:
    """The conclusion in one sentence or two."""
    mean, images = facts["mean"], facts["images"]
    what = f"On the {images['both']:,} images that both measured"
    if not mean["r"]:
        return f"{what}, no AU varies in both A and B: whether they agree can't be said."
    n = mean["n_aus"]
    over = f"{n} AUs" if n > 1 else short(_defined(facts)[0]["au"])
    return (
        f"{what}, A and B agree with {'a mean' if n > 1 else 'an'} r of {with_limits(mean['r'])} "
        "and "
        f"{'a mean ' if n > 1 else 'an '}ICC(3,1) of {with_limits(mean['icc3'])} over {over}: "
        f"{mean['verdict']}. {describe_weak(facts)}"
    )


def _defined(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in facts["aus"] if row["icc3"]]


def describe_weak(facts: dict[str, Any]) -> str:
    """The weak AUs, the weakest first."""
    weak = [row for row in _defined(facts) if row["verdict"] == POOR]
    if not weak:
        return "No AU is weak."
    weak.sort(key=lambda row: float(row["icc3"]["value"]))
    words = [f"{named(row['au'])} ({row['icc3']['value']:.2f})" for row in weak]
    return f"Weak, with an ICC below 0.50: {listed(words)}."


def describe_others(facts: dict[str, Any]) -> str:
    """The AUs by the word for their ICC, the best first; the weak ones stand in the answer."""
    said = []
    for verdict in (EXCELLENT, GOOD, MODERATE):
        rows = [row for row in _defined(facts) if row["verdict"] == verdict]
        rows.sort(key=lambda row: -float(row["icc3"]["value"]))
        if rows:
            words = listed([f"{short(row['au'])} ({row['icc3']['value']:.2f})" for row in rows])
            said.append(f"{verdict}: {words}")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def describe_missing(facts: dict[str, Any]) -> str:
    """AUs of one table only, and AUs that never vary."""
    said = []
    for side in ("A", "B"):
        if aus := facts[f"only_in_{side.lower()}"]:
            said.append(f"Only {side} has {listed([short(au) for au in aus])}.")
    for row in facts["aus"]:
        if row["constant"]:
            said.append(
                f"{named(row['au'])} never varies in {row['constant']}: r and ICC are undefined, "
                "and the means are without it."
            )
        elif row["r"] is None:
            said.append(f"{named(row['au'])} has {row['n']} pairs of values only.")
    return " ".join(said)


def describe_within(facts: dict[str, Any]) -> str:
    """Within-emotion r beside pooled r."""
    mean = facts["mean"]["within"]
    if not mean:
        return (
            "Within-emotion r can't be given: it takes labelled images of two emotions or more. "
            "Pooled r flatters where expressions are posed."
        )
    text = (
        f"Within emotions (each emotion's mean removed; {facts['n_labelled']:,} labelled images) "
        f"the mean r is {with_limits(mean)}, and {mean['pooled']:.2f} pooled"
    )
    rows = [row for row in facts["aus"] if row["within"]]
    rows.sort(key=lambda row: float(row["within"]["value"] - row["within"]["pooled"]))
    lower = [row for row in rows if row["within"]["pooled"] - row["within"]["value"] >= _GAP]
    if not lower:
        return f"{text}: hardly any of the agreement is owed to the emotions being told apart."
    words = [
        f"{short(row['au'])} ({row['within']['pooled']:.2f} to {row['within']['value']:.2f})"
        for row in lower[:4]
    ]
    return (
        f"{text}: part of the pooled r says only that both tell the expressions apart. It falls "
        f"most in {listed(words)}."
    )


def describe_level(facts: dict[str, Any]) -> str:
    """Bias and zeros."""
    rows = [row for row in facts["aus"] if row["bias"] is not None]
    if not rows:
        return ""
    mean = facts["mean"]
    text = f"The mean absolute error is {mean['mae']:.2f} over the AUs."
    large = [row for row in rows if abs(row["bias"]) >= _LARGE_BIAS]
    large.sort(key=lambda row: -abs(float(row["bias"])))
    if large:
        words = [f"{short(row['au'])} {signed(row['bias'])}" for row in large[:4]]
        text += f" The largest biases (A minus B): {listed(words)}."
    else:
        text += f" No AU's bias reaches {_LARGE_BIAS}."
    worse = [short(row["au"]) for row in rows if row["mae"] >= row["mae_of_mean"] > 0]
    if worse:
        text += f" B's own mean would be as near to B as A is in {listed(worse)}."
    return (
        f"{text} Zeros: {percent(mean['zeros_a'], 0)} of the values in A, "
        f"{percent(mean['zeros_b'], 0)} in B."
    )


def describe_images(facts: dict[str, Any]) -> str:
    """How the images were matched, and which are left out."""
    n = facts["images"]
    text = f"{n['paired']:,} images are in both tables, matched by {facts['matched_by']}"
    alone = [f"{n[key]:,} only in {key[-1].upper()}" for key in ("only_a", "only_b") if n[key]]
    text += f"; {' and '.join(alone)}." if alone else "."
    if n["other_file"]:
        text += f" {n['other_file']:,} have the same name, and are different files: left out."
    if n["both"] == n["paired"]:
        return f"{text} Both measured all of them."
    said = [
        f"{n[key]:,} {words}"
        for key, words in (
            ("a_alone", "A alone measured"),
            ("b_alone", "B alone measured"),
            ("neither", "neither did"),
        )
        if n[key]
    ]
    return (
        f"{text} Both measured {n['both']:,} of them with a confidence of at least "
        f"{facts['min_confidence']:g}; {', '.join(said)}."
    )


def describe_interval(facts: dict[str, Any]) -> str:
    """How the intervals were made."""
    draws = facts["draws"]
    what = "groups of faces" if draws["by"] == "group" else "faces"
    return (
        f"Intervals are 95 %: {draws['n']:,} times as many {what} as there are "
        f"({draws['n_groups']:,}) were drawn anew with replacement, the same ones for all AUs. Of "
        "r they are the wider of this and Fisher's (1921), of ICC(3,1) the wider of this and "
        "Shrout and Fleiss's (1979)."
        + ("" if draws["by"] == "group" else " Who is on the images is not known to them.")
    )


_SAID: tuple[Callable[[dict[str, Any]], str], ...] = (
    describe_images,
    answer,
    describe_others,
    describe_missing,
    describe_within,
    describe_level,
)


def sentences(facts: dict[str, Any]) -> list[str]:
    """What the terminal says."""
    return [text for say in _SAID if (text := say(facts))]
