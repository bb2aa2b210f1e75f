"""Extremely randomised trees: the mean of many decision trees with random thresholds.

(P. Geurts, D. Ernst & L. Wehenkel: Extremely randomized trees, Machine Learning 63, 2006.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import AU_INPUT
from aufer.classifiers.classifier import Examples, OnEpoch, no_epochs
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.recipe import Recipe
from aufer.classifiers.single_fit import SingleFit, place, training_rows

# chosen by cross-validation on the reference data, fold seeds 10 and 11
N_TREES = 100
N_TRIED = 7
"""AUs that compete for each branching."""

ROWS_PER_LEAF_FACE = 5000
"""The trees are grown to leaves of one face; of sets this large to leaves of two, and so on. The
file stays below some 30 MB."""


@dataclass(frozen=True)
class TreesClassifier(SingleFit):
    """A fitted forest.

    Attributes:
        forest: scikit-learn's, fitted to float32 intensities.
        present: the emotions that had a training row, as positions in all emotions.
        settings: see `classifier.Classifier`.
    """

    forest: Any
    present: np.ndarray
    n_emotions: int
    settings: dict[str, Any] = field(default_factory=dict)

    def predict_proba(self, aus: np.ndarray) -> np.ndarray:
        """Probabilities, float64 [n, emotions], rows sum to 1, of intensities [n, 17]."""
        if not len(aus):
            return np.zeros((0, self.n_emotions))
        found = self.forest.predict_proba(aus.astype(np.float32))
        return place(found, self.present, self.n_emotions)

    def to_onnx(self, features: tuple[str, ...], emotions: tuple[str, ...]) -> Any:
        """The ``onnx.ModelProto``: one operator that holds all nodes of all trees."""
        from aufer.classifiers.onnx_graph import ML_DOMAIN, Graph

        trees = [estimator.tree_ for estimator in self.forest.estimators_]
        graph = Graph()
        found = graph.add(
            "TreeEnsembleRegressor",
            AU_INPUT,
            domain=ML_DOMAIN,
            n_targets=len(emotions),
            **_nodes(trees),
            **_leaves(trees, self.present),
        )
        return graph.to_model(found, len(features), len(emotions))


def _nodes(trees: list[Any]) -> dict[str, list]:
    """Every node of every tree, as the operator wants them."""
    sizes = [tree.node_count for tree in trees]
    left = np.concatenate([tree.children_left for tree in trees])
    is_leaf = left < 0

    def of_branches(name: str) -> np.ndarray:
        return np.where(is_leaf, 0, np.concatenate([getattr(tree, name) for tree in trees]))

    return {
        "nodes_treeids": np.repeat(np.arange(len(trees)), sizes).tolist(),
        "nodes_nodeids": np.concatenate([np.arange(size) for size in sizes]).tolist(),
        "nodes_featureids": of_branches("feature").tolist(),
        "nodes_values": round_down(of_branches("threshold")).tolist(),
        "nodes_modes": np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_truenodeids": of_branches("children_left").tolist(),
        "nodes_falsenodeids": of_branches("children_right").tolist(),
    }


def _leaves(trees: list[Any], present: np.ndarray) -> dict[str, list]:
    """What each leaf adds to the emotions' probabilities: shares of its faces, zeros left out."""
    shares, tree_ids, node_ids = [], [], []
    for number, tree in enumerate(trees):
        leaves = np.flatnonzero(tree.children_left < 0)
        counts = tree.value[leaves, 0]  # [leaves, present], scikit-learn's unit is not promised
        shares.append(counts / counts.sum(axis=1, keepdims=True) / len(trees))
        tree_ids.append(np.full(len(leaves), number))
        node_ids.append(leaves)
    every = np.concatenate(shares)
    leaf, emotion = np.nonzero(every)
    return {
        "target_treeids": np.concatenate(tree_ids)[leaf].tolist(),
        "target_nodeids": np.concatenate(node_ids)[leaf].tolist(),
        "target_ids": present[emotion].tolist(),
        "target_weights": every[leaf, emotion].tolist(),
    }


def round_down(thresholds: np.ndarray) -> np.ndarray:
    """The greatest float32 that is not above each float64 threshold.

    scikit-learn asks of a float32 intensity whether it is at most a float64 threshold, ONNX at most
    a float32: with these, the answer is the same for every intensity.
    """
    near = thresholds.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    rounded: np.ndarray = np.where(near.astype(np.float64) > thresholds, below, near)
    return rounded


def fit(
    examples: Examples,
    recipe: Recipe,
    seed: int,
    *,
    on_epoch: OnEpoch = no_epochs,
    checkpoints: Path | None = None,
    ctrl_c: CtrlC | None = None,
) -> TreesClassifier:
    """Fit a forest to the training rows; the same seed gives the same trees.

    Raises:
        DataError: the training rows are of one emotion only.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    rows = training_rows(examples)
    per_leaf = 1 + len(rows.labels) // ROWS_PER_LEAF_FACE
    settings = {
        "trees": N_TREES,
        "aus_tried": min(N_TRIED, rows.aus.shape[1]),
        "min_faces_per_leaf": per_leaf,
    }
    forest = ExtraTreesClassifier(
        N_TREES,
        max_features=settings["aus_tried"],
        min_samples_leaf=per_leaf,
        class_weight="balanced" if recipe.class_weights else None,
        random_state=seed,
    )
    forest.fit(rows.aus.astype(np.float32), rows.labels)
    return TreesClassifier(forest, rows.present, len(examples.emotions), settings)
