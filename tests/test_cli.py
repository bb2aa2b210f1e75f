"""The command line as such: help, settings, errors, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from aufer.cli.main import COMMANDS, cli
from aufer.init import SETTINGS
from tests.running import Ran, RunAufer

ROOT = Path(__file__).parents[1]


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": inner for sub, inner in command.commands.items()}
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_help_with_an_example(name: str) -> None:
    command = commands()[name]
    assert command.help
    assert command.epilog
    assert f"aufer {name}" in command.epilog
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


@pytest.mark.parametrize("name", sorted(commands()))
def test_examples_use_options_that_exist(name: str) -> None:
    command = commands()[name]
    epilog = (command.epilog or "").replace("\\\n", " ")
    known = {opt for parameter in command.params for opt in parameter.opts}
    for line in epilog.splitlines():
        if line.strip().startswith(f"aufer {name}"):
            used = set(re.findall(r"(?<=\s)(--[a-z-]+)", line.split("&&")[0]))
            assert used <= known, line


def test_help_lists_every_command_and_the_order_of_work(aufer: RunAufer) -> None:
    ran = aufer("--help").check()
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}", ran.out, re.MULTILINE), name
    assert "aufer evaluate --testset data/testset" in ran.out
    assert aufer().check().out == ran.out
    assert aufer("--version").check().out.startswith("aufer, version ")


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for name, command in commands().items():
        assert f"aufer {name}" in text
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert max(parameter.opts, key=len) in text, f"{name} {parameter.opts}"


def test_the_reference_of_commands_is_up_to_date(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_commands.py", tmp_path / "commands.md"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "commands.md").read_text(encoding="utf-8")
    assert written == (ROOT / "docs" / "commands.md").read_text(encoding="utf-8"), "make docs"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["trian"], "did you mean 'train'?"),
        (["train", "--recpie", "standard"], "--recipe"),
        (["train", "--recipe", "best"], "reference"),
        (["build-dataset", "--min-confidence", "high"], "--min-confidence"),
        (["build-dataset", "--emotions", "happy"], "two different emotions"),
        (["evaluate"], "--testset"),
        (["extract", "--engine", "magic"], "docker"),
    ],
)
def test_wrong_usage_exits_with_2_and_a_hint(
    aufer: RunAufer, args: list[str], message: str
) -> None:
    ran = aufer(*args).check(2)
    assert message in ran.err
    assert "hint: " in ran.err
    assert ran.err.startswith("error: ")
    assert ran.out == ""


# ---- aufer.toml


def test_settings_are_defaults_and_the_command_line_wins(
    aufer: RunAufer, sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "aufer.toml").write_text(
        '[build-dataset]\nout = "mine/emotion.csv"\nmin_confidence = 0.95\njson = false\n'
    )
    aufer("build-dataset", sample / "train").check()
    assert '"min_confidence": 0.95' in (tmp_path / "mine" / "emotion.json").read_text()
    aufer("build-dataset", sample / "train", "--min-confidence", "0.5").check()
    assert '"min_confidence": 0.5' in (tmp_path / "mine" / "emotion.json").read_text()


def test_a_setting_above_the_sections_is_for_every_command_that_has_it(
    aufer: RunAufer, sample: Path, tmp_path: Path
) -> None:
    six = '["angry", "disgust", "happy", "neutral", "sad", "surprise"]'
    (tmp_path / "aufer.toml").write_text(f"seed = 3\nemotions = {six}\n")
    ran = aufer("build-dataset", sample / "train").check()
    assert "630 images" in ran.err
    aufer("models", "list").check()


@pytest.mark.parametrize("value", ['["sad", "happy"]', '"sad"', "[]"])
def test_an_option_that_may_be_repeated_is_a_list_of_texts(
    aufer: RunAufer, sample: Path, tmp_path: Path, value: str
) -> None:
    (tmp_path / "aufer.toml").write_text(f"[explain]\nwhy-not = {value}\nmost = 1\n")
    ran = aufer("explain", "openface-aus", sample / "test", "--json").check()
    (face,) = json.loads(ran.out)["faces"]
    assert set(face["shown"]) == {face["answer"], *re.findall("[a-z]+", value)}
    (tmp_path / "aufer.toml").write_text("[explain]\nrow = 3\n")
    ran = aufer("explain", "openface-aus", sample / "test").check(2)
    assert "row must be a text or several, not 3" in ran.err


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("sede = 3\n", "key 'sede'", "did you mean 'seed'?"),
        ("[trian]\n", "section [trian]", "did you mean 'train'?"),
        ("[train]\nrecpie = 'x'\n", "key 'recpie' in [train]", "did you mean 'recipe'?"),
        ("[train\n", "not valid TOML", "hint"),
        ("[build-dataset]\nforce = 'yes'\n", "true or false", "hint"),
        ("[build-dataset]\nmin-confidence = 'high'\n", "must be a number", "hint"),
        ("[build-dataset]\nmin-confidence = true\n", "must be a number", "hint"),
        ("[build-dataset]\nout = 5\n", "must be a text", 'write: out = "'),
        ("[train]\nepochs = 1.9\n[build-dataset]\nfaces = {a=1}\n", "must be a text", "hint"),
        ("train = 3\n", "train is a command", "write: [train]"),
        ("[[train]]\n", "train is a command", "write: [train]"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    aufer: RunAufer, tmp_path: Path, text: str, message: str, hint: str
) -> None:
    (tmp_path / "aufer.toml").write_text(text)
    ran = aufer("build-dataset", ".").check(2)
    assert message in ran.err
    assert hint in ran.err


def test_the_settings_that_init_writes_are_true(aufer: RunAufer, tmp_path: Path) -> None:
    """Every line that is commented out there is a setting that exists."""
    aufer("init").check()
    lines = [
        re.sub(r"^# (?=[a-z-]+ =)", "", line)
        for line in SETTINGS.format(emotions='["a", "b"]').split("\n")
    ]
    (tmp_path / "aufer.toml").write_text("\n".join(lines))
    aufer("models", "list").check()


def test_settings_from_notepad_and_in_another_encoding(aufer: RunAufer, tmp_path: Path) -> None:
    path = tmp_path / "aufer.toml"
    path.write_bytes(b"\xef\xbb\xbfseed = 3\n")
    aufer("models", "list").check()
    path.write_bytes('name = "J\xf6rg"\n'.encode("latin-1"))
    assert "not valid TOML" in aufer("models", "list").check(2).err
    aufer("train", "--help").check()  # help is there whatever the settings are


def test_options_of_subcommands_can_be_set(aufer: RunAufer, tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "aufer.toml").write_text('[models]\nmodels = "elsewhere"\njson = true\n')
    listed = json.loads(aufer("models", "list").check().out)
    assert {row["where"] for row in listed} == {"shipped"}
    assert "small" in aufer("models", "list", "--models", "models").check().out


@pytest.mark.parametrize("value", ["nan", "-0.1", "1.1"])
def test_a_confidence_is_a_number_from_0_to_1(aufer: RunAufer, value: str) -> None:
    assert "--min-confidence" in aufer("build-dataset", "--min-confidence", value).check(2).err


@pytest.mark.parametrize("emotions", ["a/b,c", "../a,b", 'x"y,z', "a.b,c", " ,a"])
def test_an_emotion_is_a_plain_name(aufer: RunAufer, tmp_path: Path, emotions: str) -> None:
    aufer("init", "study", "--emotions", emotions).check(2)
    assert not (tmp_path / "study").exists()


def test_results_are_utf_8_whatever_the_system(
    aufer: RunAufer, bundle: Path, sample: Path, tmp_path: Path
) -> None:
    source = next((sample / "test" / "happy").glob("*.csv"))
    (tmp_path / "пример.csv").write_bytes(source.read_bytes())
    ran = aufer("predict", "пример.csv", PYTHONIOENCODING="cp1252").check()
    assert "пример.csv,ok," in ran.out


def test_a_name_that_is_too_long(aufer: RunAufer, sample: Path) -> None:
    ran = aufer("build-dataset", sample / "train", "--out", "a" * 300 + ".csv").check(2)
    assert "too long" in ran.err


def run_with_selecting(body: str, folder: Path, dataset: Path) -> Ran:
    """Run build-dataset in a process of its own, with ``body`` where faces are selected."""
    code = (
        "import os, signal, sys\n"
        "import aufer.build_dataset\n"
        f"def select(*a, **k): {body}\n"
        "aufer.build_dataset.select_faces = select\n"
        "from aufer.cli.main import main\nmain(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "build-dataset", str(dataset)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_polite_kill_and_an_interrupt_end_with_130(
    tmp_path: Path, sample_dataset: Path, name: str
) -> None:
    body = f"os.kill(os.getpid(), signal.{name})"
    ran = run_with_selecting(body, tmp_path, sample_dataset).check(130)
    assert "Interrupted" in ran.err
    assert not (tmp_path / "data").exists()


def test_a_bug_keeps_its_traceback(tmp_path: Path, sample_dataset: Path) -> None:
    ran = run_with_selecting("raise ZeroDivisionError('a bug')", tmp_path, sample_dataset)
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert "a bug" in ran.err


def test_init_keeps_what_is_there(aufer: RunAufer, tmp_path: Path) -> None:
    first = aufer("init", "study").check()
    assert "made  " in first.err
    folder = tmp_path / "study"
    assert (folder / "data" / "images" / "surprise").is_dir()
    assert (folder / "data" / "testset" / "angry").is_dir()
    (folder / "aufer.toml").write_text("seed = 5\n")
    again = aufer("init", "study").check()
    assert "kept  study" in again.err
    assert (folder / "aufer.toml").read_text() == "seed = 5\n"
    (tmp_path / "file").write_text("x")
    aufer("init", "file").check(2)
    own = aufer("init", "three", "--emotions", "happy,sad,neutral").check()
    assert own.out.strip() == "three"
    assert (
        'emotions = ["happy", "sad", "neutral"]' in (tmp_path / "three" / "aufer.toml").read_text()
    )
    assert {p.name for p in (tmp_path / "three" / "data" / "images").iterdir()} == {
        "happy",
        "sad",
        "neutral",
    }


def test_quiet_and_verbose(aufer: RunAufer, sample: Path) -> None:
    assert aufer("build-dataset", sample / "train", "-q").check().err == ""
    assert "images are in" in aufer("build-dataset", sample / "train").check().err


# ---- what a system can refuse


def test_a_full_disk_loses_nothing(aufer: RunAufer, sample: Path, tmp_path: Path) -> None:
    """A small tmpfs that runs full: one clear line, the old files as they were."""
    from tests.require import require

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, check=False
    )
    require("tmpfs", None if mounted.returncode == 0 else "a tmpfs can't be mounted (needs root)")
    try:
        aufer("build-dataset", sample / "test", "--out", "disk/emotion.csv").check()
        before = {p.name: p.read_bytes() for p in disk.rglob("*") if p.is_file()}
        (disk / "ballast").write_bytes(b"0" * (disk_free(disk) - 24_000))
        ran = aufer("build-dataset", sample / "train", "--out", "disk/emotion.csv").check(1)
        assert "The disk is full" in ran.err
        assert "hint: free some space" in ran.err
        (disk / "ballast").unlink()
        assert {p.name: p.read_bytes() for p in disk.rglob("*") if p.is_file()} == before
    finally:
        subprocess.run(["umount", disk], check=True)


def disk_free(path: Path) -> int:
    import shutil

    return shutil.disk_usage(path).free


def test_an_output_that_cannot_be_written(aufer: RunAufer, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder is needed")
    ran = aufer("build-dataset", sample / "train")
    assert ran.code in (1, 2)
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
