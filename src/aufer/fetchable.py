"""Models that others publish and that can be fetched: their addresses, and where they lie then."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Fetchable:
    """A file that can be fetched.

    Attributes:
        name: what it is asked for by. file: its name on disk. what: it is, for whom.
        addresses: where it is published, tried in turn. sha256: of its bytes. size: bytes.
        licence: its terms, with where they stand.
    """

    name: str
    file: str
    what: str
    addresses: tuple[str, ...]
    sha256: str
    size: int
    licence: str

    def facts(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return asdict(self) | {"addresses": list(self.addresses)}


# The second repository serves the file from a quota that has been used up before
# (opencv/opencv_zoo, issue 294); the first is its authors' own copy.
FETCHABLE: dict[str, Fetchable] = {
    "yunet": Fetchable(
        name="yunet",
        file="face_detection_yunet_2023mar.onnx",
        what="YuNet, a face detector for aufer live --detector yunet",
        addresses=(
            "https://huggingface.co/opencv/face_detection_yunet/resolve/main/"
            "face_detection_yunet_2023mar.onnx",
            "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
            "face_detection_yunet_2023mar.onnx",
        ),
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        size=232_589,
        licence="MIT, Copyright (c) 2020 Shiqi Yu "
        "(https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet)",
    ),
}
"""What can be fetched, by name."""


def fetched_folder() -> Path:
    """The folder of this user that fetched files lie in; it need not exist yet."""
    from platformdirs import user_data_path

    return user_data_path("aufer", appauthor=False) / "models"


def fetched_path(wanted: Fetchable) -> Path:
    """Where a fetched file lies, whether it is there or not."""
    return fetched_folder() / wanted.file
