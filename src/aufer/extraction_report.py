"""The report of an extraction: what became of every image, for a person to look at.

Beside the AU table lies a folder (`extraction_folder_of`) with ``failures.csv`` (every image
without a usable face), ``contact-sheet.html`` (these images to look at) and ``report.json`` (the
figures, and the hashes of the other two).
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aufer import __version__
from aufer.au_table import AuTable
from aufer.contact_sheet import FindPicture, render_contact_sheet
from aufer.csv_table import TEXT_COLUMNS
from aufer.errors import AuferError, DataError
from aufer.extraction_summary import FAILURE_COLUMNS, ExtractionSummary
from aufer.files import Writer, is_edited, is_ours, read_json, write_with_sidecar
from aufer.provenance import made_by

log = logging.getLogger("aufer")

SCHEMA = "aufer/extraction-report/1"
FAILURES_NAME = "failures.csv"
SHEET_NAME = "contact-sheet.html"
FACTS_NAME = "report.json"

N_LISTED = 10
N_SLOWEST_LISTED = 5
SLOW_S = 0.1
"""Nobody wants to know of a faster one."""

LONGEST_SHOWN = 60
"""Letters of a name or reason in a line on the terminal."""


def extraction_folder_of(table: Path) -> Path:
    """Where the report goes: ``extraction`` for ``aus.csv``, else ``<name>.extraction``."""
    return table.with_name("extraction" if table.stem == "aus" else f"{table.stem}.extraction")


def write_extraction_report(
    summary: ExtractionSummary,
    table: AuTable,
    folder: Path,
    pictures: Path | FindPicture,
    made: Mapping[str, Any],
    *,
    force: bool = False,
) -> None:
    """Write the three files of the report; other files of the folder are left alone.

    A file that a person edited or made is kept, and that is warned of. The contact sheet is made
    only if it isn't there or other images are on it: its small pictures take time.

    Args:
        pictures: the images folder, or a function that finds a picture by its image's name.
        made: further facts for ``report.json``, such as the options that were used.
        force: replace files that a person edited or made.

    Raises:
        AuferError: they can't be written (a full disk, no permission).
    """
    try:
        _write(summary, table, folder, pictures, made, force=force)
    except OSError as error:
        raise AuferError(
            f"The report in {folder} can't be written: {error.strerror or error}.",
            hint="the table itself is whole; when that is mended: aufer extract --report",
        ) from error


def _write(
    summary: ExtractionSummary,
    table: AuTable,
    folder: Path,
    pictures: Path | FindPicture,
    made: Mapping[str, Any],
    *,
    force: bool,
) -> None:
    sidecar = folder / FACTS_NAME
    old = _read_facts(folder)
    if sidecar.exists() and not old and not force:
        log.warning("%s is no report of ours; it is kept, and no report is written", sidecar)
        return
    edited = {name for name in (FAILURES_NAME, SHEET_NAME) if _is_edited(folder / name, sidecar)}
    kept = set() if force else edited
    for name in sorted(kept):
        log.warning("%s was edited, or not made by `aufer`; it is kept", folder / name)

    failures = _to_csv(summary)
    on_sheet = hashlib.sha256(failures)
    on_sheet.update(f"{__version__} {table.images_folder}".encode())
    sheet_of = on_sheet.hexdigest()
    is_current = old.get("contact_sheet_of") == sheet_of and (folder / SHEET_NAME).exists()
    contents = {FAILURES_NAME: failures}
    if SHEET_NAME not in kept and (not is_current or SHEET_NAME in edited):
        page = render_contact_sheet(
            summary.failed,
            pictures,
            images_folder=table.images_folder,
            all_of_them=FAILURES_NAME,
        )
        contents[SHEET_NAME] = page.encode()
    facts = {
        **made,
        "schema": SCHEMA,
        **made_by(),
        "extractor": table.extractor.facts(),
        "images_folder": table.images_folder,
        **summary.facts(),
        "contact_sheet_of": old.get("contact_sheet_of", "") if SHEET_NAME in kept else sheet_of,
    }
    writers = {folder / name: _writer(contents[name]) for name in contents if name not in kept}
    write_with_sidecar(writers, sidecar, facts)


def _is_edited(path: Path, sidecar: Path) -> bool:
    return path.is_dir() or is_edited(path, sidecar)


def _writer(content: bytes) -> Writer:
    return lambda path: path.write_bytes(content)


def _to_csv(summary: ExtractionSummary) -> bytes:
    columns = []
    for name in FAILURE_COLUMNS:  # pandas' own writer takes four times as long
        values = summary.failed[name]
        if name in TEXT_COLUMNS:
            columns.append(values.tolist())
        else:
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan).tolist()
            columns.append(["" if math.isnan(n) else f"{n:.6g}" for n in numbers])
    content = io.BytesIO()
    with io.TextIOWrapper(content, "utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(FAILURE_COLUMNS)
        writer.writerows(zip(*columns, strict=True))
        text.flush()
        return content.getvalue()


def _read_facts(folder: Path) -> dict[str, Any]:
    """What an older ``report.json`` of ours says; empty where there is none, or another file."""
    try:
        facts = read_json(folder / FACTS_NAME)
    except (OSError, DataError):
        return {}
    return facts if is_ours(facts) and facts["schema"] == SCHEMA else {}


def read_command(folder: Path) -> str:
    """What was typed when the images were measured; empty where there is no report."""
    return str(_read_facts(folder).get("command", ""))


def read_slowest(folder: Path) -> dict[str, float]:
    """sha256 -> seconds of the slowest pictures in an older report; empty where there is none."""
    listed = _read_facts(folder).get("slowest")
    found = {}
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and isinstance(one.get("seconds"), (int, float)):
            found[str(one.get("sha256", ""))] = float(one["seconds"])
    return found


def lines(summary: ExtractionSummary, folder: Path | None = None) -> list[str]:
    """The summary for a terminal, plain text.

    Args:
        folder: of the report, as it is named to the user.
    """
    found = _table_of_counts(summary)
    slowest = [each for each in summary.slowest[:N_SLOWEST_LISTED] if each[2] >= SLOW_S]
    if slowest:
        found += ["", "slowest:"]
        found += [f"{seconds:7.1f} s  {_shown(image)}" for image, _, seconds in slowest]
    if len(summary.ways) > 1:
        found += ["", "faces measured, by way:"]
        width = max(map(len, summary.ways))
        found += [f"  {way.ljust(width)}  {n:>7}" for way, n in summary.ways.items()]
    if len(summary.failed):
        found += ["", *_failed_lines(summary, folder)]
    if summary.n_duplicates:
        found += ["", f"duplicates (same bytes as another image): {summary.n_duplicates}"]
    if summary.conflicts:
        n = len(summary.conflicts)
        found += ["", f"the same picture under two emotions: {n}"]
        for one in summary.conflicts[:N_LISTED]:
            how = "" if one.is_same_file else "  (equal to the eye, not in bytes)"
            found += [f"  {_shown(one.image)} = {_shown(one.other)}{how}"]
        if n > N_LISTED:
            found += [f"  and {n - N_LISTED} more, in {_at(folder, FACTS_NAME)}"]
    return found


def _table_of_counts(summary: ExtractionSummary) -> list[str]:
    """Images by emotion (rows) and status (columns), with sums."""
    counts = {emotion or "(none)": list(row.values()) for emotion, row in summary.counts.items()}
    if len(counts) != 1:
        counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)]
    statuses = list(next(iter(summary.counts.values()), ()))
    cells = [["", *statuses, "all"]]
    cells += [[name, *map(str, row), str(sum(row))] for name, row in counts.items()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells
    ]


def _failed_lines(summary: ExtractionSummary, folder: Path | None) -> list[str]:
    n = len(summary.failed)
    rows = [
        (status, _shown(image), _shown(reason, cut_end=True))
        for image, status, reason in summary.failed[["image", "status", "reason"]]
        .head(N_LISTED)
        .itertuples(index=False)
    ]
    status_width, image_width = (max(len(row[i]) for row in rows) for i in (0, 1))
    found = [f"without a usable face: {n}"]
    for status, image, reason in rows:
        found.append(
            f"  {status.ljust(status_width)}  {image.ljust(image_width)}  {reason}".rstrip()
        )
    more = f"and {n - len(rows)} more; all of them" if n > len(rows) else "all of them"
    pages = f"{_at(folder, FAILURES_NAME)}, to look at in {_at(folder, SHEET_NAME)}"
    return [*found, f"  {more} are in {pages}"]


def _at(folder: Path | None, name: str) -> str:
    return name if folder is None else str(folder / name)


def _shown(text: str, *, cut_end: bool = False) -> str:
    """A name or reason on one line, without letters that steer a terminal."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    half = LONGEST_SHOWN // 2
    if cut_end and len(plain) > LONGEST_SHOWN:
        return f"{plain[: LONGEST_SHOWN - 1]}…"
    return plain if len(plain) <= LONGEST_SHOWN else f"{plain[: half - 1]}…{plain[-half:]}"
