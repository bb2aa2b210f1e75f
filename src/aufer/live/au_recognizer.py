"""What a model of Action Units says of the faces of a frame, from their AUs."""

from __future__ import annotations

import logging

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.network import AuNet
from aufer.bundle import Bundle
from aufer.errors import DataError
from aufer.live.expressions import Expressions
from aufer.provenance import MEASURE_AU_NET

log = logging.getLogger("aufer")

_OTHER_MODEL = "aufer live --model builtin-aus; or a model of pictures: aufer live --model face-cnn"


class AuRecognizer:
    """Asks a bundle that reads AUs of aufer's own network for the expressions of faces.

    Attributes:
        model: the bundle. expressions: what it can answer.
    """

    def __init__(self, model: Bundle, network: AuNet) -> None:
        """``network``: what measures.

        Raises:
            DataError: the bundle was trained on another measure, or on AUs relative to a person.
        """
        _check_measure(model, network)
        self.model = model
        self.expressions = Expressions.of(model.emotions)
        self._columns = [INTENSITY_COLUMNS.index(name) for name in model.features]

    def scores(self, aus: np.ndarray) -> np.ndarray:
        """Probabilities, float32 [faces, expressions]; rows sum to 1.

        Args:
            aus: float32 [faces, 17], 0-5, in the order of `action_units.INTENSITY_COLUMNS`.
        """
        if not len(aus):
            return np.zeros((0, len(self.expressions.names)), dtype=np.float32)
        return self.model.predict_proba(aus[:, self._columns])

    def warm_up(self) -> None:
        """Open the model now, so that the first face does not wait for it."""
        self.scores(np.zeros((1, len(INTENSITY_COLUMNS)), dtype=np.float32))


def _check_measure(model: Bundle, network: AuNet) -> None:
    if model.extractor.measure != MEASURE_AU_NET:
        raise DataError(
            f"The model {model.name} reads Action Units of another measure ({model.extractor}) "
            "than live measures, by aufer's own network; they are never mixed.",
            hint=_OTHER_MODEL,
        )
    normalization = model.facts.get("dataset", {}).get("normalization") or {}
    if normalization.get("how", "none") != "none":
        raise DataError(
            f"The model {model.name} reads Action Units relative to the person, and live knows "
            "no person's other faces.",
            hint=_OTHER_MODEL,
        )
    if model.extractor.binary not in ("", network.sha256):
        log.warning(
            f"{model.name} was trained on AUs of another network ({model.extractor.binary[:12]}) "
            f"than the one that measures here ({network.sha256[:12]})."
        )
