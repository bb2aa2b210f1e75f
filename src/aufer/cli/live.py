"""``aufer live``."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from aufer.cli.options import (
    PATH,
    Share,
    force_option,
    json_option,
    keep_going_option,
    model_option,
    talk_options,
)
from aufer.errors import EXIT_SOME_FAILED, Interrupted, UsageError

if TYPE_CHECKING:
    from aufer.live.session import Session
    from aufer.live.sinks.sink import Step

_LINE_EVERY_S = 600.0
_FACES_NAMED = 3
_PORT = click.IntRange(0, 65535)

_OF_SOURCES = (
    click.option("--camera", type=click.IntRange(0), metavar="N", help="Which one. Default: 0."),
    click.option("--loop", is_flag=True, help="Play a video, or a recording, again and again."),
    click.option(
        "--every-frame",
        is_flag=True,
        help="Deal with every frame of a video, as fast as that goes; none is dropped.",
    ),
    click.option(
        "--fps", type=Share(0, min_open=True), help="At most so many frames a second, by the clock."
    ),
    click.option("--mirror", is_flag=True, help="Flip the picture, as a mirror does."),
    click.option(
        "--listen-frames",
        type=_PORT,
        metavar="PORT",
        help="Take the frames, as JPEGs one after the other, from a program that connects there.",
    ),
    click.option(
        "--duration",
        type=Share(0, min_open=True),
        metavar="SECONDS",
        help="Stop after that, by the clock.",
    ),
)
_OF_FACES = (
    model_option(
        "A bundle, by path or by name: of pictures, or of AUs that --engine builtin measures. "
        "Default: the newest in models/ that reads pictures, else face-cnn; with --engine builtin "
        "one of its AUs."
    ),
    click.option(
        "--engine",
        type=click.Choice(["docker", "local", "builtin"]),
        help="builtin: measure 17 Action Units of each face too, by aufer's own network, which "
        "approximates OpenFace's (never to be mixed with them). OpenFace itself can't, live.",
    ),
    click.option(
        "--au-net",
        type=PATH,
        metavar="FOLDER",
        help="A network for AUs that you trained. Default: the one that comes with aufer.",
    ),
    click.option(
        "--detector",
        type=click.Choice(["haar", "yunet", "whole"]),
        default="haar",
        show_default=True,
        help="What finds faces: OpenCV's Haar cascade; its YuNet (aufer models fetch yunet); or "
        "whole: each picture is a face already.",
    ),
    click.option(
        "--yunet", type=PATH, metavar="FILE", help="With --detector yunet: its model file."
    ),
    click.option(
        "--min-face",
        type=click.IntRange(8),
        default=30,
        show_default=True,
        metavar="PIXELS",
        help="The smallest face that is looked for; the Haar cascade sees none below 7.5 % of the "
        "picture's width (48 of 640).",
    ),
    click.option(
        "--smooth",
        type=Share(0),
        default=0.0,
        show_default=True,
        metavar="SECONDS",
        help="Smooth the scores and AUs of each face over about so long; 0.5 keeps labels from "
        "flickering.",
    ),
)
_OF_SERVERS = (
    click.option(
        "--host", default="127.0.0.1", show_default=True, help="The address to be reached at."
    ),
    click.option("--port", type=_PORT, default=5000, show_default=True, help="0: any free one."),
    click.option("--no-server", is_flag=True, help="No messages by TCP."),
    click.option(
        "--token",
        envvar="AUFER_TOKEN",
        help="What clients must send first; needed for a --host beyond this machine. Better in the "
        "environment, as AUFER_TOKEN.",
    ),
    click.option(
        "--max-clients",
        type=click.IntRange(1),
        default=64,
        show_default=True,
        help="Further ones are refused.",
    ),
    click.option(
        "--compat",
        type=click.Choice(["unity-v1"]),
        help="Messages for the published Unity client: its fields only, 1024 bytes each.",
    ),
)
_OF_SINKS = (
    click.option(
        "--out",
        "outs",
        multiple=True,
        metavar="stdout|FILE",
        help="Write messages there too: stdout, FILE.jsonl, FILE.csv; several may be given.",
    ),
    click.option("--websocket", type=_PORT, metavar="PORT", help="Serve WebSocket clients too."),
    click.option("--osc", metavar="HOST:PORT", help="Send Open Sound Control messages too."),
    click.option(
        "--lsl", metavar="NAME", help="Offer a Lab Streaming Layer stream of that name too."
    ),
    click.option("--window", is_flag=True, help="Show the picture in a window; q quits."),
    click.option("--web", is_flag=True, help="Show the picture on a page of this machine."),
    click.option(
        "--web-port",
        type=_PORT,
        default=8000,
        show_default=True,
        help="Its port; 0: any. Alone it means --web.",
    ),
    click.option("--record", type=PATH, metavar="DIR", help="Keep the messages in that folder."),
    click.option("--save-video", is_flag=True, help="With --record: keep the video too."),
    click.option(
        "--replay", type=PATH, metavar="DIR", help="Play a recording instead, in its own time."
    ),
    click.option(
        "--benchmark",
        is_flag=True,
        help="Measure instead, for --duration (10 s): frames a second, milliseconds per stage.",
    ),
)


def _options(command: Any) -> Any:
    for option in reversed((*_OF_SOURCES, *_OF_FACES, *_OF_SERVERS, *_OF_SINKS)):
        command = option(command)
    return command


@click.command(
    "live",
    epilog="""\b
