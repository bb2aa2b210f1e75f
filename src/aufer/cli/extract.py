"""``aufer extract``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aufer.cli.options import (
    PATH,
    emotions_option,
    engine_options,
    force_option,
    json_option,
    keep_going_option,
    out_option,
    talk_options,
)
from aufer.emotions import Emotions
from aufer.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from aufer.openface.engine import Engine
    from aufer.openface.measuring.plan import Plan


@click.command(
    "extract",
    epilog="""\b
Examples:
  aufer extract                                photos in data/images/<emotion>/
  aufer extract photos --labels photos.csv     labels from a table: image,emotion,group
  aufer extract photos --no-labels --out photos.csv
  aufer extract --retry crashed --image-timeout 600
  aufer extract --report                       what became of the images, once more
  aufer extract --engine local --openface ~/OpenFace/build/bin/FaceLandmarkImg
  aufer extract --engine builtin               no OpenFace: a network that approximates its AUs""",
)
@click.argument("images", type=PATH, default="data/images", metavar="[IMAGES]")
@out_option("data/aus.csv", "The AU table: one row per image, always.")
@engine_options
@click.option("--labels", type=PATH, help="CSV (image, emotion, group) instead of folders.")
@click.option("--no-labels", is_flag=True, help="Measure a folder of faces without labels.")
@emotions_option()
@click.option(
    "--keep",
    default="",
    metavar="annotated,landmarks",
    help="Keep OpenFace's annotated pictures, and a table of the 68 points of each face.",
)
@click.option(
    "--retry",
    type=click.Choice(["crashed"]),
    help="Measure again the images that crashed the engine in an earlier run.",
)
@click.option("--fresh", is_flag=True, help="Measure all again: ignore what was measured before.")
@click.option(
    "--rehash",
    is_flag=True,
    help="Read all files again, also those whose size, time and inode are unchanged.",
)
@click.option(
    "--report",
    "only_report",
    is_flag=True,
    help="Measure nothing: show what became of the images of the table that is there.",
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
    plan: Plan,
    labels: Path | None,
    no_labels: bool,
    emotions: Emotions,
    keep: str,
    retry: str | None,
    fresh: bool,
    rehash: bool,
    only_report: bool,
    keep_going: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Measure the Action Units of the photos in IMAGES with OpenFace, or with --engine builtin by a
    network that approximates OpenFace's AU intensities: one folder per emotion
    (default: data/images) -> data/aus.csv.

    Every image gets a row and a status: ok, no_face, many_faces, too_small, unreadable, crashed.
    What was measured before is not measured again: after a break (Ctrl-C, a power cut) the same
    command goes on, and a new or changed image costs only itself.

    Beside the table: OpenFace's own files (openface/), and a report with failures.csv and a contact
    sheet of the images without a usable face (extraction/). For another table NAME.csv they are
    called NAME.openface/ and NAME.extraction/.
    """
    from aufer.cli.talk import print_data, progress, say, warn
    from aufer.extract import extract, report_again
    from aufer.extraction_report import extraction_folder_of, lines, read_slowest
    from aufer.extraction_summary import summarize
    from aufer.files import read_json, to_json

    folder = extraction_folder_of(out)
    if only_report:
        for line in lines(report_again(out), folder):
            say(line)
        facts = folder / "report.json"
        print_data(to_json(read_json(facts)).rstrip() if as_json else str(folder))
        return
    if labels is not None and no_labels:
        raise UsageError("--labels and --no-labels exclude each other.")
    with closing(open_engine()) as engine:
        table = extract(
            images,
            out,
            engine=engine,
            plan=replace(plan, retry_crashed=bool(retry), fresh=fresh, rehash=rehash),
            emotions=emotions,
            labels=labels,
            labelled=not no_labels,
            keep=[word.strip() for word in keep.split(",") if word.strip()],
            force=force,
            command=shlex.join(["aufer", *sys.argv[1:]]),
            progress=progress,
        )
    summary = summarize(table, seconds=read_slowest(folder))
    for line in lines(summary, folder):
        say(line)
    n_ok = table.counts().get("ok", 0)
    source = "" if out == Path("data/aus.csv") else f" {shlex.quote(str(out))}"
    if n_ok:
        sure = "" if summary.n_usable == n_ok else f", with confidence {summary.n_usable}"
        say(f"Faces measured: {n_ok} of {len(table)}{sure}; next: aufer build-dataset{source}")
    else:
        common = next((reason for _, reason, _ in summary.reasons if reason), "")
        mostly = f", mostly: {common}" if common else ""
        warn(f"no face was measured in {len(table)} images{mostly}; see the table's column reason")
    print_data(to_json(read_json(out.with_suffix(".json"))).rstrip() if as_json else str(out))
    n_failed = table.n_failed
    if n_failed:
        warn(f"unreadable, or crashed the engine: {n_failed}; {folder / 'failures.csv'} says why")
        if not keep_going:
            ctx.exit(EXIT_SOME_FAILED)
