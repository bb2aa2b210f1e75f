"""What a session is made of, by its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aufer.live.expressions import Expressions
from aufer.live.finding.choose import make_finder
from aufer.live.finding.smoothing import Smoother
from aufer.live.newest import FrameReader
from aufer.live.readers import Readers, open_readers
from aufer.live.settings import UNITY_V1, Settings
from aufer.live.sinks.sink import Sink
from aufer.live.sources.choose import choose_source
from aufer.live.sources.source import Source
from aufer.live.units import NO_UNITS, Units
from aufer.live.watcher import Watcher

if TYPE_CHECKING:
    from aufer.live.event_loop import EventLoop
    from aufer.live.sinks.tcp import TcpServer
    from aufer.live.sinks.window import Window


def make_reader(settings: Settings) -> FrameReader:
    """The source, and the thread that reads it; not started."""
    source = choose_source(
        settings.source,
        camera=settings.camera or 0,
        loop=settings.loop or settings.benchmark,
        fps=settings.fps,
        listen_frames=settings.listen_frames,
        host=settings.host,
        token=settings.token,
        every_frame=settings.every_frame,
    )
    at_full_speed = settings.benchmark and settings.fps is None and not source.is_live
    return FrameReader(
        source,
        every_frame=settings.every_frame or at_full_speed,
        fps=settings.fps,
        mirror=settings.mirror,
        play_at_rate=not at_full_speed,
    )


def make_readers(settings: Settings) -> Readers:
    """What faces are read with; its networks are open."""
    readers = open_readers(settings)
    readers.warm_up()
    return readers


def make_watcher(settings: Settings, source: Source, readers: Readers) -> Watcher:
    """What finds faces and has them read."""
    smooth_s = settings.smooth if source.is_series else 0.0
    return Watcher(
        finder=make_finder(
            settings.detector,
            yunet=settings.yunet,
            min_face=settings.min_face,
            every_frame_anew=not source.is_series,
        ),
        recognizer=readers.recognizer,
        au_reader=readers.aus,
        smoother=Smoother(smooth_s),
        au_smoother=Smoother(smooth_s),
        is_series=source.is_series,
        by_taken_at=settings.every_frame,
    )


@dataclass(frozen=True)
class About:
    """What sinks know of the session.

    Attributes:
        source, model: what they are called. expressions: what can be answered.
        units: the AUs that are measured. lines: what else is said at the start.
        frames_per_s: the source's rate, where it has one. waits: whether the source waits for us,
            so that no message needs to be lost.
    """

    source: str
    model: str
    expressions: Expressions
    units: Units = NO_UNITS
    lines: tuple[str, ...] = ()
    frames_per_s: float | None = None
    waits: bool = False


@dataclass
class Sinks:
    """All sinks of a session, in the order in which they start.

    Attributes:
        all: every one. server: the TCP server among them. window: the window among them.
    """

    all: list[Sink] = field(default_factory=list)
    server: TcpServer | None = None
    window: Window | None = None


def make_sinks(
    settings: Settings, loop: EventLoop, about: About, facts: Callable[[], dict[str, Any]]
) -> Sinks:
    """All that hear of faces; not started. What an extra package is for is imported only if asked.

    Args:
        facts: what the page shows besides.

    Raises:
        UsageError: an option's value means nothing.
    """
    sinks = Sinks()
    if not settings.no_server:
        from aufer.live.sinks.tcp import TcpServer

        sinks.server = TcpServer(
            loop,
            host=settings.host,
            port=settings.port,
            token=settings.token,
            most_clients=settings.max_clients,
            unity_v1=settings.compat == UNITY_V1,
        )
        sinks.all.append(sinks.server)
    sinks.all += _other_servers(settings, loop, facts)
    for out in settings.outs:
        from aufer.live.sinks.text import text_sink

        sinks.all.append(text_sink(out, force=settings.force, may_wait=about.waits))
    if settings.osc is not None:
        from aufer.live.sinks.osc import OscSender, parse_osc_address

        sinks.all.append(OscSender(*parse_osc_address(settings.osc)))
    if settings.lsl is not None:
        from aufer.live.sinks.lsl import LslOutlet

        sinks.all.append(LslOutlet(settings.lsl, about.expressions, about.units))
    if settings.record is not None:
        from aufer.live.sinks.recording import Recorder

        sinks.all.append(
            Recorder(
                settings.record,
                source=about.source,
                model=about.model,
                save_video=settings.save_video,
                frames_per_s=about.frames_per_s,
                force=settings.force,
            )
        )
    if settings.window:
        from aufer.live.sinks.window import Window

        sinks.window = Window()
        sinks.all.append(sinks.window)
    return sinks


def _other_servers(
    settings: Settings, loop: EventLoop, facts: Callable[[], dict[str, Any]]
) -> list[Sink]:
    found: list[Sink] = []
    if settings.websocket is not None:
        from aufer.live.sinks.websocket import WebSocketServer

        found.append(
            WebSocketServer(
                loop,
                host=settings.host,
                port=settings.websocket,
                token=settings.token,
                most_clients=settings.max_clients,
            )
        )
    if settings.web:
        from aufer.live.sinks.web_page import WebPage

        found.append(WebPage(loop, port=settings.web_port, facts=facts))
    return found
