"""The finder that an option names."""

from __future__ import annotations

from pathlib import Path

from aufer.errors import EnvironmentFailure, UsageError
from aufer.fetchable import FETCHABLE, fetched_path
from aufer.live.finding.finder import Finder

FINDERS = ("haar", "yunet", "whole")


def make_finder(
    name: str,
    *,
    yunet: Path | None = None,
    min_face: int = 30,
    every_frame_anew: bool = False,
) -> Finder:
    """Open a finder.

    Args:
        name: one of `FINDERS`. yunet: the network's file; None: the one that was fetched.
        min_face: pixels of the frame. every_frame_anew: a frame does not follow from the last one.

    Raises:
        UsageError: no such finder or file. EnvironmentFailure: OpenCV has no cascade; YuNet was
            not fetched. DataError: the file is no such network.
    """
    if name == "whole":
        from aufer.live.finding.whole import WholeFrame

        return WholeFrame()
    if name == "yunet":
        from aufer.live.finding.yunet import YunetFinder

        path = yunet or fetched_path(FETCHABLE["yunet"])
        if yunet is None and not path.is_file():
            raise EnvironmentFailure(
                f"YuNet's network is not here yet ({path}).", hint="aufer models fetch yunet"
            )
        return YunetFinder(path, min_face=min_face)
    if name == "haar":
        from aufer.live.finding.haar import HaarFinder

        every = {"look_everywhere_every": 1} if every_frame_anew else {}
        return HaarFinder(min_face=min_face, **every)
    raise UsageError(
        f"There is no face detector '{name}'.", hint=f"aufer live --detector {FINDERS[0]}"
    )
