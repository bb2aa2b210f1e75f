"""``aufer import-model``: foreign models as bundles that answer as they did, and each refusal."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.classifiers.backend import import_keras
from aufer.emotions import Emotions
from aufer.errors import DataError, EnvironmentFailure, UsageError
from aufer.pictures.pixels import read_pixels
from tests.foreign_case import (
    Export,
    Take,
    as_tensorflow_2_1,
    as_tensorflow_2_4,
    edit_config,
    importer,
    make_export,
    make_zip,
    nothing_is_left,
    pictures,
    softmax,
    zipped,
)
from tests.require import require

SIX = Emotions()
TWO = Emotions(("happy", "sad"))


@pytest.fixture(scope="session")
def keras() -> Any:
    return import_keras()


@pytest.fixture(scope="session")
def made_export(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """A Teachable Machine export by the legacy Keras package; read only."""
    try:
        import tf_keras
    except ImportError as error:
        require("tf-keras", f"the legacy Keras package is missing: {error}")
    return make_export(tf_keras, tmp_path_factory.mktemp("teachable") / "converted_keras")


@pytest.fixture
def export(made_export: Export, tmp_path: Path) -> Export:
    """A copy of the export that a test may change, as the file of TensorFlow 2.4 that it is."""
    folder = Path(shutil.copytree(made_export.folder, tmp_path / "converted_keras"))
    edit_config(folder / "keras_model.h5", as_tensorflow_2_4)
    return Export(folder, made_export.pixels, made_export.expected)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def take(models: Path) -> Take:
    """Imports a model, and reads its bundle from the disk."""

    return importer(models)


# Teachable Machine


@pytest.mark.parametrize("style", [lambda config: config, as_tensorflow_2_4, as_tensorflow_2_1])
def test_a_teachable_machine_folder_answers_as_it_did(
    made_export: Export, tmp_path: Path, take: Take, style: Callable[[Any], Any]
) -> None:
    folder = Path(shutil.copytree(made_export.folder, tmp_path / "converted_keras"))
    edit_config(folder / "keras_model.h5", style)
    bundle = take(folder)
    assert bundle.name == "converted_keras"
    assert bundle.emotions.names == ("happy", "sad", "neutral")
    assert bundle.facts["image_input"] == {
        "width": 224,
        "height": 224,
        "channels": 3,
        "fit": "crop",
    }
    found = bundle.predict_proba(made_export.pixels)
    assert np.abs(found - made_export.expected).max() < 1e-4
    assert np.ptp(found, axis=0).max() > 0.01, "all pictures get one answer: nothing was tested"
    origin = bundle.facts["origin"]
    assert (origin["preset"], origin["scale"]) == ("teachable-machine", "-1-1")
    assert origin["onnx_difference"] < 1e-4
    assert not origin["softmax_added"]


def test_the_zip_as_it_is_downloaded(export: Export, tmp_path: Path, take: Take) -> None:
    junk = export.folder / "__MACOSX"
    junk.mkdir()
    (junk / "._keras_model.h5").write_bytes(b"junk")
    bundle = take(zipped(export.folder, tmp_path / "my faces (1).zip"))
    assert bundle.name == "my-faces--1"
    assert np.abs(bundle.predict_proba(export.pixels) - export.expected).max() < 1e-4


def test_the_h5_with_its_labels_beside_it(export: Export, take: Take) -> None:
    bundle = take(export.folder / "keras_model.h5")
    assert (bundle.name, bundle.facts["origin"]["preset"]) == (
        "converted_keras",
        "teachable-machine",
    )


def test_after_the_import_nothing_needs_tensorflow(export: Export, take: Take) -> None:
    bundle = take(export.folder)
    shutil.rmtree(export.folder)
    code = (
        "import sys, numpy; from pathlib import Path; from aufer.bundle import read_bundle\n"
        f"bundle = read_bundle(Path({str(bundle.path)!r}))\n"
        "assert bundle.predict_proba(numpy.zeros((2, 224, 224, 3), 'uint8')).shape == (2, 3)\n"
        "assert not {'tensorflow', 'keras', 'tf2onnx', 'h5py'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_labels_that_are_no_emotions_are_asked_for(
    export: Export, take: Take, models: Path
) -> None:
    (export.folder / "labels.txt").write_text("0 Class 1\n1 Class 2\n2 Class 3\n")
    with pytest.raises(DataError, match="'Class 1' is no emotion") as raised:
        take(export.folder)
    assert "--emotions" in str(raised.value.hint)
    assert nothing_is_left(models)
    bundle = take(export.folder, emotions=Emotions(("happy", "fear", "sad")))
    assert bundle.emotions.names == ("happy", "fear", "sad")
    assert bundle.facts["origin"]["labels"] == ["Class 1", "Class 2", "Class 3"]
    assert any("fear" in note for note in bundle.facts["notes"])


def test_missing_labels_and_other_numbers_of_them(export: Export, take: Take, models: Path) -> None:
    labels = export.folder / "labels.txt"
    labels.write_text("0 happy\n1 sad\n")
    with pytest.raises(DataError, match=r"3 outputs, and labels.txt has 2 names"):
        take(export.folder)
    with pytest.raises(DataError, match=r"labels.txt has 2 labels .happy, sad., and 3 emotions"):
        take(export.folder, emotions=Emotions(("happy", "sad", "fear")))
    labels.unlink()
    with pytest.raises(DataError, match=r"lacks labels.txt") as raised:
        take(export.folder)
    assert "--emotions" in str(raised.value.hint)
    with pytest.raises(DataError, match=r"3 outputs, and there are 2 names"):
        take(export.folder, emotions=TWO)
    assert nothing_is_left(models)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("model.tflite", "TensorFlow Lite"),
        ("model.json", "TensorFlow.js"),
        ("model.savedmodel/saved_model.pb", "SavedModel"),
    ],
)
@pytest.mark.parametrize("as_zip", [False, True])
def test_another_export_of_teachable_machine_says_which_to_choose(
    tmp_path: Path, take: Take, name: str, what: str, as_zip: bool
) -> None:
    folder = tmp_path / "export"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"{}")
    (folder / "labels.txt").write_text("0 happy\n1 sad\n")
    source = zipped(folder, tmp_path / "export.zip") if as_zip else folder
    with pytest.raises(DataError, match=what) as raised:
        take(source)
    assert "Tensorflow, Keras" in str(raised.value.hint)
    with pytest.raises(UsageError, match=r"can't be imported|no model"):
        take(folder / name)


# zips


@pytest.mark.parametrize(
    "name", ["../out.h5", "a/../../out.h5", "/out.h5", "C:/out.h5", "..\\out.h5", "\\out.h5"]
)
def test_a_zip_with_a_path_that_climbs_out(
    tmp_path: Path, take: Take, models: Path, name: str
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = make_zip(inside / "model.zip", {name: b"data"})
    with pytest.raises(DataError, match="leads out of its folder"):
        take(path)
    assert nothing_is_left(models)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["inside", "model.zip"]
    assert not Path("/out.h5").exists()


def test_a_zip_with_a_link(tmp_path: Path, take: Take) -> None:
    path = make_zip(tmp_path / "model.zip", {})
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("keras_model.h5")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError, match="holds a link"):
        take(path)


def test_a_zip_that_would_grow_absurdly(tmp_path: Path, take: Take) -> None:
    path = make_zip(tmp_path / "model.zip", {"keras_model.h5": bytes(60_000_000)})
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="would grow"):
        take(path)


def test_a_zip_whose_sizes_are_lies(tmp_path: Path, take: Take) -> None:
    path = make_zip(tmp_path / "model.zip", {"keras_model.h5": bytes(40_000_000)})
    data = path.read_bytes()
    true, lie = (40_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    assert data.count(true) == 2
    path.write_bytes(data.replace(true, lie))
    with pytest.raises(DataError, match=r"cut|no Keras model"):
        take(path)


def test_a_zip_that_is_cut_or_none(
    export: Export, tmp_path: Path, take: Take, models: Path
) -> None:
    path = zipped(export.folder, tmp_path / "model.zip")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="no zip file, or is cut"):
        take(path)
    start = len(data) // 2
    path.write_bytes(data[:start] + bytes([data[start] ^ 255]) + data[start + 1 :])
    with pytest.raises(DataError, match="cut"):
        take(path)
    assert nothing_is_left(models)


def test_a_zip_with_damaged_data(tmp_path: Path, take: Take) -> None:
    noise = np.random.default_rng(0).integers(0, 60, 100_000, dtype=np.uint8).tobytes()
    path = make_zip(tmp_path / "model.zip", {"keras_model.h5": noise})
    data = path.read_bytes()
    path.write_bytes(data[:1000] + b"\xff" * 100 + data[1100:])
    with pytest.raises(DataError, match="no zip file, or is cut"):
        take(path)
    path.rename(tmp_path / "model.keras")
    with pytest.raises(DataError, match="no Keras model, or is cut"):
        take(tmp_path / "model.keras", emotions=SIX, scale="0-1")


def test_a_folder_without_a_model_with_several_or_that_is_a_bundle(
    export: Export, tmp_path: Path, take: Take
) -> None:
    bundle = take(export.folder)
    with pytest.raises(UsageError, match="is a model bundle already"):
        take(bundle.path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no model"):
        take(tmp_path / "empty")
    again = export.folder / "again"
    again.mkdir()
    shutil.copy(export.folder / "keras_model.h5", again)
    with pytest.raises(DataError, match="holds 2 models"):
        take(export.folder)
    with pytest.raises(UsageError, match="no file or folder"):
        take(tmp_path / "none.h5")


# Keras files


def image_network(keras: Any, *layers: Any, shape: tuple[int, ...] = (12, 10, 1)) -> Any:
    keras.utils.set_random_seed(2)
    pooled = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(6, activation="softmax")]
    return keras.Sequential([keras.Input(shape), *layers, *pooled])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("scale", ["0-1", "-1-1", "0-255", "imagenet"])
def test_a_keras_model_of_pictures(
    keras: Any, tmp_path: Path, take: Take, suffix: str, scale: str
) -> None:
    shape = (12, 10, 3) if scale == "imagenet" else (12, 10, 1)
    network = image_network(keras, keras.layers.Conv2D(4, 3, activation="relu"), shape=shape)
    network.save(tmp_path / f"faces{suffix}")
    bundle = take(tmp_path / f"faces{suffix}", emotions=SIX, scale=scale)
    values = pictures(5, *shape)
    scaled = {
        "0-1": values / 255,
        "-1-1": (values / 255 - 0.5) * 2,
        "0-255": values,
        "imagenet": (values / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    }[scale]
    expected = np.asarray(network(scaled.astype(np.float32), training=False))
    assert np.abs(bundle.predict_proba(values) - expected).max() < 1e-5
    assert bundle.image_input is not None
    assert (bundle.image_input.width, bundle.image_input.height) == (10, 12)


def test_layers_that_the_converter_stumbles_over(keras: Any, tmp_path: Path, take: Take) -> None:
    """Constants of a Normalization layer, GELU, separable and transposed convolutions."""
    layers = keras.layers
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).uniform(0, 255, (20, 12, 10, 3)))
    network = image_network(
        keras,
        layers.Rescaling(0.9),
        normalization,
        layers.SeparableConv2D(6, 3, activation="gelu"),
        layers.Conv2DTranspose(4, 3, activation="leaky_relu"),
        layers.Dropout(0.5),
        shape=(12, 10, 3),
    )
    network.save(tmp_path / "odd.keras")
    bundle = take(tmp_path / "odd.keras", emotions=SIX, scale="0-255")
    values = pictures(5, 12, 10, 3)
    expected = np.asarray(network(values.astype(np.float32), training=False))
    assert np.abs(bundle.predict_proba(values) - expected).max() < 1e-5


def test_what_keras_2_wrote_of_separable_convolutions_is_repaired(
    made_export: Export, tmp_path: Path, take: Take
) -> None:
    import tf_keras

    layers = tf_keras.layers
    network = tf_keras.Sequential(
        [
            layers.Input((12, 10, 1), batch_size=1),
            layers.SeparableConv2D(6, 3, activation="relu"),
            layers.Conv2DTranspose(4, 3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(6, activation="softmax"),
        ]
    )
    network.save(tmp_path / "old.h5", include_optimizer=False)
    bundle = take(tmp_path / "old.h5", emotions=SIX, scale="0-1")
    values = pictures(1, 12, 10, 1)
    expected = np.asarray(network(values.astype(np.float32) / 255, training=False))
    assert np.abs(bundle.predict_proba(values) - expected).max() < 1e-5
    assert bundle.predict_proba(pictures(3, 12, 10, 1)).shape == (3, 6)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_model_of_the_17_aus(keras: Any, tmp_path: Path, take: Take, activation: str) -> None:
    """As the reference's best_model.hdf5; another activation goes through the converter."""
    keras.utils.set_random_seed(1)
    dense = [keras.layers.Dense(n, activation=activation) for n in (30, 10)]
    network = keras.Sequential([keras.Input((17,)), *dense, keras.layers.Dense(6, "softmax")])
    network.save(tmp_path / "best_model.h5")
    path = (tmp_path / "best_model.h5").rename(tmp_path / "best_model.hdf5")
    bundle = take(path, emotions=SIX)
    assert (bundle.facts["input"], bundle.features) == ("aus", INTENSITY_COLUMNS)
    assert bundle.image_input is None
    values = np.random.default_rng(0).uniform(0, 5, (9, 17)).astype(np.float32)
    expected = np.asarray(network(values, training=False))
    assert np.abs(bundle.predict_proba(values) - expected).max() < 1e-5
    with pytest.raises(UsageError, match="--scale is for models of pictures"):
        take(path, emotions=SIX, scale="0-1")


