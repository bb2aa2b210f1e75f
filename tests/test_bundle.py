"""Model bundles: what is refused when they are opened or used, and which one a name means."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aufer import runs
from aufer.bundle import find_bundle, list_bundles, read_bundle
from aufer.errors import DataError, UsageError
from aufer.files import sha256_of
from aufer.runs import reserve_bundle_path
from aufer.train import train
from tests.faces import write_faces
from tests.image_model import make_image_bundle

VALUES = np.zeros((2, 17))


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    return train(write_faces(folder / "emotion.csv", 240), out=folder / "model", epochs=2).path


@pytest.fixture
def model(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "models" / "mine"))


def change(model: Path, **facts: Any) -> None:
    """Write other facts into bundle.json; ``...`` takes one out."""
    path = model / "bundle.json"
    new = {**json.loads(path.read_text("utf-8")), **facts}
    new = {key: value for key, value in new.items() if value is not ...}
    path.write_text(json.dumps(new), encoding="utf-8")


# missing and changed files


@pytest.mark.parametrize(
    "name",
    ["model.onnx", "model.keras", "rows.csv", "history.csv", "training.png", "README.md"],
)
def test_every_file_of_a_bundle_must_be_there(model: Path, name: str) -> None:
    (model / name).unlink()
    with pytest.raises(DataError, match=f"lacks its file {name}") as raised:
        read_bundle(model)
    assert "aufer train" in str(raised.value.hint)


def test_older_checkpoints_may_go(model: Path) -> None:
    shutil.rmtree(model / "checkpoints")
    assert read_bundle(model).predict_proba(VALUES).shape == (2, 6)


@pytest.mark.parametrize("name", ["model.onnx", "rows.csv"])
@pytest.mark.parametrize("content", [b"", b"something else"])
def test_files_that_are_read_must_be_those_that_were_written(
    model: Path, name: str, content: bytes
) -> None:
    (model / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} is not the file that bundle.json describes"):
        read_bundle(model)


def test_rows_csv_that_was_put_there_by_hand_is_not_taken(model: Path) -> None:
    files = json.loads((model / "bundle.json").read_text("utf-8"))["files"]
    del files["rows.csv"]
    change(model, files=files)
    with pytest.raises(DataError, match=r"rows\.csv"):
        read_bundle(model)


def test_the_command_says_which_file_is_missing(model: Path, tmp_path: Path, aufer: Any) -> None:
    (model / "rows.csv").unlink()
    ran = aufer("predict", write_faces(tmp_path / "faces.csv", 6)).check(4)
    assert "lacks its file rows.csv" in ran.err
    assert "hint: " in ran.err


# facts of other types


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"features": None}, "'features' is not a list of different names"),
        ({"features": []}, "a model reads 'aus', with features"),
        ({"features": ["AU01_r", 2]}, "'features' is not"),
        ({"labels": "angry"}, "'labels' is not a list of different names"),
        ({"labels": ["angry", "angry"]}, "'labels' is not"),
        ({"labels": [["angry"], ["happy"]]}, "'labels' is not"),
        ({"labels": ["angry"]}, "At least two"),
        ({"kind": 3}, "'kind' is not a text"),
        ({"input": None}, "'input' is not a text"),
        ({"files": []}, "'files' is not an object"),
        ({"files": {"model.onnx": 3}}, "'files' is not an object"),
        ({"extractor": "z"}, "'extractor' is not an object"),
        ({"dataset": []}, "'dataset' is not an object"),
        ({"metrics": 1}, "'metrics' is not an object"),
        ({"labels": ...}, "lacks 'labels'"),
        ({"files": ...}, "lacks 'files'"),
        ({"features": ["AU99_r"]}, "needs the feature AU99_r"),
    ],
    ids=str,
)
def test_facts_of_another_type_are_bad_data(model: Path, facts: dict[str, Any], words: str) -> None:
    change(model, **facts)
    with pytest.raises(DataError, match=words):
        read_bundle(model)


@pytest.mark.parametrize("content", ["", "[]", '{"schema": "aufer/bundle/1"', "null"])
def test_a_cut_bundle_json_is_bad_data(model: Path, content: str) -> None:
    (model / "bundle.json").write_text(content)
    with pytest.raises(DataError, match=r"bundle\.json"):
        read_bundle(model)


# facts that do not belong to the ONNX file


@pytest.mark.parametrize(
    ("key", "rewrite"),
    [
        ("labels", lambda names: names[::-1]),
        ("labels", lambda names: names[:-1]),
        ("labels", lambda names: [*names, "fear"]),
        ("features", lambda names: names[::-1]),
        ("labels", lambda names: ["cross", *names[1:]]),
    ],
    ids=["reordered", "one less", "one more", "features reordered", "renamed"],
)
def test_names_that_the_network_was_not_trained_with_are_refused(
    model: Path, key: str, rewrite: Callable[[list[str]], list[str]]
) -> None:
    names = json.loads((model / "bundle.json").read_text("utf-8"))[key]
    change(model, **{key: rewrite(names)})
    bundle = read_bundle(model)  # opening stays fast: the ONNX file is loaded when it is needed
    with pytest.raises(DataError, match=f"names other {key} than model.onnx"):
        bundle.predict_proba(VALUES)


def test_a_network_of_another_width_is_refused_without_names_too(model: Path) -> None:
    import onnx

    network = onnx.load(str(model / "model.onnx"))
    del network.metadata_props[:]
    (model / "model.onnx").write_bytes(network.SerializeToString())
    facts = json.loads((model / "bundle.json").read_text("utf-8"))
    files = {**facts["files"], "model.onnx": sha256_of(model / "model.onnx")}
    change(model, files=files)
    assert read_bundle(model).predict_proba(VALUES).shape == (2, 6)
    change(model, labels=facts["labels"][:-1])
    with pytest.raises(DataError, match=r"gives 6 outputs, and bundle\.json names 5 labels"):
        read_bundle(model).predict_proba(VALUES)


# which bundle a name means


def test_a_name_means_a_model_and_not_a_folder_here(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = Path("models")
    (tmp_path / "mine").mkdir()  # e.g. the user's pictures
    assert find_bundle("mine", models) == models / "mine"
    assert find_bundle("./mine", models) == Path("mine")  # is not a plain name: Path drops the dot
    assert find_bundle("models/mine", models) == models / "mine"
    assert find_bundle(str(model), models) == model
    with pytest.raises(UsageError, match="no model 'other/mine'"):
        find_bundle("other/mine", models)


def test_a_bundle_or_a_file_here_comes_before_models(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, tmp_path / "mine")
    assert find_bundle("mine", Path("models")) == Path("mine")
    (tmp_path / "best_model.hdf5").write_bytes(b"x")
    assert find_bundle("best_model.hdf5", Path("models")) == Path("best_model.hdf5")
    (tmp_path / "alone").mkdir()
    assert find_bundle("alone", Path("models")) == Path("alone")  # the error names what it lacks


def test_without_a_name_the_shipped_model_is_one_of_aus(model: Path, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    make_image_bundle(shipped / "faces")  # made later
    of_aus = shutil.copytree(model, shipped / "aus")
    assert find_bundle(None, tmp_path / "none", shipped) == of_aus
    assert find_bundle("faces", tmp_path / "none", shipped) == shipped / "faces"
    # of one's own the newest is meant, whatever it reads
    assert find_bundle(None, shipped, None) == shipped / "faces"


def test_shipped_models_come_after_the_workspace(model: Path, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(model, shipped / "mine")
    assert find_bundle("mine", model.parent, shipped) == model
    assert find_bundle("mine", tmp_path / "none", shipped) == shipped / "mine"


# free names


def reserve(models: Path) -> Any:
    return reserve_bundle_path(None, models, Path("emotion.csv"), "dense")


@pytest.fixture
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(runs.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(runs, "datetime", Stopped)


@pytest.mark.usefixtures("one_second")
def test_names_are_free_as_long_as_they_are_reserved_and_after(tmp_path: Path) -> None:
    stem = "emotion-dense-20260102-030405"
    with reserve(tmp_path) as first, reserve(tmp_path) as second:
        assert (first.name, second.name) == (stem, f"{stem}-2")
        assert list_bundles(tmp_path) == []
        first.mkdir()
    with reserve(tmp_path) as third:
        assert third.name == f"{stem}-2"  # the second was never made
    assert [path.name for path in tmp_path.iterdir()] == [stem]
    with pytest.raises(RuntimeError), reserve(tmp_path):
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == [stem]


@pytest.mark.usefixtures("one_second")
def test_many_at_once_get_different_names(tmp_path: Path) -> None:
    def take(number: int) -> Path:
        with ExitStack() as stack:
            path: Path = stack.enter_context(reserve(tmp_path))
            path.mkdir()  # fails where somebody else has it
            return path

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(take, range(64)))
    assert len(set(paths)) == 64
    assert len(list(tmp_path.iterdir())) == 64
