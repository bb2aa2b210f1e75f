"""A bare Keras file, such as the reference project's ``best_model.hdf5``, as a model.

A file from elsewhere may hold code. It is looked at without TensorFlow first, and refused where it
holds a Lambda layer or a class that is not one of Keras's own model parts; it is then loaded in
safe mode. Keras goes by the suffix, so the first bytes must agree with it: a file that is two
things at once would be looked at as one and loaded as the other.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.classifiers.backend import import_keras
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.files import sha256_of
from aufer.provenance import Extractor

SUFFIXES = (".keras", ".h5", ".hdf5")
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_KERAS_PARTS = (
    "activations",
    "constraints",
    "dtype_policies",
    "engine",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
)
"""Modules of Keras whose classes a model may name; `keras.utils`, say, can fetch files."""

_CODE_CLASSES = ("Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
_ROWS_AT_ONCE = 65536


@dataclass(frozen=True)
class KerasFile:
    """A loaded Keras file with 17 AU inputs and one softmax output per emotion.

    Attributes:
        path: the file. emotions: in the order of the outputs, as the user says.
        facts: ``kind``, ``path``, ``sha256``, ``labels``, ``features``.
    """

    path: Path
    emotions: Emotions
    facts: dict[str, Any]
    _network: Any = field(repr=False)
    features: tuple[str, ...] = INTENSITY_COLUMNS
    extractor: Extractor = field(default_factory=Extractor)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Probabilities, float32 [n, emotions], of AU intensities ``values`` [n, 17]."""
        if values.ndim != 2 or values.shape[1] != len(self.features):
            raise DataError(
                f"The model {self.name} takes {len(self.features)} features, not an array of shape "
                f"{values.shape}."
            )
        found = [np.zeros((0, len(self.emotions)), dtype=np.float32)]
        for start in range(0, len(values), _ROWS_AT_ONCE):
            rows = np.ascontiguousarray(values[start : start + _ROWS_AT_ONCE], dtype=np.float32)
            found.append(np.asarray(self._network(rows, training=False), dtype=np.float32))
        return np.concatenate(found)


def is_keras_file(path: Path) -> bool:
    """Whether a path is named like a Keras file."""
    return path.suffix.lower() in SUFFIXES


def load_keras_file(path: Path, emotions: Emotions) -> KerasFile:
    """Load a ``.keras``, ``.h5`` or ``.hdf5`` file; its first 17 inputs are the AU intensities.

    Args:
        emotions: in the order of the outputs; the file itself doesn't say.

    Raises:
        UsageError: there is no such file. DataError: it is cut or no Keras model, holds code, or
        has other inputs or outputs. EnvironmentFailure: TensorFlow is missing.
    """
    if not path.is_file():
        raise UsageError(f"The file {path} does not exist.")
    _check_holds_no_code(_read_config(path), path)
    keras = import_keras()
    try:
        network = keras.saving.load_model(str(path), compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers raise
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)
        raise DataError(
            f"{path} can't be loaded as a Keras model: {reason}.",
            hint="is the file whole, and was it saved with model.save()?",
        ) from error
    _check_shapes(network, path, emotions)
    facts = {
        "kind": "keras-file",
        "path": str(path),
        "sha256": sha256_of(path),
        "features": list(INTENSITY_COLUMNS),
        "labels": list(emotions.names),
    }
    model = KerasFile(path, emotions, facts, network)
    sums = model.predict_proba(np.zeros((1, len(INTENSITY_COLUMNS)))).sum(axis=1)
    if not np.allclose(sums, 1.0, atol=1e-3):
        raise DataError(
            f"{path}: its outputs are no probabilities: they sum to {float(sums[0]):.3g}, not 1.",
            hint="end the network with a softmax layer",
        )
    return model


def _read_config(path: Path) -> Any:
    """The description of the layers that a Keras file holds, as JSON."""
    no_model = f"{path} is no Keras model"
    hint = "give a .keras, .h5 or .hdf5 file that was saved with model.save()"
    is_archive = path.suffix.lower() == ".keras"
    magic = _ZIP_MAGIC if is_archive else _HDF5_MAGIC
    try:
        with path.open("rb") as file:
            start = file.read(len(magic))
        if start != magic:
            kind = "a .keras archive" if is_archive else "an HDF5 file"
            raise DataError(f"{no_model}: it does not begin as {kind} does.", hint=hint)
        if is_archive:
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        import h5py

        with h5py.File(path, "r") as opened:
            config = opened.attrs.get("model_config")
        if config is None:
            raise DataError(f"{no_model}: it holds weights without the layers.", hint=hint)
        return json.loads(config)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        reason = f"{no_model}, or is cut: {str(error).strip()}."
        raise DataError(reason, hint="copy or download the file again") from error


def _check_holds_no_code(config: Any, path: Path) -> None:
    for layer in _described_objects(config):
        name = str(layer["class_name"])
        module = layer.get("module")
        registered = str(layer.get("registered_name") or "")
        foreign = module is not None and not _is_of_keras(str(module))
        if name in _CODE_CLASSES or foreign or ">" in registered:
            raise DataError(
                f"{path} holds a layer that runs code of its own ({name}); it is refused.",
                hint="save the model with Keras's own layers only (no Lambda)",
            )


def _is_of_keras(module: str) -> bool:
    if module in ("keras", "builtins"):
        return True
    parts = [part for part in module.split(".") if part != "src"]
    return len(parts) > 1 and parts[0] == "keras" and parts[1] in _KERAS_PARTS


def _described_objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of a config that names a class, however deep."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _described_objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _described_objects(value)


def _check_shapes(network: Any, path: Path, emotions: Emotions) -> None:
    inputs, outputs = network.input_shape, network.output_shape
    n_features = len(INTENSITY_COLUMNS)
    if isinstance(inputs, list) or tuple(inputs[1:]) != (n_features,):
        raise DataError(
            f"{path} takes inputs of shape {inputs}, not the {n_features} AU intensities.",
            hint="image models are another matter; this command takes AU models",
        )
    if isinstance(outputs, list) or len(outputs) != 2:
        raise DataError(f"{path} gives outputs of shape {outputs}, not one number per emotion.")
    if outputs[1] != len(emotions):
        raise DataError(
            f"{path} has {outputs[1]} outputs, and {len(emotions)} emotions are named: {emotions}.",
            hint="name the emotions in the order of its outputs: --emotions a,b,c",
        )
