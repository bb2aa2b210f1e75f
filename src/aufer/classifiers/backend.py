"""Keras on TensorFlow, imported as late as can be and without its C++ chatter."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from aufer.errors import AuferError, EnvironmentFailure

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_keras() -> Any:
    """Import Keras with TensorFlow (about 5 s the first time).

    TensorFlow's C++ messages (no CUDA, CPU features) are not shown, unless the variable
    TF_CPP_MIN_LOG_LEVEL is set to less than 3.

    Raises:
        EnvironmentFailure: TensorFlow is not installed, or doesn't load on this machine.
    """
    if "keras" in sys.modules and "tensorflow" in sys.modules:
        return sys.modules["keras"]
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        # the level must stand before TensorFlow is imported
        is_silent = os.environ.setdefault(_LOG_LEVEL, "3") == "3"
        with _stderr_held_back() if is_silent else nullcontext():
            import keras
            import tensorflow

            tensorflow.config.list_logical_devices()  # looks for GPUs, and says so
    except ImportError as error:
        raise EnvironmentFailure(
            f"This needs TensorFlow, which can't be imported: {error}.",
            hint="pip install tensorflow, then: aufer doctor",
        ) from error
    # "WARNING: you are saving your model as an HDF5 file", at every checkpoint
    import absl.logging

    absl.logging.set_verbosity(absl.logging.ERROR)
    return keras


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Send file descriptor 2 to a file; show that only if something is raised.

    Messages before TensorFlow's logging is set up ignore the level.
    """
    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all
        yield
        return
    with tempfile.TemporaryFile() as aside:
        try:
            sys.stderr.flush()
            os.dup2(aside.fileno(), 2)
            yield
        except BaseException as error:
            os.dup2(kept, 2)
            if not isinstance(error, KeyboardInterrupt):
                aside.seek(0)
                os.write(2, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def full_disk_is_an_error(path: Path) -> Iterator[None]:
    """Turn the system's "no space left" into an `AuferError` about the model at ``path``.

    HDF5 hides the system's error number in its message.
    """
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        if is_full or f"errno = {errno.ENOSPC}" in str(error) or "No space left" in str(error):
            raise AuferError(
                f"The disk is full: the model {path} was not written.",
                hint="free some space, or write elsewhere: --out FOLDER",
            ) from error
        raise
