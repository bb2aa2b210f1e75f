"""A Keras network of any layers as an ONNX graph, by tf2onnx.

Our own kinds are written by hand (`onnx_export`); foreign ones may have any layers, and are
converted once, at the import.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from aufer.classifiers.onnx_graph import OPSETS
from aufer.errors import DataError, EnvironmentFailure


def network_to_onnx(network: Any, shape: tuple[int, ...]) -> Any:
    """The ``onnx.ModelProto`` of a Keras network with one input, as it predicts.

    Args:
        shape: of one row of its input.

    Raises:
        DataError: a layer has no ONNX form. EnvironmentFailure: tf2onnx is missing.
    """
    try:
        with _quiet():
            import tf2onnx
    except ImportError as error:
        raise EnvironmentFailure(
            f"Importing this model needs tf2onnx, which can't be loaded: {error}.",
            hint="pip install tf2onnx",
        ) from error
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *shape), tf.float32, name="given")]
    predict = tf.function(lambda rows: network(rows, training=False))
    try:
        with _quiet():
            traced = predict.get_concrete_function(*signature)
            model, _ = tf2onnx.convert.from_function(
                predict, input_signature=signature, opset=OPSETS[""]
            )
            constants = {
                inner.name: outer.numpy()
                for outer, inner in traced.graph.captures
                if outer.dtype != tf.resource
            }
    except Exception as error:  # TensorFlow and tf2onnx raise what they like
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)
        raise DataError(
            f"The network has no ONNX form: {reason}.",
            hint="export it to ONNX where it was made, and import that file",
        ) from error
    _fold(model, constants)
    _spell_out_erfc(model)
    _check_operators(model)
    return model


def _fold(model: Any, constants: dict[str, np.ndarray]) -> None:
    """Make weights of the inputs that are a layer's constants (those of a Normalization layer)."""
    from onnx import numpy_helper

    for name in [value.name for value in model.graph.input]:
        if name in constants:
            found = np.asarray(constants[name])
            model.graph.initializer.append(numpy_helper.from_array(found, name))
    kept = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def _spell_out_erfc(model: Any) -> None:
    """Replace ``Erfc`` by ``1 - Erf``: Keras's GELU uses it, ONNX and tf2onnx don't have it."""
    from onnx import helper, numpy_helper

    nodes = []
    for node in model.graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        (name,) = node.output
        one = numpy_helper.from_array(np.float32(1), f"{name}/one")
        model.graph.initializer.append(one)
        nodes.append(helper.make_node("Erf", list(node.input), [f"{name}/erf"]))
        nodes.append(helper.make_node("Sub", [one.name, f"{name}/erf"], [name]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _check_operators(model: Any) -> None:
    """Raise `DataError` for an operation that tf2onnx left as TensorFlow's own."""
    import onnx

    kinds = {node.op_type for node in model.graph.node if not node.domain}
    unknown = sorted(kind for kind in kinds if not onnx.defs.has(kind))
    if unknown:
        raise DataError(
            f"The network has no ONNX form: nothing is known for its operation {unknown[0]}.",
            hint="export it to ONNX where it was made, and import that file",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without tf2onnx's messages about its rounds of optimising, and of what it doesn't know."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
