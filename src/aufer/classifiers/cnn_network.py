"""The image network: a small residual one, from the pixels of a face to the emotions.

Residual blocks of two 3 x 3 convolutions (K. He, X. Zhang, S. Ren, J. Sun: Deep residual learning
for image recognition, CVPR 2016), one at each size of the picture, and the mean over the places at
the end. 0.75 million weights. Depth-wise separable convolutions, as mini-XCEPTION has them, do the
same with less arithmetic, but on a CPU each of their steps takes twice as long to train, for
0.4 ms a face in place of 0.5 (read once).

A picture is also read mirrored, and the mean of both is the answer (`predict_both_ways`): an
expression has no side. On validation pictures of FER2013 that read 67.9 % right instead of 66.6,
for twice the time (0.9 ms).

Everything is made of Keras's own layers, so that ``model.keras`` loads in safe mode anywhere. The
scaling of the pixels is the first of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aufer.bundle import PIXELS
from aufer.classifiers.onnx_graph import Graph
from aufer.image_input import ImageInput

STEM = 16
"""Channels of the first convolution, at the picture's full size."""

STAGES = (32, 64, 96, 128)
"""Channels after each halving of the picture; each stage has one residual block."""

LEAST_CONTRAST = 10.0
"""A picture's grey values come to the network with mean 0 and variance 1, as light and cameras
differ; but what deviates by less than about this from its mean is not magnified further."""

_ROWS_AT_ONCE = 256


def build(keras: Any, image_input: ImageInput, n_outputs: int, dropout: float) -> Any:
    """The network, not compiled: ``pixels`` [n, h, w, c], 0-255 -> probabilities [n, emotions].

    Args:
        keras: the imported package. dropout: share of the 128 means that is left out in training.
    """
    layers = keras.layers

    def convolve(
        value: Any, channels: int, name: str, strides: int = 1, gamma: str = "ones"
    ) -> Any:
        value = layers.Conv2D(
            channels,
            3,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
        )(value)
        return layers.BatchNormalization(
            momentum=0.9, gamma_initializer=gamma, name=f"{name}_scaled"
        )(value)

    inputs = keras.Input(image_input.shape, name=PIXELS)
    value = layers.LayerNormalization(
        axis=(1, 2, 3), center=False, scale=False, epsilon=LEAST_CONTRAST**2, name="light"
    )(inputs)
    value = layers.ReLU()(convolve(value, STEM, "stem"))
    for number, channels in enumerate(STAGES, start=1):
        value = layers.ReLU()(convolve(value, channels, f"halve{number}", strides=2))
        inner = layers.ReLU()(convolve(value, channels, f"first{number}"))
        # begins as nothing: at first the block passes on what it gets
        inner = convolve(inner, channels, f"second{number}", gamma="zeros")
        value = layers.ReLU()(layers.Add()([value, inner]))
    value = layers.GlobalAveragePooling2D()(value)
    value = layers.Dropout(dropout)(value)
    outputs = layers.Dense(n_outputs, activation="softmax", name="emotions")(value)
    return keras.Model(inputs, outputs)


def predict(network: Any, pixels: np.ndarray) -> np.ndarray:
    """Probabilities by Keras, float32 [n, emotions], of pixels [n, h, w, c], 0-255."""
    found = [np.zeros((0, network.output_shape[-1]), dtype=np.float32)]
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        some = pixels[start : start + _ROWS_AT_ONCE].astype(np.float32)
        found.append(np.asarray(network(some, training=False)))
    return np.concatenate(found)


def predict_both_ways(network: Any, pixels: np.ndarray) -> np.ndarray:
    """The mean of what `predict` says of pictures, [n, h, w, c], and of the same mirrored."""
    mean: np.ndarray = (predict(network, pixels) + predict(network, pixels[:, :, ::-1])) / 2
    return mean


def to_onnx(network: Any, temperature: float = 1.0, smoothing: float = 0.0) -> Any:
    """The ``onnx.ModelProto`` of `predict_both_ways`; the same weights give the same bytes.

    Each batch normalisation is folded, in float64, into the convolution before it.

    Args:
        temperature, smoothing: of `calibration.apply_temperature` and `undo_smoothing`, which
            become part of the graph.
    """
    graph = Graph()
    height, width, channels = network.input_shape[1:]

    def convolve(value: str, name: str, strides: int = 1) -> str:
        kernel = np.asarray(network.get_layer(name).kernel, dtype=np.float64)  # [3, 3, in, out]
        scaled = network.get_layer(f"{name}_scaled")
        gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in scaled.get_weights())
        factor = gamma / np.sqrt(variance + scaled.epsilon)
        return graph.add(
            "Conv",
            value,
            graph.constant((kernel * factor).transpose(3, 2, 0, 1)),
            graph.constant(beta - mean * factor),
            strides=[strides, strides],
            auto_pad="SAME_UPPER",
        )

    def mean(value: str) -> str:
        return graph.add("ReduceMean", value, axes=[1, 2, 3], keepdims=1)

    centred = graph.add("Sub", PIXELS, mean(PIXELS))
    variance = mean(graph.add("Mul", centred, centred))
    variance = graph.add("Add", variance, graph.constant(LEAST_CONTRAST**2))
    value = graph.add("Div", centred, graph.add("Sqrt", variance))
    from_last, to_first, across, back = (
        graph.constant([number], np.int64) for number in (-1, -width - 1, 2, -1)
    )
    mirrored = graph.add("Slice", value, from_last, to_first, across, back)
    value = graph.add("Concat", value, mirrored, axis=0)  # [2n, h, w, c]
    value = graph.add("Transpose", value, perm=[0, 3, 1, 2])
    value = graph.add("Relu", convolve(value, "stem"))
    for number in range(1, len(STAGES) + 1):
        value = graph.add("Relu", convolve(value, f"halve{number}", strides=2))
        inner = graph.add("Relu", convolve(value, f"first{number}"))
        inner = convolve(inner, f"second{number}")
        value = graph.add("Relu", graph.add("Add", value, inner))
    value = graph.add("ReduceMean", value, axes=[2, 3], keepdims=0)
    emotions = network.get_layer("emotions")
    kernel, bias = emotions.get_weights()
    value = graph.affine(value, kernel, bias)
    value = graph.add("Softmax", value, axis=1)
    both = graph.constant([2, -1, emotions.units], np.int64)
    value = graph.add("ReduceMean", graph.add("Reshape", value, both), axes=[0], keepdims=0)
    value = graph.calibrate(value, emotions.units, temperature, smoothing)
    return graph.to_model(value, (height, width, channels), emotions.units, PIXELS)
