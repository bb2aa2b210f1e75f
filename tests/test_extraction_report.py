"""The report of an extraction: nothing is left out of it, and nobody's file is lost to it."""

from __future__ import annotations

import base64
import csv
import io
import json
import logging
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aufer import contact_sheet
from aufer.au_table import AuTable, complete
from aufer.contact_sheet import choose, make_thumbnail, render_contact_sheet
from aufer.errors import AuferError
from aufer.extraction_report import (
    extraction_folder_of,
    lines,
    read_slowest,
    write_extraction_report,
)
from aufer.extraction_summary import (
    FAILURE_COLUMNS,
    LOW_CONFIDENCE,
    NOT_USABLE,
    ExtractionSummary,
    summarize,
)
from aufer.files import sha256_of

FILES = ["contact-sheet.html", "failures.csv", "report.json"]
HOSTILE = "sad/<script>alert(\"1\")</script><img src=x onerror='a&b'>,\n.jpg"


def table_of(*rows: dict[str, Any]) -> AuTable:
    import pandas as pd

    full = [
        {"image": f"{number:03d}.jpg", "sha256": f"{number:064x}", "status": "ok", **row}
        for number, row in enumerate(rows)
    ]
    return AuTable(complete(pd.DataFrame(full)), images_folder="data/images")


def row(image: str, status: str = "ok", **values: Any) -> dict[str, Any]:
    confidence = 0.95 if status == "ok" else np.nan
    emotion = image.split("/", maxsplit=1)[0] if "/" in image else ""
    size = {"width": 64, "height": 48}
    return {
        "image": image,
        "emotion": emotion,
        "status": status,
        "confidence": confidence,
        **size,
        **values,
    }


def some_rows() -> list[dict[str, Any]]:
    box = {"face_x": 10.0, "face_y": -5.5, "face_width": 30.0, "face_height": 40.0}
    return [
        row("happy/a.jpg", way="as it is"),
        row("happy/b.jpg", confidence=0.4, way="192+25%", **box),
        row("happy/c.jpg", "no_face", **box),
        row("sad/d.jpg", "crashed", reason="the engine died with it alone, twice"),
        row(HOSTILE, "unreadable", reason="<b>damaged</b>", sha256="", width=None, height=None),
        row("sad/f.jpg", "too_small", reason="30x40: at least 43 pixels a side are needed"),
        row("sad/g.jpg", "too_small", reason="20x20: at least 43 pixels a side are needed"),
    ]


def summary_of(*rows: dict[str, Any], **seconds: float) -> ExtractionSummary:
    return summarize(table_of(*rows), seconds=seconds)


