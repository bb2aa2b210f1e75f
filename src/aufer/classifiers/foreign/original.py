"""A foreign model as it came: its graph, what it takes and gives, and what it answers itself.

Read from a Keras file here, from an ONNX file in `onnx_file`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.classifiers.foreign.convert import network_to_onnx
from aufer.classifiers.keras_loading import load_network
from aufer.classifiers.onnx_export import dense_to_onnx
from aufer.errors import DataError
from aufer.image_input import GREY, RGB, ImageInput

N_AUS = len(INTENSITY_COLUMNS)
_CHANNELS = (GREY, RGB)


@dataclass(frozen=True)
class Original:
    """A foreign model.

    Attributes:
        graph: its ``onnx.ModelProto``, with one input that is no weight.
        input_name, input_type: the input's name, and its type as numpy knows it.
        output_name, output_type: of the output that counts.
        shape: of one row as we hold it: (17,) or (height, width, channels).
        channels_first: whether the graph wants channels before height and width.
        n_outputs: numbers in the answer for one row.
        answer: float32 [n, outputs] of scaled rows, float32 [n, *shape], by the original itself.
    """

    graph: Any
    input_name: str
    input_type: np.dtype
    output_name: str
    output_type: np.dtype
    shape: tuple[int, ...]
    channels_first: bool
    n_outputs: int
    answer: Callable[[np.ndarray], np.ndarray]

    @property
    def is_of_pictures(self) -> bool:
        """Whether it takes pictures; else AUs."""
        return len(self.shape) == 3


def read_keras(path: Path, size: tuple[int, int, int] | None) -> Original:
    """A Keras file as an `Original`.

    Args:
        size: width, height, channels that the user names; None: the file says.

    Raises:
        DataError: it can't be loaded (`keras_loading.load_network`) or converted, or takes
        neither a picture nor 17 AUs, or gives no row of numbers.
    """
    network = load_network(path)
    inputs, outputs = network.input_shape, network.output_shape
    if not isinstance(inputs, tuple) or not isinstance(outputs, tuple):
        raise DataError(f"{path.name} has several inputs or outputs; a model has one of each.")
    shape, channels_first = row_shape(tuple(inputs[1:]), size, path.name)
    if channels_first:
        raise DataError(
            f"{path.name} wants its channels first ({inputs}), which Keras can't run on a CPU.",
            hint="export it to ONNX where it was made, and import that file",
        )
    if len(outputs) != 2 or not outputs[1]:
        raise DataError(f"{path.name} gives {outputs}, not one number for each emotion.")
    graph = None
    if len(shape) == 1:
        try:
            graph = dense_to_onnx(network, INTENSITY_COLUMNS, [""] * outputs[1])
        except ValueError:  # layers that are not written by hand
            graph = None
    graph = network_to_onnx(network, shape) if graph is None else graph
    return Original(
        graph,
        graph.graph.input[0].name,
        np.dtype(np.float32),
        graph.graph.output[0].name,
        np.dtype(np.float32),
        shape,
        channels_first=False,
        n_outputs=int(outputs[1]),
        answer=lambda rows: np.asarray(network(rows, training=False), dtype=np.float32),
    )


def row_shape(
    declared: tuple[int | None, ...], size: tuple[int, int, int] | None, where: str
) -> tuple[tuple[int, ...], bool]:
    """The shape of one row as we hold it, and whether the file wants channels first.

    Args:
        declared: what the file says, None where it leaves a side open. size: width, height and
            channels that the user names. where: the file's name, for messages.

    Raises:
        DataError: it is no picture, nor the 17 AUs, or an absurdly large one; or not the one that
        is named.
    """
    if len(declared) == 1:
        if declared[0] not in (N_AUS, None) or size is not None:
            raise DataError(
                f"{where} takes {declared[0]} numbers, neither a picture nor the {N_AUS} AU "
                "intensities.",
                hint="the order and number of AUs are those of OpenFace's AU_r columns",
            )
        return (N_AUS,), False
    if len(declared) != 3:
        raise DataError(
            f"{where} takes inputs of shape {list(declared)}, neither a picture nor the {N_AUS} AU "
            "intensities."
        )
    found = [
        (shape, first)
        for first in (declared[0] in _CHANNELS and declared[2] not in _CHANNELS, False, True)
        if (shape := _as_picture(declared, size, first)) is not None
    ]
    if found:
        (height, width, channels), _ = found[0]
        ImageInput(width, height, channels)  # raises for an absurd size
        return found[0]
    given = "x".join("?" if side is None else str(side) for side in declared)
    if size is None and None in declared:
        raise DataError(
            f"{where} doesn't say which size of pictures it takes ({given}).",
            hint="name it: --input WIDTHxHEIGHTxCHANNELS, such as 64x64x1",
        )
    if size is not None:
        raise DataError(
            f"{where} takes {given}, not pictures of {'x'.join(map(str, size))} (width, height, "
            "channels).",
            hint="leave --input away: the file says it",
        )
    raise DataError(
        f"{where} takes {given}: no picture, which has 1 channel (grey) or 3 (RGB) at one end."
    )


def _as_picture(
    declared: tuple[int | None, ...], size: tuple[int, int, int] | None, first: bool
) -> tuple[int, int, int] | None:
    """Height, width and channels, if the declared shape can be such a picture."""
    if size is not None:
        width, height, channels = size
        wanted = (channels, height, width) if first else (height, width, channels)
        fits = all(side in (None, want) for side, want in zip(declared, wanted, strict=True))
        return (height, width, channels) if fits else None
    if None in declared:
        return None
    one, two, three = (int(side or 0) for side in declared)
    height, width, channels = (two, three, one) if first else (one, two, three)
    return (height, width, channels) if channels in _CHANNELS else None
