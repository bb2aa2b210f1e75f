"""What a comparison says, in plain words."""

from __future__ import annotations

from typing import Any

from aufer.bundle import AU_INPUT
from aufer.comparison.contender import MASK
from aufer.comparison.figures import ALL, UNSEEN, leading_view
from aufer.comparison.pairs import ALPHA, ANSWERED, EVERY
from aufer.metrics import percent

MASKED = "those answers are left out and the other probabilities are divided by their sum"
COUNTED = "such an answer counts as wrong"


def points(share: float) -> str:
    """A difference of two shares in percentage points, e.g. ``+2.1``."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"  # never -0.0


def p_value(p: float) -> str:
    """A p-value as texts have it: ``p = 0.012``, ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def about(n: int) -> str:
    """A number of images to two digits: ``1,300``."""
    unit = 10 ** max(0, len(str(n)) - 2)
    return f"{-(-n // unit) * unit:,}"


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def ask(facts: dict[str, Any]) -> str:
    """What was asked."""
    models = [model["name"] for model in facts["models"] if model["kind"] != "fusion"]
    testset = facts["testset"]
    return (
        f"How do {listed(models)} read the same {testset['n_images']:,} images of "
        f"{testset['source']} (expressions of {listed(facts['emotions'])})?"
    )


def answer(facts: dict[str, Any]) -> str:
    """Which model reads most images as labelled, on the images that all of them answer."""
    view = leading_view(facts)
    ranked = _ranked(view)
    if not view["n_common"]:
        return "No image is answered by all of the models: they can't be ranked."
    best = ranked[0]["common"]
    others = ", ".join(f"{m['name']} {percent(m['common']['value'])}" for m in ranked[1:])
    which = (
        f"Of the {view['n_common']:,} images that all of them answer"
        if view["n_common"] < view["n_images"]
        else f"Of the {view['n_images']:,} images"
    )
    return (
        f"{which}, {ranked[0]['name']} reads {percent(best['value'])} as labelled (95 % interval "
        f"{percent(best['low'])} to {percent(best['high'])}); {others}."
    )


def verdict(facts: dict[str, Any]) -> str:
    """Whether the best one is better than the second by more than chance."""
    view = leading_view(facts)
    if not view["n_common"]:
        return ""
    first, second = (model["name"] for model in _ranked(view)[:2])
    pairs = view["pairs"][ANSWERED]
    (pair,) = [p for p in pairs if {p["first"], p["second"]} == {first, second}]
    return describe_pair(pair)


