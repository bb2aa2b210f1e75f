"""Runs of `aufer extract` that something kills at a random moment, and what is left of them.

A scene is a folder of images, one way to measure them, and the table that comes of it undisturbed.
In each round a new run in a folder of its own is struck once, then resumed until it ends well.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.own_docker import OwnDocker
from tests.poison import PECULIAR, POISON, make_images
from tests.running import run_aufer

AUFER, OPENFACE, CONTAINER, ENGINE = "aufer", "openface", "container", "engine"
VICTIMS = {"local": (AUFER, OPENFACE), "docker": (AUFER, OPENFACE, CONTAINER, ENGINE)}
"""Engine -> what can be killed."""

KINDS = ("zero", "garbage", "die=134", "dies_below_288", "never", "none_below_288", "unsure")
"""The poison and the peculiar pictures of a scene; a hang would only cost time."""

FINISHED = (0, 5)
SOME_RESUMES = 3
PATIENCE_S = 120
ROLE_LABEL = "org.aufer.role=extract"
PROGRAM = "FaceLandmarkImg"


class Missed(Exception):
    """The run ended before anything could be killed, again and again."""


@dataclass(frozen=True)
class Scene:
    """Images, how they are measured, and what comes of it undisturbed.

    Attributes:
        words: the engine's options of the command line. image: its Docker image, if any.
        env: environment variables. own_docker: a Docker engine that may be killed, or None.
        table: the undisturbed ``aus.csv``. files: the names of all that lies beside it then.
        busy_s: seconds after its start between which a run is at work.
    """

    folder: Path
    words: Sequence[str]
    image: str = ""
    env: dict[str, str] = field(default_factory=dict)
    own_docker: OwnDocker | None = None
    table: bytes = b""
    files: frozenset[str] = frozenset()
    busy_s: tuple[float, float] = (0.0, 0.0)

    @property
    def images(self) -> Path:
        return self.folder / "images"

    def command(self) -> list[str]:
        """What is typed, in a round's folder."""
        return ["extract", "../images", "--out", "aus.csv", "--jobs", "2", *self.words]

    def environment(self, folder: Path) -> dict[str, str]:
        """Its own, and a place for temporary files of which nothing may be left."""
        return {**self.env, "TMPDIR": str(folder / "tmp"), "XDG_STATE_HOME": str(folder / "tmp/s")}


@dataclass(frozen=True)
class Round:
    """One kill, and what came of it.

    Attributes:
        what: what was killed, and when. codes: exit codes of the run that was struck and of those
        that resumed it. faults: what is wrong now; empty if all is well.
    """

    seed: int
    what: str
    codes: tuple[int, ...]
    faults: tuple[str, ...]

    def __str__(self) -> str:
        head = f"seed {self.seed}: killed {self.what}; exit codes {list(self.codes)}"
        return "\n  ".join([head, *self.faults])


def set_scene(
    folder: Path,
    words: Sequence[str],
    *,
    n_images: int = 100,
    image: str = "",
    own_docker: OwnDocker | None = None,
) -> Scene:
    """Make the images (if they aren't there yet) and measure them once undisturbed."""
    env = {"DOCKER_HOST": own_docker.host} if own_docker else {}
    scene = Scene(folder, words, image, env, own_docker)
    if not scene.images.exists():
        make_images(scene.images, n_images, without={*POISON, *PECULIAR} - {*KINDS})
    place = _make_place(folder / f"undisturbed-{len(list(folder.iterdir()))}")
    started = time.monotonic()
    process, errors = _start(scene, place)
    busy_from = 0.0
    while process.poll() is None:
        if not busy_from and any(place.glob(".aufer*")):
            busy_from = time.monotonic() - started
        time.sleep(0.01)
    ended = time.monotonic() - started
    if process.returncode not in FINISHED:
        raise RuntimeError(f"undisturbed: exit {process.returncode}\n{errors.read_text()}")
    table = (place / "aus.csv").read_bytes()
    return replace(scene, table=table, files=_list_files(place), busy_s=(busy_from, ended))


def disturb(scene: Scene, victim: str, seed: int) -> Round:
    """Start a run, kill something of it at a random moment, resume it, and look what is left.

    The round's folder stays if there is anything wrong with it.

    Raises:
        Missed: the runs were always over before the victim was found.
    """
    rng = random.Random(f"{victim} {seed}")
    for attempt in range(8):
        place = _make_place(scene.folder / f"{victim}-{seed}-{attempt}")
        process, errors = _start(scene, place)
        moment_s = rng.uniform(*scene.busy_s)
        time.sleep(moment_s)
        what = _kill(scene, victim, process, place, rng)
        faults = []
        try:
            codes = [process.wait(PATIENCE_S)]
        except subprocess.TimeoutExpired:
            process.kill()
            codes = [process.wait()]
            faults.append(f"it was still running {PATIENCE_S} s later")
        if scene.own_docker:
            scene.own_docker.start()
        if what:
            break
    else:
        raise Missed(f"{victim}, seed {seed}: all runs were over before the kill")
    said = errors.read_text(errors="replace")
    if victim != AUFER and codes[0] not in (*FINISHED, 3):
        faults.append(f"the run that was struck ended with {codes[0]}: {said[-500:]}")
    if "Traceback" in said:
        faults.append(f"the run that was struck shows a traceback: {said[-2000:]}")
    while (codes[-1] not in FINISHED or len(codes) == 1) and len(codes) <= SOME_RESUMES:
        ran = run_aufer(*scene.command(), cwd=place, **scene.environment(place))
        codes.append(ran.code)
        if ran.code not in FINISHED:
            faults.append(f"resuming ended with {ran.code}: {ran.err[-2000:]}")
    faults += find_faults(scene, place)
    if not faults:
        shutil.rmtree(place)
    return Round(seed, f"{what} after {moment_s:.2f} s in {place}", tuple(codes), tuple(faults))


