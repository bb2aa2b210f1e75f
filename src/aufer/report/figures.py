"""The pictures of the report with their captions, and with what they show in words (alt texts)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aufer.action_units import INTENSITY_COLUMNS
from aufer.emotions import OPTIONAL_AUS, PROTOTYPES
from aufer.metrics import percent
from aufer.prototypes import prototype_of
from aufer.report.answer_tables import describe_strongest
from aufer.report.facts import shown_figures
from aufer.report.tables import protocol_title
from aufer.report.text import WILSON, leading_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Attributes:
        name: of its files. caption: how to read it. alt: what it shows, for who can't see it.
        draw: draws it.
    """

    name: str
    caption: str
    alt: str
    draw: Callable[[], Figure]


def make_pictures(facts: dict[str, Any]) -> dict[str, Picture]:
    """Every picture that these facts have the numbers for, by its name, in the page's order."""
    return {
        picture.name: picture
        for make in (_accuracy, _failures, _certainty, _training)
        for picture in make(facts)
    }


def mistake_pictures(facts: dict[str, Any]) -> list[Picture]:
    """One small picture of each of the most confident mistakes: its AU profile."""
    from aufer.report.accuracy_plots import draw_mistake

    def picture(number: int, row: dict[str, Any]) -> Picture:
        return Picture(
            f"mistake-{number:02}",
            "",
            f"Action Units of {row['image']}: {describe_strongest(row['aus'])}.",
            lambda: draw_mistake(row["aus"], _all_aus(row["emotion"]), _all_aus(row["predicted"])),
        )

    drawn = enumerate(facts["mistakes"], start=1)
    return [picture(number, row) for number, row in drawn if row["aus"]]


def scale_of(facts: dict[str, Any]) -> str:
    """What the AUs of the test faces are: ``0-5``, or differences from the person's own."""
    how = facts["testset"]["normalization"]["how"]
    return "0-5" if how == "none" else "difference from the person's own"


def _all_aus(emotion: str) -> tuple[str, ...]:
    """The AUs of an emotion's prototype, optional ones too; none for one without a prototype."""
    name = prototype_of(emotion) or ""
    return (*PROTOTYPES.get(name, ()), *OPTIONAL_AUS.get(name, ()))


def _accuracy(facts: dict[str, Any]) -> Iterator[Picture]:
    from aufer.report.accuracy_plots import draw_accuracy, draw_blocks, draw_protocols

    shown, everything = shown_figures(facts), facts["figures"]["all"]
    by_group = leading_interval(shown)[2] != WILSON

    def of_model(title: str, figures: dict[str, Any]) -> dict[str, Any]:
        low, high, _ = leading_interval(figures)
        limits = {"low": low, "high": high}
        return {"title": title, "accuracy": figures["accuracy"] | limits, "is_model": True}

    rows = [of_model("this model", shown)]
    if shown is not everything:
        rows.append(of_model("this model,\nseen faces included", everything))
    for baseline in shown["baselines"]:
        accuracy = baseline["accuracy"]
        if by_group and baseline["by_group"]:
            low, high = baseline["by_group"]
            accuracy = accuracy | {"low": low, "high": high}
        rows.append({"title": baseline["title"], "accuracy": accuracy, "is_model": False})
    chance = 1 / len(facts["emotions"])
    yield Picture(
        "accuracy",
        f"Accuracy with its 95 % interval ({'bootstrap of groups' if by_group else 'Wilson'}), "
        "and of what needs no training on the same faces. Where intervals overlap widely, so many "
        "faces can't tell which is better.",
        "Accuracies: "
        + "; ".join(
            f"{row['title']} {percent(row['accuracy']['value'])}".replace("\n", " ") for row in rows
        )
        + f"; guessing {percent(chance)}.",
        lambda: draw_accuracy(rows, chance),
    )
    cross = facts["model"]["cross_validation"]
    protocols = sorted(cross.get("protocols", []), key=lambda p: p["name"] != "grouped")
    if protocols:
        yield Picture(
            "cross-validation",
            "Cross-validation on the model's dataset: every model on the same folds."
            + (
                " What random folds promise beyond folds by group is what the model knows of the "
                "persons, not of expressions."
                if len(protocols) > 1
                else ""
            ),
            "Cross-validated accuracies: "
            + "; ".join(
                f"{protocol_title(protocol['name'])}: "
                + ", ".join(
                    f"{model['title']} {percent(model['accuracy']['mean'])}"
                    for model in protocol["models"]
                )
                for protocol in protocols
            )
            + ".",
            lambda: draw_protocols(
                protocols, {p["name"]: protocol_title(p["name"]) for p in protocols}
            ),
        )
    blocks = (cross.get("blocks") or {}).get("rows", [])
    if blocks:
        yield Picture(
            "blocks",
            "",
            "Cross-validated accuracy by block size: "
            + ", ".join(f"{row['size']} rows {percent(row['accuracy']['mean'])}" for row in blocks)
            + ".",
            lambda: draw_blocks(blocks),
        )


