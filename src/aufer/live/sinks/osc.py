"""Messages by Open Sound Control (OSC 1.0) over UDP, for programs of sound, light and pictures."""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

from aufer.errors import EnvironmentFailure, UsageError
from aufer.live.access import is_loopback
from aufer.live.listening import shown_host
from aufer.live.message import Face, Message
from aufer.live.sinks.sink import Step

log = logging.getLogger("aufer")

FRAME, FACE, SCORES, LABELS = "/aufer/frame", "/aufer/face", "/aufer/scores", "/aufer/labels"
AUS, AU_LABELS = "/aufer/aus", "/aufer/auLabels"

_LABELS_EVERY_S = 5.0
_MOST = 0x7FFFFFFF
"""What an int of OSC holds; counts begin again after it, which is years."""
_EXAMPLE = "--osc 127.0.0.1:9000"


def parse_osc_address(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT`` (the value of ``--osc``); an IPv6 address stands in brackets.

    Raises:
        UsageError: it is none.
    """
    host, colon, port = text.strip().rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if is_bracketed else host
    is_port = port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535
    if not colon or not host or not is_port or (":" in host and not is_bracketed):
        raise UsageError(f"'{text}' is no HOST:PORT to send OSC to.", hint=_EXAMPLE)
    return host, int(port)


class OscSender:
    """Sends a bundle for each message:

    - ``/aufer/frame`` seq (int), timestamp (double), faceCount (int);
    - for each face ``/aufer/face`` id, expressionIdx, expression (string), confidence (float), x,
      y, width, height (ints) and ``/aufer/scores`` id, then a float for each label;
    - ``/aufer/labels`` their names, in the first bundle and then every five seconds, as UDP loses
      packets and receivers come late;
    - where AUs are measured, for each face ``/aufer/aus`` id, auConfidence (float), then a float
      for each, and with the labels ``/aufer/auLabels`` theirs.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._client: Any = None
        self._labels_at_s: float | None = None
        self._n_sent = self._n_dropped = 0

    def start(self) -> str:
        """Find the address and open the socket.

        Raises:
            EnvironmentFailure: python-osc is missing, or nobody knows the host.
        """
        try:
            from pythonosc.udp_client import SimpleUDPClient
        except ImportError as error:
            raise EnvironmentFailure(
                f"OSC needs the package python-osc ({error}).", hint="pip install 'aufer[osc]'"
            ) from error
        try:
            # now, once: the client would ask for a name's address with each message, and wait
            address = str(
                socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0][4][0]
            )
            self._client = SimpleUDPClient(address, self._port, allow_broadcast=True)
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or error
            raise EnvironmentFailure(
                f"OSC can't be sent to {self._host}: {said}.", hint=_EXAMPLE
            ) from error
        leaves = "" if is_loopback(address) else "; they leave this machine, unencrypted"
        return f"OSC: {shown_host(self._host)}:{self._port}{leaves}"

    def send(self, step: Step) -> None:
        """Send a bundle; lost where the network takes none."""
        if self._client is None:
            return
        now_s = time.monotonic()
        with_labels = self._labels_at_s is None or now_s - self._labels_at_s >= _LABELS_EVERY_S
        try:
            self._client.send(osc_bundle(step.message, with_labels=with_labels))
        except OSError as error:  # no route, buffers full, too long for UDP: the next may pass
            if not self._n_dropped:
                said = error.strerror or error
                log.warning(
                    f"OSC to {shown_host(self._host)}:{self._port} fails: {said}; going on."
                )
            self._n_dropped += 1
            return
        if with_labels:
            self._labels_at_s = now_s
        self._n_sent += 1

    def close(self) -> None:
        """Close the socket."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def summary(self) -> str | None:
        """How many were sent."""
        failed = f", {self._n_dropped} could not be sent" if self._n_dropped else ""
        return f"OSC: {self._n_sent} messages{failed}"


def osc_bundle(message: Message, *, with_labels: bool = False) -> Any:
    """A message as python-osc's `OscBundle`, to be taken at once."""
    from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder

    bundle = OscBundleBuilder(IMMEDIATELY)
    if with_labels:
        words = message.expressions.words
        bundle.add_content(_osc_message(LABELS, "s" * len(words), words))
        if units := message.units.labels:
            bundle.add_content(_osc_message(AU_LABELS, "s" * len(units), units))
    facts = (message.seq & _MOST, message.timestamp, len(message.faces))
    bundle.add_content(_osc_message(FRAME, "idi", facts))
    for face in message.faces:
        bundle.add_content(_osc_message(FACE, "iisfiiii", _face_values(face, message)))
        types = "i" + "f" * len(face.scores)
        bundle.add_content(_osc_message(SCORES, types, (face.id & _MOST, *face.scores)))
        if (aus := face.aus) is not None:
            values = (face.id & _MOST, aus.confidence, *aus.values)
            bundle.add_content(_osc_message(AUS, "if" + "f" * len(aus.values), values))
    return bundle.build()


def _osc_message(address: str, types: str, values: tuple[Any, ...]) -> Any:
    """The types are said: left to guess, 1.0 would be a float and 1 an int, frame by frame."""
    from pythonosc.osc_message_builder import OscMessageBuilder

    message = OscMessageBuilder(address)
    for type_tag, value in zip(types, values, strict=True):
        message.add_arg(value, type_tag)
    return message.build()


def _face_values(face: Face, message: Message) -> tuple[Any, ...]:
    expressions, box = message.expressions, face.box
    return (
        face.id & _MOST,
        expressions.numbers[face.expression],
        expressions.words[face.expression],
        face.confidence,
        *(min(side, _MOST) for side in (box.x, box.y, box.width, box.height)),
    )
