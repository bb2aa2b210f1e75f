"""``aufer compare``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aufer.cli.options import (
    PATH,
    EmotionsType,
    engine_options,
    force_option,
    groups_option,
    json_option,
    keep_going_option,
    min_confidence_option,
    out_option,
    talk_options,
    workspace_data,
)
from aufer.emotions import DEFAULT_NAMES, Emotions
from aufer.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from aufer.au_table import AuTable
    from aufer.compare import Entrant
    from aufer.comparison.fused import Validation
    from aufer.openface.engine import Engine
    from aufer.openface.measuring.plan import Plan


@click.command(
    "compare",
    epilog="""\b
Examples:
  aufer compare au-model face-cnn --testset data/testset
  aufer compare au-model face-cnn --testset ~/openface-test --images ~/images-test
  aufer compare reports/mine/predictions.csv theirs/predictions.csv --common
  aufer compare au-model face-cnn --testset data/testset --fuse --validation data/validation
  aufer compare face-cnn best_model.hdf5 --testset data/testset \\
      --outputs angry,disgust,happy,neutral,sad,surprise""",
)
@click.argument("models", nargs=-1, required=True, metavar="MODEL MODEL…")
@click.option(
    "--testset",
    type=PATH,
    help="The images that all models read: folders by emotion, or flat names such as "
    "angry001.jpg; folders of OpenFace CSVs or an AU table, with --images for models of pictures. "
    "Not needed where every MODEL is a predictions.csv.",
)
@click.option("--images", type=PATH, metavar="FOLDER", help="The pictures of OpenFace's CSVs.")
@click.option(
    "--labels", type=PATH, help="CSV with image,emotion[,group] for images not in folders."
)
@click.option(
    "--emotions",
    type=EmotionsType(),
    help="Ask for these only: test images of others are left out, and said. Default: all that "
    "occur, and those of the usual six that every model knows.",
)
@click.option(
    "--outputs",
    type=EmotionsType(),
    help="The emotions of a bare Keras file in the order of its outputs.",
)
@click.option(
    "--extra",
    type=click.Choice(["mask", "wrong"]),
    default="mask",
    show_default=True,
    help="A model that knows more emotions than are asked for: leave these answers out, or count "
    "them as wrong. Both are shown; this one leads.",
)
@click.option("--common", is_flag=True, help="Compare on the images that all predictions have.")
@click.option(
    "--fuse",
    is_flag=True,
    help="One more row: the models of AUs and of pictures as one, weighted by --validation.",
)
@click.option(
    "--validation",
    type=PATH,
    multiple=True,
    help="For --fuse: labelled images (as --testset) neither trained nor tested on; or the "
    "predictions.csv of each of the two models on such images (name the option twice).",
)
@click.option(
    "--validation-images", type=PATH, metavar="FOLDER", help="As --images, for --validation."
)
@click.option("--no-pictures", is_flag=True, help="No small pictures of faces on the page.")
@groups_option(more=" Intervals of differences are then given by person too.")
@min_confidence_option
@engine_options
@out_option(None, "The comparison's folder. Default: reports/compare-<models>-on-<testset>/")
@keep_going_option
@force_option
@json_option
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    models: tuple[str, ...],
    testset: Path | None,
    images: Path | None,
    labels: Path | None,
    emotions: Emotions | None,
    outputs: Emotions | None,
    extra: str,
    common: bool,
    fuse: bool,
    validation: tuple[Path, ...],
    validation_images: Path | None,
    no_pictures: bool,
    groups: str | None,
    min_confidence: float,
    open_engine: Callable[[], Engine],
    plan: Plan,
    out: Path | None,
    keep_going: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Compare models on the same images, and say what chance alone explains: model bundles by path
    or name, bare Keras files of AUs, and predictions.csv of `aufer evaluate`.

    Writes comparison.html to read, comparison.json, predictions.csv, and every table and figure as
    a file: accuracy with its interval, emotion by emotion, coverage, calibration, time and size;
    exact McNemar tests with Holm's correction; the images on which the models disagree.
    """
    from aufer.cli.model_choice import check_engine
    from aufer.cli.talk import print_data, progress, say, warn
    from aufer.compare import compare
    from aufer.comparison.page import (
        check_comparison_folder,
        comparison_folder,
        write_comparison,
    )
    from aufer.comparison.stored import Stored
    from aufer.comparison.text import sentences
    from aufer.files import to_json

    _check_options(models, testset, fuse, validation)
    entrants = [_open(model, outputs) for model in models]
    folder = out or comparison_folder(Path("reports"), [e.name for e in entrants], testset)
    check_comparison_folder(folder, force=force)
    for entrant in entrants:
        if not isinstance(entrant, Stored):
            check_engine(ctx, entrant, [path for path in (testset, *validation) if path])

    def read(source: Path, pictures: Path | None, labels: Path | None = None) -> AuTable:
        return _read(
            source, entrants, pictures, labels, groups=groups, plan=plan, engine=open_engine
        )

    faces = None if testset is None else read(testset, images, labels)
    comparison = compare(
        entrants,
        faces,
        testset=str(testset or ""),
        emotions=emotions,
        extra=extra,
        min_confidence=min_confidence,
        common=common,
        validation=_validation(validation, validation_images, read) if fuse else None,
        progress=progress,
        command=shlex.join(["aufer", *sys.argv[1:]]),
    )
    facts = comparison.facts
    page = write_comparison(
        folder,
        facts,
        comparison.predictions,
        comparison.disagreements,
        {} if no_pictures else comparison.pictures,
        force=force,
    )
    _say_models(facts)
    for model in facts["models"]:
        for warning in model["warnings"]:
            warn(f"{model['name']}: {warning}")
    for note in facts["notes"]:
        warn(note)
    if left_out := facts["testset"]["left_out"]:
        said = ", ".join(f"{name} {n:,}" for name, n in left_out.items())
        say(f"Left out of the test set by --emotions: {said} images.")
    for sentence in sentences(facts):
        say(sentence)
    print_data(to_json(facts).rstrip() if as_json else str(page))
    if facts["testset"]["n_failed"] and not keep_going:
        ctx.exit(EXIT_SOME_FAILED)


