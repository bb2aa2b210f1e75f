"""Made-up faces that a network can learn to tell apart in a few epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS

PROTOTYPES = {
    0: ("AU04_r", "AU07_r", "AU23_r"),
    1: ("AU09_r", "AU10_r"),
    2: ("AU06_r", "AU12_r"),
    3: (),
    4: ("AU01_r", "AU15_r", "AU17_r"),
    5: ("AU02_r", "AU05_r", "AU26_r"),
}
"""The AUs of each of the six emotions in label order, as FACS describes them."""


def synthetic_faces(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """AU intensities float64 [n, 17] with two decimals, and labels int64 [n], all six in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(PROTOTYPES)
    aus = rng.gamma(0.8, 0.5, (n, len(INTENSITY_COLUMNS)))
    for row, label in enumerate(labels):
        for name in PROTOTYPES[int(label)]:
            aus[row, INTENSITY_COLUMNS.index(name)] += rng.uniform(0.5, 3.5)
    return np.round(np.clip(aus, 0, 5), 2), labels


def write_faces(path: Path, n: int, seed: int = 0) -> Path:
    """Write such faces as a dataset without sidecars, and return its path."""
    aus, labels = synthetic_faces(n, seed)
    frame = pd.DataFrame(aus, columns=list(INTENSITY_COLUMNS)).assign(emotion=labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path
