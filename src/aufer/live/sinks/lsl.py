"""Messages as a stream of the Lab Streaming Layer (LSL), in time with a laboratory's other ones."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import time
from pathlib import Path
from typing import Any

from aufer.errors import EnvironmentFailure
from aufer.live.expressions import Expressions
from aufer.live.frame import Frame
from aufer.live.message import AU_CONFIDENCE, Message
from aufer.live.sinks.sink import Step
from aufer.live.units import NO_UNITS, Units

STREAM_TYPE = "Expression"
OWN_CHANNELS = (
    ("id", "count"),
    ("x", "pixels"),
    ("y", "pixels"),
    ("width", "pixels"),
    ("height", "pixels"),
)
"""Label and unit of the first channels, of the largest face. Then one for each expression, by its
name: its probability; then, where AUs are measured, one for each, and `AU_CONFIDENCE`."""

_KEPT = 36  # hundreds of samples that wait for a recorder that hangs: two minutes


class LslOutlet:
    """An outlet of irregular rate with one float32 sample a message, of the largest face; all NaN
    where there is none. A sample's time is its frame's, on LSL's clock."""

    def __init__(self, name: str, expressions: Expressions, units: Units = NO_UNITS) -> None:
        """Args: name: of the stream. expressions: of the model. units: what is measured."""
        self._name = name
        self._units = units
        self._expressions = expressions
        self._pylsl: Any = None
        self._outlet: Any = None
        self._n = 0

    def start(self) -> str:
        """Make the outlet: from now on it is found.

        Raises:
            EnvironmentFailure: pylsl is missing, or the library that it needs.
        """
        self._pylsl = _load_pylsl()
        try:
            self._outlet = self._pylsl.StreamOutlet(self._description(), max_buffered=_KEPT)
        except (RuntimeError, ValueError, OSError) as error:
            raise EnvironmentFailure(
                f"The LSL stream '{self._name}' can't be opened: {error}."
            ) from error
        return (
            f"LSL: the stream '{self._name}' (type {STREAM_TYPE}), announced in the local network; "
            "whoever is in it can read it"
        )

    def send(self, step: Step) -> None:
        """Push a sample."""
        if self._outlet is None:
            return
        taken_at_s = self._pylsl.local_clock() - _age_s(step.frame)
        self._outlet.push_sample(sample_of(step.message), taken_at_s)
        self._n += 1

    def close(self) -> None:
        """Take the stream away."""
        self._outlet = None  # pylsl's outlets end with their object

    def summary(self) -> str | None:
        """How many samples there were."""
        return f"LSL: {self._n} samples"

    def _description(self) -> Any:
        channels = self._channels()
        info = self._pylsl.StreamInfo(
            self._name,
            STREAM_TYPE,
            len(channels),
            self._pylsl.IRREGULAR_RATE,
            self._pylsl.cf_float32,
            # the same after a restart: recorders take up the stream again
            f"aufer:{platform.node()}:{self._name}",
        )
        described = info.desc().append_child("channels")
        for label, unit in channels:
            channel = described.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", STREAM_TYPE)
        info.desc().append_child("acquisition").append_child_value("software", "aufer")
        return info

    def _channels(self) -> list[tuple[str, str]]:
        """Label and unit of each."""
        expressions = ((name, "probability") for name in self._expressions.names)
        if not self._units:
            return [*OWN_CHANNELS, *expressions]
        aus = ((label, f"intensity 0-5, {self._units.measure}") for label in self._units.labels)
        return [*OWN_CHANNELS, *expressions, *aus, (AU_CONFIDENCE, "0-1")]


def sample_of(message: Message) -> list[float]:
    """The channels of a message."""
    if not message.faces:
        n_aus = len(message.units.labels) + 1 if message.units else 0
        return [math.nan] * (len(OWN_CHANNELS) + len(message.expressions.names) + n_aus)
    face = message.faces[0]
    box = face.box
    own = (face.id, box.x, box.y, box.width, box.height)
    aus = () if face.aus is None else (*face.aus.values, face.aus.confidence)
    return [float(value) for value in (*own, *face.scores, *aus)]


def _age_s(frame: Frame | None) -> float:
    """How long ago the frame was read; a replay without pictures is of now."""
    return 0.0 if frame is None else max(0.0, time.perf_counter() - frame.read_at_s)


def _load_pylsl() -> Any:
    try:
        import pylsl
    except ImportError as error:
        raise EnvironmentFailure(
            f"LSL needs the package pylsl ({error}).", hint="pip install 'aufer[lsl]'"
        ) from error
    except (RuntimeError, OSError) as error:  # it looks for the library when it is imported
        raise EnvironmentFailure(
            "The package pylsl finds no library liblsl on this system, nor does the environment "
            "variable PYLSL_LIB name one.",
            hint="conda install -c conda-forge liblsl",
        ) from error
    if not _has_own_settings():
        with contextlib.suppress(AttributeError, NotImplementedError):  # older ones
            pylsl.set_config_content("[log]\nlevel = -2\n")  # errors only: stderr is ours
    return pylsl


def _has_own_settings() -> bool:
    """Whether the user set LSL up: then all of it is theirs."""
    places = (Path("lsl_api.cfg"), Path("~/lsl_api/lsl_api.cfg"), Path("/etc/lsl_api/lsl_api.cfg"))
    try:
        return "LSLAPICFG" in os.environ or any(path.expanduser().exists() for path in places)
    except (OSError, RuntimeError):  # no home
        return False
