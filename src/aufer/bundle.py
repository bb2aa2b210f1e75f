"""The model bundle: a folder with everything that predicting needs, and where it comes from.

``model.keras`` (a network, uncalibrated), ``model.onnx`` (the model for onnxruntime, calibrated),
``bundle.json`` (kind, input, ordered features and labels, extractor, dataset, split, training,
metrics, versions), ``rows.csv`` (which face was in which part of the split), ``history.csv``,
``training.png``, ``checkpoints/``, ``README.md`` (the model card) and, where it was asked for,
``cross-validation/``. Kinds that are no network have neither ``model.keras`` nor a history.

Predicting runs ``model.onnx``; TensorFlow is never imported for it. A bundle that lacks one of its
files (older checkpoints aside) is refused all the same: what it says could not be checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aufer.action_units import INTENSITY_COLUMNS
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.files import read_json, sha256_of
from aufer.image_input import ImageInput
from aufer.provenance import MEASURE_AU_NET, MEASURE_STATIC, MEASURE_UNKNOWN, Extractor

SCHEMA = "aufer/bundle/1"
FACTS_NAME = "bundle.json"
ONNX_NAME = "model.onnx"
KERAS_NAME = "model.keras"
ROWS_NAME = "rows.csv"
ROWS_COLUMNS = ("part", "image", "sha256", "phash", "emotion", "group", "confidence", "aus")
"""Columns of ``rows.csv``: part is train, validation or test; aus is `action_units.au_key`, or
`action_units.au_digest` in a bundle without its data."""

HISTORY_NAME = "history.csv"
HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
PLOT_NAME = "training.png"
CARD_NAME = "README.md"

CHECKPOINTS = "checkpoints"
CV_FOLDS_NAME = "cross-validation/folds.csv"
CV_PREDICTIONS_NAME = "cross-validation/predictions.csv"

AU_INPUT, IMAGE_INPUT = "aus", "image"
"""What a model reads, as ``bundle.json`` has it; also the name of an AU model's ONNX input."""

PIXELS = "pixels"
"""Name of an image model's ONNX input: float32 [n, height, width, channels], 0-255."""

ROWS_AT_ONCE = 2048
"""Faces that one call of onnxruntime answers: what the layers hold of so many stays in a core's
cache; all at once are slower and take more memory (benchmarks/predict_speed.py)."""

PICTURES_AT_ONCE = 64
"""Pictures that one call of onnxruntime answers."""

_RETRAIN = "train it again: aufer train"


@dataclass
class Bundle:
    """A trained model on disk.

    Attributes:
        path: the folder. facts: the content of ``bundle.json``.
    """

    path: Path
    facts: dict[str, Any]
    _session: Any = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The model's name: its folder's."""
        return self.path.name

    @property
    def emotions(self) -> Emotions:
        """The emotions in the order of the model's outputs."""
        return Emotions(tuple(self.facts["labels"]))

    @property
    def features(self) -> tuple[str, ...]:
        """The columns in the order of the model's inputs; none for a model of pictures."""
        return tuple(self.facts["features"])

    @property
    def image_input(self) -> ImageInput | None:
        """The pictures that it takes; None for a model of AUs."""
        if self.facts["input"] != IMAGE_INPUT:
            return None
        return ImageInput.from_facts(self.facts["image_input"])

    @property
    def extractor(self) -> Extractor:
        """How the AUs were measured that it was trained on."""
        return Extractor.from_facts(self.facts.get("extractor"))

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Probabilities of each emotion.

        Args:
            values: [n, features] in the order of ``features``; AU intensities 0-5. Of a model of
                pictures [n, height, width, channels], 0-255, as its `image_input` says.

        Returns:
            float32 [n, emotions], rows sum to 1.
        """
        n_labels, picture = len(self.facts["labels"]), self.image_input
        shape = (len(self.features),) if picture is None else picture.shape
        if values.shape[1:] != shape:
            what = f"{shape[0]} features" if picture is None else f"pictures of {picture}"
            raise DataError(
                f"The model {self.name} takes {what}, not an array of shape {values.shape}."
            )
        at_once = ROWS_AT_ONCE if picture is None else PICTURES_AT_ONCE
        if self._session is None:
            self._session = self._open()
        session = self._session
        name = session.get_inputs()[0].name
        found = np.empty((len(values), n_labels), dtype=np.float32)
        for start in range(0, len(values), at_once):
            rows = np.ascontiguousarray(values[start : start + at_once], dtype=np.float32)
            given = session.run(None, {name: rows})[0]
            if given.shape != (len(rows), n_labels):
                raise DataError(
                    f"The model {self.name} gives {given.shape[-1]} outputs, and {FACTS_NAME} "
                    f"names {n_labels} labels.",
                    hint=_RETRAIN,
                )
            found[start : start + len(rows)] = given
        return found

    def _open(self) -> Any:
        """The session, after comparing the names in the ONNX file with those of bundle.json."""
        session = open_session(self.path / ONNX_NAME)
        inside = session.get_modelmeta().custom_metadata_map
        for key in ("features", "labels"):
            if key in inside and inside[key] != json.dumps(self.facts[key]):
                raise DataError(
                    f"{self.path / FACTS_NAME} names other {key} than {ONNX_NAME} was trained "
                    "with, or in another order.",
                    hint=f"put the old {FACTS_NAME} back, or {_RETRAIN}",
                )
        return session


def open_session(path: Path) -> Any:
    """An onnxruntime session on one core: these networks are too small for more."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own C++ module
        raise DataError(f"{path} can't be loaded by onnxruntime: {error}.") from error


