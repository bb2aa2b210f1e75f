"""OpenFace's licence, told once to each user before its Docker image is first pulled."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

LICENCE_URL = "https://github.com/TadasBaltrusaitis/OpenFace/blob/master/OpenFace-license.txt"

NOTICE = f"""\
OpenFace is not part of aufer, which never redistributes it: its image is now fetched from where
it is published. Its licence allows academic and other non-commercial research only; commercial
use needs a licence from its authors. Its parts (CE-CLM, dlib, OpenCV and others) have terms of
their own. Read them before you use its measurements:
{LICENCE_URL}
(This notice is shown once.)"""


def _seen_file() -> Path:
    from platformdirs import user_state_path

    return user_state_path("aufer") / "openface-licence-notice"


def show_licence_notice() -> bool:
    """Tell the licence on stderr if this user has not been told; returns whether it was told now.

    It is told however quiet the command was asked to be. Where the fact can't be remembered (no
    home, read-only), it is told again next time.
    """
    seen = _seen_file()
    if seen.exists():
        return False
    sys.stderr.write(NOTICE + "\n")
    sys.stderr.flush()
    with suppress(OSError):
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.write_text("shown\n", encoding="utf-8")
    return True
