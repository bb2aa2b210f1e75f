"""Where a training's result goes, and where it is kept as long as it is unfinished."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from aufer.bundle import FACTS_NAME, SCHEMA
from aufer.errors import AuferError, UsageError
from aufer.files import check_folder_replaceable

_SUFFIX = ".training"
_LOCK_NAME = "lock"


def named_path(out: Path | None, models_folder: Path, name: str | None) -> Path | None:
    """The bundle's folder, from ``--out`` and ``--name``; None where neither was given.

    Raises:
        UsageError: the name can't be one.
    """
    if out is not None or name is None:
        return out
    return models_folder / checked_name(name)


def checked_name(name: str) -> str:
    """The name, if it can be a model's: one folder's, and no other place's.

    Raises:
        UsageError: it can't.
    """
    if not name.strip(".") or Path(name).name != name:
        raise UsageError(
            f"'{name}' can't be a model's name.", hint="use --out for a path elsewhere"
        )
    return name


def check_bundle_replaceable(path: Path, *, force: bool) -> None:
    """Raise unless a new bundle may take this folder's place (`files.check_folder_replaceable`)."""
    check_folder_replaceable(path, "model bundle", FACTS_NAME, SCHEMA, force=force)


@contextmanager
def reserve_bundle_path(
    named: Path | None, models_folder: Path, dataset_path: Path, kind: str
) -> Iterator[Path]:
    """The folder for a run: ``named``, or a free name of dataset, kind and time (UTC).

    As long as the context lasts, no other process gets the same free name: a hidden folder beside
    it says that it is taken, as that of an unfinished training does.
    """
    if named is not None:
        yield named
        return
    models_folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    base, number = f"{dataset_path.stem}-{kind}-{stamp}", 1
    while True:
        path = models_folder / (base if number == 1 else f"{base}-{number}")
        reservation = path.with_name(f".{path.name}.reserved")
        number += 1
        try:
            reservation.mkdir()  # only one process can
        except FileExistsError:
            continue
        try:
            # after the mkdir: who had the name before us wrote the model before giving it back
            if not path.exists() and not training_folder(path).exists():
                yield path
                return
        finally:
            with suppress(OSError):
                reservation.rmdir()


def training_folder(bundle: Path) -> Path:
    """The hidden folder beside a future bundle that holds its unfinished training."""
    return bundle.with_name(f".{bundle.name}{_SUFFIX}")


@contextmanager
def training_alone(bundle: Path) -> Iterator[Path]:
    """Make the folder of an unfinished training, where there is none, and keep other processes out.

    The lock is SQLite's; the system frees it when a process ends, in whatever way.

    Raises:
        AuferError: another process trains there now.
    """
    folder = training_folder(bundle)
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / _LOCK_NAME, timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")  # no second file
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise AuferError(
                f"Another process is training {bundle} now ({error}).",
                hint="wait for it; or name another bundle: --out FOLDER",
            ) from error
        try:
            yield folder
        finally:
            if [each.name for each in folder.glob("*")] == [_LOCK_NAME]:  # nothing came of it
                lock.close()
                shutil.rmtree(folder, ignore_errors=True)


def find_trainings(models_folder: Path) -> list[Path]:
    """The future bundles of a folder whose training is unfinished, newest first."""
    found = [path for path in models_folder.glob(f".*{_SUFFIX}") if path.is_dir()]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.with_name(path.name[1 : -len(_SUFFIX)]) for path in found]
