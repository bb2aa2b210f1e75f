"""Files that are never half-written nor lost: temporary name first, then rename.

A derived file is described by a *sidecar*, a JSON file beside it that holds its sha256. A file
whose hash no longer stands in its sidecar was edited by a person, and is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aufer.errors import AuferError, DataError, UsageError

Writer = Callable[[Path], object]
"""Writes one file at the path it is given."""


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def temporary_name(path: Path) -> Path:
    """A free hidden name beside ``path`` (a rename is atomic within one folder)."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    return Path(name)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to ``path`` only if nothing was raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        _open_to_readers(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _open_to_readers(path: Path) -> None:
    """Give what `tempfile` made for us alone the permissions that any new file or folder has."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder; it becomes ``path``, in place of an older one, at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    old = temporary.with_suffix(".old")
    try:
        yield temporary
        _open_to_readers(temporary)
        if path.exists():
            os.rename(path, old)
        os.rename(temporary, path)
    finally:
        if old.exists() and not path.exists():
            os.rename(old, path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file in one step, with LF line ends on every system."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def to_json(facts: Any) -> str:
    """JSON as `aufer` writes it: readable, UTF-8, strict (no NaN), ending in a newline."""
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; `DataError` when it is cut or no object."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(facts, dict):
        raise DataError(f"{path} does not hold a JSON object.")
    return facts


def write_with_sidecar(
    files: Mapping[Path, Writer], sidecar: Path, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write several files and the sidecar that holds their hashes: all of them, or none.

    Every file is complete under a temporary name before the first is renamed, so that a full disk
    leaves the old set. The sidecar goes first and names the hashes it replaces too: a crash between
    two renames does not make a file look edited.
    """
    old = _hashes_in(_read_ours(sidecar))
    temporaries: dict[Path, Path] = {}
    try:
        for path, write in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporaries[path] = temporary_name(path)
            write(temporaries[path])
            _open_to_readers(temporaries[path])
        names = {path: _name_beside(path, sidecar) for path in files}
        hashes = {names[path]: sha256_of(temporaries[path]) for path in files}
        # hashes of files that this run does not write stay known (another emotion's table)
        hashes = {**{n: h[0] for n, h in old.items() if (sidecar.parent / n).exists()}, **hashes}
        # several, as a run may be killed after it wrote the sidecar, and the next one too
        replaces = {
            n: older[:_MOST_REPLACED]
            for n, known in old.items()
            if n in hashes and (older := [sha for sha in known if sha != hashes[n]])
        }
        full = {**facts, "files": hashes, **({"replaces": replaces} if replaces else {})}
        write_text(sidecar, to_json(full))
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
        return full
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)


_MOST_REPLACED = 5


def _name_beside(path: Path, sidecar: Path) -> str:
    return path.relative_to(sidecar.parent).as_posix()


def _read_ours(sidecar: Path) -> dict[str, Any]:
    """What a sidecar says; nothing where there is none, or it is damaged or somebody else's."""
    try:
        facts = read_json(sidecar) if sidecar.exists() else {}
    except DataError:
        return {}
    return facts if is_ours(facts) else {}


def _hashes_in(facts: Mapping[str, Any]) -> dict[str, list[str]]:
    """File name -> hashes under which it counts as written by `aufer`, newest first."""
    hashes = {str(name): [str(sha)] for name, sha in facts.get("files", {}).items()}
    for name, older in facts.get("replaces", {}).items():
        several = older if isinstance(older, list) else [older]
        hashes.setdefault(str(name), []).extend(map(str, several))
    return hashes


def is_ours(facts: Mapping[str, Any]) -> bool:
    """Whether a JSON object is one of `aufer`'s: it has a schema of ours."""
    return str(facts.get("schema", "")).startswith("aufer/") and isinstance(
        facts.get("files"), dict
    )


def is_edited(path: Path, sidecar: Path) -> bool:
    """Whether ``path`` exists and is not, byte for byte, what its sidecar says `aufer` wrote."""
    return path.exists() and _differs(path, sidecar, _hashes_in(_read_ours(sidecar)))


