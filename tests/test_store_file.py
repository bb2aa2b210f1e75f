"""The store's file: one process at a time, damaged files, places that can't be written to."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from aufer.errors import AuferError, EnvironmentFailure
from aufer.openface.store import open_store
from tests.recording import EXTRACTOR, check_recorded, csv, record, sha, start_recording


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / ".aufer" / "measured.sqlite"


# one at a time


def test_a_second_process_is_told_and_stops(path: Path) -> None:
    with start_recording(path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(EnvironmentFailure) as caught:
            open_store(path)
        with pytest.raises(EnvironmentFailure):
            open_store(path, fresh=True)
        process.kill()
    assert caught.value.message == f"Another aufer is measuring into {path.parent.parent}."
    assert caught.value.exit_code == 3
    assert "--out" in (caught.value.hint or "")
    with open_store(path), pytest.raises(EnvironmentFailure):
        open_store(path)


@pytest.mark.parametrize("exists", [False, True])
def test_of_many_that_start_at_once_one_gets_it(path: Path, exists: bool) -> None:
    if exists:
        open_store(path).close()
    code = (
        "import sys; from pathlib import Path\n"
        "from aufer.errors import EnvironmentFailure\n"
        "from aufer.openface.store import open_store\n"
        "sys.stdin.readline()\n"
        "try:\n    store = open_store(Path(sys.argv[1])); print('opened', flush=True)\n"
        "except EnvironmentFailure: print('locked', flush=True)\n"
        "sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(path)]
    several = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    time.sleep(0.5)  # all of them stand at the line
    for process in several:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.stdout.readline().strip() for process in several if process.stdout]
    for process in several:
        process.communicate("")
    assert sorted(said) == ["locked"] * 4 + ["opened"]


def test_another_thread_is_a_mistake_and_no_damage(path: Path) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            store.files([b"x"])
        except BaseException as error:
            caught.append(error)

    with open_store(path) as store:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert [type(error) for error in caught] == [sqlite3.ProgrammingError]


# bad files and bad places


def made(path: Path, n: int = 60) -> bytes:
    """Record ``n`` pictures; returns the file's bytes."""
    with open_store(path) as store:
        for i in range(n):
            record(store, i)
    return path.read_bytes()


def cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def cut_to_a_line(content: bytes) -> bytes:
    return content[:60]


def zero_a_page(content: bytes) -> bytes:
    return bytes(4096) + content[4096:]


def garbage(content: bytes) -> bytes:
    return b"not a store, " * 1000


def of_another_program(content: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with closing(sqlite3.connect(Path(folder) / "x")) as connection, connection:
            connection.execute("CREATE TABLE theirs (x)")
        return (Path(folder) / "x").read_bytes()


@pytest.mark.parametrize(
    "spoil", [cut_in_half, cut_to_a_line, zero_a_page, garbage, of_another_program]
)
def test_a_damaged_file_is_told_and_with_fresh_moved_aside(path: Path, spoil) -> None:
    spoilt = spoil(made(path))
    path.write_bytes(spoilt)
    for _ in range(2):
        with pytest.raises(AuferError, match="is damaged") as caught:
            open_store(path)
        assert "--fresh" in (caught.value.hint or "")
        assert "only time is lost" in (caught.value.hint or "")
    assert path.read_bytes() == spoilt
    with open_store(path, fresh=True) as store:
        assert store.count_measured(EXTRACTOR) == 0
        record(store, 5)
    assert path.with_name("measured.sqlite.damaged").read_bytes() == spoilt
    with open_store(path, fresh=True) as store:  # it is whole now, and stays as it is
        check_recorded(store, range(5, 6))


def test_damage_that_is_found_only_by_looking_is_found_by_fresh(path: Path) -> None:
    content = bytearray(made(path, 600))
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(AuferError, match="is damaged"), open_store(path) as store:
        check_recorded(store, range(600))
    with open_store(path, fresh=True) as store:
        assert store.count_measured(EXTRACTOR) == 0


def test_bits_that_flipped_are_told_as_damage_or_cost_a_record(path: Path) -> None:
    content = made(path, 100)
    keys = [(sha(n), "192") for n in range(100)]
    told: list[str] = []
    for seed in range(150):
        chance = random.Random(seed)
        spoilt = bytearray(content)
        for _ in range(20):
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        for old in path.parent.iterdir():
            old.unlink()
        path.write_bytes(spoilt)
        try:
            with open_store(path) as store:
                store.files([f"images/{n}.jpg".encode() for n in range(100)])
                store.pictures([sha(n) for n in range(100)])
                store.looks(EXTRACTOR, [sha(n) for n in range(100)])
                for key, read in store.csvs(EXTRACTOR, keys).items():
                    assert read == csv(keys.index(key))
        except AuferError as error:
            told.append(error.message)
    assert len(told) > 50
    assert all("is damaged" in message and message.isprintable() for message in told)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_newer_aufers_store_is_left_alone(path: Path, fresh: bool) -> None:
    made(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(AuferError, match=r"newer aufer \(version 2, here 1\)"):
        open_store(path, fresh=fresh)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(AuferError, match="can't be written"):
        open_store(path, fresh=True)
    path.rmdir()
    path.parent.rmdir()
    path.parent.write_text("a file")
    with pytest.raises(AuferError, match="can't be made"):
        open_store(path)


def test_a_place_that_cant_be_written_to(small_disk: Path) -> None:
    path = small_disk / "data" / ".aufer" / "measured.sqlite"
    made(path, 3)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(AuferError, match="can't be written") as caught:
        open_store(path)
    assert "--out" in (caught.value.hint or "")
    with pytest.raises(AuferError, match="can't be written"):
        open_store(path, fresh=True)
    with pytest.raises(AuferError, match="can't be made"):
        open_store(small_disk / "other" / ".aufer" / "measured.sqlite")


def fill(folder: Path) -> Path:
    """Take all that is left of a small disk."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_a_full_disk_keeps_what_was_committed_and_goes_on_when_there_is_room(
    small_disk: Path,
) -> None:
    path = small_disk / ".aufer" / "measured.sqlite"
    n = 0
    with open_store(path) as store:
        with pytest.raises(AuferError, match="The disk is full"):
            for n in range(10_000):
                record(store, n, n_bytes=3000)
                store.commit()
        check_recorded(store, range(n), 3000)
    with suppress(AuferError), open_store(path) as store:  # as full as before
        check_recorded(store, range(n), 3000)
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    with open_store(path) as store:
        check_recorded(store, range(n), 3000)
        for more in range(n, n + 20):
            record(store, more, n_bytes=3000)
        store.commit()
        check_recorded(store, range(n + 20), 3000)


def test_a_template_that_found_no_room_is_written_again(small_disk: Path) -> None:
    path = small_disk / ".aufer" / "measured.sqlite"
    with open_store(path) as store:
        ballast = fill(small_disk)
        record(store, 0, n_bytes=20_000)  # the first: extractor and templates are new with it
        with pytest.raises(AuferError, match="The disk is full") as caught:
            store.commit()
        assert "free some space" in (caught.value.hint or "")
        store.commit()  # nothing is pending any more
        assert store.count_measured(EXTRACTOR) == 0
        ballast.unlink()
        record(store, 1)
    with open_store(path) as store:
        check_recorded(store, range(1, 2))


def test_no_room_for_a_new_store(small_disk: Path) -> None:
    fill(small_disk)
    path = small_disk / "measured.sqlite"
    with pytest.raises(AuferError, match="The disk is full"):
        open_store(path)
    (small_disk / "ballast").unlink()
    with open_store(path) as store:
        record(store, 1)
