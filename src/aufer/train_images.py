"""The verb ``train --kind cnn``: a folder of labelled pictures in, a model bundle out."""

from __future__ import annotations

import logging
import shlex
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from aufer.bundle import CHECKPOINTS, Bundle
from aufer.classifiers.backend import full_disk_is_an_error
from aufer.classifiers.classifier import OnEpoch, no_epochs
from aufer.classifiers.cnn import fit
from aufer.classifiers.cnn_bundle import Trained, write_bundle
from aufer.classifiers.cnn_loop import Pictures
from aufer.classifiers.cnn_pictures import PictureSet, read_picture_set
from aufer.classifiers.cnn_recipe import CnnRecipe
from aufer.classifiers.cnn_state import State
from aufer.classifiers.cnn_unfinished import (
    KIND,
    begin,
    begun_facts,
    check_not_begun,
    check_same_data,
    find_newest,
    is_unfinished,
    read_unfinished,
    same_settings,
)
from aufer.classifiers.ctrl_c import CtrlC
from aufer.emotions import Emotions
from aufer.errors import Interrupted, UsageError
from aufer.files import replacing_folder
from aufer.images import check_folder, find_images
from aufer.progress import Progress, no_progress
from aufer.runs import (
    check_bundle_replaceable,
    named_path,
    reserve_bundle_path,
    training_alone,
    training_folder,
)
from aufer.splits import MOST_SEED, Parts

log = logging.getLogger("aufer")

OnStart = Callable[[CnnRecipe, int], None]
"""Called before the first step with the recipe and the number of epochs that are done already."""

OnStep = Callable[[int, int], None]
"""Called after each step with its number in the epoch, from 1, and their number."""


