"""What a learning curve says, in plain words."""

from __future__ import annotations

from typing import Any

from aufer.metrics import percent

FLAT = 0.01
"""A gain that is surely below one point in a hundred is called flat."""

RISES, IS_FLAT, UNCLEAR = "rises", "flat", "unclear"


def points(share: float, *, sign: bool = True) -> str:
    """A difference of two shares in percentage points, e.g. ``+2.1``."""
    return f"{100 * share:{'+' if sign else ''}.1f}"


def judge(gain: dict[str, Any]) -> str:
    """Whether a step surely brought something (`RISES`), surely next to nothing, or neither."""
    if gain["low"] > 0:
        return RISES
    return IS_FLAT if gain["high"] < FLAT else UNCLEAR


def name_size(facts: dict[str, Any], size: int) -> str:
    """A size as tables and texts name it: the largest may be all there is."""
    return f"all ({size:,} at most)" if size == facts["most"] else f"{size:,}"


def of_images(facts: dict[str, Any], size: int) -> str:
    """A size within a sentence."""
    if size == facts["most"]:
        return f"all training images ({size:,} of the most frequent emotion)"
    return f"{size:,} image{'' if size == 1 else 's'} per emotion"


def ask(facts: dict[str, Any]) -> str:
    """What was asked."""
    return (
        f"How many images does a model need? One of the kind “{facts['model']['title']}” learnt "
        f"from more and more images of {facts['dataset']['name']}, and each time read the same "
        "faces, which it had not learnt from."
    )


def answer(facts: dict[str, Any]) -> str:
    """The curve in one or two sentences."""
    first, last = facts["points"][0], facts["points"][-1]
    return (
        f"With {of_images(facts, first['size'])} it read {percent(first['accuracy']['value'])} of "
        f"unseen faces as labelled, with {of_images(facts, last['size'])} "
        f"{percent(last['accuracy']['value'])}."
    )


def more_images(facts: dict[str, Any]) -> str:
    """Whether more images would help, as far as the last step tells."""
    gain = facts["gains"][-1]
    verdict = judge(gain)
    step = (
        f"The last step, from {of_images(facts, gain['from'])} to {of_images(facts, gain['to'])}, "
        f"brought {points(gain['gain'])} points (95 % interval {points(gain['low'])} to "
        f"{points(gain['high'])})"
    )
    if verdict == RISES:
        return (
            f"{step}: the curve still rises. If it goes on like this, twice as many images bring "
            f"about {points(gain['per_doubling'])} points."
        )
    if verdict == IS_FLAT:
        return f"{step}: the curve is flat; more images like these hardly help."
    once = facts["protocol"]["repeats"] == 1
    return (
        f"{step}: whether more images like these would help can't be told from these"
        f"{' (more rounds say more: --repeats 5)' if once else ''}."
    )


def describe_doubling(facts: dict[str, Any]) -> str:
    """The largest step that doubled the images of every emotion; empty where there is none."""
    full = {point["size"] for point in facts["points"] if not point["short_of"]}
    steps = [g for g in facts["gains"] if g["to"] == 2 * g["from"] and g["to"] in full]
    if not steps:
        return ""
    gain = steps[-1]
    return (
        f"Doubling from {gain['from']:,} to {of_images(facts, gain['to'])} brought "
        f"{points(gain['gain'])} points ({points(gain['low'])} to {points(gain['high'])})."
    )


def describe_emotions(facts: dict[str, Any]) -> str:
    """Which emotion is read best and worst in the end, and which gained most."""
    first, last = facts["points"][0]["per_emotion"], facts["points"][-1]["per_emotion"]
    ends = {
        after["emotion"]: (before["recall"]["value"], after["recall"]["value"])
        for before, after in zip(first, last, strict=True)
        if before["recall"]["value"] is not None and after["recall"]["value"] is not None
    }
    best, worst = (pick(ends, key=lambda name: ends[name][1]) for pick in (max, min))
    most = max(ends, key=lambda name: ends[name][1] - ends[name][0])
    return (
        f"In the end {best} is read best ({percent(ends[best][1])}) and {worst} worst "
        f"({percent(ends[worst][1])}). Most was gained by {most}: from {percent(ends[most][0])} to "
        f"{percent(ends[most][1])}."
    )


def describe_shortage(facts: dict[str, Any]) -> str:
    """Which emotions ran out of images, and what that does; empty where none did."""
    short = {name: n for point in facts["points"] for name, n in point["short_of"].items()}
    if not short:
        return ""
    listed = ", ".join(f"{name} (about {n:,.0f})" for name, n in short.items())
    return (
        f"Not every emotion has as many images as the largest sizes ask for: {listed}. From there "
        "on the others alone grow, and a model leans towards what it saw more of: the recall of a "
        "rare emotion may fall while accuracy rises."
    )


def describe_interval(facts: dict[str, Any]) -> str:
    """How the intervals were made."""
    k, repeats = facts["protocol"]["k"], facts["protocol"]["repeats"]
    rounds = f"{k} folds" + (f", dealt {repeats} times" if repeats > 1 else "")
    return (
        "Intervals are 95 %. Of accuracy and recall they are the wider of two: Wilson's (1927), "
        "which knows how many faces were tested, and Nadeau and Bengio's (2003), which knows how "
        f"much the figure differs between the folds ({rounds}), and that these share training "
        "images. Macro-F1 and the gains have the second one; the gains are taken fold by fold, as "
        "each size reads the same faces."
    )


def sentences(facts: dict[str, Any]) -> list[str]:
    """All that the page says in words, for the terminal."""
    said = (answer(facts), describe_doubling(facts), more_images(facts), describe_shortage(facts))
    return [sentence for sentence in said if sentence]
