"""The files of an AU network: two ONNX graphs and ``au-net.json``, which says how to use them.

``align.onnx`` finds 68 landmarks in a rough crop of a face, ``aus.onnx`` finds them again in a crop
that was aligned by the first ones, and 17 Action Units and a confidence.

``au-net.json`` (schema `SCHEMA`) has:

- ``networks``: ``align`` and ``aus``, each with ``file``, ``sha256``, ``side`` (pixels of its
  square crop), ``reference`` (68 (x, y): where the mean shape lies in the crop) and ``unit``. The
  crop is ``pixels``, float32 [n, side, side, 1], grey, 0-255. An output ``landmarks``, float32
  [n, 136], is x, y, x, y, … in units off the reference: pixels of the crop are
  ``reference + landmarks.reshape(n, 68, 2) * unit``. ``aus.onnx`` has besides ``aus``, float32
  [n, 17], to be cut to 0-5, and ``confidence``, float32 [n, 1], to be put through a sigmoid.
- ``features``: the names of the 17, in order. ``flip``: 68 numbers; of the mirrored picture,
  landmark k is landmark ``flip[k]`` of the picture, mirrored.
- ``box``: how a finder's box becomes the square that ``align.onnx`` gets: its side is ``scale``
  times the mean of the box's width and height; its middle lies ``right`` and ``down`` such means
  from the box's.
- ``calibration``: by AU, ``from`` and ``to``: knots of a piecewise linear map; {} for none.
- ``confidence``: ``slope`` and ``offset``, of the line that the output ``confidence`` is put on
  before the sigmoid; 1 and 0 where it is missing.
- ``training``, ``agreement``, ``versions``, ``made_by``, ``made_at``: facts for the card.
"""

from __future__ import annotations

from aufer.provenance import MEASURE_AU_NET

SCHEMA = "aufer/au-net/1"
FACTS_NAME = "au-net.json"
CARD_NAME = "README.md"
ALIGN, AUS = "align", "aus"
"""The two networks' names; their files are ``<name>.onnx``."""

PIXELS = "pixels"
LANDMARKS, CONFIDENCE = "landmarks", "confidence"
"""Outputs; the third one is `AUS`."""

N_LANDMARKS = 68

MEASURED_BY = f"Measured by: {MEASURE_AU_NET}"
"""The last line of each picture's details, by which nobody takes these files for OpenFace's."""

# fmt: off
FLIP = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
)
# fmt: on
"""The landmark on the other side of the face, of each of the 68."""
