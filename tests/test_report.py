"""The report as a page: whole, self-contained, readable without eyes, JavaScript or colour."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from aufer.bundle import read_bundle
from aufer.evaluate import evaluate, evaluate_held_out
from aufer.files import sha256_of
from aufer.openface.faces import read_faces
from aufer.report.figures import make_pictures
from aufer.report.methods import write_methods
from aufer.report.page import write_report
from aufer.report.tables import make_tables
from tests.running import RunAufer
from tests.test_build_dataset import table_of

if TYPE_CHECKING:
    from tests.report_case import ReportCase

pytest_plugins = ["tests.report_case"]

EMPTY_TAGS = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a browser needs of the page: that tags close, ids, links, pictures, tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.scopes: list[str | None] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if "id" in found:
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag == "img":
            self.pictures.append(found)
        if tag == "th":
            self.scopes.append(found.get("scope"))
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page_of(report_case: ReportCase) -> tuple[Page, str]:
    html = (report_case.folder / "report.html").read_text(encoding="utf-8")
    return Page(html), html


def test_the_page_is_well_formed_and_self_contained(report_case: ReportCase) -> None:
    page, html = page_of(report_case)
    assert page.open == []
    assert "{{" not in html
    assert "{%" not in html
    assert "None" not in re.sub(r"<style>.*?</style>", "", html, flags=re.S)
    assert "script" not in page.tags
    assert not re.findall(r'src="(?!data:)', html)
    assert not re.findall(r"@import|url\(", html)
    for picture in page.pictures:
        kind, _, content = str(picture["src"]).partition(";base64,")
        assert kind == "data:image/svg+xml"
        ElementTree.fromstring(base64.b64decode(content))


def test_every_link_leads_somewhere(report_case: ReportCase) -> None:
    page, _ = page_of(report_case)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (report_case.folder / link).is_file(), link
    linked = {link for link in page.links if "/" in link}
    files = {
        path.relative_to(report_case.folder).as_posix()
        for folder in ("tables", "figures")
        for path in (report_case.folder / folder).iterdir()
    }
    assert linked == files  # every table and picture is offered as a file, and no other


def test_who_cannot_see_the_page_can_read_it(report_case: ReportCase) -> None:
    page, html = page_of(report_case)
    assert '<html lang="en">' in html
    assert page.tags.count("h1") == 1
    assert all(picture["alt"] for picture in page.pictures)
    assert page.tags.count("caption") == page.tags.count("table") > 10
    assert set(page.scopes) == {"col", "row"}
    assert page.scopes.count("row") > 50
    # the gist of a picture is in its text: numbers, not "a chart"
    alts = {name: picture.alt for name, picture in make_pictures(report_case.facts).items()}
    assert all(re.search(r"\d", alt) for alt in alts.values())
    accuracy = report_case.facts["figures"]["unseen"]["accuracy"]["value"]
    assert f"this model {100 * accuracy:.1f} %" in alts["accuracy"]


def test_every_table_and_picture_is_a_file(report_case: ReportCase) -> None:
    from PIL import Image

    tables = make_tables(report_case.facts, report_case.predictions)
    assert {path.stem for path in (report_case.folder / "tables").iterdir()} == set(tables)
    expected = {
        f"{name}.{kind}" for name in make_pictures(report_case.facts) for kind in ("svg", "png")
    }
    assert {path.name for path in (report_case.folder / "figures").iterdir()} == expected
    for path in (report_case.folder / "figures").iterdir():
        if path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
        else:
            with Image.open(path) as picture:
                assert min(picture.size) > 200
    recorded = report_case.facts["files"]
    assert {name for name in recorded if "/" in name} == {
        path.relative_to(report_case.folder).as_posix() for path in report_case.folder.glob("*/*")
    }
    assert all(sha256_of(report_case.folder / name) == sha for name, sha in recorded.items())


def test_two_runs_write_the_same_pictures(report_case: ReportCase) -> None:
    from aufer.plots import as_svg

    for name, picture in make_pictures(report_case.facts).items():
        written = (report_case.folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert as_svg(picture.draw()) == written


def test_methods_cite_what_they_name_and_nothing_else(report_case: ReportCase) -> None:
    methods = write_methods(report_case.facts)
    text = " ".join(methods.paragraphs)
    bib = (report_case.folder / "references.bib").read_text(encoding="utf-8")
    for entry in methods.references:
        first, year = entry.split(",")[0], re.search(r"\((\d{4})\)", entry)
        assert year is not None
        assert re.search(rf"{first}[^;)]*{year[1]}", text), entry
        assert f"{year[1]}}}" in bib
    assert bib.count("@") == len(methods.references)
    named = set(re.findall(r"([A-Z][\wš]+)(?: et al\.| & \w+)?, (?:19|20)\d\d", text))
    assert named == {entry.split(",")[0] for entry in methods.references}
    assert bib.count("{") == bib.count("}")
    sizes = report_case.facts["model"]["split"]["sizes"]
    assert f"fitted to {sizes['train'] + sizes['validation']} faces" in text
    temperature = report_case.facts["model"]["calibration"]["temperature"]
    assert f"T = {temperature:.2f}" in text
    assert "Keras" not in text  # this one is no network
    assert (report_case.folder / "methods.txt").read_text(encoding="utf-8").startswith(text[:200])


def test_known_persons_need_no_warning(report_case: ReportCase) -> None:
    html = page_of(report_case)[1]
    assert "Persons are unknown" not in html
    assert "14 groups drawn anew" in html


def test_unknown_persons_are_told_at_the_top_with_the_blocks(
    report_case: ReportCase, study: Path, tmp_path: Path
) -> None:
    """Before any figure is explained: what neighbouring rows that stay together cost."""
    facts = json.loads(json.dumps(report_case.facts))
    facts["model"]["persons_known"] = False
    facts["model"]["cross_validation"]["blocks"] = {
        "model": "svm",
        "rows": [
            {"size": size, "accuracy": {"mean": 0.8 - size / 1000, "sd": 0.01, "n": 5}}
            for size in (1, 10, 30, 60, 120)
        ],
    }
    facts.pop("files")
    page = write_report(tmp_path / "r", facts, report_case.predictions)
    html = page.read_text(encoding="utf-8")
    box, _, rest = html.partition("<nav")
    assert "Persons are unknown: on new people, expect less" in box
    assert "in the training data." in box
    assert "Persons are unknown" not in rest
    for size in (1, 10, 30, 60, 120):
        assert re.search(rf">{size}</th>.*?>{80 - size / 10:.1f} ± 1.0 %<", box)
    assert (tmp_path / "r" / "figures" / "blocks.svg").is_file()


def test_an_old_bundle_has_a_report_too(bundle: Path, sample: Path, tmp_path: Path) -> None:
    """One that knows nothing of groups, folds, calibration or pictures' hashes."""
    facts = json.loads((bundle / "bundle.json").read_text())
    for key in ("calibration", "cross_validation", "notes"):
        facts.pop(key, None)
    dataset = facts["dataset"]
    facts["dataset"] = {
        key: dataset[key] for key in ("path", "sha256", "n_rows", "counts", "groups_known")
    }
    rows = (bundle / "rows.csv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split(",").index("phash")
    old = [line.split(",") for line in rows]
    lines = [",".join(cells[:column] + cells[column + 1 :]) for cells in old]
    (bundle / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    facts["files"]["rows.csv"] = sha256_of(bundle / "rows.csv")
    (bundle / "bundle.json").write_text(json.dumps(facts))
    model = read_bundle(bundle)
    for evaluation in (
        evaluate(model, read_faces(sample / "test", model.emotions), testset="sample"),
        evaluate_held_out(model),
    ):
        folder = tmp_path / str(evaluation.facts["tested_on"])
        page = write_report(folder, evaluation.facts, evaluation.predictions)
        html = page.read_text(encoding="utf-8")
        assert Page(html).open == []
        assert "Persons are unknown" in html
        assert "Nothing is known of a temperature scaling" in html
        assert "Near copies could not be looked for" in html
        assert "Cross-validation on the model's dataset" not in html


def test_names_from_outside_are_escaped(bundle: Path, tmp_path: Path) -> None:
    table = table_of(
        {"image": "<script>alert(1)</script>.jpg", "value": 1.3, "group": "<i>g</i>"},
        {"status": "no_face", "reason": "<img src=x>"},
    )
    evaluation = evaluate(read_bundle(bundle), table, testset="<b>x</b>")
    page = write_report(tmp_path / "r", evaluation.facts, evaluation.predictions)
    html = page.read_text(encoding="utf-8")
    for word in ("<script>", "<b>x", "<i>g", "<img src=x"):
        assert word not in html
    assert Page(html).open == []


def test_a_model_that_is_always_right_or_always_wrong(bundle: Path, tmp_path: Path) -> None:
    model = read_bundle(bundle)
    table = table_of(*({"value": n / 7} for n in range(9)))
    words = evaluate(model, table).predictions["predicted"].tolist()
    names = model.emotions.names
    others = [names[(names.index(word) + 1) % len(names)] for word in words]
    for number, truth in enumerate((words, others)):
        table.frame["emotion"] = truth
        evaluation = evaluate(model, table)
        page = write_report(tmp_path / str(number), evaluation.facts, evaluation.predictions)
        html = page.read_text(encoding="utf-8")
        assert Page(html).open == []
        assert ("The most confident mistakes" in html) == (truth is others)
    assert evaluation.facts["figures"]["all"]["accuracy"]["value"] == 0


@pytest.mark.parametrize("name", ["report.html", "tables/accuracy.csv", "figures/accuracy.svg"])
def test_an_edited_file_of_a_report_is_kept(
    aufer: RunAufer, report_case: ReportCase, study: Path, tmp_path: Path, name: str
) -> None:
    shutil.copytree(report_case.folder, tmp_path / "r")
    (tmp_path / "r" / name).write_text("my notes")
    words = ("--model", report_case.bundle, "--testset", study / "test.csv", "--out", "r")
    ran = aufer("evaluate", *words).check(1)
    assert f"was edited since `aufer` wrote it ({name}); it is kept" in ran.err
    assert (tmp_path / "r" / name).read_text() == "my notes"
