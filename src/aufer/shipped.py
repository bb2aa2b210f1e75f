"""What comes with the package: the sample of real OpenFace output, and models to start with.

They lie beside the code in an installed package, and at the top of a source checkout.
"""

from __future__ import annotations

from pathlib import Path

from aufer.errors import EnvironmentFailure

_PACKAGE = Path(__file__).parent


def sample_folder() -> Path:
    """The bundled OpenFace output, with the folders ``train`` and ``test``."""
    for folder in (_PACKAGE / "sample", _PACKAGE.parents[1] / "data" / "sample"):
        if (folder / "train").is_dir():
            return folder
    raise EnvironmentFailure(
        "The bundled sample is missing from this installation.", hint="install aufer again"
    )


def models_folder() -> Path | None:
    """The folder of models that come with the package, or None."""
    for folder in (_PACKAGE / "models", _PACKAGE.parents[1] / "models"):
        if folder.is_dir():
            return folder
    return None
