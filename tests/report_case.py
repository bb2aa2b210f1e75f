"""A study whose report has everything: persons, seen faces of all ways, folds, low confidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable, write_au_table
from aufer.emotions import Emotions
from aufer.openface.faces import read_faces
from tests.running import run_aufer

N_PERSONS = 40


@dataclass(frozen=True)
class ReportCase:
    """A report on disk: its folder and its bundle's.

    Attributes:
        facts: ``report.json``. predictions: ``predictions.csv``; empty texts are empty.
    """

    folder: Path
    bundle: Path
    facts: dict[str, Any]
    predictions: pd.DataFrame

    @classmethod
    def read(cls, folder: Path, bundle: Path) -> ReportCase:
        """Read a report from its folder."""
        texts = "image sha256 group status reason emotion predicted seen_how".split()
        predictions = pd.read_csv(folder / "predictions.csv", dtype=dict.fromkeys(texts, str))
        words = [*texts, *(name for name in predictions if name.startswith("by_"))]
        predictions[words] = predictions[words].fillna("")
        facts = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return cls(folder, bundle, facts, predictions)

    def table(self, name: str) -> pd.DataFrame:
        """One of ``tables/*.csv``."""
        return pd.read_csv(self.folder / "tables" / f"{name}.csv")


def training_faces(sample: Path) -> AuTable:
    """The training sample with made-up files, pictures' hashes and persons."""
    table = read_faces(sample / "train", Emotions())
    rng = np.random.default_rng(7)
    n = len(table)
    table.frame["sha256"] = [f"{number:064x}" for number in range(n)]
    table.frame["phash"] = [f"{int(bits):016x}" for bits in rng.integers(0, 2**63, n)]
    table.frame["group"] = [f"person {number % N_PERSONS}" for number in range(n)]
    return table


def faces_to_test(sample: Path, train: AuTable) -> AuTable:
    """The test sample of other persons, and faces of the training sample in three disguises."""
    table = read_faces(sample / "test", Emotions())
    frame = table.frame
    n = len(frame)
    frame["sha256"] = [f"{10_000 + number:064x}" for number in range(n)]
    frame["phash"] = [f"{int(b):016x}" for b in np.random.default_rng(8).integers(0, 2**63, n)]
    frame["group"] = [f"stranger {number % 14}" for number in range(n)]
    usable = np.flatnonzero(table.is_usable())
    frame.loc[usable[:4], "confidence"] = [0.7, 0.8, 0.9, 0.95]  # exactly at a threshold: answered
    measured = train.frame[train.is_usable()].reset_index(drop=True)
    copies = measured.iloc[::23].copy().reset_index(drop=True)
    for number, row in copies.iterrows():
        copies.loc[number, "image"] = f"copy/{number}.jpg"
        if number % 3:  # of the first, the file is the same
            copies.loc[number, "sha256"] = f"{20_000 + number:064x}"
        if number % 3 == 2:  # another size of the same picture: a few bits and values differ
            copies.loc[number, "phash"] = f"{int(str(row['phash']), 16) ^ 0b10101:016x}"
            copies.loc[number, list(INTENSITY_COLUMNS)] = (
                row[list(INTENSITY_COLUMNS)].to_numpy(dtype=float) * 0.97
            ).round(2)
    copies["group"] = [f"stranger {number % 14}" for number in range(len(copies))]
    return AuTable(pd.concat([frame, copies], ignore_index=True), table.extractor)


@pytest.fixture(scope="session")
def study(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with aus.csv, test.csv, emotion.csv and models/case, cross-validated; read only."""
    folder = tmp_path_factory.mktemp("study")
    train = training_faces(sample)
    write_au_table(train, folder / "aus.csv")
    write_au_table(faces_to_test(sample, train), folder / "test.csv")
    run_aufer("build-dataset", "aus.csv", "--out", "emotion.csv", cwd=folder).check()
    words = ("emotion.csv", "--kind", "logistic", "--cv", "3", "--out", "models/case")
    run_aufer("train", *words, cwd=folder).check()
    return folder


@pytest.fixture(scope="session")
def report_case(study: Path) -> ReportCase:
    """The report of the study's test faces; read only."""
    words = ("--model", "models/case", "--testset", "test.csv", "--out", "reports/case")
    run_aufer("evaluate", *words, cwd=study).check()
    return ReportCase.read(study / "reports" / "case", study / "models" / "case")
