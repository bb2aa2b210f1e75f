"""The files of `aufer.au_net.program`: pictures in, and out what FaceLandmarkImg would write."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aufer.action_units import DECIMALS, INTENSITY_COLUMNS
from aufer.au_net.format import MEASURED_BY, N_LANDMARKS
from aufer.au_net.network import Measured
from aufer.pictures.opencv import opencv

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")
"""In lower case, as FaceLandmarkImg has it; all else is passed over."""

COLUMNS = (
    "face",
    "confidence",
    *(f"{axis}_{number}" for axis in "xy" for number in range(N_LANDMARKS)),
    *INTENSITY_COLUMNS,
)
"""Of the CSV. There is no pose, for want of a face in three dimensions, and no presence."""

_HEADER = ",".join(COLUMNS)
_FORMAT = ",".join(["%d", "%.3f", *["%.1f"] * 2 * N_LANDMARKS, *[f"%.{DECIMALS}f"] * 17])


def find_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of their names; folders inside are not entered.

    Raises:
        OSError: it can't be listed.
    """
    return sorted(
        (path for path in folder.iterdir() if path.name.endswith(ENDINGS)),
        key=lambda path: path.name.encode("utf-8", "surrogateescape"),
    )


def read_grey(path: Path) -> np.ndarray | None:
    """A picture's pixels, uint8 [h, w], upright; None where it can't be opened."""
    cv2 = opencv()
    try:
        data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        if not len(data):
            return None
        grey: np.ndarray | None = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    except (OSError, MemoryError, cv2.error):
        return None
    return grey


def write_results(
    path: Path, output: Path, size: tuple[int, int], measured: Measured | None, *, annotated: bool
) -> None:
    """Write what there is to say of one picture: its details first, its CSV if it has a face.

    Args:
        path: the picture. output: the folder. size: width and height in pixels.
        measured: its faces; None or empty for none. annotated: ``<stem>.jpg`` is wanted too.

    Raises:
        OSError: the disk is full, or nothing may be written there.
    """
    has_face = measured is not None and len(measured.confidence) > 0
    csv = output / f"{path.stem}.csv"
    details = _details(path, size, csv.name if has_face else "", annotated)
    if annotated and has_face and measured is not None:
        _draw(path, output / f"{path.stem}.jpg", measured.landmarks)
    (output / f"{path.stem}_of_details.txt").write_text(details, encoding="utf-8", newline="\n")
    if has_face and measured is not None:
        csv.write_text(_csv(measured), encoding="ascii", newline="\n")


def _details(path: Path, size: tuple[int, int], csv: str, annotated: bool) -> str:
    width, height = size
    focal = (500 * width / 640 + 500 * height / 480) / 2
    lines = [
        f"Input:{path.name}",
        f"Input full path:{path}",
        f"Camera parameters:{focal:g},{focal:g},{width / 2:g},{height / 2:g}",
    ]
    if csv:
        lines += [f"Output csv:{csv}", "Gaze: 0", "AUs: 1", "Landmarks 2D: 1", "Landmarks 3D: 0"]
        lines += ["Pose: 0", "Shape parameters: 0"]
        if annotated:
            lines.append(f"Output image:{path.stem}.jpg")
    return "\n".join([*lines, MEASURED_BY]) + "\n"


def _csv(measured: Measured) -> str:
    # x_0 … x_67, y_0 … y_67
    points = measured.landmarks.transpose(0, 2, 1).reshape(len(measured.landmarks), -1)
    rows = [
        _FORMAT % (face, confidence, *place, *aus)
        for face, (confidence, place, aus) in enumerate(
            zip(measured.confidence.tolist(), points.tolist(), measured.aus.tolist(), strict=True)
        )
    ]
    return "\n".join([_HEADER, *rows]) + "\n"


def _draw(path: Path, target: Path, landmarks: np.ndarray) -> None:
    """The picture with its landmarks drawn in."""
    cv2 = opencv()
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    radius = max(1, round(max(np.ptp(landmarks[:, :, 0], axis=1)) / 90))
    for x, y in landmarks.reshape(-1, 2).round().astype(int).tolist():
        cv2.circle(pixels, (x, y), radius, (0, 0, 255), -1, cv2.LINE_AA)
    target.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
