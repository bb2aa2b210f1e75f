"""Pictures for a store, by number; a file of its own, as processes that get killed use it too."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

from aufer.openface.store import Look, LookFiles, Picture, Stamp, Store

EXTRACTOR = "openface-static (docker, sha256:1234)"
HEADER = ",".join(["face", "confidence", *(f"AU{i:02}_r" for i in range(17))]).encode()


def sha(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


def csv(n: int) -> bytes:
    row = [0, 0.98, *((n * 37 + i * 11) % 500 / 100 for i in range(17))]
    return HEADER + b"\n" + ",".join(map(str, row)).encode() + b"\n"


def look_files(n: int, n_bytes: int = 0) -> LookFiles:
    """The files of picture ``n``; with so many bytes that don't shrink."""
    extras = {".jpg": random.Random(n).randbytes(n_bytes)} if n_bytes else {}
    return LookFiles(csv(n), f"Input:input/{n}.bmp\nOutput csv:{n}.csv\n".encode(), extras)


def record(store: Store, n: int, n_bytes: int = 0, way: str = "192") -> None:
    """All there is to record of picture ``n``."""
    store.record_file(f"images/{n}.jpg".encode(), Stamp(n, n, n), sha(n))
    store.record_picture(sha(n), Picture(48, 48, sha(n)[:16]))
    look = Look(way, n_faces=1, confidence={"largest": 0.98, "best": 0.98}, seconds=n / 10)
    store.record_look(EXTRACTOR, sha(n), look, look_files(n, n_bytes))


def check_recorded(store: Store, numbers: range, n_bytes: int = 0) -> None:
    """Assert that all that `record` recorded comes back."""
    shas = [sha(n) for n in numbers]
    files = store.files([f"images/{n}.jpg".encode() for n in numbers])
    assert files == {f"images/{n}.jpg".encode(): (Stamp(n, n, n), sha(n)) for n in numbers}
    assert store.pictures(shas).keys() == store.looks(EXTRACTOR, shas).keys() == set(shas)
    keys = [(key, "192") for key in shas]
    assert store.look_files(EXTRACTOR, keys) == {
        (sha(n), "192"): look_files(n, n_bytes) for n in numbers
    }
    assert store.csvs(EXTRACTOR, keys) == {(sha(n), "192"): csv(n) for n in numbers}


WRITER = """
import sys
from pathlib import Path
from aufer.openface.store import open_store
from tests.recording import record

first, n_bytes = int(sys.argv[2]), int(sys.argv[3])
store = open_store(Path(sys.argv[1]))
for n in range(first, first + 1_000_000):
    record(store, n, n_bytes)
    if n % 3 == 0:
        store.commit()
        print(n, flush=True)
"""


def start_recording(path: Path, first: int = 0, n_bytes: int = 0) -> subprocess.Popen[str]:
    """A process that records picture after picture and prints the last one of each commit."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(first), str(n_bytes)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
