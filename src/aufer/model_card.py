"""The model card: a bundle's ``README.md``, written from its facts alone."""

from __future__ import annotations

from typing import Any

from aufer.bundle import IMAGE_INPUT
from aufer.image_input import ImageInput
from aufer.measures import APPROXIMATES, AU_NETWORK
from aufer.metrics import percent, with_deviation, with_interval
from aufer.provenance import MEASURE_AU_NET, Extractor

NOT_FOR = """\
## What it is not for
- It names the **expression of** an emotion that a face shows in one picture, in the sense of the
  pictures it was trained on. It does not know what a person feels; people smile without joy and
  grieve without a frown. FACS itself describes movements, not emotions.
- No decision about a person: not hiring, schooling, policing, insurance, diagnosis.
- In the European Union, inferring emotions of people at work or in education is prohibited, except
  for medical or safety reasons (Regulation (EU) 2024/1689, the AI Act, Article 5(1)(f)).
- Faces that differ from the training pictures (age, skin, camera, light, turned heads, masks) are
  not covered by its figures. Test it on your own: `aufer evaluate --testset FOLDER`.
"""
"""What no model of expressions is for; a part of every card."""

_LICENCE = """\
- **Research use.** OpenFace's licence is for academic, non-commercial research; treat Action Units
  measured by it, networks and models trained on them, likewise. The terms of the pictures apply as
  well.
"""
_LICENCE_OF_PICTURES = """\
- **The terms of the pictures** that it was trained on apply to it as well; those of many face sets,
  FER2013 among them, allow research only.
"""


def write_card(facts: dict[str, Any]) -> str:
    """The model card, Markdown.

    Args:
        facts: the content of ``bundle.json``.
    """
    training, data, split = facts["training"], facts["dataset"], facts["split"]
    counts, of_pictures = data["counts"], facts["input"] == IMAGE_INPUT
    lines = [
        f"# {facts['name']}",
        "",
        f"{_what(facts)} that names the expression of a face ({', '.join(facts['labels'])}) from "
        f"{_input(facts)}, made by {facts['made_by']} on {facts['made_at']}.",
        "",
    ]
    if facts["interrupted"]:
        lines += ["Its training was **interrupted**: this is the best model until then.", ""]
    lines += [
        "## How accurate",
        *_cross_validation(facts.get("cross_validation")),
        "| rows | accuracy, 95 % interval (Wilson) | macro-F1 | log-loss | ECE |",
        "|---|---|---|---|---|",
        *_figure_rows(facts["metrics"]),
        "",
        f"Split (seed {split['seed']}): {split['rule']}; "
        + ", ".join(f"{name} {n}" for name, n in split["sizes"].items())
        + ". "
        + (
            "The test rows were used for nothing but this table; the"
            if split["sizes"]["test"]
            else "No row was kept for a test; the"
        )
        + " validation rows chose "
        + ("the epoch and " if training["best_epoch"] else "")
        + "how sure to be, so their figures flatter it.",
        "",
        _calibration(facts["calibration"]),
        "",
    ]
    if not split["grouped"]:
        lines += [
            "**Persons were not kept apart** in this split: pictures of one person, or of one "
            "series, may be on both sides. On people it never saw, expect it to be less accurate.",
            "",
        ]
    lines += [
        "## Data",
        f"`{data['path']}`, {data['n_rows']} {'pictures' if of_pictures else 'faces'} (sha256 "
        f"`{data['sha256']}`):",
        "",
        "| " + " | ".join(counts) + " |",
        "|" + "---|" * len(counts),
        "| " + " | ".join(str(n) for n in counts.values()) + " |",
        "",
        *([] if of_pictures else _measured_by(facts)),
        *(f"- {note}." for note in facts["notes"]),
        *([""] if facts["notes"] else []),
        "## Training",
        *(_image_training(training) if of_pictures else _training(training)),
        "## Use",
        "```",
        f"aufer predict --model {facts['name']} {_example(facts)}",
        f"aufer evaluate --model {facts['name']} --testset FOLDER{_engine(facts)}",
        "```",
        f"`model.onnx` takes {_onnx_input(facts)}, and gives `probabilities`, float32 "
        "[n, emotions], the temperature included.",
        "",
        NOT_FOR + (_LICENCE_OF_PICTURES if of_pictures else _LICENCE),
    ]
    return "\n".join(lines)