def make_picture(path: Path, size: tuple[int, int] = (64, 48), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", size, (200, 120, 40)).save(path, **options)
    return path


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and the text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# --- the summary


def test_images_are_counted_by_emotion_and_status() -> None:
    found = summary_of(*some_rows(), row("nobody.jpg", "no_face"))
    assert list(found.counts) == ["happy", "sad", ""]
    assert list(found.counts["sad"]) == [
        "ok",
        "low_confidence",
        "no_face",
        "too_small",
        "unreadable",
        "crashed",
    ]
    assert found.counts["happy"] == {
        **dict.fromkeys(found.counts["sad"], 0),
        "ok": 1,
        "no_face": 1,
        "low_confidence": 1,
    }
    assert sum(n for counts in found.counts.values() for n in counts.values()) == found.n_images
    assert found.n_usable == 1
    assert found.ways == {"as it is": 1, "192+25%": 1}


def test_every_image_without_a_usable_face_is_listed_with_its_reason() -> None:
    failed = summary_of(*some_rows(), row("sad/no-confidence.jpg", confidence=np.nan)).failed
    assert failed["status"].tolist() == [
        "crashed",
        "unreadable",
        "too_small",
        "too_small",
        "no_face",
        LOW_CONFIDENCE,
    ]
    assert failed["image"].tolist()[-2:] == ["happy/c.jpg", "happy/b.jpg"]
    assert failed["reason"].iloc[-1] == "confidence below 0.7"


def test_the_threshold_decides_who_is_low() -> None:
    table = table_of(*some_rows())
    assert LOW_CONFIDENCE not in summarize(table, seconds={}, min_confidence=0.3).counts["happy"]
    low = summarize(table, seconds={}, min_confidence=0.99)
    assert low.counts["happy"][LOW_CONFIDENCE] == 2
    assert low.failed["reason"].iloc[-1] == "confidence below 0.99"


def test_reasons_are_counted_whatever_the_size() -> None:
    reasons = summary_of(*some_rows()).reasons
    assert reasons[0] == ("too_small", "at least 43 pixels a side are needed", 2)
    assert sum(n for *_, n in reasons) == 6


def test_the_slowest_are_named_once_and_only_if_they_are_in_the_table() -> None:
    rows = [
        row("a.jpg", sha256="a"),
        row("b.jpg", sha256="b"),
        row("copy.jpg", sha256="b", duplicate_of="b.jpg"),
        row("gone.jpg", "unreadable", sha256=""),
    ]
    found = summarize(table_of(*rows), seconds={"a": 1.5, "b": 9, "elsewhere": 99, "": 3})
    assert found.slowest == (("b.jpg", "b", 9), ("a.jpg", "a", 1.5))
    assert found.n_duplicates == 1


def test_the_same_picture_under_two_emotions_is_found() -> None:
    found = summary_of(
        row("happy/a.jpg", sha256="x", phash="1"),
        row("happy/a2.jpg", sha256="x", phash="1"),
        row("sad/b.jpg", sha256="x", phash="1"),
        row("angry/c.jpg", sha256="x", phash="1"),
        row("sad/small.jpg", sha256="y", phash="1"),
        row("happy/small.jpg", sha256="z", phash="1"),
        row("sad/alone.jpg", sha256="u", phash="2"),
    )
    pairs = [(one.image, one.other, one.is_same_file) for one in found.conflicts]
    assert pairs == [
        ("happy/a.jpg", "sad/b.jpg", True),
        ("happy/a.jpg", "angry/c.jpg", True),
        ("happy/a.jpg", "sad/small.jpg", False),
    ]


def test_what_cannot_be_told_is_no_conflict() -> None:
    found = summary_of(
        row("happy/black.jpg", "no_face", sha256="1", phash="0"),
        row("sad/black.jpg", "no_face", sha256="2", phash="0"),
        row("happy/gone.jpg", "unreadable", sha256=""),
        row("sad/gone.jpg", "unreadable", sha256=""),
        row("unlabelled.jpg", sha256="3", phash="7"),
        row("sad/c.jpg", sha256="3", phash="7"),
        row("sad/old.jpg", sha256="4", phash=""),
        row("happy/old.jpg", sha256="5", phash=""),
    )
    assert found.conflicts == ()


def test_a_table_without_images_has_a_summary() -> None:
    table = AuTable(table_of(row("a.jpg")).frame.iloc[:0])
    found = summarize(table, seconds={"a": 1})
    assert (found.n_images, found.n_usable, len(found.failed)) == (0, 0, 0)
    json.dumps(found.facts(), allow_nan=False)
    assert lines(found)


# --- its files


def test_the_folder_is_named_after_the_table(tmp_path: Path) -> None:
    assert extraction_folder_of(Path("data/aus.csv")) == Path("data/extraction")
    assert extraction_folder_of(tmp_path / "web.2.csv") == tmp_path / "web.2.extraction"


def write(folder: Path, *rows: dict[str, Any], **options: Any) -> None:
    table = table_of(*rows)
    pictures = options.pop("pictures", folder.parent / "images")
    made = options.pop("made", {})
    summary = summarize(table, seconds={f"{1:064x}": 2.5})
    write_extraction_report(summary, table, folder, pictures, made, **options)


def test_the_report_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "extraction"
    write(folder, *some_rows(), made={"jobs": 2, "schema": "mine"})
    assert sorted(p.name for p in folder.iterdir()) == FILES
    facts = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert facts["schema"] == "aufer/extraction-report/1"
    assert facts["jobs"] == 2
    assert facts["files"] == {name: sha256_of(folder / name) for name in FILES[:2]}
    assert (facts["n_images"], facts["n_usable"], facts["n_failed"]) == (7, 1, 6)
    assert facts["slowest"] == [{"image": "happy/b.jpg", "sha256": f"{1:064x}", "seconds": 2.5}]
    assert read_slowest(folder) == {f"{1:064x}": 2.5}

    with (folder / "failures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == FAILURE_COLUMNS
    assert len(rows) == 6
    assert rows[1] == {
        "image": HOSTILE,
        "emotion": "sad",
        "status": "unreadable",
        "reason": "<b>damaged</b>",
        **dict.fromkeys(FAILURE_COLUMNS[4:], ""),
    }
    assert (rows[-1]["confidence"], rows[-1]["width"], rows[-1]["way"]) == ("0.4", "64", "192+25%")


def test_the_sheet_is_made_again_only_if_other_images_are_on_it(tmp_path: Path) -> None:
    folder, sheet = tmp_path / "r", tmp_path / "r" / "contact-sheet.html"
    opened: list[str] = []

    def pictures(name: str) -> Path:
        opened.append(name)
        return tmp_path / name

    def n_opened(*rows: dict[str, Any]) -> int:
        opened.clear()
        write(folder, *rows, pictures=pictures)
        return len(opened)

    rows = some_rows()
    assert n_opened(*rows) == 6
    before = sheet.read_bytes()
    assert n_opened(*rows, row("happy/new.jpg")) == 0
    assert sheet.read_bytes() == before
    assert json.loads((folder / "report.json").read_text())["n_images"] == 8
    assert n_opened(*rows, row("happy/new.jpg", "no_face")) == 7
    sheet.unlink()
    assert n_opened(*rows, row("happy/new.jpg", "no_face")) == 7
    assert n_opened(*rows, row("happy/new.jpg", "no_face")) == 0
    (folder / "report.json").write_text("{", encoding="utf-8")
    assert n_opened(*rows) == 0  # it can't be told any more whose files these are


def test_files_of_a_person_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "engine-calls.jsonl").write_text("{}\n")
    (folder / "failures.csv").write_text("my notes\n")
    with caplog.at_level(logging.WARNING, logger="aufer"):
        write(folder, *some_rows())
    assert (folder / "failures.csv").read_text() == "my notes\n"
    assert "failures.csv was edited" in caplog.text
    assert (folder / "contact-sheet.html").exists()

    sheet = folder / "contact-sheet.html"
    ours = sheet.read_bytes()
    sheet.write_bytes(ours + b"<!-- mine -->")
    write(folder, *some_rows()[:3])
    assert sheet.read_bytes() == ours + b"<!-- mine -->"
    sheet.write_bytes(ours)  # put back: ours again, and of other images than the table's
    write(folder, *some_rows()[:3])
    assert sheet.read_bytes() != ours

    sheet.write_text("mine")
    write(folder, *some_rows(), force=True)
    assert sheet.read_bytes() == ours
    assert (folder / "failures.csv").read_text(encoding="utf-8").startswith("image,emotion")
    assert (folder / "engine-calls.jsonl").read_text() == "{}\n"


@pytest.mark.parametrize("content", ['{"schema": "aufer/report/1", "files": {}}', "[]", "notes"])
def test_a_report_of_another_kind_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    (tmp_path / "report.json").write_text(content)
    with caplog.at_level(logging.WARNING, logger="aufer"):
        write(tmp_path, *some_rows())
    assert "report.json is no report of ours" in caplog.text
    assert os.listdir(tmp_path) == ["report.json"]
    assert (tmp_path / "report.json").read_text() == content
    assert read_slowest(tmp_path) == {}


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("")
    with pytest.raises(AuferError, match="can't be written") as caught:
        write(tmp_path / "r", *some_rows())
    assert "--report" in str(caught.value.hint)


@pytest.mark.parametrize(
    "slowest", [None, 3, [1, None], [{"sha256": "a"}], [{"sha256": "a", "seconds": "long"}]]
)
def test_times_that_cannot_be_read_are_none(tmp_path: Path, slowest: Any) -> None:
    facts = {"schema": "aufer/extraction-report/1", "files": {}, "slowest": slowest}
    (tmp_path / "report.json").write_text(json.dumps(facts))
    assert read_slowest(tmp_path) == {}
    assert read_slowest(tmp_path / "none") == {}


# --- the contact sheet


def page_of(summary: ExtractionSummary, pictures: Path) -> tuple[str, Page]:
    text = render_contact_sheet(
        summary.failed, pictures, images_folder="data/images", all_of_them="failures.csv"
    )
    return text, Page(text)


def test_the_sheet_shows_every_failed_image(tmp_path: Path) -> None:
    for name in ("happy/a.jpg", "happy/b.jpg", "happy/c.jpg", "sad/d.jpg"):
        make_picture(tmp_path / name)
    _, page = page_of(summary_of(*some_rows()), tmp_path)
    assert len(page.all("figure")) == 6
    assert [one["id"] for one in page.all("section")] == [
        status for status in NOT_USABLE if status != "many_faces"
    ]
    sources = [one["src"] or "" for one in page.all("img")]
    assert len(sources) == 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert page.text.count("no picture") == 3
    assert "confidence 0.40" in page.text
    # the box, of the face with low confidence only, in the picture's own pixels
    assert [one["viewbox"] for one in page.all("svg")] == ["0 0 64 48"]
    assert page.all("rect") == [{"x": "10.0", "y": "-5.5", "width": "30.0", "height": "40.0"}]


def test_names_and_reasons_do_not_become_html(tmp_path: Path) -> None:
    text, page = page_of(summary_of(*some_rows()), tmp_path)
    assert not page.all("script")
    assert not page.all("img")
    assert "<b>damaged</b>" in page.text
    assert HOSTILE.rpartition("/")[2].strip() in page.text
    assert "http" not in text


def test_a_sheet_without_failures_says_so(tmp_path: Path) -> None:
    _, page = page_of(summary_of(row("happy/a.jpg")), tmp_path)
    assert "in every image" in page.text
    assert not page.all("figure")


def test_a_long_sheet_says_what_it_does_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "N_PICTURES", 6)
    rows = [row(f"sad/{n}.jpg", "no_face") for n in range(1200)]
    _, page = page_of(summary_of(*rows, row("sad/x.jpg", "crashed")), tmp_path)
    assert len(page.all("figure")) == 6
    words = " ".join(page.text.split())
    assert "1,201 images have none. 6 of them are shown" in words
    assert "Shown: 5; the rest is in failures.csv" in words


