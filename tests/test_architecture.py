"""The shape of the code, held by tests: imports run one way, nothing heavy is imported early."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from aufer.cli.main import COMMANDS

PACKAGE = Path(__file__).parents[1] / "src" / "aufer"

VOCABULARY = {"action_units", "emotions", "errors", "__init__", "progress"}
VERBS = {"init", "doctor", "extract", "build_dataset", "data_check", "train", "evaluate"} | {
    "predict",
    "learning_curve",
    "mask_study",
    "compare",
    "agreement",
    "explain",
    "import_model",
    "fetch_model",
    "train_images",
    "train_au_net",
    "listen",
}
EDGES = {"openface", "classifiers", "live", "au_net"}
HEAVY = {
    "tensorflow",
    "keras",
    "tf2onnx",
    "cv2",
    "sklearn",
    "scipy",
    "matplotlib",
    "docker",
    "onnx",
    "onnxruntime",
    "pooch",
    "pylsl",
    "pythonosc",
    "websockets",
}
HEAVY_FOR_THE_COMMAND_LINE = HEAVY | {"pandas", "numpy", "PIL", "jinja2", "tqdm", "psutil"}


def layer(module: str) -> int:
    """0 vocabulary, 1 nouns, 2 edges, 3 verbs, 4 the command line."""
    top = module.split(".", maxsplit=1)[0]
    if top in VOCABULARY:
        return 0
    if top in EDGES:
        return 2
    if top in VERBS:
        return 3
    return 4 if top in ("cli", "__main__") else 1


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        found[name.removesuffix(".__init__") or "__init__"] = path
    return found


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if top_level_only:
        nodes = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
        nodes = [n for n in nodes if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n))]
        walked = [inner for node in nodes for inner in ast.walk(node)]
        inside = {
            id(inner)
            for node in walked
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            for inner in ast.walk(node)
        }
        walked = [node for node in walked if id(node) not in inside]
    else:
        walked = list(ast.walk(tree))
    found = set()
    for node in walked:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
            if node.module == "aufer":
                found |= {f"aufer.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_run_one_way(module: str) -> None:
    own = layer(module)
    for name in imports(modules()[module]):
        if not name.startswith("aufer."):
            continue
        other = name.removeprefix("aufer.")
        if other == "__version__":
            continue
        assert layer(other) <= own, f"{module} (layer {own}) imports {other}"
        if own == 3 and layer(other) == 3:
            assert other == module, f"the verb {module} imports the verb {other}"


@pytest.mark.parametrize("module", sorted(modules()))
def test_heavy_packages_are_imported_where_they_are_needed(module: str) -> None:
    heavy = HEAVY_FOR_THE_COMMAND_LINE if layer(module) == 4 else HEAVY
    early = {name.split(".")[0] for name in imports(modules()[module], top_level_only=True)}
    assert not early & heavy


@pytest.mark.parametrize("module", sorted(modules()))
def test_no_click_below_the_command_line(module: str) -> None:
    if layer(module) < 4:
        assert "click" not in {name.split(".")[0] for name in imports(modules()[module])}


@pytest.mark.parametrize("module", sorted(modules()))
def test_files_are_small_and_say_what_they_are(module: str) -> None:
    text = modules()[module].read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{module} has no docstring"
    assert len(text.splitlines()) <= 360, f"{module} is two files"


def test_no_pickle_anywhere() -> None:
    for module, path in modules().items():
        found = {name.split(".")[0] for name in imports(path)}
        assert not found & {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}, module


@pytest.mark.parametrize("module", sorted(set(modules()) - {"__main__"}))
def test_every_public_function_and_class_has_a_docstring(module: str) -> None:
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    scopes = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    for scope in scopes:
        for node in scope.body:
            kinds = (ast.FunctionDef, ast.ClassDef)
            if isinstance(scope, ast.ClassDef) and scope.name.startswith("_"):
                continue
            if isinstance(node, kinds) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{module}.{node.name}"


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import aufer",
        "import aufer.cli.main",
        "from aufer.cli.main import main, COMMANDS\n"
        "import importlib\n"
        "[importlib.import_module('aufer.cli.' + n.replace('-', '_')) for n in COMMANDS]",
    ],
)
def test_importing_the_package_and_its_command_line_costs_nothing(code: str) -> None:
    assert not loaded_by(code) & HEAVY_FOR_THE_COMMAND_LINE


def test_each_command_has_a_file_of_its_name() -> None:
    files = {path.stem.replace("_", "-") for path in (PACKAGE / "cli").glob("*.py")}
    assert set(COMMANDS) <= files
    verbs = {name.replace("-", "_") for name in COMMANDS} - {"demo", "models"}
    assert verbs <= {path.stem for path in PACKAGE.iterdir()}  # live/ is a folder
