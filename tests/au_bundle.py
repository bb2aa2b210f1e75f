"""A bundle of Action Units, trained on made-up rows of aufer's own network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from tests.running import run_aufer

NAMES = ("angry", "happy", "sad")


def train_au_bundle(folder: Path, measure: str = "aufer-au-net") -> Path:
    """Train one in a folder, which it makes: the stronger the AUs, the later the emotion's name
    stands in `NAMES`.

    Returns:
        the bundle's folder, ``folder/models/strength``.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    lines = [",".join(["image", "emotion", "status", "confidence", *INTENSITY_COLUMNS])]
    for number, name in enumerate(NAMES):
        for n in range(20):
            strength = (number + 0.5) / len(NAMES) * 5 + random.normal(0, 0.2)
            aus = strength * np.arange(1, 18) / 17 + random.normal(0, 0.05, 17)
            numbers = [f"{value:.2f}" for value in aus.clip(0, 5)]
            lines.append(",".join([f"{name}/{n}.png", name, "ok", "0.95", *numbers]))
    (folder / "aus.csv").write_text("\n".join(lines) + "\n")
    emotions = ("--emotions", ",".join(NAMES))
    run_aufer("build-dataset", "aus.csv", "--out", "rows.csv", *emotions, cwd=folder).check()
    extractor = {"measure": measure, "engine": "builtin", "binary": ""}
    change_facts(folder / "rows.json", extractor=extractor)
    words = ("--kind", "logistic", "--out", "models/strength")
    run_aufer("train", "rows.csv", *words, cwd=folder).check()
    return folder / "models" / "strength"


def change_facts(path: Path, **changed: Any) -> None:
    """Change facts of a JSON file."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(facts | changed), encoding="utf-8")
