"""The engine ``builtin``: aufer's own network, which approximates OpenFace's AUs. No OpenFace.

It runs `aufer.au_net.program` as a process, which behaves as FaceLandmarkImg does; so a picture
that ends it costs only itself, and several use as many cores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aufer
from aufer.au_net.program import MODULE, NETWORK_FLAG
from aufer.errors import EnvironmentFailure
from aufer.measures import BUILTIN
from aufer.openface.capacity import local_capacity
from aufer.openface.engine import Capacity, EngineRun, flags_text, program_arguments
from aufer.openface.process import CannotStart, run_process
from aufer.progress import Progress
from aufer.provenance import MEASURE_AU_NET, Extractor

if TYPE_CHECKING:
    from aufer.au_net.network import AuNet


class BuiltinEngine:
    """Measures with an AU network, in processes of this Python."""

    name = BUILTIN
    limits_memory = False

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: of the network; see `aufer.au_net.network.find_folder`."""
        self._folder = folder
        self._network: AuNet | None = None

    def _open(self) -> AuNet:
        from aufer.au_net.network import AuNet, find_folder

        if self._network is None:
            self._network = AuNet(find_folder(self._folder).resolve())
        return self._network

    def check(self) -> None:
        """See `Engine.check`; `DataError` if the network's files were changed."""
        self._open()

    def prepare(self, progress: Progress) -> None:
        """Nothing is missing once `check` passed."""

    def extractor(self) -> Extractor:
        """See `Engine.extractor`; the network is known by the sha256 of its description."""
        from aufer.au_net.network import METHOD

        network = self._open()
        return Extractor(
            measure=MEASURE_AU_NET,
            engine=self.name,
            binary=network.sha256,
            model=f"{network.name}, method {METHOD}",
            flags=flags_text(()),
            enlarge="off",
        )

    def capacity(self) -> Capacity:
        """See `Engine.capacity`."""
        return local_capacity()

    def run(
        self,
        input_folder: Path,
        output_folder: Path,
        *,
        annotated: bool = False,
        memory_bytes: int = 0,
        on_start: Callable[[str], None] = lambda command: None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> EngineRun:
        """See `Engine.run`. ``memory_bytes`` is passed over: there is no limit."""
        network = ["-m", MODULE, NETWORK_FLAG, str(self._open().folder)]
        places = [str(path.resolve()) for path in (input_folder, output_folder)]
        command = [sys.executable, *network]
        command += program_arguments(places[0], places[1], (), annotated=annotated)
        # there this package is found, and nothing of the user's takes the place of another
        folder = Path(aufer.__file__).resolve().parents[1]
        try:
            return run_process(command, folder, on_start=on_start, on_poll=on_poll)
        except CannotStart as error:
            raise EnvironmentFailure(
                f"{sys.executable} can't be started: {error.strerror}.",
                hint="is this Python still installed? Install aufer again",
            ) from error

    def close(self) -> None:
        """Nothing is open between runs."""
