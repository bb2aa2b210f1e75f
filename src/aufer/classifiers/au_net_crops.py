"""The crops that an AU network is trained on: cut anew at each step, moved and changed at random.

What a step gets depends on the seed, the stage and the step's number alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from aufer.au_net.aligning import moved, similarities
from aufer.au_net.format import FLIP
from aufer.au_net.shape import align_reference, aus_reference
from aufer.classifiers.au_net_faces import SIDE, FaceSet, kept_reference
from aufer.classifiers.au_net_recipe import ALIGN, AuNetRecipe
from aufer.classifiers.au_net_spoilt import BAD_KINDS, spoil
from aufer.pictures.opencv import opencv

UNITS = 10
"""Landmarks off the reference are told in this part of the crop's side: about 1 then."""

_AHEAD = 4

Batch = tuple[np.ndarray, ...]
"""Of the align network: pixels float32 [n, side, side, 1], landmarks [n, 136]; of the AU network
also AUs [n, 17], confidence [n, 1] (1 good, 0 bad)."""


@dataclass(frozen=True)
class Jitter:
    """How far crops are from the place that the landmarks say.

    Attributes:
        scale: deviation of the logarithm. shift: deviation, in sides. turn: deviation, degrees.
    """

    scale: float = 0.0
    shift: float = 0.0
    turn: float = 0.0


NONE = Jitter()
STRONG = Jitter(0.15, 0.07, 18)
"""As boxes of faces are, and more."""
SLIGHT = Jitter(0.05, 0.02, 5)
"""As the align network leaves it after its first pass."""
ALIGNED = Jitter(0.03, 0.015, 2.5)
"""As the align network leaves it."""
_STRONG_SHARE = 0.6


class Crops:
    """Cuts crops for one of the networks.

    Attributes:
        reference: where the mean shape lies in a crop, float32 [68, 2]. side: pixels.
    """

    def __init__(self, faces: FaceSet, recipe: AuNetRecipe, stage: int, seed: int) -> None:
        self._faces, self._recipe, self._stage, self._seed = faces, recipe, stage, seed
        sizes = recipe.sizes
        self.side = sizes.align_side if stage == ALIGN else sizes.aus_side
        reference = align_reference if stage == ALIGN else aus_reference
        self.reference = reference(faces.shape, self.side)
        self._transform = similarities(kept_reference(faces.shape)[None], self.reference)[0]
        self._middle = self.reference.mean(axis=0)

    def batches(self, rows: np.ndarray, first: int, last: int) -> Iterator[Batch]:
        """The batches of the steps from ``first`` to before ``last``, made ahead in threads.

        Args:
            rows: positions of the faces to learn from.
        """
        weights = np.where(self._faces.is_small[rows], 1.0, self._recipe.good_weight)
        weights /= weights.sum()

        def make(step: int) -> Batch:
            rng = np.random.default_rng([self._seed, self._stage, step])
            return self.batch(rng.choice(rows, self._recipe.batch_size, p=weights), rng)

        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(2, "batches") as pool:
            try:
                for step in range(first, last + _AHEAD):
                    if step < last:
                        waiting.append(pool.submit(make, step))
                    if step >= first + _AHEAD and waiting:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def batch(self, rows: np.ndarray, rng: np.random.Generator) -> Batch:
        """Changed crops of some faces."""
        pixels, landmarks, good = self._empty(len(rows))
        for number, row in enumerate(rows.tolist()):
            crop, jitter = self._faces.crops[row], ALIGNED
            if self._stage == ALIGN:
                jitter = STRONG if rng.random() < _STRONG_SHARE else SLIGHT
            elif rng.random() < self._recipe.bad_share:
                crop, off = spoil(crop, self._faces.landmarks[row], rng)
                jitter, good[number] = Jitter(*off), 0
            if not self._faces.is_small[row] and rng.random() < 0.5:
                crop = _coarsen(crop, rng)
            found = self._cut(crop, self._faces.landmarks[row], jitter, rng, changed=True)
            pixels[number, :, :, 0], landmarks[number] = found
        return self._told(rows, pixels, landmarks, good)

    def plain(self, rows: np.ndarray, jitter: Jitter = NONE) -> Batch:
        """Unchanged crops; jittered, they always are alike."""
        rng = np.random.default_rng([self._seed, 2])
        pixels, landmarks, good = self._empty(len(rows))
        for number, row in enumerate(rows.tolist()):
            face = self._faces.crops[row], self._faces.landmarks[row]
            found = self._cut(*face, jitter, rng, changed=False)
            pixels[number, :, :, 0], landmarks[number] = found
        return self._told(rows, pixels, landmarks, good)

    def _empty(self, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pixels = np.empty((n, self.side, self.side, 1), dtype=np.float32)
        return pixels, np.empty((n, 136), np.float32), np.ones((n, 1), np.float32)

    def _told(self, rows: np.ndarray, pixels: Any, landmarks: Any, good: Any) -> Batch:
        if self._stage == ALIGN:
            return pixels, landmarks
        return pixels, landmarks, self._faces.aus[rows], good

    def _cut(
        self,
        crop: np.ndarray,
        points: np.ndarray,
        jitter: Jitter,
        rng: np.random.Generator,
        *,
        changed: bool,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Grey values [side, side], and the landmarks as the network is to tell them, [136]."""
        cv2 = opencv()
        scale, angle = np.exp(rng.normal(0, jitter.scale)), np.radians(rng.normal(0, jitter.turn))
        turn = scale * np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=np.float64
        )
        shift = turn @ (self._transform[:, 2] - self._middle) + self._middle
        shift = shift + rng.normal(0, jitter.shift, 2) * self.side
        transform = np.c_[turn @ self._transform[:, :2], shift]
        grey: np.ndarray = cv2.warpAffine(
            crop,
            transform,
            (self.side, self.side),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        there = moved(points[None], transform[None])[0]
        if changed and rng.random() < 0.5:
            grey = grey[:, ::-1]
            there = there[list(FLIP)]
            there[:, 0] = self.side - 1 - there[:, 0]
        values = grey.astype(np.float32)
        if changed:
            values = _relight(values, rng)
        off = (there - self.reference) / self.side * UNITS
        return values, off.ravel().astype(np.float32)


def _coarsen(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As a face far from its camera."""
    cv2 = opencv()
    share = rng.uniform(0.3, 1)
    small = cv2.resize(crop, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    coarse: np.ndarray = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return coarse


def _relight(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another contrast and brightness; some blurred, noisy, or with a patch laid over."""
    cv2, side = opencv(), len(values)
    values = (values - 128) * np.exp(rng.normal(0, 0.25)) + 128 + rng.normal(0, 25)
    if rng.random() < 0.3:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.3:
        values = values + rng.normal(0, rng.uniform(1, 8), values.shape)
    if rng.random() < 0.15:
        height, width = rng.integers(side // 10, side // 4, 2)
        top, left = rng.integers(0, side - height), rng.integers(0, side - width)
        values[top : top + height, left : left + width] = rng.uniform(0, 255)
    return np.clip(values, 0, 255).astype(np.float32)


def facts() -> dict[str, str]:
    """How crops are changed, in words."""
    return {
        "moved": f"align: deviations {STRONG} or {SLIGHT}; AUs: {ALIGNED}",
        "changed": "mirrored, coarser, contrast, brightness, blur, noise, a patch",
        "bad": ", ".join(BAD_KINDS),
    }


Report = Callable[[int, int], None]
"""Told of the number of a step, from 1, and of their number."""
