"""Opening a model by path or name, whatever file it is."""

from __future__ import annotations

import shlex
from pathlib import Path

from aufer.bundle import FACTS_NAME, find_bundle, read_bundle
from aufer.classifiers.foreign.source import ONNX_SUFFIX, TEACHABLE_NAME
from aufer.classifiers.keras_file import load_keras_file
from aufer.classifiers.keras_loading import SUFFIXES, is_keras_file
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.model import Model
from aufer.shipped import models_folder

_TO_IMPORT = (ONNX_SUFFIX, ".zip")


def open_model(
    model: str | None = None,
    *,
    emotions: Emotions | None = None,
    workspace_models: Path = Path("models"),
    reads: str | None = None,
    measure: str | None = None,
) -> Model:
    """Open a bundle, or a bare Keras file such as the reference project's best_model.hdf5.

    Args:
        model: path or name; None takes the workspace's newest, else the shipped one.
        emotions: name the outputs of a bare file, in order; a bundle has its own: the same names.
        reads, measure: what the one that is taken without a name reads; see `find_bundle`.

    Raises:
        UsageError: no such model. DataError: it is damaged or doesn't fit.
    """
    path = find_bundle(model, workspace_models, models_folder(), reads, measure)
    if path.is_file():
        if path.suffix.lower() in _TO_IMPORT:
            raise _to_import(path)
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
    if (path / TEACHABLE_NAME).is_file() and not (path / FACTS_NAME).is_file():
        raise _to_import(path)
    bundle = read_bundle(path)
    if emotions is not None and set(emotions.names) != set(bundle.emotions.names):
        others = [name for name in emotions if name not in bundle.emotions.names]
        raise DataError(
            f"The model {bundle.name} answers {bundle.emotions}, not {emotions}.",
            hint="leave --emotions away: the model brings its own"
            + (f"; move images of {', '.join(others)} elsewhere" if others else ""),
        )
    return bundle


def _to_import(path: Path) -> UsageError:
    return UsageError(
        f"{path} is a model of another program, no bundle yet.",
        hint=f"make one of it, once: aufer import-model {shlex.quote(str(path))}",
    )
