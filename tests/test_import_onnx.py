"""``aufer import-model``: ONNX files, labels, names that are taken, the command line."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import Bundle
from aufer.classifiers.foreign.labels import read_labels, to_emotions
from aufer.classifiers.foreign.presets import PRESETS, SCALES, parse_input
from aufer.classifiers.open_model import open_model
from aufer.emotions import Emotions
from aufer.errors import AuferError, DataError, UsageError
from tests.foreign_case import (
    Take,
    importer,
    linear_onnx,
    make_zip,
    nothing_is_left,
    pictures,
    softmax,
)
from tests.running import RunAufer

SIX = Emotions()
TWO = Emotions(("happy", "sad"))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def take(models: Path) -> Take:
    """Imports a model, and reads its bundle from the disk."""
    return importer(models)


# ONNX files


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("batch", ["n", 1])
def test_an_onnx_model_of_pictures(
    tmp_path: Path, take: Take, channels_first: bool, batch: str | int
) -> None:
    sides = (3, 6, 5) if channels_first else (6, 5, 3)
    kernel, bias = linear_onnx(tmp_path / "faces.onnx", (batch, *sides), 2)
    bundle = take(tmp_path / "faces.onnx", emotions=TWO, scale="imagenet")
    values = pictures(70, 6, 5, 3)
    scaled = (values / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    turned = np.moveaxis(scaled, -1, 1) if channels_first else scaled
    expected = softmax(turned.reshape(70, -1) @ kernel + bias)
    assert np.abs(bundle.predict_proba(values) - expected).max() < 1e-5
    assert bundle.facts["origin"]["one_by_one"] == (batch == 1)


@pytest.mark.parametrize(
    "options",
    [
        {"last": ""},
        {"kind": "uint8"},
        {"kind": "float64"},
        {"labels_too": True},
        {"opset": 9, "weights_as_inputs": True},
        {"opset": 18},
    ],
    ids=str,
)
def test_onnx_files_of_many_ways(tmp_path: Path, take: Take, options: dict[str, Any]) -> None:
    kernel, bias = linear_onnx(tmp_path / "faces.onnx", ("n", 6, 5, 1), 2, **options)
    bundle = take(tmp_path / "faces.onnx", emotions=TWO, scale="0-255")
    values = pictures(7, 6, 5, 1)
    expected = softmax(values.reshape(7, -1) @ kernel + bias)
    assert np.abs(bundle.predict_proba(values) - expected).max() < 1e-5
    assert bundle.facts["origin"]["softmax_added"] == (options.get("last") == "")


def test_an_onnx_model_of_the_17_aus(tmp_path: Path, take: Take) -> None:
    kernel, bias = linear_onnx(tmp_path / "aus.onnx", ("n", 17), 6)
    bundle = take(tmp_path / "aus.onnx", emotions=SIX)
    values = np.random.default_rng(0).uniform(0, 5, (9, 17))
    expected = softmax(values @ kernel + bias)
    assert np.abs(bundle.predict_proba(values) - expected).max() < 1e-5
    assert bundle.features == INTENSITY_COLUMNS


def test_onnx_files_that_are_refused(tmp_path: Path, take: Take, models: Path) -> None:
    import onnx

    path = tmp_path / "faces.onnx"
    linear_onnx(path, ("n", 6, 5, 1), 2, last="Sigmoid")
    with pytest.raises(DataError, match="a sigmoid"):
        take(path, emotions=TWO, scale="0-1")
    linear_onnx(path, ("n", 16), 2)
    with pytest.raises(DataError, match="16 numbers"):
        take(path, emotions=TWO)
    linear_onnx(path, ("n", 6, 5, 1), 3)
    with pytest.raises(DataError, match="3 outputs, and there are 2 names"):
        take(path, emotions=TWO, scale="0-1")
    linear_onnx(path, ("n", 6, 5, 1), 2)
    data = path.read_bytes()
    for cut in (data[: len(data) // 2], b"", b"hello"):
        path.write_bytes(cut)
        with pytest.raises(DataError, match="no ONNX model, or is cut"):
            take(path, emotions=TWO, scale="0-1")
    path.write_bytes(data)
    onnx.save(
        onnx.load(path), tmp_path / "outside.onnx", save_as_external_data=True, size_threshold=0
    )
    with pytest.raises(DataError, match="lie in another file"):
        take(tmp_path / "outside.onnx", emotions=TWO, scale="0-1")
    model = onnx.load(tmp_path / "outside.onnx", load_external_data=False)
    inside = model.graph.initializer.pop(0)  # a weight may stand in a node too
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], [inside.name], value=inside))
    (tmp_path / "outside.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="lie in another file"):
        take(tmp_path / "outside.onnx", emotions=TWO, scale="0-1")
    model = onnx.load(path)
    model.graph.node.append(onnx.helper.make_node("Identity", ["answer"], ["passed on"]))
    model.graph.node[-2].op_type = "Sigmoid"
    del model.graph.node[-2].attribute[:]
    model.graph.output[0].name = "passed on"
    (tmp_path / "sigmoid.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="a sigmoid"):
        take(tmp_path / "sigmoid.onnx", emotions=TWO, scale="0-1")
    for side, size in (("width", (90_000, 6, 1)), (90_000, None)):
        model = onnx.load(path)
        sides = model.graph.input[0].type.tensor_type.shape.dim
        if isinstance(side, int):
            sides[2].dim_value = side
        else:
            sides[2].dim_param = side
        (tmp_path / "huge.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(DataError, match="1 to 2048 pixels, not 90000"):
            take(tmp_path / "huge.onnx", emotions=TWO, scale="0-1", size=size)
    model = onnx.load(path)
    model.graph.node[0].domain = "mine"
    model.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"operators that onnxruntime doesn't have .mine."):
        take(path, emotions=TWO, scale="0-1")
    assert nothing_is_left(models)


@pytest.mark.parametrize(
    ("name", "word"), [("m.pt", "PyTorch"), ("m.pkl", "pickle"), ("m.txt", "no model")]
)
def test_files_of_other_libraries(tmp_path: Path, take: Take, name: str, word: str) -> None:
    (tmp_path / name).write_bytes(b"data")
    with pytest.raises(UsageError, match=word):
        take(tmp_path / name, emotions=SIX)


@pytest.mark.parametrize("name", ["faces.onnx", "my faces.zip", "export"])
def test_a_model_that_is_used_before_it_is_imported(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(b"data")
    else:
        path.mkdir()
        (path / "keras_model.h5").write_bytes(b"data")
    with pytest.raises(UsageError, match="no bundle yet") as raised:
        open_model(str(path))
    assert str(raised.value.hint).endswith(f"aufer import-model {shlex.quote(str(path))}")


def test_importing_onnx_needs_no_tensorflow(tmp_path: Path) -> None:
    linear_onnx(tmp_path / "faces.onnx", ("n", 6, 5, 1), 6)
    code = (
        "import sys; from pathlib import Path; from aufer.emotions import Emotions\n"
        "from aufer.import_model import import_model\n"
        "import_model(Path('faces.onnx'), emotions=Emotions(), scale='0-1')\n"
        "assert not {'tensorflow', 'keras', 'tf2onnx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


# the bundle's name


def test_names_that_are_taken(tmp_path: Path, take: Take, models: Path) -> None:
    first, second = tmp_path / "one" / "faces.onnx", tmp_path / "two" / "faces.onnx"
    for path, last in ((first, "Softmax"), (second, "")):
        path.parent.mkdir()
        linear_onnx(path, ("n", 6, 5, 1), 2, last=last)

    def again(path: Path, **more: Any) -> Bundle:
        return take(path, emotions=TWO, scale="0-1", **more)

    bundle = again(first)
    assert again(first).facts["files"] == bundle.facts["files"]
    with pytest.raises(AuferError, match="is another model; it is kept") as raised:
        again(second)
    assert "--name" in str(raised.value.hint)
    assert again(second, name="other").name == "other"
    with pytest.raises(UsageError, match="can't be a model's name"):
        again(second, name="../x")
    (models / "faces" / "README.md").write_text("mine")
    with pytest.raises(AuferError, match="was edited"):
        again(first)
    assert again(second, force=True).facts["origin"]["softmax_added"]
    mine = models / "notes"
    mine.mkdir()
    (mine / "text").write_text("mine")
    with pytest.raises(AuferError, match="is no model bundle"):
        again(first, name="notes", force=True)
    assert sorted(path.name for path in models.iterdir()) == ["faces", "notes", "other"]


# words


def test_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"

    def read(text: str) -> list[str]:
        path.write_bytes(text.encode())
        return read_labels(path)

    assert read("0 happy\n1 very sad\n") == ["happy", "very sad"]
    assert read("\ufeff1 sad\r\n0 happy\r\n\r\n") == ["happy", "sad"]
    assert read("happy\nsad\n") == ["happy", "sad"]
    assert read("0 행복\n1 슬픔\n") == ["행복", "슬픔"]
    for text in ("0 happy\n2 sad\n", "0 happy\n0 sad\n"):
        with pytest.raises(DataError, match="not 0 to 1"):
            read(text)
    with pytest.raises(DataError, match="empty"):
        read("\n")
    path.write_bytes(b"0 h\xff\n")
    with pytest.raises(DataError, match="no list of labels"):
        read_labels(path)
    path.write_bytes(b"x" * 100_000)
    with pytest.raises(DataError, match="too long"):
        read_labels(path)


def test_label_words_become_emotions() -> None:
    found = to_emotions(["Anger", "JOY", "fearful", "contempt", "Neutral"], "labels")
    assert found.names == ("angry", "happy", "fear", "contempt", "neutral")
    with pytest.raises(DataError, match="two labels stand for one emotion"):
        to_emotions(["anger", "angry"], "labels")


def test_sizes() -> None:
    assert parse_input("64x48x3") == (64, 48, 3)
    assert parse_input("64 X 48") == (64, 48, 1)
    for text in ("64", "axb", "64x48x3x1", "-1x4x1", "64x48x"):
        with pytest.raises(UsageError, match="no size"):
            parse_input(text)
    for text in ("0x4x1", "64x48x2", "99999x4x1"):
        with pytest.raises(UsageError):
            parse_input(text)


def test_the_command_offers_what_there_is() -> None:
    from aufer.cli.import_model import command
    from aufer.image_input import FITS

    choices = {option.name: getattr(option.type, "choices", None) for option in command.params}
    assert set(choices["scale"] or ()) == set(SCALES)
    assert set(choices["preset"] or ()) == set(PRESETS)
    assert set(choices["fit"] or ()) == set(FITS)


# the command line


def test_the_command(tmp_path: Path, aufer: RunAufer) -> None:
    linear_onnx(tmp_path / "faces.onnx", ("n", 6, 5, 1), 7, last="")
    seven = "anger,disgust,fear,joy,sad,surprise,neutral"
    ran = aufer("import-model", "faces.onnx", "--emotions", seven, "--scale", "-1-1").check()
    assert ran.out == f"{Path('models', 'faces')}\n"
    for text in ("a softmax was put behind", "largest difference", "aufer compare faces OTHER"):
        assert text in ran.err
    card = (tmp_path / "models" / "faces" / "README.md").read_text(encoding="utf-8")
    assert "Which faces it was trained on is not known" in card
    ran = aufer(
        "import-model", "faces.onnx", "--emotions", seven, "--scale", "-1-1", "--json", "-q"
    )
    assert json.loads(ran.check().out)["kind"] == "imported"
    assert "aufer compare" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("none.onnx",), 2, "no file or folder"),
        (("faces.onnx",), 2, "--emotions"),
        (("faces.onnx", "--emotions", "happy,sad"), 2, "--scale"),
        (("faces.onnx", "--emotions", "happy,sad", "--scale", "9"), 2, "--scale"),
        (("faces.onnx", "--emotions", "happy,sad", "--input", "6"), 2, "no size"),
        (("faces.onnx", "--emotions", "happy,sad,fear", "--scale", "0-1"), 4, "2 outputs"),
        (("bad.zip",), 4, "leads out"),
    ],
)
def test_errors_and_exit_codes(
    tmp_path: Path, aufer: RunAufer, arguments: tuple[str, ...], code: int, said: str
) -> None:
    linear_onnx(tmp_path / "faces.onnx", ("n", 6, 5, 1), 2)
    make_zip(tmp_path / "bad.zip", {"../x": b"data"})
    ran = aufer("import-model", *arguments).check(code)
    assert said in ran.err
    assert ran.out == ""
    assert sum(line.startswith("error:") for line in ran.err.splitlines()) == 1
    assert nothing_is_left(tmp_path / "models")
