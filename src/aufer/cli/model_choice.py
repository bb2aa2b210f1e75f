"""Which model a command takes: the one that was named, or one for how its faces are measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from aufer.emotions import Emotions

if TYPE_CHECKING:
    from aufer.model import Model


def choose_model(
    ctx: click.Context, model: str | None, sources: Sequence[Path], emotions: Emotions | None
) -> Model:
    """Open the model for these faces.

    One that is not named is the workspace's newest, else the shipped one, for AUs of the measure of
    the faces: the engine's, for pictures, else the table's. An ``--engine`` that was typed asks for
    a model of AUs.

    Args:
        sources: what the model is to read; none where it brings its own.

    Raises:
        UsageError: there is no such model. DataError: it is damaged, or reads AUs of another
        measure than the engine's.
    """
    from aufer.bundle import AU_INPUT
    from aufer.classifiers.open_model import open_model

    if model is not None:
        opened = open_model(model, emotions=emotions)
        check_engine(ctx, opened, sources)
        return opened
    from aufer.openface.source_measure import holds_pictures, measure_of

    measure = measure_of(sources, ctx.params["engine"]) if sources else None
    is_typed = ctx.get_parameter_source("engine") == ParameterSource.COMMANDLINE
    wants_aus = is_typed and any(map(holds_pictures, sources))
    return open_model(emotions=emotions, reads=AU_INPUT if wants_aus else None, measure=measure)


def check_engine(ctx: click.Context, opened: Model, sources: Sequence[Path]) -> None:
    """Refuse a model of AUs of another measure than the engine's, before anything is measured.

    Raises:
        DataError: there are pictures to measure, and it is such a model.
    """
    if opened.image_input is not None:
        return
    from aufer.measures import check_measure, measure_of_engine
    from aufer.openface.source_measure import holds_pictures
    from aufer.provenance import Extractor

    if any(map(holds_pictures, sources)):
        measured = Extractor(measure=measure_of_engine(ctx.params["engine"]))
        check_measure(opened.name, opened.extractor, measured)
