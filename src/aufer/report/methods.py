"""The methods paragraph of a report, with the real numbers of this run and its citations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aufer.au_table import DEFAULT_MIN_CONFIDENCE
from aufer.image_input import ImageInput
from aufer.measures import APPROXIMATES
from aufer.metrics import percent
from aufer.provenance import MEASURE_AU_NET, Extractor
from aufer.report.facts import shown_figures
from aufer.report.references import WORKS, Citations, bibtex
from aufer.report.tables import leading_protocol
from aufer.report.text import (
    CROSS_VALIDATION,
    HELD_OUT,
    KIND_TITLES,
    WILSON,
    counted,
    leading_interval,
    listed,
    reads_pictures,
)
from aufer.seen import EQUAL_AUS, NEAR_COPY, SAME_FILE


@dataclass(frozen=True)
class Methods:
    """A methods section.

    Attributes:
        paragraphs: of plain text. references: entries of the works cited, in order.
        bibtex: the same as a ``.bib`` file.
    """

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]
    bibtex: str

    def text(self) -> str:
        """All of it as a text file."""
        return "\n\n".join([*self.paragraphs, "References", *self.references]) + "\n"


def write_methods(facts: dict[str, Any]) -> Methods:
    """The methods section of these facts; what they don't tell is not written about."""
    cite = Citations()
    paragraphs = (
        " ".join([_measuring(facts, cite), *_model(facts, cite)]),
        " ".join([*_testing(facts, cite), *_cross_validation(facts, cite), _caution(cite)]),
    )
    keys = cite.keys
    return Methods(paragraphs, tuple(WORKS[key].entry for key in keys), bibtex(keys))


def _measuring(facts: dict[str, Any], cite: Citations) -> str:
    if reads_pictures(facts):
        size = ImageInput.from_facts(facts["model"]["image_input"])
        return f"Pictures were resized to {size} pixels each."
    extractor = facts["testset"]["extractor"]
    if extractor.get("measure") == MEASURE_AU_NET:
        network = Extractor.from_facts(extractor).network
        named = f" ({network})" if network else ""
        return (
            f"Facial Action Units (AUs; {cite('ekman2002')}) were measured in still pictures with "
            f"a neural network of aufer{named} that {APPROXIMATES} (OpenFace 2.0; "
            f"{cite('baltrusaitis2018')}), for 17 AUs on a scale from 0 to 5."
        )
    with_engine = f" ({extractor['image']})" if extractor.get("image") else ""
    return (
        f"Facial Action Units (AUs; {cite('ekman2002')}) were measured in still pictures with "
        f"OpenFace 2.0{with_engine} ({cite('baltrusaitis2018')}), which gives the intensities of "
        "17 AUs on a scale from 0 to 5."
    )


def _model(facts: dict[str, Any], cite: Citations) -> list[str]:
    model = facts["model"]
    dataset, training, split = model["dataset"], model["training"], model["split"]
    kind = KIND_TITLES.get(model["kind"], "A classifier")
    layers = training.get("hidden_layers")
    made_with = facts["made_by"]
    if model["recipe"]:
        made_with += f", recipe “{model['recipe']}”"
    if model["kind"] == "dense":
        made_with += f"; Keras, {cite('chollet2015')}"
    elif model["kind"] in KIND_TITLES:
        made_with += f"; scikit-learn, {cite('pedregosa2011')}"
    told = [
        f"{kind[0].upper()}{kind[1:]}"
        + (f" with hidden layers of {listed([str(n) for n in layers])} units" if layers else "")
        + f" ({made_with}) named the expression as {listed(facts['emotions'], 'or')} from these "
        + ("pictures." if reads_pictures(facts) else "intensities.")
    ]
    sizes = split.get("sizes", {})
    n_train, n_validation = sizes.get("train", 0), sizes.get("validation", 0)
    if n_train:
        rule = f" ({split['rule']})" if split.get("rule") else ""
        if training.get("epochs_run"):
            told.append(
                f"It was fitted to {counted(n_train, 'face')}; {n_validation:,} further ones "
                f"served for early stopping and calibration{rule}."
                + (
                    " It was then fitted again, for as many epochs, to all of these faces."
                    if training.get("refit")
                    else ""
                )
            )
        else:
            told.append(f"It was fitted to {counted(n_train + n_validation, 'face')}{rule}.")
    if "min_confidence" in dataset:
        told.append(
            f"Faces measured with a confidence below {dataset['min_confidence']:g} were excluded."
        )
    normalization = dataset.get("normalization") or {}
    if normalization.get("how", "none") != "none":
        told.append(f"Intensities were relative to the person: {normalization.get('rule', '')}.")
    calibration = model["calibration"]
    if calibration.get("temperature") and calibration["temperature"] != 1:
        told.append(
            f"Probabilities were calibrated by temperature scaling ({cite('guo2017')}; T = "
            f"{calibration['temperature']:.2f}, found on {counted(calibration['n'], 'face')} that "
            "the weights had not been fitted to"
            + (
                f", after the label smoothing of {calibration['label_smoothing_undone']:g} was "
                "taken out)."
                if calibration.get("label_smoothing_undone")
                else ")."
            )
        )
    return told


