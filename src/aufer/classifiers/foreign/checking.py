"""Whether a bundle's graph answers as the foreign model does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer.bundle import AU_INPUT, PIXELS
from aufer.classifiers.foreign.original import N_AUS, Original
from aufer.classifiers.foreign.presets import Scale
from aufer.classifiers.foreign.wrapping import Wrapping, wrap
from aufer.errors import DataError

TOLERANCE = 1e-4
"""Largest difference of a probability between a foreign model and its bundle."""

_SUM_TOLERANCE = 1e-3
_N_RANDOM = 4
_PASS_ON = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze")


@dataclass(frozen=True)
class Fitted:
    """A bundle's graph that was found to answer as the foreign model does.

    Attributes:
        model: the ``onnx.ModelProto``. wrapping: what stands around the foreign graph in it.
        difference: largest absolute difference of a probability. n_compared: rows.
    """

    model: Any
    wrapping: Wrapping
    difference: float
    n_compared: int


def fit_wrapping(original: Original, scale: Scale | None) -> Fitted:
    """Wrap a foreign model, and check the result against it on random and made-up rows.

    Outputs that are no probabilities get a softmax. A graph that was made for one row at a time, or
    doesn't answer several as it does each, gets them one by one.

    Raises:
        DataError: the bundle's graph can't be run, or answers something else; or the outputs are
        each a probability by itself, which can't be told from an emotion's among others.
    """
    from scipy.special import softmax as scipy_softmax

    rows = example_rows(original.shape)
    raw = original.answer(rows if scale is None else scale.apply(rows)).astype(np.float64)
    if not np.isfinite(raw).all():
        raise DataError("The model answers with numbers that are not finite.")
    softmax = not _are_probabilities(raw)
    if softmax and _ends_in_a_sigmoid(original):
        raise DataError(
            "The model gives each emotion a probability by itself (a sigmoid), so that several may "
            "hold at once; an expression model chooses one.",
            hint="train it with a softmax at its end",
        )
    expected = scipy_softmax(raw, axis=1) if softmax else raw
    failure = ""
    for one_by_one in (False, True):
        wrapping = Wrapping(scale, softmax, one_by_one)
        try:
            model = wrap(original, wrapping)
            found = _run(model, rows)
        except Exception as error:  # onnx and onnxruntime raise classes of their C++ modules
            failure = str(error).strip().splitlines()[0][:200] if str(error).strip() else ""
            continue
        if found.shape == expected.shape:
            difference = float(np.abs(found - expected).max())
            if difference <= TOLERANCE:
                return Fitted(model, wrapping, difference, len(rows))
            failure = (
                f"it gives other probabilities than the model: they differ by {difference:.2g}"
            )
        else:
            failure = f"it gives {found.shape}, not {expected.shape}"
    raise DataError(f"The model can't be made into a bundle: {failure or 'nobody knows why'}.")


def example_rows(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Rows to compare models on: random ones, and such as real ones resemble at their edges.

    Args:
        shape: of one row, (17,) or (height, width, channels).

    Returns:
        float32 [n, *shape]; whole numbers 0-255, or AU intensities 0-5.
    """
    rng = np.random.default_rng(seed)
    if len(shape) == 1:
        single = 5 * np.eye(N_AUS)
        random = rng.uniform(0, 5, (50, N_AUS)) * (rng.random((50, N_AUS)) < 0.5)
        return np.concatenate([np.zeros((1, N_AUS)), single, random]).astype(np.float32)
    height, width, channels = shape
    down, right = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    bump = np.exp(-8 * ((down - 0.5) ** 2 + (right - 0.5) ** 2))
    grey = [
        np.zeros((height, width)),
        np.full((height, width), 255.0),
        255 * right,
        255 * down,
        255 * bump,
        255 * ((np.floor(8 * down) + np.floor(8 * right)) % 2),
    ]
    made = [np.repeat(one[:, :, None], channels, axis=2) for one in grey]
    # each channel another picture: a network that takes them in another order is found out
    made.append(np.stack([grey[2 + channel] for channel in range(channels)], axis=2))
    noise = list(rng.integers(0, 256, (_N_RANDOM, *shape)))
    soft = [128 + 40 * (one / 255 - 0.5) + 60 * bump[:, :, None] for one in noise[:2]]
    return np.clip(np.round([*made, *noise, *soft]), 0, 255).astype(np.float32)


def _are_probabilities(raw: np.ndarray) -> bool:
    sums = raw.sum(axis=1)
    return bool((raw >= -1e-6).all() and (np.abs(sums - 1) < _SUM_TOLERANCE).all())


def _ends_in_a_sigmoid(original: Original) -> bool:
    makers = {name: node for node in original.graph.graph.node for name in node.output}
    node = makers.get(original.output_name)
    while node is not None and node.op_type in _PASS_ON:
        node = makers.get(node.input[0])
    return node is not None and node.op_type == "Sigmoid"


def _run(model: Any, rows: np.ndarray) -> np.ndarray:
    """The graph's answer to all rows at once, on onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    assert name in (AU_INPUT, PIXELS)
    found: np.ndarray = session.run(None, {name: rows})[0]
    return found
