"""Reasons in words, in any of the languages: lines for the terminal, sentences for the page."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from aufer.explaining.change import GRIDS, MOST_AUS
from aufer.explaining.language import Language
from aufer.explaining.outputs import PROBABILITY
from aufer.metrics import percent
from aufer.prototypes import NEUTRAL, TRACE, prototype_of

SHOWN_AUS = 8
"""So many AUs are named in a text; the others are summed up."""

MINUS = "−"
_BAR = 20
_SMALL = 0.095


def face_lines(say: Language, facts: dict[str, Any], face: dict[str, Any]) -> list[str]:
    """All about one face, for the terminal."""
    lines = [f"{face['image']}: {headline(say, face)}"]
    if "saliency" in face:
        return [*lines, "  " + describe_saliency(say, face)]
    for emotion in face["shown"]:
        lines += ["", "  " + ask(say, facts, face, emotion)]
        lines += _share_lines(say, facts, face["reasons"][emotion], emotion)
    described = [*prototype_sentences(say, face), *change_sentences(say, face)]
    return [*lines, "", *("  " + sentence for sentence in described)]


def headline(say: Language, face: dict[str, Any]) -> str:
    """The answer, and what comes next."""
    ranked = sorted(face["probabilities"].items(), key=lambda item: -item[1])
    others = ", ".join(f"{say.emotion(name)} {chance(p)}" for name, p in ranked[1:3])
    answer = say.emotion(face["answer"])
    share = chance(face["probabilities"][face["answer"]])
    parts = [say("answer", emotion=answer, share=share)]
    parts.append(say("next", others=others))
    if face["label"]:
        parts.append(say("labelled", emotion=say.emotion(face["label"])))
    return "; ".join(parts)


def ask(say: Language, facts: dict[str, Any], face: dict[str, Any], emotion: str) -> str:
    """Why this emotion, or why not; with the output at the baseline and at the face."""
    reason = face["reasons"][emotion]
    base, there = (show_output(facts["scale"], reason[key]) for key in ("at_baseline", "at_face"))
    key = "why" if emotion == face["answer"] else "why_not"
    return say(key, emotion=say.emotion(emotion), base=base, face=there)


def show_output(scale: str, value: float) -> str:
    """An output: percent, or log-odds with their sign."""
    return chance(value) if scale == PROBABILITY else signed(value)


def chance(probability: float) -> str:
    """``93 %``; ``< 1 %`` and ``> 99 %`` where rounding would say never or surely."""
    if probability < 0.005:
        return "< 1 %"
    return "> 99 %" if probability > 0.995 else percent(probability, 0)


def signed(value: float, digits: int = 2) -> str:
    """``+0.42`` or ``−0.08``."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def digits_of(shares: Sequence[dict[str, Any]]) -> int:
    """Decimals that the shares of an emotion need: three where all are small."""
    return 2 if max((abs(one["share"]) for one in shares), default=1) >= _SMALL else 3


def show_share(say: Language, share: dict[str, Any], emotion: str, digits: int) -> str:
    """``+0.42 towards happy``, with the standard error where there is one."""
    text = signed(share["share"], digits)
    if share["error"] is not None:
        text += f" ± {share['error']:.{digits}f}"
    key = "away" if share["share"] < 0 else "towards"
    return say(key, share=text, emotion=say.emotion(emotion))


def _share_lines(
    say: Language, facts: dict[str, Any], reason: dict[str, Any], emotion: str
) -> list[str]:
    shares = reason["shares"]
    if not shares:
        return ["    " + say("is_baseline")]
    named = shares[:SHOWN_AUS] if len(shares) > SHOWN_AUS + 1 else shares
    most = max(abs(share["share"]) for share in shares) or 1.0
    labels = [f"{say.au(share['au'])} {share['value']:.3g}:" for share in named]
    digits = digits_of(shares)
    texts = [show_share(say, share, emotion, digits) for share in named]
    rest = shares[len(named) :]
    label_width, text_width = max(map(_width, labels)), max(map(_width, texts))
    lines = []
    for label, text, share in zip(labels, texts, named, strict=True):
        length = round(_BAR * abs(share["share"]) / most)
        bar = ("-" if share["share"] < 0 else "+") * length
        lines.append(f"    {_pad(label, label_width)} {_pad(text, text_width)}  {bar}".rstrip())
    if rest:
        together = signed(sum(share["share"] for share in rest), digits)
        lines.append("    " + say("rest", n=len(rest), share=together))
    total = reason["at_face"] - reason["at_baseline"]
    return [*lines, "    " + say("sum", share=signed(total, digits))]


