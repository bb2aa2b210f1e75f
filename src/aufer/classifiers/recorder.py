"""What a training leaves behind, epoch by epoch: history, the best weights, checkpoint files."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aufer.bundle import HISTORY_COLUMNS
from aufer.classifiers.classifier import OnEpoch


@dataclass(frozen=True)
class Kept:
    """What stands after an epoch; replaced in one step, so that Ctrl-C finds it whole."""

    history: list[dict[str, float]]
    best_epoch: int
    best_loss: float
    best_path: Path | None
    best_weights: list[np.ndarray]
    last_weights: list[np.ndarray]


class Recorder:
    """Keeps history, the best weights, and a file of each best epoch.

    It saves what Keras's ModelCheckpoint(save_best_only=True) saves, under the same names, but no
    file is half-written when Ctrl-C comes, and the weights of the best epoch stay at hand.

    Attributes:
        kept: None before the first epoch is finished. diverged_at: the epoch whose loss was no
            finite number, or 0. is_patient: False once ``patience`` epochs brought nothing better.
    """

    def __init__(self, folder: Path | None, suffix: str, patience: int, on_epoch: OnEpoch) -> None:
        self.kept: Kept | None = None
        self.diverged_at = 0
        self._folder, self._suffix = folder, suffix
        self._patience, self._on_epoch = patience, on_epoch
        self._started = time.monotonic()

    @property
    def is_patient(self) -> bool:
        """Whether an epoch within the last ``patience`` ones was the best."""
        kept = self.kept
        return kept is None or len(kept.history) - kept.best_epoch < max(1, self._patience)

    def start(self) -> None:
        """The first epoch begins."""
        self._started = time.monotonic()

    def record(self, epoch: int, values: dict[str, Any], network: Any) -> bool:
        """An epoch is over.

        Args:
            epoch: from 1. values: of `bundle.HISTORY_COLUMNS` without epoch and seconds.
            network: holds the epoch's weights. A ``val_loss`` of None, without validation rows,
                makes every epoch the best until then, and leaves no file.

        Returns:
            False where the training has diverged.
        """
        now = time.monotonic()
        full = {**values, "epoch": epoch, "seconds": round(now - self._started, 3)}
        self._started = now
        row = {name: full[name] for name in HISTORY_COLUMNS}
        is_blind = row["val_loss"] is None
        if not (math.isfinite(row["loss"]) and (is_blind or math.isfinite(row["val_loss"]))):
            self.diverged_at = epoch
            return False
        old = self.kept
        history = [*(old.history if old else ()), row]
        weights, loss = network.get_weights(), row["val_loss"]
        if is_blind:
            self.kept = Kept(history, epoch, 0.0, None, weights, weights)
        elif old is None or loss < old.best_loss:
            path = self._save(f"{epoch:02d}-{loss:.4f}.{self._suffix}", network)
            self.kept = Kept(history, epoch, loss, path, weights, weights)
        else:
            self.kept = replace(old, history=history, last_weights=weights)
        self._on_epoch(epoch, row)
        return True

    def _save(self, name: str, network: Any) -> Path | None:
        if self._folder is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".partial.{self._suffix}"
        try:
            network.save(partial)
            os.replace(partial, self._folder / name)
        finally:
            partial.unlink(missing_ok=True)
        return self._folder / name