@given(st.lists(st.sampled_from("abcde"), max_size=60), st.integers(0, 60))
def test_pictures_are_chosen_evenly(statuses: list[str], n: int) -> None:
    chosen = choose(statuses, n)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(n, len(statuses))
    taken = {s: sum(statuses[i] == s for i in chosen) for s in set(statuses)}
    most = max(taken.values(), default=0)
    for status, count in taken.items():  # one has fewer only where it has no more, or by rounding
        assert count == statuses.count(status) or count >= most - 1


def test_thumbnails_are_upright_and_small(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    make_picture(tmp_path / "a.jpg", (600, 300), exif=exif, comment=b"where I live")
    found = make_thumbnail(tmp_path / "a.jpg")
    assert found is not None
    assert (found.width, found.height) == (64, 128)
    content = base64.b64decode(found.uri.partition(",")[2])
    with PIL.Image.open(io.BytesIO(content)) as picture:
        assert picture.size == (64, 128)
        assert not picture.getexif()
    assert b"where I live" not in content


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "I;16", "I", "F", "CMYK", "LA"])
def test_pictures_of_all_kinds_have_thumbnails(tmp_path: Path, mode: str) -> None:
    ramp = np.tile(np.arange(100, dtype=np.uint8) * 2, (50, 1))
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        picture = PIL.Image.fromarray(ramp.astype(kind) * 250)
    else:
        picture = PIL.Image.fromarray(ramp).convert("RGB").convert(mode)
    picture.save(tmp_path / "a.tif")
    found = make_thumbnail(tmp_path / "a.tif")
    assert found is not None
    with PIL.Image.open(io.BytesIO(base64.b64decode(found.uri.partition(",")[2]))) as small:
        grey = np.asarray(small.convert("L"), dtype=float)
    assert grey[:, -5:].mean() - grey[:, :5].mean() > 100