def test_outputs_that_are_no_probabilities_get_a_softmax(
    keras: Any, tmp_path: Path, take: Take
) -> None:
    network = keras.Sequential([keras.Input((17,)), keras.layers.Dense(6)])
    network.save(tmp_path / "logits.keras")
    bundle = take(tmp_path / "logits.keras", emotions=SIX)
    values = np.random.default_rng(0).uniform(0, 5, (9, 17)).astype(np.float32)
    expected = softmax(np.asarray(network(values, training=False)))
    assert np.abs(bundle.predict_proba(values) - expected).max() < 1e-5
    assert any("softmax was put behind" in note for note in bundle.facts["notes"])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_layer_is_refused_and_not_run(
    keras: Any, tmp_path: Path, take: Take, models: Path, suffix: str
) -> None:
    marker = tmp_path / "ran"
    target = str(marker)
    layer = keras.layers.Lambda(lambda x: (open(target, "w").close(), x)[1])
    image_network(keras, layer).save(tmp_path / f"m{suffix}")
    marker.unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"runs code of its own .Lambda."):
        take(tmp_path / f"m{suffix}", emotions=SIX, scale="0-1")
    assert not marker.exists()
    assert nothing_is_left(models)


def test_a_lambda_layer_deep_in_a_teachable_machine_file(export: Export, take: Take) -> None:
    def hide(config: Any) -> Any:
        head = config["config"]["layers"][-1]["config"]["layers"]
        head.append({"class_name": "Lambda", "config": {"name": "evil", "function": ["4wEA"]}})
        return config

    edit_config(export.folder / "keras_model.h5", hide)
    with pytest.raises(DataError, match=r"runs code of its own .Lambda."):
        take(export.folder)


