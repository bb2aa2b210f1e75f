"""The model card: a bundle's ``README.md``, written from its facts alone."""

from __future__ import annotations

from typing import Any

from aufer.metrics import percent, with_interval
from aufer.provenance import Extractor

_NOT_FOR = """\
## What it is not for
- It names the **expression of** an emotion that a face shows in one picture, in the sense of the
  pictures it was trained on. It does not know what a person feels; people smile without joy and
  grieve without a frown. FACS itself describes movements, not emotions.
- No decision about a person: not hiring, schooling, policing, insurance, diagnosis.
- In the European Union, inferring emotions of people at work or in education is prohibited, except
  for medical or safety reasons (Regulation (EU) 2024/1689, the AI Act, Article 5(1)(f)).
- Faces that differ from the training pictures (age, skin, camera, light, turned heads, masks) are
  not covered by the figures above. Test it on your own: `aufer evaluate --testset FOLDER`.
- **Research use.** OpenFace's licence is for academic, non-commercial research; treat Action Units
  measured by it, and models trained on them, likewise. The terms of the pictures apply as well.
"""


def write_card(facts: dict[str, Any]) -> str:
    """The model card, Markdown.

    Args:
        facts: the content of ``bundle.json``.
    """
    training, data, split = facts["training"], facts["dataset"], facts["split"]
    counts = data["counts"]
    lines = [
        f"# {facts['name']}",
        "",
        f"A {facts['kind']} network that names the expression of a face "
        f"({', '.join(facts['labels'])}) from {len(facts['features'])} facial Action Unit "
        f"intensities, made by {facts['made_by']} on {facts['made_at']}.",
        "",
    ]
    if facts["interrupted"]:
        lines += ["Its training was **interrupted**: this is the best model until then.", ""]
    lines += [
        "## How accurate",
        "| rows | accuracy, 95 % interval (Wilson) | macro-F1 | log-loss |",
        "|---|---|---|---|",
        *_figure_rows(facts["metrics"]),
        "",
        f"Split (seed {split['seed']}): {split['rule']}; "
        + ", ".join(f"{name} {n}" for name, n in split["sizes"].items())
        + ". The test rows were used for nothing but this table; the validation rows chose the "
        "epoch, so their figures flatter it.",
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
        f"`{data['path']}`, {data['n_rows']} faces (sha256 `{data['sha256']}`):",
        "",
        "| " + " | ".join(counts) + " |",
        "|" + "---|" * len(counts),
        "| " + " | ".join(str(n) for n in counts.values()) + " |",
        "",
        f"Measured by: {Extractor.from_facts(facts['extractor'])}."
        + (
            f" Faces with a confidence below {data['min_confidence']} were left out."
            if "min_confidence" in data
            else ""
        ),
        "",
        *(f"- {note}." for note in facts["notes"]),
        *([""] if facts["notes"] else []),
        "## Training",
        f"Recipe `{training['recipe']}`"
        + ("" if training["is_recipe_to_the_letter"] else ", with changed settings")
        + f"; seed {training['seed']}; hidden layers "
        f"{'-'.join(str(units) for units in training['hidden_layers'])}; batches of "
        f"{training['batch_size']}, learning rate {training['learning_rate']}, dropout "
        f"{training['dropout']}, L2 {training['l2']:g}, "
        f"label smoothing {training['label_smoothing']}; inputs "
        + ("normalised inside the model" if training["normalize"] else "not scaled")
        + f". {training['epochs_run']} epochs ({training['stopped']}); the best by validation "
        f"loss, epoch {training['best_epoch']}, is the model. All settings stand in bundle.json.",
        "",
        "![loss and accuracy by epoch](training.png)",
        "",
        "## Use",
        "```",
        f"aufer predict --model {facts['name']} openface.csv",
        f"aufer evaluate --model {facts['name']} --testset FOLDER",
        "```",
        "`model.onnx` takes `aus`, float32 [n, 17], the AU_r columns in the order of bundle.json, "
        "and gives `probabilities`, float32 [n, emotions].",
        "",
        _NOT_FOR,
    ]
    return "\n".join(lines)


def _figure_rows(metrics: dict[str, Any]) -> list[str]:
    named = {
        "test": metrics["test"],
        "validation": metrics["validation"],
        "test, weights of the last epoch": metrics["last_epoch"]["test"],
        "validation, weights of the last epoch": metrics["last_epoch"]["validation"],
    }
    return [
        f"| {name} | {with_interval(figures['accuracy'])} | {percent(figures['macro_f1'])} | "
        f"{figures['log_loss']:.3f} |"
        for name, figures in named.items()
    ]