def test_what_cannot_be_shown_has_no_thumbnail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    whole = make_picture(tmp_path / "whole.png", (900, 900)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    paths = [tmp_path / "text.jpg", tmp_path / "cut.png", tmp_path, tmp_path / "none.jpg"]
    paths.append(tmp_path / "null\0.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        paths.append(tmp_path / "pipe.jpg")
    assert [make_thumbnail(path) for path in paths] == [None] * len(paths)
    monkeypatch.setattr(contact_sheet, "_MOST_PIXELS", 900 * 900 - 1)
    assert make_thumbnail(tmp_path / "whole.png") is None


# --- on the terminal


def test_the_table_is_aligned_and_has_sums() -> None:
    assert lines(summary_of(*some_rows()))[:4] == [
        "       ok  low_confidence  no_face  too_small  unreadable  crashed  all",
        "happy   1               1        1          0           0        0    3",
        "sad     0               0        0          2           1        1    4",
        "all     1               1        1          2           1        1    7",
    ]


def test_ten_failed_images_are_listed_and_the_rest_is_counted() -> None:
    rows = [row(f"sad/{n:02}.jpg", "no_face") for n in range(30)]
    rows.append(row("sad/c.jpg", "crashed", reason="died"))
    found = lines(summary_of(*rows), Path("data/extraction"))
    start = found.index("without a usable face: 31")
    assert found[start + 1] == "  crashed  sad/c.jpg   died"
    assert found[start + 10] == "  no_face  sad/08.jpg"
    assert found[start + 11].startswith("  and 21 more")
    assert str(Path("data/extraction/failures.csv")) in found[start + 11]


def test_the_five_slowest_are_listed() -> None:
    rows = [row(f"{n}.jpg", sha256=str(n)) for n in range(9)]
    found = lines(summarize(table_of(*rows), seconds={str(n): n + 0.25 for n in range(9)}))
    start = found.index("slowest:")
    assert found[start + 1 : start + 3] == ["    8.2 s  8.jpg", "    7.2 s  7.jpg"]
    assert len(found) == start + 6


def test_conflicts_are_listed() -> None:
    found = lines(summary_of(row("happy/a.jpg", sha256="x"), row("sad/b.jpg", sha256="x")))
    assert found[-2:] == ["the same picture under two emotions: 1", "  happy/a.jpg = sad/b.jpg"]


def test_names_do_not_steer_the_terminal() -> None:
    name = "sad/\x1b[31m\r\u202e" + "long " * 60 + "\n.jpg"
    found = lines(summary_of(row(name, "no_face", reason="\x07" * 3)))
    assert all(line.isprintable() and len(line) < 160 for line in found)
    assert any(r"sad/\x1b[31m\r\u202e" in line for line in found)