def _width(text: str) -> int:
    """Columns that a text takes on a terminal: Korean syllables take two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def prototype_sentences(say: Language, face: dict[str, Any]) -> list[str]:
    """How the face, and the reasons, agree with the prototypes of the emotions shown."""
    found, by_emotion = [], face["prototypes"]["by_emotion"]
    for emotion in face["shown"]:
        if (one := by_emotion.get(emotion)) is None:
            continue
        name, agreement = say.emotion(emotion), signed(one["agreement"])
        if prototype_of(emotion) == NEUTRAL:
            found.append(say("prototype_neutral", emotion=name, agreement=agreement))
        else:
            there, missing = (_list_aus(say, face, one[key]) for key in ("there", "missing"))
            found.append(
                say("prototype", emotion=name, there=there, missing=missing, agreement=agreement)
            )
        if one["of_reasons"] is not None:
            share = percent(one["of_reasons"], 0)
            found.append(say("prototype_share", emotion=name, share=share))
    if (best := face["prototypes"]["best"]) is not None:
        found.append(say("prototype_best", emotion=say.emotion(best)))
    return found


def _list_aus(say: Language, face: dict[str, Any], aus: Sequence[str]) -> str:
    return ", ".join(f"{au} ({face['measured'][au]:.3g})" for au in aus) or say("none")


def change_sentences(say: Language, face: dict[str, Any]) -> list[str]:
    """The smallest change to another answer, and to each emotion asked about."""
    found: list[str] = []
    any_other = next(change for change in face["changes"] if change["target"] is None)
    for change in face["changes"]:
        if change["target"] is not None and change.get("aus") == any_other.get("aus", ()):
            continue  # said already
        to, suffix = change["target"], "any" if change["target"] is None else "to"
        if not change["found"]:
            name = say.emotion(to or "")
            found.append(say(f"no_change_{suffix}", n=MOST_AUS, emotion=name))
            continue
        moves = ", ".join(
            f"{say.au(one['au'])} {one['from']:.3g} → {one['to']:.3g}" for one in change["aus"]
        )
        found.append(
            say(
                f"change_{suffix}",
                changes=moves,
                emotion=say.emotion(change["answer"]),
                share=chance(change["probability"]),
            )
        )
    return found


def describe_saliency(say: Language, face: dict[str, Any]) -> str:
    """Where an image model looked."""
    emotion = say.emotion(face["answer"])
    if face["saliency"] is None:
        return say("looked_nowhere", emotion=emotion)
    thirds = {name: percent(share, 0) for name, share in face["saliency"].items()}
    return say("looked", emotion=emotion, most=f"{100 * face['most_lost']:.1f}", **thirds)


def describe_baseline(say: Language, facts: dict[str, Any]) -> str:
    """The baseline, and what the model says of it."""
    one = facts["baseline"]
    text = say(
        f"baseline.{one['kind']}", n=one["n_faces"], rows=one["n_rows"], source=one["source"]
    )
    ranked = sorted(one["probabilities"].items(), key=lambda item: -item[1])[:2]
    answers = ", ".join(f"{say.emotion(name)} {chance(p)}" for name, p in ranked)
    return say("baseline", baseline=text, answers=answers)


def notes(say: Language, facts: dict[str, Any]) -> list[str]:
    """What a reader should know to read the reasons."""
    if facts["baseline"] is None:
        return [say("saliency_rule"), say("limits")]
    how = "sampled" if facts["baseline"]["kind"] == "background" else "exact"
    found = [describe_baseline(say, facts)]
    found.append(say(how, pairs=facts["pairs"], seed=facts["seed"]))
    found.append(say(f"scale.{facts['scale']}"))
    if facts["relative"] is not None:
        found.append(say("relative", rule=say(f"relative.{facts['relative']}")))
        found.append(say("measured" if facts["knows_measured"] else "not_measured"))
    found.append(say("agreement", trace=f"{TRACE:g}"))
    one, two, three = (f"{step:g}" for step in GRIDS.values())
    found.append(say("change_rule", one=one, two=two, three=three))
    return [*found, say("limits")]


def lines(say: Language, facts: dict[str, Any]) -> list[str]:
    """All of it, for the terminal."""
    found = []
    for face in facts["faces"]:
        found += [*face_lines(say, facts, face), ""]
    for one in facts["unanswered"]:
        found.append(describe_unanswered(say, one))
    if facts["n_left_out"]:
        found.append(say("left_out", n=facts["n_left_out"]))
    return [*found, *notes(say, facts)]


def describe_unanswered(say: Language, one: dict[str, Any]) -> str:
    """An image without an answer, and why."""
    reason = f": {one['reason']}" if one["reason"] else ""
    return say("unanswered", image=one["image"], status=one["status"], reason=reason)
