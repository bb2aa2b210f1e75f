"""`aufer explain`: baselines, the smallest change, words in two languages, the page, bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable, complete, write_au_table
from aufer.build_dataset import build_dataset
from aufer.bundle import Bundle, read_bundle
from aufer.emotions import DEFAULT_NAMES, PROTOTYPES, Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.explain import Explanation, choose_rows, explain
from aufer.explaining.baseline import background_of, neutral_baseline, zero_baseline
from aufer.explaining.change import ANY, smallest_changes
from aufer.explaining.face_picture import FacePicture, cut_face, shrink
from aufer.explaining.language import LANGUAGES, Word
from aufer.explaining.outputs import value_of
from aufer.explaining.page import write_explanation
from aufer.explaining.reasons import Question, explain_faces
from aufer.explaining.text import chance, digits_of, lines, signed
from aufer.groups import Grouping
from aufer.image_input import ImageInput
from aufer.openface.engine import Engine
from aufer.openface.engines import make_engine
from aufer.openface.faces import read_faces
from aufer.openface.landmarks import find_landmarks
from aufer.prototypes import prototype_agreement
from aufer.provenance import Extractor
from aufer.train import train
from tests.docker_engine import STAND_IN
from tests.faces import synthetic_faces, write_faces
from tests.running import RunAufer
from tests.stand_in.pictures import save_face

N_AUS = len(INTENSITY_COLUMNS)
LOW, HIGH = np.zeros(N_AUS), np.full(N_AUS, 5.0)
EN, KO = LANGUAGES["en"], LANGUAGES["ko"]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A logistic regression of made-up faces; read only."""
    folder = tmp_path_factory.mktemp("explained")
    return train(write_faces(folder / "faces.csv", 240), kind="logistic", out=folder / "small")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A table of made-up faces with names; the first is happy."""
    aus, _ = synthetic_faces(12, seed=5)
    aus[0] = 0
    aus[0, [4, 8]] = [2.0, 3.1]
    frame = pd.DataFrame(aus, columns=list(INTENSITY_COLUMNS))
    frame["image"] = [f"set{n % 2}/face{n}.jpg" for n in range(12)]
    frame.to_csv(tmp_path / "faces.csv", index=False)
    return tmp_path / "faces.csv"


def explained(model: Bundle, source: Path, **options: Any) -> dict[str, Any]:
    return explain(model, source, **options).facts


# ---- what is said of a face


def test_the_reasons_of_a_face(model: Bundle, faces: Path) -> None:
    facts = explained(model, faces, rows=["set0/face0.jpg"], why_not=["sad"])
    (face,) = facts["faces"]
    assert face["answer"] == "happy"
    assert face["shown"] == ["happy", "sad"]
    assert set(face["reasons"]) == set(model.emotions.names)
    happy = face["reasons"]["happy"]
    # the other AUs are 0, as at the baseline
    assert {share["au"]: share["value"] for share in happy["shares"]} == {"AU12": 3.1, "AU06": 2.0}
    assert abs(happy["shares"][0]["share"]) >= abs(happy["shares"][1]["share"])
    total = sum(share["share"] for share in happy["shares"])
    assert total == pytest.approx(happy["at_face"] - happy["at_baseline"], abs=1e-12)
    assert happy["at_face"] == pytest.approx(face["probabilities"]["happy"])
    assert facts["baseline"]["probabilities"]["happy"] == pytest.approx(
        happy["at_baseline"], abs=1e-6
    )
    said = "\n".join(lines(EN, facts))
    assert re.search(r"AU12 lip corner puller 3\.1: +\+0\.\d\d towards happy", said)
    assert re.search(r"AU12 lip corner puller 3\.1: +(−0\.\d+|0\.0+) away from sad", said)
    assert "Why not sad?" in said
    assert "Baseline: all AUs 0." in said


def test_the_prototypes(model: Bundle, faces: Path) -> None:
    facts = explained(model, faces)
    aus = read_faces(faces, model.emotions, labelled=False).intensities()
    expected = prototype_agreement(aus, INTENSITY_COLUMNS, model.emotions.names)
    for face, agreement, values in zip(facts["faces"], expected, aus, strict=False):
        by_emotion = face["prototypes"]["by_emotion"]
        assert [one["agreement"] for one in by_emotion.values()] == pytest.approx(list(agreement))
        best = model.emotions.names[int(agreement.argmax())]
        assert face["prototypes"]["best"] == best
        for emotion, one in by_emotion.items():
            assert {*one["there"], *one["missing"]} == set(PROTOTYPES[emotion])
            for au in one["there"]:
                assert values[INTENSITY_COLUMNS.index(f"{au}_r")] >= 1
    happy = facts["faces"][0]["prototypes"]["by_emotion"]["happy"]
    assert happy["of_reasons"] == 1  # only AU06 and AU12 differ from 0
    assert facts["faces"][0]["prototypes"]["by_emotion"]["neutral"]["of_reasons"] is None


def test_a_face_that_is_the_baseline(model: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "rest.csv"
    pd.DataFrame(np.zeros((1, N_AUS)), columns=list(INTENSITY_COLUMNS)).to_csv(path, index=False)
    found = explain(model, path)
    assert found.facts["faces"][0]["reasons"]["neutral"]["shares"] == []
    assert "This face is the baseline" in "\n".join(lines(EN, found.facts))
    write_explanation(tmp_path / "out", found.facts, found.pictures, KO)


# ---- what it is compared with


def test_the_mean_neutral_face_of_the_training_data(model: Bundle, faces: Path) -> None:
    rows = pd.read_csv(model.path / "rows.csv", dtype=str, keep_default_na=False)
    rows = rows[(rows["part"] == "train") & (rows["emotion"] == "neutral")]
    mean = np.array([text.split() for text in rows["aus"]], dtype=float).mean(axis=0)
    found = neutral_baseline(model)
    assert np.allclose(found.rows[0], mean)
    assert found.n_faces == len(rows)
    facts = explained(model, faces, baseline="neutral", most=1)
    assert list(facts["baseline"]["aus"].values()) == pytest.approx(list(mean), abs=1e-6)
    assert f"the mean of the {len(rows)} neutral faces" in "\n".join(lines(EN, facts))
    reason = facts["faces"][0]["reasons"]["happy"]
    total = sum(share["share"] for share in reason["shares"])
    assert total == pytest.approx(reason["at_face"] - reason["at_baseline"], abs=1e-12)


def test_the_faces_of_a_file(model: Bundle, faces: Path, tmp_path: Path) -> None:
    aus = synthetic_faces(7, seed=8)[0]
    path = tmp_path / "mine.csv"
    pd.DataFrame(aus, columns=list(INTENSITY_COLUMNS)).to_csv(path, index=False)
    facts = explained(model, faces, baseline=str(path), most=1)
    assert facts["baseline"]["kind"] == "mean"
    assert list(facts["baseline"]["aus"].values()) == pytest.approx(list(aus.mean(axis=0)))
    facts = explained(model, faces, background=str(path), pairs=50, most=2)
    assert facts["baseline"]["kind"] == "background"
    assert (facts["baseline"]["n_rows"], facts["baseline"]["aus"]) == (7, None)
    for face in facts["faces"]:
        for reason in face["reasons"].values():
            total = sum(share["share"] for share in reason["shares"])
            assert total == pytest.approx(reason["at_face"] - reason["at_baseline"], abs=1e-12)
            assert all(share["error"] >= 0 for share in reason["shares"])
    assert " ± " in "\n".join(lines(EN, facts))


def test_training_faces_as_background(model: Bundle, faces: Path) -> None:
    facts = explained(model, faces, background="20", pairs=40, most=1, seed=3)
    assert facts["baseline"]["n_rows"] == 20
    assert facts["baseline"]["n_faces"] > 100
    again = explained(model, faces, background="20", pairs=40, most=1, seed=3)
    assert again["faces"] == facts["faces"]
    rows = np.arange(50.0).reshape(10, 5)
    assert len(background_of(rows, "", most=4, seed=0).rows) == 4
    assert background_of(rows, "", most=10, seed=0).rows is rows


def test_a_model_without_its_data_says_so(model: Bundle, faces: Path, tmp_path: Path) -> None:
    table = pd.read_csv(model.path / "rows.csv", dtype=str, keep_default_na=False)
    bare = Path(shutil.copytree(model.path, tmp_path / "bare"))
    table.assign(aus="sha256:0123456789abcdef").to_csv(bare / "rows.csv", index=False)
    for options in ({"baseline": "neutral"}, {"background": "20"}):
        with pytest.raises(DataError, match="comes without the faces") as raised:
            explain(Bundle(bare, model.facts), faces, **options)
        assert "--baseline zero" in (raised.value.hint or "")


# ---- log-odds


def test_log_odds_of_the_logistic_model(model: Bundle, faces: Path) -> None:
    facts = explained(model, faces, scale="log-odds", most=3)
    training, temperature = model.facts["training"], model.facts["calibration"]["temperature"]
    for face in facts["faces"]:
        for emotion, reason in face["reasons"].items():
            for share in reason["shares"]:
                name = f"{share['au']}_r"
                slope = training["coefficients"][emotion][name] / training["deviation"][name]
                assert share["share"] == pytest.approx(
                    slope * share["value"] / temperature, abs=1e-4
                )
    assert "log-odds" in "\n".join(lines(EN, facts))


# ---- the smallest change


def nearest(rows: np.ndarray) -> np.ndarray:
    """A model: the answer is 1 where the first two features outweigh the third, else 0 or 2."""
    score = rows[:, 0] + rows[:, 1] - rows[:, 2]
    third = 3 * (rows[:, 3] - 4.5)
    scores = np.stack([np.zeros(len(rows)), score - 2.005, third], axis=1)
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_one_au_in_the_finest_steps() -> None:
    face = np.array([0.0, 1.5, 0.0, 0.0])
    found = smallest_changes(nearest, face, np.zeros(4), np.full(4, 5.0), [ANY, 1, 2, 0])
    assert set(found) == {ANY, 1, 2}  # 0 is the answer already
    change = found[ANY]
    assert change is not None
    assert change.answer == 1
    assert change.total == pytest.approx(0.51)  # from 1.50 to 2.01 in all
    to_one = found[1]
    assert to_one is not None
    assert to_one.values == change.values
    third = found[2]
    assert third is not None
    assert third.values == {3: pytest.approx(4.51)}


def test_two_and_three_aus() -> None:
    def value(rows: np.ndarray) -> np.ndarray:
        enough = (rows[:, :n] >= 1.23).all(axis=1)
        return np.stack([~enough, enough], axis=1).astype(float)

    for n in (2, 3):
        found = smallest_changes(value, np.zeros(6), np.zeros(6), np.full(6, 5.0))[ANY]
        assert found is not None
        assert found.values == {feature: pytest.approx(1.23) for feature in range(n)}
    n = 4
    assert smallest_changes(value, np.zeros(6), np.zeros(6), np.full(6, 5.0)) == {ANY: None}


@pytest.mark.parametrize("row", range(6))
def test_no_smaller_change_lies_on_a_finer_grid(row: int, model: Bundle) -> None:
    value = value_of(model)
    face = synthetic_faces(12, seed=6)[0][row]
    answer = value(face[None])[0].argmax()
    found = smallest_changes(value, face, LOW, HIGH)[ANY]
    assert found is not None
    changed = face.copy()
    changed[list(found.values)] = list(found.values.values())
    assert value(changed[None])[0].argmax() == found.answer != answer
    assert found.total == pytest.approx(np.abs(changed - face).sum())
    axis = np.linspace(0, 5, 101)
    for feature in range(N_AUS):
        points = np.repeat(face[None], len(axis), axis=0)
        points[:, feature] = axis
        other = value(points).argmax(axis=1) != answer
        if len(found.values) > 1:
            assert not other.any()
        elif other.any():
            assert np.abs(axis[other] - face[feature]).min() >= found.total - 1e-9


def test_changes_stay_within_what_is_measured(model: Bundle) -> None:
    """AUs relative to the person: measured they stay between 0 and 5."""
    values = synthetic_faces(6, seed=7)[0] - 1.0
    facts = explain_faces(model, values, values + 1.0, Question(zero_baseline(N_AUS)))
    for face in facts:
        for change in face["changes"]:
            for one in change.get("aus", ()):
                assert -1.0 <= one["to"] <= 4.0


# ---- which faces


def test_faces_by_name_and_number(model: Bundle, faces: Path) -> None:
    table = read_faces(faces, model.emotions, labelled=False)
    assert choose_rows(table, (), faces).tolist() == list(range(12))
    assert choose_rows(table, ("face3.jpg", "1", "set1/face3.jpg"), faces).tolist() == [3, 0]
    for wrong in ("face", "13", "0", "nobody.jpg"):
        with pytest.raises(UsageError, match=f"no face of the name '{wrong}'") as raised:
            choose_rows(table, (wrong,), faces)
        assert "1 … 12" in (raised.value.hint or "")
    table.frame.loc[1, "image"] = "set0/face0.jpg"
    with pytest.raises(UsageError, match=r"several faces of the name 'face0\.jpg'"):
        choose_rows(table, ("face0.jpg",), faces)


def test_the_first_ones_and_those_without_an_answer(
    model: Bundle, sample: Path, tmp_path: Path
) -> None:
    facts = explained(model, sample / "test", most=3)
    assert len(facts["faces"]) == 3
    n_faces = len(read_faces(sample / "test", model.emotions, labelled=False))
    assert facts["n_left_out"] == n_faces - facts["n_unanswered"] - 3
    assert facts["n_unanswered"] > 0
    assert {one["status"] for one in facts["unanswered"]} == {"no_face"}
    image = facts["unanswered"][0]["image"]
    with pytest.raises(DataError, match=r"No face .* has an answer to explain"):
        explain(model, sample / "test", rows=[image])


def test_wrong_questions(model: Bundle, faces: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="doesn't know the emotion 'hapy'") as raised:
        explain(model, faces, why_not=["hapy"])
    assert raised.value.hint == "--why-not happy"
    with pytest.raises(UsageError, match="no scale"):
        explain(model, faces, scale="percent")
    with pytest.raises(UsageError, match="to take the baseline from"):
        explain(model, faces, baseline="nothing.csv")
    assert explained(model, faces, why_not=["sadness"], most=1)["faces"][0]["shown"][-1] == "sad"


# ---- words


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts() -> None:
    for name in ("texts", "emotions", "aus"):
        assert set(getattr(KO, name)) == set(getattr(EN, name)), name
    for key, text in EN.texts.items():
        wanted, given = fields(text), fields(KO.texts[key])
        assert given <= wanted, key
        assert wanted - given <= {"emotion", "n"}, key


def test_the_command_knows_every_language() -> None:
    from aufer.cli.explain import LANGUAGES as OFFERED

    assert set(OFFERED) == set(LANGUAGES)


def test_korean_particles_follow_the_sound() -> None:
    assert f"{Word('행복'):이/가} {Word('분노'):이/가}" == "행복이 분노가"
    assert f"{Word('놀람'):으로/로} {Word('혐오'):으로/로} {Word('눈물'):으로/로}" == (
        "놀람으로 혐오로 눈물로"
    )
    assert f"{Word('joy'):이/가}" == "joy이(가)"
    assert f"{Word('happy')}" == "happy"


def test_reasons_in_korean(model: Bundle, faces: Path) -> None:
    said = "\n".join(lines(KO, explained(model, faces, most=1, why_not=["sad"])))
    assert re.search(r"AU12 입꼬리 당기기 3\.1: +행복 쪽으로 \+0\.\d\d", said)
    assert "왜 슬픔이 아닌가?" in said
    assert "기준: 모든 AU가 0인 얼굴." in said


def test_numbers_in_words() -> None:
    assert [signed(x) for x in (0.424, -0.08, 0.001, -0.001)] == ["+0.42", "−0.08", "0.00", "0.00"]
    assert signed(-0.0042, 3) == "−0.004"
    assert [chance(x) for x in (0.0, 0.006, 0.5, 0.999)] == ["< 1 %", "1 %", "50 %", "> 99 %"]
    assert digits_of([{"share": 0.01}]) == 3
    assert digits_of([{"share": -0.2}, {"share": 0.01}]) == 2


# ---- the page


def written(folder: Path, found: Explanation, language: str = "en") -> str:
    page = write_explanation(folder, found.facts, found.pictures, LANGUAGES[language])
    return page.read_text(encoding="utf-8")


def test_the_folder_of_an_explanation(model: Bundle, faces: Path, tmp_path: Path) -> None:
    found = explain(model, faces, most=1, why_not=["angry"])
    html = written(tmp_path / "out", found)
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", html)
    assert html.count("data:image/svg+xml;base64,") == 1
    assert "AU12 lip corner puller" in html
    facts = json.loads((tmp_path / "out" / "explain.json").read_text(encoding="utf-8"))
    names = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names >= {"face-1.png", "face-1.svg", "contributions.csv", "changes.csv", "faces.csv"}
    assert set(facts["files"]) == {
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and path.name != "explain.json"
    }
    table = pd.read_csv(tmp_path / "out" / "tables" / "contributions.csv")
    face = table[(table["image"] == "set0/face0.jpg") & (table["emotion"] == "happy")]
    expected = {s["au"]: s["share"] for s in facts["faces"][0]["reasons"]["happy"]["shares"]}
    assert dict(zip(face["au"], face["share"], strict=True)) == pytest.approx(expected)
    korean = written(tmp_path / "out", found, "ko")  # replaces its own
    assert '<html lang="ko">' in korean
    assert "왜 이 표정으로 읽었는가?" in korean
    (tmp_path / "out" / "note.txt").write_text("mine")
    with pytest.raises(AuferError, match="was edited"):
        written(tmp_path / "out", found)


def test_names_of_images_are_escaped(model: Bundle, faces: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(faces)
    frame["image"] = "<script>alert(1)</script>.jpg"
    frame.head(1).to_csv(faces, index=False)
    assert "<script>" not in written(tmp_path / "out", explain(model, faces))


# ---- pictures


def test_landmarks_of_openface_files(data: Path, model: Bundle, tmp_path: Path) -> None:
    csv = data / "openface-examples" / "astronaut" / "astronaut.csv"
    read = pd.read_csv(csv, skipinitialspace=True)
    expected = np.stack([read.filter(regex=f"^{axis}_").to_numpy()[0] for axis in "xy"], axis=1)
    for source in (csv, csv.parent):
        table = read_faces(source, model.emotions, labelled=False)
        found = find_landmarks(table, source)
        assert np.allclose(found[0], expected)
        explanation = explain(model, source)
        assert explanation.pictures[0].landmarks is not None
    written(tmp_path / "out", explanation)
    assert find_landmarks(table, tmp_path) == {}


@pytest.mark.skipif(os.name == "nt", reason="the stand-in needs a POSIX shell")
def test_an_image_that_is_measured_now(model: Bundle, tmp_path: Path) -> None:
    """Its landmarks are in its own pixels, measured now, known already, or by its AU table."""
    save_face(tmp_path / "faces" / "a.png")
    store = tmp_path / "data"

    def engine() -> Engine:
        return make_engine("local", openface=str(STAND_IN))

    found = explain(model, tmp_path / "faces", engine=engine, keep_in=store)
    (picture,) = found.pictures
    assert picture.path == tmp_path / "faces" / "a.png"
    assert picture.landmarks is not None
    pixels = picture.read()
    assert pixels is not None
    assert picture.fits(pixels)
    x, y, width, height = picture.box or (0, 0, 0, 0)
    low, high = picture.landmarks.min(axis=0), picture.landmarks.max(axis=0)
    assert [*low, *(high - low)] == pytest.approx([x, y, width, height], abs=0.05)
    table = read_faces(
        tmp_path / "faces", model.emotions, engine=engine, keep_in=store, labelled=False
    )
    write_au_table(table, store / "aus.csv")
    again = explain(model, store / "aus.csv").pictures[0].landmarks
    assert again is not None
    assert np.array_equal(again, picture.landmarks)


def test_the_face_is_cut_out_of_its_picture(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.zeros((1200, 1600, 3), dtype=np.uint8)
    pixels[400:800, 600:1000] = 200
    Image.fromarray(pixels).save(tmp_path / "face.png")
    points = np.random.default_rng(0).uniform(0, 400, (68, 2)) + np.array([600, 400])
    picture = FacePicture(tmp_path / "face.png", points)
    read, frame = picture.read(), picture.frame()
    assert read is not None
    assert frame is not None
    assert np.array_equal(read, pixels)
    assert picture.fits(read)
    cut, x0, y0, factor = cut_face(read, frame)
    assert max(cut.shape[:2]) <= 480
    middle = ((points.mean(axis=0) - (x0, y0)) / factor).astype(int)
    assert cut[middle[1], middle[0]].tolist() == [200] * 3
    # landmarks of another, larger picture are not drawn over this one
    assert not FacePicture(None, points * 4).fits(read)
    assert not FacePicture(None, None, (0, 0, 2000, 2000)).fits(read)
    assert FacePicture(tmp_path / "nothing.png").read() is None
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert FacePicture(tmp_path / "bad.png").read() is None
    assert shrink(pixels)[1] == 4


def test_the_picture_is_shown(model: Bundle, data: Path, tmp_path: Path) -> None:
    from PIL import Image

    csv = data / "openface-examples" / "astronaut" / "astronaut.csv"
    folder = tmp_path / "of"
    folder.mkdir()
    shutil.copy(csv, folder)
    (tmp_path / "im").mkdir()
    Image.new("RGB", (512, 512), (90, 90, 90)).save(tmp_path / "im" / "astronaut.png")
    found = explain(model, folder, images=tmp_path / "im")
    assert found.pictures[0].path == tmp_path / "im" / "astronaut.png"
    svg = written(tmp_path / "out", found)
    assert "data:image" in svg
    assert "<image" in (tmp_path / "out" / "figures" / "face-1.svg").read_text()


# ---- models of pictures, and of AUs relative to the person


@dataclass(frozen=True)
class Brightness:
    """A model of pictures: happy where the upper part is bright, sad where it is dark."""

    facts: dict[str, Any] = field(default_factory=lambda: {"kind": "made up"})
    path: Path = Path("brightness")
    name: str = "brightness"
    emotions: Emotions = field(default_factory=lambda: Emotions(("happy", "sad")))
    features: tuple[str, ...] = ()
    image_input: ImageInput = field(default_factory=lambda: ImageInput(24, 30))
    extractor: Extractor = field(default_factory=Extractor)

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        bright = values[:, :10].mean(axis=(1, 2, 3)) / 255
        return np.stack([bright, 1 - bright], axis=1).astype(np.float32)


def test_where_a_model_of_pictures_looked(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "faces").mkdir()
    pixels = np.full((60, 48), 60, dtype=np.uint8)
    pixels[:20] = 255
    Image.fromarray(pixels).save(tmp_path / "faces" / "a.png")
    (tmp_path / "faces" / "b.png").write_bytes(b"no picture")
    found = explain(Brightness(), tmp_path / "faces")
    (face,) = found.facts["faces"]
    assert (face["answer"], found.facts["baseline"]) == ("happy", None)
    assert face["saliency"]["upper"] > 0.75
    assert 0.05 < face["most_lost"] < 0.5
    assert f"takes {100 * face['most_lost']:.1f} points" in "\n".join(lines(EN, found.facts))
    assert sum(face["saliency"].values()) == pytest.approx(1)
    assert found.facts["n_failed"] == 1
    assert found.facts["unanswered"][0]["status"] == "unreadable"
    said = "\n".join(lines(EN, found.facts))
    assert "the model looked at the upper third" in said
    assert "b.png: no answer (unreadable" in said
    assert "where the model looked" in written(tmp_path / "out", found)
    assert (tmp_path / "out" / "figures" / "face-1.png").is_file()
    assert not (tmp_path / "out" / "tables" / "contributions.csv").exists()


def test_where_nothing_matters(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (24, 30), 128).save(tmp_path / "flat.png")
    found = explain(Brightness(), tmp_path / "flat.png")
    assert found.facts["faces"][0]["saliency"] is None
    assert "Covering no part" in "\n".join(lines(EN, found.facts))


def relative_faces(n_persons: int = 20) -> AuTable:
    """Faces of persons whose own usual AUs differ."""
    aus, labels = synthetic_faces(6 * n_persons, seed=2)
    at_rest = np.random.default_rng(0).uniform(0, 1.5, (n_persons, N_AUS)).round(2)
    persons = np.arange(len(aus)) // 6
    frame = pd.DataFrame(np.clip(aus + at_rest[persons], 0, 5), columns=list(INTENSITY_COLUMNS))
    frame["image"] = [f"{n}.jpg" for n in range(len(aus))]
    frame["group"] = [f"p{person}" for person in persons]
    frame["emotion"] = [DEFAULT_NAMES[label] for label in labels]
    frame["status"], frame["confidence"] = "ok", 0.9
    return AuTable(complete(frame), grouping=Grouping.by_column(frame["group"].tolist()))


def test_a_model_of_aus_relative_to_the_person(tmp_path: Path) -> None:
    table = relative_faces()
    write_au_table(table, tmp_path / "aus.csv")
    build_dataset([tmp_path / "aus.csv"], tmp_path / "emotion.csv", normalize="group")
    model = train(tmp_path / "emotion.csv", kind="logistic", out=tmp_path / "relative")
    facts = explained(model, tmp_path / "aus.csv", most=2)
    assert facts["relative"] == "group"
    values = table.intensities()
    for row, face in enumerate(facts["faces"]):
        median = np.median(values[:6], axis=0)
        assert list(face["aus"].values()) == pytest.approx(list(values[row] - median), abs=0.006)
        assert list(face["measured"].values()) == pytest.approx(list(values[row]))
        reason = face["reasons"][face["answer"]]
        total = sum(share["share"] for share in reason["shares"])
        assert total == pytest.approx(reason["at_face"] - reason["at_baseline"], abs=1e-12)
    said = "\n".join(lines(EN, facts))
    assert "takes AUs relative to the person" in said
    assert "Prototypes go by the AUs as measured" in said
    # of its dataset only the differences are known
    facts = explained(model, tmp_path / "emotion.csv", most=1)
    assert not facts["knows_measured"]
    assert "the AUs as measured are not known" in "\n".join(lines(EN, facts))
    # and faces of nobody knows whom can't be made so
    faces = pd.read_csv(tmp_path / "aus.csv").drop(columns="group")
    faces.to_csv(tmp_path / "others.csv", index=False)
    with pytest.raises(DataError, match="these faces have no groups"):
        explain(model, tmp_path / "others.csv")


# ---- the command


def test_the_command(aufer: RunAufer, model: Bundle, faces: Path) -> None:
    done = aufer("explain", model.path, faces, "--row", "face0.jpg", "--why-not", "sad").check()
    assert "set0/face0.jpg: happy" in done.out
    assert "Smallest change" in done.out
    facts = json.loads(aufer("explain", model.path, faces, "--most", "1", "--json").check().out)
    assert facts["schema"] == "aufer/explanation/1"
    assert facts["command"].startswith("aufer explain")
    done = aufer("explain", model.path, faces, "--out", "why", "--language", "ko", "--most", "1")
    assert done.check().out.strip() == str(Path("why") / "explain.html")


def test_the_commands_errors(aufer: RunAufer, model: Bundle, faces: Path) -> None:
    for code, words, said in (
        (2, ("nothing", faces), "There is no model 'nothing'"),
        (2, (model.path, "nothing.csv"), "There is no nothing.csv"),
        (2, (model.path, "--row", "1"), "--row is about a face"),
        (2, (model.path, faces, "--testset", faces), "--testset is for a model as a whole"),
        (2, (model.path, faces, "--language", "xx"), "xx"),
    ):
        done = aufer("explain", *words).check(code)
        assert said in done.err
        assert done.out == ""


def test_nothing_heavy_is_loaded(model: Bundle, faces: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from aufer.explain import explain;"
        "from aufer.bundle import read_bundle;"
        f"explain(read_bundle(Path({str(model.path)!r})), Path({str(faces)!r}));"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert not {"tensorflow", "keras", "sklearn", "matplotlib"} & set(done.stdout.split())
    assert read_bundle(model.path).name == "small"
