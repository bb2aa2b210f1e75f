"""Groups: by column, pattern, near copies and blocks; across sources; and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

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
from aufer.groups import (
    Grouping,
    GroupRule,
    find_weak_groups,
    group_by_blocks,
    group_by_images,
    match_names,
)
from aufer.openface.faces import read_faces
from aufer.provenance import MEASURE_STATIC, Extractor
from tests.running import RunAufer

TWO = Emotions(("angry", "happy"))
NEAR = ("0f0f0f0f0f0f0f0f", "0f0f0f0f0f0f0f0c", "00ff00ff00ff00ff")
"""Two near hashes and another one."""

KDEF = [f"{person}{code}.jpg" for person in ("AF01", "AM02") for code in ("AN", "HA", "NE", "SA")]


def table_of(images: list[str], **columns: list[object]) -> AuTable:
    """A table of faces, angry and happy in turn, each with AUs of its own."""
    n = len(images)
    aus = {name: [round(0.01 * (row + 1), 2) for row in range(n)] for name in INTENSITY_COLUMNS}
    facts = {"status": "ok", "confidence": 0.9, "emotion": [TWO.names[row % 2] for row in range(n)]}
    frame = pd.DataFrame({"image": images, **facts, **aus, **columns})
    return AuTable(complete(frame), Extractor(measure=MEASURE_STATIC, engine="local"))


def write(folder: Path, images: list[str], name: str = "aus.csv", **columns: list[object]) -> Path:
    write_au_table(table_of(images, **columns), folder / name)
    return folder / name


def build(source: Path | list[Path], groups: str | None = None, **options: object) -> Built:
    sources = source if isinstance(source, list) else [source]
    out = sources[0].parent / "out" / "emotion.csv"
    return build_dataset(sources, out, emotions=TWO, groups=groups, **options)  # type: ignore[arg-type]


# ---- rules


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (None, GroupRule("auto")),
        ("", GroupRule("auto")),
        ("none", GroupRule("none")),
        ("images", GroupRule("images")),
        ("blocks:60", GroupRule("blocks", size=60)),
        ("person", GroupRule("named", "person")),
        ("^(..):", GroupRule("named", "^(..):")),
    ],
)
def test_rules_are_read(text: str | None, rule: GroupRule) -> None:
    assert GroupRule.parse(text) == rule


@pytest.mark.parametrize("text", ["blocks", "blocks:", "blocks:0", "blocks:-3", "blocks:ten"])
def test_blocks_need_a_number_of_rows(text: str) -> None:
    with pytest.raises(UsageError, match="whole number of rows"):
        GroupRule.parse(text)


# ---- patterns


@pytest.mark.parametrize(
    ("pattern", "names", "groups", "rule"),
    [
        (r"^([A-Z]{2}\d\d)", ["a/AF01x.jpg", "b/AM02y.jpg"], ["AF01", "AM02"], "file names"),
        (r"^[A-Z]{2}\d\d", ["a/AF01x.jpg", "b/AM02y.jpg"], ["AF01", "AM02"], "file names"),
        (r"([FM])(\d+)", ["F1.jpg", "M22.jpg"], ["F-1", "M-22"], "file names"),
        (r"([FM])(\d+)(x)?", ["F1.jpg", "M2x.jpg"], ["F-1", "M-2-x"], "file names"),
        (r"^happy/([^/]+)/", ["happy/Ann/1.jpg", "happy/Bo/1.jpg"], ["Ann", "Bo"], "paths"),
        (r"(Ann|Bo)/", ["happy/Ann/1.jpg", "happy/Bo/1.jpg"], ["Ann", "Bo"], "paths"),
    ],
)
def test_a_pattern_finds_the_group(
    pattern: str, names: list[str], groups: list[str], rule: str
) -> None:
    found, grouping = match_names(pattern, names, "here")
    assert found == groups
    assert (grouping.kind, grouping.n_groups, grouping.largest) == ("pattern", 2, 1)
    assert grouping.rule == f"pattern '{pattern}' in the {rule}"
    assert grouping.knows_persons


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"^([A-Z]{2}\d\d)", "in 5 of the 6 names (photo0.jpg, photo1.jpg, photo2.jpg …)"),
        (r"^([A-Z]{2}\d\d)?", "in 5 of the 6 names (photo0.jpg, photo1.jpg, photo2.jpg …)"),
        (r"(x*)AF01", "in 6 of the 6 names (AF01.jpg, photo0.jpg, photo1.jpg …)"),
    ],
)
def test_an_image_without_its_group_is_an_error(pattern: str, message: str) -> None:
    names = ["AF01.jpg", *(f"photo{n}.jpg" for n in range(5))]
    with pytest.raises(DataError) as raised:
        match_names(pattern, names, "data/aus.csv")
    assert message in raised.value.message
    assert raised.value.exit_code == 4
    assert raised.value.hint is not None
    assert "--groups images" in raised.value.hint


def test_a_wrong_pattern_is_a_usage_error(aufer: RunAufer, tmp_path: Path) -> None:
    write(tmp_path, KDEF)
    ran = aufer("build-dataset", "aus.csv", "--emotions", "angry,happy", "--groups", "(A").check(2)
    assert "as a regular expression it is wrong: missing )" in ran.err
    assert "hint: " in ran.err
    ran = aufer("build-dataset", "aus.csv", "--emotions", "angry,happy", "--groups", "B(.)")
    assert "finds no group in 8 of the 8 names (AF01AN.jpg" in ran.check(4).err
    assert not (tmp_path / "data").exists()


def test_a_pattern_is_written_and_read_back(tmp_path: Path) -> None:
    built = build(write(tmp_path, KDEF), r"^([A-Z]{2}\d\d)")
    assert built.dataset.rows["group"].tolist() == ["AF01"] * 4 + ["AM02"] * 4
    facts = json.loads((tmp_path / "out" / "emotion.json").read_text())
    assert facts["groups"] == {
        "kind": "pattern",
        "rule": r"pattern '^([A-Z]{2}\d\d)' in the file names",
        "n_groups": 2,
        "largest": 4,
    }
    read = read_dataset(tmp_path / "out" / "emotion.csv")
    assert read.grouping == built.dataset.grouping == Grouping.from_facts(facts["groups"])
    assert read.groups is not None
    assert not any("unknown" in note for note in read.notes)


# ---- columns


def test_a_column_of_the_file_wins_over_a_pattern_of_the_same_letters(tmp_path: Path) -> None:
    path = write(tmp_path, [f"person{n}.jpg" for n in range(4)])
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame[" person "] = ["007", "007", "NA", "1.0"]
    (tmp_path / "aus.json").unlink()
    frame.to_csv(path, index=False)
    built = build(path, "person")
    assert built.dataset.rows["group"].tolist() == ["007", "007", "NA", "1.0"]
    assert built.dataset.grouping == Grouping("column", "column 'person'", 3, 2)


def test_rows_without_a_value_in_the_column_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, [f"{n}.jpg" for n in range(4)], group=["a", "", "a", ""])
    built = build(path)
    assert built.dataset.grouping == Grouping("column", "column 'group'", 1, 2)
    assert any("2 of the 4 faces have no group" in note for note in built.dataset.notes)
    assert read_dataset(tmp_path / "out" / "emotion.csv").rows["group"].tolist() == [
        "a",
        "",
        "a",
        "",
    ]


def test_a_column_of_the_rows_beside_a_dataset(tmp_path: Path) -> None:
    first = build(write(tmp_path, KDEF), r"^([A-Z]{2})")
    path = Path(first.dataset.path or "")
    again = build_dataset([path], tmp_path / "2.csv", emotions=TWO, groups="image")
    assert again.dataset.grouping.n_groups == 8
    again = build_dataset([path], tmp_path / "3.csv", emotions=TWO, groups="group")
    assert again.dataset.rows["group"].tolist() == first.dataset.rows["group"].tolist()
    # rows that are no longer the dataset's are not used
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")
    with pytest.raises(DataError, match="has no such column"):
        build_dataset([path], tmp_path / "4.csv", emotions=TWO, groups="image")


def test_au_rows_of_any_csv_bring_their_persons(tmp_path: Path) -> None:
    frame = table_of(KDEF).frame[["image", *INTENSITY_COLUMNS]].assign(who=["x", "y"] * 4)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    table = read_faces(tmp_path / "rows.csv", TWO, labelled=False, groups=GroupRule.parse("who"))
    assert table.frame["group"].tolist() == ["x", "y"] * 4
    assert table.grouping == Grouping("column", "column 'who'", 2, 4)
    frame.rename(columns={"who": "group"}).to_csv(tmp_path / "rows.csv", index=False)
    table = read_faces(tmp_path / "rows.csv", TWO, labelled=False)
    assert table.grouping == Grouping("column", "column 'group'", 2, 4)


# ---- near copies and blocks


def test_near_copies_are_one_group(tmp_path: Path) -> None:
    images = [f"{n}.jpg" for n in range(4)]
    path = write(tmp_path, images, phash=[*NEAR, ""])
    for rule in ("images", None):  # the default where hashes are known
        built = build(path, rule)
        groups = built.dataset.rows["group"].tolist()
        assert groups == ["near-1", "near-1", "near-2", "near-3"]
        assert built.dataset.grouping.kind == "images"
        assert not built.dataset.grouping.knows_persons
        assert "1 faces without a hash are alone" in built.dataset.grouping.rule
    notes = read_dataset(tmp_path / "out" / "emotion.csv").notes
    assert any("persons are still unknown" in note for note in notes)


def test_near_copies_need_hashes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the faces has the perceptual hash") as raised:
        build(write(tmp_path, ["a.jpg", "b.jpg"]), "images")
    assert raised.value.hint is not None
    assert "--images" in raised.value.hint
    with pytest.raises(DataError, match="no perceptual hash"):
        group_by_images(["not a hash"])


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 12))
@settings(deadline=None)
def test_blocks_never_mix_labels(labels: list[int], size: int) -> None:
    groups, grouping = group_by_blocks(np.array(labels, dtype=np.int64), size)
    frame = pd.DataFrame({"label": labels, "group": groups, "row": range(len(labels))})
    for _, block in frame.groupby("group"):
        assert block["label"].nunique() == 1
        assert len(block) <= size
        assert block["row"].tolist() == list(range(block["row"].iloc[0], block["row"].iloc[-1] + 1))
    # no two neighbouring blocks of one label are both shorter than asked for
    sizes = frame.groupby("group", sort=False)["label"].agg(["first", "size"])
    for before, after in zip(sizes.itertuples(), sizes.iloc[1:].itertuples(), strict=False):
        assert before.first != after.first or before.size == size
    assert grouping.n_groups == len(set(groups))


def test_blocks_are_cut_after_duplicates_are_gone(tmp_path: Path) -> None:
    table = table_of([f"{n}.jpg" for n in range(6)])
    frame = table.frame.assign(emotion=["angry"] * 5 + ["happy"])
    frame.loc[1, list(INTENSITY_COLUMNS)] = frame.loc[0, list(INTENSITY_COLUMNS)]
    write_au_table(AuTable(frame), tmp_path / "aus.csv")
    built = build(tmp_path / "aus.csv", "blocks:2")
    assert built.dataset.rows["image"].tolist() == ["0.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert built.dataset.rows["group"].tolist() == [
        *["block-0001"] * 2,
        *["block-0002"] * 2,
        "block-0003",
    ]
    assert built.dataset.grouping.rule == "blocks of 2 consecutive rows of one emotion"


def test_none_leaves_groups_unknown_though_the_file_has_some(tmp_path: Path) -> None:
    path = write(tmp_path, KDEF, group=["a"] * 8, phash=[NEAR[0]] * 8)
    built = build(path, "none")
    assert built.dataset.grouping == Grouping()
    assert built.dataset.groups is None
    read = read_dataset(tmp_path / "out" / "emotion.csv")
    assert read.grouping.kind == "none"
    assert any("groups (persons, series of pictures) are unknown" in note for note in read.notes)


def test_near_copies_and_blocks_of_a_dataset_are_never_taken_for_persons(tmp_path: Path) -> None:
    build(write(tmp_path, KDEF, phash=[NEAR[0]] * 4 + [NEAR[2]] * 4), "blocks:3")
    path = tmp_path / "out" / "emotion.csv"
    assert build_dataset([path], tmp_path / "2.csv", emotions=TWO).dataset.grouping.kind == "images"
    table = read_faces(path, TWO)
    assert table.grouping.kind == "blocks"
    joined = join_tables([table, table_of(["x.jpg"])], ["a", "b"])
    assert joined.grouping == Grouping()
    assert set(joined.frame["group"]) == {""}


# ---- several sources


def test_persons_of_several_sources(tmp_path: Path) -> None:
    first = write(tmp_path, KDEF, "kdef.csv")
    second = write(tmp_path, [f"s/AF01{n}.jpg" for n in range(4)], "more.csv")
    for path in (first, second):
        table = read_faces(path, TWO)
        aus = table.frame[list(INTENSITY_COLUMNS)] + (path == second)
        write_au_table(AuTable(table.frame.assign(**aus)), path, force=True)
    built = build([first, second], r"^([A-Z]{2}\d\d)")
    assert built.dataset.grouping.n_groups == 2
    assert built.dataset.grouping.largest == 8
    assert any("1 groups have faces in more than one source" in n for n in built.dataset.notes)
    assert any("(AF01)" in note for note in built.dataset.notes)


def test_the_rule_has_to_hold_for_every_source(tmp_path: Path) -> None:
    first = write(tmp_path, KDEF, "kdef.csv")
    second = write(tmp_path, ["1.jpg", "2.jpg"], "other.csv")
    with pytest.raises(DataError, match=r"other.csv has no such column"):
        build([first, second], r"^([A-Z]{2}\d\d)")


def test_persons_of_one_source_are_kept_beside_one_without(tmp_path: Path) -> None:
    first = write(tmp_path, ["a.jpg", "b.jpg"], "kdef.csv", group=["p", "q"])
    frame = table_of(["1.jpg", "2.jpg"]).frame
    frame[list(INTENSITY_COLUMNS)] += 1
    write_au_table(AuTable(frame), tmp_path / "other.csv")
    built = build([first, tmp_path / "other.csv"])
    assert built.dataset.rows["group"].tolist() == ["p", "q", "", ""]
    assert built.dataset.grouping.kind == "column"
    assert any("2 of the 4 faces have no group" in note for note in built.dataset.notes)


def test_each_row_tells_its_source(tmp_path: Path) -> None:
    first = write(tmp_path, ["a.jpg", "b.jpg"], "one.csv")
    frame = table_of(["a.jpg", "b.jpg", "c.jpg"]).frame
    frame[list(INTENSITY_COLUMNS)] += 1
    frame.loc[2, "confidence"] = 0.1
    write_au_table(AuTable(frame), tmp_path / "two.csv")
    sources = [first, tmp_path / "two.csv"]
    built = build(sources)
    names = [path.as_posix() for path in sources]
    assert built.dataset.rows["source"].tolist() == [names[0]] * 2 + [names[1]] * 2
    facts = json.loads((tmp_path / "out" / "emotion.json").read_text())
    assert facts["sources"] == names
    assert facts["by_source"] == {
        names[0]: {"images": 2, "in_dataset": 2},
        names[1]: {"images": 3, "in_dataset": 2},
    }
    # a dataset that is a source itself keeps telling where its rows are from
    again = build_dataset([tmp_path / "out" / "emotion.csv"], tmp_path / "2.csv", emotions=TWO)
    assert again.dataset.rows["source"].tolist() == built.dataset.rows["source"].tolist()


# ---- what is said


def test_weak_groups_are_told() -> None:
    words = ["angry"] * 4 + ["happy"] * 20
    groups = ["a", "a", "a", "b", *(f"p{n}" for n in range(20))]
    (note,) = find_weak_groups(groups, words)
    assert note.startswith("group a has 3 of the 4 faces of angry")
    (note,) = find_weak_groups(["a", "b"] * 6, ["angry"] * 6 + ["happy"] * 6)
    assert note.startswith("there are only 2 groups")
    assert find_weak_groups([""] * 24, words) == []
    assert find_weak_groups([f"p{n}" for n in range(24)], words) == []


def test_the_command_says_how_the_faces_are_grouped(aufer: RunAufer, tmp_path: Path) -> None:
    write(tmp_path, KDEF)
    command = ("build-dataset", "aus.csv", "--emotions", "angry,happy")
    ran = aufer(*command, "--groups", r"^([A-Z]{2}\d\d)").check()
    assert "2 groups by pattern" in ran.err
    assert "the largest of 4 faces." in ran.err
    assert "only 2 groups" in ran.err
    ran = aufer(*command, "--groups", "blocks:1").check()
    assert "which faces are of one person is unknown" in ran.err
    assert "groups are unknown" in aufer(*command).check().err


def test_the_reference_dataset_in_blocks(data: Path, tmp_path: Path) -> None:
    source = data / "reference" / "emotion.csv"
    built = build_dataset([source], tmp_path / "emotion.csv", groups="blocks:60")
    groups = pd.Series(built.dataset.rows["group"])
    assert groups.value_counts().max() == 60
    labels = pd.Series(built.dataset.labels)
    assert labels.groupby(groups.to_numpy()).nunique().max() == 1
    runs = int((labels != labels.shift()).sum())
    # each run of one label leaves one short block at most
    assert (groups.value_counts() < 60).sum() <= runs
