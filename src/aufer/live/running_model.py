"""The bundle that a live session runs."""

from __future__ import annotations

from pathlib import Path

from aufer.bundle import Bundle, find_bundle, read_bundle
from aufer.errors import DataError
from aufer.shipped import models_folder


def open_live_model(
    model: str | None,
    *,
    reads: str,
    measure: str | None = None,
    workspace_models: Path = Path("models"),
) -> Bundle:
    """Find and read a bundle.

    Args:
        model: path or name; None takes the workspace's newest that fits, else a shipped one.
        reads, measure: what the one that is taken without a name reads; see `find_bundle`.

    Raises:
        UsageError: no such model. DataError: it is damaged, or no bundle.
    """
    path = find_bundle(model, workspace_models, models_folder(), reads, measure)
    if not path.is_dir():
        raise DataError(
            f"{path} is a bare file of another program; live runs bundles.",
            hint=f"make a bundle of it, once: aufer import-model {path}",
        )
    return read_bundle(path)
