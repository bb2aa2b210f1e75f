"""Crops without a face as it should be: what the confidence learns to be low for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aufer.pictures.opencv import opencv

_NEAR = (0.03, 0.015, 2.5)
_LOOSE = (0.2, 0.1, 20)
_FAR = (0.05, 0.6, 60)

Off = tuple[float, float, float]
"""How far from its place a crop is then cut: see `au_net_crops.Jitter`."""

_LINES = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36))
_RINGS = ((36, 42), (42, 48), (48, 60), (60, 68))
"""Of the 68 landmarks: jaw, brows, nose; eyes and lips."""


def spoil(
    crop: np.ndarray,
    points: np.ndarray,
    rng: np.random.Generator,
    kinds: tuple[str, ...] | None = None,
) -> tuple[np.ndarray, Off]:
    """Another picture in the place of a face's.

    Args:
        crop: uint8 [side, side]. points: its landmarks, [68, 2]. kinds: of `BAD_KINDS`; None: all.
    """
    names = kinds or BAD_KINDS
    shares = np.array([_SHARES[BAD_KINDS.index(name)] for name in names])
    kind = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    return _KINDS[kind](crop, points, rng)


def _turned(crop: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> _Spoilt:
    quarters = int(rng.choice((1, 2, 3), p=(0.2, 0.6, 0.2)))
    return np.rot90(crop, quarters).copy(), _LOOSE if rng.random() < 0.7 else _NEAR


def _far_off(crop: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> _Spoilt:
    return crop, _FAR


def _noise(crop: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> _Spoilt:
    coarse = rng.integers(0, 255, (int(rng.integers(3, 40)),) * 2).astype(np.uint8)
    resized: np.ndarray = opencv().resize(coarse, crop.shape, interpolation=opencv().INTER_CUBIC)
    return resized, _NEAR


def _cut_apart(crop: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> _Spoilt:
    side = len(crop)
    return np.roll(crop, int(rng.integers(side // 4, 3 * side // 4)), int(rng.integers(2))), _NEAR


def _plain(crop: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> _Spoilt:
    return np.full_like(crop, int(rng.integers(256))), _NEAR


def _edges(crop: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> _Spoilt:
    """The face as a drawing in lines, or in two tones."""
    cv2 = opencv()
    if rng.random() < 0.5:
        low = float(rng.uniform(30, 90))
        lines = cv2.Canny(crop, low, 2 * low)
        if rng.random() < 0.5:
            lines = cv2.dilate(lines, np.ones((2, 2), np.uint8))
        return (255 - lines if rng.random() < 0.7 else lines), _NEAR
    level = float(np.percentile(crop, rng.uniform(30, 70)))
    dark, light = sorted(rng.integers(0, 256, 2).tolist())
    return np.where(crop > level, light, dark).astype(np.uint8), _NEAR


def _drawn(crop: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> _Spoilt:
    """A drawn face: this one's landmarks joined up, or a head of an ellipse, dots and an arc."""
    paper, skin, ink = (int(value) for value in rng.integers(0, 256, 3))
    picture = np.full_like(crop, paper)
    draw = _draw_joined if rng.random() < 0.5 else _draw_simple
    draw(picture, points, (skin, ink, int(rng.integers(1, 5))), rng)
    return picture, _NEAR if rng.random() < 0.5 else _LOOSE


_Pens = tuple[int, int, int]  # grey of skin and ink, thickness of lines


def _draw_joined(
    picture: np.ndarray, points: np.ndarray, pens: _Pens, rng: np.random.Generator
) -> None:
    cv2, (skin, ink, thick) = opencv(), pens
    width = float(np.ptp(points[:, 0]))
    shaken = points + rng.normal(0, rng.uniform(0, 0.02) * width, points.shape)
    if rng.random() < 0.7:
        (x, y), away = shaken.mean(axis=0), (0.55 * width, 0.7 * width)
        centre, axes = (round(x), round(y)), (round(away[0]), round(away[1]))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, skin, -1, cv2.LINE_AA)
    pieces = [(part, False) for part in _LINES] + [(part, True) for part in _RINGS]
    for (first, last), closed in pieces:
        line = shaken[first:last].round().astype(np.int32)
        if closed and rng.random() < 0.4:
            cv2.fillPoly(picture, [line], ink, cv2.LINE_AA)
        else:
            cv2.polylines(picture, [line], closed, ink, thick, cv2.LINE_AA)


def _draw_simple(
    picture: np.ndarray, points: np.ndarray, pens: _Pens, rng: np.random.Generator
) -> None:
    cv2, (skin, ink, thick) = opencv(), pens
    width = float(np.ptp(points[:, 0]))
    eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    middle, mouth = points.mean(axis=0), points[48:60].mean(axis=0)

    def place(point: np.ndarray) -> tuple[int, int]:
        x, y = point + rng.normal(0, 0.03 * width, 2)
        return round(float(x)), round(float(y))

    def sizes(low: float, high: float, flat: float = 1.0) -> tuple[int, int]:
        size = rng.uniform(low, high) * width
        return max(1, round(size)), max(1, round(size * flat * rng.uniform(0.7, 1.3)))

    filled = -1 if rng.random() < 0.7 else thick
    cv2.ellipse(picture, place(middle), sizes(0.5, 0.75, 1.2), 0, 0, 360, skin, filled, cv2.LINE_AA)
    white = int(rng.integers(256))
    eye, iris, brow = sizes(0.05, 0.14), sizes(0.02, 0.06), rng.random() < 0.5
    for each in eyes:
        at = place(each)
        cv2.ellipse(picture, at, eye, 0, 0, 360, white, -1, cv2.LINE_AA)
        cv2.ellipse(picture, at, iris, 0, 0, 360, ink, -1, cv2.LINE_AA)
        if brow:
            above = (at[0], at[1] - eye[1])
            cv2.ellipse(picture, above, eye, 0, 200, 340, ink, thick, cv2.LINE_AA)
    if rng.random() < 0.6:
        top, tip = place(points[27]), place(points[33])
        cv2.line(picture, top, tip, ink, thick, cv2.LINE_AA)
    start, end = (0, 180) if rng.random() < 0.6 else (180, 360)
    is_open = -1 if rng.random() < 0.3 else thick
    cv2.ellipse(
        picture, place(mouth), sizes(0.12, 0.3, 0.5), 0, start, end, ink, is_open, cv2.LINE_AA
    )


_Spoilt = tuple[np.ndarray, Off]
_KINDS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], _Spoilt]] = {
    "turned by quarters": _turned,
    "drawn": _drawn,
    "in lines or two tones": _edges,
    "far off": _far_off,
    "cut apart": _cut_apart,
    "noise": _noise,
    "plain grey": _plain,
}
BAD_KINDS = tuple(_KINDS)
NO_FACE = tuple(kind for kind in BAD_KINDS if kind not in ("far off", "cut apart"))
"""In these there is no face to be found, wherever one looks."""

_SHARES = (0.34, 0.24, 0.08, 0.14, 0.1, 0.06, 0.04)