def _ranked(view: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(view["models"], key=lambda model: -(model["common"]["value"] or 0))


def describe_pair(pair: dict[str, Any]) -> str:
    """What McNemar's test says of two models, and how many images it would take."""
    names, n = [pair["first"], pair["second"]], pair["n"]
    if not n:
        return f"No image is answered by both {names[0]} and {names[1]}."
    shares = [share["value"] for share in pair["accuracy"]]
    better, worse = (0, 1) if shares[0] >= shares[1] else (1, 0)
    p = p_value(pair["p_holm"])
    if pair["differ"]:
        limits = sorted(
            (pair["low"], pair["high"]) if better == 0 else (-pair["high"], -pair["low"])
        )
        return (
            f"{names[better]} reads more of {n:,} images as labelled than {names[worse]}: "
            f"{percent(shares[better])} and {percent(shares[worse])} "
            f"({points(shares[better] - shares[worse])} points, 95 % interval {points(limits[0])} "
            f"to {points(limits[1])}; {p})."
        )
    if not pair["first_only"] + pair["second_only"]:
        return f"{names[0]} and {names[1]} read the same of {n:,} images as labelled."
    if pair["p_holm"] < ALPHA:  # of these images, but perhaps not of other persons
        low, high = pair["by_group"] if better == 0 else [-x for x in reversed(pair["by_group"])]
        return (
            f"{n:,} images of these groups can't tell {names[better]} and {names[worse]} apart "
            f"({percent(shares[better])} and {percent(shares[worse])}): when whole groups are "
            f"drawn anew, the difference is {points(low)} to {points(high)} points (if each image "
            f"were a group of its own: {p})."
        )
    said = (
        f"{n:,} images can't tell {names[better]} and {names[worse]} apart "
        f"({percent(shares[better])} and {percent(shares[worse])}; {p})"
    )
    needed = pair["needed_holm"]
    if needed is None:
        return f"{said}: both read as many as labelled."
    if needed <= n:
        return f"{said}; a few more might."
    return f"{said}; about {about(needed)} would, if they go on differing as they do here."


def describe_coverage(facts: dict[str, Any]) -> str:
    """Which models leave images without an answer; empty where none does."""
    view = leading_view(facts)
    short = [m for m in view["models"] if m["n_answered"] < m["n_images"]]
    if not short:
        return ""
    said = "; ".join(
        f"{m['name']} answers {percent(m['coverage']['value'])} of the images; counting those "
        f"without an answer as wrong, it reads {percent(m['accuracy_all']['value'])} of all "
        f"{m['n_images']:,} as labelled"
        for m in short
    )
    full = [
        f"{m['name']} {percent(m['accuracy_all']['value'])}"
        for m in view["models"]
        if m["n_answered"] == m["n_images"]
    ]
    more = f" ({listed(full)} of all)" if full else ""
    reads = {m["name"]: m["input"] for m in facts["models"]}
    of_aus = all(reads[m["name"]] == AU_INPUT for m in short)
    why = "A model of AUs can't answer where no face is found: " if of_aus else ""
    return f"{why}{said}{more}."


def describe_copies(facts: dict[str, Any]) -> str:
    """What is known of test images that were training images."""
    unknown = [
        m["name"] for m in facts["models"] if not m["seen_checked"] and m["kind"] != "fusion"
    ]
    unsaid = (
        f" What {listed(unknown)} {'was' if len(unknown) == 1 else 'were'} trained on is not "
        "known: images that a model saw can't be found there."
        if unknown
        else ""
    )
    if not facts["n_seen"]:
        known = len(unknown) < sum(m["kind"] != "fusion" for m in facts["models"])
        which = "the other models" if unknown else "these models"
        found = f"No test image was found among the training images of {which}." if known else ""
        return f"{found}{unsaid}".strip()
    by_model = ", ".join(
        f"{m['name']} {len(m['seen']):,}"
        for m in facts["models"]
        if m["seen"] and m["kind"] != "fusion"
    )
    said = (
        f"{facts['n_seen']:,} of the {facts['testset']['n_images']:,} test images are training "
        f"images of a compared model, or near copies ({by_model})."
    )
    if UNSEEN not in facts["views"]:
        return f"{said} These are all of them: the figures say nothing of new faces.{unsaid}"
    extra = facts["leading"]["extra"]
    rates = ", ".join(
        f"{m['name']} {percent(m['accuracy']['value'])}"
        for m in facts["views"][ALL][extra]["models"]
    )
    return (
        f"{said} The figures here are without them; with them the accuracies are {rates}.{unsaid}"
    )


def describe_extras(facts: dict[str, Any]) -> str:
    """What becomes of the emotions that a model knows and that were not asked for."""
    more = [m for m in facts["models"] if m["extra_emotions"]]
    if not more:
        return ""
    knows = "; ".join(f"{m['name']} also knows {listed(m['extra_emotions'])}" for m in more)
    leading, images = facts["leading"]["extra"], facts["leading"]["images"]
    other = next(key for key in facts["views"][images] if key != leading)
    rates = ", ".join(
        f"{m['name']} {percent(m['accuracy']['value'])}"
        for m in facts["views"][images][other]["models"]
    )
    led, beside = (MASKED, COUNTED) if leading == MASK else (COUNTED, MASKED)
    n_extra = len({name for m in more for name in m["extra_emotions"]})
    return (
        f"{knows}, which {'is' if n_extra == 1 else 'are'} not asked for here: {led} "
        f"(--extra {leading}). If instead {beside} (--extra {other}), the accuracies are {rates}."
    )


def describe_fusion(facts: dict[str, Any]) -> str:
    """How the fusion was made, and whether it is better than each of its parts."""
    fusion = facts["fusion"]
    if not fusion:
        return ""
    one, other = fusion["parts"]
    how = (
        "the logarithms of their probabilities"
        if fusion["mean"] == "logarithms"
        else ("their probabilities")
    )
    made = (
        f"The fusion is the mean of {how}, {one} with the weight {fusion['weight']:.2f} and "
        f"{other} with {1 - fusion['weight']:.2f}: on {fusion['n']:,} validation images of "
        f"{fusion['source']} this gives the least log-loss ({fusion['log_loss']['fused']:.3f}; "
        f"alone {fusion['log_loss']['first']:.3f} and {fusion['log_loss']['second']:.3f}). Where "
        "one of the two has no answer, the other's counts alone."
    )
    return f"{made} {judge_fusion(facts)}"


def judge_fusion(facts: dict[str, Any]) -> str:
    """The honest finding: whether it is significantly better than each part."""
    pairs, fusion = leading_view(facts)["pairs"], facts["fusion"]
    said = []
    for images, where in (
        (ANSWERED, "on the images that both answer"),
        (EVERY, "on all images, those without an answer counted as wrong,"),
    ):
        better: list[str] = []
        worse: list[str] = []
        unclear: list[str] = []
        for part in fusion["parts"]:
            (pair,) = [
                p for p in pairs[images] if {p["first"], p["second"]} == {fusion["name"], part}
            ]
            gain = pair["difference"] or 0
            gain = gain if pair["first"] == fusion["name"] else -gain
            text = f"{part} ({points(gain)} points, {p_value(pair['p_holm'])})"
            (unclear if not pair["differ"] else better if gain > 0 else worse).append(text)
        words = []
        if len(better) == len(fusion["parts"]):
            words.append(f"is significantly better than either part: {listed(better)}")
        else:
            words += [f"is significantly better than {listed(better)}"] if better else []
            words += [f"is not significantly better than {listed(unclear)}"] if unclear else []
            words += [f"is significantly worse than {listed(worse)}"] if worse else []
        said.append(f"{where} it {' and '.join(words)}")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def describe_tests(facts: dict[str, Any]) -> str:
    """How pairs were tested."""
    n = len(leading_view(facts)["pairs"][ANSWERED])
    several = (
        f" There are {n} pairs: the p-values are corrected after Holm (1979)." if n > 1 else ""
    )
    return (
        "Two models are told apart by the images that one of them reads as labelled and the other "
        f"doesn't: exact McNemar test (1947), two-sided, significant below {ALPHA:g}.{several} "
        "The interval of a difference is Agresti and Min's (2005). How many images it would take: "
        "Connor (1987), with a power of 0.8 and the level divided by the number of pairs. The test "
        "takes each image as a fact of its own; several pictures of one person are less than that. "
        "Where groups are known, their interval must leave 0 out, too."
    )


def sentences(facts: dict[str, Any]) -> list[str]:
    """What the page says in words, for the terminal."""
    said = [
        answer(facts),
        *[describe_pair(pair) for pair in leading_view(facts)["pairs"][ANSWERED]],
        describe_coverage(facts),
        describe_extras(facts),
        describe_copies(facts),
        describe_fusion(facts),
    ]
    return [sentence for sentence in said if sentence]
