"""AUs relative to the person: baselines, what is left out, and models that do the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable, complete, join_tables, write_au_table
from aufer.build_dataset import Built, build_dataset
from aufer.dataset import read_dataset
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.groups import Grouping, GroupRule
from aufer.model import answer_faces
from aufer.normalization import Normalization, relate_to_persons
from aufer.openface.faces import read_faces
from aufer.provenance import MEASURE_STATIC, Extractor
from tests.running import RunAufer

WORDS = ("angry", "happy", "neutral")
THREE = Emotions(WORDS)
EXTRACTOR = Extractor(measure=MEASURE_STATIC, engine="local")


def faces_of(persons: dict[str, str], seed: int = 0) -> AuTable:
    """A table of faces; a person's word has a letter per face: a, h, n, upper case if unsure."""
    random = np.random.default_rng(seed)
    rows = []
    for person, letters in persons.items():
        at_rest = random.uniform(0, 2, len(INTENSITY_COLUMNS))
        for number, letter in enumerate(letters):
            aus = np.round(at_rest + random.uniform(0, 3, len(INTENSITY_COLUMNS)), 2)
            rows.append(
                {
                    "image": f"{person}{number}.jpg",
                    "group": person,
                    "status": "ok",
                    "confidence": 0.2 if letter.isupper() else 0.9,
                    "emotion": {word[0]: word for word in WORDS}[letter.lower()],
                    **dict(zip(INTENSITY_COLUMNS, aus.tolist(), strict=True)),
                }
            )
    frame = complete(pd.DataFrame(rows))
    return AuTable(frame, EXTRACTOR, grouping=Grouping.by_column(frame["group"].tolist()))


def build(folder: Path, table: AuTable, how: str, **options: Any) -> Built:
    write_au_table(table, folder / "aus.csv", force=True)
    return build_dataset(
        [folder / "aus.csv"],
        folder / "emotion.csv",
        **{"emotions": THREE, "normalize": how, "force": True} | options,
    )


# ---- what is computed


@given(st.lists(st.tuples(st.sampled_from("pqrs"), st.integers(0, 500)), min_size=1, max_size=40))
@settings(deadline=None)
def test_the_median_of_each_person_becomes_zero(faces: list[tuple[str, int]]) -> None:
    groups = [person for person, _ in faces]
    values = np.array([[number / 100] * 17 for _, number in faces])
    found = relate_to_persons(values, groups, np.ones(len(faces), dtype=bool), [], "group")
    for person in set(groups):
        mine = [i for i, name in enumerate(groups) if name == person]
        if len(mine) < 3:
            assert set(found.status[mine]) == {"no_baseline"}
            assert np.isnan(found.values[mine]).all()
        else:
            expected = [faces[i][1] / 100 - np.median(values[mine, 0]) for i in mine]
            assert np.abs(found.values[mine, 0] - expected).max() <= 0.005 + 1e-9
            assert set(found.status[mine]) == {""}
    known = found.values[~np.isnan(found.values)]
    assert np.array_equal(known, np.round(known, 2))
    assert not np.signbit(known[known == 0]).any()
    assert (np.abs(known) <= 5).all()


def test_faces_that_do_not_count_are_still_related() -> None:
    values = np.array([[0.0], [1.0], [2.0], [5.0], [np.nan]])
    counts = np.array([True, True, True, False, False])
    found = relate_to_persons(values, ["p"] * 5, counts, [""] * 5, "group")
    assert found.values[:4, 0].tolist() == [-1, 0, 1, 4]
    assert np.isnan(found.values[4]).all()
    assert found.n_persons == 1


def test_the_first_neutral_face_is_the_baseline() -> None:
    values = np.array([[1.0], [2.0], [4.0], [3.0], [0.5]])
    words = ["happy", "Neutral", "neutral", "neutral", "sad"]
    counts = np.array([True, False, True, True, True])
    found = relate_to_persons(values, ["p"] * 5, counts, words, "neutral")
    assert found.values[:, 0].tolist() == [-3, -2, 0, -1, -3.5]
    assert found.status.tolist() == ["", "", "baseline", "", ""]
    assert found.reasons[2] == "the baseline of p"


