"""``aufer listen``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import click

from aufer.cli.options import Share, json_option, talk_options

_LARGEST = 1e6
_AUS_NAMED = 3
_LEAST_AU = 0.5
"""Weaker Action Units are not named."""


@click.command(
    "listen",
    epilog="""\b
Examples:
  aufer listen                                 one line per message, for ever
  aufer listen --json --count 100 > messages.jsonl
  aufer listen --compat unity-v1 --poll 0.2    as the published Unity client, and a slow one
  AUFER_TOKEN=… aufer listen --host 192.168.1.20""",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where `aufer live` runs.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Its port."
)
@click.option(
    "--token",
    envvar="AUFER_TOKEN",
    show_envvar=True,
    help="What it asks of its clients; other users of this machine can read a command line.",
)
@click.option(
    "--compat",
    type=click.Choice(["unity-v1"]),
    help="Do as the published Unity client: read at most 1024 bytes, parse each read.",
)
@click.option(
    "--poll",
    type=Share(0),
    default=0.0,
    metavar="SECONDS",
    help="Sleep so long before each read, as a slow program does.",
)
@click.option("--count", type=click.IntRange(1), help="Stop after so many messages.")
@click.option(
    "--duration", type=Share(0, min_open=True), metavar="SECONDS", help="Stop after so long."
)
@click.option(
    "--no-reconnect",
    is_flag=True,
    help="Stop when nothing listens (3), or when the connection ends.",
)
@json_option
@talk_options
def command(
    host: str,
    port: int,
    token: str | None,
    compat: str | None,
    poll: float,
    count: int | None,
    duration: float | None,
    no_reconnect: bool,
    as_json: bool,
) -> None:
    """Print what `aufer live` sends, a line per message: the frame rate, and each face's number,
    expression and score, and its strongest Action Units where they are measured. A client as the
    one for Unity, to test a set-up without Unity.

    Waits for `aufer live` where it doesn't run yet, and connects again when the connection is lost.
    """
    import json

    from aufer.cli.talk import print_data, say
    from aufer.listen import Heard, listen

    au_labels: list[object] = []  # a connection's first message says them

    def show(facts: dict[str, object]) -> None:
        if isinstance(told := facts.get("auLabels"), list):
            au_labels[:] = told
        print_data(
            json.dumps(facts, separators=(",", ":")) if as_json else readable_line(facts, au_labels)
        )

    heard = Heard()
    try:
        listen(
            host,
            port,
            token=token or None,
            unity_v1=compat == "unity-v1",
            on_message=show,
            on_status=say,
            stop_after=count,
            duration_s=duration,
            poll_s=poll,
            reconnect=not no_reconnect,
            heard=heard,
        )
    except BrokenPipeError:  # `aufer listen | head`; Click would say 1
        pass
    finally:
        if heard.connections:
            say(_summary(heard.messages, heard.missed, heard.unreadable, heard.connections))


def readable_line(facts: dict[str, object], au_labels: Sequence[object] = ()) -> str:
    """A message in words: ``12.3 fps  2 faces: #1 Happy 93 % (AU12 2.4, AU06 1.1), #2 Sad 61 %``.

    Args:
        au_labels: the order of each face's ``aus``, as the connection's first message has it.
    """
    faces = facts.get("faces")
    texts = [_face(each, au_labels) for each in faces] if isinstance(faces, list) else []
    count = "no face" if not texts else "1 face: " if len(texts) == 1 else f"{len(texts)} faces: "
    fps = facts.get("fps")
    rate = f"{fps:4.1f} fps  " if _is_sane(fps) else ""
    line = f"{rate}{count}{', '.join(texts)}"
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _face(face: object, au_labels: Sequence[object]) -> str:
    if not isinstance(face, dict):
        return "?"
    number = f"#{face['id']} " if "id" in face else ""
    score = face.get("confidence")
    share = f" {100 * score:.0f} %" if _is_sane(score) else ""
    return f"{number}{face.get('expression', '?')}{share}{_strongest(face.get('aus'), au_labels)}"


def _strongest(aus: object, au_labels: Sequence[object]) -> str:
    """The strongest Action Units of a face, in brackets."""
    if not isinstance(aus, list) or len(aus) != len(au_labels):
        return ""
    there = [(value, label) for value, label in zip(aus, au_labels, strict=True) if _is_sane(value)]
    there.sort(key=lambda each: -each[0])
    texts = [f"{label} {value:.1f}" for value, label in there[:_AUS_NAMED] if value >= _LEAST_AU]
    return f" ({', '.join(texts)})" if texts else ""


def _is_sane(value: object) -> TypeGuard[float]:
    """Whether it is a number; a whole one of four hundred digits is no float."""
    return isinstance(value, (int, float)) and abs(value) < _LARGEST


def _summary(messages: int, missed: int, unreadable: int, connections: int) -> str:
    texts = [f"{messages} message{'s' if messages != 1 else ''}"]
    texts.append(f"{missed} missed")
    texts.append(f"{unreadable} unreadable")
    if connections > 1:
        texts.append(f"{connections} connections")
    return ", ".join(texts)
