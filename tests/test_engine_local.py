"""What only the local engine has: finding the program, its exit code, ending all of it."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from aufer.errors import EnvironmentFailure
from aufer.files import sha256_of
from aufer.images import Image
from aufer.openface import capacity
from aufer.openface.engine import Capacity, this_host
from aufer.openface.engine_local import _as_wsl_path, find_program
from aufer.openface.engines import make_engine
from aufer.openface.measure import measure
from aufer.openface.scratch import scratch_folder
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
        (["exit 139"], "no image, and ended at a.jpg with exit code 139"),
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
    with pytest.raises(EnvironmentFailure, match=r"10\.jpg and 17 more with exit code 139"):
        _measure(program, *pictures)
    # one run and one try alone for each of 20, and what other jobs began meanwhile
    assert 40 <= len(calls.read_text().splitlines()) <= 50


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


def _children_of(process: subprocess.Popen) -> list:
    """Every process below a running one; none if it or one of them ends meanwhile."""
    import psutil

    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill_when_asleep(process: subprocess.Popen) -> list:
    """Kill a process (-9) as soon as the stand-in below it sleeps; its children until then."""
    children: list = []
    try:
        for _ in range(600):
            children = _children_of(process)
            if _is_asleep(children):
                break
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    return children


def _is_asleep(children: list) -> bool:
    """Whether the stand-in has come to its `sleep`; its other helpers come and go."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        return any("sleep" in child.name() for child in children)
    return False


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_program_and_its_children(tmp_path: Path, name: str) -> None:
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
        # what started the tests may ignore SIGHUP (nohup), and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    children: list[psutil.Process] = []
    try:
        for _ in range(600):
            children = _children_of(process)
            if _is_asleep(children):
                break
            time.sleep(0.05)
        process.send_signal(getattr(signal, name))
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (130, 143, 129)
    assert "Interrupted" in said
    assert len(children) >= 2  # the script and its sleep
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    left = {path.name for path in (tmp_path / "data").iterdir()}
    assert left <= {"images", ".aufer", "extraction"}


def test_windows_paths_for_wsl() -> None:
    assert _as_wsl_path("C:\\faces\\in") == "/mnt/c/faces/in"
    assert _as_wsl_path("/home/me") == "/home/me"


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """kill -9 leaves the scratch folder with the pictures; a run that lives keeps its own."""
    import psutil

    images = tmp_path / "data/images"
    slow = save_face(images / "happy/a.jpg", sleep=60)
    command = [sys.executable, "-m", "aufer", "extract", "--engine", "local", "--openface"]
    process = subprocess.Popen([*command, str(STAND_IN)], cwd=tmp_path, stderr=subprocess.DEVNULL)
    children = _kill_when_asleep(process)
    assert psutil.wait_procs(children, timeout=10)[1] == []  # the program did not outlive it
    left = [path.name for path in (tmp_path / "data").glob(".aufer-*")]
    assert left
    assert all(name.startswith(f".aufer-{this_host()}-{process.pid}-") for name in left)
    alive = tmp_path / f"data/.aufer-{this_host()}-{os.getppid()}-alive"
    elsewhere = tmp_path / f"data/.aufer-another_host-{process.pid}-elsewhere"
    alive.mkdir()
    elsewhere.mkdir()
    slow.unlink()
    save_face(images / "happy/b.jpg")
    subprocess.run([*command, str(STAND_IN)], cwd=tmp_path, check=True, capture_output=True)
    assert set((tmp_path / "data").glob(".aufer-*")) == {alive, elsewhere}


def test_an_interrupt_while_the_program_is_started_does_not_lose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import Future

    started: list[subprocess.Popen[bytes]] = []
    really = subprocess.Popen

    def interrupt(future, timeout=None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Future, "result", interrupt)
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **kw: started.append(really(*args, **kw)) or started[-1]
    )
    with pytest.raises(KeyboardInterrupt):
        _measure(str(STAND_IN), save_face(tmp_path / "a.jpg", sleep=60))
    program, watchdog = started
    assert program.poll() == -signal.SIGKILL
    assert watchdog.poll() is not None
    assert list(tmp_path.glob(".aufer-*")) == []


def test_images_alone_are_staged_where_a_container_sees_them(tmp_path: Path, script) -> None:
    """In the current folder, and in the system's place for temporary files if that can't be."""
    program = script(f'echo "$2" >> {tmp_path}/told; exec {STAND_IN} "$@"')
    picture = save_face(tmp_path / "a.jpg")
    _measure(program, picture)
    told = Path((tmp_path / "told").read_text().strip())
    assert told.parents[2] == tmp_path  # the scratch folder, the batch's, its input
    assert list(tmp_path.glob(".aufer-*")) == []


