"""The data check: finds what was put in, changes nothing, and says what it couldn't look at."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable, complete, write_au_table
from aufer.build_dataset import Built, build_dataset
from aufer.data_check import DataCheck, check_data, check_paths, write_check
from aufer.emotions import Emotions
from aufer.errors import AuferError
from aufer.findings import (
    CONFLICT,
    CONSTANT,
    GROUPS,
    HEAD_TURN,
    IMBALANCE,
    KINDS,
    MISPLACED,
    OUTLIER,
    SATURATED,
    UNSURE,
    Finding,
    describe_aus,
)
from aufer.provenance import MEASURE_STATIC, Extractor
from tests.faces import PROTOTYPES
from tests.running import RunAufer

WORDS = ("happy", "neutral", "surprise")
THREE = Emotions(WORDS)
HASHES = ("0f0f0f0f0f0f0f0f", "0f0f0f0f0f0f0f0c", "00ff00ff00ff00ff")


def faces_of(n: int = 90) -> pd.DataFrame:
    """Made-up faces that are easy to tell apart, sorted by emotion; each of a person of its own."""
    random = np.random.default_rng(0)
    words = [WORDS[row * 3 // n] for row in range(n)]
    frame = pd.DataFrame(random.uniform(0, 1, (n, 17)).round(2), columns=list(INTENSITY_COLUMNS))
    for word in WORDS:
        rows = [row for row in range(n) if words[row] == word]
        frame.loc[rows, list(PROTOTYPES[word])] += 3.0
    frame["emotion"] = words
    frame["image"] = [f"{word}/{row}.png" for row, word in enumerate(words)]
    frame["group"] = [f"p{row}" for row in range(n)]
    frame["status"], frame["confidence"] = "ok", 0.9
    frame["pose_Rx"] = frame["pose_Ry"] = 0.1
    return frame


def build(folder: Path, frame: pd.DataFrame) -> Built:
    table = AuTable(complete(frame), Extractor(measure=MEASURE_STATIC, engine="local"))
    write_au_table(table, folder / "aus.csv")
    return build_dataset([folder / "aus.csv"], folder / "emotion.csv", emotions=THREE)


def check(built: Built) -> DataCheck:
    return check_data(built.dataset, built.table, built.rows)


def found_of(check: DataCheck, what: str) -> list[Finding]:
    return [each for each in check.findings if each.what == what]


def test_a_sound_dataset_has_no_findings(tmp_path: Path) -> None:
    found = check(build(tmp_path, faces_of()))
    assert found.findings == ()
    assert found.lines() == [
        "not checked: near copies under different emotions: the pictures are not known "
        "(--images FOLDER)"
    ]
    assert set(found.counts()) == set(KINDS)


def test_a_wrong_label_is_doubted_by_all_and_out_of_order(tmp_path: Path) -> None:
    frame = faces_of(180)
    frame.loc[90, "emotion"] = "happy"  # a neutral face between neutral ones
    built = build(tmp_path, frame)
    found = check(built)
    (misplaced,) = found_of(found, MISPLACED)
    assert (misplaced.image, misplaced.row, misplaced.other) == ("neutral/90.png", 91, "neutral")
    outliers = found_of(found, OUTLIER)
    assert outliers[0].image == "neutral/90.png"
    assert (outliers[0].emotion, outliers[0].other, outliers[0].row) == ("happy", "neutral", 91)
    assert outliers[0].value is not None
    assert 1 / 3 < outliers[0].value <= 1
    values = [each.value for each in outliers]
    assert values == sorted(values, key=lambda value: -(value or 0))
    assert built.dataset.rows["image"].iloc[90] == "neutral/90.png"


def test_one_face_under_two_emotions(tmp_path: Path) -> None:
    frame = faces_of().assign(phash="", sha256="")
    columns = list(INTENSITY_COLUMNS)
    frame.loc[40, columns] = frame.loc[0, columns].to_numpy()  # equal AUs: left out
    frame.loc[[1, 41], columns] = 0.0
    frame.loc[[2, 42, 70], "phash"] = HASHES
    frame.loc[[3, 43], "sha256"] = "a" * 64
    frame.loc[[4, 5], "phash"] = "3c3c3c3c3c3c3c3c"  # of one emotion: no conflict
    built = build(tmp_path, frame)
    found = {each.image: each for each in found_of(check(built), CONFLICT)}
    assert set(found) == {f"happy/{row}.png" for row in range(4)}
    assert found["happy/0.png"].detail == "equal AUs: happy/0.png (happy), neutral/40.png (neutral)"
    assert found["happy/0.png"].row is None
    assert found["happy/1.png"].detail.startswith("equal AUs, all of them 0: ")
    assert found["happy/2.png"].detail.startswith("near copies of one picture: happy/2.png (happy)")
    assert found["happy/2.png"].row == 1  # the first two are left out
    assert found["happy/3.png"].detail.startswith("the same file: ")
    assert found["happy/3.png"].images == ("happy/3.png", "neutral/43.png")


def test_turned_heads_of_the_dataset_only(tmp_path: Path) -> None:
    frame = faces_of()
    frame.loc[3, "pose_Ry"] = np.radians(-50)
    frame.loc[4, "pose_Rx"] = np.radians(31)
    frame.loc[5, "pose_Rx"] = np.radians(29.9)
    frame.loc[6, ["pose_Rx", "confidence"]] = [np.radians(80), 0.1]
    turned = found_of(check(build(tmp_path, frame)), HEAD_TURN)
    assert [each.image for each in turned] == ["happy/3.png", "happy/4.png"]
    assert turned[0].value == pytest.approx(50)
    assert "-50° to a side" in turned[0].detail


def test_weak_columns_rare_emotions_groups_and_unsure_faces(tmp_path: Path) -> None:
    frame = faces_of(120)
    frame["AU45_r"] = 0.0
    frame.loc[:9, "AU12_r"] = 5.0
    frame = frame.drop(index=range(85, 120))  # 40 happy, 40 neutral, 5 surprise
    frame.loc[:11, "confidence"] = 0.3
    frame["group"] = [f"p{row % 4}" for row in range(len(frame))]
    found = check(build(tmp_path, frame))
    (constant,) = found_of(found, CONSTANT)
    assert constant.detail.startswith("AU45 blink has one and the same value in 100.0 %")
    (rare,) = found_of(found, IMBALANCE)
    assert (rare.emotion, rare.detail[:37]) == ("surprise", "5 faces of surprise, and 40 of neutra")
    (unsure,) = found_of(found, UNSURE)
    assert unsure.detail == "12 of 40 measured faces of happy are below 0.7"
    assert unsure.value == pytest.approx(0.3)
    assert any("only 4 groups" in each.detail for each in found_of(found, GROUPS))
    # the faces at 5 are among the unsure ones: not in the dataset
    assert all("AU12" not in each.detail for each in found_of(found, SATURATED))


def test_saturated_columns(tmp_path: Path) -> None:
    frame = faces_of()
    frame.loc[:5, "AU12_r"] = 5.0
    frame.loc[:3, "AU06_r"] = 5.0  # four faces may be chance
    (saturated,) = found_of(check(build(tmp_path, frame)), SATURATED)
    assert saturated.detail.startswith("AU12 lip corner puller is 5, the most it can be, in 6.7 %")
    assert saturated.value == pytest.approx(6 / 90)


def test_what_can_not_be_looked_at_is_said(tmp_path: Path) -> None:
    frame = faces_of(12).drop(columns=["pose_Rx", "pose_Ry", "confidence"])
    found = check(build(tmp_path, frame))
    text = "\n".join(found.unchecked)
    for part in (
        "near copies",
        "labels that models doubt: The dataset is too small",
        "turned heads",
    ):
        assert part in text
    assert "unsure faces" in text


def test_the_dataset_is_not_changed_and_the_files_are_written(tmp_path: Path) -> None:
    frame = faces_of()
    frame.loc[45, "emotion"] = "happy"
    frame.loc[45, "image"] = "neutral/<b>45.png"
    built = build(tmp_path, frame)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = check(built)
    page = write_check(found, built.dataset, None)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert page == tmp_path / "emotion.check.html"
    text = page.read_text()
    assert "neutral/&lt;b&gt;45.png" in text
    assert "<b>45" not in text
    assert "http" not in text
    assert "<img" not in text
    table = pd.read_csv(tmp_path / "emotion.check.csv")
    assert list(table.columns) == ["what", "image", "row", "emotion", "other", "value", "detail"]
    assert len(table) == len(found.findings) == sum(found.counts().values())
    facts = json.loads((tmp_path / "emotion.check.json").read_text())
    assert facts["dataset_sha256"] == built.dataset.sha256
    assert facts["counts"] == found.counts()
    assert set(facts["files"]) == {"emotion.check.csv", "emotion.check.html"}
    # again is allowed; over what a person edited, only with force
    write_check(found, built.dataset, None)
    (tmp_path / "emotion.check.csv").write_text("mine")
    with pytest.raises(AuferError, match="was edited"):
        write_check(found, built.dataset, None)
    write_check(found, built.dataset, None, force=True)


def test_pictures_are_shown_where_they_are_at_hand(tmp_path: Path) -> None:
    frame = faces_of(180)
    frame.loc[90, "emotion"] = "happy"
    built = build(tmp_path, frame)
    (tmp_path / "faces" / "neutral").mkdir(parents=True)
    Image.new("RGB", (30, 40), "red").save(tmp_path / "faces" / "neutral" / "90.png")
    page = write_check(check(built), built.dataset, tmp_path / "faces")
    assert page.read_text().count("data:image/jpeg;base64,") >= 2  # out of order, and doubted


def test_the_page_of_a_sound_dataset(tmp_path: Path) -> None:
    built = build(tmp_path, faces_of())
    page = write_check(replace(check(built), unchecked=()), built.dataset, None)
    assert "Nothing was found" in page.read_text()
    assert len(pd.read_csv(check_paths(tmp_path / "emotion.csv")["table"])) == 0


def test_aus_in_words() -> None:
    values = np.zeros(17)
    assert describe_aus(values) == "no AU is above 0"
    values[INTENSITY_COLUMNS.index("AU12_r")] = 2.1
    assert describe_aus(values) == "AU12 lip corner puller 2.10"


def test_the_command_checks_and_says_it(aufer: RunAufer, tmp_path: Path, sample: Path) -> None:
    ran = aufer("build-dataset", sample / "train", "--check").check()
    assert ran.out.strip() == str(Path("data/emotion.csv"))
    assert "Labels that three models doubt" in ran.err
    assert "data/emotion.check.html" in ran.err.replace("\\", "/")
    table = pd.read_csv(tmp_path / "data" / "emotion.check.csv")
    assert set(table["what"]) <= set(KINDS)
    rows = pd.read_csv(tmp_path / "data" / "emotion.rows.csv")
    of_rows = table[table["row"].notna() & (table["what"] == OUTLIER)]
    at = of_rows["row"].astype(int) - 1
    assert rows.loc[at, "image"].tolist() == of_rows["image"].tolist()
    assert rows.loc[at, "emotion"].tolist() == of_rows["emotion"].tolist()
    (tmp_path / "data" / "emotion.check.html").write_text("mine")
    dataset = (tmp_path / "data" / "emotion.json").read_bytes()
    assert "was edited" in aufer("build-dataset", sample / "train", "--check").check(1).err
    assert (tmp_path / "data" / "emotion.json").read_bytes() == dataset


def test_the_odd_row_of_the_reference_dataset(data: Path, tmp_path: Path) -> None:
    """Data row 931, counted from 0, is a neutral one before the happy ones."""
    source = data / "reference" / "emotion.csv"
    built = build_dataset([source], tmp_path / "emotion.csv")
    found = check(built)
    (odd,) = found_of(found, MISPLACED)
    assert (odd.image, odd.emotion, odd.other) == ("row 932", "neutral", "disgust happy")
    doubted = [each.image for each in found_of(found, OUTLIER)]
    assert "row 932" in doubted
    assert len(found_of(found, CONFLICT)) == 2
