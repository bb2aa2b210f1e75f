"""Pictures to train on, drawn here: which way the fine stripes run says which emotion it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

from aufer.emotions import DEFAULT_NAMES


def striped(number: int, chance: np.random.Generator, side: int = 48) -> np.ndarray:
    """A picture of an emotion's number, uint8 [side, side].

    Below the stripes lie broad random waves, so that no two pictures are near copies.
    """
    y, x = np.mgrid[:side, :side] / side
    waves = sum(
        chance.normal() * np.cos(np.pi * (i * y + j * x)) for i in range(5) for j in range(5)
    )
    angle = np.pi * number / len(DEFAULT_NAMES)
    stripes = np.sin(2 * np.pi * 12 * (np.cos(angle) * x + np.sin(angle) * y))
    return np.clip(128 + 12 * waves + 30 * stripes, 0, 255).astype(np.uint8)


def save_striped(
    folder: Path, names: tuple[str, ...] = ("angry", "happy", "sad"), n: int = 20, seed: int = 0
) -> Path:
    """Save ``n`` pictures of each emotion: ``<emotion>/<number>.png``."""
    chance = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(n):
            pixels = striped(DEFAULT_NAMES.index(name), chance)
            PIL.Image.fromarray(pixels).save(folder / name / f"{number:02d}.png")
    return folder
