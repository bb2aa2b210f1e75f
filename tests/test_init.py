"""The command ``aufer init``: what it makes, keeps, and tells to type next."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.running import RunAufer


def test_the_next_command_can_be_typed(aufer: RunAufer, tmp_path: Path) -> None:
    ran = aufer("init", "my study's").check()
    typed = ran.err.split("Next: ")[1].split(", put photos")[0]
    if os.name != "nt":
        assert shlex.split(typed) == ["cd", "my study's"]
    assert ran.out.strip() == "my study's"
    assert (tmp_path / "my study's/data/images/happy").is_dir()
    assert "cd " not in aufer("init").check().err


def test_no_face_nor_scratch_folder_gets_into_git(aufer: RunAufer, tmp_path: Path) -> None:
    aufer("init").check()
    private = [
        *("data/images/happy/a.jpg", "data/openface/index.tsv", "data/other.openface/index.tsv"),
        *("data/extraction/contact-sheet.html", "data/other.extraction/contact-sheet.html"),
        "data/.aufer/measured.sqlite",
        *("data/.aufer-host-1-x/input/a.jpg", ".aufer-host-1-x/input/a.jpg"),
    ]
    try:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no git: {error}")
    done = subprocess.run(
        ["git", "check-ignore", *private], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == private


@pytest.mark.parametrize("name", ["a" * 300, "file"])
def test_what_can_be_no_workspace(aufer: RunAufer, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    assert "error: " in aufer("init", name).check(2).err
