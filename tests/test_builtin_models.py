"""Models for the AUs of `--engine builtin`: which one is taken, what is refused, how it is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aufer.au_net.format import MEASURED_BY
from aufer.au_net.network import AuNet
from aufer.bundle import AU_INPUT, FACTS_NAME, IMAGE_INPUT, find_bundle, read_bundle
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.measures import APPROXIMATES, check_measure, measure_of_engine, measurer
from aufer.model_card import write_card
from aufer.openface.imported import read_openface_folder
from aufer.openface.source_measure import measure_of
from aufer.provenance import MEASURE_AU_NET, MEASURE_STATIC, MEASURE_UNKNOWN, Extractor
from aufer.report.methods import _measuring
from aufer.report.references import Citations
from aufer.shipped import models_folder, sample_folder
from tests.au_net_model import make_au_net
from tests.portraits import save_portrait
from tests.running import RunAufer

SHIPPED = models_folder() or Path()
OPENFACE_AUS, BUILTIN_AUS, FACE_CNN = "openface-aus", "builtin-aus", "face-cnn"
NETWORK = Extractor(measure=MEASURE_AU_NET, engine="builtin", binary="1" * 64, model="by hand")
STATIC = Extractor(measure=MEASURE_STATIC, engine="docker")


def make_bundle(folder: Path, name: str, extractor: Extractor, made_at: str = "2030") -> Path:
    """The shipped model of OpenFace's AUs, said to be of another measure."""
    shutil.copytree(SHIPPED / OPENFACE_AUS, folder / name)
    facts = json.loads((folder / name / FACTS_NAME).read_text(encoding="utf-8"))
    facts |= {"name": name, "extractor": extractor.facts(), "made_at": made_at}
    (folder / name / FACTS_NAME).write_text(json.dumps(facts), encoding="utf-8")
    return folder / name


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network made by hand; read only."""
    return make_au_net(tmp_path_factory.mktemp("network") / "by-hand")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four pictures of two emotions."""
    for seed in range(2):
        save_portrait(tmp_path / f"photos/happy/{seed}.png", seed=seed)
        save_portrait(tmp_path / f"photos/sad/{seed}.png", seed=5 + seed)
    return tmp_path / "photos"


# ---- which model is taken


def test_without_a_name_the_shipped_one_of_the_measure_is_taken(tmp_path: Path) -> None:
    nothing = tmp_path / "models"
    for measure, name in (
        (None, OPENFACE_AUS),
        (MEASURE_STATIC, OPENFACE_AUS),
        (MEASURE_AU_NET, BUILTIN_AUS),
    ):
        assert find_bundle(None, nothing, SHIPPED, measure=measure).name == name
        # in a checkout, the workspace's models are the shipped ones
        assert find_bundle(None, SHIPPED, SHIPPED, measure=measure).name == name
    assert find_bundle(None, nothing, SHIPPED, IMAGE_INPUT).name == FACE_CNN
    with pytest.raises(UsageError, match="no model of AUs of the measure aufer-au-net"):
        find_bundle(None, nothing, measure=MEASURE_AU_NET)


def test_the_workspaces_newest_of_the_measure_is_taken(tmp_path: Path) -> None:
    for name, extractor, made_at in (
        ("old", NETWORK, "2030"),
        ("own", NETWORK, "2031"),
        ("theirs", STATIC, "2032"),
        ("unsure", Extractor(), "2033"),
    ):
        make_bundle(tmp_path, name, extractor, made_at)
    shutil.copytree(SHIPPED / FACE_CNN, tmp_path / "pictures")
    assert find_bundle(None, tmp_path, SHIPPED, measure=MEASURE_AU_NET).name == "own"
    assert find_bundle(None, tmp_path, SHIPPED, measure=MEASURE_STATIC).name == "unsure"
    assert find_bundle(None, tmp_path, SHIPPED).name == "unsure"
    assert find_bundle("theirs", tmp_path, SHIPPED, measure=MEASURE_AU_NET).name == "theirs"
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / FACTS_NAME).write_text("no JSON", encoding="utf-8")
    assert find_bundle(None, tmp_path, SHIPPED, AU_INPUT, MEASURE_AU_NET).name == "own"


def test_a_newer_model_of_pictures_is_taken_unless_aus_are_asked_for(tmp_path: Path) -> None:
    make_bundle(tmp_path, "own", NETWORK, "2001")
    shutil.copytree(SHIPPED / FACE_CNN, tmp_path / "pictures")
    assert find_bundle(None, tmp_path, measure=MEASURE_AU_NET).name == "pictures"
    assert find_bundle(None, tmp_path, reads=AU_INPUT, measure=MEASURE_AU_NET).name == "own"


