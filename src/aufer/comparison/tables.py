"""The tables of a comparison."""

from __future__ import annotations

from typing import Any

from aufer.comparison.figures import leading_view
from aufer.comparison.pairs import ANSWERED, EVERY
from aufer.tables import (
    COUNT,
    LIMITS,
    MEASURED,
    NUMBER,
    NUMBER_LIMITS,
    P_VALUE,
    PERCENT,
    SHARE,
    Column,
    Table,
)

_INPUTS = {"aus": "AUs", "image": "pictures", "fusion": "both", "": "not known"}


def make_tables(facts: dict[str, Any], disagreements: list[dict[str, Any]]) -> dict[str, Table]:
    """The tables of the page, by name, in its order."""
    view = leading_view(facts)
    tables = [
        _models(facts, view),
        _pairs("pairs", "the images that both models answer", view["pairs"][ANSWERED]),
        _pairs(
            "pairs-all", "all images, one without an answer counted as wrong", view["pairs"][EVERY]
        ),
        _recalls(facts, view),
        _calibration(view),
        _costs(facts),
        _views(facts),
        _disagreements(facts, disagreements),
    ]
    return {table.name: table for table in tables if table.rows}


def _models(facts: dict[str, Any], view: dict[str, Any]) -> Table:
    def row(title: str, figures: dict[str, Any]) -> dict[str, Any]:
        drawn = figures.get("bootstrap", {})
        return {**figures, "model": title, "macro_f1_limits": drawn.get("macro_f1")}

    titles = {each["name"]: each["title"] for each in facts["baselines"]}
    same = view["n_common"] == view["n_images"]
    return Table(
        "models",
        "How many images are read as labelled, with the 95 % interval (Wilson; of macro-F1 by "
        "bootstrap). Answered: of the images that the model answers."
        + (" In common: of those that all models answer." if not same else ""),
        (
            Column("model", "model"),
            Column("n_answered", "images answered", COUNT),
            Column("coverage", "coverage", SHARE),
            Column("accuracy", "of the answered", SHARE),
            *(() if same else (Column("common", "in common", SHARE),)),
            Column("accuracy_all", "of all images", SHARE),
            Column("macro_f1", "macro-F1", NUMBER),
            Column("macro_f1_limits", "its interval", NUMBER_LIMITS),
        ),
        [
            *(row(model["name"], model) for model in view["models"]),
            *(row(titles[each["name"]], each) for each in view["baselines"]),
        ],
    )


def _pairs(name: str, which: str, pairs: list[dict[str, Any]]) -> Table:
    by_group = any(pair["by_group"] for pair in pairs)
    return Table(
        name,
        f"Pairs of models on {which}: how many one of the two alone reads as labelled, the "
        "difference of the accuracies in percentage points, and the exact McNemar test.",
        (
            Column("pair", "models"),
            Column("n", "images", COUNT),
            Column("first_only", "first alone", COUNT),
            Column("second_only", "second alone", COUNT),
            Column("difference", "difference", PERCENT),
            Column("limits", "95 % interval", LIMITS),
            *([Column("by_group", "by group", LIMITS)] if by_group else []),
            Column("p", "p", P_VALUE),
            Column("p_holm", "p after Holm", P_VALUE),
            Column("needed_holm", "images needed", COUNT),
        ),
        [
            {
                **pair,
                "pair": f"{pair['first']} – {pair['second']}",
                "limits": (pair["low"], pair["high"]),
            }
            for pair in pairs
        ],
    )


def _recalls(facts: dict[str, Any], view: dict[str, Any]) -> Table:
    names = [model["name"] for model in view["models"]]
    of_model = {
        model["name"]: {row["emotion"]: row for row in model["per_emotion"]}
        for model in view["models"]
    }
    return Table(
        "recall",
        "Of the answered images of each emotion, the share read as it, with the 95 % interval "
        "(Wilson).",
        (
            Column("emotion", "expression of"),
            Column("n_images", "images", COUNT),
            *(Column(name, name, SHARE) for name in names),
        ),
        [
            {
                "emotion": emotion,
                "n_images": of_model[names[0]][emotion]["n_images"],
                **{name: of_model[name][emotion]["recall"] for name in names},
            }
            for emotion in facts["emotions"]
        ],
    )


