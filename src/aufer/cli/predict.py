"""``aufer predict``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aufer.cli.options import (
    PATH,
    Share,
    emotions_option,
    engine_options,
    force_option,
    groups_option,
    json_option,
    keep_going_option,
    model_option,
    out_option,
    talk_options,
    typed_emotions,
    workspace_data,
)
from aufer.emotions import Emotions
from aufer.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from aufer.model import Model
    from aufer.openface.engine import Engine
    from aufer.openface.face_parts import FaceParts
    from aufer.openface.measuring.plan import Plan


@click.command(
    "predict",
    epilog="""\b
Examples:
  aufer predict photos/ > answers.csv          images: needs OpenFace (aufer doctor)
  aufer predict photos/ --engine builtin       no OpenFace: a network that approximates its AUs
  aufer predict ~/openface-output              OpenFace CSVs
  aufer predict photos/ --model face-cnn       a model of pictures: no OpenFace
  aufer predict data/aus.csv --json            an AU table, a dataset, or any AU rows
  aufer predict long.csv --out answers.csv     whole or not at all, with what made it beside it
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
    help="Faces measured with less confidence get no label.",
)
@groups_option(more=" For models of AUs relative to the person.")
@engine_options
@out_option(
    None,
    "Write the CSV there instead of stdout, when it is complete, and beside it a JSON file with "
    "the model and the counts.",
)
@keep_going_option
@force_option
@json_option
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    model: str | None,
    emotions: Emotions | None,
    min_confidence: float,
    groups: str | None,
    open_engine: Callable[[], Engine],
    plan: Plan,
    out: Path | None,
    keep_going: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Print the expression of faces: a label and one probability per emotion for each image, as CSV
    (or JSON) on stdout.

    INPUT: a folder of images or an image (measured with OpenFace, or with --engine builtin by a
    network that approximates OpenFace's AU intensities; unless the model reads pictures itself),
    OpenFace's own CSVs, an AU table, or any CSV with the 17 columns AU01_r … AU45_r. Models are for
    one measure: openface-aus, or a model of yours, for OpenFace's AUs, builtin-aus for builtin's.

    CSVs of any length are checked to their end before the first answer is printed; memory does not
    grow with them.
    """
    from aufer.answers import check_answers_replaceable, csv_texts, json_texts, write_answers
    from aufer.cli.model_choice import choose_model
    from aufer.cli.talk import print_data, say, warn
    from aufer.predict import Tally, answer_facts, predict_parts

    if out is not None and as_json:
        raise UsageError(
            "--json is for stdout; --out writes CSV.", hint="leave one of them away, or redirect"
        )
    if out is not None:
        check_answers_replaceable(out, force=force)
    opened = choose_model(ctx, model, inputs, typed_emotions(ctx, emotions, model))
    faces = _read(inputs, opened, groups, open_engine, plan)
    tally = Tally()
    parts = predict_parts(
        opened, faces.read(), tally, min_confidence=min_confidence, on_warning=warn
    )
    tables = _with_progress(parts, faces.n_rows, to_file=out is not None)
    if out is not None:
        write_answers(
            tables, out, lambda: answer_facts(opened, inputs, min_confidence, tally), force=force
        )
        print_data(str(out))
    else:
        for text in json_texts(tables) if as_json else csv_texts(tables):
            print_data(text, end="")
    if tally.n_unanswered:
        lacks = "have no usable face" if opened.image_input is None else "can't be read"
        say(f"{tally.n_unanswered} of {tally.n} images {lacks}; the column status says why.")
    if not keep_going and tally.n_failed:
        ctx.exit(EXIT_SOME_FAILED)


def _read(
    inputs: tuple[Path, ...],
    opened: Model,
    groups: str | None,
    open_engine: Callable[[], Engine],
    plan: Plan,
) -> FaceParts:
    """The faces; in parts where they are rows of CSVs and the model takes each by itself."""
    from aufer.au_table import join_tables
    from aufer.cli.talk import progress, warn
    from aufer.groups import GroupRule
    from aufer.openface.face_parts import FaceParts, read_faces_in_parts
    from aufer.openface.faces import read_faces
    from aufer.predict import needs_all_faces

    rule = GroupRule.parse(groups)
    pictures_only = opened.image_input is not None
    if not needs_all_faces(opened) and not pictures_only:
        if groups is not None:
            warn(f"--groups changes nothing: {opened.name} takes AUs as they were measured")
        if (parts := read_faces_in_parts(inputs)) is not None:
            return parts
    tables = [
        read_faces(
            path,
            opened.emotions,
            engine=open_engine,
            plan=plan,
            keep_in=workspace_data(),
            labelled=False,
            groups=rule,
            pictures_only=pictures_only,
            progress=progress,
        )
        for path in inputs
    ]
    return FaceParts.of(join_tables(tables, names=[path.as_posix() for path in inputs]))


def _with_progress(
    tables: Iterator[pd.DataFrame], n_rows: int, *, to_file: bool
) -> Iterator[pd.DataFrame]:
    """The same tables; tells how far they are, unless the answers themselves are on the screen."""
    import sys

    from aufer.cli.talk import progress
    from aufer.openface.face_parts import ROWS_AT_ONCE

    if n_rows <= ROWS_AT_ONCE or (sys.stdout.isatty() and not to_file):
        yield from tables
        return
    with progress(n_rows, "predict", "face") as step:
        for table in tables:
            yield table
            step(len(table))
