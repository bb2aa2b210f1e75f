"""OpenFace's files in the store, packed small: most of a CSV is its header, always the same one.

Each file is compressed (zlib, RFC 1950: its checksum finds damage that SQLite doesn't look for)
with an earlier file of its kind as the preset dictionary, the *template*. Templates lie in the
store, so that the header of any version and flags of OpenFace costs next to nothing after the
first. A CSV of 179 columns (2 KB) takes some 410 bytes.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence

from aufer.openface.store_file import StoreFile

SCHEMA = """
CREATE TABLE template (id INTEGER PRIMARY KEY, kind BLOB NOT NULL UNIQUE, content BLOB NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY, csv_template INTEGER, csv BLOB, details_template INTEGER,
    details BLOB NOT NULL
);
CREATE TABLE extra (files INTEGER NOT NULL, suffix BLOB NOT NULL, content BLOB NOT NULL);
CREATE INDEX extra_of_files ON extra (files);
"""

_DETAILS = b"details"
_DETAILS_WITHOUT_FACE = b"details without a face"

_WINDOW_BITS = 14
_WINDOW_BYTES = 1 << _WINDOW_BITS
"""zlib looks no further back; with its widest window, getting memory takes longer than packing."""

_MEMORY_LEVEL = 6

_MOST_TEMPLATES = 64
"""Files of further kinds are compressed alone: kinds are few, unless files are garbage."""

_EXTRA_LEVEL = 1
"""Annotated pictures hardly shrink: no time is spent on trying."""


class PackedFiles:
    """The tables ``files``, ``extra`` and ``template`` of one store."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self._templates: dict[bytes, int] = {}
        self._contents: dict[int | None, bytes] = {None: b""}

    def forget(self) -> None:
        """Forget the templates known; to be called when what was written is undone."""
        self._templates = {}
        self._contents = {None: b""}

    def write(self, csv: bytes | None, details: bytes, extras: Mapping[str, bytes]) -> int:
        """Write the files of one look; returns the number under which they are found."""
        run = self._file.run
        packed_csv = (None, None) if csv is None else self._pack(csv, _kind_of(csv))
        packed_details = self._pack(details, _DETAILS_WITHOUT_FACE if csv is None else _DETAILS)
        row = (None, *packed_csv, *packed_details)
        number = int(run("INSERT INTO files VALUES (?, ?, ?, ?, ?)", row).lastrowid or 0)
        for suffix, content in extras.items():
            extra = (number, text_to_bytes(suffix), zlib.compress(content, _EXTRA_LEVEL))
            run("INSERT INTO extra VALUES (?, ?, ?)", extra)
        return number

    def remove(self, number: int) -> None:
        """Remove the files of one look."""
        self._file.run("DELETE FROM files WHERE id = ?", (number,))
        self._file.run("DELETE FROM extra WHERE files = ?", (number,))

    def read_csvs(self, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Number and CSV, for those that have one."""
        query = "SELECT id, csv_template, csv FROM files WHERE csv NOTNULL AND id IN (*)"
        for number, template, csv in self._file.ask(query, numbers):
            yield number, self._unpack(template, csv)

    def read(
        self, numbers: Sequence[int]
    ) -> Iterator[tuple[int, bytes | None, bytes, dict[str, bytes]]]:
        """Number, CSV, details and extras."""
        extras: dict[int, dict[str, bytes]] = {number: {} for number in numbers}
        query = "SELECT files, suffix, content FROM extra WHERE files IN (*)"
        for number, suffix, content in self._file.ask(query, numbers):
            extras[number][bytes_to_text(suffix)] = self._unpack(None, content)
        query = "SELECT id, csv_template, csv, details_template, details FROM files WHERE id IN (*)"
        for number, csv_template, csv, template, details in self._file.ask(query, numbers):
            whole_csv = None if csv is None else self._unpack(csv_template, csv)
            yield number, whole_csv, self._unpack(template, details), extras[number]

    def _pack(self, content: bytes, kind: bytes) -> tuple[int | None, bytes]:
        """The template's number (None: none) and the packed content; may write a new template."""
        template = self._template_for(content, kind)
        packer = zlib.compressobj(
            wbits=_WINDOW_BITS, memLevel=_MEMORY_LEVEL, zdict=self._content_of(template)
        )
        return template, packer.compress(content) + packer.flush()

    def _unpack(self, template: int | None, packed: bytes) -> bytes:
        """The content as it was; `sqlite3.DatabaseError` when it is damaged."""
        unpacker = zlib.decompressobj(zdict=self._content_of(template))
        try:
            content = unpacker.decompress(packed)
        except (zlib.error, TypeError) as error:
            raise sqlite3.DatabaseError(f"a record is malformed: {error}") from error
        if not unpacker.eof:
            raise sqlite3.DatabaseError("a record is malformed: it is cut")
        return content

    def _template_for(self, content: bytes, kind: bytes) -> int | None:
        if kind in self._templates:
            return self._templates[kind]
        run = self._file.run
        found = run("SELECT id FROM template WHERE kind = ?", (kind,)).fetchone()
        if found is None:
            if not content or run("SELECT count(*) FROM template").fetchone()[0] >= _MOST_TEMPLATES:
                return None
            row = (None, kind, content[:_WINDOW_BYTES])
            found = (run("INSERT INTO template VALUES (?, ?, ?)", row).lastrowid,)
        self._templates[kind] = int(found[0])
        return self._templates[kind]

    def _content_of(self, template: int | None) -> bytes:
        if template not in self._contents:
            query = "SELECT content FROM template WHERE id = ?"
            row = self._file.run(query, (template,)).fetchone()
            if row is None:
                raise sqlite3.DatabaseError("a record is malformed: its template is missing")
            self._contents[template] = row[0]
        return self._contents[template]


def _kind_of(csv: bytes) -> bytes:
    """CSVs with the same header line are of one kind."""
    return b"csv " + csv[:_WINDOW_BYTES].partition(b"\n")[0]


def text_to_bytes(text: str) -> bytes:
    """UTF-8; names of files may hold what isn't text, which SQLite takes as bytes only."""
    return text.encode("utf-8", "surrogatepass")


def bytes_to_text(stored: bytes) -> str:
    """The inverse of `text_to_bytes`."""
    return stored.decode("utf-8", "surrogatepass")
