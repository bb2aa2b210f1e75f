"""Reasons in English."""

from __future__ import annotations

from aufer.action_units import AU_NAMES
from aufer.emotions import DEFAULT_NAMES

EMOTIONS: dict[str, str] = {name: name for name in (*DEFAULT_NAMES, "fear", "contempt")}

AUS: dict[str, str] = AU_NAMES

TEXTS: dict[str, str] = {
    # one face
    "answer": "{emotion}, {share}",
    "next": "then {others}",
    "labelled": "labelled {emotion}",
    "unanswered": "{image}: no answer ({status}{reason})",
    "why": "Why {emotion}? {base} at the baseline, {face} for this face.",
    "why_not": "Why not {emotion}? {base} at the baseline, {face} for this face.",
    "towards": "{share} towards {emotion}",
    "away": "{share} away from {emotion}",
    "rest": "{n} more together: {share}",
    "sum": "in all: {share}",
    "is_baseline": "This face is the baseline: no AU differs from it.",
    # FACS
    "prototype": "FACS prototype of {emotion}: there {there}; missing {missing}; agreement "
    "{agreement}.",
    "prototype_neutral": "FACS prototype of {emotion}: all AUs are low; agreement {agreement}.",
    "prototype_share": "{share} of what speaks for {emotion} comes from AUs of the prototype, "
    "optional ones too.",
    "prototype_best": "The face agrees best with the prototype of {emotion}.",
    "none": "none",
    # the smallest change
    "change_any": "Smallest change to another answer: {changes}. Then {emotion}, {share}.",
    "change_to": "Smallest change to {emotion}: {changes}. Then it has {share}.",
    "no_change_any": "No change of up to {n} AUs that gives another answer was found.",
    "no_change_to": "No change of up to {n} AUs that gives {emotion} was found.",
    # image models
    "looked": "For {emotion} the model looked at the upper third of the picture with {upper} of "
    "its weight, the middle third with {middle}, the lower third with {lower}. Where it counts "
    "most, covering the picture takes {most} points of a hundred from {emotion}.",
    "looked_nowhere": "Covering no part of the picture makes {emotion} less probable.",
    # what it was compared with
    "baseline": "Baseline: {baseline}. There the model says {answers}.",
    "baseline.zero": "all AUs 0",
    "baseline.neutral": "the mean of the {n} neutral faces that {source} was trained on",
    "baseline.row": "the face of {source}",
    "baseline.mean": "the mean of the {n} faces of {source}",
    "baseline.background": "{rows} faces of the {n} of {source}, on average",
    # how to read it
    "exact": "Contributions are exact Shapley values: they add up to the difference between the "
    "face and the baseline.",
    "sampled": "Contributions are Shapley values from {pairs} pairs of random orders (seed "
    "{seed}); ± is their standard error. They add up to the difference between the face and the "
    "baseline.",
    "scale.probability": "Contributions are in probability, of which 1 is certainty.",
    "scale.log-odds": "Contributions are in log-odds: the natural logarithm of the emotion's "
    "probability minus the mean of all emotions' logarithms.",
    "agreement": "Agreement with a prototype is the mean intensity of its AUs minus that of the "
    "others, -5 to 5 (neutral: {trace} minus the mean of all); an AU is there from {trace} on.",
    "change_rule": "The smallest change: fewest AUs, then the least change in all. One AU is tried "
    "in steps of {one}, two of {two} and three of {three}, all sets of AUs; then refined. Between "
    "these steps a smaller one may exist.",
    "saliency_rule": "The colours show how much probability the answer loses (orange) or gains "
    "(blue) when this part of the picture is covered by a patch. In each picture the strongest "
    "effect has the full colour, be it large or small.",
    "relative": "This model takes AUs relative to the person ({rule}). Values are such "
    "differences; at 0 an AU is as it usually is in this person.",
    "measured": "Prototypes go by the AUs as measured.",
    "not_measured": "Prototypes go by the differences: the AUs as measured are not known.",
    "relative.group": "minus the median of the person's faces",
    "relative.neutral": "minus the person's neutral face",
    "limits": "These are the model's reasons, not the person's: they say what the answer depends "
    "on, not whether it is right. An expression is not a feeling. Another baseline gives other "
    "contributions.",
    # the page
    "page.title": "Why this expression?",
    "page.lead": "{model} on {input}",
    "page.skip": "To the first face",
    "page.alt": "The face, and beside it the contributions of its AUs; the numbers are in the next "
    "table.",
    "page.caption": "Left: the face, with its landmarks where they are known. Right: what "
    "each AU contributes; to the right of 0 (orange, +) towards the emotion, to the left (blue, "
    "hatched, −) away from it. Each emotion has a scale of its own.",
    "page.alt_saliency": "The picture, and beside it where the model looked.",
    "page.caption_saliency": "Left: the picture as the model takes it. Right: where the model "
    "looked: orange speaks for the answer, blue against it.",
    "page.picture": "This picture",
    "page.table": "All faces",
    "page.reasons": "What each AU contributes to {emotion}",
    "page.prototypes": "FACS",
    "page.changes": "What would change the answer",
    "page.how": "How to read it",
    "page.provenance": "Provenance",
    "page.unanswered": "Without an answer",
    "column.au": "AU",
    "column.value": "face",
    "column.baseline": "baseline",
    "column.share": "contribution",
    "column.error": "standard error",
    "provenance.model": "model",
    "provenance.measured": "AUs measured by",
    "provenance.input": "input",
    "provenance.faces": "faces explained",
    "provenance.command": "command",
    "provenance.versions": "versions",
    "left_out": "{n} further faces are not explained.",
    "all_figures": "All figures",
    "answer_axis": "contribution to {emotion}",
    "no_picture": "no picture at hand",
}
