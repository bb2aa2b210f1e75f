"""A program of an engine as a process of this machine: started, watched over, and ended wholly."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from aufer.openface.engine import TAIL_BYTES, EngineRun
from aufer.openface.polling import pauses
from aufer.openface.threads import in_thread


class CannotStart(OSError):
    """The system refused to start the program."""


def run_process(
    command: list[str],
    folder: Path | None,
    *,
    on_start: Callable[[str], None],
    on_poll: Callable[[], None],
) -> EngineRun:
    """Run a program in a process group of its own, to its end.

    The program and its children have ended whenever this returns or raises.

    Args:
        command: its words. folder: its working folder; None for ours.
        on_start, on_poll: see `Engine.run`.

    Raises:
        CannotStart: it can't be executed. Whatever ``on_poll`` raises.
    """
    on_start(shlex.join(command))
    # files, not pipes: a pipe that nobody reads stops the program when it is full
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started: list[_Started] = []
        # in a thread: a Ctrl-C in the middle of it must not lose the process
        starting = in_thread(partial(_start, command, folder, out, err, started))
        try:
            try:
                starting.result()
            except OSError as error:
                raise CannotStart(error.errno, error.strerror or str(error)) from error
            for pause_s in pauses():
                try:
                    code = started[0].process.wait(pause_s)
                    break
                except subprocess.TimeoutExpired:
                    on_poll()
        finally:
            wait([starting])
            for each in started:
                _end(each.process)
                _dismiss(each.watchdog)
        code = code if code >= 0 else 128 - code
        return EngineRun(code, _tail(out), _tail(err), shlex.join(command))


@dataclass(frozen=True)
class _Started:
    process: subprocess.Popen[bytes]
    watchdog: subprocess.Popen[bytes] | None


def _start(
    command: list[str],
    folder: Path | None,
    out: IO[bytes],
    err: IO[bytes],
    started: list[_Started],
) -> None:
    """Start the command in a process group of its own, and note it in ``started``."""
    if sys.platform == "win32":
        own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    else:
        own_group = {"start_new_session": True}
    process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **own_group
    )
    started.append(_Started(process, _watch_over(process)))


def _watch_over(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes] | None:
    """Start what ends the process and its children if we are killed, and can't do it ourselves.

    It reads from a pipe that only we hold: that ends without a line when we do. (Linux can tie a
    process to its parent, but not the children of a command prefix, nor a setuid apptainer.) In
    Windows there is no such thing here, and the program goes on to the last of its pictures.
    """
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        return subprocess.Popen(
            ["/bin/sh", "-c", 'read -r line || kill -s KILL -- "-$0"', str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return None


def _dismiss(watchdog: subprocess.Popen[bytes] | None) -> None:
    """Tell the watchdog that all is well, the process having ended."""
    if watchdog is not None:
        with suppress(OSError):  # somebody ended it
            watchdog.communicate(b"\n")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children if it is still running (Ctrl-C, an error of ours)."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False
        )
    else:
        with suppress(ProcessLookupError, PermissionError):  # it ended just now
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _tail(file: IO[bytes]) -> str:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - TAIL_BYTES))
    return file.read().decode("utf-8", errors="replace")