def _failures(facts: dict[str, Any]) -> Iterator[Picture]:
    from aufer.report.accuracy_plots import draw_au_profile, draw_confusion, draw_recall

    shown, names = shown_figures(facts), facts["emotions"]
    rows = [row for row in shown["per_emotion"] if row["n"]]
    ranked = sorted(rows, key=lambda row: row["recall"]["value"])
    yield Picture(
        "by-emotion",
        "Of the faces of each emotion, the share that was read as it (bar), and of the faces read "
        "as it, the share that are (diamond).",
        "Recall by emotion, lowest first: "
        + ", ".join(f"{row['emotion']} {percent(row['recall']['value'])}" for row in ranked)
        + ".",
        lambda: draw_recall(shown["per_emotion"]),
    )
    mixed = [
        (count, names[row], names[column])
        for row, counts in enumerate(shown["confusion"])
        for column, count in enumerate(counts)
        if row != column and count
    ]
    mixed.sort(key=lambda found: -found[0])
    yield Picture(
        "confusion",
        "Each row is a true emotion, each column what its faces were read as; the diagonal is "
        "right. Shares are of the row.",
        "Confusion matrix. Most frequent mistakes: "
        + (", ".join(f"{true} read as {read} {n} times" for n, true, read in mixed[:3]) or "none")
        + ".",
        lambda: draw_confusion(shown["confusion"], names),
    )
    if not facts["au_profile"]:
        return
    aus = [column.removesuffix("_r") for column in INTENSITY_COLUMNS]
    outlined = {name: prototype for name in names if (prototype := prototype_of(name))}
    tops = [
        f"{row['emotion']} {max(aus, key=lambda au: row[au])}"
        for row in facts["au_profile"]
        if row["n"]
    ]
    yield Picture(
        "au-profile",
        f"Mean intensity ({scale_of(facts)}) of each Action Unit by true emotion (faces in "
        "brackets)."
        + (
            " Outlined: the Action Units of the emotion's FACS prototype; dotted: optional ones. "
            "Where outlines and dark fields agree, these faces look like the textbook."
            if outlined
            else ""
        ),
        f"Heat map of mean Action Unit intensities. Strongest by emotion: {', '.join(tops)}.",
        lambda: draw_au_profile(
            facts["au_profile"],
            aus,
            {name: PROTOTYPES[prototype] for name, prototype in outlined.items()},
            {name: OPTIONAL_AUS.get(prototype, ()) for name, prototype in outlined.items()},
        ),
    )


def _certainty(facts: dict[str, Any]) -> Iterator[Picture]:
    from aufer.report.certainty_plots import (
        draw_confidence,
        draw_coverage,
        draw_reliability,
    )

    shown = shown_figures(facts)
    yield Picture(
        "reliability",
        "Points on the dashed line: what the model promised is what it kept. Below the line it is "
        "too sure, above it too modest. Lines: 95 % intervals. Large points, and high bars below, "
        "stand for many faces.",
        "Reliability curve: "
        + ", ".join(
            f"at {percent(row['confidence'], 0)} {percent(row['accuracy']['value'], 0)} right"
            for row in shown["reliability"]
            if row["n"]
        )
        + f"; ECE {percent(shown['ece'])}.",
        lambda: draw_reliability(shown["reliability"]),
    )
    told = [row for row in shown["by_coverage"] if row["share"] in (1.0, 0.8, 0.5, 0.2)]
    yield Picture(
        "answering-when-sure",
        "Accuracy when only the surest faces are answered (shaded: 95 % interval).",
        "Accuracy by share answered: "
        + ", ".join(
            f"{percent(row['coverage'], 0)} answered {percent(row['accuracy']['value'])}"
            for row in told
        )
        + ".",
        lambda: draw_coverage(shown["by_coverage"]),
    )
    if shown["by_confidence"]:
        yield Picture(
            "openface-confidence",
            "What a stricter or a looser threshold of the confidence of the measuring would give.",
            "By threshold: "
            + ", ".join(
                f"{row['min_confidence']:g}: {percent(row['coverage']['value'], 0)} answered, "
                f"{percent(row['accuracy']['value'], 0)} right"
                for row in shown["by_confidence"]
            )
            + ".",
            lambda: draw_confidence(shown["by_confidence"], facts["min_confidence"]),
        )


def _training(facts: dict[str, Any]) -> Iterator[Picture]:
    from aufer.training_plot import training_figure

    history = facts["model"]["history"]
    training = facts["model"]["training"]
    best = training.get("best_epoch", 0)
    if not history or not 0 < best <= len(history):
        return
    at_best = history[best - 1]
    yield Picture(
        "training-curve",
        "Loss and accuracy by epoch. Where the validation rows' loss rises while the training "
        "rows' falls, the model learns by heart; "
        + (
            "the model was then trained again, as long, with the validation rows."
            if training.get("refit")
            else "the best epoch is the model."
        ),
        f"Training curves over {len(history)} epochs; best epoch {best}: validation loss "
        f"{at_best['val_loss']:.3f}, validation accuracy {percent(at_best['val_accuracy'])}.",
        lambda: training_figure(history, best, size=(8.0, 3.2)),
    )
