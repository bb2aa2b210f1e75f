"""Files of Keras 1 and 2 that today's Keras refuses or reads wrongly, repaired in their config.

Only the JSON that describes the layers is edited, and only where the meaning stays: what is edited
is what older versions wrote without need, or wrote in another form. The weights stay as they are.
"""

from __future__ import annotations

import copy
from typing import Any

_MODELS = ("Functional", "Model", "Sequential")
_SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
_UNGROUPED = ("DepthwiseConv1D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose")
"""Layers to which Keras 2 wrote ``groups: 1`` as it did to all convolutions; Keras 3 refuses it."""

_OF_KERNEL = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
"""What Keras 2 wrote of a separable convolution's kernel, which it doesn't have."""


def is_legacy(version: str) -> bool:
    """Whether a file was written by a Keras before 3; older ones don't say."""
    return version.split(".", maxsplit=1)[0] in ("", "0", "1", "2")


def repair(config: Any) -> Any:
    """The config of a whole model of Keras 1 or 2, as Keras 3 takes it; the given one stays."""
    repaired = copy.deepcopy(config)
    _repair(repaired)
    return repaired


def _repair(part: Any) -> None:
    """Repair a config and all that is in it, in place."""
    if isinstance(part, list):
        for value in part:
            _repair(value)
        return
    if not isinstance(part, dict):
        return
    for value in part.values():
        _repair(value)
    config = part.get("config")
    if "class_name" not in part or not isinstance(config, dict | list):
        return
    # late versions of Keras 2 name modules that are no more; without, classes are found by name
    for key in ("module", "registered_name", "build_config"):
        part.pop(key, None)
    if isinstance(config, dict):
        _repair_layer(part["class_name"], config)


def _repair_layer(kind: str, config: dict[str, Any]) -> None:
    if kind in (*_UNGROUPED, *_SEPARABLE) and config.get("groups", 1) == 1:
        config.pop("groups", None)
    if kind in _SEPARABLE:
        for key in _OF_KERNEL:
            config.pop(key, None)
    shape = config.get("batch_input_shape")
    if isinstance(shape, list) and shape:
        shape[0] = None  # a fixed size of batches is none of the model's
    if kind in ("Functional", "Model"):
        for key in ("input_layers", "output_layers"):
            ends = config.get(key)
            # a list of one makes a nested model give a list, which the next layer doesn't take
            if isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list):
                config[key] = ends[0]
    if kind == "Sequential":
        _name_input(config)


def _name_input(config: dict[str, Any]) -> None:
    """Give a Sequential the input layer that it leaves to its first layer's shape."""
    layers = config.get("layers")
    if not isinstance(layers, list) or not layers or layers[0].get("class_name") == "InputLayer":
        return
    shape = _input_shape(layers[0])
    if shape is None:
        return
    name = f"{config.get('name', 'sequential')}_input"
    given = {"batch_input_shape": shape, "dtype": "float32", "name": name}
    layers.insert(0, {"class_name": "InputLayer", "config": given})


def _input_shape(layer: dict[str, Any]) -> list[int | None] | None:
    """The shape of a layer's input, the batch first, if its config tells."""
    config = layer.get("config")
    if not isinstance(config, dict):
        return None
    for key in ("batch_input_shape", "batch_shape"):
        if isinstance(config.get(key), list):
            shape: list[int | None] = config[key]
            return list(shape)
    inner = config.get("layers")
    if layer.get("class_name") in _MODELS and isinstance(inner, list) and inner:
        return _input_shape(inner[0])
    return None
