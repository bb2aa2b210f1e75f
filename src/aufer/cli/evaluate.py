"""``aufer evaluate``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aufer.cli.options import (
    PATH,
    emotions_option,
    engine_options,
    force_option,
    groups_option,
    json_option,
    keep_going_option,
    min_confidence_option,
    model_option,
    out_option,
    talk_options,
    typed_emotions,
    workspace_data,
)
from aufer.emotions import DEFAULT_NAMES, Emotions
from aufer.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from aufer.openface.engine import Engine
    from aufer.openface.measuring.plan import Plan


@click.command(
    "evaluate",
    epilog="""\b
Examples:
  aufer evaluate                               the faces held out at training
  aufer evaluate --testset data/testset        images: needs OpenFace (aufer doctor)
  aufer evaluate --testset data/testset --engine builtin   images, without OpenFace
  aufer evaluate --testset ~/openface-test     OpenFace CSVs, one folder per emotion
  aufer evaluate --testset unseen.csv          an AU table or a dataset
  aufer evaluate --model face-cnn --testset data/testset   a model of pictures: no OpenFace
  aufer evaluate --testset data/testset --model best_model.hdf5 \\
      --emotions angry,disgust,happy,neutral,sad,surprise""",
)
@click.option(
    "--testset",
    type=PATH,
    help="Unseen faces: images (folders by emotion, or flat names such as angry001.jpg), folders "
    "of OpenFace CSVs, an AU table, or a dataset. Default: the faces that were held out when the "
    "model was trained.",
)
@model_option()
@emotions_option(default=False)
@click.option(
    "--labels", type=PATH, help="CSV with image,emotion[,group] for images not in folders."
)
@groups_option(more=" Intervals are then of whole persons drawn anew.")
@click.option(
    "--images",
    type=PATH,
    metavar="FOLDER",
    help="The pictures that OpenFace CSVs were made of: for models that read pictures, and to find "
    "near copies of training pictures.",
)
@min_confidence_option
@engine_options
@out_option(None, "The report's folder. Default: reports/<model>-on-<testset>/")
@keep_going_option
@force_option
@json_option
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    testset: Path | None,
    model: str | None,
    emotions: Emotions | None,
    labels: Path | None,
    groups: str | None,
    images: Path | None,
    min_confidence: float,
    open_engine: Callable[[], Engine],
    plan: Plan,
    out: Path | None,
    keep_going: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Test a model on faces it never saw, and write a report: report.html to read and to print,
    report.json, predictions.csv, and every table and picture as a file.

    Accuracy comes with its 95 % interval, by emotion, and counted both ways where images have no
    usable face. Test images that were training images, or near copies of one, are named, and left
    out of the first figures.
    """
    from aufer.cli.model_choice import choose_model
    from aufer.cli.talk import print_data, progress, say, warn
    from aufer.evaluate import evaluate, evaluate_held_out
    from aufer.files import to_json
    from aufer.groups import GroupRule
    from aufer.openface.faces import read_faces
    from aufer.report.page import check_report_folder, report_folder, write_report
    from aufer.report.text import summarise

    told = {"--labels": labels, "--groups": groups, "--images": images}
    if testset is None and any(told.values()):
        named = next(name for name, value in told.items() if value)
        raise UsageError(f"{named} goes with --testset.", hint="add: --testset FOLDER")
    emotions = typed_emotions(ctx, emotions, model)
    opened = choose_model(ctx, model, [testset] if testset else [], emotions)
    if labels is not None and testset is not None and not testset.is_dir():
        raise UsageError(
            "--labels goes with a folder of images.", hint=f"put the emotions into {testset} itself"
        )
    folder = out or report_folder(Path("reports"), opened, testset)
    check_report_folder(folder, force=force)
    if testset is None:
        evaluation = evaluate_held_out(opened, min_confidence=min_confidence)
    else:
        # numbers without a sidecar: in the order that was typed, or the usual one; else nobody says
        known = emotions or opened.emotions
        if emotions is None and known.names[: len(DEFAULT_NAMES)] != DEFAULT_NAMES:
            known = known.without_numbers()
        table = read_faces(
            testset,
            known,
            engine=open_engine,
            plan=plan,
            keep_in=workspace_data(),
            labels=labels,
            groups=GroupRule.parse(groups),
            images=images,
            pictures_only=opened.image_input is not None,
            progress=progress,
        )
        evaluation = evaluate(opened, table, testset=str(testset), min_confidence=min_confidence)
    facts = evaluation.facts
    for warning in facts["warnings"]:
        warn(warning)
    page = write_report(folder, facts, evaluation.predictions, force=force)
    if as_json:
        print_data(to_json(facts).rstrip())
    _say_figures(facts)
    say(summarise(facts))
    if not as_json:
        print_data(str(page))
    if facts["n_failed"] and not keep_going:
        ctx.exit(EXIT_SOME_FAILED)


def _say_figures(facts: dict[str, Any]) -> None:
    """The figures to lead with, by emotion and of all faces."""
    import pandas as pd

    from aufer.cli.talk import say, say_table
    from aufer.metrics import percent, with_interval
    from aufer.report.facts import shown_figures

    figures = shown_figures(facts)
    say_table(
        pd.DataFrame(
            {
                "emotion": row["emotion"],
                "images": row["n_images"],
                "answered": row["n"],
                "precision": percent(row["precision"]),
                "recall": percent(row["recall"]["value"]),
                "F1": "–" if row["f1"] is None else f"{row['f1']:.3f}",
            }
            for row in figures["per_emotion"]
        )
    )
    if figures is not facts["figures"]["all"]:
        say("The table is of the faces that were not in training.")
    for baseline in figures["baselines"]:
        say(f"{baseline['title']}: {with_interval(baseline['accuracy'])}")
    say(
        f"accuracy {with_interval(figures['accuracy'])}, macro-F1 {figures['macro_f1'] or 0:.3f}; "
        f"over all images {percent(figures['accuracy_all']['value'])}"
    )
