"""The saliency map: occlusion, against models whose reasons are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from aufer.emotions import Emotions
from aufer.errors import UsageError
from aufer.explaining.saliency import overlay, patches_of, probability_lost, saliency_map
from aufer.image_input import ImageInput
from aufer.plots import BLUE, ORANGE


@dataclass
class Looks:
    """A model that finds "happy" in the brightness of its lower half, and doubts the upper half.

    Attributes:
        upper, lower: how much a half's mean brightness (0-1) adds to the probability.
    """

    image_input: ImageInput | None
    upper: float = 0.0
    lower: float = 0.8
    name: str = "looks"
    path: Path = Path()
    asked: int = 0

    @property
    def emotions(self) -> Emotions:
        return Emotions(("sad", "happy"))

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        self.asked += len(values)
        middle = values.shape[1] // 2
        up, down = (values[:, half].mean(axis=(1, 2, 3)) / 255 for half in (
            slice(None, middle), slice(middle, None)
        ))  # fmt: skip
        p = np.clip(0.1 + self.upper * up + self.lower * down, 0, 1)
        return np.column_stack([1 - p, p]).astype(np.float32)


def picture(height: int = 40, width: int = 30, channels: int = 1) -> np.ndarray:
    """Dark above, bright below."""
    pixels = np.full((height, width, channels), 40, dtype=np.uint8)
    pixels[height // 2 :] = 220
    return pixels


def test_it_points_at_what_the_model_looks_at() -> None:
    model = Looks(ImageInput(30, 40))
    lost = probability_lost(model, picture(), 1)
    found = saliency_map(lost)
    assert found == pytest.approx(lost / lost.max())
    assert found.shape == (40, 30)
    assert found.dtype == np.float64
    assert found.max() == 1
    assert found[25:].min() > 0
    # above no patch reaches the lower half
    assert np.abs(found[:10]).max() < 1e-6
    assert model.asked == 1 + len(patches_of(40, 30))


def test_the_sign_is_kept() -> None:
    # the upper half, covered with the mean grey, gets brighter, and that would add to it
    found = saliency_map(
        probability_lost(Looks(ImageInput(30, 40), upper=0.5, lower=0.0), picture(), 1)
    )
    assert found[:10].max() < 0
    assert found.min() == -1
    # what speaks against one emotion speaks for the other of two
    other = saliency_map(
        probability_lost(Looks(ImageInput(30, 40), upper=0.5, lower=0.0), picture(), 0)
    )
    assert other == pytest.approx(-found, abs=1e-5)


def test_it_is_the_mean_over_the_patches_by_brute_force() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (12, 10, 3)).astype(np.uint8)
    weights = random.normal(0, 1e-5, (12, 10, 3))

    class Linear(Looks):
        def predict_proba(self, values: np.ndarray) -> np.ndarray:
            p = 0.5 + (values * weights).sum(axis=(1, 2, 3))
            return np.column_stack([1 - p, p])

    found = saliency_map(probability_lost(Linear(ImageInput(10, 12, 3)), pixels, 1))
    difference = ((pixels - pixels.mean(axis=(0, 1))) * weights).sum(axis=2)
    expected = np.zeros((12, 10))
    for row, column in np.ndindex(12, 10):
        covering = [
            difference[rows, columns].sum()
            for rows, columns in patches_of(12, 10)
            if rows.start <= row < rows.stop and columns.start <= column < columns.stop
        ]
        expected[row, column] = np.mean(covering)
    assert found == pytest.approx(expected / np.abs(expected).max(), abs=1e-4)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (224, 224), (7, 3), (1, 1), (64, 40)])
def test_the_patches_cover_the_picture(height: int, width: int) -> None:
    covered = np.zeros((height, width))
    patches = patches_of(height, width)
    for rows, columns in patches:
        assert rows.stop <= height
        assert columns.stop <= width
        covered[rows, columns] += 1
    assert covered.min() >= 1
    assert len(patches) <= 500
    sides = {(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in patches}
    assert len(sides) == 1


def test_a_model_that_sees_nothing_gives_zeros() -> None:
    found = saliency_map(probability_lost(Looks(ImageInput(30, 40), lower=0.0), picture(), 1))
    assert not found.any()


def test_the_overlay_is_orange_for_and_blue_against() -> None:
    def colours(text: str) -> np.ndarray:
        return np.array([int(text[at : at + 2], 16) for at in (1, 3, 5)])

    pixels = np.full((2, 3, 1), 100, dtype=np.uint8)
    mixed = overlay(pixels, np.array([[1.0, 0.0, -1.0], [0.5, 0.0, -0.5]]))
    assert mixed.shape == (2, 3, 3)
    assert mixed.dtype == np.uint8
    assert (mixed[:, 1] == 100).all()
    for column, colour in ((0, ORANGE), (2, BLUE)):
        full, half = (mixed[row, column].astype(float) for row in (0, 1))
        assert full == pytest.approx(0.35 * 100 + 0.65 * colours(colour), abs=1)
        assert half == pytest.approx((full + 100) / 2, abs=1)
    rgb = np.dstack([np.full((2, 3), v) for v in (0, 100, 200)]).astype(np.uint8)
    assert (overlay(rgb, np.zeros((2, 3))) == 100).all()


def test_what_can_not_be_is_refused() -> None:
    model = Looks(ImageInput(30, 40))
    with pytest.raises(UsageError, match=r"pictures of the shape \(40, 30, 1\)"):
        saliency_map(probability_lost(model, picture(30, 40), 1))
    with pytest.raises(UsageError, match="no emotion number 2"):
        saliency_map(probability_lost(model, picture(), 2))
    with pytest.raises(UsageError, match="takes AUs"):
        probability_lost(Looks(None), picture(), 1)