def test_a_current_folder_that_cant_be_written_to(tmp_path: Path, monkeypatch) -> None:
    really = tempfile.mkdtemp

    def mkdtemp(prefix=None, dir=None, **options):
        if Path(dir or "/") == Path():
            raise PermissionError(13, "Permission denied")
        return really(prefix=prefix, dir=dir, **options)

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    with scratch_folder(None) as scratch:
        assert scratch.parent == Path(tempfile.gettempdir())
    assert not scratch.exists()
    with pytest.raises(PermissionError), scratch_folder(Path()):
        pytest.fail("it went on")


def test_talk_names_the_image_and_not_its_copy(tmp_path: Path, caplog) -> None:
    logging.getLogger("aufer").propagate = True
    with caplog.at_level(logging.INFO, "aufer"):
        pictures = [save_face(tmp_path / "p 1.jpg", seed=1), tmp_path / "p 2.jpg"]
        save_face(pictures[1], seed=2, die=134)
        _measure(str(STAND_IN), *pictures)
    assert "ended at p 2.jpg; trying it alone" in caplog.text


def _folders(tmp_path: Path, name: str, **picture) -> tuple[Path, Path]:
    folders = tmp_path / name / "input", tmp_path / name / "output"
    folders[1].mkdir(parents=True)
    save_face(folders[0] / f"{name}.jpg", **picture)
    return folders


def test_several_runs_at_once(tmp_path: Path) -> None:
    jobs = [_folders(tmp_path, f"job{seed}", seed=seed, sleep=0.5) for seed in range(6)]
    engine = make_engine("local", openface=str(STAND_IN))
    with ThreadPoolExecutor(len(jobs)) as pool:
        for run in [pool.submit(engine.run, *job) for job in jobs]:
            assert run.result().exit_code == 0
    for seed, (_, output) in enumerate(jobs):
        assert (output / f"job{seed}.csv").exists()
        assert len(list(output.iterdir())) == 2
    assert _children_of(SimpleNamespace(pid=os.getpid())) == []


def test_what_on_poll_raises_ends_each_of_several_runs(tmp_path: Path) -> None:
    import psutil

    jobs = [_folders(tmp_path, f"job{n}", sleep=60) for n in range(3)]
    engine = make_engine("local", openface=str(STAND_IN))
    seen: set[psutil.Process] = set()
    barrier = threading.Barrier(len(jobs))

    class Stopped(Exception):
        pass

    def stop() -> None:
        barrier.wait(timeout=60)  # all of them run
        seen.update(_children_of(SimpleNamespace(pid=os.getpid())))
        raise Stopped

    with ThreadPoolExecutor(len(jobs)) as pool:
        for run in [pool.submit(engine.run, *job, on_poll=stop) for job in jobs]:
            with pytest.raises(Stopped):
                run.result()
    assert len(seen) >= len(jobs)
    assert psutil.wait_procs(seen, timeout=10)[1] == []


def test_a_command_prefix_does_not_outlive_us_either(tmp_path: Path) -> None:
    """kill -9 while a program of a program runs, in a thread that is not the main one."""
    import psutil

    folders = _folders(tmp_path, "job", sleep=60)
    code = f"""
import threading
from pathlib import Path
from aufer.openface.engines import make_engine
engine = make_engine("local", openface="sh {STAND_IN}")
folders = [Path(name) for name in {list(map(str, folders))!r}]
threading.Thread(target=engine.run, args=folders).start()
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    children = _kill_when_asleep(process)
    assert len(children) >= 3  # the program, its sleep, and who watches
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.parametrize(
    ("files", "cpus", "memory_gb"),
    [
        ({}, 8, 16),
        ({"cpu.max": "150000 100000", "memory.max": "max", "memory.current": "1"}, 2, 16),
        ({"cpu.max": "max 100000"}, 8, 16),
        ({"cpu.max": "5000 100000"}, 1, 16),
        ({"memory.max": f"{4 << 30}", "memory.current": f"{1 << 30}"}, 8, 3),
        (
            {
                "memory.max": f"{4 << 30}",
                "memory.current": f"{3 << 30}",
                "memory.stat": f"anon {1 << 30}\nactive_file 0\ninactive_file {2 << 30}",
            },
            8,
            3,
        ),
        (
            {
                "cpu/cpu.cfs_quota_us": "300000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": f"{2 << 30}",
                "memory/memory.usage_in_bytes": f"{1 << 30}",
            },
            3,
            1,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8, 16),
    ],
)
def test_the_capacity_minds_the_limits_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files, cpus, memory_gb
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(capacity, "CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=16 << 30))
    assert make_engine("local").capacity() == Capacity(cpus, memory_gb << 30)


def test_the_capacity_minds_the_processors_that_we_may_use(monkeypatch) -> None:
    monkeypatch.setattr(capacity, "CGROUPS", Path("/nonexistent"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert make_engine("local").capacity().cpus == 1
    monkeypatch.delattr(os, "sched_getaffinity")  # as in macOS and Windows
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert make_engine("local").capacity().cpus == 6
