"""A foreign ONNX file, of any exporter: looked at, brought up to date, and run as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import open_session
from aufer.classifiers.foreign.original import Original, row_shape
from aufer.errors import DataError

_OLDEST_OPSET, _OPSET = 7, 13
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Sets of operators that onnxruntime brings along."""

_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
}
"""Inputs of graphs that we can feed, as onnxruntime and as numpy call them."""


def read_onnx(path: Path, size: tuple[int, int, int] | None, n_emotions: int) -> Original:
    """An ONNX file as an `Original`.

    Args:
        size: see `read_keras`. n_emotions: numbers that its answer must have.

    Raises:
        DataError: it is cut, needs other files or operators, takes neither a picture nor 17 AUs, or
        gives no row of numbers.
    """
    graph = _load(path)
    weights = {tensor.name for tensor in graph.graph.initializer}
    inputs = [value for value in graph.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise DataError(f"{path.name} has {len(inputs)} inputs; a model has one.")
    del graph.graph.input[:]  # older files list their weights there too
    graph.graph.input.extend(inputs)
    session = open_session(path)
    declared = [side if isinstance(side, int) and side > 0 else None for side in _shape(session)]
    shape, first = row_shape(tuple(declared[1:]), size, path.name)
    input_type = np.dtype(_TYPES.get(session.get_inputs()[0].type, ""))
    given = session.get_inputs()[0].name

    def run(rows: np.ndarray) -> list[Any]:
        turned = np.moveaxis(rows, -1, 1) if first else rows
        found: list[Any] = session.run(None, {given: np.ascontiguousarray(turned, input_type)})
        return found

    tried = np.zeros((1, *shape), dtype=np.float32)
    try:
        answers = run(tried)
    except Exception as error:  # onnxruntime raises classes of its own C++ module
        reason = str(error).strip().splitlines()[0][:200]
        raise DataError(
            f"{path.name} can't answer a picture of {shape}: {reason}.",
            hint="name the size that it takes: --input WIDTHxHEIGHTxCHANNELS",
        ) from error
    number = _find_output(answers, n_emotions, path.name)
    return Original(
        graph,
        given,
        input_type,
        session.get_outputs()[number].name,
        np.asarray(answers[number]).dtype,
        shape,
        channels_first=first,
        n_outputs=int(np.asarray(answers[number]).shape[1]),
        answer=lambda rows: np.concatenate(
            [run(rows[row : row + 1])[number] for row in range(len(rows))]
        ).astype(np.float32),
    )


def _load(path: Path) -> Any:
    """The ``onnx.ModelProto`` of a file that holds all it needs, its operators of a late version
    where they can be told in it."""
    import onnx

    try:
        graph = onnx.load(str(path), load_external_data=False)
        known = bool(graph.graph.node)
    except Exception as error:  # protobuf's errors depend on its version
        raise DataError(
            f"{path.name} is no ONNX model, or is cut.", hint="copy or download the file again"
        ) from error
    if not known:
        raise DataError(f"{path.name} is no ONNX model, or is cut.")
    if any(_lies_outside(part) for part in _parts(graph)):
        raise DataError(
            f"The weights of {path.name} lie in another file.",
            hint="save it as one file: onnx.save(onnx.load(FILE), OTHER)",
        )
    foreign = {node.domain for node in graph.graph.node} - set(_DOMAINS)
    if foreign and not graph.functions:
        raise DataError(
            f"{path.name} uses operators that onnxruntime doesn't have ({', '.join(foreign)})."
        )
    opset = max((o.version for o in graph.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset < _OPSET:
        try:
            graph = onnx.version_converter.convert_version(graph, _OPSET)
        except Exception as error:  # a C++ module's, for operators that it can't translate
            if opset < _OLDEST_OPSET:
                raise DataError(
                    f"{path.name} is an ONNX file of a very old version ({opset}).",
                    hint="export it again with a later one",
                ) from error
    return graph


def _parts(message: Any) -> Iterator[Any]:
    """Every message in an ONNX file, however deep: graphs, their nodes, weights, attributes."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _parts(part)


def _lies_outside(part: Any) -> bool:
    """Whether it is a weight whose numbers are in another file: any of this machine's."""
    import onnx

    return isinstance(part, onnx.TensorProto) and part.data_location == onnx.TensorProto.EXTERNAL


def _shape(session: Any) -> list[Any]:
    first = session.get_inputs()[0]
    if first.type not in _TYPES:
        raise DataError(f"The model takes {first.type}, no numbers.")
    return list(first.shape)


def _find_output(answers: list[Any], n_emotions: int, where: str) -> int:
    """The number of the output with one value per emotion."""
    shapes = [getattr(answer, "shape", None) for answer in answers]
    kinds = [getattr(getattr(answer, "dtype", None), "kind", "") for answer in answers]
    rows = [
        number
        for number, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))
        if shape is not None and len(shape) == 2 and kind == "f"
    ]
    fitting = [number for number in rows if answers[number].shape[1] == n_emotions] or rows
    if len(fitting) == 1:
        return fitting[0]
    if not rows:
        raise DataError(
            f"{where} gives {shapes}, no row of numbers for each picture.",
            hint="of a scikit-learn model, export the probabilities as an array: zipmap=False",
        )
    raise DataError(f"{where} has {len(fitting)} outputs that could be the emotions.")
