"""Made-up faces that a network can learn to tell apart in a few epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from aufer.action_units import INTENSITY_COLUMNS

PROTOTYPES = {
    "angry": ("AU04_r", "AU07_r", "AU23_r"),
    "disgust": ("AU09_r", "AU10_r"),
    "happy": ("AU06_r", "AU12_r"),
    "neutral": (),
    "sad": ("AU01_r", "AU15_r", "AU17_r"),
    "fear": ("AU01_r", "AU02_r", "AU20_r", "AU25_r"),
    "surprise": ("AU02_r", "AU05_r", "AU26_r"),
}
"""The AUs of each emotion, as FACS describes them."""

EMOTIONS = ("angry", "disgust", "happy", "neutral", "sad", "surprise")


def synthetic_faces(
    n: int, seed: int = 0, emotions: tuple[str, ...] = EMOTIONS
) -> tuple[np.ndarray, np.ndarray]:
    """AU intensities float64 [n, 17] with two decimals, and labels int64 [n], all in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(emotions)
    aus = rng.gamma(0.8, 0.5, (n, len(INTENSITY_COLUMNS)))
    for row, label in enumerate(labels):
        for name in PROTOTYPES[emotions[int(label)]]:
            aus[row, INTENSITY_COLUMNS.index(name)] += rng.uniform(0.5, 3.5)
    return np.round(np.clip(aus, 0, 5), 2), labels


def write_faces(path: Path, n: int, seed: int = 0, emotions: tuple[str, ...] = EMOTIONS) -> Path:
    """Write such faces as a dataset without sidecars, and return its path."""
    aus, labels = synthetic_faces(n, seed, emotions)
    frame = pd.DataFrame(aus, columns=list(INTENSITY_COLUMNS)).assign(emotion=labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path