def test_persons_without_a_neutral_face_are_named() -> None:
    values = np.zeros((8, 1))
    groups = ["a", "a", "b", "c", "d", "e", "f", ""]
    words = ["neutral", *["happy"] * 7]
    with pytest.raises(DataError) as raised:
        relate_to_persons(values, groups, np.ones(8, dtype=bool), words, "neutral")
    assert "5 of the 6 persons have no neutral face" in raised.value.message
    assert "b, c, d, e, f" in raised.value.message
    assert raised.value.hint is not None
    assert "--normalize group" in raised.value.hint


# ---- datasets


def test_a_dataset_relative_to_the_median(tmp_path: Path) -> None:
    table = faces_of({"p": "ahn", "q": "ahnA", "r": "ah", "": "n"})
    built = build(tmp_path, table, "group")
    assert built.dataset.rows["group"].tolist() == ["p"] * 3 + ["q"] * 3
    aus = built.dataset.aus.to_numpy()
    for person in (slice(0, 3), slice(3, 6)):
        assert np.abs(np.median(aus[person], axis=0)).max() == 0
    fates = built.excluded.set_index("image")
    assert fates["status"].to_dict() == {
        "q3.jpg": "low_confidence",
        "r0.jpg": "no_baseline",
        "r1.jpg": "no_baseline",
        "0.jpg": "no_baseline",
    }
    assert fates.loc["r0.jpg", "reason"] == "r has fewer than 3 faces: no baseline"
    assert "whose face" in fates.loc["0.jpg", "reason"]
    assert built.counts.loc["total", "no_baseline"] == 3
    facts = json.loads((tmp_path / "emotion.json").read_text())
    assert facts["normalization"] == {
        "how": "group",
        "rule": "AUs minus the median of the person's faces (at least 3)",
        "min_confidence": 0.7,
        "n_persons": 2,
    }


def test_a_dataset_relative_to_the_neutral_face(tmp_path: Path) -> None:
    table = faces_of({"p": "ahnn", "q": "Nnah"})
    built = build(tmp_path, table, "neutral")
    fates = built.excluded.set_index("image")["status"].to_dict()
    assert fates == {"p2.jpg": "baseline", "q0.jpg": "low_confidence", "q1.jpg": "baseline"}
    raw = table.frame.set_index("image")[list(INTENSITY_COLUMNS)]
    for row, image in enumerate(built.dataset.rows["image"]):
        baseline = raw.loc["p2.jpg" if image.startswith("p") else "q1.jpg"]
        expected = raw.loc[image] - baseline
        assert np.allclose(built.dataset.aus.iloc[row], expected, atol=0.005)
    # one neutral face each: none is left for the dataset, and the hint does without the emotion
    with pytest.raises(DataError, match="2 baseline") as raised:
        build(tmp_path, faces_of({"p": "ahn", "q": "ahn"}), "neutral", groups="group")
    assert raised.value.hint is not None
    hint = "--groups group --normalize neutral --emotions angry,happy"
    assert hint in raised.value.hint
    two = Emotions(("angry", "happy"))
    built = build(tmp_path, faces_of({"p": "ahn", "q": "ahn"}), "neutral", emotions=two)
    assert len(built.dataset) == 4


