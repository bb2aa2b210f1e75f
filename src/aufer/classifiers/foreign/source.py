"""Where a foreign model lies: a file, a folder or zip of a Teachable Machine export, or a mistake
that is worth an answer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aufer.bundle import FACTS_NAME
from aufer.classifiers.foreign.archives import unpack
from aufer.classifiers.foreign.labels import LABELS_NAME
from aufer.classifiers.keras_loading import SUFFIXES, is_keras_file
from aufer.errors import DataError, UsageError

ONNX_SUFFIX = ".onnx"
TEACHABLE_NAME = "keras_model.h5"

_KERAS_TAB = (
    "in Teachable Machine choose: Export Model, Tensorflow, Keras, Download my model; then import "
    "converted_keras.zip"
)
_OTHER_EXPORTS = {
    ".tflite": "a TensorFlow Lite export",
    "model.json": "a TensorFlow.js export",
    "saved_model.pb": "a TensorFlow SavedModel",
    ".pb": "a TensorFlow graph",
}
_OTHER_MODELS = {
    ".pt": "PyTorch",
    ".pth": "PyTorch",
    ".safetensors": "safetensors",
    ".pkl": "pickle",
    ".joblib": "joblib",
}


@dataclass(frozen=True)
class Source:
    """A foreign model's files.

    Attributes:
        model: a Keras or ONNX file. labels: its labels.txt, or None.
        given: what the user named: this file, a folder or a zip.
        is_export: whether it is, or lies in, a Teachable Machine export.
    """

    model: Path
    labels: Path | None
    given: Path
    is_export: bool

    @property
    def is_onnx(self) -> bool:
        """Whether the model is an ONNX file; else a Keras file."""
        return self.model.suffix.lower() == ONNX_SUFFIX

    @property
    def title(self) -> str:
        """What to call the model when nothing else is said: plain letters."""
        path = self.given
        name = path.resolve().name if path.is_dir() else path.stem
        if self.model.name == TEACHABLE_NAME and name == self.model.stem:
            name = path.resolve().parent.name
        plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
        return plain.strip("-_.") or "imported"


@contextmanager
def open_source(given: Path) -> Iterator[Source]:
    """Find the model in what the user named; a zip is unpacked as long as the context lasts.

    Raises:
        UsageError: there is nothing, or a kind of file that is no model that can be imported.
        DataError: a zip that is cut or dangerous, or a folder without a model.
    """
    if not given.exists():
        raise UsageError(f"There is no file or folder {given}.")
    if given.is_dir():
        yield _in_folder(given, given)
    elif given.suffix.lower() == ".zip":
        with tempfile.TemporaryDirectory(prefix="aufer-") as folder:
            unpack(given, Path(folder))
            yield _in_folder(Path(folder), given)
    elif is_keras_file(given) or given.suffix.lower() == ONNX_SUFFIX:
        beside = given.with_name(LABELS_NAME)
        is_export = given.name == TEACHABLE_NAME and beside.is_file()
        yield Source(given, beside if is_export else None, given, is_export)
    else:
        raise _not_a_model(given)


def _in_folder(folder: Path, given: Path) -> Source:
    """The one model in a folder, with its labels.txt."""
    if (folder / FACTS_NAME).is_file():
        raise UsageError(
            f"{given} is a model bundle already.", hint=f"use it: aufer evaluate --model {given}"
        )
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = [p for p in files if "__MACOSX" not in p.parts and not p.name.startswith("._")]
    models = [path for path in files if path.name == TEACHABLE_NAME] or [
        path for path in files if is_keras_file(path) or path.suffix.lower() == ONNX_SUFFIX
    ]
    if len(models) > 1:
        raise DataError(
            f"{given} holds {len(models)} models ({models[0].name}, {models[1].name} …).",
            hint="name the file itself",
        )
    if not models:
        for path in files:
            for end, what in _OTHER_EXPORTS.items():
                if path.name.endswith(end):
                    raise DataError(f"{given} is {what}, which can't be imported.", hint=_KERAS_TAB)
        raise DataError(
            f"{given} holds no model ({', '.join((*SUFFIXES, ONNX_SUFFIX))}).", hint=_KERAS_TAB
        )
    labels = models[0].with_name(LABELS_NAME)
    is_export = models[0].name == TEACHABLE_NAME
    return Source(models[0], labels if labels.is_file() else None, given, is_export)


def _not_a_model(path: Path) -> UsageError:
    known = ", ".join((*SUFFIXES, ONNX_SUFFIX))
    name = path.name.lower()
    for end, what in _OTHER_EXPORTS.items():
        if name.endswith(end):
            return UsageError(f"{path} is {what}, which can't be imported.", hint=_KERAS_TAB)
    library = _OTHER_MODELS.get(path.suffix.lower())
    if library is not None:
        return UsageError(
            f"{path} is a file of {library}, which can hold code or lacks the layers; it can't be "
            "imported.",
            hint="export the model to ONNX where it was made, and import that file",
        )
    return UsageError(
        f"{path} is no model: a Keras or ONNX file ({known}), or a folder or zip of a Teachable "
        "Machine export is needed."
    )
