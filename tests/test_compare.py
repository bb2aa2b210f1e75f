"""Models side by side: the same images for all, copies, extra emotions, stored answers, fusion."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable
from aufer.bundle import FACTS_NAME, ROWS_COLUMNS, ROWS_NAME, Bundle, read_bundle
from aufer.compare import Comparison, compare
from aufer.comparison.asking import count_parameters
from aufer.comparison.disagreements import N_SHOWN
from aufer.comparison.figures import leading_view
from aufer.comparison.fused import Validation
from aufer.comparison.matching import find_overlap, match_images
from aufer.comparison.page import comparison_folder, write_comparison
from aufer.comparison.reasons import add_reasons
from aufer.comparison.stored import Stored, is_stored, read_stored
from aufer.comparison.tables import make_tables
from aufer.comparison.text import describe_copies, describe_coverage, sentences
from aufer.emotions import DEFAULT_NAMES, Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.evaluate import evaluate
from aufer.explaining.outputs import value_of
from aufer.explaining.shapley import exact_shares
from aufer.files import hash_files, to_json, write_text
from aufer.groups import Grouping
from aufer.image_input import ImageInput
from aufer.normalization import NEUTRAL, Normalization
from aufer.openface.faces import read_faces
from aufer.report.of_model import read_rows
from aufer.seen import find_seen
from aufer.shipped import models_folder
from aufer.tables import DIGITS
from tests.image_model import brightness_of, make_image_bundle, save_pictures
from tests.running import RunAufer

FEAR = (*DEFAULT_NAMES, "fear")


@pytest.fixture(scope="module")
def pictures(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up picture under the name of each test face: its grey says the emotion, or nearly."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(5)
    for number, name in enumerate(DEFAULT_NAMES):
        (folder / name).mkdir()
        for details in sorted((sample / "test" / name).glob("*_of_details.txt")):
            stem = details.name.removesuffix("_of_details.txt")
            grey = brightness_of(number) + random.normal(0, 25) + random.normal(0, 8, (24, 24))
            picture = PIL.Image.fromarray(grey.clip(0, 255).astype(np.uint8))
            picture.save(folder / name / f"{stem}.jpg")
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """The shipped model of AUs, one of pictures, one of other pictures that knows fear too."""
    folder = tmp_path_factory.mktemp("models")
    seven = ImageInput(12, 12, channels=3, fit="crop")
    shipped = models_folder()
    assert shipped is not None
    return {
        "aus": read_bundle(shipped / "openface-aus"),
        "bright": read_bundle(make_image_bundle(folder / "bright")),
        "seven": read_bundle(make_image_bundle(folder / "seven", FEAR, seven, sharpness=0.03)),
    }


@pytest.fixture(scope="module")
def faces(sample: Path, pictures: Path) -> AuTable:
    """The sample's test faces with their pictures."""
    return read_faces(sample / "test", Emotions(), images=pictures)


@pytest.fixture(scope="module")
def compared(models: dict[str, Bundle], faces: AuTable) -> Comparison:
    """All three models on the test faces."""
    return compare(list(models.values()), faces, testset="sample/test")


def test_each_model_has_the_figures_that_it_has_alone(
    compared: Comparison, models: dict[str, Bundle], faces: AuTable
) -> None:
    view = compared.facts["views"]["all"]["wrong"]
    for figures, model in zip(view["models"], models.values(), strict=True):
        alone = evaluate(model, faces).facts["figures"]["all"]
        for key in ("accuracy", "accuracy_all", "coverage"):
            assert figures[key] == alone[key], (model.name, key)
        for key in ("macro_f1", "ece", "brier", "log_loss"):
            assert figures[key] == pytest.approx(alone[key], rel=1e-6), (model.name, key)
    baselines = {row["name"]: row for row in view["baselines"]}
    own = {row["name"]: row for row in evaluate(models["aus"], faces).facts["figures"]["all"][
        "baselines"]}  # fmt: skip
    assert baselines["prototypes"]["accuracy"] == own["prototypes"]["accuracy"]


def test_a_face_that_is_not_found_is_no_answer_of_the_model_of_aus_only(
    compared: Comparison, faces: AuTable
) -> None:
    usable = int(faces.is_usable().sum())
    by_name = {m["name"]: m for m in leading_view(compared.facts)["models"]}
    assert [m["n_answered"] for m in by_name.values()] == [usable, len(faces), len(faces)]
    view = leading_view(compared.facts)
    assert view["n_common"] == usable
    assert [pair["n"] for pair in view["pairs"]["answered"]] == [usable, usable, len(faces)]
    assert [pair["n"] for pair in view["pairs"]["all"]] == [len(faces)] * 3
    said = " ".join(sentences(compared.facts))
    assert "openface-aus answers" in said
    assert "counting those without an answer as wrong" in said