@pytest.mark.parametrize("name", ["MyLayer", "mine>MyLayer"])
def test_a_class_of_somebodys_own_is_refused(export: Export, take: Take, name: str) -> None:
    def rename(config: Any) -> Any:
        config["config"]["layers"][-1]["config"]["layers"][-1]["class_name"] = name
        return config

    edit_config(export.folder / "keras_model.h5", rename)
    with pytest.raises(DataError, match="MyLayer") as raised:
        take(export.folder)
    assert "Keras's own layers" in str(raised.value.hint)


def test_a_truncated_h5(export: Export, take: Take, models: Path) -> None:
    path = export.folder / "keras_model.h5"
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.95):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(DataError, match=r"cut|can't be loaded"):
            take(export.folder)
    assert nothing_is_left(models)


def test_weights_that_lie_elsewhere_or_are_absurd(
    export: Export, tmp_path: Path, take: Take
) -> None:
    import h5py

    path = export.folder / "keras_model.h5"
    whole = path.read_bytes()
    (tmp_path / "secret").write_bytes(bytes(400))
    with h5py.File(path, "r+") as file:
        shape, secret = (100,), [(str(tmp_path / "secret"), 0, 400)]
        file.create_dataset("model_weights/x", shape, "f4", external=secret)
    with pytest.raises(DataError, match="another file"):
        take(export.folder)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file["model_weights/x"] = h5py.ExternalLink(str(tmp_path / "secret"), "/")
    with pytest.raises(DataError, match="is a link"):
        take(export.folder)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file.create_dataset("model_weights/x", (1 << 34,), "f4", chunks=(1 << 20,))
    with pytest.raises(DataError, match="bytes of weights in a small file"):
        take(export.folder)


