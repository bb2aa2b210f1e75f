"""From OpenFace's files, or an AU table, to emotion.csv: nothing lost, everything counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.au_table import AuTable, complete, read_au_table, write_au_table
from aufer.build_dataset import build_dataset, select_faces
from aufer.dataset import read_dataset
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.provenance import MEASURE_DYNAMIC, MEASURE_STATIC, Extractor
from tests.running import RunAufer

TWO = Emotions(("angry", "happy"))


def table_of(*rows: dict[str, object], measure: str = MEASURE_STATIC) -> AuTable:
    """An AU table from short rows: ``value`` fills all AUs."""
    frames = []
    for number, given in enumerate(rows):
        facts = {"image": f"{number}.jpg", "status": "ok", "confidence": 0.9, "emotion": "angry"}
        facts.update(given)
        value = facts.pop("value", number / 10)
        facts.update(dict.fromkeys(INTENSITY_COLUMNS, value if facts["status"] == "ok" else np.nan))
        frames.append(facts)
    return AuTable(complete(pd.DataFrame(frames)), Extractor(measure=measure, engine="local"))


def test_every_image_is_in_the_dataset_or_listed_with_its_reason(tmp_path: Path) -> None:
    table = table_of(
        {"value": 1.0},
        {"value": 1.0},  # equal AUs, equal label
        {"value": 2.0},
        {"value": 2.0, "emotion": "happy"},  # equal AUs, another label
        {"emotion": "happy"},
        {"confidence": 0.69},
        {"confidence": 0.7},
        {"status": "no_face"},
        {"status": "crashed", "reason": "exit 134"},
    )
    write_au_table(table, tmp_path / "aus.csv")
    built = build_dataset([tmp_path / "aus.csv"], tmp_path / "emotion.csv", emotions=TWO)
    assert built.dataset.rows["image"].tolist() == ["0.jpg", "4.jpg", "6.jpg"]
    excluded = pd.read_csv(tmp_path / "emotion.excluded.csv").set_index("image")
    assert excluded["status"].to_dict() == {
        "1.jpg": "duplicate",
        "2.jpg": "conflict",
        "3.jpg": "conflict",
        "5.jpg": "low_confidence",
        "7.jpg": "no_face",
        "8.jpg": "crashed",
    }
    assert excluded.loc["1.jpg", "reason"] == "equal AUs as 0.jpg"
    assert excluded.loc["2.jpg", "reason"] == "equal AUs under different emotions: angry, happy"
    assert excluded.loc["5.jpg", "reason"] == "confidence 0.69 is below 0.7"
    assert excluded.loc["8.jpg", "reason"] == "exit 134"
    total = built.counts.loc["total"]
    assert (total["images"], total["ok"], total["in_dataset"]) == (9, 6, 3)


def test_the_file_is_a_drop_in_for_the_reference_projects(tmp_path: Path, sample: Path) -> None:
    build_dataset([sample / "train"], tmp_path / "emotion.csv")
    frame = pd.read_csv(tmp_path / "emotion.csv")
    assert list(frame.columns) == [*INTENSITY_COLUMNS, "emotion"]
    assert (tmp_path / "emotion.csv").read_bytes().startswith(b"AU01_r,AU02_r,")
    assert frame["emotion"].is_monotonic_increasing
    assert sorted(frame["emotion"].unique()) == [0, 1, 2, 3, 4, 5]
    rows = pd.read_csv(tmp_path / "emotion.rows.csv")
    assert len(rows) == len(frame)
    names = Emotions().names
    assert rows["emotion"].tolist() == [names[label] for label in frame["emotion"]]
    # the tables by emotion agree with it, labels included
    tables = [pd.read_csv(tmp_path / "csv" / f"{name}.csv") for name in names]
    assert pd.concat(tables)["label"].tolist() == frame["emotion"].tolist()
    assert np.array_equal(
        pd.concat(tables)[list(INTENSITY_COLUMNS)], frame[list(INTENSITY_COLUMNS)]
    )
    facts = json.loads((tmp_path / "emotion.json").read_text())
    assert facts["n_rows"] == len(frame)
    assert facts["by_emotion"]["total"]["images"] == 630
    assert facts["by_emotion"]["total"]["no_face"] == 30
    assert facts["extractor"]["measure"] == "openface-static"


def test_values_are_openfaces_own(tmp_path: Path, sample: Path) -> None:
    build_dataset([sample / "train"], tmp_path / "emotion.csv")
    frame = pd.read_csv(tmp_path / "emotion.csv")
    rows = pd.read_csv(tmp_path / "emotion.rows.csv")
    for number in range(0, len(rows), 50):
        image = Path(rows.loc[number, "image"])
        source = pd.read_csv(sample / "train" / image.with_suffix(".csv"))
        assert frame.loc[number, list(INTENSITY_COLUMNS)].tolist() == (
            source.loc[0, list(INTENSITY_COLUMNS)].tolist()
        )


def test_the_public_part_of_fer2013_is_counted_as_measured(data: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(data / "fer2013" / "openface-public.zip", tmp_path / "public")
    built = build_dataset([tmp_path / "public"], tmp_path / "emotion.csv")
    total = built.counts.loc["total"]
    assert (total["ok"], total["low_confidence"], total["no_face"]) == (2362, 223, 508)
    assert total["images"] == 3093
    assert len(built.dataset) + len(built.excluded) == 3093
    assert built.excluded["reason"].str.len().min() > 0
    listed = set(built.excluded["image"]) | set(built.dataset.rows["image"])
    assert len(listed) == 3093


def test_the_reference_dataset_can_be_cleaned(data: Path, tmp_path: Path) -> None:
    built = build_dataset([data / "reference" / "emotion.csv"], tmp_path / "emotion.csv")
    counts = built.excluded["status"].value_counts().to_dict()
    assert len(built.dataset) + len(built.excluded) == 4473
    assert counts["conflict"] >= 4  # two groups of equal AUs with different labels
    assert not built.dataset.aus.duplicated().any()


def test_openface_folders_of_other_makings(tmp_path: Path, data: Path) -> None:
    """37 and 711 columns, several faces, spaced headers, details without a CSV, in one study."""
    examples = data / "openface-examples"
    for name in ("sample1", "sample2", "black"):
        for file in (examples / "aus").glob(f"{name}*"):
            (tmp_path / "of" / "Anger").mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / "of" / "Anger")
    (tmp_path / "of" / "happiness" / "deep").mkdir(parents=True)
    shutil.copy(examples / "all-columns" / "sample2.csv", tmp_path / "of" / "happiness" / "deep")
    shutil.copy(examples / "aus" / "sample3.csv", tmp_path / "of" / "happiness")
    shutil.copy(examples / "broken" / "spaced_header.csv", tmp_path / "of" / "happiness")
    shutil.copy(examples / "broken" / "empty.csv", tmp_path / "of" / "happiness")
    built = build_dataset([tmp_path / "of"], tmp_path / "emotion.csv", emotions=TWO)
    frame = built.table.frame.set_index("image")
    assert frame["status"].to_dict() == {
        "Anger/black.png": "no_face",
        "Anger/sample1.jpg": "ok",
        "Anger/sample2.jpg": "ok",
        "happiness/deep/sample2": "ok",
        "happiness/empty": "unreadable",
        "happiness/sample3": "ok",
        "happiness/spaced_header": "ok",
    }
    assert frame.loc["Anger/sample2.jpg", "n_faces"] == 3
    assert "0 bytes" in frame.loc["happiness/empty", "reason"]
    assert set(frame["emotion"]) == {"angry", "happy"}


def test_the_face_policy_and_its_limits_are_told(tmp_path: Path, data: Path) -> None:
    (tmp_path / "of" / "angry").mkdir(parents=True)
    (tmp_path / "of" / "happy").mkdir()
    shutil.copy(data / "openface-examples" / "aus" / "sample6.csv", tmp_path / "of" / "angry")
    shutil.copy(data / "openface-examples" / "aus" / "sample1.csv", tmp_path / "of" / "angry")
    shutil.copy(data / "openface-examples" / "aus" / "sample3.csv", tmp_path / "of" / "happy")
    built = build_dataset([tmp_path / "of"], tmp_path / "emotion.csv", emotions=TWO)
    assert any("no landmarks" in note for note in built.dataset.notes)
    built = build_dataset([tmp_path / "of"], tmp_path / "emotion.csv", emotions=TWO, faces="error")
    excluded = built.excluded.set_index("image")
    assert excluded.loc["angry/sample6", "status"] == "many_faces"
    assert excluded.loc["angry/sample6", "reason"] == "12 faces"


def test_an_emotion_without_a_usable_face_is_an_error_that_writes_nothing(tmp_path: Path) -> None:
    table = table_of({}, {"emotion": "happy", "confidence": 0.1}, {"emotion": "sad"})
    write_au_table(table, tmp_path / "aus.csv")
    three = Emotions(("angry", "happy", "sad"))
    with pytest.raises(DataError) as raised:
        build_dataset([tmp_path / "aus.csv"], tmp_path / "out" / "emotion.csv", emotions=three)
    assert "no usable face of 'happy'" in raised.value.message
    assert "1 low_confidence" in raised.value.message
    assert raised.value.hint is not None
    assert "--emotions angry,sad" in raised.value.hint
    assert not (tmp_path / "out").exists()


def test_sources_of_different_measures_are_refused(tmp_path: Path) -> None:
    write_au_table(table_of({}, {"emotion": "happy"}), tmp_path / "a.csv")
    write_au_table(table_of({}, {"emotion": "happy"}, measure=MEASURE_DYNAMIC), tmp_path / "b.csv")
    with pytest.raises(DataError, match="different measures"):
        build_dataset(
            [tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "emotion.csv", emotions=TWO
        )


def test_two_sources_with_the_same_names_are_kept_apart(tmp_path: Path) -> None:
    write_au_table(table_of({}, {"emotion": "happy"}), tmp_path / "a.csv")
    write_au_table(table_of({"value": 3.0}, {"emotion": "happy", "value": 4.0}), tmp_path / "b.csv")
    built = build_dataset(
        [tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "emotion.csv", emotions=TWO
    )
    assert len(built.dataset) == 4
    assert built.dataset.rows["image"].is_unique


def test_an_edited_dataset_is_kept(tmp_path: Path, sample: Path) -> None:
    out = tmp_path / "emotion.csv"
    build_dataset([sample / "train"], out)
    build_dataset([sample / "train"], out)  # an untouched one is replaced
    edited = out.read_text() + "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0\n"
    out.write_text(edited)
    with pytest.raises(AuferError) as raised:
        build_dataset([sample / "train"], out)
    assert raised.value.exit_code == 1
    assert out.read_text() == edited
    dataset = read_dataset(out)
    assert dataset.groups is None
    assert any("was edited" in note for note in dataset.notes)
    build_dataset([sample / "train"], out, force=True)
    assert out.read_text() != edited


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="AU12_r"), "lacks the column AU12_r"),
        (lambda f: f.assign(AU12_r=5.1), r"AU12_r in data row 1 is 5.1, outside 0-5 \(529 more"),
        (lambda f: f.assign(AU12_r=np.where(f.index == 7, -1, 1)), "data row 8 is -1, outside"),
        (lambda f: f.assign(AU12_r=np.where(f.index == 7, "high", "1")), "data row 8 is 'high'"),
        (lambda f: f.assign(AU12_r=np.where(f.index == 7, np.nan, 1)), "data row 8 is empty"),
        (lambda f: f.assign(emotion=6), "the label '6' is, nobody says"),
        (lambda f: f.assign(emotion="fear"), "'fear' is no emotion"),
        (
            lambda f: f.assign(emotion=np.where(f.index == 7, np.nan, 1)),
            "data row 8 has no emotion",
        ),
        (lambda f: f.iloc[:0], "has a header but no row"),
    ],
)
def test_a_dataset_that_cannot_be_used(
    sample_dataset: Path, tmp_path: Path, change, message: str
) -> None:
    path = tmp_path / "foreign.csv"
    change(pd.read_csv(sample_dataset)).to_csv(path, index=False)
    with pytest.raises(DataError, match=message) as raised:
        read_dataset(path)
    assert raised.value.exit_code == 4


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "0 bytes"), (b"\x89PNG\r\n\x1a\n\0\0", "not a whole CSV")]
)
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_dataset(path)
    with pytest.raises(UsageError):
        read_dataset(tmp_path / "nowhere.csv")


def test_a_dataset_from_elsewhere_is_read_liberally(sample_dataset: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(sample_dataset)
    names = Emotions().names
    frame["emotion"] = [names[label].capitalize() for label in frame["emotion"]]
    frame["age"] = 30
    frame = frame[["age", *reversed(frame.columns[:-1])]]
    frame.columns = [f" {name}" for name in frame.columns]
    frame.to_csv(tmp_path / "foreign.csv")  # with an index column, as pandas users do
    dataset = read_dataset(tmp_path / "foreign.csv")
    expected = read_dataset(sample_dataset)
    assert np.array_equal(dataset.labels, expected.labels)
    assert np.array_equal(dataset.aus.to_numpy(), expected.aus.to_numpy())
    assert any("groups" in note for note in dataset.notes)


def test_the_reference_dataset_is_read_as_it_is(data: Path) -> None:
    dataset = read_dataset(data / "reference" / "emotion.csv")
    assert list(dataset.counts().values()) == [712, 219, 764, 700, 1038, 1040]
    assert len(np.unique(dataset.keys)) < len(dataset) == 4473


def test_groups_travel_from_the_table_to_the_dataset(tmp_path: Path) -> None:
    table = table_of({"group": "p1"}, {"group": "p2", "emotion": "happy"})
    write_au_table(table, tmp_path / "aus.csv")
    build_dataset([tmp_path / "aus.csv"], tmp_path / "emotion.csv", emotions=TWO)
    groups = read_dataset(tmp_path / "emotion.csv").groups
    assert groups is not None
    assert groups.tolist() == ["p1", "p2"]


def test_an_au_table_survives_writing_and_reading(tmp_path: Path) -> None:
    table = table_of({"group": "p1"}, {"status": "no_face", "reason": 'small, "48" px'})
    write_au_table(table, tmp_path / "aus.csv")
    read = read_au_table(tmp_path / "aus.csv", TWO)
    pd.testing.assert_frame_equal(read.frame, table.frame)
    assert read.extractor == table.extractor
    assert "0.0" not in (tmp_path / "aus.csv").read_text().splitlines()[2]  # empty, not 0


def test_selection_counts_a_row_without_confidence_as_confident() -> None:
    selection = select_faces(table_of({"confidence": np.nan}))
    assert selection["status"].tolist() == ["in_dataset"]


def test_label_numbers_mean_what_the_file_says(sample_dataset: Path, tmp_path: Path) -> None:
    """Another order of emotions changes the numbers, never the faces' emotions."""
    own = read_dataset(sample_dataset)
    turned = Emotions(tuple(reversed(own.emotions.names)))
    read = read_dataset(sample_dataset, turned)
    assert read.rows["emotion"].tolist() == own.rows["emotion"].tolist()
    assert [turned.names[label] for label in read.labels] == own.rows["emotion"].tolist()
    with pytest.raises(DataError, match="is no emotion of this study"):
        read_dataset(sample_dataset, TWO)
    # without a sidecar the numbers mean what the caller says
    bare = tmp_path / "bare.csv"
    bare.write_bytes(sample_dataset.read_bytes())
    assert read_dataset(bare, turned).rows["emotion"].iloc[0] == "surprise"
    assert read_dataset(bare).rows["emotion"].iloc[0] == "angry"


