"""Making a workspace: the folders in which the bare commands work in order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aufer.emotions import Emotions
from aufer.errors import AuferError, UsageError
from aufer.files import write_text
from aufer.images import check_path

SETTINGS = """\
# Settings of this study: any option of any command, under the command's name. Unknown keys are
# refused. What is written on the command line wins. Lines that begin with # are off.

# emotions = {emotions}   # in label order
# seed = 0                # for every command that has --seed

[extract]
# engine = "docker"       # or "local", with openface = "/path/to/FaceLandmarkImg"
# image = "algebr/openface:latest"
# faces = "largest"       # of several faces in a picture: largest, best, error
# enlarge = "auto"        # small pictures; "off", or to so many pixels
# jobs = 4                # OpenFace processes at once; else what the machine carries

[build-dataset]
# min-confidence = 0.7

[train]
# recipe = "standard"     # or "reference"

[evaluate]
"""

README = """\
# An expression study

Made by `aufer init`. Run these here, in order:

1. Put photos into `data/images/<emotion>/` ({emotions}),
   at any depth, in any usual picture format; photos to test on, of people who are in none of the
   others, into `data/testset/<emotion>/`.
2. `aufer extract` measures their Action Units with OpenFace in Docker: `data/aus.csv`.
   (`aufer doctor` tells whether Docker is ready.)
3. `aufer build-dataset` makes the dataset `data/emotion.csv`, and says which image is not in it,
   and why.
4. `aufer train` trains a model: `models/<run>/`.
5. `aufer evaluate --testset data/testset` tests it: `reports/<run>/report.html`.

Face photos are personal data: keep them out of public repositories (.gitignore does).
"""

GITIGNORE = """\
# faces are personal data
data/images/
data/testset/
openface/
*.openface/
extraction/
*.extraction/
.aufer/
.aufer-*/
"""


@dataclass(frozen=True)
class Made:
    """What `init` did: the workspace, the paths made, and those that were there and were kept."""

    folder: Path
    made: tuple[Path, ...]
    kept: tuple[Path, ...]


def init(folder: Path = Path(), emotions: Emotions | None = None) -> Made:
    """Make a workspace; what is already there stays as it is.

    Raises:
        UsageError: ``folder`` is a file, or can be no folder. AuferError: it can't be written to.
    """
    emotions = emotions or Emotions()
    check_path(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; a workspace is a folder.")
    folders = [folder / "data" / "images" / name for name in emotions]
    folders += [folder / "data" / "testset" / name for name in emotions]
    folders += [folder / "models", folder / "reports"]
    quoted = "[" + ", ".join(f'"{name}"' for name in emotions) + "]"
    settings = SETTINGS.format(emotions=quoted)
    if emotions != Emotions():
        settings = settings.replace("# emotions", "emotions")
    files = {
        folder / "aufer.toml": settings,
        folder / "README.md": README.format(emotions=str(emotions)),
        folder / ".gitignore": GITIGNORE,
    }
    made: list[Path] = []
    kept: list[Path] = []
    try:
        for path in folders:
            (kept if path.exists() else made).append(path)
            path.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            if path.exists():
                kept.append(path)
            else:
                write_text(path, text)
                made.append(path)
    except (FileExistsError, NotADirectoryError) as error:
        raise AuferError(f"{error.filename} is a file where a folder is needed.") from error
    return Made(folder, tuple(made), tuple(kept))
