"""``aufer predict``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aufer.cli.options import (
    PATH,
    Share,
    emotions_option,
    engine_options,
    json_option,
    keep_going_option,
    model_option,
    talk_options,
    typed_emotions,
    workspace_data,
)
from aufer.emotions import Emotions
from aufer.errors import EXIT_SOME_FAILED

if TYPE_CHECKING:
    from aufer.openface.engine import Engine
    from aufer.openface.measuring.plan import Plan


@click.command(
    "predict",
    epilog="""\b
Examples:
  aufer predict photos/ > answers.csv          images: needs OpenFace (aufer doctor)
  aufer predict ~/openface-output              OpenFace CSVs
  aufer predict data/aus.csv --json            an AU table, a dataset, or any AU rows
  aufer predict faces.csv --model best_model.hdf5 \\
      --emotions angry,disgust,happy,neutral,sad,surprise""",
)
@click.argument("inputs", nargs=-1, type=PATH, required=True, metavar="INPUT...")
@model_option()
@emotions_option(default=False)
@click.option(
    "--min-confidence",
    type=Share(0, 1),
    default=0.0,
    show_default=True,
    help="Faces that OpenFace fitted with less confidence get no label.",
)
@engine_options
@keep_going_option
@json_option
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    model: str | None,
    emotions: Emotions | None,
    min_confidence: float,
    open_engine: Callable[[], Engine],
    plan: Plan,
    keep_going: bool,
    as_json: bool,
) -> None:
    """Print the expression of faces: a label and one probability per emotion for each image, as CSV
    (or JSON) on stdout.

    INPUT: a folder of images or an image (measured with OpenFace), OpenFace's own CSVs, an AU
    table, or any CSV with the 17 columns AU01_r … AU45_r.
    """
    from aufer.au_table import FAILED_STATUSES, join_tables
    from aufer.classifiers.open_model import open_model
    from aufer.cli.talk import print_data, progress, say, warn
    from aufer.openface.faces import read_faces
    from aufer.predict import predict

    opened = open_model(model, emotions=typed_emotions(ctx, emotions, model))
    tables = [
        read_faces(
            path,
            opened.emotions,
            engine=open_engine,
            plan=plan,
            keep_in=workspace_data(),
            labelled=False,
            progress=progress,
        )
        for path in inputs
    ]
    table, warnings = predict(
        opened,
        join_tables(tables, names=[path.as_posix() for path in inputs]),
        min_confidence=min_confidence,
    )
    for warning in warnings:
        warn(warning)
    if as_json:
        text = table.to_json(orient="records", indent=2, double_precision=6, force_ascii=False)
    else:
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n").rstrip("\n")
    print_data(text)
    unanswered = int((table["label"] == "").sum())
    if unanswered:
        say(f"{unanswered} of {len(table)} images have no usable face; the column status says why.")
    if not keep_going and table["status"].isin(FAILED_STATUSES).any():
        ctx.exit(EXIT_SOME_FAILED)