def test_every_figure_follows_from_the_predictions(compared: Comparison) -> None:
    table, view = compared.predictions, compared.facts["views"]["all"]["mask"]
    assert len(table) == compared.facts["testset"]["n_images"]
    right = {}
    for figures in view["models"]:
        name = figures["name"]
        p = table[[f"{name}.{emotion}" for emotion in DEFAULT_NAMES]]
        answered = (table[f"{name}.predicted"] != "").to_numpy()
        words = np.array(DEFAULT_NAMES)[np.nan_to_num(p.to_numpy()).argmax(axis=1)]
        right[name] = answered & (words == table["emotion"].to_numpy())
        assert figures["accuracy"]["k"] == right[name].sum()
        assert figures["accuracy"]["n"] == answered.sum()
    for pair in view["pairs"]["all"]:
        a, b = right[pair["first"]], right[pair["second"]]
        assert (pair["first_only"], pair["second_only"]) == ((a & ~b).sum(), (~a & b).sum())


def test_an_emotion_beyond_those_asked_for_is_masked_or_wrong(
    models: dict[str, Bundle], faces: AuTable
) -> None:
    two = [models["bright"], models["seven"]]
    masked, wrong = (compare(two, faces, extra=extra) for extra in ("mask", "wrong"))
    assert masked.facts["views"] == wrong.facts["views"]
    shares = [leading_view(c.facts)["models"][1]["accuracy"]["k"] for c in (masked, wrong)]
    assert shares[0] >= shares[1]
    assert masked.facts["models"][1]["extra_emotions"] == ["fear"]
    said = " ".join(sentences(masked.facts))
    assert "seven also knows fear, which is not asked for here: those answers are left out" in said
    assert "(--extra wrong), the accuracies are" in said
    with pytest.raises(UsageError, match="no way 'both'"):
        compare(two, faces, extra="both")


def test_the_labels_don_t_say_what_is_asked_for(models: dict[str, Bundle], faces: AuTable) -> None:
    """Where one emotion only is there, saying another one is wrong all the same."""
    two = [models["bright"], models["seven"]]
    happy = faces.picked((faces.frame["emotion"] == "happy").to_numpy())
    facts = compare(two, happy).facts
    assert facts["emotions"] == list(DEFAULT_NAMES)
    assert facts["testset"]["by_emotion"] == {n: 11 * (n == "happy") for n in DEFAULT_NAMES}
    assert facts["models"][1]["extra_emotions"] == ["fear"]
    every = compare(two, faces).facts
    for few, all_of_them in zip(leading_view(facts)["models"], leading_view(every)["models"]):
        assert few["accuracy"]["k"] == all_of_them["per_emotion"][2]["recall"]["k"]
    to_json(facts)
    assert compare(two, faces, emotions=Emotions(("happy", "sad"))).facts["emotions"] == [
        "happy",
        "sad",
    ]


def test_what_is_said_of_coverage_and_copies(compared: Comparison) -> None:
    assert describe_coverage(compared.facts).startswith("A model of AUs can't answer where no face")
    of_pictures = [{**model, "input": "image"} for model in compared.facts["models"]]
    said = describe_coverage({**compared.facts, "models": of_pictures})
    assert said.startswith("openface-aus answers ")
    unknown = [{**model, "seen_checked": False, "seen": []} for model in compared.facts["models"]]
    said = describe_copies({**compared.facts, "models": unknown, "n_seen": 0})
    assert said.startswith("What openface-aus, bright and seven were trained on is not known")
    unknown[0]["seen_checked"] = True
    said = describe_copies({**compared.facts, "models": unknown, "n_seen": 0})
    assert said.startswith("No test image was found among the training images of the other models.")


def test_small_numbers_and_p_values_are_readable(compared: Comparison) -> None:
    tables = make_tables(compared.facts, [])
    (pair, *_), cost = tables["pairs"].rows, tables["cost"]
    columns = {column.key: column for column in (*tables["pairs"].columns, *cost.columns)}
    assert columns["p"].show(1e-9) == "< 0.001"
    assert columns["p"].show(0.04321) == "0.043"
    assert columns["inference_ms"].show(0.00012345) == "0.000123"
    assert columns["inference_ms"].show(1234.5) == "1,234"
    assert "needed_holm" in pair
    limits = {column.key: column for column in tables["models"].columns}["macro_f1_limits"]
    assert limits.show((0.41, 0.47)) == "0.410 to 0.470"


