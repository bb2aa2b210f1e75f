"""Options that several commands share: one word for one thing."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from aufer.emotions import DEFAULT_NAMES, Emotions
from aufer.errors import DataError, UsageError

if TYPE_CHECKING:
    from aufer.openface.engine import Engine

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


class EmotionsType(click.ParamType):
    """``angry,disgust,…``: an ordered set of emotions."""

    name = "NAME,NAME,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Emotions:
        """Parse the names; a set of one, or with repetitions, is refused."""
        if isinstance(value, Emotions):
            return value
        text = ",".join(value) if isinstance(value, (list, tuple)) else str(value)
        try:
            return Emotions.parse(text)
        except DataError as error:
            raise UsageError(error.message, error.hint) from error


class Share(click.FloatRange):
    """A number in a range; "nan" is none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; a usage error where it is outside, or no number."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail("nan is no number.", param, ctx)
        return number


def emotions_option(default: bool = True) -> Callable[[F], F]:
    """``--emotions``; without a default the command takes those of its input."""
    return click.option(
        "--emotions",
        type=EmotionsType(),
        default=",".join(DEFAULT_NAMES) if default else None,
        show_default=default,
        help="The emotions in label order."
        + ("" if default else " Default: those of the input, else the usual six."),
    )


def typed_emotions(
    ctx: click.Context, emotions: Emotions | None, model: str | None
) -> Emotions | None:
    """``--emotions`` of a command that has a model: a bundle brings its own, and those of
    aufer.toml are about the study; only a bare Keras file needs them."""
    from aufer.classifiers.keras_loading import is_keras_file

    is_bare = model is not None and is_keras_file(Path(model))
    source = ctx.get_parameter_source("emotions")
    return emotions if is_bare or source == ParameterSource.COMMANDLINE else None


def out_option(default: str | None, help_text: str) -> Callable[[F], F]:
    """``--out``: where the result goes."""
    return click.option(
        "--out",
        type=PATH,
        default=Path(default) if default else None,
        show_default=bool(default),
        help=help_text,
    )


def model_option(help_text: str = "") -> Callable[[F], F]:
    """``--model``: a bundle by path or name."""
    return click.option(
        "--model",
        metavar="BUNDLE",
        help=help_text
        or "A model bundle, by path or by name. Default: the newest in models/ for how the faces "
        "are measured, else the one that comes with aufer.",
    )


seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of all chance.",
)
force_option = click.option(
    "--force", is_flag=True, help="Replace files that a person edited or made."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
keep_going_option = click.option(
    "--keep-going", is_flag=True, help="Exit with 0 even if some images failed (else 5)."
)
min_confidence_option = click.option(
    "--min-confidence",
    type=Share(0, 1),
    default=0.7,
    show_default=True,
    help="Faces measured with less confidence are left out.",
)


def groups_option(metavar: str = "COLUMN|REGEX", more: str = "") -> Callable[[F], F]:
    """``--groups``: who is who; for `groups.GroupRule.parse`.

    Args:
        metavar: the rules that the command takes. more: what they mean, beyond column and pattern.
    """
    return click.option(
        "--groups",
        metavar=metavar,
        help="Which faces are of one person: a column of the table, or what a regular expression "
        f"finds in the file names.{more}",
    )


faces_option = click.option(
    "--faces",
    type=click.Choice(["largest", "best", "error"]),
    default="largest",
    show_default=True,
    help="Which face of several: the largest, the most confident, or none (many_faces).",
)


class Size(click.ParamType):
    """An amount of memory: ``4g``, ``512m``."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes; a usage error for what is no size."""
        if isinstance(value, int):
            return value
        from docker.errors import DockerException
        from docker.utils import parse_bytes

        try:
            size = int(parse_bytes(str(value).strip()))
        except (DockerException, ValueError, IndexError):
            size = 0
        if size <= 0:
            self.fail(f"{value!r} is no amount of memory such as 4g or 512m.", param, ctx)
        return size


_ENGINE_OPTIONS = (
    faces_option,
    click.option(
        "--engine",
        type=click.Choice(["docker", "local", "builtin"]),
        default="docker",
        show_default=True,
        help="Run OpenFace in Docker, or a FaceLandmarkImg of this machine; or measure without "
        "OpenFace, by aufer's own network, which approximates OpenFace's AU intensities (another "
        "measure, never to be mixed with OpenFace's; no AU_c, no head pose).",
    ),
    click.option(
        "--au-net",
        type=PATH,
        metavar="FOLDER",
        help="With --engine builtin: a network that you trained. Default: the one that comes "
        "with aufer.",
    ),
    click.option(
        "--image",
        "docker_image",
        metavar="NAME[@sha256:…]",
        default="algebr/openface:latest",
        show_default=True,
        help="Docker image with OpenFace; a digest pins it.",
    ),
    click.option(
        "--openface",
        metavar="COMMAND",
        help="With --engine local: the path of FaceLandmarkImg, or a command prefix such as "
        "'apptainer exec openface.sif FaceLandmarkImg'.",
    ),
    click.option(
        "--openface-args",
        default="",
        metavar="ARGS",
        help="Further arguments for FaceLandmarkImg, e.g. '-wild'.",
    ),
    click.option(
        "--enlarge",
        default="auto",
        show_default=True,
        metavar="auto|off|N",
        help="Enlarge small pictures before they are measured: those below 150 pixels to 192, "
        "none, or those below N pixels to N.",
    ),
    click.option(
        "--looks",
        type=click.IntRange(1, 4),
        default=3,
        show_default=True,
        help="Try a picture in so many ways (larger, with a border) until a confident face is "
        "found; 1: only the first.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1),
        help="Measuring processes at once. Default: what the cores and the memory carry.",
    ),
    click.option(
        "--image-timeout",
        type=Share(0, min_open=True),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="Give up a picture that takes longer.",
    ),
    click.option(
        "--memory-limit",
        type=Size(),
        help="Memory of each OpenFace container, e.g. 4g. Default: its share of the machine's.",
    ),
)


def workspace_data() -> Path | None:
    """The folder of this workspace that keeps what was measured; None outside a workspace."""
    folder = Path("data")
    return folder if folder.is_dir() else None


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--engine`` and all about measuring: gives ``open_engine``, which makes it, and ``plan``."""

    @functools.wraps(command)
    def with_engine(
        *args: Any,
        engine: str,
        docker_image: str,
        openface: str | None,
        openface_args: str,
        au_net: Path | None,
        faces: str,
        enlarge: str,
        looks: int,
        jobs: int | None,
        image_timeout: float,
        memory_limit: int | None,
        **kwargs: Any,
    ) -> Any:
        from aufer.openface.measuring.plan import Plan
        from aufer.openface.ways import Enlarge

        def open_engine() -> Engine:
            from aufer.openface.engines import make_engine

            return make_engine(
                engine,
                image=docker_image,
                openface=openface,
                openface_args=openface_args,
                au_net=au_net,
            )

        plan = Plan(
            faces=faces,
            enlarge=Enlarge.parse(enlarge),
            looks=looks,
            jobs=jobs or 0,
            image_timeout_s=image_timeout,
            memory_bytes=memory_limit or 0,
        )
        return command(*args, open_engine=open_engine, plan=plan, **kwargs)

    decorated: Callable[..., Any] = with_engine
    for option in reversed(_ENGINE_OPTIONS):
        decorated = option(decorated)
    return decorated


def talk_options(command: F) -> F:
    """``-v`` and ``-q``, for every command; they set up what is said on stderr."""

    def set_up(ctx: click.Context, param: click.Parameter, value: int) -> None:
        levels = ctx.meta.setdefault("aufer.talk", {"quiet": 0, "verbose": 0})
        levels[str(param.name)] = int(value)
        from aufer.cli.talk import set_level

        difference = levels["quiet"] - levels["verbose"]
        level = logging.INFO + 10 * max(-1, min(2, difference))
        set_level(level)

    for option in (
        click.option(
            "-q",
            "--quiet",
            count=True,
            expose_value=False,
            callback=set_up,
            help="Say less: warnings only; -qq errors only.",
        ),
        click.option(
            "-v", "--verbose", count=True, expose_value=False, callback=set_up, help="Say more."
        ),
    ):
        command = option(command)
    return command