def test_weights_in_an_archive_that_lie_elsewhere(keras: Any, tmp_path: Path, take: Take) -> None:
    import h5py

    (tmp_path / "secret").write_bytes(bytes(400))
    image_network(keras).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    inner = tmp_path / "inner.h5"
    inner.write_bytes(parts["model.weights.h5"])
    with h5py.File(inner, "r+") as file:
        file.create_dataset("x", (100,), "f4", external=[(str(tmp_path / "secret"), 0, 400)])
    make_zip(tmp_path / "bad.keras", {**parts, "model.weights.h5": inner.read_bytes()})
    with pytest.raises(DataError, match="'x' lie in another file"):
        take(tmp_path / "bad.keras", emotions=SIX, scale="0-1")


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((16,), "16 numbers"), ((12, 10, 2), "12x10x2"), ((4, 4), "shape .4, 4."), ((3, 12, 10), "")],
)
def test_other_inputs_are_refused(
    keras: Any, tmp_path: Path, take: Take, shape: tuple[int, ...], reason: str
) -> None:
    layers = keras.layers
    network = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(6, "softmax")])
    network.save(tmp_path / "m.keras")
    with pytest.raises(DataError, match=reason or "channels first"):
        take(tmp_path / "m.keras", emotions=SIX, scale="0-1")