def test_a_name_may_hold_anything(faces: AuTable, tmp_path: Path) -> None:
    odd = make_image_bundle(tmp_path / "a$_{$ <b>&")
    plain = make_image_bundle(tmp_path / "fusion")
    found = compare([read_bundle(odd), read_bundle(plain)], faces)
    names = [model["name"] for model in found.facts["models"]]
    assert names == ["a$_{$ <b>&", f"{tmp_path.name}/fusion"]
    page = write_comparison(
        tmp_path / "r", found.facts, found.predictions, found.disagreements, found.pictures
    )
    html = page.read_text(encoding="utf-8")
    assert "<b>" not in html
    assert "a$_{$ &lt;b&gt;&amp;" in html
    assert "a$_{$ &lt;b&gt;&amp;" in (page.parent / "figures" / "accuracy.svg").read_text()


def test_stored_answers_are_told_apart_by_their_folders() -> None:
    names = ["reports/one/predictions.csv", "two/predictions.csv", "theirs.csv", "face-cnn"]
    folder = comparison_folder(Path("reports"), names, Path("data/testset"))
    assert folder == Path("reports/compare-one-two-theirs-face-cnn-on-testset")


def test_the_time_and_size_of_each(compared: Comparison, models: dict[str, Bundle]) -> None:
    of_aus, bright, seven = compared.facts["models"]
    assert of_aus["preprocessing_ms"] is None
    assert bright["preprocessing_ms"] > 0
    assert seven["preprocessing_ms"] > 0
    assert all(model["inference_ms"] > 0 for model in compared.facts["models"])
    size = (models["bright"].path / "model.onnx").stat().st_size
    assert bright["size_mb"] == size / 1e6
    assert (bright["pictures"], seven["pictures"]) == ("8x8 grey", "12x12 RGB")
    assert of_aus["parameters"] >= 17 * 6 + 6  # one weight per AU and emotion
    assert bright["parameters"] == 7


def test_trees_have_no_parameters_to_count(tmp_path: Path) -> None:
    from onnx import helper, save

    node = helper.make_node("TreeEnsembleClassifier", ["x"], ["y"], domain="ai.onnx.ml")
    save(helper.make_model(helper.make_graph([node], "trees", [], [])), tmp_path / "t.onnx")
    assert count_parameters(tmp_path / "t.onnx") is None


