"""A trained AU network as its files: two ONNX graphs, ``au-net.json``, the card."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.agreement import agree
from aufer.au_net.aligning import Patch, Region
from aufer.au_net.format import ALIGN, AUS, CARD_NAME, FACTS_NAME, FLIP, SCHEMA
from aufer.au_net.network import AuNet
from aufer.classifiers import au_net_recipe
from aufer.classifiers.au_net_card import write_card
from aufer.classifiers.au_net_crops import UNITS, Crops
from aufer.classifiers.au_net_crops import facts as crops_facts
from aufer.classifiers.au_net_export import write_network
from aufer.classifiers.au_net_faces import RULE, SIDE, FaceSet, kept_reference
from aufer.classifiers.au_net_network import ALIGN_OUTPUTS, AUS_OUTPUTS, build_align, build_aus
from aufer.classifiers.au_net_recipe import AuNetRecipe
from aufer.files import hash_files, sha256_of, to_json, write_text
from aufer.provenance import made_by, versions

LEAST_CONFIDENCE = 0.7
"""Of OpenFace: figures are of faces that it is so sure of."""

BOX = {"finder": "haar", "scale": 1.426, "right": 0.0, "down": 0.14}
"""How a box of OpenCV's frontal cascade becomes the region of a rough crop: medians of 308 faces of
web pictures, by OpenFace's landmarks. The middle half of the scales is 1.37-1.50; deviations of
the middle are 0.03 both ways."""

_AS_FOUND = (0.07, 0.03)
"""Deviations of a box's size (logarithm) and middle (sides)."""

_COMPARED = 256


@dataclass(frozen=True)
class TrainedAuNet:
    """All that the files are made of.

    Attributes:
        align, aus: weights of the networks. recipe, seed: what they were trained by.
        faces: all of them. rows, held: positions learned from, and held out. history: by epoch.
    """

    align: list[np.ndarray] = field(repr=False)
    aus: list[np.ndarray] = field(repr=False)
    recipe: AuNetRecipe
    seed: int
    faces: FaceSet
    rows: np.ndarray = field(repr=False)
    held: np.ndarray = field(repr=False)
    history: list[dict[str, float]] = field(repr=False)


def write_au_net(folder: Path, name: str, trained: TrainedAuNet, command: str) -> dict[str, Any]:
    """Write all files into an empty folder.

    Args:
        name: of the network. command: what was typed; empty if nothing.

    Returns:
        the content of ``au-net.json``.
    """
    recipe, faces, held = trained.recipe, trained.faces, trained.held
    networks, n_weights = {}, 0
    for number, (key, network, outputs) in enumerate(
        (
            (ALIGN, build_align(recipe.sizes), ALIGN_OUTPUTS),
            (AUS, build_aus(recipe.sizes, recipe.dropout), AUS_OUTPUTS),
        )
    ):
        network.set_weights((trained.align, trained.aus)[number])
        n_weights += int(network.count_params())
        crops = Crops(faces, recipe, number, trained.seed)
        path = folder / f"{key}.onnx"
        difference = write_network(network, path, outputs, crops.plain(held[:_COMPARED])[0])
        networks[key] = {
            "file": path.name,
            "sha256": sha256_of(path),
            "side": crops.side,
            "unit": crops.side / UNITS,
            "reference": _rounded(crops.reference, 4),
            "difference_to_keras": difference,
        }
    data = {**faces.facts, "n": len(faces), "rule": RULE}
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        "networks": networks,
        "features": list(INTENSITY_COLUMNS),
        "flip": list(FLIP),
        "mean_shape": _rounded(faces.shape, 6),
        "box": BOX,
        "calibration": {},
        "training": {
            "recipe": recipe.facts(),
            "align_epochs": recipe.align_epochs,
            "crops": crops_facts(),
            "seed": trained.seed,
            "data": data,
            "extractor": faces.extractor.facts(),
            "n_train": len(trained.rows),
            "n_weights": n_weights,
            "history": trained.history,
        },
        "versions": versions("tensorflow", "keras", "numpy", "onnx", "onnxruntime"),
        **({"command": command} if command else {}),
        **made_by(),
    }
    write_text(folder / FACTS_NAME, to_json(facts))  # so that it can be measured
    facts["agreement"] = {"held_out": _agreement(folder, trained)}
    write_text(folder / CARD_NAME, write_card(facts))
    facts["files"] = hash_files(folder, FACTS_NAME)
    write_text(folder / FACTS_NAME, to_json(facts))
    return facts


def _agreement(folder: Path, trained: TrainedAuNet) -> dict[str, Any]:
    """Held-out faces measured by the files themselves, from crops as off as a finder's."""
    faces = trained.faces
    held = trained.held[faces.confidence[trained.held] >= LEAST_CONFIDENCE]
    scale, shift = _AS_FOUND
    rng = np.random.default_rng([trained.seed, 3])
    size = _region_side(trained)
    straight = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    patches = []
    for row in held.tolist():
        side = size * float(np.exp(rng.normal(0, scale)))
        x, y = (SIDE / 2 + rng.normal(0, shift, 2) * size).tolist()
        patches.append(Patch(faces.crops[row], straight, Region(x, y, side)))
    found = AuNet(folder).measure_patches(patches)
    return {"least_confidence": LEAST_CONFIDENCE, **agree(found.aus, faces.aus[held])}


def _region_side(trained: TrainedAuNet) -> float:
    """The side of a rough crop's region, in pixels of a kept crop."""
    crops = Crops(trained.faces, trained.recipe, au_net_recipe.ALIGN, trained.seed)
    ratio = np.ptp(kept_reference(trained.faces.shape)[:, 0]) / np.ptp(crops.reference[:, 0])
    return float(ratio * crops.side)


def _rounded(points: np.ndarray, decimals: int) -> list[list[float]]:
    return [[round(float(x), decimals), round(float(y), decimals)] for x, y in points]
