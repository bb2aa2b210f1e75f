"""What only the local engine has: finding the program, its exit code, ending all of it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from aufer.errors import EnvironmentFailure
from aufer.files import sha256_of
from aufer.images import Image
from aufer.openface.engine_local import _as_wsl_path, find_program
from aufer.openface.engines import make_engine
from aufer.openface.measure import measure
from tests.docker_engine import STAND_IN
from tests.stand_in.pictures import save_face

pytest_plugins = ["tests.engine_cases"]
pytestmark = [
    pytest.mark.usefixtures("own_state"),
    pytest.mark.skipif(os.name == "nt", reason="the stand-in is a POSIX shell script"),
]


def _measure(openface: str, *paths: Path):
    with closing(make_engine("local", openface=openface)) as engine:
        return measure([Image(path, path.name) for path in paths], engine)


def test_a_path_a_folder_a_prefix_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "Open Face" / "build" / "bin"
    place.mkdir(parents=True)
    program = Path(shutil.copy(STAND_IN, place))
    assert find_program(str(program)) == [str(program)]
    assert find_program(str(tmp_path / "Open Face")) == [str(program)]
    words = find_program(f"sh {shlex.quote(str(program))}")
    assert words[1:] == [str(program)]
    assert Path(words[0]).name == "sh"
    monkeypatch.setenv("AUFER_OPENFACE", str(program))
    assert find_program() == [str(program)]
    monkeypatch.delenv("AUFER_OPENFACE")
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    assert find_program() == [str(program)]


def test_the_program_runs_in_its_own_folder(tmp_path: Path, script) -> None:
    told = tmp_path / "told"
    program = script(f'pwd > {told}; exec {STAND_IN} "$@"')
    table = _measure(program, save_face(tmp_path / "a.jpg"))
    assert table.frame["status"].tolist() == ["ok"]
    assert Path(told.read_text().strip()) == tmp_path / "bin"
    assert table.extractor.binary == sha256_of(tmp_path / "bin" / "FaceLandmarkImg")


def test_a_prefix_is_recorded_by_its_words(tmp_path: Path) -> None:
    table = _measure(f"sh {STAND_IN}", save_face(tmp_path / "a.jpg"))
    assert table.frame["status"].tolist() == ["ok"]
    assert table.extractor.binary.endswith(f"sh {STAND_IN}")


@pytest.mark.parametrize(
    ("openface", "message"),
    [
        ("/absent/FaceLandmarkImg", "There is no /absent/FaceLandmarkImg"),
        ("absent-command exec x", "There is no absent-command"),
        ("'open", "can't be read"),
        ("{tmp}", "There is no FaceLandmarkImg in the folder"),
        ("{tmp}/plain", "can't be executed"),
    ],
)
def test_what_cant_be_started(tmp_path: Path, openface: str, message: str) -> None:
    (tmp_path / "plain").write_text("no program")
    with pytest.raises(EnvironmentFailure, match=message) as failure:
        find_program(openface.format(tmp=tmp_path))
    assert failure.value.exit_code == 3


def test_nothing_on_the_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EnvironmentFailure, match="There is no FaceLandmarkImg") as failure:
        make_engine("local").check()
    assert "--openface" in (failure.value.hint or "")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["exit 0"], "ended well but measured nothing"),
        (["echo error while loading shared libraries: libopencv >&2; exit 127"], "libopencv"),
        (["exit 139"], "exit code 139 at each of the first 1 images"),
        (["kill -SEGV $$"], "exit code 139"),
        (["echo 'No images found in the directory: x'; exit 1"], "does not see the folder"),
        (["echo 'boost::filesystem::create: denied' >&2; exit 134"], "can't read or write"),
        (["echo 'The output CSV file is not open, exiting'; exit 1"], "can't write its files"),
    ],
)
def test_what_is_the_engines_fault_brands_no_picture(
    tmp_path: Path, script, lines, message
) -> None:
    with pytest.raises(EnvironmentFailure, match=message):
        _measure(script(*lines), save_face(tmp_path / "a.jpg"))


def test_an_engine_that_dies_at_every_picture_is_given_up(tmp_path: Path, script) -> None:
    calls = tmp_path / "calls"
    program = script(f"echo >> {calls}; echo 'Starting tracking'; exit 139")
    pictures = [save_face(tmp_path / f"{seed}.jpg", seed=seed) for seed in range(40)]
    with pytest.raises(EnvironmentFailure, match="first 20 images and measured none"):
        _measure(program, *pictures)
    assert len(calls.read_text().splitlines()) == 40  # one run and one try alone for each of 20


def test_a_crash_after_the_csv_was_written(tmp_path: Path, script) -> None:
    """Dying at a picture's further face, or at the next picture before it left a trace."""
    program = script(
        "in=$2 out=$4",
        'for f in "$in"/*; do',
        f'  {STAND_IN} -f "$f" -out_dir "$out" -aus -pose -2Dfp || exit',
        "  case $f in */b-*) exit 139 ;; esac",
        "done",
    )
    pictures = [save_face(tmp_path / f"{name}.jpg", seed=ord(name)) for name in "abc"]
    frame = _measure(program, *pictures).frame.set_index("image")
    assert frame["status"].to_dict() == {"a.jpg": "ok", "b.jpg": "crashed", "c.jpg": "ok"}


def test_a_program_that_prints_much_is_not_blocked(tmp_path: Path, script) -> None:
    lots = "i=0; while [ $i -lt 3000 ]; do echo '{}'; i=$((i+1)); done".format("x" * 100)
    program = script(f'{lots}; {lots} >&2; exec {STAND_IN} "$@"')
    assert _measure(program, save_face(tmp_path / "a.jpg")).frame["status"].tolist() == ["ok"]


def test_output_that_is_no_utf8_is_read(tmp_path: Path, script) -> None:
    program = script(r"printf '\377\376 caf\351\n'", f'exec {STAND_IN} "$@"')
    assert _measure(program, save_face(tmp_path / "a.jpg")).frame["status"].tolist() == ["ok"]


def test_ctrl_c_ends_the_program_and_its_children(tmp_path: Path) -> None:
    import psutil

    save_face(tmp_path / "data/images/happy/a.jpg", sleep=60)
    calls = tmp_path / "calls"
    command = [sys.executable, "-m", "aufer", "extract", "--engine", "local"]
    process = subprocess.Popen(
        [*command, "--openface", str(STAND_IN)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "STAND_IN_CALLS": str(calls)},
    )
    children: list[psutil.Process] = []
    try:
        for _ in range(600):
            children = psutil.Process(process.pid).children(recursive=True)
            if any("sleep" in child.name() for child in children):
                break
            time.sleep(0.05)
        process.send_signal(2)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Interrupted" in said
    assert len(children) >= 2  # the script and its sleep
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"images"}


def test_windows_paths_for_wsl() -> None:
    assert _as_wsl_path("C:\\faces\\in") == "/mnt/c/faces/in"
    assert _as_wsl_path("/home/me") == "/home/me"