def test_each_picture_is_decoded_once_for_all_models(
    models: dict[str, Bundle], faces: AuTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aufer import model
    from aufer.comparison import asking

    calls: list[tuple[int, int]] = []
    real = model.read_pixels

    def counted(paths: list[Path], inputs: list[ImageInput], **options: int) -> object:
        calls.append((len(paths), len(set(inputs))))
        return real(paths, inputs, **options)

    for module in (model, asking):
        monkeypatch.setattr(module, "read_pixels", counted)
    monkeypatch.setattr(asking, "N_TIMED", 3)
    twice = replace(models["bright"], path=models["bright"].path)
    compare([models["bright"], twice, models["seven"]], faces)
    assert [call for call in calls if call[0] == len(faces)] == [(len(faces), 2)]


def test_a_picture_that_can_t_be_read_has_no_answer(
    models: dict[str, Bundle], faces: AuTable, tmp_path: Path
) -> None:
    assert faces.paths is not None
    paths = faces.paths.copy()
    (tmp_path / "cut.jpg").write_bytes(paths[0].read_bytes()[:200])
    paths[0], paths[1] = tmp_path / "cut.jpg", None
    found = compare([models["bright"], models["seven"]], replace(faces, paths=paths))
    assert found.predictions["bright.status"].tolist()[:3] == ["unreadable", "no_picture", "ok"]
    assert leading_view(found.facts)["models"][0]["n_answered"] == len(faces) - 2


def test_models_of_pictures_need_pictures(models: dict[str, Bundle], faces: AuTable) -> None:
    with pytest.raises(DataError, match=r"read pictures, .* comes without: bright") as raised:
        compare([models["aus"], models["bright"]], replace(faces, paths=None))
    assert "--images FOLDER" in (raised.value.hint or "")


def _with_rows(model: Bundle, faces: AuTable, parts: list[str], folder: Path) -> Bundle:
    """A copy of a bundle that was trained on these faces."""
    copy = make_image_bundle(folder / model.name)
    rows = faces.frame.assign(part=parts, aus="").loc[:, list(ROWS_COLUMNS)]
    rows.to_csv(copy / ROWS_NAME, index=False)
    facts = json.loads((copy / FACTS_NAME).read_text())
    facts["files"] = hash_files(copy, FACTS_NAME)
    (copy / FACTS_NAME).write_text(json.dumps(facts))
    return read_bundle(copy)


def test_copies_of_any_model_s_training_images_are_left_out_first(
    models: dict[str, Bundle], faces: AuTable, tmp_path: Path
) -> None:
    parts = ["train", "validation", *["test"] * (len(faces) - 2)]
    knowing = _with_rows(models["bright"], faces, parts, tmp_path)
    found = compare([models["seven"], knowing], faces)
    facts = found.facts
    # noise has hashes of its own, so that nothing is a near copy of these two
    assert facts["models"][1]["seen"] == faces.frame["image"].tolist()[:2]
    assert facts["leading"]["images"] == "unseen"
    assert leading_view(facts)["n_images"] == len(faces) - 2
    assert facts["views"]["all"]["mask"]["n_images"] == len(faces)
    assert found.predictions["seen_in_training"].sum() == 2
    said = " ".join(sentences(facts))
    assert f"2 of the {len(faces)} test images are training images" in said
    assert "What seven was trained on is not known" in said
    assert all(not case["seen"] for case in found.disagreements)
    # the guess of the most frequent emotion is by the training rows that are known
    assert "in the training data of bright" in facts["baselines"][0]["title"]


def test_without_known_training_rows_the_test_set_gives_the_most_frequent(
    models: dict[str, Bundle], faces: AuTable
) -> None:
    facts = compare([models["bright"], models["seven"]], faces).facts
    assert facts["baselines"][0]["title"].endswith("the most frequent of the test images")


# where they disagree


def test_answers_of_aus_come_with_the_aus_that_moved_them_most(
    compared: Comparison, faces: AuTable, models: dict[str, Bundle]
) -> None:
    shown = [c for c in compared.disagreements[:N_SHOWN] if c["models"][0]["predicted"]]
    assert shown
    model, column = models["aus"], faces.frame["image"].tolist()
    for case in shown:
        answer = case["models"][0]
        face = faces.intensities()[[column.index(case["image"])]].astype(np.float32)
        shares = exact_shares(value_of(model), face, np.zeros(face.shape[1])).shares[0]
        own = shares[:, model.emotions.number(answer["predicted"])]
        au = INTENSITY_COLUMNS[int(np.abs(own).argmax())].removesuffix("_r")
        assert answer["reason"].startswith(f"{au} ")
        assert f": {own[np.abs(own).argmax()]:+.2f}".replace("-", "−") in answer["reason"]


def test_reasons_of_aus_relative_to_a_person_whose_neutral_face_is_not_compared() -> None:
    class Relative:
        path, name, features, image_input = Path(), "relative", INTENSITY_COLUMNS, None
        emotions = Emotions(("happy", "neutral"))

        @property
        def facts(self) -> dict[str, dict]:
            return {"dataset": {"normalization": Normalization(NEUTRAL).facts()}}

        def predict_proba(self, values: np.ndarray) -> np.ndarray:
            p = 1 / (1 + np.exp(-values[:, INTENSITY_COLUMNS.index("AU12_r")]))
            return np.column_stack([p, 1 - p])

    faces = _images("f", 2)
    frame = faces.frame.assign(emotion=["neutral", "happy"], group="ann", confidence=0.98)
    frame[list(INTENSITY_COLUMNS)] = 0.0
    frame["AU12_r"] = [1.0, 3.0]
    faces = replace(faces, frame=frame, grouping=Grouping.by_column(["ann", "ann"]))
    shown = [{"row": 0, "models": [{"name": "relative", "predicted": "happy", "reason": ""}]}]
    add_reasons(shown, {"relative": Relative()}, faces, np.array([1]))
    assert shown[0]["models"][0]["reason"] == "AU12 lip corner puller 2: +0.38"


def test_disagreements_side_by_side(compared: Comparison, faces: AuTable) -> None:
    table = compared.predictions
    words = table[[f"{m['name']}.predicted" for m in compared.facts["models"]]]
    masked = words.where(words["seven.predicted"] != "fear")  # masked: says something else
    expected = masked.dropna().apply(lambda row: len(set(row) - {""}) > 1, axis=1)
    cases = {case["image"]: case for case in compared.disagreements}
    assert set(table.loc[expected[expected].index, "image"]) <= set(cases)
    apart = [case["apart"] for case in compared.disagreements]
    assert apart == sorted(apart, reverse=True)
    case = next(c for c in compared.disagreements if c["models"][0]["predicted"])
    assert case["models"][1]["reason"] == ""
    assert sum(case["models"][1]["probabilities"].values()) == pytest.approx(1)


def test_the_page_shows_pictures_unless_it_shall_not(compared: Comparison, tmp_path: Path) -> None:
    parts = (compared.facts, compared.predictions, compared.disagreements)
    page = write_comparison(tmp_path / "r", *parts, compared.pictures)
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/jpeg") == min(24, len(compared.disagreements))
    assert "pass it on only where you may" in html
    assert "<script" not in html
    for name in ("models", "pairs", "pairs-all", "recall", "calibration", "cost", "views"):
        assert (tmp_path / "r" / "tables" / f"{name}.csv").is_file()
        assert f'href="tables/{name}.csv"' in html
    listed = pd.read_csv(tmp_path / "r" / "tables" / "disagreements.csv")
    assert len(listed) == compared.facts["n_disagreements"]
    for name in ("accuracy", "pairs", "recall", "reliability"):
        assert (tmp_path / "r" / "figures" / f"{name}.svg").is_file()
    facts = json.loads((tmp_path / "r" / "comparison.json").read_text(encoding="utf-8"))
    assert facts["schema"] == "aufer/comparison/1"
    page = write_comparison(tmp_path / "r", *parts, {})  # replaces its own
    assert "data:image/jpeg" not in page.read_text(encoding="utf-8")
    page.write_text("mine")
    with pytest.raises(AuferError, match="is kept"):
        write_comparison(tmp_path / "r", *parts, {})


# which emotions


def test_images_of_an_emotion_that_a_model_doesn_t_know(
    models: dict[str, Bundle], tmp_path: Path
) -> None:
    folder = save_pictures(tmp_path / "pictures", FEAR, n_each=3)
    table = read_faces(folder, Emotions().with_others(), pictures_only=True)
    two = [models["bright"], models["seven"]]
    with pytest.raises(DataError, match="images of fear, which the model bright") as raised:
        compare(two, table)
    hint = raised.value.hint or ""
    assert hint == f"leave them out: --emotions {','.join(DEFAULT_NAMES)}"
    facts = compare(two, table, emotions=Emotions()).facts
    assert facts["testset"]["left_out"] == {"fear": 3}
    assert facts["testset"]["n_images"] == 18
    with pytest.raises(DataError, match="no image of contempt, bored"):
        compare(two, table, emotions=Emotions(("contempt", "bored")))


# stored answers


@pytest.fixture(scope="module")
def stored(
    models: dict[str, Bundle], faces: AuTable, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """``predictions.csv`` of each model's evaluation."""
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for name, model in models.items():
        tested = evaluate(model, faces)
        (folder / name).mkdir()
        found[name] = folder / name / "predictions.csv"
        tested.predictions.to_csv(found[name], index=False, float_format=DIGITS)
        write_text(folder / name / "report.json", to_json(tested.facts))
    return found


def test_stored_answers_give_the_same_comparison_as_the_models(
    compared: Comparison, stored: dict[str, Path]
) -> None:
    entrants = [read_stored(path) for path in stored.values()]
    facts = compare(entrants).facts
    assert [m["name"] for m in facts["models"]] == ["openface-aus", "bright", "seven"]
    assert facts["models"][0]["kind"] == "logistic"
    for images, by_extra in compared.facts["views"].items():
        for extra, view in by_extra.items():
            again = facts["views"][images][extra]
            assert again["pairs"] == view["pairs"]
            assert [m["confusion"] for m in again["models"]] == [
                m["confusion"] for m in view["models"]
            ]
            assert again["models"][0]["ece"] == pytest.approx(view["models"][0]["ece"])
    assert facts["models"][0]["inference_ms"] is None


def test_a_model_beside_stored_answers(
    models: dict[str, Bundle], faces: AuTable, stored: dict[str, Path], compared: Comparison
) -> None:
    found = compare([models["aus"], read_stored(stored["bright"])], faces).facts
    pair = found["views"]["all"]["mask"]["pairs"]["all"][0]
    again = compared.facts["views"]["all"]["mask"]["pairs"]["all"][0]
    of_two = {"p_holm": pair["p"], "differ": pair["p"] < 0.05, "needed_holm": pair["needed"]}
    assert pair == {**again, **of_two}
    with pytest.raises(UsageError, match="none are named"):
        compare([models["aus"], read_stored(stored["bright"])])


def _colleague(path: Path, frame: pd.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def theirs(stored: dict[str, Path]) -> pd.DataFrame:
    """What a colleague's program might write: no hashes, no AUs, names without their endings."""
    frame = pd.read_csv(stored["bright"], keep_default_na=False)
    frame["image"] = frame["image"].str.replace(".jpg", "")
    return frame[["image", "emotion", "predicted", *DEFAULT_NAMES]]


def test_a_colleague_s_answers_need_few_columns(
    theirs: pd.DataFrame, stored: dict[str, Path], tmp_path: Path
) -> None:
    turned = theirs.sample(frac=1, random_state=1)
    turned = turned.replace({"emotion": {"angry": "anger"}, "predicted": {"angry": "anger"}})
    path = _colleague(tmp_path / "lee" / "answers.csv", turned.rename(columns={"angry": "anger"}))
    assert is_stored(path)
    facts = compare([read_stored(stored["bright"]), read_stored(path)]).facts
    assert facts["emotions"] == list(DEFAULT_NAMES)
    assert facts["models"][1]["name"] == "lee"
    (pair,) = facts["views"]["all"]["mask"]["pairs"]["answered"]
    assert (pair["first_only"], pair["second_only"]) == (0, 0)
    assert facts["n_disagreements"] == 0
    assert not facts["models"][1]["seen_checked"]


def test_stored_answers_of_other_images(
    theirs: pd.DataFrame, stored: dict[str, Path], tmp_path: Path
) -> None:
    n = len(theirs)
    fewer = read_stored(_colleague(tmp_path / "few" / "p.csv", theirs.drop(index=[0, 3])))
    whole = read_stored(stored["aus"])
    with pytest.raises(DataError, match="different images") as raised:
        compare([whole, fewer])
    said = raised.value.message
    assert f": {n}, " in said
    assert f": {n - 2};" in said
    assert f"{n - 2} are in all of them" in said
    assert f"{fewer.path} lacks {whole.faces.frame['image'].iloc[0]}" in said
    assert raised.value.hint == "compare on the images that all have: --common"
    facts = compare([whole, fewer], common=True).facts
    assert facts["testset"]["n_images"] == n - 2
    assert any(f"only the {n - 2} images are compared" in note for note in facts["notes"])
    other = theirs.assign(image=[f"x{number}" for number in range(n)])
    elsewhere = read_stored(_colleague(tmp_path / "other" / "p.csv", other))
    with pytest.raises(DataError, match="No image is in all of the compared sets"):
        compare([whole, elsewhere], common=True)


def test_one_image_has_one_truth_and_one_file(
    theirs: pd.DataFrame, stored: dict[str, Path], tmp_path: Path
) -> None:
    whole = read_stored(stored["bright"])
    other = theirs.copy()
    other.loc[5, "emotion"] = "surprise"
    with pytest.raises(DataError, match=r"differ in the emotion of .*: angry and surprise"):
        compare([whole, read_stored(_colleague(tmp_path / "a.csv", other))])
    other = theirs.assign(sha256="0" * 64)
    with pytest.raises(DataError, match="differ in the file of"):
        compare([whole, read_stored(_colleague(tmp_path / "b.csv", other))])


def test_sets_that_share_no_name_are_matched_by_their_files(faces: AuTable) -> None:
    renamed = replace(
        faces, frame=faces.frame.assign(image=[f"{n}" for n in range(len(faces))]).iloc[::-1]
    )
    rows, notes = match_images([faces, renamed], ["a", "b"])
    assert rows[1].tolist() == list(range(len(faces)))[::-1]
    assert notes == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="predicted"), "lacks predicted"),
        (lambda f: f.drop(columns="happy"), "no probability column for happy"),
        (lambda f: f.assign(happy=f["happy"] + 0.5), "don't sum to 1"),
        (lambda f: f.assign(score=0.3), "don't sum to 1"),
        (lambda f: f.rename(columns={"happy": "sad", "sad": "happy"}), "is more probable there"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "more than one row"),
        (lambda f: f.assign(emotion=["", *f["emotion"][1:]]), "data row 1 has no emotion"),
        (lambda f: f.iloc[:0], "no row"),
    ],
)
def test_bad_stored_answers(
    theirs: pd.DataFrame, tmp_path: Path, change: object, said: str
) -> None:
    assert callable(change)
    path = _colleague(tmp_path / "p.csv", change(theirs))
    with pytest.raises(DataError, match=said):
        read_stored(path)