def read_bundle(path: Path) -> Bundle:
    """Open a model bundle and check that it is whole.

    Every file that ``bundle.json`` lists must be there, older checkpoints aside; ``model.onnx`` and
    ``rows.csv``, which are read, must be those that were written.

    Raises:
        UsageError: no such folder. DataError: a file is missing or changed, or of another kind.
    """
    if not path.is_dir():
        raise UsageError(f"There is no model folder {path}.", hint="list models: aufer models list")
    facts_path = path / FACTS_NAME
    if not facts_path.is_file():
        raise DataError(  # an AU network, perhaps; the list tells these apart
            f"{path} is no model bundle: {FACTS_NAME} is missing.",
            hint="list models: aufer models list; or " + _RETRAIN,
        )
    facts = read_json(facts_path)
    if facts.get("schema") != SCHEMA:
        raise DataError(
            f"{facts_path} has the schema {facts.get('schema')!r}; this version reads {SCHEMA!r}.",
            hint="update aufer, or " + _RETRAIN,
        )
    _check_facts(facts, facts_path)
    recorded = facts["files"]
    for name in [ONNX_NAME, *recorded]:
        if not name.startswith(CHECKPOINTS + "/") and not (path / name).is_file():
            raise DataError(
                f"The model bundle {path} lacks its file {name}.",
                hint=f"put it back, or {_RETRAIN}",
            )
    for name in (ONNX_NAME, ROWS_NAME):
        if (path / name).is_file() and sha256_of(path / name) != recorded.get(name):
            raise DataError(
                f"{path / name} is not the file that {FACTS_NAME} describes.",
                hint=f"put the old one back, or {_RETRAIN}",
            )
    if facts["input"] == AU_INPUT:
        check_features(facts["features"], INTENSITY_COLUMNS, str(path))
    return Bundle(path, facts)


def _check_facts(facts: dict[str, Any], where: Path) -> None:
    """Raise `DataError` where a fact that is read is missing or of another type."""
    for key, what, fits in _FACTS:
        if key not in facts and key not in _OPTIONAL_FACTS:
            raise DataError(f"{where} lacks '{key}'.", hint=_RETRAIN)
        if key in facts and not fits(facts[key]):
            raise DataError(f"{where}: '{key}' is not {what}.", hint=_RETRAIN)
    Emotions(tuple(facts["labels"]))  # raises for fewer than two, or a name twice
    if facts["input"] == IMAGE_INPUT:
        ImageInput.from_facts(facts.get("image_input"))
    elif facts["input"] != AU_INPUT or not facts["features"]:
        raise DataError(
            f"{where}: a model reads '{AU_INPUT}', with features, or '{IMAGE_INPUT}'.",
            hint="update aufer, or " + _RETRAIN,
        )


def _is_names(value: Any) -> bool:
    texts = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return texts and len(set(value)) == len(value)


def _is_texts_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


