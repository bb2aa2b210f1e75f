"""Why a model answers as it does, as a whole: what it hangs on, what speaks for what, FACS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.au_table import DEFAULT_MIN_CONFIDENCE
from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.explaining.coefficients import coefficient_facts
from aufer.explaining.importance import REPEATS, permutation_importance
from aufer.explaining.model_rows import ModelRows, bundle_rows, given_rows
from aufer.explaining.profile import profile_facts
from aufer.measures import describe_measure
from aufer.model import normalization_of
from aufer.progress import Progress, no_progress
from aufer.provenance import made_by, versions
from aufer.splits import TRAINING_PARTS

if TYPE_CHECKING:
    from aufer.au_table import AuTable
    from aufer.model import Model

SCHEMA = "aufer/model-explanation/1"

NO_AUS = (
    "This model reads pictures, not AUs: permutation importance, coefficients and AU profiles are "
    "not available. Where in a single picture it looks is shown by the saliency map of a face: "
    "aufer explain MODEL IMAGE."
)

HINT = "give labelled faces that it was not trained on: aufer explain MODEL --testset TESTSET"


def explain_whole(
    model: Model,
    *,
    rows: AuTable | None = None,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    repeats: int = REPEATS,
    seed: int = 0,
    command: str = "",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Explain a model as a whole.

    Permutation importance is measured on faces that the model was not fitted to: ``rows`` where
    they are given, else the test rows of its own dataset. Coefficients and profiles are of the
    faces that it learnt from, where the model brings them; else of ``rows``.

    Args:
        rows: labelled faces. min_confidence: OpenFace's, from which on a face of theirs counts.
        repeats: shuffles of each AU. seed: of all chance. command: what was typed, for the record.

    Returns:
        plain JSON, for `whole_page.write_whole`: ``schema``, ``model``, ``available`` (False for a
        model of pictures; ``why_not`` says why), ``importance`` (`permutation_importance`),
        ``coefficients`` (`coefficient_facts`), ``profile`` (`profile_facts`), each with ``faces``,
        which it is of, or None where there were no faces for it; ``notes``; ``versions``.

    Raises:
        DataError: there are no faces to explain it on.
    """
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        **made_by(),
        "command": command,
        "model": {
            "name": model.name,
            "path": str(model.path),
            "kind": str(model.facts.get("kind", "")),
            "emotions": list(model.emotions.names),
            "features": list(model.features),
            "normalization": normalization_of(model).facts(),
            "extractor": model.extractor.facts(),
            "measured_by": describe_measure(model.extractor),
        },
        "available": model.image_input is None,
        "why_not": "" if model.image_input is None else NO_AUS,
        "importance": None,
        "coefficients": None,
        "profile": None,
        "notes": [],
        "versions": versions("numpy", "scikit-learn", "onnxruntime"),
    }
    if model.image_input is not None:
        return facts
    held, learnt, notes = _find_rows(model, rows, min_confidence)
    features, emotions = model.features, model.emotions.names
    if held is not None:
        measured = permutation_importance(
            model.predict_proba,
            held,
            features,
            emotions,
            repeats=repeats,
            seed=seed,
            progress=progress,
        )
        facts["importance"] = {"faces": held.source, "unseen": held.unseen, **measured}
    if len(np.unique(learnt.labels)) > 1:
        told = coefficient_facts(learnt, features, emotions)
        facts["coefficients"] = {"faces": learnt.source, **told}
    else:
        notes.append("the faces are of one emotion only: there are no coefficients")
    facts["profile"] = {"faces": learnt.source, **profile_facts(learnt, features, emotions)}
    facts["notes"] = notes
    return facts


def _find_rows(
    model: Model, rows: AuTable | None, min_confidence: float
) -> tuple[ModelRows | None, ModelRows, list[str]]:
    """Held-out faces, if any, the faces to describe, and notes about both.

    Raises:
        DataError: there are neither.
    """
    learnt = bundle_rows(model, TRAINING_PARTS, "training")
    if rows is None:
        held = bundle_rows(model, ("test",), "test")
        if learnt is None:
            raise DataError(
                f"The model {model.name} comes without the faces that it was trained and tested "
                "on: there is nothing to explain it with.",
                hint=HINT,
            )
        if held is None:
            note = f"the model has no test rows: there is no permutation importance; {HINT}"
            return None, learnt, [note]
        return held, learnt, []
    given, found = given_rows(model, rows, min_confidence)
    notes = list(found)
    if not len(given):
        raise DataError(
            f"None of the given faces has a usable measurement and a label that {model.name} "
            "knows.",
            hint=f"it knows {Emotions(model.emotions.names)}; label faces by their folder, or in a "
            "column emotion",
        )
    if learnt is None:
        notes.append(
            "the model doesn't bring the faces that it learnt from: coefficients and profiles are "
            "of the given ones"
        )
    return given, learnt if learnt is not None else given, notes