def test_an_image_without_an_answer_is_empty(theirs: pd.DataFrame, tmp_path: Path) -> None:
    theirs = theirs.astype(object)
    theirs.loc[0, ["predicted", *DEFAULT_NAMES]] = ""
    found = read_stored(_colleague(tmp_path / "p.csv", theirs))
    assert found.answered.tolist() == [False, *[True] * (len(theirs) - 1)]
    assert np.isnan(found.probabilities[0]).all()


# fusion


def _noisy(name: str, faces: AuTable, seed: int, skill: float, folder: Path) -> Stored:
    """Stored answers that are right as often as skill and chance have it."""
    random = np.random.default_rng(seed)
    truth = [DEFAULT_NAMES.index(word) for word in faces.frame["emotion"]]
    logits = skill * np.eye(6)[truth] + random.normal(0, 1, (len(faces), 6))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    words = [DEFAULT_NAMES[number] for number in p.argmax(axis=1)]
    told = faces.frame[["image", "emotion", "sha256"]].assign(predicted=words)
    told[list(DEFAULT_NAMES)] = p
    return read_stored(_colleague(folder / name / "predictions.csv", told))


def _images(prefix: str, n: int) -> AuTable:
    from aufer.au_table import complete

    names = [f"{prefix}{number}" for number in range(n)]
    frame = pd.DataFrame({"image": names, "status": "ok"})
    frame["emotion"] = [DEFAULT_NAMES[number % 6] for number in range(n)]
    frame["sha256"] = [f"{hash((prefix, n)) % 2**31:08x}{number:056x}" for number in range(n)]
    return AuTable(complete(frame))


