"""The file of a store: opened by one process only, made anew, and told apart when it is damaged.

The lock is SQLite's own: the system frees it when a process ends, in whatever way. It is lost too
when the file is opened and closed by other means in this process: leave that to SQLite.
"""

from __future__ import annotations

import functools
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from aufer.errors import AuferError, EnvironmentFailure

APPLICATION_ID = 0x61756672
"""``aufr``: marks an SQLite file as one of aufer's stores."""

_LOCKED = ("is locked", "is busy")
_FULL = ("is full",)
_READ_ONLY = ("readonly", "unable to open")
_NO_DISK = ("disk i/o error", "locking protocol")
_TRIES = 5
_LONGEST_WAIT_S = 0.2

_SETTINGS = (
    "PRAGMA locking_mode = EXCLUSIVE",  # before the first look at the file: no shared memory file
    "PRAGMA synchronous = FULL",  # what was committed outlasts a power cut too
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16000",
)

_KEYS_AT_ONCE = 500
"""SQLite takes 999 values a query at least."""

P = ParamSpec("P")
T = TypeVar("T")


class StoreFile:
    """A connection to a store's file, and its one transaction, which goes on until `commit`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.run = connection.execute
        self.when_undone: Callable[[], None] = lambda: None

    def ask(
        self, query: str, keys: Sequence[bytes] | Sequence[int], *first: object
    ) -> Iterator[Any]:
        """The rows of a query that holds ``IN (*)``, for any number of keys."""
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            marks = ",".join("?" * len(some))
            yield from self.run(query.replace("(*)", f"({marks})"), (*first, *some))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written inside, or nothing of it: a Ctrl-C may come between any two lines."""
        if not self._connection.in_transaction:
            self.run("BEGIN")
        self.run("SAVEPOINT record")
        try:
            yield
            self.run("RELEASE record")
        except BaseException:
            self.when_undone()
            with suppress(sqlite3.OperationalError):  # SQLite may have undone it all by itself
                self.run("ROLLBACK TO record")
            raise

    def commit(self) -> None:
        """End the transaction, if there is one."""
        if not self._connection.in_transaction:
            return
        try:
            self.run("COMMIT")
        except BaseException:
            self.when_undone()
            with suppress(sqlite3.OperationalError):
                self.run("ROLLBACK")
            raise

    def close(self) -> None:
        """Close and unlock the file; what was not committed is lost."""
        self._connection.close()


class _HasPath(Protocol):
    path: Path


S = TypeVar("S", bound=_HasPath)


def told(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """SQLite's errors become `AuferError`s; those of wrong calls stay what they are."""

    @functools.wraps(method)
    def telling(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.NotSupportedError):
            raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise explain(error, self.path) from error

    return telling


def open_store_file(path: Path, schema: str, version: int, *, fresh: bool) -> StoreFile:
    """Open the file, or make it (and its folder), and lock it for this process.

    Args:
        schema: the statements that make the tables, for a new file.
        version: of the schema.
        fresh: look through the whole file; a damaged one is moved aside and a new one is made.

    Raises:
        EnvironmentFailure: another process has it open. AuferError: it is damaged, not a store, of
            a newer aufer, or can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return StoreFile(_connect(path, schema, version, thoroughly=fresh))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not (fresh and _is_damage(error)):
            raise explain(error, path) from error
    except OSError as error:
        raise AuferError(
            f"The folder {path.parent} can't be made: {error.strerror}.",
            hint="write the table where there is room and permission: --out",
        ) from error
    _move_aside(path)
    return open_store_file(path, schema, version, fresh=False)


def _connect(path: Path, schema: str, version: int, thoroughly: bool) -> sqlite3.Connection:
    """Open it as soon as it is free: two that start at once may get into each other's way."""
    for attempt in range(1, _TRIES + 1):
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            for setting in _SETTINGS:
                connection.execute(setting)
            connection.execute("BEGIN EXCLUSIVE")  # locks, and finds out if it can be written
            _check_or_make(connection, path, schema, version)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
            if thoroughly:
                _check_pages(connection)
            return connection
        except BaseException as error:
            connection.close()
            if attempt == _TRIES or not _is_any(error, _LOCKED):
                raise
        time.sleep(random.uniform(0.01, _LONGEST_WAIT_S))  # noqa: S311
    raise AssertionError("unreachable")


def _check_or_make(connection: sqlite3.Connection, path: Path, schema: str, version: int) -> None:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    found_version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        for statement in schema.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
    elif found != APPLICATION_ID:
        raise sqlite3.DatabaseError("file is not a database of aufer's")
    elif found_version > version:
        raise AuferError(
            f"{path} was made by a newer aufer (version {found_version}, here {version}).",
            hint="use that aufer, or write the table into another folder: --out",
        )


def _check_pages(connection: sqlite3.Connection) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise sqlite3.DatabaseError(f"malformed: {answer}")


def _move_aside(path: Path) -> None:
    for ending in ("", "-wal", "-journal"):
        old = path.with_name(path.name + ending)
        if old.exists():
            os.replace(old, path.with_name(f"{path.name}.damaged{ending}"))


def _is_any(error: BaseException, texts: tuple[str, ...]) -> bool:
    # error codes come with Python 3.11 only
    return isinstance(error, sqlite3.Error) and any(text in str(error).lower() for text in texts)


def _is_damage(error: BaseException) -> bool:
    """Anything that is nobody else's fault: damage makes SQLite say the strangest things.

    Python itself stumbles (`UnicodeDecodeError`) over some of them.
    """
    return not _is_any(error, (*_LOCKED, *_FULL, *_READ_ONLY, *_NO_DISK))


def explain(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> AuferError:
    """What an error of SQLite's means to a user."""
    if _is_damage(error):
        return AuferError(
            f"{path} is damaged, or no store of aufer's: {_printable(error)}.",
            hint="run again with --fresh, or remove that file: only time is lost",
        )
    if _is_any(error, _LOCKED):
        return EnvironmentFailure(
            f"Another aufer is measuring into {_folder_of(path)}.",
            hint="wait until it has ended, or write the table into another folder: --out",
        )
    if _is_any(error, _FULL):
        return AuferError(
            f"The disk is full: {path} can't grow.",
            hint="free some space, then run again: what was measured is kept",
        )
    if _is_any(error, _READ_ONLY) or not os.access(path.parent, os.W_OK):
        return AuferError(
            f"{path} can't be written: {error}.",
            hint="make its folder writable, or write the table into another folder: --out",
        )
    return AuferError(
        f"{path} can't be read or written: {error}.",
        hint="see whether its disk is still there, then run again: what was measured is kept",
    )


def _printable(error: BaseException) -> str:
    """One short line: it may quote what lies in the file."""
    return "".join(c if c.isprintable() else " " for c in str(error))[:80]


def _folder_of(path: Path) -> Path:
    """The folder that the user named: the store lies in a hidden one in it."""
    return path.parent.parent if path.parent.name.startswith(".") else path.parent
