"""The report's sentences: what was asked, the answer, who is unknown, what the data are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aufer.bundle import IMAGE_INPUT
from aufer.groups import FEW_GROUPS
from aufer.image_input import ImageInput
from aufer.metrics import percent
from aufer.report.facts import shown_figures
from aufer.seen import WAYS

TESTSET = "test set"
HELD_OUT = "held-out rows"
CROSS_VALIDATION = "cross-validation"
"""What a report is of: faces that somebody named, the bundle's own test rows, or its folds."""

WILSON = "Wilson"
"""How an interval came to be: by Wilson's formula, not by drawing groups anew."""

KIND_TITLES = {
    "dense": "a dense neural network",
    "logistic": "multinomial logistic regression",
    "svm": "a support vector machine with a radial kernel",
    "trees": "extremely randomised trees",
}


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as an enumeration: ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(n: int, one: str, several: str = "") -> str:
    """A number and what it counts: ``1 face``, ``2,247 faces``."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def name_test(facts: dict[str, Any]) -> str:
    """What it was tested on, in short, for titles."""
    source = str(facts["testset"]["source"])
    return {
        TESTSET: source,
        HELD_OUT: "the faces held out when it was trained",
        CROSS_VALIDATION: "the held-out faces of its cross-validation",
    }[facts["tested_on"]]


def leading_interval(figures: dict[str, Any]) -> tuple[float, float, str]:
    """The 95 % interval of the accuracy to lead with, and how it came to be.

    Where groups are known it is that of whole groups drawn anew: faces of one person are alike, and
    Wilson's interval, which counts each as news, is too narrow. Fewer than `FEW_GROUPS` can't say
    how much groups differ; nor can any number where all draws give the same, as 100 % do.
    """
    bootstrap = figures["bootstrap"]
    low, high = bootstrap["accuracy"] or (0.0, 0.0)
    if bootstrap["by"] == "group" and bootstrap["n_groups"] >= FEW_GROUPS and low < high:
        return low, high, f"{bootstrap['n_groups']:,} groups drawn anew"
    return figures["accuracy"]["low"], figures["accuracy"]["high"], WILSON


def in_words(figures: dict[str, Any]) -> str:
    """Accuracy and interval: ``75.0 % (45 of 60; 95 % interval 62.8 % to 84.2 %)``."""
    share = figures["accuracy"]
    low, high, how = leading_interval(figures)
    by = f", {how}" if how != WILSON else ""
    return (
        f"{percent(share['value'])} ({share['k']:,} of {share['n']:,}; 95 % interval "
        f"{percent(low)} to {percent(high)}{by})"
    )


def ask(facts: dict[str, Any]) -> str:
    """What was asked, one paragraph."""
    model, testset = facts["model"], facts["testset"]
    dataset = model["dataset"]
    trained = (
        f", {KIND_TITLES.get(model['kind'], 'a model')} trained on "
        + (counted(dataset["n_rows"], "face") if "n_rows" in dataset else "the faces")
        + f" of {dataset['path']},"
        if dataset.get("path")
        else ""
    )
    shown = {
        TESTSET: f"the {counted(testset['n_images'], 'image')} of {testset['source']}",
        HELD_OUT: f"{counted(testset['n_images'], 'face')} of its own dataset that were held out "
        "when it was trained",
        CROSS_VALIDATION: f"{counted(testset['n_images'], 'face')} of its own dataset, each read "
        "by a model of the same kind that was not fitted to it (cross-validation)",
    }[facts["tested_on"]]
    return (
        f"Which emotion does a face show? The model {model['name']}{trained} was asked this about "
        f"{shown}. {_what_it_sees(model)}, and answers with one of "
        f"{listed(facts['emotions'], 'or')}. "
        "This report tells how often that was the emotion that the picture stands for, where it "
        "went wrong, and how far the model's own certainty can be trusted."
    )


def reads_pictures(facts: dict[str, Any]) -> bool:
    """Whether the model of a report takes pixels, not AUs."""
    return bool(facts["model"].get("input") == IMAGE_INPUT)


def _what_it_sees(model: dict[str, Any]) -> str:
    if model.get("image_input"):
        size = ImageInput.from_facts(model["image_input"])
        return f"It sees the whole picture, made {size}"
    return (
        "It knows nothing of a face but the intensities of 17 Action Units, small movements of "
        "facial muscles"
    )


def summarise(facts: dict[str, Any]) -> str:
    """The result in one or two plain sentences."""
    shown, everything = shown_figures(facts), facts["figures"]["all"]
    n_seen = facts["seen_in_training"]["n"]
    only_seen = n_seen > 0 and shown is everything
    name, result = facts["model"]["name"], in_words(shown)
    text = {
        TESTSET: f"{name} read {result} of the answered faces correctly; it could answer "
        f"{percent(shown['coverage']['value'])} of {counted(shown['n_images'], 'image')}.",
        HELD_OUT: f"{name} read {result} of the faces correctly that were held out when it was "
        "trained.",
        CROSS_VALIDATION: f"In cross-validation {name} read {result} of the faces correctly.",
    }[facts["tested_on"]]
    if only_seen:
        return f"{text} All of them were training faces too: this says nothing about new faces."
    if not n_seen:
        return text
    return (
        f"{text} {counted(n_seen, 'test image')} that {'was' if n_seen == 1 else 'were'} seen in "
        f"training {'is' if n_seen == 1 else 'are'} not counted; with "
        f"{'it' if n_seen == 1 else 'them'} it would be {percent(everything['accuracy']['value'])}."
    )


def compare_with_baselines(facts: dict[str, Any]) -> str:
    """How much that is, beside what needs no training; one sentence."""
    shown = shown_figures(facts)
    named = {b["name"]: percent(b["accuracy"]["value"]) for b in shown["baselines"]}
    told = []
    if "majority" in named:
        told.append(
            f"always saying the most frequent emotion would be right in {named['majority']}"
        )
    if "prototypes" in named:
        told.append(
            f"the textbook's FACS prototypes, without any training, in {named['prototypes']}"
        )
    told.append(f"guessing in {percent(1 / len(facts['emotions']))}")
    return f"For comparison: {listed(told)}."


def persons_unknown(facts: dict[str, Any]) -> str:
    """Why new people may be read worse than the figures say; empty where persons are known."""
    model, testset = facts["model"], facts["testset"]
    trained_known = model["persons_known"]
    if trained_known and (facts["tested_on"] != TESTSET or testset["persons_known"]):
        return ""
    unknown = [
        *([] if trained_known else ["in the training data"]),
        *(
            ["in the test data"]
            if facts["tested_on"] == TESTSET and not testset["persons_known"]
            else []
        ),
    ]
    rule = str((model["dataset"].get("groups") or {}).get("rule", ""))
    kept = f" Kept on one side were {rule}." if rule and not trained_known else ""
    return f"Nobody said which pictures show the same person {listed(unknown)}.{kept}"


def describe_training_data(facts: dict[str, Any]) -> list[str]:
    """The training data in sentences; what the bundle doesn't tell is left out."""
    model = facts["model"]
    dataset, split = model["dataset"], model["split"]
    told = []
    if "n_rows" in dataset:
        n_images = dataset.get("n_images")
        text = f"The model was made from {counted(dataset['n_rows'], 'face')} of {dataset['path']}"
        if isinstance(n_images, int) and n_images > dataset["n_rows"]:
            text += (
                f"; {counted(n_images - dataset['n_rows'], 'image')} of {n_images:,} "
                "were left out, for the reasons in the table"
            )
        told.append(text + ".")
    else:
        told.append("The model does not say which faces it was trained on.")
    if "min_confidence" in dataset:
        told.append(
            f"Faces measured with a confidence below {dataset['min_confidence']:g} were not used."
        )
    groups = dataset.get("groups") or {}
    if groups.get("n_groups"):
        told.append(
            f"Its groups: {groups['rule']}; {groups['n_groups']:,} groups, the largest of "
            f"{counted(groups['largest'], 'face')}."
        )
    if split.get("sizes"):
        sizes = split["sizes"]
        told.append(
            f"Of these faces {sizes.get('train', 0):,} were for training, "
            f"{sizes.get('validation', 0):,} for validation and {sizes.get('test', 0):,} for "
            f"testing: {split.get('rule', '')}."
        )
    normalization = dataset.get("normalization") or {}
    if normalization.get("how", "none") != "none":
        told.append(f"The model takes {normalization.get('rule', 'AUs relative to the person')}.")
    return told