def test_a_fusion_of_two_is_better_than_either_and_says_so(tmp_path: Path) -> None:
    tests, others = _images("t", 900), _images("v", 300)
    entrants = [
        _noisy(name, tests, seed, 1.6, tmp_path / "t") for name, seed in (("a", 1), ("b", 2))
    ]
    known = [_noisy(name, others, seed, 1.6, tmp_path / "v") for name, seed in (("a", 3), ("b", 4))]
    facts = compare(entrants, validation=Validation(None, tuple(known), "v")).facts
    assert [m["name"] for m in facts["models"]] == ["a", "b", "fusion"]
    fusion = facts["fusion"]
    assert fusion["parts"] == ["a", "b"]
    assert fusion["n"] == 300
    assert 0.3 < fusion["weight"] < 0.7
    said = " ".join(sentences(facts))
    assert "it is significantly better than either part: a (+" in said
    assert "300 validation images of v" in said
    # against a part that knows nothing there is nothing to be gained
    weak = _noisy("b", tests, 5, 0.0, tmp_path / "w")
    weak_known = _noisy("b", others, 6, 0.0, tmp_path / "x")
    facts = compare([entrants[0], weak], validation=Validation(None, (known[0], weak_known))).facts
    assert facts["fusion"]["weight"] > 0.85
    said = " ".join(sentences(facts))
    assert "it is significantly better than b" in said
    assert "is not significantly better than a" in said


