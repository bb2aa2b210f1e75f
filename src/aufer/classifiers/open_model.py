"""Opening a model by path or name, whatever file it is."""

from __future__ import annotations

from pathlib import Path

from aufer.bundle import find_bundle, read_bundle
from aufer.classifiers.keras_file import load_keras_file
from aufer.classifiers.keras_loading import SUFFIXES, is_keras_file
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.model import Model
from aufer.shipped import models_folder


def open_model(
    model: str | None = None,
    *,
    emotions: Emotions | None = None,
    workspace_models: Path = Path("models"),
) -> Model:
    """Open a bundle, or a bare Keras file such as the reference project's best_model.hdf5.

    Args:
        model: path or name; None takes the workspace's newest, else the shipped one.
        emotions: name the outputs of a bare file, in order; a bundle has its own: the same names.

    Raises:
        UsageError: no such model. DataError: it is damaged or doesn't fit.
    """
    path = find_bundle(model, workspace_models, models_folder())
    if path.is_file():
        if not is_keras_file(path):
            raise UsageError(
                f"{path} is no model: a bundle (a folder) or a Keras file "
                f"({', '.join(SUFFIXES)}) is needed.",
                hint="list the models at hand: aufer models list",
            )
        if emotions is None:
            raise UsageError(
                f"{path} is a bare Keras file: it doesn't say which emotions its outputs are.",
                hint="name them in order: --emotions angry,disgust,happy,neutral,sad,surprise",
            )
        return load_keras_file(path, emotions)
    bundle = read_bundle(path)
    if emotions is not None and set(emotions.names) != set(bundle.emotions.names):
        raise DataError(
            f"The model {bundle.name} answers {bundle.emotions}, not {emotions}.",
            hint="leave --emotions away: the model brings its own",
        )
    return bundle
