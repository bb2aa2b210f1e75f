"""A trained AU network as its files: two ONNX graphs, ``au-net.json``, the card."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_net.agreement import agree
from aufer.au_net.format import ALIGN, AUS, CARD_NAME, FACTS_NAME, FLIP, SCHEMA
from aufer.au_net.network import AuNet
from aufer.classifiers import au_net_recipe
from aufer.classifiers.au_net_calibration import fit_aus, fit_confidence, patches_as_found
from aufer.classifiers.au_net_card import write_card
from aufer.classifiers.au_net_crops import UNITS, Crops
from aufer.classifiers.au_net_crops import facts as crops_facts
from aufer.classifiers.au_net_export import write_network
from aufer.classifiers.au_net_faces import RULE, FaceSet, kept_reference
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
    tuned, shown = faces.halve(held, trained.seed)
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
            "n_tuned": len(tuned),
            "n_weights": n_weights,
            "history": trained.history,
        },
        "versions": versions("tensorflow", "keras", "numpy", "onnx", "onnxruntime"),
        **({"command": command} if command else {}),
        **made_by(),
    }
    write_text(folder / FACTS_NAME, to_json(facts))  # so that it can be measured
    facts |= _tuned(folder, trained, tuned)
    write_text(folder / FACTS_NAME, to_json(facts))
    facts["agreement"] = {"held_out": _agreement(folder, trained, shown)}
    write_text(folder / CARD_NAME, write_card(facts))
    facts["files"] = hash_files(folder, FACTS_NAME)
    write_text(folder / FACTS_NAME, to_json(facts))
    return facts


def _tuned(folder: Path, trained: TrainedAuNet, rows: np.ndarray) -> dict[str, Any]:
    """What is set on held-out faces: ``calibration`` and ``confidence``."""
    network, faces = AuNet(folder), trained.faces
    rng, side = np.random.default_rng([trained.seed, 3]), _region_side(trained)
    good = network.measure_patches(patches_as_found(faces, rows, side, rng, spoilt=False))
    bad = network.measure_patches(patches_as_found(faces, rows, side, rng, spoilt=True))
    return {
        "calibration": fit_aus(good.aus, faces.aus[rows]),
        "confidence": fit_confidence(good.confidence, bad.confidence),
    }


def _agreement(folder: Path, trained: TrainedAuNet, rows: np.ndarray) -> dict[str, Any]:
    """Other held-out faces measured by the files themselves, from crops as off as a finder's."""
    faces = trained.faces
    sure = rows[faces.confidence[rows] >= LEAST_CONFIDENCE]
    rng, side = np.random.default_rng([trained.seed, 5]), _region_side(trained)
    found = AuNet(folder).measure_patches(patches_as_found(faces, sure, side, rng, spoilt=False))
    return {"least_confidence": LEAST_CONFIDENCE, **agree(found.aus, faces.aus[sure])}


def _region_side(trained: TrainedAuNet) -> float:
    """The side of a rough crop's region, in pixels of a kept crop."""
    crops = Crops(trained.faces, trained.recipe, au_net_recipe.ALIGN, trained.seed)
    ratio = np.ptp(kept_reference(trained.faces.shape)[:, 0]) / np.ptp(crops.reference[:, 0])
    return float(ratio * crops.side)


def _rounded(points: np.ndarray, decimals: int) -> list[list[float]]:
    return [[round(float(x), decimals), round(float(y), decimals)] for x, y in points]
