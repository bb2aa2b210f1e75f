"""``python -m aufer.au_net.program``: the AU network as a program that behaves as FaceLandmarkImg.

It measures a folder of pictures in the order of their names. Its flags, files, messages and exit
codes are as the engines expect them (docs/openface.md), so that all around it is the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

MODULE = "aufer.au_net.program"
NETWORK_FLAG = "-au_net"
"""Names the folder of the network; FaceLandmarkImg has no such flag."""

_WITH_VALUE = ("-fdir", "-out_dir", NETWORK_FLAG)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(words: Sequence[str]) -> int:
    """Run the program.

    Args:
        words: ``-fdir FOLDER -out_dir FOLDER -au_net FOLDER``; ``-tracked`` asks for pictures with
            the landmarks drawn in; other flags change nothing.

    Returns:
        the exit code: 0, or 1 at the first picture that can't be opened, after a line on stdout.
    """
    for name in _THREADS:  # its matrices are small: threads would only hinder other processes
        os.environ.setdefault(name, "1")
    given = {flag: value for flag, value in pairwise(words) if flag in _WITH_VALUE}
    if not set(_WITH_VALUE) <= set(given):
        _say("Could not open any images")
        return 1
    source, output = Path(given["-fdir"]), Path(given["-out_dir"])
    _say(f"Attempting to read from directory: {source}")

    from aufer.au_net.files import find_pictures
    from aufer.au_net.folder import FolderRun
    from aufer.au_net.network import AuNet
    from aufer.errors import AuferError

    try:
        pictures = find_pictures(source)
        if not pictures:
            _say(f"No images found in the directory: {source}\nCould not open any images")
            return 1
        _say("Loading the model")
        network = AuNet(Path(given[NETWORK_FLAG]))
        run = FolderRun(network, output, annotated="-tracked" in words)
    except (AuferError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    _say("Model loaded\nStarting tracking")
    try:
        output.mkdir(parents=True, exist_ok=True)
        return run.measure(pictures, _say)
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201
        _say("The output CSV file is not open, exiting")
        return 1


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
