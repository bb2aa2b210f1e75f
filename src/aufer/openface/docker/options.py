"""What is asked of a Docker engine, or one like it, for one run of OpenFace."""

from __future__ import annotations

import os
import shlex
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aufer.openface.engine import this_host

BINARY = "/home/openface-build/build/bin/FaceLandmarkImg"
"""Where the published image has the program; its models lie beside it."""

ENTRYPOINT = ["/bin/sh", "-c", '"$0" "$@"; exit $?', BINARY]
"""A shell is the container's first process: the first one's own abort would not give 134."""

INPUT, OUTPUT = "/aufer/input", "/aufer/output"

ROLE_LABEL, RUN_LABEL = "org.aufer.role", "org.aufer.run"
HOST_LABEL, PID_LABEL = "org.aufer.host", "org.aufer.pid"
ROLE = "extract"

NOBODY = "65534:65534"
"""Runs OpenFace where no folders are shared; one of the ids that a user's own engine has too."""


def build_options(
    image_id: str,
    command: Sequence[str],
    input_folder: Path,
    output_folder: Path,
    *,
    security: Sequence[str] = (),
    memory_bytes: int = 0,
) -> dict[str, Any]:
    """The options of `docker.models.containers.ContainerCollection.create`.

    No network, the input read-only, everything as the user who calls; labels tell whose it is.

    Args:
        security: what the engine says of itself (``SecurityOptions``).
        memory_bytes: limit, without swap; 0 for none.
    """
    from docker.types import LogConfig, Mount

    run_id = uuid.uuid4().hex[:12]
    options: dict[str, Any] = {
        "image": image_id,
        "name": f"aufer-{run_id}",
        "entrypoint": ENTRYPOINT,
        "command": list(command),
        "working_dir": BINARY.rpartition("/")[0],
        "mounts": [
            Mount(INPUT, str(input_folder.resolve()), type="bind", read_only=True),
            Mount(OUTPUT, str(output_folder.resolve()), type="bind"),
        ],
        "network_mode": "none",
        "labels": {
            ROLE_LABEL: ROLE,
            RUN_LABEL: run_id,
            HOST_LABEL: this_host(),
            PID_LABEL: str(os.getpid()),
        },
        # the engine's default log driver may be one that can't be read back
        "log_config": LogConfig(type="json-file", config={"max-size": "10m", "max-file": "1"}),
    }
    # root in a rootless engine is its user; elsewhere the files would be root's
    if sys.platform == "linux" and not _has(security, "rootless"):
        options["user"] = f"{os.getuid()}:{os.getgid()}"
    if _has(security, "userns"):
        options["userns_mode"] = "host"
    if _has(security, "selinux"):  # else the container may not read the folders
        options["security_opt"] = ["label=disable"]
    if memory_bytes:
        options["mem_limit"] = options["memswap_limit"] = memory_bytes  # equal: no swap
    return options


def _has(security: Sequence[str], name: str) -> bool:
    return any(f"name={name}" in item for item in security)


def unshared(options: dict[str, Any], security: Sequence[str]) -> dict[str, Any]:
    """The options of a container that gets its files copied: nothing of the host is in it."""
    dropped = ("mounts", "user", "userns_mode", "security_opt")
    kept = {name: value for name, value in options.items() if name not in dropped}
    return kept if _has(security, "rootless") else {**kept, "user": NOBODY}


def as_command(options: dict[str, Any], folders: Mapping[str, Path]) -> str:
    """The equivalent ``docker run``, for messages and logs.

    Args:
        folders: what stands for the folders in the container, where they are shared.
    """
    words = ["docker", "run", "--rm", "--network", "none", "-w", options["working_dir"]]
    for name, option in (
        ("user", "--user"),
        ("mem_limit", "--memory"),
        ("memswap_limit", "--memory-swap"),
        ("userns_mode", "--userns"),
        ("platform", "--platform"),
    ):
        if name in options:
            words += [option, str(options[name])]
    for target, source in folders.items():
        read_only = ":ro" if target == next(iter(folders)) else ""
        words += ["-v", f"{source.resolve()}:{target}{read_only}"]
    words += ["--entrypoint", options["entrypoint"][-1], options["image"], *options["command"]]
    remark = "" if "mounts" in options else "  # with copies of the folders, the engine being apart"
    return shlex.join(words) + remark
