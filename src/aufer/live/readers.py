"""What a session reads faces with, by its settings: a model, and where AUs are wanted, their
network."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aufer.bundle import AU_INPUT, IMAGE_INPUT, Bundle
from aufer.live.au_reader import AuReader, open_au_reader
from aufer.live.au_recognizer import AuRecognizer
from aufer.live.recognizer import Recognizer
from aufer.live.running_model import open_live_model
from aufer.live.settings import Settings
from aufer.live.units import NO_UNITS, Units
from aufer.measures import APPROXIMATES, BUILTIN
from aufer.provenance import MEASURE_AU_NET

log = logging.getLogger("aufer")


@dataclass(frozen=True)
class Readers:
    """What faces are read with.

    Attributes:
        recognizer: says which expression they show. aus: measures their AUs; None for not.
    """

    recognizer: Recognizer | AuRecognizer
    aus: AuReader | None = None

    @property
    def model(self) -> Bundle:
        """The bundle that is asked."""
        return self.recognizer.model

    @property
    def units(self) -> Units:
        """The AUs that are measured."""
        return NO_UNITS if self.aus is None else self.aus.units

    def about_aus(self) -> list[str]:
        """What is said of them at the start."""
        if self.aus is None:
            return []
        return [
            f"AUs: {len(self.units.labels)} intensities by aufer's own network "
            f"({self.aus.network.name}), which {APPROXIMATES}; never mix the two"
        ]

    def warm_up(self) -> None:
        """Open the networks now, so that the first face does not wait for them."""
        self.recognizer.warm_up()
        if self.aus is not None:
            self.aus.warm_up()


def open_readers(settings: Settings) -> Readers:
    """Open them; TensorFlow is never imported.

    A bundle that reads AUs brings the AU network with it; with ``engine`` a model of pictures has
    it beside.

    Raises:
        UsageError: no such model; AUs can't be measured so. EnvironmentFailure: the AU network is
            missing. DataError: something is damaged, or the model reads other AUs.
    """
    with_aus = settings.engine == BUILTIN
    if settings.model is None and with_aus:
        model = open_live_model(None, reads=AU_INPUT, measure=MEASURE_AU_NET)
    else:
        model = open_live_model(settings.model, reads=IMAGE_INPUT)
    reads_aus = model.image_input is None
    if not (with_aus or reads_aus):
        if settings.au_net is not None:
            log.warning(
                f"No AUs are measured, whatever --au-net says: the model {model.name} reads "
                f"pictures. With --engine {BUILTIN} they are, beside it."
            )
        return Readers(Recognizer(model))
    aus = open_au_reader(settings.au_net, settings.detector)
    return Readers(AuRecognizer(model, aus.network) if reads_aus else Recognizer(model), aus)