def test_how_a_path_is_measured(tmp_path: Path, photos: Path) -> None:
    table, bare = tmp_path / "aus.csv", tmp_path / "bare.csv"
    for path in (table, bare):
        path.write_text("image\n", encoding="utf-8")
    facts = {"extractor": NETWORK.facts()}
    table.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
    assert measure_of([photos], "builtin") == MEASURE_AU_NET
    assert measure_of([photos], "docker") == measure_of([photos], "local") == MEASURE_STATIC
    assert measure_of([next(photos.rglob("*.png"))], "builtin") == MEASURE_AU_NET
    assert measure_of([sample_folder() / "test"], "builtin") == MEASURE_STATIC
    assert measure_of([table], "docker") == MEASURE_AU_NET
    assert measure_of([bare], "docker") is None
    assert measure_of([table, photos], "docker") is None
    assert measure_of([table, photos], "builtin") == MEASURE_AU_NET
    table.with_suffix(".json").write_text("[", encoding="utf-8")
    assert measure_of([table], "docker") is None


# ---- what is refused


@pytest.mark.parametrize(
    ("learned", "faces", "hint"),
    [
        (Extractor(), NETWORK, "--model builtin-aus"),
        (STATIC, NETWORK, "--engine docker"),
        (NETWORK, STATIC, "--model openface-aus"),
        (NETWORK, Extractor(), "--engine builtin"),
    ],
)
def test_a_model_of_the_other_measure_is_refused(
    learned: Extractor, faces: Extractor, hint: str
) -> None:
    with pytest.raises(DataError, match="The model mine was trained on") as failure:
        check_measure("mine", learned, faces)
    assert hint in (failure.value.hint or "")
    for same in (learned, faces):
        check_measure("mine", same, same)


def test_openface_and_unknown_rows_are_left_to_the_old_rule() -> None:
    check_measure("mine", STATIC, Extractor())
    check_measure("mine", Extractor(), STATIC)
    assert [measurer(m) for m in (MEASURE_STATIC, MEASURE_UNKNOWN)] == ["OpenFace"] * 2
    assert measurer(MEASURE_AU_NET) == "aufer's AU network"
    assert measure_of_engine("local") == MEASURE_STATIC


