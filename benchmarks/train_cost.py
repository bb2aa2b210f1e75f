"""What `aufer train` costs beside a bare Keras script of the same recipe.

Whole processes, wall clock, run in turn so that both see the same machine; the ratio of each pair,
and the median of the ratios. `aufer` also reads and checks the dataset's sidecars, writes the ONNX
file and compares it with Keras, the pictures, the tables and the model card.

    python benchmarks/train_cost.py [--data emotion.csv] [--runs 5] [--quick]
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 1.2

# as short as the recipe can be written: what the reference project's notebook does
BARE = """
import sys
import keras
import pandas as pd
from sklearn.model_selection import train_test_split

path, seed, epochs, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
keras.utils.set_random_seed(seed)
frame = pd.read_csv(path)
x = frame.iloc[:, :17].to_numpy()
y = keras.utils.to_categorical(frame["emotion"])
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=seed)
model = keras.Sequential([keras.Input((17,))])
for units in (300, 200, 100, 50):
    model.add(keras.layers.Dense(units, activation="relu"))
model.add(keras.layers.Dense(6, activation="softmax"))
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x_train, y_train, validation_split=0.33, epochs=epochs, batch_size=50, verbose=0,
    callbacks=[
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=7),
        keras.callbacks.ModelCheckpoint(
            folder + "/{epoch:02d}-{val_loss:.4f}.keras", monitor="val_loss", save_best_only=True
        ),
    ],
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(len(history.history["loss"]), accuracy)
"""


def run(command: list[str]) -> tuple[float, str]:
    """Seconds of a process, and its stdout."""
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, done.stdout


def main() -> int:
    """Print the table; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("AUFER_DATA", ".")) / "reference" / "emotion.csv"
    parser.add_argument("--data", type=Path, default=default, help="the reference's emotion.csv")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5000, help="at most, for both")
    parser.add_argument("--quick", action="store_true", help="three pairs")
    options = parser.parse_args()
    runs = 3 if options.quick else options.runs
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    ratios = []
    print("seed  epochs bare/aufer  bare s  aufer s  ratio")
    for seed in range(runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            data, out = str(options.data), str(Path(folder) / "bundle")
            settings = [data, str(seed), str(options.epochs)]
            bare = [sys.executable, "-c", BARE, *settings, folder]
            ours = [sys.executable, "-m", "aufer", "train", data, "--recipe", "reference"]
            ours += ["--seed", str(seed), "--epochs", str(options.epochs), "--out", out]
            if seed % 2:  # each goes first as often
                ours_s, _ = run(ours)
                bare_s, printed = run(bare)
            else:
                bare_s, printed = run(bare)
                ours_s, _ = run(ours)
            with (Path(out) / "history.csv").open() as file:
                n_epochs = len(list(csv.DictReader(file)))
        warm = seed > 0  # the first pair fills the disk cache
        if warm:
            ratios.append(ours_s / bare_s)
        print(
            f"{seed:4d}  {int(printed.split()[0]):6d}/{n_epochs:<10d}  {bare_s:6.2f}  {ours_s:7.2f}"
            f"  {ours_s / bare_s:5.2f}" + ("" if warm else "  (first run, not counted)"),
            flush=True,
        )
    ratio = statistics.median(ratios)
    print(f"median ratio {ratio:.2f}, target at most {TARGET}")
    return int(ratio > TARGET)


if __name__ == "__main__":
    sys.exit(main())