def _calibration(view: dict[str, Any]) -> Table:
    return Table(
        "calibration",
        "How far the probabilities can be believed; lower is better. ECE: by how much certainty "
        "and accuracy differ. Brier and log-loss: how far probabilities are from the truth.",
        (
            Column("name", "model"),
            Column("n_answered", "images answered", COUNT),
            Column("ece", "ECE", NUMBER),
            Column("brier", "Brier", NUMBER),
            Column("log_loss", "log-loss", NUMBER),
        ),
        view["models"],
    )


def _costs(facts: dict[str, Any]) -> Table:
    return Table(
        "cost",
        "Milliseconds an image, measured on this machine: making the model's input of a picture "
        "file (one thread), and answering (one core, several at a time). Measuring AUs by OpenFace "
        "is not in it, and takes longest. Size: of the file that answers.",
        (
            Column("name", "model"),
            Column("reads", "reads"),
            Column("kind", "kind"),
            Column("preprocessing_ms", "making the input, ms", MEASURED),
            Column("inference_ms", "answering, ms", MEASURED),
            Column("size_mb", "MB", MEASURED),
            Column("parameters", "parameters", COUNT),
        ),
        [
            {
                **model,
                "kind": "stored answers" if model["stored"] else model["kind"],
                "reads": model.get("pictures") or _INPUTS[model["input"]],
            }
            for model in facts["models"]
        ],
    )


def _views(facts: dict[str, Any]) -> Table:
    """Accuracy and macro-F1 in every view: the page leads with one of them."""
    counted = {"mask": "left out", "wrong": "wrong"}
    rows = [
        {
            "model": model["name"],
            "images": "without copies" if images == "unseen" else "all",
            "extra": counted[extra],
            "n_answered": model["n_answered"],
            "accuracy": model["accuracy"],
            "accuracy_all": model["accuracy_all"],
            "macro_f1": model["macro_f1"],
        }
        for images, by_extra in facts["views"].items()
        for extra, view in by_extra.items()
        for model in view["models"]
    ]
    n_views = sum(len(by_extra) for by_extra in facts["views"].values())
    return Table(
        "views",
        "The same with and without copies of training images, and with the answers of emotions "
        "that were not asked for left out or counted as wrong.",
        (
            Column("model", "model"),
            Column("images", "test images"),
            Column("extra", "other emotions"),
            Column("n_answered", "images answered", COUNT),
            Column("accuracy", "of the answered", SHARE),
            Column("accuracy_all", "of all images", SHARE),
            Column("macro_f1", "macro-F1", NUMBER),
        ),
        rows if n_views > 1 else [],
    )


def _disagreements(facts: dict[str, Any], disagreements: list[dict[str, Any]]) -> Table:
    names = [model["name"] for model in facts["models"]]
    columns = [Column("image", "image"), Column("emotion", "true emotion")]
    for name in names:
        columns += [
            Column(f"{name}.predicted", f"{name} says"),
            Column(f"{name}.probability", f"{name}: probability", PERCENT),
            Column(f"{name}.of_truth", f"{name}: of the truth", PERCENT),
            Column(f"{name}.reason", f"{name}: why"),
        ]
    return Table(
        "disagreements",
        "Images that models answer differently, the clearest first.",
        tuple(columns),
        [
            {
                "image": each["image"],
                "emotion": each["emotion"],
                **{
                    f"{model['name']}.{key}": model[key]
                    for model in each["models"]
                    for key in ("predicted", "probability", "of_truth", "reason")
                },
            }
            for each in disagreements
        ],
    )