def test_files_of_the_network_are_not_taken_for_openfaces(
    net: Path, photos: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    aufer("extract", photos, "--out", "aus.csv", "--engine", "builtin", "--au-net", net).check()
    kept = tmp_path / "openface"
    assert all(MEASURED_BY in path.read_text() for path in kept.rglob("*_of_details.txt"))
    table = read_openface_folder(kept, Emotions())
    assert (table.extractor.measure, len(table)) == (MEASURE_AU_NET, 4)
    assert measure_of([kept], "docker") == MEASURE_AU_NET
    for path in (sample_folder() / "test" / "happy").iterdir():
        shutil.copy(path, kept / "happy" / path.name)
    with pytest.raises(DataError, match="never mixed"):
        read_openface_folder(kept, Emotions())


# ---- as a user meets it


def test_predict_and_evaluate_choose_by_the_engine(
    net: Path, photos: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    builtin = ("--engine", "builtin", "--au-net", net)
    make_bundle(tmp_path / "models", "theirs", STATIC)
    ran = aufer("predict", photos, *builtin, "--out", "answers.csv").check()
    answers = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert answers["model"]["name"] == BUILTIN_AUS
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 5
    make_bundle(tmp_path / "models", "own", NETWORK, "2029")
    aufer("predict", photos, *builtin, "--out", "answers.csv", "--force").check()
    answers = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert answers["model"]["name"] == "own"
    aufer("extract", photos, "--out", "aus.csv", *builtin).check()
    ran = aufer("evaluate", "--testset", "aus.csv", "--json").check()  # by the table, not --engine
    assert json.loads(ran.out)["model"]["name"] == "own"
    page = (tmp_path / "reports/own-on-aus/report.html").read_text(encoding="utf-8")
    assert "Action Units were measured by aufer&#39;s AU network" in page
    assert "a neural network of aufer (by-hand" in page
    assert f"that {APPROXIMATES}".replace("'", "&#39;") in page
    assert "measured by OpenFace" not in page


def test_the_other_measure_is_refused_before_anything_is_measured(
    net: Path, photos: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    builtin = ("--engine", "builtin", "--au-net", net)
    nowhere = {"DOCKER_HOST": "unix:///nonexistent"}  # not asked: it would be exit 3
    for command, hint in (
        (("predict", photos, "--model", OPENFACE_AUS, *builtin), "--model builtin-aus"),
        (("evaluate", "--testset", photos, "--model", BUILTIN_AUS), "--engine builtin"),
        (("predict", photos, "--model", BUILTIN_AUS), "--model openface-aus"),
        (("explain", BUILTIN_AUS, photos / "happy/0.png"), "--engine builtin"),
        (("compare", BUILTIN_AUS, OPENFACE_AUS, "--testset", photos, *builtin), "--engine docker"),
    ):
        ran = aufer(*command, **nowhere).check(4)
        assert "different measures, never to be mixed" in ran.err, command
        assert hint in ran.err, command
    assert not (tmp_path / "reports").exists()


def test_a_baseline_of_the_other_measure_is_refused(
    net: Path, photos: Path, aufer: RunAufer, tmp_path: Path
) -> None:
    builtin = ("--engine", "builtin", "--au-net", net)
    aufer("extract", photos, "--out", "aus.csv", *builtin).check()
    happy = sample_folder() / "test" / "happy"
    ran = aufer("explain", BUILTIN_AUS, "aus.csv", "--baseline", happy).check(4)
    assert "never to be mixed" in ran.err
    ran = aufer("explain", BUILTIN_AUS, "aus.csv", "--out", "why").check()
    assert APPROXIMATES.replace("'", "&#39;") in (tmp_path / ran.out.strip()).read_text(
        encoding="utf-8"
    )


def test_models_list_has_the_networks(net: Path, aufer: RunAufer, tmp_path: Path) -> None:
    shutil.copytree(net, tmp_path / "models" / "mine")
    listed = json.loads(aufer("models", "list", "--json").check().out)
    by_name = {row["name"]: row for row in listed}
    assert by_name["au-net"]["kind"] == "AU network"
    assert by_name["au-net"]["bytes"] > 1_000_000
    assert by_name["au-net"]["mean_r"]
    assert all(0.5 < r < 1 for r in by_name["au-net"]["mean_r"].values())
    assert by_name["mine"]["where"] == "workspace"
    measures = {name: by_name[name]["measure"] for name in (BUILTIN_AUS, FACE_CNN)}
    assert measures == {BUILTIN_AUS: MEASURE_AU_NET, FACE_CNN: ""}
    lines = {line.split()[0]: line for line in aufer("models", "list").check().out.splitlines()}
    assert APPROXIMATES in lines["au-net"]
    assert "MB  (shipped)" in lines["au-net"]
    assert "agreement not known" in lines["mine"]
    assert "of aufer's AU network" in lines[BUILTIN_AUS]
    assert "of aufer's AU network" not in lines[OPENFACE_AUS]
    (tmp_path / "models" / "mine" / "au-net.json").write_text("{", encoding="utf-8")
    ran = aufer("models", "list").check()
    assert "au-net.json" in ran.err
    assert "mine" not in ran.out.split()


def test_an_au_network_is_no_model_of_expressions(net: Path) -> None:
    with pytest.raises(DataError, match="is no model bundle") as refused:
        read_bundle(net)
    assert "aufer models list" in (refused.value.hint or "")  # which tells the two apart


@pytest.mark.parametrize(
    ("known", "of_text", "of_methods"),
    [
        ({}, "imported, made elsewhere", "of aufer that"),  # read from its files: by which?
        (
            {"model": "mine", "binary": "1" * 64},
            "imported, mine, sha256 111111111111",
            "of aufer (mine, sha256 111111111111) that",
        ),
    ],
)
def test_a_network_is_named_as_far_as_it_is_known(
    known: dict[str, str], of_text: str, of_methods: str
) -> None:
    extractor = Extractor(measure=MEASURE_AU_NET, engine="imported", **known)
    assert str(extractor) == f"aufer-au-net ({of_text})"
    facts = {"model": {}, "testset": {"extractor": extractor.facts()}}
    assert f"a neural network {of_methods} {APPROXIMATES}" in _measuring(facts, Citations())


def test_help_says_what_it_is(aufer: RunAufer) -> None:
    for command in ("extract", "predict", "evaluate", "explain", "compare"):
        said = " ".join(aufer(command, "--help").check().out.split())
        assert "approximates OpenFace's AU intensities" in said, command


def test_the_card_says_whose_aus(tmp_path: Path) -> None:
    facts = read_bundle(SHIPPED / OPENFACE_AUS).facts
    assert APPROXIMATES not in write_card(facts)
    card = write_card({**facts, "extractor": NETWORK.facts()})
    assert APPROXIMATES in card
    assert "aufer predict --model openface-aus FOLDER --engine builtin" in card


# ---- the one that comes along


def test_the_shipped_one_is_of_the_shipped_network() -> None:
    """After another network: python benchmarks/builtin_bundle.py --out models/builtin-aus."""
    bundle = read_bundle(SHIPPED / BUILTIN_AUS)
    assert bundle.extractor.measure == MEASURE_AU_NET
    assert bundle.extractor.binary == AuNet(SHIPPED / "au-net").sha256
    assert bundle.facts["dataset"]["n_rows"] > 15_000
    assert not list(bundle.path.rglob("predictions.csv"))
    card = (bundle.path / "README.md").read_text(encoding="utf-8")
    assert APPROXIMATES in card
