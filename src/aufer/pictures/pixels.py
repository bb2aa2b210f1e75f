"""Pictures' pixels as image models take them, each file decoded once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aufer.image_input import CROP, GREY, RGB, ImageInput
from aufer.pictures.decoding import Undecodable, decoded, memory_for, upright_pixels
from aufer.pictures.opencv import opencv

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PICTURES_AT_ONCE = 256
NO_PICTURE = "no picture is at hand"


@dataclass(frozen=True)
class Pixels:
    """The pixels of some of the pictures.

    Attributes:
        start, stop: these are the pictures from ``start`` to before ``stop``.
        rows: positions, among all, of those that could be read, int64 [k].
        of_input: uint8 [k, height, width, channels] by what takes them.
        failures: why the others could not, by position.
    """

    start: int
    stop: int
    rows: np.ndarray
    of_input: dict[ImageInput, np.ndarray]
    failures: dict[int, str]


def read_pixels(
    paths: Sequence[Path | None],
    inputs: Sequence[ImageInput],
    *,
    at_once: int = PICTURES_AT_ONCE,
    threads: int = 2,
    on_step: Callable[[int], None] = lambda n: None,
) -> Iterator[Pixels]:
    """Read pictures, some at a time: memory does not grow with their number. The next ones are read
    while somebody works on these.

    Args:
        paths: None where there is no picture. inputs: what is wanted of each; equal ones once.
        threads: that decode at the same time. on_step: told how many more are read.
    """
    wanted = list(dict.fromkeys(inputs))

    def read(path: Path | None) -> list[np.ndarray] | str:
        return NO_PICTURE if path is None else _read(path, wanted)

    with ThreadPoolExecutor(threads, "pixels") as pool:
        try:
            coming = [pool.submit(read, path) for path in paths[:at_once]]
            for start in range(0, len(paths), at_once):
                found = [each.result() for each in coming]
                stop = start + len(found)
                coming = [pool.submit(read, path) for path in paths[stop : stop + at_once]]
                rows = [n for n, each in enumerate(found) if not isinstance(each, str)]
                good = [each for each in found if not isinstance(each, str)]
                of_input = {
                    input: np.stack([each[k] for each in good])
                    if good
                    else np.zeros((0, *input.shape), dtype=np.uint8)
                    for k, input in enumerate(wanted)
                }
                failures = {start + n: e for n, e in enumerate(found) if isinstance(e, str)}
                yield Pixels(
                    start,
                    stop,
                    start + np.array(rows, dtype=np.int64),
                    of_input,
                    failures,
                )
                on_step(stop - start)
        except BaseException:  # Ctrl-C
            pool.shutdown(cancel_futures=True)
            raise


def read_one(path: Path, input: ImageInput) -> np.ndarray:
    """One picture, uint8 [height, width, channels].

    Raises:
        Undecodable: it is none that can be read.
    """
    found = _read(path, [input])
    if isinstance(found, str):
        raise Undecodable(found)
    return found[0]


def fit_pixels(pixels: np.ndarray, input: ImageInput) -> np.ndarray:
    """A picture as a model takes it: its middle square where the model wants that, the channels,
    the size (means of areas where it shrinks, else linear).

    Args:
        pixels: uint8 [h, w] or [h, w, 1] (grey), or [h, w, 3] (RGB), at least one pixel.

    Returns:
        uint8 [input.height, input.width, input.channels].
    """
    cv2 = opencv()
    if pixels.ndim == 3 and pixels.shape[2] == GREY:
        pixels = pixels[:, :, 0]
    if input.fit == CROP:
        height, width = pixels.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top : top + side, left : left + side]
    if input.channels == GREY and pixels.ndim == 3:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    height, width = pixels.shape[:2]
    if (height, width) != (input.height, input.width):
        shrinks = input.height < height or input.width < width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        size = (input.width, input.height)
        pixels = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=method)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.shape[2] != input.channels:
        pixels = np.repeat(pixels, RGB, axis=2)
    return pixels


def _read(path: Path, inputs: Sequence[ImageInput]) -> list[np.ndarray] | str:
    """The picture for each input, or why it can't be read."""
    try:
        if not path.is_file():  # opening a FIFO would wait for ever
            return "not a regular file" if path.exists() else "there is no such file"
        with path.open("rb") as file, decoded(file) as picture:
            return _fit_each(picture, inputs)
    except Undecodable as error:
        return error.reason
    except OSError as error:
        return f"can't be read: {error.strerror or error}"


def _fit_each(picture: Picture, inputs: Sequence[ImageInput]) -> list[np.ndarray]:
    with memory_for(*picture.size):
        pixels = upright_pixels(picture)
        return [fit_pixels(pixels, input) for input in inputs]
