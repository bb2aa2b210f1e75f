"""OpenFace's own files, kept untouched beside the AU table (``data/openface``).

One folder per emotion with what OpenFace wrote, and ``index.tsv`` that says which file belongs to
which image (columns ``file``, ``image``), and of which picture, way and extractor it tells. What is
there already stays; the rest comes from the store. The folder can be made anew at any time.
"""

from __future__ import annotations

import csv
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from operator import attrgetter
from pathlib import Path

import pandas as pd

from aufer.au_table import MANY_FACES, NO_FACE, OK
from aufer.errors import AuferError
from aufer.openface.output import ANNOTATED_SUFFIX, DETAILS_SUFFIX, csv_of, details_of
from aufer.openface.staging import staged_stem
from aufer.openface.store import LookFiles, Store

INDEX = "index.tsv"
_ASIDE = "aside"
_INDEX_HEADER = ["file", "image", "sha256", "way", "extractor"]
_AT_ONCE = 50
_SYSTEM_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}


def openface_folder_of(table: Path) -> Path:
    """Where the OpenFace files of an AU table are kept: each table has a folder of its own."""
    return table.with_name("openface" if table.name == "aus.csv" else f"{table.stem}.openface")


def check_openface_folder(folder: Path, *, force: bool = False, command: str = "…") -> None:
    """Raise unless new OpenFace files may take this folder's place.

    They may where there is nothing, or a folder that `aufer` made (its `INDEX` lies in it) and that
    holds nothing else, or with ``force`` something else too. Links, and folders that `aufer` did
    not make, are never replaced.

    Args:
        command: what was typed, for the hint.
    """
    elsewhere = "move it elsewhere, or write another table: --out"
    if folder.is_symlink():
        raise AuferError(
            f"{folder} is a link; the engine's files would take its place, so it is kept.",
            hint=f"remove the link, or write another table where there is room: --out ({folder})",
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise AuferError(
            f"{folder} is a file; the engine's files are to be kept in a folder there.", elsewhere
        )
    there = sorted(_files_in(folder))
    if not there:
        return
    known = _known_stems(folder / INDEX)
    if not known:
        raise AuferError(
            f"{folder} holds {there[0]} and was not made by `aufer` (no {INDEX} in it); it is "
            "kept, with --force too.",
            hint=elsewhere,
        )
    for name in there if not force else ():
        # below "<stem>_aligned/" lie the pictures of --openface-args -simalign
        if not {name, _stem(name), name.rpartition("_aligned/")[0]} & known:
            raise AuferError(
                f"{folder} holds {name}, which is not of aufer's last run; the folder is kept.",
                hint=f"move {name} elsewhere, or remove it with the rest: {command} --force",
            )


def _files_in(folder: Path) -> Iterator[str]:
    """Everything but folders, by relative name, hidden files too; links are not followed."""
    for root, folders, names in os.walk(folder):
        inside = os.path.relpath(root, folder).replace(os.sep, "/")
        prefix = "" if inside == os.curdir else f"{inside}/"
        links = [name for name in folders if Path(root, name).is_symlink()]
        for name in (*names, *links):
            if name not in _SYSTEM_FILES:
                yield prefix + name


def _known_stems(index: Path) -> set[str]:
    """What the index of a folder names, and the index itself; nothing if it isn't ours."""
    stems = {row.stem for row in _read_index(index)}
    return {INDEX, *stems} if stems or _is_ours(index) else set()


def _is_ours(index: Path) -> bool:
    try:
        with index.open(encoding="utf-8", newline="") as file:
            return file.readline().rstrip("\n").split("\t")[:2] == _INDEX_HEADER[:2]
    except (OSError, ValueError):
        return False


def _stem(name: str) -> str:
    if name.endswith(DETAILS_SUFFIX):
        return name[: -len(DETAILS_SUFFIX)]
    return name.rpartition(".")[0] or name


@dataclass(frozen=True, slots=True)  # thousands of them
class KeptFile:
    """One image's line in the index.

    Attributes:
        file: relative name of OpenFace's CSV, or of its details where there is no face.
        way: in which the picture was measured. extractor: by which one, abridged.
    """

    file: str
    image: str
    sha256: str
    way: str
    extractor: str

    @property
    def stem(self) -> str:
        """The relative name without what OpenFace appends."""
        return _stem(self.file)


def list_files(frame: pd.DataFrame, key: str) -> list[KeptFile]:
    """The files that belong to an AU table: of each picture once, those of the look that counts.

    Args:
        frame: of the AU table. key: what the store knows its extractor by.
    """
    extractor = hashlib.sha256(key.encode()).hexdigest()[:12]
    has_files = frame["status"].isin((OK, NO_FACE, MANY_FACES)) & (frame["duplicate_of"] == "")
    rows = frame.loc[has_files, ["image", "sha256", "emotion", "n_faces", "way"]]
    kept = []
    for image, sha256, emotion, n_faces, way in rows.itertuples(index=False):
        stem = (f"{emotion}/" if emotion else "") + staged_stem(image, sha256)
        ending = ".csv" if n_faces else DETAILS_SUFFIX
        kept.append(KeptFile(stem + ending, image, sha256, way, extractor))
    return kept


def set_aside(output: Path, files: Mapping[str, str], scratch: Path) -> None:
    """Put what OpenFace wrote where `add_files` finds it, all of it recorded in the store before.

    To move a file is cheap. To write it anew and remove the first one is not: an ext4 that has just
    removed thousands of files makes new ones ten times as slowly as usual, OpenFace's too.

    Args:
        files: the picture's name in OpenFace's input folder -> the way it was measured in.
        scratch: the folder that `add_files` gets.
    """
    for file, way in files.items():
        folder = scratch / _ASIDE / way
        folder.mkdir(parents=True, exist_ok=True)
        for path in (csv_of(output, file), details_of(output, file)):
            with suppress(FileNotFoundError):  # no face
                os.replace(path, folder / path.name)


def add_files(
    folder: Path,
    kept: Sequence[KeptFile],
    store: Store,
    key: str,
    scratch: Path,
    *,
    annotated: bool,
) -> None:
    """Write what is missing, from the store; nothing is removed. A killed one is simply repeated.

    Args:
        scratch: a folder for temporary files on the same disk; what was `set_aside` there is moved.
    """
    there = set(_files_in(folder)) if folder.exists() else set()
    wanted = {each.file: each for each in kept}
    known, unwanted = set(), []
    for row in _read_index(folder / INDEX):
        if row == wanted.get(row.file):
            known.add(row.file)
        elif row.file not in wanted:
            unwanted.append(row)
    lacking = {
        each.file
        for each in kept
        if each.file not in known or not there.issuperset(_names_of(each, annotated=annotated))
    }
    if not lacking:
        return
    # first, the index of all that is about to be there: so every file in the folder is ours
    planned = (replace(each, sha256="") if each.file in lacking else each for each in kept)
    _write_index(folder / INDEX, chain(unwanted, planned), scratch)
    missing = [each for each in kept if each.file in lacking]
    for parent in {(folder / each.file).parent for each in missing}:
        parent.mkdir(parents=True, exist_ok=True)
    others = [each for each in missing if annotated or not _move_files(folder, each, scratch)]
    for start in range(0, len(others), _AT_ONCE):
        some = others[start : start + _AT_ONCE]
        found = store.look_files(key, [(each.sha256, each.way) for each in some])
        for each in some:
            _write_files(folder, each, found[each.sha256, each.way], scratch, annotated=annotated)


def _move_files(folder: Path, each: KeptFile, scratch: Path) -> bool:
    """Move OpenFace's own files into place; False if they aren't all there, or not of our user."""
    aside = scratch / _ASIDE / each.way
    found = {name: aside / name.rpartition("/")[2] for name in _names_of(each, annotated=False)}
    if not all(_is_own(path) for path in found.values()):
        return False
    for name, path in found.items():
        os.replace(path, folder / name)
    return True


def _is_own(path: Path) -> bool:
    """Whether it is a plain file of the user who made its folder."""
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_uid == path.parent.stat().st_uid


def _names_of(each: KeptFile, *, annotated: bool) -> Iterator[str]:
    yield each.stem + DETAILS_SUFFIX
    if each.file.endswith(".csv"):
        yield each.file
        if annotated:
            yield each.stem + ANNOTATED_SUFFIX


def _write_files(
    folder: Path, each: KeptFile, files: LookFiles, scratch: Path, *, annotated: bool
) -> None:
    contents = {DETAILS_SUFFIX: files.details, **files.extras}
    if files.csv is not None:
        contents[".csv"] = files.csv
    if not annotated:
        contents.pop(ANNOTATED_SUFFIX, None)
    for suffix, content in contents.items():
        target = folder / (each.stem + suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = scratch / "kept"
        temporary.write_bytes(content)
        os.replace(temporary, target)


def remove_others(
    folder: Path, kept: Sequence[KeptFile], scratch: Path, *, annotated: bool
) -> None:
    """Remove files of images that are no more, or were not asked for, and write the final index."""
    stems = {each.stem for each in kept}
    for name in sorted(_files_in(folder)) if folder.exists() else ():
        stem = _stem(name.rpartition("_aligned/")[0] or name)
        unwanted = name.endswith(ANNOTATED_SUFFIX) and not annotated and "_aligned/" not in name
        if name != INDEX and (stem not in stems or unwanted):
            (folder / name).unlink()
    for inner, _, _ in os.walk(folder, topdown=False):
        if inner != str(folder):
            with suppress(OSError):  # it is not empty
                Path(inner).rmdir()
    if any(row != each for row, each in zip_longest(_read_index(folder / INDEX), kept)):
        _write_index(folder / INDEX, kept, scratch)


def put_in_place(finished: Mapping[Path, Path]) -> None:
    """Rename complete files and folders to where they belong: all of them, or none.

    Args:
        finished: where each belongs -> where it lies, complete, in a scratch folder of its own on
            the same disk. What was there before ends up in the scratch folder.
    """
    done: list[tuple[Path, Path, Path]] = []
    try:
        for target, new in finished.items():
            old = new.with_name(f"{new.name}.old")
            done.append((target, new, old))
            if target.is_dir():
                os.rename(target, old)
            elif target.exists():
                _keep_a_copy(target, old)
            os.replace(new, target)
    except BaseException:  # a Ctrl-C too
        for target, new, old in reversed(done):
            if not new.exists():  # it was put in place
                os.replace(target, new)
            if old.exists():
                os.replace(old, target)
        raise


def _keep_a_copy(file: Path, old: Path) -> None:
    try:
        os.link(file, old)  # so that the file is there at every moment
    except OSError:  # no links here
        os.rename(file, old)


def _read_index(path: Path) -> Iterator[KeptFile]:
    """The lines of an index (an older one has two columns); up to its damage, none if not ours."""
    with suppress(OSError, ValueError, csv.Error), path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        if next(rows, [])[:2] != _INDEX_HEADER[:2]:
            return
        for row in filter(None, rows):
            yield KeptFile(*(*row, "", "", "", "", "")[:5])


def _write_index(path: Path, rows: Iterable[KeptFile], scratch: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = scratch / INDEX
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_INDEX_HEADER)
        writer.writerows(map(attrgetter(*_INDEX_HEADER), rows))
    os.replace(temporary, path)