def _differs(path: Path, sidecar: Path, recorded: Mapping[str, Sequence[str]]) -> bool:
    """Whether ``path`` exists with a hash that is none of those ``recorded`` for its name."""
    if not path.exists():
        return False
    return sha256_of(path) not in recorded.get(_name_beside(path, sidecar), ())


def check_table_name(path: Path) -> None:
    """Raise `UsageError` for a name that no table can have: its sidecar is the same with .json."""
    if path.suffix.lower() != ".csv" or path.stem in ("", "."):
        raise UsageError(
            f"'{path}' can't be a table's name: it ends in .csv.",
            hint="a name such as faces.csv; its description becomes faces.json",
        )


def check_replaceable(
    paths: Mapping[Path, Path], *, force: bool, command: str = "", schema: str = ""
) -> None:
    """Raise when a derived file was edited by a person (or is not ours at all).

    Args:
        paths: each output and its sidecar.
        force: replace it all the same.
        command: what to type to replace it, for the hint.
        schema: of the new files' sidecars; files of ours of another kind are kept.
    """
    hint = f"to replace it: {command} --force" if command else "to replace it, add: --force"
    for path in paths:
        if path.is_dir():
            raise AuferError(f"{path} is a folder; a file is to be written there.")
    if force:
        return
    recorded = {}
    for sidecar in dict.fromkeys(paths.values()):
        facts = _read_ours(sidecar) if sidecar.is_file() else {}
        if sidecar.exists() and not facts:
            raise AuferError(f"{sidecar} is not one of `aufer`'s files; it is kept.", hint=hint)
        found = facts.get("schema", schema)
        if schema and found != schema and any(path.exists() for path in paths):
            raise AuferError(
                f"{sidecar} describes another kind of file ({found}); it is kept.",
                hint=f"choose another name with --out, or {hint}",
            )
        recorded[sidecar] = _hashes_in(facts)
    for path, sidecar in paths.items():
        if _differs(path, sidecar, recorded[sidecar]):
            raise AuferError(
                f"{path} was edited, or not made by `aufer`; it is kept.",
                hint=hint,
            )


def hash_files(folder: Path, facts_name: str) -> dict[str, str]:
    """The sha256 of every file in a folder but ``facts_name``, by path relative to the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path: path.relative_to(folder).as_posix() for path in files}
    return {names[path]: sha256_of(path) for path in files if names[path] != facts_name}


def check_folder_replaceable(
    folder: Path, what: str, facts_name: str, schema: str, *, force: bool
) -> None:
    """Raise unless a new ``what`` (model bundle, report) may take this folder's place.

    It may where there is nothing or an empty folder; an older one, if no file in it was changed,
    added or removed since `aufer` wrote it, or with ``force``. Anything else is never replaced.

    Args:
        facts_name: the JSON file in it that holds its ``schema`` and the hashes of its ``files``.

    Raises:
        AuferError: what lies there is kept.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    elsewhere = "choose another folder: --out FOLDER"
    here = Path.cwd()
    if folder.resolve() in (here, *here.parents):
        raise AuferError(f"{folder} is the folder we are in, or holds it; it is kept.", elsewhere)
    if folder.is_symlink() or not folder.is_dir():
        raise AuferError(f"{folder} is no folder; it is kept.", hint=elsewhere)
    if not any(folder.iterdir()):
        return
    try:
        facts = read_json(folder / facts_name)
    except (OSError, DataError):
        facts = {}
    if facts.get("schema") != schema:
        raise AuferError(f"{folder} exists and is no {what}; it is kept.", hint=elsewhere)
    if force:
        return
    found, recorded = hash_files(folder, facts_name), facts.get("files", {})
    changed = [name for name in {**recorded, **found} if found.get(name) != recorded.get(name)]
    if changed:
        raise AuferError(
            f"The {what} {folder} was edited since `aufer` wrote it ({changed[0]}); it is kept.",
            hint=f"{elsewhere}, or replace it all: --force",
        )
