"""Make models/builtin-aus: the emotion bundle that comes along for AUs of `--engine builtin`.

Runs, unattended: aufer extract --engine builtin on FER2013's training pictures and on the web
pictures whose number doesn't end in 7; build-dataset of both, near copies in one group; train, a
dense network by the recipe `standard`, cross-validated by leaving one source out. Then it tests
the bundle on pictures that it never saw: FER2013's public ones and the web's others. The
development data's pictures never leave the folder of `--work`; the bundle has no data.

    python benchmarks/builtin_bundle.py --out models/builtin-aus [--work DIR] [--per-emotion 300]
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from builtin_pictures import PUBLIC, TRAIN, WEB, WEB_TEST, aufer, data_folder, measure

from aufer.bundle import read_bundle

NAME = "builtin-aus"


def make(work: Path, data: Path, options: argparse.Namespace) -> Path:
    """Measure, build, train; the bundle's folder below ``work``."""
    sources = [measure(title, data, work, options.per_emotion).name for title in (TRAIN, WEB)]
    aufer(
        "build-dataset", *sources, "--groups", "images", "--out", "emotion.csv", "--force",
        folder=work,
    )  # fmt: skip
    cross = [] if options.no_cv else ["--cv", "sources"]
    cross += ["--no-baselines"] if cross and not options.baselines else []
    shutil.rmtree(work / "models" / NAME, ignore_errors=True)
    aufer(
        "train", "emotion.csv", "--kind", options.kind, "--ensemble", str(options.ensemble), *cross,
        "--test-size", "0", "--without-data", "--name", NAME, folder=work,
    )  # fmt: skip
    return work / "models" / NAME


def test(work: Path, data: Path, options: argparse.Namespace) -> None:
    """Print how it reads pictures of the same sources that it was not trained on."""
    print("\npictures                answered  accuracy  macro-F1  (without copies of training)")
    for title in (PUBLIC, WEB_TEST):
        table = measure(title, data, work, options.per_emotion)
        report = f"report-{title}"
        aufer(
            "evaluate", "--model", f"models/{NAME}", "--testset", table.name, "--out", report,
            "--force", "--keep-going", folder=work,
        )  # fmt: skip
        facts = json.loads((work / report / "report.json").read_text(encoding="utf-8"))
        figures = facts["figures"].get("unseen", facts["figures"]["all"])
        print(
            f"{title:<22}  {figures['n_answered']:8d}  {100 * figures['accuracy']['value']:7.1f}%  "
            f"{figures['macro_f1']:.3f}"
        )


def main() -> int:
    """Make it, test it, and put it where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="its folder; is replaced. Default: only a try")
    parser.add_argument("--work", type=Path, help="keep pictures and tables there, for next time")
    parser.add_argument("--data", type=Path, default=data_folder(), help="development data")
    parser.add_argument("--kind", default="dense")
    parser.add_argument("--ensemble", type=int, default=1, help="members")
    parser.add_argument("--per-emotion", type=int, default=0, help="pictures; default: all")
    parser.add_argument("--no-cv", action="store_true", help="no leaving one source out")
    parser.add_argument("--baselines", action="store_true", help="cross-validate these too")
    options = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        work = (options.work or Path(name)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        made = make(work, options.data.resolve(), options)
        bundle = read_bundle(made)
        print(f"\n{bundle.name}: {bundle.facts['dataset']['counts']}, by {bundle.extractor}")
        size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
        print(f"{size / 1e6:.1f} MB: {', '.join(sorted(path.name for path in made.iterdir()))}")
        for protocol in bundle.facts.get("cross_validation", {}).get("protocols", []):
            for model in protocol["models"]:
                print(f"{protocol['name']}: {model['title']}, accuracy {model['accuracy']}")
        test(work, options.data.resolve(), options)
        if options.out:
            shutil.rmtree(options.out, ignore_errors=True)
            # without checkpoints: the shipped models have none
            shutil.copytree(made, options.out, ignore=shutil.ignore_patterns("checkpoints"))
            print(f"\nmade: {options.out} ({read_bundle(options.out).name})")
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
