"""The documentation is true: its code runs, its links lead somewhere, every column is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aufer.au_table import COLUMNS, STATUSES
from tests.running import run_aufer

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_the_code_of_the_python_page_runs(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) == 4
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "mine" / "report.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_every_column_and_status_is_documented() -> None:
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    for status in STATUSES:
        assert f"`{status}`" in text
    for column in COLUMNS:
        if column.startswith(("AU", "pose_")):
            continue
        assert re.search(rf"[` ]{column}[` ]", text), column


def test_every_page_is_in_the_site() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name in nav


def test_make_targets_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.M), f"{page.name}: make {target}"


def test_the_tomls_of_the_docs_are_accepted(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", text, re.M | re.S)
    (tmp_path / "aufer.toml").write_text(block)
    run_aufer("models", "list", cwd=tmp_path).check()
