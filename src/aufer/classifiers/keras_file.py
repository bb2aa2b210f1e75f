"""A bare Keras file, such as the reference project's ``best_model.hdf5``, as a model.

A file from elsewhere may hold code: `keras_loading` says what is done about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.classifiers.keras_loading import load_network
from aufer.emotions import Emotions
from aufer.errors import DataError
from aufer.files import sha256_of
from aufer.provenance import Extractor

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
    image_input: None = None

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


def load_keras_file(path: Path, emotions: Emotions) -> KerasFile:
    """Load a ``.keras``, ``.h5`` or ``.hdf5`` file; its first 17 inputs are the AU intensities.

    Args:
        emotions: in the order of the outputs; the file itself doesn't say.

    Raises:
        UsageError: there is no such file. DataError: it is cut or no Keras model, holds code, or
        has other inputs or outputs. EnvironmentFailure: TensorFlow is missing.
    """
    network = load_network(path)
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


def _check_shapes(network: Any, path: Path, emotions: Emotions) -> None:
    inputs, outputs = network.input_shape, network.output_shape
    n_features = len(INTENSITY_COLUMNS)
    if isinstance(inputs, list) or tuple(inputs[1:]) != (n_features,):
        raise DataError(
            f"{path} takes inputs of shape {inputs}, not the {n_features} AU intensities.",
            hint="make a bundle of an image model first: aufer import-model FILE",
        )
    if isinstance(outputs, list) or len(outputs) != 2:
        raise DataError(f"{path} gives outputs of shape {outputs}, not one number per emotion.")
    if outputs[1] != len(emotions):
        raise DataError(
            f"{path} has {outputs[1]} outputs, and {len(emotions)} emotions are named: {emotions}.",
            hint="name the emotions in the order of its outputs: --emotions a,b,c",
        )
