"""The figures of a report, all of them from its table of predictions alone.

Whoever has ``predictions.csv`` can compute every one of them again (docs/evaluation.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import LOW_CONFIDENCE, AuTable
from aufer.metrics import bootstrap_by_group, bootstrap_figures, proportion, score

CONFIDENCES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Thresholds of OpenFace's confidence at which the accuracy is given."""

N_MISTAKES = 12


def figures_of(
    predictions: pd.DataFrame, names: Sequence[str], baselines: dict[str, str]
) -> dict[str, Any]:
    """All figures of one set of test faces.

    Args:
        predictions: rows of ``predictions.csv``. names: the emotions in label order.
        baselines: title of each baseline by its name; their answers are in ``by_<name>``.

    Returns:
        plain JSON: what `metrics.score` gives, ``bootstrap`` (`metrics.bootstrap_figures`),
        ``baselines`` and ``by_confidence`` (empty where OpenFace's confidence isn't known).
    """
    truth, probabilities = _truth(predictions, names), _probabilities(predictions, names)
    answered = (predictions["predicted"] != "").to_numpy()
    groups = predictions["group"].to_numpy(dtype=object)[answered]
    guess = probabilities[answered].argmax(axis=1)
    return {
        **score(truth, probabilities, answered, names),
        "bootstrap": bootstrap_figures(truth[answered], guess, groups, len(names)),
        "baselines": [
            {
                "name": name,
                "title": title,
                **_score_words(predictions[f"by_{name}"], truth, answered, names, groups),
            }
            for name, title in baselines.items()
        ],
        "by_confidence": _accuracy_by_confidence(predictions, truth, probabilities),
    }


def _truth(predictions: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    numbers = {name: number for number, name in enumerate(names)}
    return predictions["emotion"].map(numbers).to_numpy(dtype=np.int64)


def _probabilities(predictions: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    return predictions[list(names)].to_numpy(dtype=np.float64)


def _score_words(
    words: pd.Series,
    truth: np.ndarray,
    answered: np.ndarray,
    names: Sequence[str],
    groups: np.ndarray,
) -> dict[str, Any]:
    """A baseline's figures on the faces that the model answered; it gives no probabilities."""
    certain = (words.to_numpy()[:, None] == np.array(names, dtype=object)).astype(np.float64)
    full = score(truth, certain, answered, names)
    hits = certain.argmax(axis=1)[answered] == truth[answered]
    by_group = bootstrap_by_group(hits, groups) if (groups != "").any() else None
    found = {key: full[key] for key in ("accuracy", "macro_f1", "balanced_accuracy")}
    return {**found, "by_group": list(by_group) if by_group else None}


def _accuracy_by_confidence(
    predictions: pd.DataFrame, truth: np.ndarray, probabilities: np.ndarray
) -> list[dict[str, Any]]:
    """Accuracy and coverage, had another `--min-confidence` been asked for."""
    confidence = predictions["confidence"].to_numpy(dtype=np.float64)
    measured = ~np.isnan(probabilities).any(axis=1)
    if not (measured & ~np.isnan(confidence)).any():
        return []
    right = np.nan_to_num(probabilities).argmax(axis=1) == truth
    rows = []
    for threshold in CONFIDENCES:
        taken = measured & ~(confidence < threshold)  # without a confidence: taken, as always
        rows.append(
            {
                "min_confidence": threshold,
                "coverage": proportion(int(taken.sum()), len(truth)),
                "accuracy": proportion(int(right[taken].sum()), int(taken.sum())),
            }
        )
    return rows


def shown_figures(facts: dict[str, Any]) -> dict[str, Any]:
    """The figures to lead with: of the faces that the model did not see in training, if any."""
    figures = facts["figures"]
    unseen = figures.get("unseen")
    leading: dict[str, Any] = unseen if unseen and unseen["n_answered"] else figures["all"]
    return leading


def au_profile(predictions: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """Mean intensity of each AU over the answered faces of each emotion.

    Returns:
        one row per emotion: ``emotion``, ``n``, and ``AU01`` … ``AU45`` (0-5, None without a face).
    """
    answered = predictions[predictions["predicted"] != ""]
    rows = []
    for name in names:
        faces = answered.loc[answered["emotion"] == name, list(INTENSITY_COLUMNS)]
        means = faces.mean()
        rows.append(
            {
                "emotion": name,
                "n": len(faces),
                **{
                    column.removesuffix("_r"): float(means[column]) if len(faces) else None
                    for column in INTENSITY_COLUMNS
                },
            }
        )
    return rows


def worst_mistakes(predictions: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """The wrong answers that the model was surest of, at most `N_MISTAKES`.

    Returns:
        ``image``, ``emotion`` (truth), ``predicted``, ``probability`` (of that answer),
        ``of_truth`` (probability of the true emotion) and ``aus`` (intensity by AU; none where AUs
        were not measured).
    """
    answered = predictions[predictions["predicted"] != ""]
    wrong = answered[answered["predicted"] != answered["emotion"]]
    certainty = _probabilities(wrong, names).max(axis=1) if len(wrong) else np.zeros(0)
    order = np.argsort(-certainty, kind="stable")[:N_MISTAKES]
    return [
        {
            "image": row["image"],
            "emotion": row["emotion"],
            "predicted": row["predicted"],
            "probability": float(row[row["predicted"]]),
            "of_truth": float(row[row["emotion"]]),
            "aus": {c.removesuffix("_r"): float(row[c]) for c in INTENSITY_COLUMNS if c in row},
        }
        for _, row in wrong.iloc[order].iterrows()
    ]


def testset_facts(
    faces: AuTable, predictions: pd.DataFrame, source: str, names: Sequence[str]
) -> dict[str, Any]:
    """Where the test faces come from, how many there are, and what became of them.

    Args:
        faces: the test faces. predictions: a row for each. source: where they come from.
    """
    statuses = pd.crosstab(predictions["emotion"], predictions["status"])
    groups = predictions.loc[predictions["group"] != "", "group"]
    sizes = groups.value_counts()
    return {
        "source": source,
        "n_images": len(faces),
        "statuses": faces.counts(),
        "n_low_confidence": int((predictions["status"] == LOW_CONFIDENCE).sum()),
        "by_emotion": {name: int((predictions["emotion"] == name).sum()) for name in names},
        "status_by_emotion": {
            str(name): {str(status): int(n) for status, n in row.items() if n}
            for name, row in statuses.iterrows()
        },
        "groups_known": bool(len(groups)),
        "n_groups": len(sizes),
        "largest_group": int(sizes.max()) if len(sizes) else 0,
        "groups": faces.grouping.facts(),
        "persons_known": faces.grouping.knows_persons,
        "normalization": faces.normalization.facts(),
        "extractor": faces.extractor.facts(),
    }