_FACTS: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("kind", "a text", lambda value: isinstance(value, str)),
    ("input", "a text", lambda value: isinstance(value, str)),
    ("features", "a list of different names", _is_names),
    ("labels", "a list of different names", _is_names),
    ("files", "an object of file names and their sha256", _is_texts_by_name),
    ("extractor", "an object", lambda value: isinstance(value, dict)),
    ("dataset", "an object", lambda value: isinstance(value, dict)),
    ("metrics", "an object", lambda value: isinstance(value, dict)),
)
_OPTIONAL_FACTS = ("extractor", "dataset", "metrics")


def check_features(features: Sequence[str], available: Sequence[str], where: str) -> None:
    """Raise `DataError` when a model wants columns that the data don't have."""
    missing = [name for name in features if name not in available]
    if missing:
        raise DataError(
            f"The model {where} needs the feature {', '.join(missing[:4])}, which these data lack.",
            hint="aufer models list shows what each model takes",
        )


def list_bundles(folder: Path) -> list[Path]:
    """The bundles in a folder of models, newest first."""
    found = [path.parent for path in folder.glob(f"*/{FACTS_NAME}")]
    found = [path for path in found if not path.name.startswith(".")]  # still being written
    return sorted(found, key=_made_at, reverse=True)


def _made_at(path: Path) -> tuple[str, str]:
    try:
        return str(read_json(path / FACTS_NAME).get("made_at", "")), path.name
    except DataError:
        return "", path.name


def _fits(path: Path, reads: str | None, measure: str | None) -> bool:
    """Whether a bundle reads that, and AUs of that measure; None: whatever it is."""
    if reads is None and measure is None:
        return True
    try:
        facts = read_json(path / FACTS_NAME)
    except DataError:
        return False
    if reads is not None and facts.get("input") != reads:
        return False
    if measure is None or facts.get("input") == IMAGE_INPUT:
        return True
    learned = Extractor.from_facts(facts.get("extractor")).measure
    # of unknown origin are OpenFace's, with a warning; those of the AU network always say so
    may_be = measure != MEASURE_AU_NET and learned == MEASURE_UNKNOWN
    return learned == measure or may_be


def find_bundle(
    model: str | None = None,
    workspace_models: Path = Path("models"),
    shipped_models: Path | None = None,
    reads: str | None = None,
    measure: str | None = None,
) -> Path:
    """The folder of a model that is named by path or by name, or of the newest one.

    Args:
        model: a path; or a plain name: of a bundle or file here, else in the workspace's models
            folder, else among the shipped ones. None takes the workspace's newest, else the
            shipped one that reads AUs, OpenFace's where ``measure`` says nothing else.
        reads: `AU_INPUT` or `IMAGE_INPUT`: what the one that is taken without a name reads.
        measure: how the AUs are measured that it shall read, e.g. `provenance.MEASURE_AU_NET`: one
            without a name that was trained on another measure is passed over.

    Raises:
        UsageError: there is no such model.
    """
    folders = [workspace_models, *([shipped_models] if shipped_models else [])]
    if shipped_models and workspace_models.resolve() == shipped_models.resolve():
        folders = [shipped_models]
    if model is None:
        for folder in folders:
            what, of = reads, measure
            if folder is shipped_models:  # the main job is about AUs, and about OpenFace's
                what, of = reads or AU_INPUT, measure or MEASURE_STATIC
            for path in list_bundles(folder):
                if _fits(path, what, of):
                    return path
        raise _none_found(workspace_models, measure)
    here = Path(model)
    candidates = [here]
    if here.name == model:  # a plain name; a folder of that name need not be a model
        in_models = [folder / model for folder in folders]
        is_model = (here / FACTS_NAME).is_file() or here.is_file()
        candidates = [here, *in_models] if is_model else [*in_models, here]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    known = [bundle.name for folder in folders for bundle in list_bundles(folder)]
    listed = f" (known: {', '.join(known[:6])})" if known else ""
    raise UsageError(f"There is no model '{model}'{listed}.", hint="train one: aufer train")


def _none_found(folder: Path, measure: str | None) -> UsageError:
    if measure is None:
        return UsageError(f"There is no model in {folder} yet.", hint="train one: aufer train")
    return UsageError(
        f"There is no model of AUs of the measure {measure} in {folder} yet.",
        hint="measure your training images by the same engine, and train one: aufer extract; "
        "aufer build-dataset; aufer train",
    )
