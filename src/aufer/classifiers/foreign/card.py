"""The model card of an imported model: its bundle's ``README.md``, from its facts alone."""

from __future__ import annotations

from typing import Any

from aufer.model_card import NOT_FOR

_TERMS = """\
- The terms of whoever made it, and of the pictures it was trained on, hold for it as before.
"""


def write_card(facts: dict[str, Any]) -> str:
    """The model card, Markdown.

    Args:
        facts: the content of ``bundle.json``.
    """
    origin = facts["origin"]
    lines = [
        f"# {facts['name']}",
        "",
        f"{origin['title'][:1].upper()}{origin['title'][1:]}, imported by {facts['made_by']} on "
        f"{facts['made_at']} from `{origin['file']}` (sha256 `{origin['sha256']}`, "
        f"{origin['bytes']:,} bytes). It names the expression of a face: "
        f"{', '.join(facts['labels'])}.",
        "",
        "## How accurate",
        "Not measured by the import. **Which faces it was trained on is not known**, so that test "
        "faces that it saw can't be found: a test on pictures that its makers may have used "
        "flatters it. Its probabilities are as they came: not calibrated.",
        "",
        "## What it takes",
        *_input(facts),
        "",
        "## How it was imported",
        *(f"- {note}" for note in facts["notes"]),
        "",
        "## Use",
        "```",
        f"aufer evaluate --model {facts['name']} --testset FOLDER",
        f"aufer predict --model {facts['name']} FOLDER",
        "```",
        f"`model.onnx` takes {_onnx_input(facts)} and gives `probabilities`, float32 "
        f"[n, {len(facts['labels'])}], in the order above; scaling is inside. It needs "
        "onnxruntime, not TensorFlow.",
        "",
        NOT_FOR + _TERMS,
    ]
    return "\n".join(lines)


def _input(facts: dict[str, Any]) -> list[str]:
    if "image_input" not in facts:
        return ["The 17 AU intensities of OpenFace (the AU_r columns), 0-5, as they are."]
    picture, origin = facts["image_input"], facts["origin"]
    colour = "grey" if picture["channels"] == 1 else "RGB"
    fit = {
        "crop": "the middle square is cut out of a picture, then resized",
        "stretch": "a picture of another shape is pressed into it",
    }[picture["fit"]]
    return [
        f"Pictures of {picture['width']}x{picture['height']} pixels, {colour}; {fit}. It is fed "
        f"with {origin['scale_text']}, x from 0 to 255.",
        "",
        "It is asked for the picture as it is: no face is looked for. Pictures that show more than "
        "the face, or less, than those it was trained on are none that it knows.",
    ]


def _onnx_input(facts: dict[str, Any]) -> str:
    if "image_input" not in facts:
        return "`aus`, float32 [n, 17]"
    picture = facts["image_input"]
    shape = f"{picture['height']}, {picture['width']}, {picture['channels']}"
    return f"`pixels`, float32 [n, {shape}], 0-255,"
