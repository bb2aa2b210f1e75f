"""Emotion from the built-in network's AUs against emotion from OpenFace's: same faces, same fits.

FER2013 by its own split, as benchmarks/fer2013.py: a dense network, recipe `standard`, is trained
on faces of images-train and tested on faces of images-public. The faces are those of which both,
OpenFace and the network, were sure (confidence 0.7 or more); test faces with a byte-identical or
near copy in training are left out; near copies in training stay on one side of the cut that says
when to stop. The same seeds, rows and cuts for both; means over the seeds. Also: what a model of
OpenFace's AUs says when it is given the network's, and why they are never mixed.

    python benchmarks/builtin_emotion.py [--work DIR] [--seeds 0,1,2] [--per-emotion 300]
    python benchmarks/builtin_emotion.py --train train.csv --public public.csv
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from builtin_pictures import EMOTIONS, PUBLIC, TRAIN, data_folder, measure

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import DEFAULT_MIN_CONFIDENCE, AuTable, read_au_table
from aufer.classifiers.classifier import Examples
from aufer.classifiers.held_out import fit_of_kind
from aufer.classifiers.recipe import RECIPES
from aufer.emotions import Emotions
from aufer.metrics import score
from aufer.near_copies import find_near_copies, join_near_copies
from aufer.openface.output import choose_faces, read_face_csvs
from aufer.provenance import MEASURE_AU_NET

WITHIN = 0.01
"""Of macro-F1: how much less the built-in AUs may be worth."""

MEASURED = {TRAIN: "fer2013/openface-train.zip", PUBLIC: "fer2013/openface-public.zip"}
OPENFACE, BUILTIN = "OpenFace", "builtin"


@dataclass(frozen=True)
class Faces:
    """Faces that both measured, in one order.

    Attributes:
        labels: int [n]. aus: by who measured, float32 [n, 17]. hashes: `phash` of each picture.
        sha256: of its bytes.
    """

    labels: np.ndarray
    aus: dict[str, np.ndarray]
    hashes: np.ndarray
    sha256: np.ndarray

    def picked(self, rows: np.ndarray) -> Faces:
        """Those at these positions, or where true."""
        aus = {name: values[rows] for name, values in self.aus.items()}
        return Faces(self.labels[rows], aus, self.hashes[rows], self.sha256[rows])


def read_openface(archive: Path, stems: set[str]) -> pd.DataFrame:
    """OpenFace's AUs of sure faces, by stem (``happy/Training_1``)."""
    with zipfile.ZipFile(archive) as zipped:
        names = [name for name in sorted(zipped.namelist()) if name.endswith(".csv")]
        names = [name for name in names if name[: -len(".csv")] in stems]
        chosen = choose_faces(read_face_csvs([zipped.read(name) for name in names]))
    chosen.index = pd.Index([names[file][: -len(".csv")] for file in chosen.index])
    chosen = chosen[chosen["confidence"] >= DEFAULT_MIN_CONFIDENCE]
    return chosen.loc[:, list(INTENSITY_COLUMNS)]


def read_both(table: AuTable, archive: Path, title: str) -> Faces:
    """The faces of which both were sure.

    Raises:
        SystemExit: the table is not the built-in network's.
    """
    if table.extractor.measure != MEASURE_AU_NET:
        raise SystemExit(f"{title}: measured by {table.extractor}, not by --engine builtin")
    frame = table.frame[table.is_usable(DEFAULT_MIN_CONFIDENCE)]
    frame = frame.set_index(frame["image"].str.rpartition(".")[0])
    n_builtin = len(frame)
    theirs = read_openface(
        archive, {str(image).rpartition(".")[0] for image in table.frame["image"]}
    )
    frame = frame.loc[frame.index.intersection(theirs.index)]
    print(
        f"{title}: {len(table):,} pictures; sure are OpenFace of {len(theirs):,}, the network of "
        f"{n_builtin:,}, both of {len(frame):,}"
    )
    aus = {
        OPENFACE: theirs.loc[frame.index].to_numpy(np.float32),
        BUILTIN: frame[list(INTENSITY_COLUMNS)].to_numpy(np.float32),
    }
    labels = np.array([EMOTIONS.index(word) for word in frame["emotion"]], dtype=np.int64)
    texts = [frame[name].to_numpy(dtype=object) for name in ("phash", "sha256")]
    return Faces(labels, aus, *texts)


