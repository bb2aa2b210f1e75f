"""200 runs of `aufer extract` of which something is killed at a random moment.

    python benchmarks/chaos.py [--kills 200] [--seed 0] [--quick]

Killed are, in turn: aufer and OpenFace's process with a local OpenFace; the same, the container,
and the Docker engine itself (one that is started for this) with Docker. Each run is then resumed:
its table must equal the undisturbed one byte for byte, no image may be called crashed that isn't,
and no process, container or temporary file may be left.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import docker_engine, own_docker
from tests.chaos import ENGINE, VICTIMS, Missed, Scene, disturb, set_scene

QUICK_KILLS = 12


def set_scenes(folder: Path, stack: ExitStack) -> dict[tuple[str, str], Scene]:
    """(engine, victim) -> where it is killed; what can't be had here is said and left out."""
    words = ["--engine", "local", "--openface", str(docker_engine.STAND_IN)]
    local = set_scene(folder / "local", words)
    scenes = {("local", victim): local for victim in VICTIMS["local"]}
    reason = docker_engine.engine_reason() or docker_engine.busybox_reason()
    if reason:
        print(f"passed over, with Docker: {reason}")
    else:
        image = f"aufer-stand-in:chaos-{os.getpid()}"
        docker_engine.import_stand_in_image(image)
        stack.callback(remove_image, image)
        words = ["--engine", "docker", "--image", image]
        shared = set_scene(folder / "docker", words, image=image)
        scenes |= {("docker", victim): shared for victim in VICTIMS["docker"] if victim != ENGINE}
    reason = own_docker.reason()
    if reason:
        print(f"passed over, the Docker engine itself: {reason}")
    else:
        engine = stack.enter_context(own_docker.OwnDocker())
        image = own_docker.IMAGE
        words = ["--engine", "docker", "--image", image]
        scenes["docker", ENGINE] = set_scene(folder / "own", words, image=image, own_docker=engine)
    return scenes


def remove_image(name: str) -> None:
    """Remove an image from the usual Docker engine."""
    import docker

    with closing(docker.from_env()) as client:
        client.images.remove(name, force=True)


def main() -> int:
    """Kill and resume; 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first kill")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_KILLS} kills")
    options = parser.parse_args()
    n_kills = QUICK_KILLS if options.quick else options.kills
    struck: Counter[str] = Counter()
    resumed: Counter[int] = Counter()
    bad: list[str] = []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="aufer-chaos-") as folder, ExitStack() as stack:
        scenes = set_scenes(Path(folder), stack)
        for number in range(n_kills):
            engine, victim = list(scenes)[number % len(scenes)]
            seed = options.seed + number
            try:
                disturbed = disturb(scenes[engine, victim], victim, seed)
            except Missed as error:
                bad.append(str(error))
                print(f"MISSED {error}", flush=True)
                continue
            struck[f"{victim} ({engine})"] += 1
            resumed[len(disturbed.codes) - 1] += 1
            if disturbed.faults:
                bad.append(str(disturbed))
                print(f"WRONG {engine}, {victim}, {disturbed}", flush=True)
            if (number + 1) % 5 == 0:
                print(f"{number + 1} of {n_kills} kills, {len(bad)} wrong", flush=True)
    for what, n in sorted(struck.items()):
        print(f"killed {what}: {n}")
    for n_resumes, n in sorted(resumed.items()):
        print(f"resumed {n_resumes} times: {n}")
    took_s = time.perf_counter() - started
    print(
        f"{n_kills} kills in {took_s:.0f} s, "
        + (f"{len(bad)} NOT AS THEY SHOULD BE" if bad else "all tables as undisturbed: met")
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
