"""The folder of an explanation: ``explain.html`` to read, and all of it as files.

``explain.json`` (everything, and where it comes from), ``tables/*.csv``, ``figures/*.svg`` and
``.png``. The page carries its pictures with it; those of faces show the faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aufer.explaining import text
from aufer.explaining.face_picture import FacePicture
from aufer.explaining.language import Language
from aufer.files import (
    check_folder_replaceable,
    hash_files,
    replacing_folder,
    to_json,
    write_text,
)
from aufer.pages import page_environment
from aufer.plots import write_figure
from aufer.tables import Column, Table, write_tables

SCHEMA = "aufer/explanation/1"
HTML_NAME = "explain.html"
FACTS_NAME = "explain.json"


def check_explanation_folder(folder: Path, *, force: bool) -> None:
    """Raise unless a new explanation may take this folder's place."""
    check_folder_replaceable(folder, "explanation", FACTS_NAME, SCHEMA, force=force)


def write_explanation(
    folder: Path,
    facts: dict[str, Any],
    pictures: Sequence[FacePicture],
    say: Language,
    *,
    force: bool = False,
) -> Path:
    """Write an explanation; the folder appears complete or not at all.

    Args:
        folder: replaced if it is an older explanation of ours, refused if it is anything else.
        facts, pictures: of `explain.Explanation`. say: the language of the page.

    Returns:
        the path of the page.
    """
    check_explanation_folder(folder, force=force)
    with replacing_folder(folder) as temporary:
        sources = _write_pictures(temporary / "figures", facts, pictures, say)
        write_tables(temporary / "tables", make_tables(facts))
        write_text(temporary / HTML_NAME, render(facts, say, sources))
        full = {**facts, "files": hash_files(temporary, FACTS_NAME)}
        write_text(temporary / FACTS_NAME, to_json(full))
    return folder / HTML_NAME


def _write_pictures(
    folder: Path, facts: dict[str, Any], pictures: Sequence[FacePicture], say: Language
) -> list[str]:
    """Write each face's picture as SVG and PNG; give what an ``<img src>`` needs, in order."""
    import matplotlib as mpl

    from aufer.explaining.plots import draw_face, figure_language

    language, font = figure_language(say)
    sources = []
    with mpl.rc_context():
        for number, (face, picture) in enumerate(zip(facts["faces"], pictures, strict=True)):
            figure = draw_face(language, face, picture, font)
            sources.append(write_figure(figure, folder, f"face-{number + 1}"))
    return sources


def make_tables(facts: dict[str, Any]) -> list[Table]:
    """The tables that are written as CSV, with a row for each face, share and so on."""
    faces = facts["faces"]
    answers = [
        {**{key: face[key] for key in ("image", "label", "answer")}, **face["probabilities"]}
        for face in faces
    ]
    found = [_table("faces", answers), _table("unanswered", facts["unanswered"])]
    if facts["baseline"] is None:
        return [table for table in found if table.rows]
    found.append(
        _table(
            "contributions",
            [
                {"image": face["image"], "emotion": emotion, **share}
                for face in faces
                for emotion, reason in face["reasons"].items()
                for share in reason["shares"]
            ],
        )
    )
    found.append(
        _table(
            "prototypes",
            [
                {
                    "image": face["image"],
                    "emotion": emotion,
                    "agreement": one["agreement"],
                    "there": " ".join(one["there"]),
                    "missing": " ".join(one["missing"]),
                    "of_reasons": one["of_reasons"],
                }
                for face in faces
                for emotion, one in face["prototypes"]["by_emotion"].items()
            ],
        )
    )
    found.append(
        _table(
            "changes",
            [
                {
                    "image": face["image"],
                    "target": change["target"] or "any other",
                    **{key: change.get(key) for key in ("answer", "probability", "total")},
                    "n_aus": len(change.get("aus", ())),
                    **one,
                }
                for face in faces
                for change in face["changes"]
                for one in change.get("aus") or [{"au": None, "from": None, "to": None}]
            ],
        )
    )
    return [table for table in found if table.rows]


def _table(name: str, rows: Sequence[dict[str, Any]]) -> Table:
    keys = rows[0] if rows else {}
    return Table(name, "", tuple(Column(key, key) for key in keys), rows)


def render(facts: dict[str, Any], say: Language, sources: Sequence[str]) -> str:
    """The page as HTML.

    Args:
        sources: of the faces' pictures.
    """
    environment = page_environment()
    return environment.get_template("explain.html").render(
        facts=facts,
        say=say,
        text=text,
        sources=sources,
        font_is_missing=_font_is_missing(say),
    )


def _font_is_missing(say: Language) -> bool:
    from aufer.explaining.plots import figure_language

    return figure_language(say)[0] != say
