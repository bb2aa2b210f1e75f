"""The verb ``train --kind au-net``: faces and what OpenFace measured of them in, an AU network out.

It finds landmarks and Action Units by itself: `aufer extract --engine builtin`.
"""

from __future__ import annotations

import logging
import shlex
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aufer.au_net.format import FACTS_NAME, SCHEMA
from aufer.classifiers.au_net_bundle import TrainedAuNet, write_au_net
from aufer.classifiers.au_net_faces import read_face_set
from aufer.classifiers.au_net_loop import train
from aufer.classifiers.au_net_recipe import AuNetRecipe
from aufer.classifiers.au_net_unfinished import KIND, begun_facts, same_settings
from aufer.classifiers.backend import full_disk_is_an_error
from aufer.classifiers.classifier import OnEpoch, no_epochs
from aufer.classifiers.cnn_state import State, write_state
from aufer.classifiers.cnn_unfinished import (
    begin,
    check_not_begun,
    check_same_data,
    find_newest,
    is_unfinished,
    read_unfinished,
)
from aufer.classifiers.ctrl_c import CtrlC
from aufer.errors import Interrupted, UsageError
from aufer.files import check_folder_replaceable, replacing_folder
from aufer.images import check_folder
from aufer.progress import Progress, no_progress
from aufer.runs import named_path, reserve_bundle_path, training_alone, training_folder
from aufer.splits import MOST_SEED

log = logging.getLogger("aufer")


@dataclass(frozen=True)
class AuNetFolder:
    """An AU network that was written: its folder, and what ``au-net.json`` says."""

    path: Path
    facts: dict[str, Any] = field(repr=False)


def train_au_net(
    images: Path,
    aus: Path,
    *,
    out: Path | None = None,
    models_folder: Path = Path("models"),
    name: str | None = None,
    seed: int | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    test_size: float | None = None,
    recipe: AuNetRecipe | None = None,
    resume: bool = False,
    on_start: Callable[[int, int], None] = lambda epochs, done: None,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
    on_epoch: OnEpoch = no_epochs,
    progress: Progress = no_progress,
    force: bool = False,
    command: str = "",
) -> AuNetFolder:
    """Train an AU network and write its files.

    After each epoch all that the next one depends on is written into a hidden folder beside the
    future one. With ``resume`` an unfinished training is gone on with, and ends as if it had never
    been stopped; a setting of None then is the one that it was begun with.

    Args:
        images: a folder of pictures. aus: what OpenFace measured of them, with landmarks: a folder
            of its files (``-aus -2Dfp``), or an AU table of ``aufer extract``.
        out: the folder to write; None makes ``models_folder/<name>``, and the name, if None too, of
            the images' folder, the kind and the time.
        seed: of the split, the weights, and how crops are changed; None: 0.
        epochs, …, test_size: see `AuNetRecipe`; None takes its value. recipe: to begin from.
        on_start: called before the first step with the number of epochs, and of those done.
        on_step: called after each step with its number in the epoch, and their number.
        force: replace a network that a person edited, and an unfinished training.
        command: what was typed, for the record.

    Raises:
        UsageError: no such folder; an impossible setting, or another one than a training was begun
        with; nothing to go on with. DataError: see `read_face_set`; or these are not the faces that
        a training was begun with. AuferError: something else lies in the way; the disk is full;
        training diverged. Interrupted: Ctrl-C; the finished epochs are kept.
    """
    typed = {
        "epochs": epochs,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "test_size": test_size,
    }
    recipe = (recipe or AuNetRecipe()).changed(**typed)
    if seed is not None and not 0 <= seed <= MOST_SEED:
        raise UsageError(f"--seed is a whole number from 0 to {MOST_SEED}, not {seed}.")
    check_folder(images)
    named = named_path(out, models_folder, name)
    if resume:
        named = named or find_newest(models_folder, images, KIND)
    if named is not None:
        check_folder_replaceable(named, "AU network", FACTS_NAME, SCHEMA, force=force)
        if not resume and not force:
            check_not_begun(named)
    with CtrlC() as ctrl_c, ExitStack() as alone:
        path = state = None
        try:
            if is_begun := named is not None and is_unfinished(named):
                alone.enter_context(training_alone(named))
            if resume and named is not None:
                state = read_unfinished(named, KIND)
                recipe, seed = same_settings(state, typed, seed)
            seed = seed or 0
            least = min(recipe.align_confidence, recipe.aus_confidence)
            faces = read_face_set(images, aus, least, progress)
            rows, held = faces.split(recipe.test_size, seed)
            log.info("%d faces: %d to learn from, %d held out", len(faces), len(rows), len(held))
            begun = begun_facts(recipe, seed, faces.facts)
            if state is not None:
                check_same_data(state, begun)
            ctrl_c.hold("")  # or the folders that are made next might stay behind
            with reserve_bundle_path(named, models_folder, images.resolve(), KIND) as path:
                if not is_begun:
                    alone.enter_context(training_alone(path))
            folder = training_folder(path)

            def keep(new: State) -> None:
                write_state(new, folder)
                on_epoch(len(new.history), new.history[-1])

            def between() -> None:
                ctrl_c.let_go()  # raises what was pressed during the step
                ctrl_c.hold("")  # an exception in the midst of TensorFlow can end the process

            with full_disk_is_an_error(path):
                if state is None:
                    state = State({**begun, "command": command})
                    begin(folder, state)
                on_start(recipe.all_epochs, len(state.history))
                align, of_aus, last = train(
                    faces,
                    rows,
                    held,
                    recipe,
                    seed,
                    state,
                    on_state=keep,
                    between=between,
                    on_step=on_step,
                )
                ctrl_c.hold()
                trained = TrainedAuNet(align, of_aus, recipe, seed, faces, rows, held, last.history)
                with replacing_folder(path) as written:
                    began = state.facts.get("command") or command
                    facts = write_au_net(written, path.name, trained, began)
                shutil.rmtree(folder, ignore_errors=True)
        except KeyboardInterrupt as error:
            raise _interrupted(images, aus, path) from error
    if ctrl_c.pressed:
        raise Interrupted(f"Interrupted when the training was over; the network is in {path}.")
    return AuNetFolder(path, facts)


def _interrupted(images: Path, aus: Path, path: Path | None) -> Interrupted:
    if path is None:
        return Interrupted("Interrupted before the training began; nothing was written.")
    typed = ["aufer", "train", "--kind", KIND, "--images", str(images), "--aus", str(aus)]
    return Interrupted(
        f"Interrupted; every finished epoch is kept in {training_folder(path)}.",
        hint=f"go on with it: {shlex.join([*typed, '--out', str(path), '--resume'])}",
    )
