"""A live session: a source, its faces, and all that hear of them, opened and closed in order."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aufer.live.event_loop import EventLoop
from aufer.live.loop import run, watch
from aufer.live.parts import About, make_reader, make_readers, make_sinks, make_watcher
from aufer.live.settings import BENCHMARK_S, STDOUT, Settings
from aufer.live.sinks.sink import Sink, Step, counted

if TYPE_CHECKING:
    from aufer.live.benchmark import Benchmark
    from aufer.live.newest import FrameReader
    from aufer.live.sinks.tcp import TcpServer
    from aufer.live.watcher import Watcher


class Session:
    """Live, as `Settings` say.

    Usage::

        with Session(Settings(source="party.mp4", outs=("party.csv",), no_server=True)) as session:
            session.run()

    Attributes:
        settings: what was asked. n_steps: frames that were dealt with.
        n_unreadable: pictures of a folder that could not be read; known after `close`.
    """

    def __init__(self, settings: Settings) -> None:
        settings.check()
        self.settings = settings
        self.n_steps = 0
        self.n_unreadable = 0
        self._loop = EventLoop()
        self._reader: FrameReader | None = None
        self._watcher: Watcher | None = None
        self._sinks: list[Sink] = []
        self._server: TcpServer | None = None
        self._benchmark: Benchmark | None = None
        self._on_idle: Callable[[], None] = lambda: None

    def __enter__(self) -> Session:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> list[str]:
        """Open the source, then all else. Gives the lines that say what is on.

        Raises:
            AuferError: something can't be opened; what was open is closed again.
        """
        try:
            about = self._open_recording() if self.settings.replay else self._open_source()
            lines = [f"{about.source} → {about.model}", *about.lines, *self._start_sinks(about)]
        except BaseException:
            self.close()
            raise
        return lines

    def run(self, on_step: Callable[[Step], None] = lambda step: None) -> None:
        """Go on until the source ends, the time is over, or somebody wants the end.

        Args:
            on_step: told each step when it is sent.
        """

        def sent(step: Step, send_s: float) -> None:
            if self._watcher is not None:
                self._watcher.stages.add("send", send_s)
            on_step(step)

        run(self.steps(), self._sinks, sent)

    def steps(self) -> Iterator[Step]:
        """The frames and what is said of each, for those who send them themselves."""
        for step in self._unsent_steps():
            self.n_steps += 1
            if self._benchmark is not None:
                self._benchmark.expect(step)
            yield step

    def close(self) -> list[str]:
        """Release the source, then end the sinks; gives the lines that say what was done."""
        reader, self._reader = self._reader, None
        n_dropped = reader.dropped if reader else 0  # the one that waits now is not
        sinks, self._sinks = self._sinks, []
        with ExitStack() as closing:  # backwards, and each whatever the others raise
            closing.callback(self._loop.close)
            for sink in sinks:
                closing.callback(sink.close)
            if self._benchmark is not None:
                closing.callback(self._benchmark.close)
            if reader is not None:
                closing.callback(reader.close)
        if reader is not None:
            self.n_unreadable = getattr(reader.source, "n_unreadable", 0)
            frames = self._about_frames(reader, n_dropped)
        elif sinks:
            frames = f"{counted(self.n_steps, 'message')} played"
        else:
            return []
        return [frames, *filter(None, (sink.summary() for sink in sinks))]

    def figures(self) -> dict[str, Any]:
        """What ``--benchmark`` measured: plain JSON."""
        if self._benchmark is None or self._reader is None:
            raise ValueError("nothing was measured")
        return self._benchmark.facts(self._reader.dropped)

    def _open_source(self) -> About:
        settings = self.settings
        # it takes as long as the source; and where Ctrl-C comes while packages are imported in the
        # main thread, some end with an ImportError
        with ThreadPoolExecutor(1, "model") as loading:
            opened = loading.submit(make_readers, settings)
            reader = self._reader = make_reader(settings)
            reader.start()
            readers = opened.result()
        self._watcher = make_watcher(settings, reader.source, readers)
        source = reader.source
        return About(
            source=source.title,
            model=readers.model.name,
            expressions=readers.recognizer.expressions,
            units=readers.units,
            lines=tuple(readers.about_aus()),
            frames_per_s=source.frames_per_s,
            waits=not source.is_live and (settings.every_frame or not source.frames_per_s),
        )

    def _open_recording(self) -> About:
        from aufer.live.recording_folder import open_recording

        assert self.settings.replay is not None
        recording = open_recording(self.settings.replay)
        return About(
            source=recording.title,
            model=str(recording.facts.get("model", "unknown model")),
            expressions=recording.expressions,
            units=recording.units,
        )

    def _start_sinks(self, about: About) -> list[str]:
        settings = self.settings
        sinks = make_sinks(settings, self._loop, about, lambda: self._facts(about))
        self._sinks, self._server = sinks.all, sinks.server
        if sinks.window is not None:
            self._on_idle = sinks.window.poll
        lines = [sink.start() for sink in self._sinks]
        if settings.benchmark and self._watcher is not None:
            from aufer.live.benchmark import Benchmark

            self._benchmark = Benchmark(
                self._watcher.stages, self._server, settings.host, settings.token
            )
        return [*lines, self._about_privacy()]

    def _unsent_steps(self) -> Iterator[Step]:
        settings = self.settings
        if settings.replay is not None:
            from aufer.live.replay import replay

            started_s, is_over = time.perf_counter(), threading.Event()

            def look_at_the_clock() -> None:
                self._on_idle()
                if time.perf_counter() - started_s >= (settings.duration or math.inf):
                    is_over.set()

            for step in replay(
                settings.replay, loop=settings.loop, stop=is_over, on_idle=look_at_the_clock
            ):
                yield step
                look_at_the_clock()
            return
        assert self._reader is not None
        assert self._watcher is not None
        duration_s = settings.duration or (BENCHMARK_S if settings.benchmark else None)
        yield from watch(self._reader, self._watcher, duration_s=duration_s, on_idle=self._on_idle)

    def _facts(self, about: About) -> dict[str, Any]:
        """What the page shows, each second anew."""
        reader, watcher = self._reader, self._watcher
        is_lost = reader is not None and reader.is_lost
        found_by = f", faces by {watcher.finder.title}" if watcher is not None else ""
        return {
            "title": about.source + (" (dropped out)" if is_lost else ""),
            "model": about.model + found_by,
            "clients": self._server.n_clients if self._server else 0,
            "dropped": reader.dropped if reader is not None else 0,
            "recording": self._about_recording(),
        }

    def _about_recording(self) -> str:
        settings = self.settings
        return "" if settings.record is None else "video" if settings.save_video else "messages"

    def _about_privacy(self) -> str:
        """What is kept and what leaves the machine: said at every start."""
        settings = self.settings
        kept = [out for out in settings.outs if out != STDOUT]
        if settings.record is not None:
            what = "messages and video" if settings.save_video else "messages"
            kept.append(f"{what} in {settings.record}")
        return f"kept: {', '.join(kept) or 'nothing'}; no picture leaves this machine"

    def _about_frames(self, reader: FrameReader, n_dropped: int) -> str:
        texts = [counted(self.n_steps, "frame")]
        if n_dropped:
            texts.append(f"{n_dropped} dropped as newer ones were there")
        if reader.reopened:
            texts.append(f"the source opened again {counted(reader.reopened, 'time')}")
        if self._watcher is not None:
            watcher = self._watcher
            n_faces = watcher.tracker.n_seen if watcher.is_series else watcher.n_faces
            texts.append(counted(n_faces, "face"))
        return ", ".join(texts)