def _check_options(
    models: tuple[str, ...], testset: Path | None, fuse: bool, validation: tuple[Path, ...]
) -> None:
    """Raise for what can't be done, before anything is opened."""
    if len(models) < 2:
        raise UsageError(
            "There is one model only; a comparison takes two or more.",
            hint="aufer compare MODEL MODEL --testset FOLDER; of one model: aufer evaluate",
        )
    if testset is None and not all(model.endswith(".csv") for model in models):
        raise UsageError(
            "Models are compared on images, and none are named.", hint="add: --testset FOLDER"
        )
    if fuse and not validation:
        raise UsageError(
            "--fuse weighs two models by validation data, and none are named; test images must "
            "not say how much a model counts.",
            hint="name labelled images that neither model was trained on: --validation FOLDER",
        )
    if validation and not fuse:
        raise UsageError("--validation goes with --fuse.", hint="add: --fuse")
    if len(validation) > 2:
        raise UsageError(
            "--validation is one set of images, or the predictions.csv of each of two models."
        )


def _open(model: str, outputs: Emotions | None) -> Entrant:
    """A model, or the stored answers of one."""
    from aufer.classifiers.keras_loading import is_keras_file
    from aufer.classifiers.open_model import open_model
    from aufer.comparison.stored import read_stored

    path = Path(model)
    if path.suffix.lower() == ".csv":
        return read_stored(path)
    is_bare = is_keras_file(path)
    if is_bare and outputs is None:
        raise UsageError(
            f"{path} is a bare Keras file: it doesn't say which emotions its outputs are.",
            hint="name them in order: --outputs angry,disgust,happy,neutral,sad,surprise",
        )
    return open_model(model, emotions=outputs if is_bare else None)


def _read(
    source: Path,
    entrants: list[Entrant],
    pictures: Path | None,
    labels: Path | None,
    *,
    groups: str | None,
    plan: Plan,
    engine: Callable[[], Engine],
) -> AuTable:
    """The images to read, with every emotion that they may be of; measured if a model needs AUs."""
    from aufer.cli.talk import progress
    from aufer.comparison.contender import join_emotions
    from aufer.comparison.stored import Stored
    from aufer.groups import GroupRule
    from aufer.openface.faces import read_faces

    known = join_emotions(entrant.emotions for entrant in entrants).with_others()
    if known.names[: len(DEFAULT_NAMES)] != DEFAULT_NAMES:
        known = known.without_numbers()
    needs_aus = any(not isinstance(e, Stored) and e.image_input is None for e in entrants)
    return read_faces(
        source,
        known,
        engine=engine if needs_aus else None,
        plan=plan,
        keep_in=workspace_data(),
        labels=labels,
        groups=GroupRule.parse(groups),
        images=pictures,
        pictures_only=not needs_aus,
        progress=progress,
    )


def _validation(
    paths: tuple[Path, ...],
    pictures: Path | None,
    read: Callable[[Path, Path | None], AuTable],
) -> Validation:
    """Images to ask the models about, and stored answers."""
    from aufer.comparison.fused import Validation
    from aufer.comparison.stored import is_stored, read_stored

    stored = [path for path in paths if is_stored(path)]
    others = [path for path in paths if path not in stored]
    if len(others) > 1:
        raise UsageError(
            "--validation is one set of images, or the predictions.csv of each of two models.",
            hint=f"{others[0]} and {others[1]} are no such files",
        )
    faces = read(others[0], pictures) if others else None
    answers = tuple(read_stored(path) for path in stored)
    return Validation(faces, answers, " and ".join(map(str, paths)))


def _say_models(facts: dict[str, Any]) -> None:
    """The figures to lead with, a line per model and baseline."""
    import pandas as pd

    from aufer.cli.talk import say_table
    from aufer.comparison.figures import leading_view
    from aufer.metrics import percent, with_interval

    view = leading_view(facts)
    titles = {each["name"]: each["short"] for each in facts["baselines"]}
    rows = [(model["name"], model) for model in view["models"]]
    rows += [(titles[each["name"]], each) for each in view["baselines"]]
    say_table(
        pd.DataFrame(
            {
                "model": title,
                "answered": percent(model["coverage"]["value"]),
                "accuracy": with_interval(model["accuracy"]),
                "of all images": percent(model["accuracy_all"]["value"]),
                "macro-F1": "–" if model["macro_f1"] is None else f"{model['macro_f1']:.3f}",
            }
            for title, model in rows
        )
    )