def test_what_a_file_does_not_say_is_asked_for(keras: Any, tmp_path: Path, take: Take) -> None:
    path = tmp_path / "faces.keras"
    image_network(keras, shape=(None, None, 1)).save(path)
    with pytest.raises(UsageError, match="doesn't say which emotions"):
        take(path)
    with pytest.raises(DataError, match="doesn't say which size of pictures") as raised:
        take(path, emotions=SIX, scale="0-1")
    assert "--input" in str(raised.value.hint)
    with pytest.raises(UsageError, match="Which values") as asked:
        take(path, emotions=SIX, size=(10, 12, 1))
    assert "--scale" in str(asked.value.hint)
    with pytest.raises(UsageError, match="for RGB pictures"):
        take(path, emotions=SIX, size=(10, 12, 1), scale="imagenet")
    with pytest.raises(DataError, match="not pictures of 10x12x3"):
        take(path, emotions=SIX, size=(10, 12, 3), scale="0-1")
    with pytest.raises(DataError, match="6 outputs, and there are 2 names"):
        take(path, emotions=TWO, size=(10, 12, 1), scale="0-1")
    bundle = take(path, emotions=SIX, size=(10, 12, 1), scale="0-1", fit="crop")
    assert bundle.facts["image_input"] == {"width": 10, "height": 12, "channels": 1, "fit": "crop"}


def test_without_the_converter(
    keras: Any, tmp_path: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_network(keras).save(tmp_path / "m.keras")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(EnvironmentFailure, match="needs tf2onnx"):
        take(tmp_path / "m.keras", emotions=SIX, scale="0-1")


# mini-XCEPTION


MINI = "models/fer2013_mini_XCEPTION.102-0.66.hdf5"


def test_mini_xception_reads_65_percent_of_images_public(
    data: Path, tmp_path: Path, take: Take
) -> None:
    bundle = take(data / MINI)
    assert bundle.facts["origin"]["preset"] == "mini-xception"
    assert bundle.emotions.names == (
        *("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
    )
    with zipfile.ZipFile(data / "fer2013" / "images-public.zip") as archive:
        archive.extractall(tmp_path / "public")
    paths = sorted((tmp_path / "public").rglob("*.jpg"))
    picture = bundle.image_input
    assert picture is not None
    answers = [
        bundle.predict_proba(part.of_input[picture]) for part in read_pixels(paths, [picture])
    ]
    found = np.concatenate(answers).argmax(axis=1)
    names = [bundle.emotions.find_name(path.parent.name) for path in paths]
    right = [bundle.emotions.names[label] == name for label, name in zip(found, names, strict=True)]
    assert len(right) == 3589
    assert abs(np.mean(right) - 0.652) <= 0.005


def test_what_is_known_of_mini_xception_is_held_to(data: Path, take: Take, models: Path) -> None:
    with pytest.raises(UsageError, match="trained with --scale -1-1, not 0-1"):
        take(data / MINI, scale="0-1")
    with pytest.raises(UsageError, match="are angry, disgust, fear"):
        take(data / MINI, emotions=SIX)
    assert nothing_is_left(models)


def test_a_preset_that_does_not_fit(keras: Any, tmp_path: Path, take: Take) -> None:
    layers = keras.layers
    pooled = [layers.GlobalAveragePooling2D(), layers.Dense(7, activation="softmax")]
    keras.Sequential([keras.Input((32, 32, 3)), *pooled]).save(tmp_path / "m.keras")
    with pytest.raises(DataError, match=r"32x32x3.*64x64x1 or 48x48x1"):
        take(tmp_path / "m.keras", preset="mini-xception")
    with pytest.raises(UsageError, match="no preset 'x'"):
        take(tmp_path / "m.keras", preset="x")
