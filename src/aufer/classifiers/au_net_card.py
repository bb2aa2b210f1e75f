"""The model card of an AU network: its ``README.md``, written from its facts alone."""

from __future__ import annotations

from typing import Any

from aufer.action_units import AU_NAMES
from aufer.classifiers.au_net_calibration import SURE, SURE_SHARE

WEAK = 0.6
"""Below this correlation an AU is named as weak."""

_LIMITS = """\
## What it is not
- **It approximates OpenFace's AU intensities.** It learned what OpenFace says, OpenFace's mistakes
  included; no person coded these faces. Its numbers are a measure of their own: they are never
  mixed with OpenFace's, and a model trained on the one says nothing about the other.
- Its confidence says whether a crop looks like a face that is well placed, not how right the AUs
  are.
- Turned heads (profile), covered faces (hands, masks, dark glasses), children, and differences by
  skin colour were **not measured**. Test it on faces like yours: `aufer agreement`.
- No decision about a person: not hiring, schooling, policing, insurance, diagnosis. FACS describes
  movements, not emotions, and not what a person feels.

## Licence
- **Research use, not commercial.** OpenFace's licence is for academic, non-commercial research;
  treat networks that were trained on its output likewise. The terms of the pictures apply as well.
"""


def write_card(facts: dict[str, Any]) -> str:
    """The card, Markdown.

    Args:
        facts: the content of ``au-net.json``.
    """
    training, data = facts["training"], facts["training"]["data"]
    of_held = facts["agreement"]["held_out"]
    recipe = training["recipe"]
    lines = [
        f"# {facts['name']}",
        "",
        "Two small networks that measure 17 facial Action Units (intensity, 0-5), 68 landmarks and "
        f"a confidence from the picture of a face. Made by {facts['made_by']} on "
        f"{facts['made_at']}. **They approximate OpenFace's AU intensities.**",
        "",
        "## How well it agrees with OpenFace",
        f"Of {of_held['n']} faces held out (confidence of OpenFace at least "
        f"{of_held['least_confidence']}); {data['rule']}. The crops were off their place as those "
        "of a face finder are.",
        "",
        "| Action Unit | r | ICC(3,1) | MAE | MAE of the mean |",
        "|---|---|---|---|---|",
        *(
            "| "
            + " | ".join(
                [
                    f"{name[:4]} {AU_NAMES[name[:4]]}",
                    *(_text(each[key]) for key in ("r", "icc", "mae", "mae_of_mean")),
                ]
            )
            + " |"
            for name, each in of_held["aus"].items()
        ),
        f"| mean | {_text(of_held['mean_r'])} | | | |",
        "",
        _weak(of_held["aus"]),
        "",
        "## Training",
        f"{data['n']} faces ({training['n_train']} to learn from) of `{data['images']}`, measured "
        f"by {training['extractor']['measure']}; faces with a confidence below "
        f"{data['least_confidence']} were left out. Data sha256 `{data['sha256']}`. "
        f"{recipe['epochs']} epochs of {recipe['steps']} steps of {recipe['batch_size']} faces for "
        f"the AUs, {training['align_epochs']} for the landmarks, seed {training['seed']}; "
        f"{training['n_weights']} weights. {_tuned(training)}",
        "",
        "Near copies were kept apart; who is who is not known: one person may be on both sides. On "
        "people, cameras and light that it never saw, expect less.",
        "",
        "## Use",
        "```",
        f"aufer extract FOLDER --engine builtin --au-net {facts['name']}",
        "```",
        "`au-net.json` says how the ONNX files are to be used.",
        "",
        _LIMITS,
    ]
    return "\n".join(lines)


def _tuned(training: dict[str, Any]) -> str:
    n = training.get("n_tuned")
    if not n:
        return ""
    return (
        f"On {n} more faces, held out too, each AU was given the mean and the deviation of "
        "OpenFace's (before it is cut to 0-5), and the confidence was set: "
        f"{SURE_SHARE:.0%} of them have {SURE} or more. "
        f"What it learned to tell from a face: {training['crops']['bad']}."
    )


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _weak(aus: dict[str, dict[str, float | None]]) -> str:
    weak = [n[:4] for n, each in aus.items() if each["r"] is None or each["r"] < WEAK]
    if not weak:
        return f"No AU is below r {WEAK}."
    return f"**Weak** (r below {WEAK}, or unknown): {', '.join(weak)}."
