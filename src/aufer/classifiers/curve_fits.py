"""The fits of a learning curve: one per size, fold and repeat, several at once if wanted."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context
from typing import Any

import numpy as np

from aufer.classifiers.classifier import INTERRUPTED, Examples
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.fitting import find_kind, fit_calibrated
from aufer.classifiers.recipe import Recipe
from aufer.errors import AuferError, DataError
from aufer.splits import hold_out

MOST_JOBS = 61
"""So many processes can Windows wait for."""

Point = tuple[int, int, int]
"""Size, repeat and fold, the latter two from 0."""


@dataclass(frozen=True)
class CurveFits:
    """All that the fits need.

    Attributes:
        kind, recipe: of the model. seed: repeat and fold are added to it.
        aus, labels: of all rows, float32 [n, 17] and int64 [n]. features, emotions: their names.
        together: [n], equal for rows of one group. of_row: int [repeats, n], the fold of each row.
        rank: int [repeats, folds, n], `sizes.rank_within_emotion` of the rows outside the
            fold, -1 in it.
        sizes: training images per emotion.
    """

    kind: str
    recipe: Recipe
    seed: int
    aus: np.ndarray
    labels: np.ndarray
    features: tuple[str, ...]
    emotions: tuple[str, ...]
    together: np.ndarray
    of_row: np.ndarray
    rank: np.ndarray
    sizes: tuple[int, ...]

    def points(self) -> list[Point]:
        """Every fit that is to be done, the longest first."""
        repeats, folds = self.rank.shape[:2]
        return [
            (size, repeat, fold)
            for size in reversed(self.sizes)
            for repeat in range(repeats)
            for fold in range(folds)
        ]

    def training_rows(self, point: Point) -> np.ndarray:
        """Positions of the images that a fit learns from, ascending."""
        size, repeat, fold = point
        rank = self.rank[repeat, fold]
        return np.flatnonzero((rank >= 0) & (rank < size))

    def fit(self, point: Point, ctrl_c: CtrlC | None = None) -> list[dict[str, Any]]:
        """Fit to a point's images and read the fold held out.

        Returns:
            rows of `figures.CURVE_COLUMNS`, one per emotion that occurs in the dataset.

        Raises:
            DataError: too few images to fit this kind to.
        """
        size, repeat, fold = point
        ctrl_c = ctrl_c or CtrlC()
        rows, held = self.training_rows(point), self.of_row[repeat] == fold
        fitted = fit_calibrated(
            self.kind,
            self._examples(rows, repeat, fold),
            replace(self.recipe, calibrate=False),  # it changes no answer
            self.seed + repeat * self.rank.shape[1] + fold,
            on_epoch=lambda epoch, values: ctrl_c.raise_if_pressed(),
            ctrl_c=ctrl_c,
        )
        if fitted.classifier.stopped == INTERRUPTED:  # a network keeps what it has, and returns
            raise KeyboardInterrupt
        guess = fitted.predict_proba(self.aus[held]).argmax(axis=1)
        truth, learnt = self.labels[held], self.labels[rows]
        return [
            {
                "size": size,
                "repeat": repeat + 1,
                "fold": fold + 1,
                "emotion": self.emotions[label],
                "n_train": int((learnt == label).sum()),
                "n_test": int((truth == label).sum()),
                "correct": int(((truth == label) & (guess == label)).sum()),
                "predicted": int((guess == label).sum()),
            }
            for label in np.unique(self.labels)
        ]

    def _examples(self, rows: np.ndarray, repeat: int, fold: int) -> Examples:
        """The rows, of which kinds with epochs stop by a part: of groups of its own, where there
        are enough of them."""
        examples = Examples(
            self.aus, self.labels, self.features, self.emotions, rows, np.zeros(0, dtype=np.int64)
        )
        if not find_kind(self.kind).has_epochs:
            return examples
        labels, together = self.labels[rows], self.together[rows]
        fewest = int(np.unique(labels, return_counts=True)[1].min())
        # of few images a larger share, so that each emotion has one on either side
        share = max(self.recipe.validation_size, 1 / max(2, fewest))
        seed = self.seed + repeat * self.rank.shape[1] + fold
        try:
            kept, cut = hold_out(labels, together, share, seed, self.emotions)
        except DataError:
            kept, cut = hold_out(labels, None, share, seed, self.emotions)
        if len(np.unique(labels[kept])) < len(np.unique(labels)):
            kept, cut = hold_out(labels, None, share, seed, self.emotions)
        return replace(examples, train=rows[kept], validation=rows[cut])


def run_fits(
    fits: CurveFits, jobs: int = 1, on_fit: Callable[[int], None] = lambda n: None
) -> list[dict[str, Any]]:
    """Do all fits; the result does not depend on how many are done at once.

    Args:
        jobs: processes. on_fit: told 1 after each.

    Returns:
        rows of `figures.CURVE_COLUMNS`, by size, repeat and fold.

    Raises:
        AuferError: a process was killed. KeyboardInterrupt: none is left behind.
    """
    points = fits.points()
    found: dict[Point, list[dict[str, Any]]] = {}
    if jobs == 1 or len(points) == 1:
        with CtrlC() as ctrl_c:
            for point in points:
                found[point] = fits.fit(point, ctrl_c)
                ctrl_c.let_go()
                on_fit(1)
    else:
        with _workers(fits, min(jobs, len(points), MOST_JOBS)) as executor:
            futures = {executor.submit(_work, point): point for point in points}
            for future in as_completed(futures):
                found[futures[future]] = future.result()
                on_fit(1)
    return [row for point in sorted(found) for row in found[point]]


@contextmanager
def _workers(fits: CurveFits, jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that know the fits; whatever happens, none goes on after the context."""
    others = set(active_children())
    executor = ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (fits,))
    try:
        yield executor
    except BrokenProcessPool as error:
        raise AuferError(
            "A process that fitted a model was killed, perhaps for its memory; nothing was "
            "written.",
            hint="fit one at a time: --jobs 1",
        ) from error
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in set(active_children()) - others:
            child.terminate()
        raise
    finally:
        executor.shutdown()


_fits: CurveFits | None = None


def _start_worker(fits: CurveFits) -> None:
    """Remember the fits; one thread each, as there are several processes; leave Ctrl-C to the one
    that started them."""
    global _fits
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    _fits = fits


def _work(point: Point) -> list[dict[str, Any]]:
    assert _fits is not None, "workers are started by _start_worker"
    return _fits.fit(point)
