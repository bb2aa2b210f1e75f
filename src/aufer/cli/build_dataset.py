"""``aufer build-dataset``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aufer.cli.options import (
    PATH,
    emotions_option,
    faces_option,
    force_option,
    groups_option,
    json_option,
    keep_going_option,
    min_confidence_option,
    out_option,
    talk_options,
)
from aufer.emotions import Emotions
from aufer.errors import EXIT_SOME_FAILED

if TYPE_CHECKING:
    from aufer.build_dataset import Built


@click.command(
    "build-dataset",
    epilog="""\b
Examples:
  aufer build-dataset                          from data/aus.csv
  aufer build-dataset ~/openface-output        from OpenFace CSVs made elsewhere,
                                               one folder per emotion
  aufer build-dataset --min-confidence 0.8
  aufer build-dataset --groups '^([A-Z]{2}\\d\\d)' --normalize neutral
                                               KA01.HA1.jpg: person KA01
  aufer build-dataset ~/openface-output --images ~/photos
                                               near copies of a picture are one group""",
)
@click.argument("sources", nargs=-1, type=PATH, metavar="[SOURCE]...")
@out_option("data/emotion.csv", "The dataset.")
@emotions_option()
@min_confidence_option
@faces_option
@groups_option(
    "COLUMN|REGEX|images|blocks:N|none",
    " images: near copies of a picture are one group; blocks:N: so are N consecutive rows of one "
    "emotion. Default: the column group, else images where their hashes are known.",
)
@click.option(
    "--normalize",
    type=click.Choice(["none", "group", "neutral"]),
    default="none",
    show_default=True,
    help="AUs relative to the person: minus the median of the person's faces (group), or minus the "
    "first neutral one (neutral).",
)
@click.option(
    "--images",
    type=PATH,
    metavar="FOLDER",
    help="The pictures that the OpenFace CSVs were made of, to find copies by.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Look the dataset over (conflicting and doubtful labels, turned heads, weak AUs, rare "
    "emotions, groups) and write what was found to <name>.check.html and .csv.",
)
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
    groups: str | None,
    normalize: str,
    images: Path | None,
    check: bool,
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
    from aufer.cli.talk import print_data, progress, say, say_table, warn
    from aufer.files import read_json, to_json

    sources = sources or (Path("data/aus.csv"),)
    if check:
        from aufer.data_check import check_check_replaceable

        check_check_replaceable(out, force=force)
    built = build_dataset(
        sources,
        out,
        emotions=emotions,
        min_confidence=min_confidence,
        faces=faces,
        groups=groups,
        normalize=normalize,
        images=images,
        progress=progress,
        force=force,
    )
    say_table(built.counts.reset_index(names="emotion"))
    for note in built.dataset.notes:
        warn(note)
    say(f"{built.dataset.grouping}.")
    if built.dataset.normalization.is_relative:
        say(f"{built.dataset.normalization}.")
    beside = out.with_name(f"{out.stem}.excluded.csv")
    say(
        f"{len(built.dataset)} of {len(built.table)} images are in {out}; "
        f"the other {len(built.excluded)} are listed with their reasons in {beside}."
    )
    if check:
        _check(built, min_confidence, force)
    print_data(to_json(read_json(out.with_suffix(".json"))).rstrip() if as_json else str(out))
    failed = built.table.n_failed
    if failed:
        warn(f"{failed} images could not be used at all (unreadable or crashed).")
        if not keep_going:
            ctx.exit(EXIT_SOME_FAILED)


def _check(built: Built, min_confidence: float, force: bool) -> None:
    """Look the dataset over, write what was found, and say it in a short table."""
    from aufer.cli.talk import progress, say
    from aufer.data_check import check_data, write_check

    found = check_data(
        built.dataset, built.table, built.rows, min_confidence=min_confidence, progress=progress
    )
    folder = Path(built.table.images_folder) if built.table.images_folder else None
    page = write_check(found, built.dataset, folder, force=force)
    for line in found.lines():
        say(line)
    say(f"All findings: {page}, and as a table {page.with_suffix('.csv')}")
