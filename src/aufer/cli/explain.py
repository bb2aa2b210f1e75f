"""``aufer explain``."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Callable
from functools import partial
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
    out_option,
    seed_option,
    talk_options,
    typed_emotions,
    workspace_data,
)
from aufer.emotions import Emotions
from aufer.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from aufer.au_table import AuTable
    from aufer.model import Model
    from aufer.openface.engine import Engine
    from aufer.openface.measuring.plan import Plan

LANGUAGES = ("en", "ko")
"""Those of `explaining.language.LANGUAGES`; to know them costs no import here."""

_ABOUT_FACES = {
    "rows": "--row",
    "background": "--background",
    "why_not": "--why-not",
    "images": "--images",
}
"""Options that are about faces, and have no default."""


@click.command(
    "explain",
    epilog="""\b
Examples:
  aufer explain models/my-run photo.jpg        a face: needs OpenFace (aufer doctor)
  aufer explain openface-aus face.csv --why-not sad
  aufer explain openface-aus data/aus.csv --row AF01_happy.jpg --baseline neutral
  aufer explain openface-aus data/openface --images data/images --out why
  aufer explain openface-aus data/emotion.csv --row 12 --language ko
  aufer explain face-cnn photo.jpg --out why   an image model: where it looked
  aufer explain models/my-run                  the model as a whole, on its own test rows
  aufer explain openface-aus --testset data/testset""",
)
@click.argument("model", metavar="MODEL")
@click.argument("source", type=PATH, required=False, metavar="[INPUT]")
@click.option(
    "--row",
    "rows",
    multiple=True,
    metavar="NAME|N",
    help="Explain this face: its image's name, or its row's number (from 1). May be repeated.",
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Explain so many faces, the first ones, where none is named.",
)
@click.option(
    "--why-not",
    multiple=True,
    metavar="EMOTION",
    help="Tell also why it is not this emotion. May be repeated.",
)
@click.option(
    "--baseline",
    default="zero",
    show_default=True,
    metavar="zero|neutral|FILE",
    help="What a face is compared with: all AUs 0, the mean neutral face of the training data, or "
    "the mean face of a file.",
)
@click.option(
    "--background",
    metavar="FILE|N",
    help="Compare with many faces instead: those of a file, or N training faces. The values are "
    "then estimated, with their standard error.",
)
@click.option(
    "--samples",
    type=click.IntRange(2, 1_000_000),
    default=1000,
    show_default=True,
    help="With --background: pairs of random orders.",
)
@click.option(
    "--scale",
    type=click.Choice(["probability", "log-odds"]),
    default="probability",
    show_default=True,
    help="What is shared out among the AUs.",
)
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="Of the reasons: English or Korean.",
)
@click.option(
    "--images",
    type=PATH,
    metavar="FOLDER",
    help="The pictures that the faces of INPUT were measured in, to show them.",
)
@click.option(
    "--testset",
    type=PATH,
    metavar="PATH",
    help="Labelled faces to explain a model as a whole on. Default: its own test rows.",
)
@emotions_option(default=False)
@click.option(
    "--min-confidence",
    type=Share(0, 1),
    default=0.0,
    show_default=True,
    help="Faces measured with less are not explained.",
)
@groups_option(more=" For models of AUs relative to the person.")
@engine_options
@seed_option
@out_option(
    None,
    "Write a page, tables and pictures into this folder. Default: print the reasons; of a model "
    "as a whole: reports/explain-<model>/",
)
@keep_going_option
@force_option
@json_option
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    source: Path | None,
    rows: tuple[str, ...],
    most: int,
    why_not: tuple[str, ...],
    baseline: str,
    background: str | None,
    samples: int,
    scale: str,
    language: str,
    images: Path | None,
    testset: Path | None,
    emotions: Emotions | None,
    min_confidence: float,
    groups: str | None,
    open_engine: Callable[[], Engine],
    plan: Plan,
    seed: int,
    out: Path | None,
    keep_going: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Tell why a MODEL answers as it does to the faces of an INPUT: what each AU contributed to
    the answer (exact Shapley values), how face and reasons agree with FACS, and the smallest
    change of AUs that would change the answer. Of an image model: where it looked.

    INPUT: an image or a folder of images, OpenFace's CSVs, an AU table, a dataset, or any CSV with
    the 17 columns AU01_r … AU45_r. Without INPUT: the model as a whole.
    """
    from aufer.classifiers.open_model import open_model
    from aufer.cli.model_choice import check_engine
    from aufer.cli.talk import print_data, progress, say, warn
    from aufer.explain import explain
    from aufer.explaining.language import LANGUAGES as KNOWN
    from aufer.explaining.page import check_explanation_folder, write_explanation
    from aufer.explaining.text import lines
    from aufer.files import to_json
    from aufer.groups import GroupRule

    words = KNOWN[language]
    if source is not None and out is not None:
        check_explanation_folder(out, force=force)
    opened = open_model(model, emotions=typed_emotions(ctx, emotions, model))
    check_engine(ctx, opened, [path for path in (source, testset) if path])
    if source is None:
        given = [option for name, option in _ABOUT_FACES.items() if ctx.params[name]]
        if given:
            raise UsageError(
                f"{given[0]} is about a face, and none is given.",
                hint=f"aufer explain {model} INPUT {given[0]} …",
            )
        rows_of = partial(_read_testset, opened, testset, groups, open_engine, plan)
        _explain_whole(opened, rows_of, seed, out, force=force, as_json=as_json)
        return
    if testset is not None:
        raise UsageError(
            "--testset is for a model as a whole.", hint="leave it away, or leave INPUT away"
        )
    with tempfile.TemporaryDirectory(prefix="aufer-") as scratch:
        found = explain(
            opened,
            source,
            rows=rows,
            most=most,
            baseline=baseline,
            background=background,
            scale=scale,
            why_not=why_not,
            pairs=samples,
            seed=seed,
            min_confidence=min_confidence,
            engine=open_engine,
            plan=plan,
            keep_in=workspace_data() or Path(scratch),
            groups=GroupRule.parse(groups),
            images=images,
            progress=progress,
            command=shlex.join(["aufer", *sys.argv[1:]]),
        )
    for warning in found.facts["warnings"]:
        warn(warning)
    if out is not None:
        page = write_explanation(out, found.facts, found.pictures, words, force=force)
        say(f"page: {page.resolve().as_uri()}")
    if as_json:
        print_data(to_json(found.facts).rstrip())
    elif out is not None:
        print_data(str(page))
    else:
        for line in lines(words, found.facts):
            print_data(line)
    if found.facts["n_failed"] and not keep_going:
        ctx.exit(EXIT_SOME_FAILED)