def test_validation_images_are_neither_test_nor_training_images(tmp_path: Path) -> None:
    tests, others = _images("t", 120), _images("v", 60)
    mixed = AuTable(pd.concat([others.frame, tests.frame[:40]], ignore_index=True))
    pair = [_noisy(name, tests, seed, 1.5, tmp_path) for name, seed in (("a", 1), ("b", 2))]
    known = [_noisy(n, mixed, seed, 1.5, tmp_path / "v") for n, seed in (("a", 3), ("b", 4))]
    fusion = compare(pair, validation=Validation(None, tuple(known))).facts["fusion"]
    assert fusion["n"] == 60
    assert "40 validation images are left out: they are test images" in fusion["notes"]
    seen = np.array(["same_file"] * 50 + [""] * 50, dtype=object)
    trained_on = (replace(known[0], seen=seen), known[1])
    with pytest.raises(DataError, match="10 of the 100 validation images can be used") as raised:
        compare(pair, validation=Validation(None, trained_on))
    assert "50 validation images are left out: they were training images" in raised.value.message
    with pytest.raises(DataError, match="0 of the 120 validation images"):
        compare(pair, validation=Validation(None, tuple(pair)))
    assert find_overlap(mixed, tests).tolist() == [False] * 60 + [True] * 40


def test_a_fusion_answers_where_one_of_the_two_does(
    models: dict[str, Bundle], faces: AuTable, sample: Path, tmp_path: Path
) -> None:
    train = read_faces(sample / "train", Emotions())
    model = models["aus"]
    known = find_seen(read_rows(model), train, train.intensities(), persons_known=False).is_seen
    kept = train.frame[known].groupby("emotion").head(20).index.to_numpy()
    grey = save_pictures(tmp_path / "grey", n_each=20, seed=9)
    of_emotion = {name: iter(sorted((grey / name).iterdir())) for name in DEFAULT_NAMES}
    validation = train.picked(kept)
    paths = np.empty(len(validation), dtype=object)
    paths[:] = [next(of_emotion[name]) for name in validation.frame["emotion"]]
    validation = replace(validation, paths=paths)
    with pytest.raises(DataError, match=r"^0 of the .* validation images can be used"):
        compare([model, models["bright"]], faces, validation=Validation(validation))
    values = validation.frame[list(INTENSITY_COLUMNS)]
    moved = validation.frame.assign(**(values + 0.01).clip(0, 5).round(2))
    fresh = Validation(replace(validation, frame=moved), (), "grey")
    facts = compare([model, models["bright"], models["seven"]], faces, validation=fresh).facts
    figures = {m["name"]: m for m in leading_view(facts)["models"]}
    assert facts["fusion"]["parts"] == ["openface-aus", "bright"]
    assert figures["fusion"]["n_answered"] == figures["bright"]["n_answered"] == len(faces)
    assert figures["openface-aus"]["n_answered"] < len(faces)
    assert facts["models"][3]["parameters"] == sum(m["parameters"] for m in facts["models"][:2])


