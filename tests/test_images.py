"""The input images: which files count, and as what."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from aufer.images import Image, find_images, printable, walk_files


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target, target_is_directory=True)
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")


def names(folder: Path, **options) -> dict[str, str | None]:
    return {image.name: image.emotion for image in find_images(folder, Emotions(), **options)}


def test_linked_folders_count_as_folders(tmp_path: Path) -> None:
    put(tmp_path / "photos", "a.jpg", "set/b.jpg")
    put(tmp_path / "images", "sad/c.jpg")
    link(tmp_path / "images/happy", tmp_path / "photos")
    link(tmp_path / "images/angry/again", tmp_path / "photos/set")
    found = names(tmp_path / "images")
    assert found == {
        "angry/again/b.jpg": "angry",
        "happy/a.jpg": "happy",
        "happy/set/b.jpg": "happy",
        "sad/c.jpg": "sad",
    }


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    put(tmp_path / "happy", "a.jpg", "deep/b.jpg")
    link(tmp_path / "happy/deep/up", tmp_path)
    link(tmp_path / "happy/self", tmp_path / "happy/self")  # a link to itself is no folder
    assert [name for name, _ in walk_files(tmp_path)] == [
        *("happy/a.jpg", "happy/self", "happy/deep/b.jpg")
    ]


def test_a_folder_that_cant_be_read_is_told(tmp_path: Path, monkeypatch) -> None:
    put(tmp_path, "happy/a.jpg", "sad/b.jpg")
    really = os.scandir

    def scandir(folder):
        if Path(folder).name == "sad":
            raise PermissionError(13, "Permission denied")
        return really(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(AuferError, match="sad can't be read: Permission denied") as failure:
        names(tmp_path)
    assert failure.value.exit_code == 1
    assert failure.value.hint


@pytest.mark.parametrize("made", [["0.jpg", "5.jpg"], ["0/a.jpg"], ["happy/a.jpg", "3/a.jpg"]])
def test_numbers_name_no_emotion(tmp_path: Path, made: list[str]) -> None:
    put(tmp_path, *made)
    with pytest.raises(DataError, match="no emotion"):
        names(tmp_path)


def test_numbers_are_labels_in_a_table_of_labels(tmp_path: Path) -> None:
    put(tmp_path / "images", "0.jpg")
    (tmp_path / "labels.csv").write_text("image,emotion\n0.jpg,2\n")
    assert names(tmp_path / "images", labels=tmp_path / "labels.csv") == {"0.jpg": "happy"}


def test_images_without_a_label_are_counted(tmp_path: Path, caplog) -> None:
    put(tmp_path / "images", *(f"p{number}.jpg" for number in range(5)), "notes.txt")
    (tmp_path / "labels.csv").write_text("image,emotion\np1.jpg,sad\n./p2.jpg,happy\n")
    with caplog.at_level(logging.WARNING, "aufer"):
        logging.getLogger("aufer").propagate = True
        found = names(tmp_path / "images", labels=tmp_path / "labels.csv")
    assert found == {"p1.jpg": "sad", "p2.jpg": "happy"}
    assert "left out: 3 of 5" in caplog.text


@pytest.mark.parametrize("other", ["./happy/p0.jpg", "happy//p0.jpg", "sad/../happy/p0.jpg"])
def test_one_image_under_two_spellings(tmp_path: Path, other: str) -> None:
    put(tmp_path / "images", "happy/p0.jpg")
    (tmp_path / "labels.csv").write_text(f"image,emotion\nhappy/p0.jpg,sad\n{other},sad\n")
    with pytest.raises(DataError, match=r"names happy/p0\.jpg more than once"):
        names(tmp_path / "images", labels=tmp_path / "labels.csv")


@pytest.mark.parametrize("name", ["../x.jpg", "a/../../x.jpg", "/x.jpg", "..", "C:/x.jpg"])
def test_labels_of_images_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    put(tmp_path, "x.jpg", "images/a.jpg")
    (tmp_path / "labels.csv").write_text(f"image,emotion\n{name},sad\n")
    with pytest.raises(DataError, match="outside of"):
        names(tmp_path / "images", labels=tmp_path / "labels.csv")


@pytest.mark.skipif(os.name == "nt", reason="names are UTF-16 here")
def test_names_in_another_encoding_are_printable_and_unique(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    try:
        for name in (b"J\xf6rg.jpg", b"J\\xf6rg.jpg"):
            Path(os.fsdecode(os.fsencode(tmp_path / "happy") + b"/" + name)).write_bytes(b"x")
    except OSError as error:
        pytest.skip(f"the file system takes UTF-8 only: {error}")
    found = find_images(tmp_path, Emotions())
    assert {image.name for image in found} == {"happy/J\\xf6rg.jpg", "happy/J\\xf6rg.jpg~"}
    assert all(image.path.is_file() for image in found)
    (tmp_path / "labels.csv").write_text("image,emotion\nhappy/J\\xf6rg.jpg,sad\n")
    assert names(tmp_path, labels=tmp_path / "labels.csv") == {"happy/J\\xf6rg.jpg": "sad"}


@pytest.mark.skipif(os.name == "nt", reason="names are UTF-16 here")
def test_every_image_name_is_printable() -> None:
    name = os.fsdecode(b"J\xf6rg \xc3\xb6.jpg")
    assert Image(Path(name), name).name == printable(name) == "J\\xf6rg ö.jpg"


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be used"):
        find_images(tmp_path / ("a" * 300), Emotions())
