"""The store: what comes back, what outlasts kill -9, and what happens to a bad file."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, suppress
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aufer.openface.store import (
    Limits,
    Look,
    LookFiles,
    Picture,
    Stamp,
    open_store,
    stamp_of,
)
from tests.recording import (
    EXTRACTOR,
    HEADER,
    check_recorded,
    csv,
    record,
    sha,
    start_recording,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / ".aufer" / "measured.sqlite"


# what comes back

integers = st.integers(-(2**63), 2**63 - 1)
names = st.binary(max_size=12).map(os.fsdecode)  # such as file systems hold: not always text
csvs = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.sampled_from([HEADER, b"face, confidence", b""]), st.binary(max_size=80)).map(
        b"\n".join
    ),
)
looks = st.builds(
    Look,
    way=st.sampled_from(["as it is", "192", "192+25%"]),
    crashed=st.booleans(),
    reason=names,
    exit_code=st.integers(0, 255),
    limits=st.none() | st.builds(Limits, st.floats(0, 1e6), st.integers(0, 2**60)),
    n_faces=st.integers(0, 100),
    confidence=st.dictionaries(st.sampled_from(["largest", "best"]), st.floats(0, 1)),
    seconds=st.floats(0, 1e6),
    has_annotated=st.booleans(),
)
files_of_looks = st.none() | st.builds(
    LookFiles,
    csv=st.none() | csvs,
    details=st.binary(max_size=200),
    extras=st.dictionaries(names, st.binary(max_size=100), max_size=3),
)
shas = st.integers(0, 5).map(sha)
extractors = st.sampled_from([EXTRACTOR, os.fsdecode(b"FaceLandmarkImg \xff")])
steps = st.one_of(
    st.tuples(
        st.just("file"), st.binary(max_size=4), st.builds(Stamp, integers, integers, integers), shas
    ),
    st.tuples(st.just("picture"), shas, st.builds(Picture, integers, integers, st.text())),
    st.tuples(st.just("look"), extractors, shas, looks, files_of_looks),
    st.just(("commit",)),
    st.just(("reopen",)),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(steps, max_size=40))
def test_whatever_is_recorded_comes_back_and_the_latest_counts(all_steps: list[tuple]) -> None:
    files: dict = {}
    pictures: dict = {}
    known: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "m.sqlite")
        for kind, *arguments in [*all_steps, ("commit",)]:
            if kind == "file":
                store.record_file(*arguments)
                files[arguments[0]] = tuple(arguments[1:])
            elif kind == "picture":
                store.record_picture(*arguments)
                pictures[arguments[0]] = arguments[1]
            elif kind == "look":
                store.record_look(*arguments)
                extractor, key, look, its_files = arguments
                known[extractor, key, look.way] = look, its_files
            else:
                store.commit()
                if kind == "reopen":
                    store.close()
                    store = open_store(Path(folder) / "m.sqlite")
        with store:
            every = [sha(n) for n in range(5, -1, -1)]
            keys = [(key, way) for key in every for way in ("192", "as it is", "192+25%", "other")]
            assert store.files([*files, b"another"]) == files
            assert store.pictures(every) == pictures
            for extractor in {EXTRACTOR, "never used", *(name for name, _, _ in known)}:
                ours = {(k, way): v for (name, k, way), v in known.items() if name == extractor}
                expected: dict = {}
                for (key, way), (look, _) in ours.items():
                    expected.setdefault(key, {})[way] = look
                assert store.looks(extractor, every) == expected
                measured = [key for (key, _), (look, _) in ours.items() if not look.crashed]
                assert store.count_measured(extractor) == len(set(measured))
                with_files = {k: f for k, (_, f) in ours.items() if f is not None}
                assert store.look_files(extractor, keys) == with_files
                assert store.csvs(extractor, keys) == {
                    key: f.csv for key, f in with_files.items() if f.csv is not None
                }


def test_any_number_of_keys(path: Path) -> None:
    n = 40_000  # more than SQLite takes in one query
    with open_store(path) as store:
        for i in range(0, n, 20):
            record(store, i)
        store.commit()
        keys = [sha(i) for i in range(n)]
        ways = [(key, "192") for key in keys]
        assert len(store.files([f"images/{i}.jpg".encode() for i in range(n)])) == n / 20
        assert len(store.pictures(keys)) == len(store.looks(EXTRACTOR, keys * 2)) == n / 20
        assert store.csvs(EXTRACTOR, ways)[sha(n - 20), "192"] == csv(n - 20)
        assert store.count_measured(EXTRACTOR) == n / 20
        assert store.csvs(EXTRACTOR, []) == {}


def test_the_slowest_pictures_are_summed_over_their_ways(path: Path) -> None:
    with open_store(path) as store:
        for n in range(20):
            record(store, n)
        record(store, 7, way="192+25%")
        record(store, 8, way="192+25%")
        store.record_look("another", sha(1), Look("192", seconds=1000), None)
        assert store.slowest(EXTRACTOR, 3) == [(sha(19), 1.9), (sha(18), 1.8), (sha(17), 1.7)]
        record(store, 10, way="192+25%")
        assert store.slowest(EXTRACTOR, 1) == [(sha(10), 2.0)]
        assert store.slowest("never used", 3) == []


def test_real_csvs_of_every_layout_come_back(data: Path, path: Path) -> None:
    found = sorted((data / "openface-examples").rglob("*.csv"))
    with open_store(path) as store:
        for n, file in enumerate(found):
            content = LookFiles(file.read_bytes(), b"", {".csv": file.read_bytes()})
            store.record_look(EXTRACTOR, sha(n), Look("192"), content)
    with open_store(path) as store:
        for n, file in enumerate(found):
            assert store.csvs(EXTRACTOR, [(sha(n), "192")]) == {(sha(n), "192"): file.read_bytes()}


def test_a_real_picture_takes_less_than_a_kilobyte(data: Path, path: Path) -> None:
    with ZipFile(data / "fer2013" / "openface-public.zip") as archive:
        stems = [name[:-4] for name in archive.namelist() if name.endswith(".csv")][:1000]
        contents = [
            LookFiles(archive.read(f"{stem}.csv"), archive.read(f"{stem}_of_details.txt"))
            for stem in stems
        ]
    with open_store(path) as store:
        for n, content in enumerate(contents):
            record(store, n)
            store.record_look(EXTRACTOR, sha(n), Look("192", n_faces=1), content)
    with open_store(path) as store:
        read = store.look_files(EXTRACTOR, [(sha(n), "192") for n in range(len(contents))])
        assert [read[sha(n), "192"] for n in range(len(contents))] == contents
    assert path.stat().st_size / len(contents) < 1000


def test_headers_without_end_are_no_burden(path: Path) -> None:
    """Each header is a kind of its own: their templates must not fill the store."""
    rows = [random.Random(n).randbytes(100).hex().encode() for n in range(300)]
    with open_store(path) as store:
        for n, row in enumerate(rows):
            store.record_look(EXTRACTOR, sha(n), Look("192"), LookFiles(row + b"\n", b""))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM template").fetchone()[0] < 100
    with open_store(path) as store:
        read = store.csvs(EXTRACTOR, [(sha(n), "192") for n in range(300)])
        assert [read[sha(n), "192"] for n in range(300)] == [row + b"\n" for row in rows]


def test_a_look_without_files_takes_the_old_files_away(path: Path) -> None:
    with open_store(path) as store:
        record(store, 1, n_bytes=10)
        crash = Look("192", crashed=True, reason="exit 134", limits=Limits(120.0, 0))
        store.record_look(EXTRACTOR, sha(1), crash, None)
        assert store.looks(EXTRACTOR, [sha(1)]) == {sha(1): {"192": crash}}
        assert store.look_files(EXTRACTOR, [(sha(1), "192")]) == {}
    with closing(sqlite3.connect(path)) as connection:
        for table in ("files", "extra"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_stamps_of_any_file_system_fit(path: Path) -> None:
    stat = path.parent.parent.parent.stat()
    assert stamp_of(stat) == Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ino)

    class Odd:
        st_size, st_mtime_ns, st_ino = 5, 2**63 + 7, 2**127 + 2**63 + 3

    stamp = stamp_of(Odd)  # type: ignore[arg-type]
    with open_store(path) as store:
        store.record_file(b"x", stamp, sha(1))
        assert store.files([b"x"]) == {b"x": (stamp, sha(1))}


# interrupted


def test_an_interrupted_record_leaves_the_old_one(path: Path, monkeypatch) -> None:
    with open_store(path) as store:
        record(store, 1, n_bytes=20)
        write = store._packed.write

        def interrupted(*args: object) -> int:
            write(*args)
            raise KeyboardInterrupt

        monkeypatch.setattr(store._packed, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.record_look(EXTRACTOR, sha(1), Look("192"), LookFiles(b"new\n", b"", {".x": b""}))
        with pytest.raises(KeyboardInterrupt):
            store.record_look("new", sha(2), Look("192"), LookFiles(b"a,b\n", b""))
        monkeypatch.undo()
        check_recorded(store, range(1, 2), 20)
        assert store.count_measured("new") == 0
        # the number of the extractor and the template were undone with it
        store.record_look("new", sha(3), Look("192"), LookFiles(b"a,b\n1,2\n", b""))
    with open_store(path) as store:
        check_recorded(store, range(1, 2), 20)
        assert store.csvs("new", [(sha(3), "192")]) == {(sha(3), "192"): b"a,b\n1,2\n"}


def test_what_was_recorded_is_kept_after_an_error(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_store(path) as store:
        record(store, 1)
        raise KeyboardInterrupt
    with open_store(path) as store:
        check_recorded(store, range(1, 2))


def test_killed_at_any_moment_it_holds_all_that_was_committed(path: Path) -> None:
    chance = random.Random(3)
    first = 0
    for _ in range(10):
        with start_recording(path, first, n_bytes=5000) as process:
            assert process.stdout is not None
            reported = [process.stdout.readline()]
            killer = threading.Timer(chance.uniform(0, 0.4), process.kill)
            killer.start()
            reported += process.stdout.readlines()
        first = int([line for line in reported if line.endswith("\n")][-1]) + 1
        with open_store(path) as store:
            check_recorded(store, range(first), 5000)
            assert first <= store.count_measured(EXTRACTOR) <= first + 3
    assert not list(path.parent.glob("*.damaged*"))


def test_a_child_that_outlives_a_killed_process_does_not_hold_the_lock(path: Path) -> None:
    code = (
        "import subprocess, sys, time; from pathlib import Path\n"
        "from aufer.openface.store import open_store\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    try:
        open_store(path).close()
    finally:
        with suppress(OSError):
            os.kill(child, 9)
