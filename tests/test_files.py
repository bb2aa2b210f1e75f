"""Files are never half-written nor lost."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from aufer.errors import AuferError, DataError
from aufer.files import (
    check_replaceable,
    is_edited,
    read_json,
    replacing,
    replacing_folder,
    sha256_of,
    to_json,
    write_text,
    write_with_sidecar,
)


def text_writer(text: str):
    return lambda path: path.write_text(text)


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="midway"), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("midway")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_new_files_and_folders_have_the_usual_permissions(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        write_text(tmp_path / "a", "x")
        with replacing_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o755


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with pytest.raises(RuntimeError), replacing_folder(target) as folder:
        (folder / "a").write_text("1")
        raise RuntimeError
    assert os.listdir(tmp_path) == []
    for text in ("1", "2"):
        with replacing_folder(target) as folder:
            (folder / text).write_text(text)
    assert os.listdir(tmp_path) == ["run"]
    assert os.listdir(target) == ["2"]


def test_a_set_of_files_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    sidecar = tmp_path / "a.json"
    files = {tmp_path / "a.csv": text_writer("1"), tmp_path / "sub" / "b.csv": text_writer("2")}
    facts = write_with_sidecar(files, sidecar, {"schema": "aufer/test/1"})
    assert facts["files"] == {
        "a.csv": sha256_of(tmp_path / "a.csv"),
        "sub/b.csv": sha256_of(tmp_path / "sub" / "b.csv"),
    }
    assert json.loads(sidecar.read_text()) == facts

    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(OSError, match="No space"):
        write_with_sidecar(
            {tmp_path / "a.csv": text_writer("new"), tmp_path / "sub" / "b.csv": fail}, sidecar, {}
        )
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_an_edited_file_is_told_from_one_of_ours(tmp_path: Path) -> None:
    path, sidecar = tmp_path / "a.csv", tmp_path / "a.json"
    assert not is_edited(path, sidecar)
    write_with_sidecar({path: text_writer("1")}, sidecar, {"schema": "aufer/test/1"})
    assert not is_edited(path, sidecar)
    check_replaceable({path: sidecar}, force=False, command="aufer x")
    path.write_text("1 and a correction")
    with pytest.raises(AuferError) as raised:
        check_replaceable({path: sidecar}, force=False, command="aufer x")
    assert raised.value.exit_code == 1
    assert raised.value.hint == "to replace it: aufer x --force"
    check_replaceable({path: sidecar}, force=True, command="aufer x")


def test_a_crash_between_two_renames_makes_no_file_look_edited(tmp_path: Path) -> None:
    path, sidecar = tmp_path / "a.csv", tmp_path / "a.json"
    write_with_sidecar({path: text_writer("1")}, sidecar, {"schema": "aufer/test/1"})
    old = path.read_bytes()
    write_with_sidecar({path: text_writer("2")}, sidecar, {"schema": "aufer/test/1"})
    path.write_bytes(old)  # as if the machine had stopped after the sidecar's rename
    assert not is_edited(path, sidecar)


def test_files_of_an_earlier_run_stay_known(tmp_path: Path) -> None:
    sidecar = tmp_path / "a.json"
    write_with_sidecar(
        {tmp_path / "a": text_writer("1"), tmp_path / "b": text_writer("2")},
        sidecar,
        {"schema": "aufer/test/1"},
    )
    write_with_sidecar({tmp_path / "a": text_writer("3")}, sidecar, {"schema": "aufer/test/1"})
    assert not is_edited(tmp_path / "b", sidecar)


@pytest.mark.parametrize("text", ["{", "[1]", "", "\xff"])
def test_json_that_is_no_object_is_bad_data(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError):
        read_json(path)


def test_json_is_strict() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"a": float("nan")})


@pytest.mark.parametrize("text", ['{"my": "notes"}', '{"files": ["a"]}', "[]", "notes"])
def test_a_sidecar_that_is_a_persons_own_file_is_kept(tmp_path: Path, text: str) -> None:
    sidecar = tmp_path / "survey.json"
    sidecar.write_text(text)
    with pytest.raises(AuferError, match="not one of `aufer`'s files"):
        check_replaceable({tmp_path / "survey.csv": sidecar}, force=False)
    assert not is_edited(tmp_path / "survey.csv", sidecar)


def test_a_file_under_any_of_its_last_sidecars_is_not_edited(tmp_path: Path) -> None:
    """Two runs in a row that were killed between the sidecar and the file."""
    path, sidecar = tmp_path / "a.csv", tmp_path / "a.json"
    facts = {"schema": "aufer/test/1"}
    write_with_sidecar({path: lambda p: p.write_text("first")}, sidecar, facts)
    for text in ("second", "third"):
        write_with_sidecar({path: lambda p, text=text: p.write_text(text)}, sidecar, facts)
        path.write_text("first")  # it was never renamed
    assert not is_edited(path, sidecar)
    path.write_text("by hand")
    assert is_edited(path, sidecar)