def test_some_emotions_can_be_chosen(aufer: RunAufer, sample: Path, tmp_path: Path) -> None:
    """The hint of an emotion without a face works as it is printed."""
    shutil.copytree(sample / "train", tmp_path / "of")
    for path in (tmp_path / "of" / "disgust").glob("*.csv"):
        path.unlink()
    ran = aufer("build-dataset", "of").check(4)
    assert "no usable face of 'disgust'" in ran.err
    hint = ran.err.partition("do without: aufer ")[2].split()
    assert hint[:2] == ["build-dataset", "of"]
    aufer(*hint).check()
    excluded = pd.read_csv(tmp_path / "data" / "emotion.excluded.csv")
    assert (excluded["status"] == "other_emotion").sum() == 105
    assert set(excluded.loc[excluded["status"] == "other_emotion", "emotion"]) == {"disgust"}
    facts = json.loads((tmp_path / "data" / "emotion.json").read_text())
    assert facts["emotions"] == ["angry", "happy", "neutral", "sad", "surprise"]
    assert facts["by_emotion"]["total"]["images"] == 630


@pytest.mark.parametrize("groups", [["KA", "NA", "null"], ["007", "7", "012"], ["1.0", "", "nan"]])
def test_groups_are_texts(tmp_path: Path, groups: list[str]) -> None:
    """One of JAFFE's persons is called NA."""
    table = table_of(
        {"group": groups[0]},
        {"group": groups[1], "emotion": "happy"},
        {"group": groups[2], "emotion": "happy"},
    )
    write_au_table(table, tmp_path / "aus.csv")
    build_dataset([tmp_path / "aus.csv"], tmp_path / "emotion.csv", emotions=TWO)
    read = read_dataset(tmp_path / "emotion.csv").groups
    assert read is not None
    assert read.tolist() == groups


