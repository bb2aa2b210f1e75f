"""What each part of the `standard` recipe is worth: the recipe with one thing changed at a time.

Protocols R and B of benchmarks/accuracy.py on fold seeds from 10 on, which recipes are chosen by;
the figures of fold seeds 0-4 are reported and never chosen by. Prints a Markdown table, as in
docs/training.md. The temperature, which changes no answer, is left out.

    python benchmarks/ablation.py [--data emotion.csv] [--seeds 10,11] [--only NAME,NAME] [--quick]
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from accuracy import measure, read_rows

from aufer.classifiers.recipe import NORMALISED, RAW, RECIPES

STANDARD = replace(RECIPES["standard"], calibrate=False)

VARIANTS = {
    "standard": STANDARD,
    "inputs as they are": replace(STANDARD, inputs=RAW),
    "inputs normalised only": replace(STANDARD, inputs=NORMALISED),
    "steepness 0.5": replace(STANDARD, steepness=0.5),
    "steepness 2": replace(STANDARD, steepness=2.0),
    "steepness 4": replace(STANDARD, steepness=4.0),
    "steepness 8": replace(STANDARD, steepness=8.0),
    "no dropout": replace(STANDARD, dropout=()),
    "dropout 0.4 everywhere": replace(STANDARD, dropout=(0.4, 0.4, 0.4, 0.4)),
    "no L2": replace(STANDARD, l2=0.0),
    "L2 0.0003": replace(STANDARD, l2=3e-4),
    "L2 0.003": replace(STANDARD, l2=3e-3),
    "no label smoothing": replace(STANDARD, label_smoothing=0.0),
    "class weights": replace(STANDARD, class_weights=True),
    "50 epochs": replace(STANDARD, epochs=50),
    "200 epochs": replace(STANDARD, epochs=200, patience=120),
    "learning rate 0.001": replace(STANDARD, learning_rate=0.001),
    "early stopping on a fifth of the rows; no second fit": replace(STANDARD, refit=False),
}
"""Each thing that is changed, and the recipe that it gives."""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("AUFER_DATA", ".")) / "reference" / "emotion.csv"
    parser.add_argument("--data", type=Path, default=default, help="the reference's emotion.csv")
    parser.add_argument("--seeds", default="10,11", help="of the folds")
    parser.add_argument("--only", default="", help="names of variants, by commas")
    parser.add_argument("--quick", action="store_true", help="one seed, the standard recipe only")
    options = parser.parse_args()
    seeds = [10] if options.quick else [int(seed) for seed in options.seeds.split(",")]
    only = ["standard"] if options.quick else [name for name in options.only.split(",") if name]
    dataset = read_rows(options.data)
    print("| changed | R | B | macro-F1 R | macro-F1 B |\n|---|---|---|---|---|", flush=True)
    for name, recipe in VARIANTS.items():
        if only and name not in only:
            continue
        found = measure(dataset, "dense", recipe, seeds, 1)
        figures = [found[p][key]["mean"] for key in ("accuracy", "macro_f1") for p in ("R", "B")]
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in figures) + " |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
