"""Ctrl-C while a model is trained: the first stops the training, no second one loses the model."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

log = logging.getLogger("aufer")

WRITING = "Ctrl-C: finishing; this takes a few seconds more"


class CtrlC:
    """A context in which the first Ctrl-C raises KeyboardInterrupt, or is noted and answered after
    `hold`; every later one is passed over.

    Outside the main thread, or where somebody else handles SIGINT, it changes nothing.

    Attributes:
        pressed: whether Ctrl-C came.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._held = False
        self._reason = WRITING
        self._before: Any = None

    def __enter__(self) -> CtrlC:
        """Take over from Python's own handler."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the handler back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def hold(self, reason: str = WRITING) -> None:
        """From now on let nothing stop the work.

        Args:
            reason: what to say when Ctrl-C comes.
        """
        self._reason = reason
        self._held = True

    def let_go(self) -> None:
        """End `hold`; what was pressed meanwhile counts now."""
        self._held = False
        self.raise_if_pressed()

    def raise_if_pressed(self) -> None:
        """Raise the KeyboardInterrupt again that was held back, or swallowed by a library."""
        if self.pressed and not self._held:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        # more signals would interrupt TensorFlow's own threads too, which can end the process
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not self._held:
            raise KeyboardInterrupt
        if self._reason:
            with suppress(RuntimeError):  # a print to stderr was under way just now
                log.warning(self._reason)
