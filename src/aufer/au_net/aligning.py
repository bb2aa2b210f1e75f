"""Crops of faces: cutting a face out of its picture, and laying it straight by its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aufer.pictures.opencv import opencv

REGION_PIXELS = 122
"""The square that the first network gets is reduced to so many pixels of a side, if it has more, by
means of areas: the networks were trained on faces of this size, and a crop of less is warped from
it without a break."""

_ROOM = 1.6
"""So many times the square are kept: a face may lie aslant in it, or off its middle."""


@dataclass(frozen=True)
class Region:
    """An upright square in a picture: its middle and its side, in pixels."""

    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Patch:
    """A face with some room about it, cut out and perhaps reduced.

    Attributes:
        grey: uint8 [h, w].
        to_picture: float64 [2, 3], takes (x, y, 1) in the patch to the picture's (x, y).
        region: where the face is roughly, in pixels of the patch.
    """

    grey: np.ndarray
    to_picture: np.ndarray
    region: Region


def cut_patch(grey: np.ndarray, region: Region) -> Patch:
    """Cut a face out of its picture.

    Args:
        grey: uint8 [h, w]. region: where the face is; may reach beyond the picture's edges, but
            its middle lies inside.
    """
    cv2 = opencv()
    height, width = grey.shape
    half = region.side * _ROOM / 2
    left, top = max(0, int(region.x - half)), max(0, int(region.y - half))
    right = min(width, max(left + 1, int(region.x + half) + 1))
    bottom = min(height, max(top + 1, int(region.y + half) + 1))
    cut = grey[top:bottom, left:right]
    scale = min(1.0, REGION_PIXELS / region.side)
    if scale < 1:
        size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
        reduced = cv2.resize(np.ascontiguousarray(cut), size, interpolation=cv2.INTER_AREA)
    else:
        size, reduced = (cut.shape[1], cut.shape[0]), cut.copy()  # the picture itself is let go
    across, down = cut.shape[1] / size[0], cut.shape[0] / size[1]
    # a pixel's middle is a whole number
    to_picture = np.array(
        [[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]], dtype=np.float64
    )
    x = (region.x - to_picture[0, 2]) / across
    y = (region.y - to_picture[1, 2]) / down
    return Patch(reduced, to_picture, Region(x, y, region.side / across))


def upright(region: Region, side: int) -> np.ndarray:
    """The map, float64 [2, 3], that takes a region to a crop of ``side`` pixels."""
    scale = side / region.side
    return np.array(
        [[scale, 0, side / 2 - scale * region.x], [0, scale, side / 2 - scale * region.y]]
    )


def similarities(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The maps of turning, scaling and moving that bring points closest to a reference.

    Args:
        points: [n, k, 2]; not all of a face's at one place. reference: [k, 2].

    Returns:
        float64 [n, 2, 3], by least squares (Procrustes, without reflection).
    """
    points = points.astype(np.float64)
    middle, aim = points.mean(axis=1), reference.astype(np.float64).mean(axis=0)
    a, b = points - middle[:, None], reference - aim
    size = (a**2).sum(axis=(1, 2))
    cosine = (a * b).sum(axis=(1, 2)) / size
    sine = (a[:, :, 0] * b[:, 1] - a[:, :, 1] * b[:, 0]).sum(axis=1) / size
    turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], axis=1)
    move = aim - np.einsum("nij,nj->ni", turn, middle)
    return np.concatenate([turn, move[:, :, None]], axis=2)


def inverse(maps: np.ndarray) -> np.ndarray:
    """The maps [n, 2, 3] that undo these."""
    turn = np.linalg.inv(maps[:, :, :2])
    move = -np.einsum("nij,nj->ni", turn, maps[:, :, 2])
    return np.concatenate([turn, move[:, :, None]], axis=2)


def moved(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Points [n, k, 2] each put through its map [n, 2, 3]."""
    found: np.ndarray = np.einsum("nij,nkj->nki", maps[:, :, :2], points) + maps[:, None, :, 2]
    return found


def crops(patches: list[Patch], maps: np.ndarray, side: int) -> np.ndarray:
    """Each patch put through its map [n, 2, 3] into a square, float32 [n, side, side, 1], 0-255.

    Beyond a patch's edge, its last pixels go on.
    """
    cv2 = opencv()
    found = np.empty((len(patches), side, side, 1), dtype=np.float32)
    for row, (patch, each) in enumerate(zip(patches, maps, strict=True)):
        found[row, :, :, 0] = cv2.warpAffine(
            patch.grey, each, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return found