_NAMES = {
    "cnn": "convolutional network",
    "dense": "dense network",
    "logistic": "multinomial logistic regression",
    "svm": "support vector machine",
    "trees": "set of extremely randomised trees",
}


def _what(facts: dict[str, Any]) -> str:
    name, members = _NAMES.get(facts["kind"], facts["kind"]), facts["training"].get("members", 1)
    return f"{members} times a {name}, whose mean is the answer," if members > 1 else f"A {name}"


def _input(facts: dict[str, Any]) -> str:
    if facts["input"] == IMAGE_INPUT:
        return (
            f"a picture of it, cropped to the face ({ImageInput.from_facts(facts['image_input'])})"
        )
    return f"{len(facts['features'])} facial Action Unit intensities"


def _engine(facts: dict[str, Any]) -> str:
    """The option that measures AUs as the model's were; empty where it is the usual engine."""
    measure = Extractor.from_facts(facts["extractor"]).measure
    return " --engine builtin" if measure == MEASURE_AU_NET else ""


def _example(facts: dict[str, Any]) -> str:
    """What to give to predict."""
    if facts["input"] == IMAGE_INPUT:
        return "FOLDER"
    return f"FOLDER{engine}" if (engine := _engine(facts)) else "openface.csv"


def _onnx_input(facts: dict[str, Any]) -> str:
    if facts["input"] == IMAGE_INPUT:
        sides = ", ".join(map(str, ImageInput.from_facts(facts["image_input"]).shape))
        return f"`pixels`, float32 [n, {sides}], 0-255"
    return "`aus`, float32 [n, 17], the AU_r columns in the order of bundle.json"


def _measured_by(facts: dict[str, Any]) -> list[str]:
    data = facts["dataset"]
    left_out = (
        f" Faces with a confidence below {data['min_confidence']} were left out."
        if "min_confidence" in data
        else ""
    )
    extractor = Extractor.from_facts(facts["extractor"])
    lines = [f"Measured by: {extractor}.{left_out}", ""]
    if extractor.measure == MEASURE_AU_NET:
        lines += [
            f"These are AUs of {AU_NETWORK}, which **{APPROXIMATES}**: another measure. The model "
            "is for AUs of `--engine builtin` alone; OpenFace's are refused.",
            "",
        ]
    return lines


def _cross_validation(facts: dict[str, Any] | None) -> list[str]:
    """The table of a cross-validation: model by protocol."""
    if not facts:
        return []
    protocols = facts["protocols"]
    found: dict[str, list[str]] = {}
    for protocol in protocols:
        for model in protocol["models"]:
            found.setdefault(model["title"], []).append(with_deviation(model["accuracy"]))
    lines = [
        f"Cross-validated ({facts['k']} folds"
        + (f", dealt {facts['repeats']} times" if facts["repeats"] > 1 else "")
        + f", seed {facts['seed']}): mean accuracy and deviation over the folds.",
        "",
        "| model | " + " | ".join(f"{protocol['name']} folds" for protocol in protocols) + " |",
        "|---|" + "---|" * len(protocols),
        *(f"| {title} | " + " | ".join(cells) + " |" for title, cells in found.items()),
        "",
        *(f"- {protocol['name']}: {protocol['rule']}." for protocol in protocols),
    ]
    if facts["blocks"]:
        sizes = ", ".join(
            f"{row['accuracy']['mean']:.3f} ({row['size']})" for row in facts["blocks"]["rows"]
        )
        lines.append(
            "- **Nobody knows who is who in these data.** A support vector machine's accuracy when "
            f"blocks of so many neighbouring rows are kept together: {sizes}."
        )
    return [*lines, ""]