def find_faults(scene: Scene, place: Path) -> list[str]:
    """What is not as after an undisturbed run."""
    faults = []
    deadline = time.monotonic() + 5
    while (left := _openface_processes(place)) and time.monotonic() < deadline:
        time.sleep(0.1)
    faults += [f"still running: {' '.join(process.cmdline())}" for process in left]
    with _docker_client(scene) as client:
        left_there = _containers(client, scene)
    faults += [f"a container is left: {one.name} ({one.status})" for one in left_there]
    table = place / "aus.csv"
    now = table.read_bytes().splitlines() if table.exists() else []
    then = scene.table.splitlines()
    if now != then:
        faults.append(f"the table has {len(now)} lines, not {len(then)}; these are others:")
        faults += [f"  {line.decode()[:300]}" for line in sorted({*now} - {*then})[:5]]
    files = _list_files(place)
    faults += [f"left behind: {name}" for name in sorted(files - scene.files)[:10]]
    faults += [f"missing: {name}" for name in sorted(scene.files - files)[:10]]
    return faults


def _make_place(place: Path) -> Path:
    (place / "tmp").mkdir(parents=True)
    return place


def _start(scene: Scene, place: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a run in its folder; the file takes what it says on stderr."""
    errors = place.with_suffix(".stderr")
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "aufer", *scene.command()],
            cwd=place,
            env={**os.environ, **scene.environment(place)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    return process, errors


def _kill(
    scene: Scene, victim: str, process: subprocess.Popen[bytes], place: Path, rng: random.Random
) -> str:
    """Kill the victim, as soon as there is one; what it was, or empty if the run was over."""
    while process.poll() is None:
        if victim == AUFER:
            process.kill()
            return "aufer"
        if victim == ENGINE:
            assert scene.own_docker is not None
            scene.own_docker.kill()
            return "the Docker engine"
        killed = _kill_in_docker(scene, victim, rng) if scene.image else _kill_program(place, rng)
        if killed:
            return killed
        time.sleep(0.005)
    return ""


def _kill_program(place: Path, rng: random.Random) -> str:
    import psutil

    programs = _openface_processes(place)
    ids = {program.pid for program in programs}
    try:
        first_ones = [program for program in programs if program.ppid() not in ids]
        if not first_ones:
            return ""
        chosen = rng.choice(first_ones)
        chosen.kill()
    except psutil.NoSuchProcess:
        return ""
    return f"OpenFace's process {chosen.pid}"


def _kill_in_docker(scene: Scene, victim: str, rng: random.Random) -> str:
    import docker

    with _docker_client(scene) as client:
        running = [one for one in _containers(client, scene) if one.status == "running"]
        if not running:
            return ""
        container = rng.choice(running)
        try:
            if victim == CONTAINER:
                container.remove(force=True)
                return f"the container {container.name}"
            if rng.random() < 0.5:
                container.kill()
                return f"all in the container {container.name}"
            command = ["/bin/sh", "-c", f"kill -9 $(pidof {PROGRAM})"]  # within it
            if container.exec_run(command).exit_code:
                return ""
        except docker.errors.APIError:  # it ended just now
            return ""
    return f"OpenFace in the container {container.name}"


def _openface_processes(place: Path) -> list:
    """The local OpenFace processes that work for the runs in a folder."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(Path(word).name == PROGRAM for word in words[:2]) and any(
            word.startswith(f"{place.resolve()}{os.sep}") for word in words
        ):
            found.append(process)
    return found


@contextmanager
def _docker_client(scene: Scene) -> Iterator:
    """A client of the scene's Docker engine; None where it needs none."""
    if not scene.image:
        yield None
        return
    import docker

    host = scene.env.get("DOCKER_HOST")
    with closing(docker.DockerClient(base_url=host) if host else docker.from_env()) as client:
        yield client


def _containers(client, scene: Scene) -> list:
    """The scene's containers, running or not."""
    if client is None:
        return []
    filters = {"label": ROLE_LABEL, "ancestor": scene.image}
    return client.containers.list(all=True, filters=filters, ignore_removed=True)


def _list_files(place: Path) -> frozenset[str]:
    """All that lies in a folder, by name; but what SQLite has beside its file is no matter."""
    names = (path.relative_to(place).as_posix() for path in place.rglob("*"))
    return frozenset(name for name in names if not name.endswith(("-wal", "-shm")))
