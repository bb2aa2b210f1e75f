"""An unfinished training on disk: all that the next epoch depends on, in one file.

The file is a NumPy archive without pickled objects. It is replaced in one step after each epoch, so
that a crash loses one epoch at most.
"""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aufer.errors import DataError
from aufer.files import replacing, to_json

SCHEMA = "aufer/training/1"
STATE_NAME = "state.npz"
_FACTS = "facts"


@dataclass(frozen=True)
class State:
    """What stands after an epoch.

    Attributes:
        facts: settings and data that a training must be continued with.
        history: rows of `bundle.HISTORY_COLUMNS`, one per finished epoch.
        best_epoch: from 1; 0 before the first. best: the network's weights after it.
        now: all variables of network and optimizer after the last finished epoch.
    """

    facts: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: list[np.ndarray] = field(default_factory=list, repr=False)
    now: list[np.ndarray] = field(default_factory=list, repr=False)

    @property
    def best_loss(self) -> float:
        """The lowest validation loss so far."""
        return self.history[self.best_epoch - 1]["val_loss"] if self.best_epoch else math.inf

    def after(
        self, row: dict[str, float], now: list[np.ndarray], weights: list[np.ndarray]
    ) -> State:
        """The state after one more epoch.

        Args:
            row: of the history. weights: the network's, in case it is the best epoch.
        """
        more = replace(self, history=[*self.history, row], now=now)
        if row["val_loss"] < self.best_loss:
            return replace(more, best_epoch=len(more.history), best=weights)
        return more


def write_state(state: State, folder: Path) -> None:
    """Write ``state.npz`` into a folder, in place of an older one."""
    facts = {
        "schema": SCHEMA,
        "facts": state.facts,
        "history": state.history,
        "best_epoch": state.best_epoch,
    }
    arrays: dict[str, Any] = {_FACTS: np.frombuffer(to_json(facts).encode(), dtype=np.uint8)}
    for name, values in (("best", state.best), ("now", state.now)):
        arrays |= {f"{name}{number}": array for number, array in enumerate(values)}
    with replacing(folder / STATE_NAME) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read_state(folder: Path) -> State:
    """Read what `write_state` wrote.

    Raises:
        DataError: it is damaged, or of another version.
    """
    path = folder / STATE_NAME
    try:
        with np.load(path, allow_pickle=False) as archive:
            facts = json.loads(archive[_FACTS].tobytes())
            if facts["schema"] != SCHEMA:
                raise ValueError(f"its schema is {facts['schema']!r}")
            lists = {
                name: [archive[f"{name}{number}"] for number in range(_count(archive.files, name))]
                for name in ("best", "now")
            }
            return State(
                facts["facts"],
                facts["history"],
                facts["best_epoch"],
                lists["best"],
                lists["now"],
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}, the state of an unfinished training, can't be read: {error}.",
            hint="begin again, without --resume and with --force",
        ) from error


def _count(names: list[str], prefix: str) -> int:
    return sum(name.startswith(prefix) for name in names)