def test_what_is_fused_must_be_plain(tmp_path: Path) -> None:
    tests = _images("t", 60)
    three = [_noisy(name, tests, n, 1.5, tmp_path) for n, name in enumerate("abc")]
    with pytest.raises(UsageError, match="Which two models are to be fused"):
        compare(three, validation=Validation(None, tuple(three[:2])))
    with pytest.raises(UsageError, match="its answers come from a file"):
        compare(three[:2], validation=Validation(_images("v", 60), ()))


# the command line


def test_the_command_compares_and_writes(
    aufer: RunAufer, models: dict[str, Bundle], sample: Path, pictures: Path, tmp_path: Path
) -> None:
    paths = [model.path for model in models.values()]
    words = ("compare", *paths, "--testset", sample / "test", "--images", pictures)
    ran = aufer(*words).check()
    page = tmp_path / ran.out.strip()
    assert page.name == "comparison.html"
    assert page.is_file()
    assert "images can't tell" in ran.err or "reads more of" in ran.err
    assert "which faces the model was trained on is not known" in ran.err
    facts = json.loads((page.parent / "comparison.json").read_text(encoding="utf-8"))
    assert facts["command"].startswith("aufer compare ")
    ran = aufer("compare", *paths[1:], "--testset", pictures, "--no-pictures", "--json").check()
    facts = json.loads(ran.out)  # models of pictures alone need no OpenFace
    assert [m["name"] for m in facts["models"]] == ["bright", "seven"]
    assert [b["name"] for b in facts["baselines"]] == ["majority"]
    html = next((tmp_path / "reports").glob("compare-bright-seven-on-*/comparison.html"))
    assert "data:image/jpeg" not in html.read_text(encoding="utf-8")


def test_the_command_with_stored_answers(aufer: RunAufer, stored: dict[str, Path]) -> None:
    ran = aufer("compare", stored["aus"], stored["bright"], "--emotions", "happy,sad").check()
    assert "Left out of the test set by --emotions: angry 11" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("one",), "There is one model only"),
        (("one", "one"), "none are named"),
        (("one", "one", "--testset", "x", "--fuse"), "test images must not say how much"),
        (("one", "one", "--testset", "x", "--validation", "v"), "--validation goes with --fuse"),
        (("b.csv", "c.csv", *("--fuse", *["--validation", "v"] * 3)), "--validation is one set"),
        (("best.hdf5", "one", "--testset", "x"), "doesn't say which emotions its outputs are"),
        (("nobody", "one", "--testset", "x"), "There is no model 'nobody'"),
        (("none.csv", "one.csv"), "none.csv does not exist"),
    ],
)
def test_what_the_command_refuses_at_once(words: tuple[str, ...], said: str) -> None:
    from aufer.cli.compare import command

    with pytest.raises(UsageError, match=said):
        command.main(list(words), standalone_mode=False)