def test_the_differences_are_read_back(tmp_path: Path) -> None:
    built = build(tmp_path, faces_of({"p": "ahn" * 3}), "group")
    assert (built.dataset.aus.to_numpy() < 0).any()
    path = tmp_path / "emotion.csv"
    read = read_dataset(path)
    assert read.normalization == Normalization("group", 0.7, 1)
    assert np.array_equal(read.aus, built.dataset.aus)
    # without the sidecar nobody knows what a negative intensity is
    bare = tmp_path / "bare.csv"
    bare.write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="outside 0-5") as raised:
        read_dataset(bare)
    assert raised.value.hint is not None
    assert "the .json beside them" in raised.value.hint
    facts = json.loads((tmp_path / "emotion.json").read_text())
    facts["normalization"]["how"] = "by the stars"
    (tmp_path / "emotion.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match="by the stars"):
        read_dataset(path)


def test_a_difference_beyond_5_is_refused(tmp_path: Path) -> None:
    build(tmp_path, faces_of({"p": "ahn" * 3}), "group")
    frame = pd.read_csv(tmp_path / "emotion.csv")
    frame.loc[3, "AU12_r"] = -5.5
    frame.to_csv(tmp_path / "emotion.csv", index=False)
    with pytest.raises(DataError, match=r"AU12_r in data row 4 is -5\.5, outside -5 to 5"):
        read_dataset(tmp_path / "emotion.csv")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"how": "median"}, UsageError, "--normalize is one of none, group, neutral"),
        ({"how": "group", "groups": "none"}, UsageError, "needs groups that are persons"),
        ({"how": "group", "groups": "blocks:3"}, UsageError, "not --groups blocks:3"),
        ({"how": "neutral", "persons": {"": "ahn"}}, DataError, "needs to know who is who"),
    ],
)
def test_persons_have_to_be_known(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    table = faces_of(options.pop("persons", {"p": "ahn"}))
    with pytest.raises(error, match=message):
        build(tmp_path, table, **options)


def test_relative_aus_are_not_made_relative_again(tmp_path: Path) -> None:
    build(tmp_path, faces_of({"p": "ahn" * 3}), "group")
    path = tmp_path / "emotion.csv"
    same = build_dataset([path], tmp_path / "2.csv", emotions=THREE, normalize="group")
    assert np.array_equal(same.dataset.aus, read_dataset(path).aus)
    assert same.dataset.normalization.how == "group"
    kept = build_dataset([path], tmp_path / "3.csv", emotions=THREE)
    assert kept.dataset.normalization == same.dataset.normalization
    with pytest.raises(DataError, match="already relative"):
        build_dataset([path], tmp_path / "4.csv", emotions=THREE, normalize="neutral")
    raw = faces_of({"q": "ahn"})
    with pytest.raises(DataError, match="relative to different things"):
        join_tables([read_faces(path, THREE), raw])


# ---- models


@dataclass
class Recorder:
    """A model that keeps what it is asked; the first feature is the probability of angry."""

    how: str = "none"
    asked: list[np.ndarray] = field(default_factory=list)
    name: str = "recorder"
    path: Path = Path("recorder")
    emotions: Emotions = THREE
    features: tuple[str, ...] = tuple(reversed(INTENSITY_COLUMNS))
    extractor: Extractor = EXTRACTOR
    image_input: None = None

    @property
    def facts(self) -> dict[str, Any]:
        return {"dataset": {"normalization": Normalization(self.how, 0.7, 9).facts()}}

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        self.asked.append(values)
        return np.full((len(values), 3), 1 / 3, dtype=np.float32)


@pytest.mark.parametrize("how", ["group", "neutral"])
def test_a_model_gets_what_its_dataset_had(tmp_path: Path, how: str) -> None:
    table = faces_of({"p": "ahnnA", "q": "Nnahn", "r": "nnh"})
    built = build(tmp_path, table, how)
    model = Recorder(how)
    answers = answer_faces(model, table, 0.7, "the faces")
    images = table.frame["image"]
    assert images[answers.answered].tolist() == built.dataset.rows["image"].tolist()
    asked = np.concatenate(model.asked)
    assert np.array_equal(asked[:, ::-1], built.dataset.aus.to_numpy())
    fates = built.excluded.set_index("image")["status"].to_dict()
    assert {
        image: status
        for image, status, ok in zip(images, answers.status, answers.answered, strict=True)
        if not ok
    } == fates
    # a dataset that is already so is taken as it is
    again = Recorder(how)
    answer_faces(again, read_faces(tmp_path / "emotion.csv", THREE), 0.7, "the faces")
    assert np.array_equal(np.concatenate(again.asked), asked)


def test_unsure_faces_are_answered_but_never_a_baseline() -> None:
    """predict answers every face by default; the baselines are those of confident faces."""
    table = faces_of({"p": "ahnA"})
    sure, all_faces = Recorder("group"), Recorder("group")
    answer_faces(sure, table, 0.7, "the faces")
    answer_faces(all_faces, table, 0.0, "the faces")
    assert np.array_equal(all_faces.asked[0][:3], sure.asked[0])
    assert len(all_faces.asked[0]) == 4


def test_faces_without_a_baseline_have_no_answer() -> None:
    answers = answer_faces(Recorder("group"), faces_of({"p": "ahn", "q": "ah"}), 0.7, "the faces")
    assert answers.answered.tolist() == [True] * 3 + [False] * 2
    assert answers.words[3:] == ["", ""]
    assert answers.status.tolist() == ["ok"] * 3 + ["no_baseline"] * 2
    assert answers.reasons[3] == "q has fewer than 3 faces: no baseline"
    assert answers.warnings == (
        "2 of the faces have no answer: q has fewer than 3 faces: no baseline …",
    )


@pytest.mark.parametrize(
    ("how", "change", "message"),
    [
        ("group", {"grouping": Grouping()}, "these faces have no groups"),
        ("neutral", {"grouping": Grouping("images", "", 1, 3)}, "these faces have no groups"),
        ("none", {"normalization": Normalization("group")}, "relative to the person"),
        ("neutral", {"normalization": Normalization("group")}, "relative to the person"),
    ],
)
def test_faces_that_do_not_fit_the_model_are_refused(
    how: str, change: dict[str, Any], message: str
) -> None:
    table = replace(faces_of({"p": "ahn"}), **change)
    with pytest.raises(DataError, match=message) as raised:
        answer_faces(Recorder(how), table, 0.7, "the faces")
    assert raised.value.hint


def test_faces_without_labels_have_no_neutral_one() -> None:
    table = faces_of({"p": "ahn"})
    blank = replace(table, frame=table.frame.assign(emotion=""))
    with pytest.raises(DataError, match="no labels to find it by"):
        answer_faces(Recorder("neutral"), blank, 0.7, "the faces")
    answer_faces(Recorder("group"), blank, 0.7, "the faces")


def test_groups_of_a_pattern_give_the_same_answers(tmp_path: Path) -> None:
    table = faces_of({"p": "ahn", "q": "ahn"})
    nameless = AuTable(table.frame.assign(group=""), EXTRACTOR)
    write_au_table(nameless, tmp_path / "aus.csv")
    read = read_faces(tmp_path / "aus.csv", THREE, groups=GroupRule.parse(r"^([a-z])\d"))
    one, other = Recorder("group"), Recorder("group")
    answer_faces(one, table, 0.7, "the faces")
    answer_faces(other, read, 0.7, "the faces")
    assert np.array_equal(one.asked[0], other.asked[0])


def test_the_command_tells_of_it(aufer: RunAufer, tmp_path: Path) -> None:
    write_au_table(faces_of({"p": "ahnn", "q": "nahn", "r": "an"}), tmp_path / "aus.csv")
    command = ("build-dataset", "aus.csv", "--emotions", "angry,happy,neutral")
    ran = aufer(*command, "--normalize", "group").check()
    assert "of 2 persons." in ran.err
    assert "no_baseline" in ran.err
    ran = aufer(*command, "--normalize", "neutral", "--groups", "(x)").check(4)
    assert "finds no group in 10 of the 10 names" in ran.err
    ran = aufer(*command, "--normalize", "neutral", "--groups", "images").check(2)
    assert "needs groups that are persons" in ran.err


def test_from_photos_of_persons_to_answers(aufer: RunAufer, tmp_path: Path) -> None:
    """A bundle answers plain AUs, by their persons, as it answers its own dataset's rows."""
    table = faces_of({f"P{number:02d}-": "ahn" * 4 for number in range(12)})
    write_au_table(AuTable(table.frame.assign(group=""), EXTRACTOR), tmp_path / "aus.csv")
    by_name = ("--groups", r"^(P\d\d)")
    emotions = ("--emotions", "angry,happy,neutral")
    aufer("build-dataset", "aus.csv", *emotions, *by_name, "--normalize", "group").check()
    aufer("train", "data/emotion.csv", "--kind", "logistic", "--out", "model").check()
    facts = json.loads((tmp_path / "model" / "bundle.json").read_text())["dataset"]
    assert facts["normalization"]["how"] == "group"
    assert facts["groups"]["kind"] == "pattern"
    plain = aufer("predict", "aus.csv", "--model", "model", *by_name).check()
    relative = aufer("predict", "data/emotion.csv", "--model", "model").check()
    assert plain.out == relative.out
    assert len(plain.out.splitlines()) == 1 + len(table)
    refused = aufer("predict", "aus.csv", "--model", "model").check(4)
    assert "these faces have no groups" in refused.err
    assert "--groups" in refused.err
    evaluated = ("evaluate", "--testset", "aus.csv", "--model", "model")
    aufer(*evaluated, *by_name).check()
    assert "these faces have no groups" in aufer(*evaluated).check(4).err