def test_a_cut_table_is_noticed(tmp_path: Path) -> None:
    table = table_of(*({"emotion": ("angry", "happy")[n % 2]} for n in range(10)))
    path = tmp_path / "aus.csv"
    write_au_table(table, path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (b"".join(lines[:-2]), whole[:-20]):
        path.write_bytes(cut)
        with pytest.raises(DataError, match="is cut"):
            read_au_table(path)
    path.write_bytes(whole.replace(b"0.9", b"0.8"))
    assert any("was edited" in note for note in read_au_table(path).notes)


def test_numbers_are_labels_in_tables_only(aufer: RunAufer, tmp_path: Path, sample: Path) -> None:
    for number, path in enumerate(sorted((sample / "test" / "happy").glob("*.csv"))[:3]):
        (tmp_path / "of" / str(number)).mkdir(parents=True)
        shutil.copy(path, tmp_path / "of" / str(number))
    assert "'0', '1', '2' is no emotion" in aufer("build-dataset", "of").check(4).err


def test_video_measurements_are_refused_everywhere(
    aufer: RunAufer, data: Path, tmp_path: Path, bundle: Path
) -> None:
    video = data / "openface-examples" / "feature_extraction_live.csv"
    assert "another measure" in aufer("predict", video).check(4).err
    pd.read_csv(video).assign(emotion=2).to_csv(tmp_path / "video.csv", index=False)
    for command in (("train", "video.csv"), ("build-dataset", "video.csv")):
        assert "another measure" in aufer(*command).check(4).err


def test_a_persons_own_json_is_kept(aufer: RunAufer, tmp_path: Path, sample: Path) -> None:
    (tmp_path / "survey.json").write_text('{"my": "notes"}')
    ran = aufer("build-dataset", sample / "train", "--out", "survey.csv").check(1)
    assert "survey.json is not one of" in ran.err
    assert (tmp_path / "survey.json").read_text() == '{"my": "notes"}'


def test_numbers_of_a_bare_file_are_never_guessed(
    aufer: RunAufer, sample_dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "bare.csv").write_bytes(sample_dataset.read_bytes())
    ran = aufer("build-dataset", "bare.csv", "--emotions", "happy,sad").check(4)
    assert "nobody says" in ran.err
    assert not (tmp_path / "data").exists()
    chosen = ("build-dataset", sample_dataset, "--emotions", "happy,sad")
    aufer(*chosen).check()  # its sidecar says
    counts = json.loads((tmp_path / "data" / "emotion.json").read_text())["counts"]
    assert counts == {"happy": 92, "sad": 79}


def test_tables_of_another_kind_are_kept(aufer: RunAufer, tmp_path: Path, sample: Path) -> None:
    write_au_table(table_of({}, {"emotion": "happy"}), tmp_path / "aus.csv")
    before = (tmp_path / "aus.csv").read_bytes()
    ran = aufer("build-dataset", sample / "train", "--out", "aus.csv").check(1)
    assert "another kind of file (aufer/au-table/1)" in ran.err
    assert "the source too" in aufer("build-dataset", "aus.csv", "--out", "aus.csv").check(2).err
    assert (tmp_path / "aus.csv").read_bytes() == before


@pytest.mark.parametrize("out", [".", "", "x.json", "x"])
def test_a_tables_name_ends_in_csv(aufer: RunAufer, sample: Path, out: str, tmp_path: Path) -> None:
    ran = aufer("build-dataset", sample / "train", "--out", out).check(2)
    assert "can't be a table's name" in ran.err
    assert not list(tmp_path.glob("x*"))


def test_groups_in_the_file_itself_are_used(tmp_path: Path, sample_dataset: Path) -> None:
    frame = pd.read_csv(sample_dataset)
    frame["group"] = [f"p{number // 5}" for number in range(len(frame))]
    frame.to_csv(tmp_path / "foreign.csv", index=False)
    groups = read_dataset(tmp_path / "foreign.csv").groups
    assert groups is not None
    assert groups[:6].tolist() == ["p0"] * 5 + ["p1"]


def test_two_datasets_live_side_by_side(aufer: RunAufer, tmp_path: Path, sample: Path) -> None:
    aufer("build-dataset", sample / "train").check()
    strict = ("build-dataset", sample / "train", "--min-confidence", "0.95")
    aufer(*strict, "--out", "data/strict.csv").check()
    aufer("build-dataset", sample / "train").check()
    assert len(list((tmp_path / "data" / "csv-strict").glob("*.csv"))) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AU01_r;AU02_r\n1,5;2\n", "separated by semicolons"),
        ("AU01_r, AU01_r,emotion\n1,2,0\n", "AU01_r more than once"),
        ("a,b,c\n1,2", "is cut"),
    ],
)
def test_tables_of_other_programs(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_dataset(tmp_path / "x.csv")


# ---- the command line


def test_the_command_prints_counts_and_the_path(aufer: RunAufer, sample: Path) -> None:
    ran = aufer("build-dataset", sample / "train").check()
    assert ran.out.strip() == str(Path("data/emotion.csv"))
    assert "no_face" in ran.err
    assert " of 630 images are in" in ran.err
    facts = json.loads(aufer("build-dataset", sample / "train", "--json").check().out)
    assert facts["n_images"] == 630


def test_unreadable_files_lead_to_exit_5_unless_told_to_keep_going(
    aufer: RunAufer, sample: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample / "test", tmp_path / "of")
    (tmp_path / "of" / "happy" / "cut.csv").write_text("face,conf")
    ran = aufer("build-dataset", "of").check(5)
    assert "1 images could not be used" in ran.err
    assert "cut within its header" in (tmp_path / "data" / "emotion.excluded.csv").read_text()
    aufer("build-dataset", "of", "--keep-going").check(0)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nowhere"], 2, "There is no nowhere"),
        ([], 2, "aufer extract"),
        (["empty"], 4, "no OpenFace files"),
        (["strange"], 4, "'envious' is no emotion"),
        (["bad"], 4, "None of the 1 CSVs"),
        (["nowhere", "--min-confidence", "7"], 2, "--min-confidence"),
    ],
)
def test_bad_sources(
    aufer: RunAufer, tmp_path: Path, args: list[str], code: int, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("strange/envious", "bad/happy"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.csv").write_text("a,b\n1,2\n")
    ran = aufer("build-dataset", *args).check(code)
    assert message in ran.err
    assert "hint: " in ran.err
    assert not (tmp_path / "data").exists()


def test_a_dataset_of_an_older_version_is_read(tmp_path: Path) -> None:
    """Without the columns phash and source, and without groups in emotion.json."""
    table = table_of({"group": "p1"}, {"group": "p2", "emotion": "happy"})
    write_au_table(table, tmp_path / "aus.csv")
    build_dataset([tmp_path / "aus.csv"], tmp_path / "emotion.csv", emotions=TWO)
    rows = pd.read_csv(tmp_path / "emotion.rows.csv", dtype=str, keep_default_na=False)
    rows.drop(columns=["phash", "source"]).to_csv(tmp_path / "emotion.rows.csv", index=False)
    facts = json.loads((tmp_path / "emotion.json").read_text())
    del facts["groups"], facts["normalization"], facts["by_source"]
    (tmp_path / "emotion.json").write_text(json.dumps(facts))
    read = read_dataset(tmp_path / "emotion.csv", TWO)
    assert read.rows["group"].tolist() == ["p1", "p2"]
    assert read.rows["phash"].tolist() == read.rows["source"].tolist() == ["", ""]
    assert (read.grouping.kind, read.grouping.n_groups) == ("column", 2)
    assert read.normalization.how == "none"
    assert read.notes == ()


def test_pictures_and_sources_of_a_file_from_elsewhere_are_used(
    tmp_path: Path, sample_dataset: Path
) -> None:
    frame = pd.read_csv(sample_dataset).assign(phash="0f" * 8, source="lab", sha256="0" * 64)
    frame.to_csv(tmp_path / "foreign.csv", index=False)
    built = build_dataset([tmp_path / "foreign.csv"], tmp_path / "emotion.csv")
    assert set(built.dataset.rows["source"]) == {"lab"}
    assert set(built.dataset.rows["phash"]) == {"0f" * 8}
    assert built.dataset.grouping.kind == "images"
    assert built.dataset.grouping.n_groups == 1
