"""What a sink is: somewhere that messages go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aufer.live.frame import Frame
from aufer.live.message import Message


class StopAsked(Exception):
    """Somebody who looks on wants the end: ``q`` in the window."""


@dataclass(frozen=True)
class Step:
    """A frame that was dealt with.

    Attributes:
        message: what is said of it.
        frame: the frame, for those that show it; None in a replay without its video.
    """

    message: Message
    frame: Frame | None = None


class Sink(Protocol):
    """Somewhere that messages go. All calls come from one thread."""

    def start(self) -> str:
        """Begin; before the first message. Gives the line that tells the user what is on.

        Raises:
            EnvironmentFailure: a port is taken, a package is missing, a file can't be written.
        """

    def send(self, step: Step) -> None:
        """Take a step; never waits for anybody: who is behind loses the oldest.

        Raises:
            StopAsked: the end is wanted.
        """

    def close(self) -> None:
        """End in order; also where `start` failed or never came."""

    def summary(self) -> str | None:
        """A line for the end, after `close`: what was sent and what was dropped; None for none."""


def counted(n: int, what: str) -> str:
    """A number of things: "1 client", "2 clients"."""
    return f"{n} {what}{'' if n == 1 else 's'}"
