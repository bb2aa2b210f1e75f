"""``aufer extract``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aufer.cli.options import (
    PATH,
    emotions_option,
    engine_options,
    faces_option,
    force_option,
    json_option,
    keep_going_option,
    out_option,
    talk_options,
)
from aufer.emotions import Emotions
from aufer.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from aufer.openface.engine import Engine


@click.command(
    "extract",
    epilog="""\b
Examples:
  aufer extract                                photos in data/images/<emotion>/
  aufer extract photos --labels photos.csv     labels from a table: image,emotion,group
  aufer extract photos --no-labels --out photos.csv
  aufer extract --engine local --openface ~/OpenFace/build/bin/FaceLandmarkImg""",
)
@click.argument("images", type=PATH, default="data/images", metavar="[IMAGES]")
@out_option("data/aus.csv", "The AU table: one row per image, always.")
@engine_options
@faces_option
@click.option("--labels", type=PATH, help="CSV (image, emotion, group) instead of folders.")
@click.option("--no-labels", is_flag=True, help="Measure a folder of faces without labels.")
@emotions_option()
@click.option(
    "--keep",
    default="",
    metavar="annotated,landmarks",
    help="Keep OpenFace's annotated pictures, and a table of the 68 points of each face.",
)
@keep_going_option
@force_option
@json_option
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    images: Path,
    out: Path,
    open_engine: Callable[[], Engine],
    faces: str,
    labels: Path | None,
    no_labels: bool,
    emotions: Emotions,
    keep: str,
    keep_going: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Measure the Action Units of the photos in IMAGES with OpenFace: one folder per emotion
    (default: data/images) -> data/aus.csv.

    Every image gets a row and a status: ok, no_face, many_faces, too_small, unreadable, crashed.
    OpenFace's own files are kept beside the table, in openface/ for aus.csv and in NAME.openface/
    for any other NAME.csv.
    """
    from aufer.au_table import FAILED_STATUSES
    from aufer.cli.talk import print_data, progress, say, warn
    from aufer.extract import extract
    from aufer.files import read_json, to_json

    if labels is not None and no_labels:
        raise UsageError("--labels and --no-labels exclude each other.")
    with closing(open_engine()) as engine:
        table = extract(
            images,
            out,
            engine=engine,
            emotions=emotions,
            labels=labels,
            labelled=not no_labels,
            faces=faces,
            keep=[word.strip() for word in keep.split(",") if word.strip()],
            force=force,
            command=shlex.join(["aufer", *sys.argv[1:]]),
            progress=progress,
        )
    _say_counts(table.frame)
    n_failed = int(table.frame["status"].isin(FAILED_STATUSES).sum())
    n_ok = table.counts().get("ok", 0)
    source = "" if out == Path("data/aus.csv") else f" {shlex.quote(str(out))}"
    if n_ok:
        say(f"Images measured: {n_ok} of {len(table)}; next: aufer build-dataset{source}")
    else:
        reasons = table.frame["reason"].value_counts()
        common = f", mostly: {reasons.index[0]}" if len(reasons) and reasons.index[0] else ""
        warn(f"no face was measured in {len(table)} images{common}; see the table's column reason")
    print_data(to_json(read_json(out.with_suffix(".json"))).rstrip() if as_json else str(out))
    if n_failed:
        warn(f"unreadable, or crashed OpenFace: {n_failed}; the table's column reason says why")
        if not keep_going:
            ctx.exit(EXIT_SOME_FAILED)


def _say_counts(frame: pd.DataFrame) -> None:
    """Number of images by emotion (rows) and status (columns)."""
    import pandas as pd

    from aufer.au_table import STATUSES
    from aufer.cli.talk import say_table

    counts = pd.crosstab(frame["emotion"].replace("", "(none)"), frame["status"])
    counts = counts[[status for status in STATUSES if status in counts.columns]]
    counts["all"] = counts.sum(axis=1)
    if len(counts) > 1:
        counts.loc["all"] = counts.sum()
    say_table(counts.rename_axis(columns=None).reset_index())
