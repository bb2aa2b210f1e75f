"""Testing a model: training faces found out, its own held-out faces, bad input refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import write_au_table
from aufer.bundle import read_bundle
from aufer.dataset import read_dataset
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError
from aufer.evaluate import evaluate, evaluate_held_out
from aufer.files import sha256_of
from aufer.model import answer_faces
from aufer.openface.faces import read_faces
from aufer.predict import predict
from aufer.provenance import MEASURE_DYNAMIC, Extractor
from aufer.report.page import check_report_folder
from aufer.report.text import HELD_OUT, leading_interval
from tests.running import RunAufer
from tests.test_build_dataset import table_of

pytest_plugins = ["tests.report_case"]


def test_faces_seen_in_training_are_named_and_left_out(
    bundle: Path, sample_dataset: Path, tmp_path: Path
) -> None:
    model = read_bundle(bundle)
    faces = read_faces(sample_dataset, model.emotions)
    parts = pd.read_csv(bundle / "rows.csv", keep_default_na=False)
    evaluation = evaluate(model, faces)
    seen = evaluation.facts["seen_in_training"]
    assert seen["n"] == int(parts["part"].isin(["train", "validation"]).sum())
    held_out = set(parts.loc[parts["part"] == "test", "image"])
    assert held_out.isdisjoint(seen["images"])
    unseen = evaluation.facts["figures"]["unseen"]
    assert unseen["n_images"] == len(held_out)
    # on the rows held out at training, the bundle's own test figures come out again
    own = model.facts["metrics"]["test"]["accuracy"]
    assert (unseen["accuracy"]["k"], unseen["accuracy"]["n"]) == (own["k"], own["n"])


def test_the_same_bytes_are_found_even_without_a_face(bundle: Path) -> None:
    rows = pd.read_csv(bundle / "rows.csv", dtype=str, keep_default_na=False)
    rows.loc[rows.index[rows["part"] == "train"][0], "sha256"] = "f" * 64
    rows.to_csv(bundle / "rows.csv", index=False)
    facts = json.loads((bundle / "bundle.json").read_text())
    facts["files"]["rows.csv"] = sha256_of(bundle / "rows.csv")
    (bundle / "bundle.json").write_text(json.dumps(facts))
    table = table_of(
        {"status": "no_face", "sha256": "f" * 64, "value": 0.0}, {"value": 4.44, "emotion": "happy"}
    )
    evaluation = evaluate(read_bundle(bundle), table)
    assert evaluation.facts["seen_in_training"]["images"] == ["0.jpg"]


def test_an_image_without_a_usable_face_counts_both_ways(bundle: Path) -> None:
    table = table_of(
        {"value": 0.3}, {"status": "no_face"}, {"confidence": 0.2}, {"status": "crashed"}
    )
    evaluation = evaluate(read_bundle(bundle), table)
    figures = evaluation.facts["figures"]["all"]
    assert (figures["coverage"]["k"], figures["coverage"]["n"]) == (1, 4)
    assert figures["accuracy_all"]["n"] == 4
    assert evaluation.predictions["status"].tolist() == [
        "ok",
        "no_face",
        "low_confidence",
        "crashed",
    ]
    assert evaluation.predictions["correct"].isna().tolist() == [False, True, True, True]
    assert evaluation.facts["n_failed"] == 1


def test_another_measure_is_refused_and_an_unknown_one_warned_of(bundle: Path) -> None:
    model = read_bundle(bundle)
    with pytest.raises(DataError, match="different measures"):
        evaluate(model, table_of({}, measure=MEASURE_DYNAMIC))
    with pytest.raises(DataError, match="different measures"):
        predict(model, table_of({}, measure=MEASURE_DYNAMIC))
    evaluation = evaluate(model, table_of({}, measure=Extractor().measure))
    assert any("origin is unknown" in warning for warning in evaluation.facts["warnings"])


def test_a_test_set_without_a_usable_face_is_an_error(bundle: Path) -> None:
    with pytest.raises(DataError, match="no usable face"):
        evaluate(read_bundle(bundle), table_of({"confidence": 0.1}), testset="x")


def test_all_kinds_of_test_sets_give_the_same_answers(
    bundle: Path, sample: Path, tmp_path: Path
) -> None:
    """A folder of OpenFace files, flat names, an AU table and a dataset hold the same faces."""
    model = read_bundle(bundle)
    emotions = model.emotions
    folders = read_faces(sample / "test", emotions)
    flat = tmp_path / "flat"
    flat.mkdir()
    for emotion in emotions:
        files = sorted((sample / "test" / emotion).glob("*.csv"))
        for number, path in enumerate(files, start=1):
            shutil.copy(path, flat / f"{emotion}{number:03}.csv")
    write_au_table(folders, tmp_path / "aus.csv")
    frame = folders.frame
    measured = frame[frame["status"] == "ok"]
    rows = measured[list(INTENSITY_COLUMNS)].assign(
        emotion=measured["emotion"].map(emotions.number)
    )
    rows.to_csv(tmp_path / "emotion.csv", index=False)
    answers = {}
    for source in (sample / "test", flat, tmp_path / "aus.csv", tmp_path / "emotion.csv"):
        figures = evaluate(model, read_faces(source, emotions), min_confidence=0.0).facts[
            "figures"
        ]["all"]
        answers[source.name] = (figures["confusion"], figures["n_answered"])
    assert len({json.dumps(answer) for answer in answers.values()}) == 1
    assert answers["flat"][1] == 60


def test_a_report_folder_of_somebody_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(AuferError, match="is kept"):
        check_report_folder(tmp_path, force=False)


def test_an_edited_report_is_kept_and_an_untouched_one_replaced(
    aufer: RunAufer, bundle: Path, sample: Path, tmp_path: Path
) -> None:
    command = ("evaluate", "--testset", sample / "test", "--out", "r")
    aufer(*command).check()
    aufer(*command).check()
    page = tmp_path / "r" / "report.html"
    page.write_text("my notes")
    ran = aufer(*command).check(1)
    assert "The report r was edited since `aufer` wrote it (report.html); it is kept" in ran.err
    assert "replace it all: --force" in ran.err
    assert page.read_text() == "my notes"
    aufer(*command, "--force").check()


@pytest.mark.parametrize("file", ["model.onnx", "bundle.json", "rows.csv", "model.keras"])
def test_a_bundle_with_a_file_missing(
    aufer: RunAufer, bundle: Path, sample: Path, file: str
) -> None:
    (bundle / file).unlink()
    ran = aufer("predict", sample / "test", "--model", bundle).check(4)
    assert file in ran.err
    assert "train it again: aufer train" in ran.err
    assert "hint: " in ran.err
    assert ran.out == ""


def test_a_damaged_bundle(aufer: RunAufer, bundle: Path, sample: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"not a network")
    assert "is not the file" in aufer("predict", sample / "test", "--model", bundle).check(4).err
    facts = json.loads((bundle / "bundle.json").read_text())
    facts["schema"] = "aufer/bundle/99"
    (bundle / "bundle.json").write_text(json.dumps(facts))
    assert "aufer/bundle/99" in aufer("predict", sample / "test", "--model", bundle).check(4).err
    (bundle / "bundle.json").write_text("{")
    assert "not valid JSON" in aufer("predict", sample / "test", "--model", bundle).check(4).err


def test_features_that_do_not_match(aufer: RunAufer, bundle: Path, sample: Path) -> None:
    facts = json.loads((bundle / "bundle.json").read_text())
    facts["features"][3] = "AU99_r"
    (bundle / "bundle.json").write_text(json.dumps(facts))
    ran = aufer("evaluate", "--testset", sample / "test", "--model", bundle).check(4)
    assert "AU99_r" in ran.err


def test_columns_are_taken_by_name_never_by_position(bundle: Path, sample_dataset: Path) -> None:
    model = read_bundle(bundle)
    dataset = read_dataset(sample_dataset)
    expected = model.predict_proba(dataset.aus.to_numpy())
    model.facts["features"] = list(reversed(model.facts["features"]))
    # a model whose inputs are in another order gets them in that order
    table = read_faces(sample_dataset, Emotions(), labelled=True)
    values = table.frame[list(model.features)].to_numpy()
    assert np.array_equal(values[:, ::-1], dataset.aus.to_numpy())
    assert not np.allclose(model.predict_proba(values), expected)


def test_label_numbers_of_a_bare_csv_are_the_models(
    aufer: RunAufer, sample_dataset: Path, tmp_path: Path
) -> None:
    """A model with another order of emotions reads the numbers of its own training file right."""
    frame = pd.read_csv(sample_dataset)
    names = list(reversed(Emotions().names))
    frame["emotion"] = 5 - frame["emotion"]
    frame.to_csv(tmp_path / "turned.csv", index=False)
    frame.assign(emotion=[names[n] for n in frame["emotion"]]).to_csv(
        tmp_path / "named.csv", index=False
    )
    order = ("--emotions", ",".join(names))
    aufer("train", "turned.csv", *order, "--out", "m", "--epochs", "3").check()
    facts = []
    for testset, said in (("turned.csv", order), ("named.csv", ())):
        ran = aufer("evaluate", "--model", "m", "--testset", testset, "--json", *said).check()
        facts.append(json.loads(ran.out)["figures"]["all"]["confusion"])
    assert facts[0] == facts[1]
    # neither the usual order nor one that was said: refused, with the way to say it
    ran = aufer("evaluate", "--model", "m", "--testset", "turned.csv").check(4)
    assert "nobody says" in ran.err
    assert f"--emotions {','.join(names)}" in ran.err


def test_reports_of_different_models_and_test_sets_do_not_collide(
    aufer: RunAufer, bundle: Path, sample: Path, tmp_path: Path
) -> None:
    shutil.copytree(bundle, tmp_path / "models" / "run-0.1")
    shutil.copytree(bundle, tmp_path / "models" / "run-0.2")
    for folder in ("A", "B"):
        shutil.copytree(sample / "test", tmp_path / folder / "t")
    pages = [
        aufer("evaluate", "--model", model, "--testset", f"{folder}/t").check().out.strip()
        for model in ("run-0.1", "run-0.2")
        for folder in ("A", "B")
    ]
    assert len(set(pages)) == 4
    again = aufer("evaluate", "--model", "run-0.2", "--testset", "B/t").check().out.strip()
    assert again == pages[-1]


def test_a_test_set_of_training_faces_only_says_so(bundle: Path) -> None:
    from aufer.report.facts import shown_figures
    from aufer.report.text import summarise

    rows = pd.read_csv(bundle / "rows.csv", dtype=str, keep_default_na=False)
    key = rows.loc[rows["part"] == "train", "aus"].iloc[0]
    table = table_of({})
    table.frame.loc[0, list(INTENSITY_COLUMNS)] = [float(value) for value in key.split()]
    facts = evaluate(read_bundle(bundle), table).facts
    assert facts["seen_in_training"]["n"] == 1
    assert shown_figures(facts) is facts["figures"]["all"]
    assert "says nothing about new faces" in summarise(facts)


def test_held_out_faces_give_the_figures_of_the_training(bundle: Path) -> None:
    model = read_bundle(bundle)
    evaluation = evaluate_held_out(model)
    own = model.facts["metrics"]["test"]
    figures = evaluation.facts["figures"]["all"]
    assert evaluation.facts["tested_on"] == HELD_OUT
    for name in ("accuracy", "macro_f1", "log_loss", "brier", "ece"):
        assert figures[name] == pytest.approx(own[name], rel=1e-4)
    assert evaluation.facts["seen_in_training"]["n"] == 0
    # rows.csv keeps OpenFace's confidence
    assert figures["by_confidence"][0]["min_confidence"] == 0


def test_without_a_test_set_the_report_is_of_the_held_out_faces(
    aufer: RunAufer, bundle: Path, tmp_path: Path
) -> None:
    ran = aufer("evaluate").check()
    assert ran.out.strip() == str(Path("reports/small-held-out/report.html"))
    rows = pd.read_csv(bundle / "rows.csv")
    predictions = pd.read_csv(tmp_path / "reports" / "small-held-out" / "predictions.csv")
    assert predictions["image"].tolist() == rows.loc[rows["part"] == "test", "image"].tolist()
    aufer("evaluate").check()  # a second one replaces it


def test_a_near_copy_among_the_held_out_faces_was_seen(bundle: Path) -> None:
    rows = pd.read_csv(bundle / "rows.csv", dtype=str, keep_default_na=False)
    rng = np.random.default_rng(1)
    rows["phash"] = [f"{int(bits):016x}" for bits in rng.integers(0, 2**63, len(rows))]
    trained, tested = (rows.index[rows["part"] == part][0] for part in ("train", "test"))
    rows.loc[tested, "phash"] = f"{int(rows.loc[trained, 'phash'], 16) ^ 0b1001:016x}"
    rows.to_csv(bundle / "rows.csv", index=False, lineterminator="\n")
    facts = json.loads((bundle / "bundle.json").read_text())
    facts["files"]["rows.csv"] = sha256_of(bundle / "rows.csv")
    (bundle / "bundle.json").write_text(json.dumps(facts))
    seen = evaluate_held_out(read_bundle(bundle)).facts["seen_in_training"]
    assert seen["near_copies_checked"]
    assert (seen["images"], seen["ways"]["near_copy"]) == ([rows.loc[tested, "image"]], 1)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """The words that name a Keras file without a bundle around it."""
    import keras

    path = tmp_path_factory.mktemp("bare") / "bare.keras"
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Input((17,)), keras.layers.Dense(6, activation="softmax")]
    keras.Sequential(layers).save(path)
    return ("--model", path, "--emotions", ",".join(Emotions().names))


def test_a_model_without_faces_of_its_own_needs_a_test_set(
    aufer: RunAufer, bare: tuple[object, ...]
) -> None:
    ran = aufer("evaluate", *bare).check(2)
    assert "bare.keras has no test faces of its own" in ran.err
    assert "aufer evaluate --testset FOLDER" in ran.err
    for option in ("--labels", "--groups", "--images"):
        ran = aufer("evaluate", option, "x").check(2)
        assert f"{option} goes with --testset" in ran.err


def test_a_bare_keras_file_has_a_report_too(
    aufer: RunAufer, bare: tuple[object, ...], sample: Path, tmp_path: Path
) -> None:
    page = tmp_path / aufer("evaluate", *bare, "--testset", sample / "test").check().out.strip()
    facts = json.loads((page.parent / "report.json").read_text())
    assert not facts["seen_in_training"]["checked"]
    # nobody knows which emotion was the most frequent in training
    assert [b["name"] for b in facts["figures"]["all"]["baselines"]] == ["prototypes"]
    html = page.read_text(encoding="utf-8")
    assert "does not say which faces it was trained on" in html
    assert "Persons are unknown" in html


def test_persons_on_both_sides_are_warned_of(study: Path) -> None:
    model = read_bundle(study / "models" / "case")
    faces = read_faces(study / "test.csv", model.emotions)
    faces.frame.loc[[0, 3], "group"] = "person 7"
    facts = evaluate(model, faces).facts
    assert facts["seen_in_training"]["shared_groups"] == ["person 7"]
    assert facts["seen_in_training"]["n_in_shared_groups"] == 2
    assert any("2 test faces are of 1 persons who are" in line for line in facts["warnings"])


def test_few_groups_give_no_interval_to_lead_with(bundle: Path) -> None:
    rows = [{"group": f"p{n % 3}", "value": n / 10, "emotion": "happy"} for n in range(12)]
    facts = evaluate(read_bundle(bundle), table_of(*rows)).facts
    figures = facts["figures"]["all"]
    assert figures["bootstrap"]["n_groups"] == 3
    assert any("are of 3 groups only" in line for line in facts["warnings"])
    low, high, how = leading_interval(figures)
    assert how == "Wilson"
    assert (low, high) == (figures["accuracy"]["low"], figures["accuracy"]["high"])


def test_draws_that_are_all_alike_give_no_interval_to_lead_with(bundle: Path) -> None:
    rows = [{"group": f"p{n}", "value": n / 20, "emotion": "happy"} for n in range(12)]
    model = read_bundle(bundle)
    faces = table_of(*rows)
    faces.frame["emotion"] = answer_faces(model, faces, 0.0, "they").words
    figures = evaluate(model, faces).facts["figures"]["all"]
    assert figures["bootstrap"]["n_groups"] == 12
    assert figures["bootstrap"]["accuracy"] == [1, 1]
    low, high, how = leading_interval(figures)
    assert (low, high, how) == (figures["accuracy"]["low"], 1, "Wilson")


def test_a_model_of_relative_aus_is_tested_on_relative_aus(
    aufer: RunAufer, study: Path, tmp_path: Path
) -> None:
    """And training faces are found among raw ones by their relative AUs."""
    aufer("build-dataset", study / "aus.csv", "--normalize", "group", "--out", "r.csv").check()
    aufer("train", "r.csv", "--kind", "logistic", "--out", "m").check()
    model = read_bundle(tmp_path / "m")
    held_out = evaluate_held_out(model).facts
    own = model.facts["metrics"]["test"]["accuracy"]
    assert held_out["figures"]["all"]["accuracy"] == own
    table = read_faces(study / "aus.csv", model.emotions)
    table.frame["sha256"] = table.frame["phash"] = ""
    facts = evaluate(model, table).facts
    rows = pd.read_csv(tmp_path / "m" / "rows.csv")
    assert facts["seen_in_training"]["ways"]["equal_aus"] >= (rows["part"] != "test").sum()
    assert facts["figures"]["unseen"]["accuracy"] == own
    ran = aufer("evaluate", "--model", "m", "--testset", study / "emotion.csv", "--json").check()
    assert json.loads(ran.out)["figures"]["unseen"]["accuracy"]["n"] == own["n"]


def test_labels_go_with_images_only(aufer: RunAufer, bundle: Path, sample_dataset: Path) -> None:
    ran = aufer("evaluate", "--testset", sample_dataset, "--labels", "x.csv").check(2)
    assert "--labels goes with a folder of images" in ran.err


@pytest.mark.parametrize("text", ["{", '{"model": 3, "schema": "x"}', "[]"])
def test_a_damaged_report_is_left_alone(
    aufer: RunAufer, bundle: Path, sample: Path, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "reports" / "small-on-test"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(text)
    ran = aufer("evaluate", "--testset", sample / "test").check()
    assert "small-on-test-2" in ran.out
    assert (folder / "report.json").read_text() == text


def test_the_emotions_of_the_study_do_not_block_other_models(
    aufer: RunAufer, bundle: Path, sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "aufer.toml").write_text('emotions = ["happy", "sad"]\n')
    aufer("predict", sample / "test" / "happy").check()
    aufer("evaluate", "--testset", sample / "test").check()


# ---- predict


def test_predict_prints_csv_and_json_on_stdout(
    aufer: RunAufer, bundle: Path, sample: Path, tmp_path: Path
) -> None:
    ran = aufer("predict", sample / "test").check()
    lines = ran.out.strip().splitlines()
    assert lines[0] == "image,status,confidence,label,angry,disgust,happy,neutral,sad,surprise"
    assert len(lines) == 67
    assert "6 of 66 images have no usable face" in ran.err
    from io import StringIO

    table = pd.read_csv(StringIO(ran.out))
    named = table.dropna(subset="label")
    names = list(Emotions().names)
    assert (named[names].idxmax(axis=1) == named["label"]).all()
    assert np.allclose(named[names].sum(axis=1), 1, atol=1e-4)
    records = json.loads(aufer("predict", sample / "test", "--json").check().out)
    assert [record["label"] for record in records] == table["label"].fillna("").tolist()
    assert records[0]["image"] == table["image"][0]


def test_predict_takes_rows_of_any_origin(
    aufer: RunAufer, bundle: Path, sample: Path, sample_dataset: Path, tmp_path: Path
) -> None:
    one = next((sample / "test" / "happy").glob("*.csv"))
    whole = aufer("predict", one).check().out
    assert whole.splitlines()[1].startswith(f"{one.name},ok,")
    frame = pd.read_csv(one)[list(reversed(INTENSITY_COLUMNS))]
    frame.to_csv(tmp_path / "rows.csv", index=False)
    ran = aufer("predict", "rows.csv").check()
    assert "origin is unknown" in ran.err
    assert ran.out.splitlines()[1].split(",")[3:] == whole.splitlines()[1].split(",")[3:]
    both = aufer("predict", "rows.csv", one).check().out
    assert len(both.splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("AU01_r,AU02_r\n1,2\n", "lacks the column AU04_r"),
        (",".join(INTENSITY_COLUMNS) + "\n", "no row"),
        (",".join(INTENSITY_COLUMNS) + "\n" + ",".join(["9"] * 17) + "\n", "outside 0-5"),
        ("", "0 bytes"),
    ],
)
def test_predict_refuses_bad_rows(
    aufer: RunAufer, bundle: Path, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "rows.csv").write_text(content)
    ran = aufer("predict", "rows.csv").check(4)
    assert message in ran.err
    assert ran.out == ""


def test_predict_knows_what_a_datasets_sidecars_say(
    aufer: RunAufer, bundle: Path, sample_dataset: Path
) -> None:
    ran = aufer("predict", sample_dataset).check()
    assert "origin is unknown" not in ran.err
    assert ran.out.splitlines()[1].startswith("angry/Training_")


def test_inputs_with_the_same_names_are_told_apart(
    aufer: RunAufer, bundle: Path, sample: Path, tmp_path: Path
) -> None:
    for folder in ("x", "y"):
        shutil.copytree(sample / "test" / "happy", tmp_path / folder / "happy")
    ran = aufer("predict", "x", "y").check()
    names = [line.split(",")[0] for line in ran.out.splitlines()[1:]]
    assert len(set(names)) == len(names) == 22
    assert {name.split("/")[0] for name in names} == {"x", "y"}


def test_no_model_and_wrong_names(
    aufer: RunAufer, sample: Path, bundle: Path, tmp_path: Path
) -> None:
    ran = aufer("predict", sample / "test", "--model", "nowhere").check(2)
    assert (
        "There is no model 'nowhere' (known: small, builtin-aus, face-cnn, openface-aus)" in ran.err
    )
    ran = aufer("predict", sample / "test", "--emotions", "a,b").check(4)
    assert "not a, b" in ran.err
    (tmp_path / "model.txt").write_text("x")
    assert "is no model" in aufer("predict", sample / "test", "--model", "model.txt").check(2).err
    shutil.rmtree(bundle)
    aufer("predict", sample / "test").check()  # by the model that comes with the package
    ran = aufer("evaluate").check(2)
    assert "openface-aus came without its faces" in ran.err
    assert "--testset" in ran.err


def test_models_are_found_by_name_and_the_newest_without_one(
    aufer: RunAufer, bundle: Path, sample: Path, tmp_path: Path
) -> None:
    older = shutil.copytree(bundle, bundle.with_name("older"))
    facts = json.loads((older / "bundle.json").read_text())
    facts["made_at"] = "2001-01-01T00:00:00+00:00"
    (older / "bundle.json").write_text(json.dumps(facts))
    listed = aufer("models", "list").check().out.splitlines()
    shipped = ["builtin-aus", "face-cnn", "openface-aus", "au-net"]
    assert [line.split()[0] for line in listed] == ["small", "older", *shipped]
    records = json.loads(aufer("models", "list", "--json").check().out)
    assert records[0]["labels"] == list(Emotions().names)
    aufer("predict", sample / "test", "--model", "older").check()


def test_predict_never_imports_tensorflow(bundle: Path, sample: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from aufer.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print(sorted({m.split('.')[0] for m in sys.modules} &"
        " {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'docker'}), file=sys.stderr)\n"
    )
    import sys

    done = subprocess.run(
        [sys.executable, "-c", code, "predict", str(sample / "test")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip().splitlines()[-1] == "[]"
    done = subprocess.run(
        [sys.executable, "-c", code, "evaluate", "--testset", str(sample / "test")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip().splitlines()[-1] == "['matplotlib', 'sklearn']"


def test_a_closed_pipe_is_no_error(bundle: Path, sample_dataset: Path, tmp_path: Path) -> None:
    import sys

    command = f"{sys.executable} -m aufer predict {sample_dataset} | head -1"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("image,")
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
