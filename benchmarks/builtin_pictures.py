"""FER2013's and the web pictures in a folder, measured by `--engine builtin`: for builtin_*.py.

A folder that is kept measures nothing twice, as long as the network is the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

TRAIN, PUBLIC = "fer2013-train", "fer2013-public"
WEB, WEB_TEST = "web", "web-7"
"""Web pictures whose number ends in 7 are for testing only."""

SETS = {
    TRAIN: "fer2013/images-train.zip",
    PUBLIC: "fer2013/images-public.zip",
    WEB: "web/images.zip",
    WEB_TEST: "web/images.zip",
}
EMOTIONS = ("angry", "disgust", "happy", "neutral", "sad", "surprise")
"""Fear has no AUs of OpenFace's to compare with, and the shipped models don't name it."""


def data_folder() -> Path:
    """Where the development data lie."""
    return Path(os.environ.get("AUFER_DATA", "."))


def aufer(*args: str | Path, folder: Path) -> str:
    """Run the command line there, and print what was run; what it said on stdout.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    command = [str(arg) for arg in args]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "aufer", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"aufer {' '.join(command)}   [{time.perf_counter() - started:.0f} s]", flush=True)
    if done.returncode:
        raise RuntimeError(f"aufer {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def unpack(title: str, data: Path, folder: Path, per_emotion: int = 0) -> Path:
    """The pictures of one of `SETS`, one folder per emotion, below ``folder``.

    Args:
        per_emotion: so many at most of each, evenly chosen; 0: all.
    """
    target = folder / "pictures" / title
    with zipfile.ZipFile(data / SETS[title]) as archive:
        chosen = defaultdict(list)
        for name in sorted(archive.namelist()):
            emotion, _, file = name.partition("/")
            is_for_test = Path(file).stem.endswith("7") == (title == WEB_TEST)
            if emotion in EMOTIONS and file and (is_for_test or not title.startswith("web")):
                chosen[emotion].append(name)
        for names in chosen.values():
            if per_emotion and len(names) > per_emotion:
                places = np.linspace(0, len(names) - 1, per_emotion).astype(int)
                names[:] = [names[place] for place in places]
            archive.extractall(target, [name for name in names if not (target / name).exists()])
    return target


def measure(
    title: str, data: Path, folder: Path, per_emotion: int = 0, options: tuple[str, ...] = ()
) -> Path:
    """The AU table of one of `SETS`, by the built-in network: ``<title>.csv`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = unpack(title, data, folder, per_emotion)
    table = folder / f"{title}.csv"
    aufer(
        "extract", pictures.relative_to(folder), "--engine", "builtin", "--out", table.name,
        "--keep-going", "--force", *options, folder=folder,
    )  # fmt: skip
    network = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))["extractor"]
    print(f"  {title}: {network['model']}, sha256 {network['binary'][:12]}")
    return table
