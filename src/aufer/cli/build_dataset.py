"""``aufer build-dataset``."""

from __future__ import annotations

from pathlib import Path

import click

from aufer.cli.options import (
    PATH,
    emotions_option,
    faces_option,
    force_option,
    json_option,
    keep_going_option,
    min_confidence_option,
    out_option,
    talk_options,
)
from aufer.emotions import Emotions
from aufer.errors import EXIT_SOME_FAILED


@click.command(
    "build-dataset",
    epilog="""\b
Examples:
  aufer build-dataset                          from data/aus.csv
  aufer build-dataset ~/openface-output        from OpenFace CSVs made elsewhere,
                                               one folder per emotion
  aufer build-dataset --min-confidence 0.8""",
)
@click.argument("sources", nargs=-1, type=PATH, metavar="[SOURCE]...")
@out_option("data/emotion.csv", "The dataset.")
@emotions_option()
@min_confidence_option
@faces_option
@keep_going_option
@force_option
@json_option
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    sources: tuple[Path, ...],
    out: Path,
    emotions: Emotions,
    min_confidence: float,
    faces: str,
    keep_going: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Make the dataset emotion.csv (17 AU intensities and a label number per face) from AU tables
    (default: data/aus.csv) or folders of OpenFace's own CSVs.

    Beside it: emotion.rows.csv (file names), emotion.excluded.csv (every image that is not in it,
    with the reason), emotion.json (counts, hashes, origin), and csv/<emotion>.csv.
    """
    from aufer.build_dataset import build_dataset
    from aufer.cli.talk import print_data, say, say_table, warn
    from aufer.files import read_json, to_json

    sources = sources or (Path("data/aus.csv"),)
    built = build_dataset(
        sources,
        out,
        emotions=emotions,
        min_confidence=min_confidence,
        faces=faces,
        force=force,
    )
    say_table(built.counts.reset_index(names="emotion"))
    for note in built.dataset.notes:
        warn(note)
    beside = out.with_name(f"{out.stem}.excluded.csv")
    say(
        f"{len(built.dataset)} of {len(built.table)} images are in {out}; "
        f"the other {len(built.excluded)} are listed with their reasons in {beside}."
    )
    print_data(to_json(read_json(out.with_suffix(".json"))).rstrip() if as_json else str(out))
    failed = built.table.n_failed
    if failed:
        warn(f"{failed} images could not be used at all (unreadable or crashed).")
        if not keep_going:
            ctx.exit(EXIT_SOME_FAILED)
