"""The picture of a face's reasons: the face, and beside it what each AU contributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aufer.explaining.face_picture import CONTOURS, FacePicture, cut_face, shrink
from aufer.explaining.language import DEFAULT, LANGUAGES, Language
from aufer.explaining.saliency import overlay
from aufer.explaining.text import chance, digits_of, signed
from aufer.plots import BLUE, GREY, INK, ORANGE, PAGE_WIDTH, new_figure, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

FONTS: dict[str, tuple[str, ...]] = {
    "ko": (
        "Noto Sans CJK KR",
        "Noto Sans KR",
        "Malgun Gothic",
        "Apple SD Gothic Neo",
        "AppleGothic",
        "NanumGothic",
        "NanumBarunGothic",
        "UnDotum",
        "Baekmuk Dotum",
        "Noto Sans CJK JP",
    )
}
"""Fonts that have a language's letters, beyond those that matplotlib brings."""

_BAR_HEIGHT = 0.215
"""Inches."""


def figure_language(say: Language) -> tuple[Language, str | None]:
    """The language of the pictures, and a font for it: English where this machine has none."""
    wanted = FONTS.get(say.code)
    if wanted is None:
        return say, None
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    font = next((name for name in wanted if name in there), None)
    return (say, font) if font else (LANGUAGES[DEFAULT], None)


def draw_face(
    say: Language, face: dict[str, Any], picture: FacePicture, font: str | None
) -> Figure:
    """The reasons of one face.

    Args:
        say, font: as `figure_language` gives them. Until the figure is written its font stands in
            matplotlib's settings: use a ``matplotlib.rc_context``.
    """
    if picture.saliency is not None and picture.pixels is not None:
        return _draw_saliency(say, face, picture.pixels, picture.saliency, font)
    counts = [max(1, len(face["reasons"][name]["shares"])) for name in face["shown"]]
    heights = [0.75 + _BAR_HEIGHT * count for count in counts]
    figure = _new_figure(PAGE_WIDTH, max(2.9, sum(heights)), font)
    pixels = picture.read()
    if pixels is None and picture.landmarks is None:
        right: Figure | SubFigure = figure
    else:
        parts: Any = figure.subfigures(1, 2, width_ratios=[1, 2.1])
        right = parts[1]
        _draw_picture(parts[0].subplots(), pixels, picture)
    panels = right.subplots(len(counts), 1, squeeze=False, height_ratios=heights)
    for axes, emotion in zip(panels[:, 0], face["shown"], strict=True):
        _draw_bars(axes, say, face["reasons"][emotion]["shares"], emotion)
    return figure


def _new_figure(width: float, height: float, font: str | None) -> Figure:
    figure = new_figure(width, height)
    if font is not None:
        import matplotlib as mpl

        mpl.rcParams["font.family"] = ["DejaVu Sans", font]  # each letter by the first that has it
    return figure


def _draw_picture(axes: Axes, pixels: np.ndarray | None, picture: FacePicture) -> None:
    """The face with its landmarks, or one of them; a box where there is no more."""
    axes.set_axis_off()
    axes.set_aspect("equal")
    frame = picture.frame()
    if pixels is None:
        assert picture.landmarks is not None, "one of them is there"
        _draw_landmarks(axes, picture.landmarks, INK)
        axes.invert_yaxis()
        return
    if frame is None or not picture.fits(pixels):
        _show(axes, shrink(pixels)[0])
        return
    cut, x0, y0, factor = cut_face(pixels, frame)
    _show(axes, cut)
    if picture.landmarks is not None:
        points = (picture.landmarks - (x0, y0)) / factor
        _draw_landmarks(axes, points, BLUE)
    else:
        from matplotlib.patches import Rectangle

        x, y, width, height = np.array(frame) / factor
        corner = (x - x0 / factor, y - y0 / factor)
        axes.add_patch(Rectangle(corner, width, height, fill=False, ec=BLUE, lw=1.5))


def _show(axes: Axes, pixels: np.ndarray) -> None:
    grey = {"cmap": "gray", "vmin": 0, "vmax": 255}
    axes.imshow(pixels.squeeze(), **(grey if pixels.squeeze().ndim == 2 else {}))  # type: ignore[arg-type]


def _draw_landmarks(axes: Axes, points: np.ndarray, colour: str) -> None:
    for contour in CONTOURS:
        line = points[list(contour)]
        axes.plot(line[:, 0], line[:, 1], color="white", lw=2.4, solid_capstyle="round")
        axes.plot(line[:, 0], line[:, 1], color=colour, lw=1.1, marker=".", ms=2.5)


def _draw_bars(axes: Axes, say: Language, shares: list[dict[str, Any]], emotion: str) -> None:
    """Orange to the right with a plus, blue and hatched to the left with a minus."""
    values = np.array([share["share"] for share in shares])
    rows = np.arange(len(shares))
    towards = values >= 0
    axes.barh(rows[towards], values[towards], color=ORANGE, height=0.7)
    axes.barh(
        rows[~towards], values[~towards], color=BLUE, height=0.7, hatch="////", edgecolor="white"
    )
    digits = digits_of(shares)
    for row, share in zip(rows.tolist(), shares, strict=True):
        end, error = share["share"], share["error"] or 0.0
        if share["error"] is not None:
            axes.errorbar(end, row, xerr=error, color=INK, lw=0.8, capsize=2)
        left = end < 0
        axes.annotate(
            signed(end, digits), (end - error if left else end + error, row),
            xytext=(-3 if left else 3, 0), textcoords="offset points",
            ha="right" if left else "left", va="center", fontsize=8,
        )  # fmt: skip
    labels = [f"{say.au(share['au'])}  {share['value']:.3g}" for share in shares]
    axes.set_yticks(rows, labels)
    axes.invert_yaxis()
    axes.axvline(0, color=INK, lw=1)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    room = 0.2 * ((high - low) or 1.0)
    axes.set_xlim(low - (room if low < 0 else room / 10), high + room)
    axes.locator_params(axis="x", nbins=5)
    axes.set_title(say("answer_axis", emotion=say.emotion(emotion)), fontsize=10, loc="left")
    quiet(axes, "x")
    axes.spines["left"].set_visible(False)
    if not shares:
        axes.annotate(say("is_baseline"), (0.02, 0.5), xycoords="axes fraction", color=GREY)


def _draw_saliency(
    say: Language,
    face: dict[str, Any],
    pixels: np.ndarray,
    saliency: np.ndarray,
    font: str | None,
) -> Figure:
    """The picture as a model takes it, and the same with where it looked."""
    figure = _new_figure(0.8 * PAGE_WIDTH, 0.44 * PAGE_WIDTH, font)
    plain, looked = figure.subplots(1, 2)
    for axes, shown in ((plain, pixels), (looked, overlay(pixels, saliency))):
        _show(axes, shown)
        axes.set_axis_off()
    share = chance(face["probabilities"][face["answer"]])
    looked.set_title(f"{say.emotion(face['answer'])} {share}", fontsize=10)
    return figure
