"""FER2013 by its own split: trained on OpenFace's output for images-train, tested on images-public.

Test faces with a byte-identical or near copy in training are left out of the figure that counts;
the figure with them stands beside it, and says what copies are worth. Runs `aufer` itself:
build-dataset --images, train, evaluate. The development data's pictures never leave the temporary
folder.

    python benchmarks/fer2013.py [--kind dense] [--ensemble 5] [--class-weights] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

TARGET = 0.47
PARTS = ("openface-train", "openface-public", "images-train", "images-public")


def aufer(*args: str, folder: Path) -> None:
    """Run the command line; what it says is shown where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "aufer", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"aufer {' '.join(args)}: exit {done.returncode}\n{done.stderr}")


def percent(share: dict[str, float]) -> str:
    """A share with its interval."""
    return f"{100 * share['value']:.1f} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]"


def main() -> int:
    """Print the figures; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("AUFER_DATA", ".")) / "fer2013"
    parser.add_argument("--data", type=Path, default=default, help="folder with the four archives")
    parser.add_argument("--kind", default="dense")
    parser.add_argument("--ensemble", default="5", help="members")
    parser.add_argument("--class-weights", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a single member; no target")
    options = parser.parse_args()
    members = "1" if options.quick else options.ensemble
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS:
            with zipfile.ZipFile(options.data / f"{part}.zip") as archive:
                archive.extractall(folder / part)
            fear = folder / part / "fear"  # the measurements have six emotions
            if fear.is_dir():
                fear.rename(folder / f"{part}-fear")
        aufer(
            "build-dataset",
            "openface-train",
            "--images",
            "images-train",
            "--out",
            "train.csv",
            folder=folder,
        )
        weights = ["--class-weights"] if options.class_weights else []
        settings = ["--kind", options.kind, "--ensemble", members, *weights]
        aufer("train", "train.csv", "--test-size", "0", *settings, "--out", "model", folder=folder)
        aufer(
            "evaluate",
            "--model",
            "model",
            "--testset",
            "openface-public",
            "--images",
            "images-public",
            "--out",
            "report",
            folder=folder,
        )
        facts = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    clean, whole = facts["figures"]["unseen"], facts["figures"]["all"]
    print(f"{options.kind}, {members} members{', class weights' if weights else ''}")
    print("test faces              answered  accuracy           macro-F1")
    for title, figures in (("without copies", clean), ("with copies", whole)):
        print(
            f"{title:<22}  {figures['n_answered']:8d}  {percent(figures['accuracy']):<17}  "
            f"{figures['macro_f1']:.3f}"
        )
    print("recall without copies: ", end="")
    print(", ".join(f"{row['emotion']} {percent(row['recall'])}" for row in clean["per_emotion"]))
    if options.quick:
        return 0
    print(f"target macro-F1 without copies {TARGET}: ", end="")
    print("reached" if clean["macro_f1"] >= TARGET else "MISSED")
    return int(clean["macro_f1"] < TARGET)


if __name__ == "__main__":
    raise SystemExit(main())