def _read_testset(
    opened: Model,
    testset: Path | None,
    groups: str | None,
    open_engine: Callable[[], Engine],
    plan: Plan,
) -> AuTable | None:
    """The labelled faces to explain a model on; None: its own."""
    from aufer.cli.talk import progress
    from aufer.groups import GroupRule
    from aufer.openface.faces import read_faces

    if testset is None:
        return None
    return read_faces(
        testset,
        opened.emotions.with_others(),
        engine=open_engine,
        plan=plan,
        keep_in=workspace_data(),
        groups=GroupRule.parse(groups),
        progress=progress,
    )


def _explain_whole(
    opened: Model,
    rows_of: Callable[[], AuTable | None],
    seed: int,
    out: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """The model as a whole: its page, or its figures as JSON."""
    from aufer.cli.talk import print_data, progress, warn
    from aufer.explaining.whole_model import explain_whole
    from aufer.explaining.whole_page import check_whole_folder, write_whole
    from aufer.files import to_json

    folder = out or Path("reports") / f"explain-{opened.name}"
    check_whole_folder(folder, force=force)
    command = shlex.join(["aufer", *sys.argv[1:]])
    rows = None if opened.image_input is not None else rows_of()
    facts = explain_whole(opened, rows=rows, seed=seed, command=command, progress=progress)
    for note in [*filter(None, [facts["why_not"]]), *facts["notes"]]:
        warn(note)
    if as_json and out is None:
        print_data(to_json(facts).rstrip())
        return
    page = write_whole(folder, facts, force=force)
    print_data(to_json(facts).rstrip() if as_json else str(page))
