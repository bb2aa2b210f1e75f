"""The two tables that are compared, as the user names them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from aufer.agreeing.column_map import ColumnMap
from aufer.csv_table import read_csv_parts
from aufer.errors import UsageError


@dataclass(frozen=True)
class Source:
    """One of the two tables.

    Attributes:
        path: an AU table, a folder of OpenFace's files, one of its CSVs, a dataset, or any CSV.
        columns: which of its columns are which AUs; None where they have our names.
        image: the column that names the image, where it isn't called so.
    """

    path: Path
    columns: ColumnMap | None = None
    image: str | None = None


def read_header(path: Path) -> list[str]:
    """The (clean) column names of a CSV.

    Raises:
        UsageError, DataError: there is no such file, or it is no CSV.
    """
    return list(next(read_csv_parts(path, 1)).columns)


def fit_sources(
    paths: tuple[Path, Path],
    columns: ColumnMap | None,
    image: str | None,
    own_columns: tuple[ColumnMap | None, ColumnMap | None] = (None, None),
    own_images: tuple[str | None, str | None] = (None, None),
) -> tuple[Source, Source]:
    """Give a map, or an image column, to whichever of two tables has those columns.

    Args:
        columns, image: for either or both. own_columns, own_images: for the first, the second.

    Raises:
        UsageError: there is no such file; neither table has any of the map's AUs, or the image's
            column.
    """
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is no {path}.", hint="check the path, relative to this folder")
    sources = [
        Source(path, own, its_image)
        for path, own, its_image in zip(paths, own_columns, own_images, strict=True)
    ]
    headers = [set(read_header(p)) if p.is_file() else set() for p in paths]
    if columns is not None:
        wanted = set(columns.aus.values())
        fits = [
            s.columns is None and bool(wanted & h) for s, h in zip(sources, headers, strict=True)
        ]
        if not any(fits):
            raise UsageError(
                f"Neither table has a column {' or '.join(sorted(wanted)[:3])}, which the map of "
                "columns names.",
                hint="see the header of the CSV; --columns-a and --columns-b are for one table",
            )
        sources = [
            replace(s, columns=columns) if fit else s for s, fit in zip(sources, fits, strict=True)
        ]
    if image is not None:
        fits = [s.image is None and image in h for s, h in zip(sources, headers, strict=True)]
        if not any(fits):
            raise UsageError(
                f"Neither table has a column {image}.",
                hint="see the header of the CSV; --image-a and --image-b are for one table",
            )
        sources = [
            replace(s, image=image) if fit else s for s, fit in zip(sources, fits, strict=True)
        ]
    return sources[0], sources[1]