def without_copies(test: Faces, train: Faces) -> Faces:
    """Test faces that have no copy among the training ones."""
    copies = find_near_copies(test.hashes.tolist(), train.hashes.tolist())
    copies |= np.isin(test.sha256.astype(str), train.sha256.astype(str))
    print(f"{copies.sum()} of {len(copies)} test faces have a copy in training: left out")
    return test.picked(~copies)


def probabilities(
    train: Faces, measure: str, tests: list[np.ndarray], seed: int
) -> list[np.ndarray]:
    """Train on the AUs of the one, and answer test rows, [n, emotions] each."""
    together = join_near_copies(train.hashes.tolist()).astype(str)
    fit = fit_of_kind("dense", RECIPES["standard"], seed, together)
    examples = Examples(
        train.aus[measure],
        train.labels,
        INTENSITY_COLUMNS,
        EMOTIONS,
        train=np.arange(len(train.labels)),
        validation=np.zeros(0, dtype=np.int64),
    )
    predictor, _ = fit(replace(examples), 0)
    return [predictor.predict_proba(rows) for rows in tests]


def compare(train: Faces, test: Faces, seeds: list[int]) -> bool:
    """Print the figures; whether the built-in AUs are worth as much."""
    ways = {
        "OpenFace's AUs": (OPENFACE, OPENFACE),
        "builtin AUs": (BUILTIN, BUILTIN),
        "trained on OpenFace's, given builtin": (OPENFACE, BUILTIN),
        "trained on builtin, given OpenFace's": (BUILTIN, OPENFACE),
    }
    found: dict[str, list[tuple[float, float]]] = {title: [] for title in ways}
    answered = np.ones(len(test.labels), dtype=bool)
    for seed in seeds:
        of = {
            (learned, given): answer
            for learned in (OPENFACE, BUILTIN)
            for given, answer in zip(
                (OPENFACE, BUILTIN),
                probabilities(train, learned, [test.aus[OPENFACE], test.aus[BUILTIN]], seed),
                strict=True,
            )
        }
        for title, way in ways.items():
            figures = score(test.labels, of[way], answered, EMOTIONS)
            found[title].append((figures["macro_f1"], figures["accuracy"]["value"]))
    print(f"\ndense, recipe standard; {len(seeds)} seeds; {len(test.labels)} test faces")
    print(f"{'AUs':<38}  macro-F1           accuracy")
    for title, rows in found.items():
        (f1, accuracy), spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        print(f"{title:<38}  {f1:.3f} ± {spread[0]:.3f}      {accuracy:.3f}")
    openface, builtin = (np.mean(found[title], axis=0)[0] for title in list(ways)[:2])
    lost = openface - builtin
    is_within = bool(lost <= WITHIN)
    print(
        f"\nbuiltin minus OpenFace: {100 * -lost:+.1f} points of macro-F1: "
        f"{'at most 1 point less: met' if is_within else 'MISSED: more than 1 point less'}"
    )
    return is_within


def main() -> int:
    """Print the figures; 1 if builtin's AUs are worth more than a point less."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, help="AU table of images-train, by the network")
    parser.add_argument("--public", type=Path, help="AU table of images-public, likewise")
    parser.add_argument("--work", type=Path, help="keep what is measured there, for next time")
    parser.add_argument("--data", type=Path, default=data_folder(), help="development data")
    parser.add_argument("--seeds", default="0,1,2", help="of the fits")
    parser.add_argument("--per-emotion", type=int, default=0, help="pictures; default: all")
    options = parser.parse_args()
    data = options.data.resolve()
    faces = {}
    with tempfile.TemporaryDirectory() as name:
        work = (options.work or Path(name)).resolve()
        for title, given in ((TRAIN, options.train), (PUBLIC, options.public)):
            path = given or measure(title, data, work, options.per_emotion)
            table = read_au_table(path, Emotions())
            faces[title] = read_both(table, data / MEASURED[title], title)
    train, test = faces[TRAIN], without_copies(faces[PUBLIC], faces[TRAIN])
    seeds = [int(seed) for seed in options.seeds.split(",")]
    return 0 if compare(train, test, seeds) else 1


if __name__ == "__main__":
    raise SystemExit(main())
