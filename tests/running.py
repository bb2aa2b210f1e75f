"""The command line as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """A finished process."""

    code: int
    out: str
    err: str

    def check(self, code: int = 0) -> Ran:
        """The same, after asserting the exit code; what was said is in the failure's message."""
        assert self.code == code, f"exit {self.code}, not {code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err, self.err
        return self


RunAufer = Callable[..., Ran]


def run_aufer(*args: object, cwd: Path, **env: str) -> Ran:
    """Run the command line as users do, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "aufer", *map(str, args)],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=240,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
