"""Loading a Keras file from elsewhere without running anything that is in it.

It is looked at without TensorFlow first, and refused where it holds a Lambda layer, a class that is
not one of Keras's own model parts, or data that lie in another file; it is then loaded in safe
mode. Keras goes by the suffix, so the first bytes must agree with it: a file that is two things at
once would be looked at as one and loaded as the other. Files of older versions of Keras are
repaired on the way (`foreign.legacy_keras`).
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aufer.classifiers.backend import import_keras
from aufer.classifiers.foreign.archives import DAMAGED, check_archive
from aufer.classifiers.foreign.legacy_keras import is_legacy, repair
from aufer.errors import DataError, UsageError

SUFFIXES = (".keras", ".h5", ".hdf5")
_WEIGHTS_SUFFIXES = (".h5", ".hdf5")
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_KERAS_PARTS = (
    "activations",
    "constraints",
    "dtype_policies",
    "engine",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
)
"""Modules of Keras whose classes a model may name; `keras.utils`, say, can fetch files."""

_CODE_CLASSES = ("Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
_MOST_UNPACKED = 100
"""A file whose weights are so many times larger than itself is a trap, not a model."""

_SMALL = 1 << 26


def is_keras_file(path: Path) -> bool:
    """Whether a path is named like a Keras file."""
    return path.suffix.lower() in SUFFIXES


def load_network(path: Path) -> Any:
    """The Keras network of a ``.keras``, ``.h5`` or ``.hdf5`` file, not compiled.

    Raises:
        UsageError: there is no such file. DataError: it is cut or no Keras model, or holds code.
        EnvironmentFailure: TensorFlow is missing.
    """
    if not path.is_file():
        raise UsageError(f"The file {path} does not exist.")
    config = read_config(path)
    check_holds_no_code(config, path)
    keras = import_keras()
    with _readable(path, config) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles that a file can't change any more
        try:
            return keras.saving.load_model(str(file), compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever its layers raise
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)
            raise DataError(
                f"{path} can't be loaded as a Keras model: {reason}.",
                hint="is the file whole, saved with model.save(), and of Keras's own layers only?",
            ) from error


@contextmanager
def _readable(path: Path, config: Any) -> Iterator[Path]:
    """The file itself, or, of an older Keras, a copy with a config that today's Keras takes."""
    if path.suffix.lower() == ".keras" or not is_legacy(_hdf5_version(path)):
        yield path
        return
    import h5py

    repaired = repair(config)
    check_holds_no_code(repaired, path)
    with tempfile.TemporaryDirectory(prefix="aufer-") as folder:
        copy = Path(folder) / "model.h5"
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as opened:
            opened.attrs["model_config"] = json.dumps(repaired)
        yield copy


def _hdf5_version(path: Path) -> str:
    """The version of Keras that wrote an HDF5 file; empty where it doesn't say."""
    import h5py

    with h5py.File(path, "r") as opened:
        version = opened.attrs.get("keras_version", "")
    return version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version)


def read_config(path: Path) -> Any:
    """The description of the layers that a Keras file holds, as JSON.

    Raises:
        DataError: it is cut, no Keras model, or holds weights that lie in another file.
    """
    import h5py

    no_model = f"{path} is no Keras model"
    hint = "give a .keras, .h5 or .hdf5 file that was saved with model.save()"
    is_archive = path.suffix.lower() == ".keras"
    magic = _ZIP_MAGIC if is_archive else _HDF5_MAGIC
    try:
        with path.open("rb") as file:
            start = file.read(len(magic))
        if start != magic:
            kind = "a .keras archive" if is_archive else "an HDF5 file"
            raise DataError(f"{no_model}: it does not begin as {kind} does.", hint=hint)
        if is_archive:
            with zipfile.ZipFile(path) as archive:
                check_archive(archive, path)
                for entry in archive.infolist():
                    if entry.filename.lower().endswith(_WEIGHTS_SUFFIXES):
                        weights = io.BytesIO(archive.read(entry))
                        with h5py.File(weights, "r") as opened:
                            _check_data_are_inside(opened, path, entry.file_size)
                return json.loads(archive.read("config.json"))
        with h5py.File(path, "r") as opened:
            config = opened.attrs.get("model_config")
            _check_data_are_inside(opened, path, path.stat().st_size)
        if config is None:
            raise DataError(f"{no_model}: it holds weights without the layers.", hint=hint)
        return json.loads(config)
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        RuntimeError,
        RecursionError,
        *DAMAGED,
    ) as error:
        reason = f"{no_model}, or is cut: {str(error).strip()}."
        raise DataError(reason, hint="copy or download the file again") from error


def _check_data_are_inside(opened: Any, path: Path, n_bytes: int) -> None:
    """Raise unless all data of an HDF5 file lie in it, and are not absurdly larger than it.

    Args:
        path: for messages. n_bytes: size of the HDF5 file.
    """
    import h5py

    size, trap = 0, f"{path} is no plain Keras model"

    def look(group: Any) -> None:
        nonlocal size
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise DataError(f"{trap}: its part '{name}' is a link; it is refused.")
            item = group[name]
            if isinstance(item, h5py.Group):
                look(item)
            elif item.external or item.is_virtual:
                raise DataError(f"{trap}: its data '{name}' lie in another file; it is refused.")
            else:
                size += item.size * item.dtype.itemsize

    look(opened)
    if size > max(_SMALL, _MOST_UNPACKED * n_bytes):
        raise DataError(f"{trap}: {size:,} bytes of weights in a small file; it is refused.")


def check_holds_no_code(config: Any, path: Path) -> None:
    """Raise `DataError` where a config names a part that runs code, or is none of Keras's own."""
    for layer in _described_objects(config):
        name = str(layer["class_name"])
        module = layer.get("module")
        registered = str(layer.get("registered_name") or "")
        foreign = module is not None and not _is_of_keras(str(module))
        if name in _CODE_CLASSES or foreign or ">" in registered or ">" in name:
            raise DataError(
                f"{path} holds a layer that runs code of its own ({name}); it is refused.",
                hint="save the model with Keras's own layers only (no Lambda)",
            )


def _is_of_keras(module: str) -> bool:
    if module in ("keras", "builtins"):
        return True
    parts = [part for part in module.split(".") if part != "src"]
    # tf_keras: Keras 2 under its new name
    return len(parts) > 1 and parts[0] in ("keras", "tf_keras") and parts[1] in _KERAS_PARTS


def _described_objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of a config that names a class, however deep."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _described_objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _described_objects(value)