def train_images(
    images: Path,
    *,
    emotions: Emotions | None = None,
    out: Path | None = None,
    models_folder: Path = Path("models"),
    name: str | None = None,
    seed: int | None = None,
    class_weights: bool | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    test_size: float | None = None,
    validation_size: float | None = None,
    resume: bool = False,
    on_start: OnStart = lambda recipe, done: None,
    on_step: OnStep = lambda step, steps: None,
    on_epoch: OnEpoch = no_epochs,
    progress: Progress = no_progress,
    with_data: bool = True,
    force: bool = False,
    command: str = "",
) -> Bundle:
    """Train an image model and write its bundle.

    After each epoch all that the next one depends on is written into a hidden folder beside the
    future bundle. With ``resume`` an unfinished training is gone on with, and ends as if it had
    never been stopped; a setting of None then is the one that it was begun with.

    Args:
        images: folders named after the emotions, with a face per picture.
        emotions: in label order; None: the usual six.
        out: the bundle's folder; None makes ``models_folder/<name>``, and the name, if None too, of
            folder, kind and time, or, to resume, of the newest unfinished training on the images.
        seed: of the split, the weights, and how pictures are changed; None: 0.
        class_weights, …, validation_size: see `CnnRecipe`; None takes its value.
        progress: told of the pictures that are read.
        with_data: without, the bundle names no image.
        force: replace a bundle that a person edited, and an unfinished training.
        command: what was typed, for the record; that of the beginning counts.

    Raises:
        UsageError: no such folder; an impossible setting, or another one than a training was begun
        with; nothing to go on with. DataError: the images can't be used, or are not those that a
        training was begun with. AuferError: something else lies in the way; the disk is full;
        training diverged. Interrupted: Ctrl-C; the finished epochs are kept.
    """
    typed = {
        "class_weights": class_weights,
        "epochs": epochs,
        "patience": patience,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "test_size": test_size,
        "validation_size": validation_size,
    }
    recipe = CnnRecipe().changed(**typed)
    if seed is not None and not 0 <= seed <= MOST_SEED:
        raise UsageError(f"--seed is a whole number from 0 to {MOST_SEED}, not {seed}.")
    check_folder(images)
    named = named_path(out, models_folder, name)
    if resume:
        named = named or find_newest(models_folder, images)
    if named is not None:
        check_bundle_replaceable(named, force=force)
        if not resume and not force:
            check_not_begun(named)
    with CtrlC() as ctrl_c, ExitStack() as alone:
        path = state = None
        try:
            if is_begun := named is not None and is_unfinished(named):
                alone.enter_context(training_alone(named))
            if resume and named is not None:
                state = read_unfinished(named)
                recipe, seed, emotions = same_settings(state, typed, seed, emotions)
            seed, emotions = seed or 0, emotions or Emotions()
            found = find_images(images, emotions)
            pictures = read_picture_set(images, found, emotions, recipe.image_input, progress)
            notes = pictures.notes()
            parts = pictures.split(recipe.test_size, recipe.validation_size, seed)
            _say_plan(pictures, parts, notes)
            begun = begun_facts(recipe, seed, pictures.facts())
            if state is not None:
                check_same_data(state, begun)
            ctrl_c.hold("")  # or the folders that are made next might stay behind
            with reserve_bundle_path(named, models_folder, images.resolve(), KIND) as path:
                if not is_begun:
                    alone.enter_context(training_alone(path))
            folder = training_folder(path)
            with full_disk_is_an_error(path):
                if state is None:
                    state = State({**begun, "command": command})
                    begin(folder, state)
                on_start(recipe, len(state.history))
                classifier = fit(
                    *_to_learn_from(pictures, parts, recipe),
                    len(emotions),
                    recipe,
                    seed,
                    state,
                    folder,
                    on_epoch=on_epoch,
                    on_step=on_step,
                    ctrl_c=ctrl_c,
                )
                told = notes if with_data else pictures.notes(with_names=False)
                trained = Trained(classifier, recipe, seed, pictures, parts, told)
                with replacing_folder(path) as bundle:
                    if (folder / CHECKPOINTS).is_dir():
                        shutil.copytree(folder / CHECKPOINTS, bundle / CHECKPOINTS)
                    began = state.facts.get("command") or command
                    facts = write_bundle(
                        bundle, path.name, trained, with_data=with_data, command=began
                    )
                shutil.rmtree(folder, ignore_errors=True)
        except KeyboardInterrupt as error:
            raise _interrupted(images, path) from error
    if ctrl_c.pressed:
        raise Interrupted(f"Interrupted when the training was over; the whole model is in {path}.")
    return Bundle(path, facts)


def _to_learn_from(
    pictures: PictureSet, parts: Parts, recipe: CnnRecipe
) -> tuple[Pictures, Pictures]:
    """The training and the validation pictures."""
    n_emotions = len(pictures.emotions)
    weights = recipe.weights(pictures.labels[parts.train], n_emotions)
    found = []
    for rows, by_label in (
        (parts.train, weights),
        (parts.validation, np.ones(n_emotions, dtype=np.float32)),
    ):
        labels = pictures.labels[rows]
        found.append(Pictures(pictures.pixels[rows], labels, by_label[labels]))
    return found[0], found[1]


def _say_plan(pictures: PictureSet, parts: Parts, notes: list[str]) -> None:
    counts = ", ".join(f"{name} {n}" for name, n in pictures.counts().items())
    log.info("%s: %d pictures (%s)", pictures.folder, len(pictures), counts)
    sizes = ", ".join(f"{name} {n}" for name, n in parts.sizes().items())
    log.info("split: %s; %s", sizes, parts.rule)
    for note in notes:
        log.warning(note)


def _interrupted(images: Path, bundle: Path | None) -> Interrupted:
    if bundle is None:
        return Interrupted("Interrupted before the training began; nothing was written.")
    typed = ["aufer", "train", "--kind", KIND, "--images", str(images), "--out", str(bundle)]
    return Interrupted(
        f"Interrupted; every finished epoch is kept in {training_folder(bundle)}.",
        hint=f"go on with it: {shlex.join([*typed, '--resume'])}",
    )
