"""What was measured, by content: pictures go by the sha256 of their bytes, not by their names.

An SQLite file holds, for each picture and each way in which it was handed to OpenFace, what came
of it and OpenFace's own files; and for each path the stamp under which its sha256 is known. Tables
and folders are derived from it. What was committed outlasts ``kill -9`` and power cuts; the process
that has it open keeps all others out.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from aufer.openface import packing
from aufer.openface.store_file import StoreFile, open_store_file, told

VERSION = 1

_SCHEMA = f"""
{packing.SCHEMA}
CREATE TABLE extractor (id INTEGER PRIMARY KEY, description BLOB NOT NULL UNIQUE);
CREATE TABLE file (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, sha256 BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE picture (
    sha256 BLOB PRIMARY KEY, width INTEGER NOT NULL, height INTEGER NOT NULL, phash TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE look (
    extractor INTEGER NOT NULL, sha256 BLOB NOT NULL, way TEXT NOT NULL,
    crashed INTEGER NOT NULL, n_faces INTEGER NOT NULL, seconds REAL NOT NULL,
    has_annotated INTEGER NOT NULL,
    facts TEXT NOT NULL, -- reason, limits and confidence as JSON, or empty if there is none
    files INTEGER, -- their number in the table of this name
    PRIMARY KEY (extractor, sha256, way)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Stamp:
    """What tells, without reading it, that a file is still the same; whole numbers of 64 bits."""

    size: int
    mtime_ns: int
    inode: int


def stamp_of(stat: os.stat_result) -> Stamp:
    """The stamp of a file; numbers of more than 64 bits (Windows, broken clocks) are folded."""
    return Stamp(_fold(stat.st_size), _fold(stat.st_mtime_ns), _fold(stat.st_ino))


def _fold(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


@dataclass(frozen=True)
class Picture:
    """One picture: upright size in pixels, and its perceptual hash (hexadecimal)."""

    width: int
    height: int
    phash: str


@dataclass(frozen=True)
class Limits:
    """The limits that OpenFace had to keep: seconds an image, bytes of memory (0: none)."""

    image_timeout_s: float
    memory_bytes: int


@dataclass(frozen=True)
class Look:
    """One try to measure one picture in one way.

    Attributes:
        way: the name of the way.
        crashed: OpenFace died of this picture, twice alone. reason: how.
        exit_code: how the last run ended. limits: those in force then.
        confidence: policy (``--faces``) -> confidence (0-1) of the face it takes; empty: no face.
        seconds: how long it took.
        has_annotated: OpenFace was asked for its annotated picture too.
    """

    way: str
    crashed: bool = False
    reason: str = ""
    exit_code: int = 0
    limits: Limits | None = None
    n_faces: int = 0
    confidence: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    has_annotated: bool = False


@dataclass(frozen=True)
class LookFiles:
    """The files that OpenFace wrote in one look, byte for byte.

    Attributes:
        csv: None without a face.
        details: ``<stem>_of_details.txt``.
        extras: all the others: what follows the stem in the name -> content.
    """

    csv: bytes | None
    details: bytes
    extras: Mapping[str, bytes] = field(default_factory=dict)


class Store:
    """An open store, used by one thread; made by `open_store`.

    Keys are the sha256s of pictures' bytes (lower-case hexadecimal) and `os.fsencode`d paths; any
    number of them may be asked for at once, and those not known are left out of the answer. What is
    recorded is seen at once, replaces what was recorded under the same key, and is kept from
    `commit` on: once a second rather than after every picture, as it waits for the disk. As a
    context manager it commits at the end, after an error too, and closes.

    Every method raises `AuferError` when the disk is full or gone, or the file damaged.
    """

    def __init__(self, path: Path, file: StoreFile) -> None:
        self.path = path
        self._file = file
        self._packed = packing.PackedFiles(file)
        self._extractors: dict[str, int] = {}
        file.when_undone = self._forget

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.commit()
        finally:
            self.close()

    @told
    def files(self, paths: Sequence[bytes]) -> dict[bytes, tuple[Stamp, str]]:
        """Path -> the stamp that the file had when it was last read, and its sha256."""
        query = "SELECT path, size, mtime_ns, inode, sha256 FROM file WHERE path IN (*)"
        return {row[0]: (Stamp(*row[1:4]), row[4].hex()) for row in self._file.ask(query, paths)}

    @told
    def pictures(self, sha256s: Sequence[str]) -> dict[str, Picture]:
        """What is known of pictures before OpenFace sees them."""
        query = "SELECT sha256, width, height, phash FROM picture WHERE sha256 IN (*)"
        return {row[0].hex(): Picture(*row[1:]) for row in self._file.ask(query, _keys(sha256s))}

    @told
    def looks(self, extractor: str, sha256s: Sequence[str]) -> dict[str, dict[str, Look]]:
        """Picture -> name of the way -> what came of it, by one extractor (its description)."""
        query = (
            "SELECT sha256, way, crashed, n_faces, seconds, has_annotated, facts FROM look "
            "WHERE extractor = ? AND sha256 IN (*)"
        )
        found: dict[str, dict[str, Look]] = {}
        number = self._find_extractor(extractor)
        for sha256, *row in self._file.ask(query, _keys(sha256s), number):
            found.setdefault(sha256.hex(), {})[row[0]] = _to_look(*row)
        return found

    @told
    def csvs(self, extractor: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        """(sha256, name of the way) -> OpenFace's CSV, where there is one."""
        owners = self._owners_of_files(extractor, keys)
        return {owners[number]: csv for number, csv in self._packed.read_csvs(list(owners))}

    @told
    def look_files(
        self, extractor: str, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], LookFiles]:
        """(sha256, name of the way) -> all files that OpenFace wrote, where it wrote any."""
        owners = self._owners_of_files(extractor, keys)
        return {
            owners[number]: LookFiles(csv, details, extras)
            for number, csv, details, extras in self._packed.read(list(owners))
        }

    @told
    def count_measured(self, extractor: str) -> int:
        """How many pictures this extractor has measured."""
        query = "SELECT count(DISTINCT sha256) FROM look WHERE extractor = ? AND NOT crashed"
        row = self._file.run(query, (self._find_extractor(extractor),)).fetchone()
        return int(row[0])

    @told
    def slowest(self, extractor: str, n: int) -> list[tuple[str, float]]:
        """The ``n`` pictures that took longest: sha256 and seconds over all ways, longest first."""
        query = (
            "SELECT sha256, sum(seconds) AS total FROM look WHERE extractor = ? "
            "GROUP BY sha256 ORDER BY total DESC, sha256 LIMIT ?"
        )
        rows = self._file.run(query, (self._find_extractor(extractor), n))
        return [(sha256.hex(), total) for sha256, total in rows]

    @told
    def record_file(self, path: bytes, stamp: Stamp, sha256: str) -> None:
        """The file at a path has this stamp and this sha256."""
        row = (path, stamp.size, stamp.mtime_ns, stamp.inode, bytes.fromhex(sha256))
        with self._file.writing():
            self._file.run("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", row)

    @told
    def record_picture(self, sha256: str, picture: Picture) -> None:
        """What is known of a picture before OpenFace sees it."""
        row = (bytes.fromhex(sha256), picture.width, picture.height, picture.phash)
        with self._file.writing():
            self._file.run("INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?)", row)

    @told
    def record_look(self, extractor: str, sha256: str, look: Look, files: LookFiles | None) -> None:
        """What came of one look, and its files; replaces an earlier one of the same way."""
        with self._file.writing():
            key = (self._number_of(extractor), bytes.fromhex(sha256), look.way)
            query = "SELECT files FROM look WHERE extractor = ? AND sha256 = ? AND way = ?"
            for (old,) in self._file.run(query, key).fetchall():
                self._packed.remove(old)
            number = files and self._packed.write(files.csv, files.details, files.extras)
            numbers = (look.crashed, look.n_faces, look.seconds, look.has_annotated)
            self._file.run(
                "INSERT OR REPLACE INTO look VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, *numbers, _to_facts(look), number),
            )

    @told
    def commit(self) -> None:
        """Keep what was recorded; a power cut can't undo it any more."""
        self._file.commit()

    @told
    def close(self) -> None:
        """Close and unlock the file; what was not committed is lost."""
        self._file.close()

    def _forget(self) -> None:
        """What was written may be undone, and what was numbered have its number no more."""
        self._packed.forget()
        self._extractors.clear()

    def _owners_of_files(
        self, extractor: str, keys: Sequence[tuple[str, str]]
    ) -> dict[int, tuple[str, str]]:
        """Number of the files -> the key they belong to."""
        wanted = set(keys)
        query = "SELECT sha256, way, files FROM look WHERE extractor = ? AND sha256 IN (*)"
        number = self._find_extractor(extractor)
        rows = self._file.ask(query, _keys([sha256 for sha256, _ in wanted]), number)
        found = ((files, (sha256.hex(), way)) for sha256, way, files in rows)
        return {files: key for files, key in found if files is not None and key in wanted}

    def _find_extractor(self, description: str) -> int:
        """Its number; 0, which none has, if nothing was recorded of it."""
        if description not in self._extractors:
            query = "SELECT id FROM extractor WHERE description = ?"
            row = self._file.run(query, (packing.text_to_bytes(description),)).fetchone()
            if row is None:
                return 0
            self._extractors[description] = row[0]
        return self._extractors[description]

    def _number_of(self, description: str) -> int:
        number = self._find_extractor(description)
        if not number:
            query = "INSERT INTO extractor (description) VALUES (?)"
            self._file.run(query, (packing.text_to_bytes(description),))
            number = self._find_extractor(description)
        return number


def open_store(path: Path, *, fresh: bool = False) -> Store:
    """Open the store at ``path``, or make it with its folder; no other process can meanwhile.

    Args:
        fresh: a damaged file is moved aside (``….damaged``), and a new one is begun. A whole one is
            opened as it is.

    Raises:
        EnvironmentFailure: another process has it open. AuferError: the file is damaged, is not a
            store or a newer aufer's, or can't be written.
    """
    return Store(path, open_store_file(path, _SCHEMA, VERSION, fresh=fresh))


def _keys(sha256s: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(sha256) for sha256 in sha256s]


def _to_facts(look: Look) -> str:
    """The JSON of reason, exit code, limits and confidence."""
    if not (look.reason or look.exit_code or look.limits or look.confidence):
        return ""
    limits = look.limits and [look.limits.image_timeout_s, look.limits.memory_bytes]
    facts = [look.reason, look.exit_code, limits, dict(look.confidence)]
    return json.dumps(facts, separators=(",", ":"))


@lru_cache(maxsize=10_000)  # confidences have three decimals: most looks share theirs with others
def _from_facts(facts: str) -> tuple[str, int, Limits | None, dict[str, float]]:
    reason, code, limits, confidence = json.loads(facts) if facts else ("", 0, None, {})
    return reason, int(code), limits and Limits(*limits), dict(confidence)


def _to_look(
    way: str, crashed: int, n_faces: int, seconds: float, has_annotated: int, facts: str
) -> Look:
    try:
        reason, exit_code, limits, confidence = _from_facts(facts)
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"a record is malformed: {error}") from error
    return Look(
        way=way,
        crashed=bool(crashed),
        reason=reason,
        exit_code=exit_code,
        limits=limits,
        n_faces=n_faces,
        confidence={**confidence},
        seconds=seconds,
        has_annotated=bool(has_annotated),
    )
