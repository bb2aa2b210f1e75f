"""What `aufer train --cv 5` costs beside five bare Keras fits of the same network and epochs.

Ours: the five folds of the `standard` recipe, with splits, temperature and figures, no baselines.
Bare: five times the same network, rows, batches and epochs by Keras's `compile` and `fit`, nothing
else. Both in one process, in turn; the median ratio.

    python benchmarks/cv_cost.py [--data emotion.csv] [--runs 3] [--quick]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import numpy as np
from accuracy import read_rows
from measuring import verdict

from aufer.classifiers.backend import import_keras
from aufer.classifiers.cross_validation import cross_validate
from aufer.classifiers.network import build
from aufer.classifiers.recipe import RECIPES, Recipe
from aufer.dataset import Dataset
from aufer.splits import hold_out, make_folds

TARGET = 1.3


def time_ours(dataset: Dataset, recipe: Recipe, seed: int) -> float:
    """Seconds of a cross-validation by `aufer`."""
    started = time.perf_counter()
    cross_validate(dataset, "dense", recipe, k=5, seed=seed, baselines=False)
    return time.perf_counter() - started


def time_bare(dataset: Dataset, recipe: Recipe, seed: int, epochs: int) -> float:
    """Seconds of five bare fits on the same rows."""
    keras = import_keras()
    aus = dataset.aus.to_numpy(dtype=np.float32)
    targets = np.eye(len(dataset.emotions), dtype=np.float32)[dataset.labels]
    folds = make_folds(dataset.labels, None, 5, seed)
    started = time.perf_counter()
    for fold in range(5):
        rows = np.flatnonzero(folds != fold)
        kept, cut = hold_out(dataset.labels[rows], None, recipe.validation_size, seed)
        train, held = rows[kept], rows[cut]
        network = build(keras, recipe, len(dataset.emotions), aus[train])
        network.compile(
            optimizer=keras.optimizers.Adam(recipe.learning_rate),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
            metrics=["accuracy"],
        )
        network.fit(
            aus[train],
            targets[train],
            validation_data=(aus[held], targets[held]),
            epochs=epochs,
            batch_size=recipe.batch_size,
            verbose=0,
        )
    return time.perf_counter() - started


def main() -> int:
    """Print the table; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("AUFER_DATA", ".")) / "reference" / "emotion.csv"
    parser.add_argument("--data", type=Path, default=default, help="the reference's emotion.csv")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one pair, 20 epochs")
    options = parser.parse_args()
    dataset = read_rows(options.data)
    recipe = RECIPES["standard"]
    if options.quick:
        recipe = recipe.changed(epochs=20)
    # as many epochs for both: nobody stops early
    recipe = recipe.changed(patience=recipe.epochs)
    import_keras()
    ratios = []
    print("seed  bare s  aufer s  ratio")
    for seed in range(1 if options.quick else options.runs):
        ours = time_ours(dataset, recipe, seed)
        bare = time_bare(dataset, recipe, seed, recipe.epochs)
        ratios.append(ours / bare)
        print(f"{seed:4d}  {bare:6.1f}  {ours:7.1f}  {ratios[-1]:5.2f}", flush=True)
    name = f"--cv 5 beside five bare Keras fits of {recipe.epochs} epochs, median ratio"
    return 0 if verdict(name, statistics.median(ratios), TARGET) else 1


if __name__ == "__main__":
    raise SystemExit(main())