def describe_test_data(facts: dict[str, Any]) -> list[str]:
    """The test data in sentences: counts, coverage, groups, overlaps with the training data."""
    testset, seen = facts["testset"], facts["seen_in_training"]
    everything = facts["figures"]["all"]
    told = [
        f"{everything['coverage']['k']:,} of {counted(testset['n_images'], 'image')} "
        f"({percent(everything['coverage']['value'])}) "
        + ("could be read" if reads_pictures(facts) else "have a usable face")
        + (
            f"; {counted(testset['n_low_confidence'], 'face')} "
            f"{'was' if testset['n_low_confidence'] == 1 else 'were'} fitted with a confidence "
            f"below {facts['min_confidence']:g} and count as not answered"
            if testset["n_low_confidence"]
            else ""
        )
        + "."
    ]
    if testset["groups_known"]:
        rule = testset["groups"]["rule"]
        told.append(
            f"They are of {counted(testset['n_groups'], 'group')}"
            + (f" ({rule})" if rule else "")
            + f", the largest of {counted(testset['largest_group'], 'image')}."
        )
    else:
        told.append("Groups (persons, or series of one person) are not known.")
    if facts["tested_on"] == CROSS_VALIDATION:
        told.append("No face was read by a model that was fitted to it.")
        return told
    if not seen["checked"]:
        told.append("Which of them the model saw in training could not be found out.")
        return told
    ways = [f"{WAYS[way]}: {n:,}" for way, n in seen["ways"].items() if n]
    told.append(
        f"{counted(seen['n'], 'image')} {'was' if seen['n'] == 1 else 'were'} seen in training "
        f"({'; '.join(ways)})."
        if seen["n"]
        else "None of them was seen in training."
    )
    if not seen["near_copies_checked"]:
        told.append(
            "Near copies could not be looked for, as the pictures' perceptual hashes are not known "
            "on both sides."
        )
    return told