def _testing(facts: dict[str, Any], cite: Citations) -> list[str]:
    testset, seen = facts["testset"], facts["seen_in_training"]
    shown = shown_figures(facts)
    everything = facts["figures"]["all"]
    tested_on = facts["tested_on"]
    if tested_on == CROSS_VALIDATION:
        text = (
            "Performance was estimated by cross-validation on "
            f"{counted(shown['n_answered'], 'face')}; each was classified by a model that was not "
            "fitted to it."
        )
    elif tested_on == HELD_OUT:
        text = (
            f"The model was tested on {counted(shown['n_answered'], 'face')} of the same dataset "
            "that had been held out."
        )
    else:
        text = (
            f"The model was tested on {counted(testset['n_images'], 'picture')}, of which "
            f"{everything['n_answered']:,} ({percent(everything['coverage']['value'])}) had a face "
            f"that was measured with a confidence of at least "
            f"{facts.get('min_confidence', DEFAULT_MIN_CONFIDENCE):g}."
        )
    told = [text]
    if seen["n"] and shown is not everything:
        titles = {
            SAME_FILE: "identical files",
            EQUAL_AUS: "equal AU intensities",
            NEAR_COPY: "near copies by perceptual hash",
        }
        ways = [f"{titles[way]}: {n:,}" for way, n in seen["ways"].items() if n]
        told.append(
            f"{counted(seen['n'], 'picture')} that had been used in training ({'; '.join(ways)}) "
            "were left out."
        )
    share, bootstrap = shown["accuracy"], shown["bootstrap"]
    text = (
        f"Accuracy was {percent(share['value'])} ({share['k']:,} of {share['n']:,}; 95 % CI "
        f"[{100 * share['low']:.1f}, {100 * share['high']:.1f}], {cite('wilson1927')}"
    )
    low, high, how = leading_interval(shown)
    if how != WILSON:
        text += (
            f"; [{100 * low:.1f}, {100 * high:.1f}] by bootstrap of {bootstrap['n_groups']:,} "
            f"groups, {bootstrap['draws']:,} draws, {cite('davison1997')}"
        )
    text += f"), macro-averaged F1 {shown['macro_f1']:.3f}"
    if bootstrap["macro_f1"]:
        low, high = bootstrap["macro_f1"]
        by = "" if bootstrap["by"] == "group" else f", bootstrap, {cite('davison1997')}"
        text += f" (95 % CI [{low:.3f}, {high:.3f}]{by})"
    text += (
        f", balanced accuracy {percent(shown['balanced_accuracy'])}, log-loss "
        f"{shown['log_loss']:.3f}, Brier score {shown['brier']:.3f} ({cite('brier1950')}) and "
        f"expected calibration error {percent(shown['ece'])} (15 bins; {cite('guo2017')}); figures "
        f"by scikit-learn ({cite('pedregosa2011')})."
    )
    told.append(text)
    baselines = {b["name"]: b for b in shown["baselines"]}
    compared = []
    if "majority" in baselines:
        value = percent(baselines["majority"]["accuracy"]["value"])
        compared.append(f"the most frequent training emotion was right for {value}")
    if "prototypes" in baselines:
        value = percent(baselines["prototypes"]["accuracy"]["value"])
        compared.append(
            f"the prototypical AU combinations of FACS ({cite('friesen1983', 'ekman2002')}), "
            f"without training, for {value}"
        )
    if compared:
        told.append(f"On the same faces {listed(compared)}.")
    return told


def _cross_validation(facts: dict[str, Any], cite: Citations) -> list[str]:
    cross = facts["model"]["cross_validation"]
    leading = leading_protocol(facts)
    if leading is None:
        return []
    how = {
        "grouped": "with all faces of a group in one fold",
        "random": "with faces dealt at random",
        "sources": "with one source of pictures held out at a time",
    }
    told = []
    ordered = [leading, *(p for p in cross["protocols"] if p is not leading)]
    for protocol in ordered:
        own = next((m for m in protocol["models"] if m["name"] == cross["own"]), None)
        if own:
            accuracy = own["accuracy"]
            deviation = f" (SD {100 * accuracy['sd']:.1f})" if accuracy["sd"] is not None else ""
            told.append(f"{percent(accuracy['mean'])}{deviation} {how[protocol['name']]}")
    if not told:
        return []
    repeats = cross.get("repeats", 1)
    return [
        f"In {cross['k']}-fold cross-validation on all faces of the model's dataset"
        + (f", repeated {repeats} times," if repeats > 1 else "")
        + f" mean accuracy was {listed(told)}."
    ]


def _caution(cite: Citations) -> str:
    return (
        "Labels and answers are taken as expressions shown in a picture, not as evidence of what "
        f"the person felt ({cite('barrett2019')})."
    )