Examples:
  aufer live                               camera 0 -> messages on 127.0.0.1:5000
  aufer live --web                         and a page to look at
  aufer live --engine builtin --web        with the Action Units of each face
  aufer live --compat unity-v1             for the published Unity client
  aufer live party.mp4 --every-frame --no-server --out party.csv
  aufer live rtsp://192.168.1.20/stream --smooth 0.5
  ffmpeg -i old.vob -q:v 3 -f mjpeg - | aufer live - --every-frame --out old.csv
  aufer live --benchmark                   what this machine can do
What it sends is read by: aufer listen""",
)
@click.argument("source", required=False)
@_options
@force_option
@keep_going_option
@json_option
@talk_options
@click.pass_context
def command(ctx: click.Context, /, keep_going: bool, as_json: bool, **given: Any) -> None:
    """Tell the expressions of the faces before a camera, frame by frame, to Unity, a browser, a
    file or another program.

    SOURCE: a video file, a folder of pictures, an rtsp:// or http:// address, or - for JPEGs on
    stdin. Without one, the camera.

    One JSON object a line and a frame goes to every TCP client (docs/live.md). Nothing is stored,
    and no picture leaves the machine, unless an option says so. Ctrl-C ends it.
    """
    from aufer.live.session import Session
    from aufer.live.settings import Settings
    from aufer.measures import BUILTIN

    if as_json and not given["benchmark"]:
        raise UsageError(
            "--json prints the figures of --benchmark.", hint="messages as JSON: --out stdout"
        )
    if given["benchmark"] and ctx.get_parameter_source("port") == ParameterSource.DEFAULT:
        given["port"] = 0  # its own client comes, nobody else
    if ctx.get_parameter_source("engine") == ParameterSource.DEFAULT_MAP:
        # aufer.toml may say it for extract; OpenFace is none of live's
        given["engine"] = BUILTIN if given["engine"] == BUILTIN else None
    if ctx.get_parameter_source("web_port") == ParameterSource.COMMANDLINE:
        given["web"] = True
    session = Session(Settings(**given))
    try:
        _run(session, as_json=as_json)
    except KeyboardInterrupt:
        raise Interrupted("Stopped.") from None
    if session.n_unreadable and not keep_going:
        ctx.exit(EXIT_SOME_FAILED)


def _run(session: Session, *, as_json: bool) -> None:
    from aufer.cli.talk import print_data, say
    from aufer.files import to_json
    from aufer.live.benchmark import benchmark_text

    try:
        for line in session.start():
            say(line)
        say("Ctrl-C ends it.")
        with _status() as tell:
            session.run(tell)
        if session.settings.benchmark:
            figures = session.figures()
            print_data(to_json(figures).rstrip() if as_json else benchmark_text(figures))
    finally:
        for line in session.close():
            say(line)


@contextmanager
def _status() -> Iterator[Callable[[Step], None]]:
    """How it goes: a line that renews itself on a terminal, one every ten minutes elsewhere."""
    from aufer.cli.talk import log, say

    if sys.stderr.isatty() and log.getEffectiveLevel() <= logging.INFO:
        from tqdm import tqdm

        with tqdm(bar_format="{desc}", leave=False, file=sys.stderr) as line:

            def renew(step: Step) -> None:
                line.set_description_str(_in_short(step), refresh=False)
                line.update()

            yield renew
        return
    said_at_s = time.monotonic()

    def tell(step: Step) -> None:
        nonlocal said_at_s
        if time.monotonic() - said_at_s >= _LINE_EVERY_S:
            said_at_s = time.monotonic()
            say(_in_short(step))

    yield tell


def _in_short(step: Step) -> str:
    message = step.message
    faces = [
        f"#{face.id} {message.expressions.words[face.expression]} {100 * face.confidence:.0f} %"
        for face in message.faces[:_FACES_NAMED]
    ]
    if len(message.faces) > _FACES_NAMED:
        faces.append(f"{len(message.faces) - _FACES_NAMED} more")
    said = ", ".join(faces) or "no face"
    return f"frame {message.seq + 1}, {message.fps:.1f} a second: {said}"