def _calibration(facts: dict[str, Any]) -> str:
    if facts["temperature"] == 1 or facts["ece_after"] is None:
        return "Its probabilities are as they came out of the training."
    return (
        f"Its probabilities are {'flattened' if facts['temperature'] > 1 else 'sharpened'} by a "
        f"temperature of {facts['temperature']:.3f}, measured "
        f"on {facts['n']} {facts['rows']} rows (expected calibration error there "
        f"{facts['ece_before']:.3f} before, {facts['ece_after']:.3f} after)."
    )


def _training(training: dict[str, Any]) -> list[str]:
    changed = "" if training["is_recipe_to_the_letter"] else ", with changed settings"
    if not training["best_epoch"]:
        shown = ("C", "gamma", "n_estimators", "min_samples_leaf")
        settings = ", ".join(f"{key} {training[key]:g}" for key in shown if key in training)
        return [f"Seed {training['seed']}; {settings or 'see bundle.json'}{changed}.", ""]
    inputs = {
        "raw": "not scaled",
        "normalised": "normalised inside the model",
        "compressed": "normalised inside the model, beside themselves pressed into 0-1",
    }[training["inputs"]]
    of_member = " (of the first member)" if training.get("members", 1) > 1 else ""
    return [
        f"Recipe `{training['recipe']}`{changed}; seed {training['seed']}; hidden layers "
        f"{'-'.join(str(units) for units in training['hidden_layers'])}; batches of "
        f"{training['batch_size']}, learning rate {training['learning_rate']}"
        + (", rising, then falling along a cosine" if training["is_cosine"] else "")
        + f", dropout {training['dropout']}, L2 {training['l2']:g}, label smoothing "
        f"{training['label_smoothing']}; inputs {inputs}. {training['epochs_run']} epochs "
        f"({training['stopped']}); the best by validation loss was epoch {training['best_epoch']}"
        f"{of_member}. "
        + (
            "The model was then trained again, as long, on training and validation rows together."
            if training["refit"]
            else "That epoch is the model."
        )
        + " All settings stand in bundle.json.",
        "",
        "![loss and accuracy by epoch](training.png)",
        "",
    ]


def _image_training(training: dict[str, Any]) -> list[str]:
    changed = "" if training["is_recipe_to_the_letter"] else ", with changed settings"
    stages = "-".join(str(n) for n in (training["network"]["stem"], *training["network"]["stages"]))
    return [
        f"A residual network of 3 x 3 convolutions with {stages} channels, "
        f"{training['n_weights']} weights. Recipe `{training['recipe']}`{changed}; seed "
        f"{training['seed']}; batches of {training['batch_size']}; AdamW, learning rate up to "
        f"{training['learning_rate']}, rising, then falling along a cosine, weight decay "
        f"{training['weight_decay']}; dropout {training['dropout']}, label smoothing "
        f"{training['label_smoothing']}; rare emotions "
        f"{'weighed up' if training['class_weights'] else 'not weighed up'}. The training pictures "
        "were mirrored, turned, scaled, shifted, lit otherwise, made coarse and partly covered at "
        f"random. {training['epochs_run']} epochs ({training['stopped']}); the best by validation "
        f"loss was epoch {training['best_epoch']}, and that is the model. All settings stand in "
        "bundle.json. A picture is also read mirrored; the mean of both is the answer (the plot is "
        "of pictures read once).",
        "",
        "![loss and accuracy by epoch](training.png)",
        "",
    ]


def _figure_rows(metrics: dict[str, Any]) -> list[str]:
    last = metrics.get("last_epoch", {})
    named = {
        "test": metrics["test"],
        "validation": metrics["validation"],
        "test, weights of the last epoch": last.get("test"),
        "validation, weights of the last epoch": last.get("validation"),
    }
    return [
        f"| {name} | {with_interval(figures['accuracy'])} | {percent(figures['macro_f1'])} | "
        f"{figures['log_loss']:.3f} | {figures['ece']:.3f} |"
        for name, figures in named.items()
        if figures is not None
    ]
