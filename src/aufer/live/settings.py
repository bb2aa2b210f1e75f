"""What a live session can be told: the options of `aufer live`, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aufer.errors import UsageError
from aufer.live.recording_folder import MESSAGES_NAME, NAMES
from aufer.measures import BUILTIN

UNITY_V1 = "unity-v1"
STDOUT = "stdout"
BENCHMARK_S = 10.0


@dataclass(frozen=True)
class Settings:
    """Where frames come from, what is done with them, and where messages go.

    Attributes:
        source: a video file, a folder of pictures, an address, or ``-``; None: the camera.
        camera: its number; None is 0. loop: play a video or a recording again and again.
        every_frame: drop none of a video's, and don't wait for its time.
        fps: at most so many frames per second. mirror: flip them.
        listen_frames: the port at which a program hands over JPEGs. duration: seconds, then stop.
        model: a bundle of pictures, or of AUs that the engine ``builtin`` measures.
        engine: ``builtin`` measures AUs, the only one that can here; None: where the model needs
            them. au_net: the folder of its network.
        detector: ``haar``, ``yunet`` or ``whole``. yunet: its file.
        min_face: pixels. smooth: seconds that scores are smoothed over; 0: not.
        host, port, token, max_clients: of the TCP server; no_server: none. compat: `UNITY_V1`.
        outs: `STDOUT`, FILE.jsonl, FILE.csv. websocket: port. osc: ``HOST:PORT``. lsl: name.
        window, web: show the picture, there at web_port.
        record: the folder that keeps the messages, and with save_video the pictures.
        replay: a recording to play instead. benchmark: measure. force: replace files.
    """

    source: str | None = None
    camera: int | None = None
    loop: bool = False
    every_frame: bool = False
    fps: float | None = None
    mirror: bool = False
    listen_frames: int | None = None
    duration: float | None = None
    model: str | None = None
    engine: str | None = None
    au_net: Path | None = None
    detector: str = "haar"
    yunet: Path | None = None
    min_face: int = 30
    smooth: float = 0.0
    host: str = "127.0.0.1"
    port: int = 5000
    no_server: bool = False
    token: str | None = None
    max_clients: int = 64
    compat: str | None = None
    outs: tuple[str, ...] = ()
    websocket: int | None = None
    osc: str | None = None
    lsl: str | None = None
    window: bool = False
    web: bool = False
    web_port: int = 8000
    record: Path | None = None
    save_video: bool = False
    replay: Path | None = None
    benchmark: bool = False
    force: bool = False

    def check(self) -> None:
        """Refuse what can't go together.

        Raises:
            UsageError: it says what to leave away.
        """
        sources = {
            "SOURCE": self.source is not None,
            "--camera": self.camera is not None,
            "--listen-frames": self.listen_frames is not None,
            "--replay": self.replay is not None,
        }
        named = [name for name, is_given in sources.items() if is_given]
        if len(named) > 1:
            raise UsageError(
                f"{' and '.join(named)} are sources both; there is one.",
                hint="leave all of them away but one",
            )
        is_camera = named in ([], ["--camera"])
        for wrong, message, hint in (
            (
                self.loop and (is_camera or self.listen_frames is not None),
                "--loop plays a video or a recording again; a camera has no end.",
                "name a video: aufer live party.mp4 --loop",
            ),
            (
                self.every_frame and is_camera,
                "--every-frame is for files; a camera doesn't wait.",
                "leave --every-frame away",
            ),
            (
                self.save_video and self.record is None,
                "--save-video belongs to --record.",
                "name the folder too: --record recording --save-video",
            ),
            (
                self.compat is not None and self.no_server,
                "--compat is about the TCP server, and --no-server wants none.",
                "leave one of them away",
            ),
            (
                self.yunet is not None and self.detector != "yunet",
                f"--yunet names YuNet's file, and the detector is {self.detector}.",
                f"--detector yunet --yunet {self.yunet}",
            ),
            (
                self.engine not in (None, BUILTIN),
                f"--engine {self.engine} can't measure live: OpenFace measures files by the "
                "batch, and takes seconds to start; aufer's own network measures each frame.",
                f"aufer live --engine {BUILTIN}",
            ),
            (
                self.replay is not None
                and bool(self.mirror or self.every_frame or self.fps is not None),
                "--replay plays messages as they were recorded: --mirror, --fps and --every-frame "
                "change nothing there.",
                "leave them away",
            ),
            (
                self.replay is not None and self._writes_into(self.replay),
                f"{self.replay} is played, and can't be written to at the same time.",
                "choose another place for --record or --out",
            ),
            (
                self.record is not None
                and self.source is not None
                and Path(self.source).resolve() in (self.record.resolve() / n for n in NAMES),
                f"A recording in {self.record} would replace {self.source}, which is played.",
                "choose another place for --record",
            ),
            (
                len({out if out == STDOUT else Path(out).resolve() for out in self._files_too})
                < len(self._files_too),
                "Two of --out and --record write the same file.",
                "leave one of them away",
            ),
            (
                self.benchmark and self.replay is not None,
                "--benchmark measures finding and reading faces; a replay does neither.",
                "name a video: aufer live party.mp4 --benchmark",
            ),
            (
                self.no_server and not self.has_sink and not self.benchmark,
                "With --no-server, nobody would hear of any face.",
                "write it somewhere: --out stdout, or leave --no-server away",
            ),
        ):
            if wrong:
                raise UsageError(message, hint=hint)

    @property
    def has_sink(self) -> bool:
        """Whether messages go anywhere, the TCP server aside."""
        ports = (self.websocket, self.osc, self.lsl, self.record)
        return bool(self.outs or self.window or self.web) or any(p is not None for p in ports)

    @property
    def _files_too(self) -> tuple[str, ...]:
        """Everything that messages are written to."""
        recorded = () if self.record is None else (str(self.record / MESSAGES_NAME),)
        return (*self.outs, *recorded)

    def _writes_into(self, folder: Path) -> bool:
        played = folder.resolve()
        written = [Path(out) for out in self.outs if out != STDOUT]
        written += [self.record] if self.record is not None else []
        return any(played in (path.resolve(), *path.resolve().parents) for path in written)
