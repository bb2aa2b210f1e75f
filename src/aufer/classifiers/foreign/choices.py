"""What a foreign file doesn't say, put together from presets, labels.txt and the user's options."""

from __future__ import annotations

from aufer.classifiers.foreign.labels import LABELS_NAME, read_labels, to_emotions
from aufer.classifiers.foreign.original import Original
from aufer.classifiers.foreign.presets import SCALES, TEACHABLE_MACHINE, Preset, Scale
from aufer.classifiers.foreign.source import Source
from aufer.emotions import DEFAULT_NAMES, Emotions
from aufer.errors import DataError, UsageError
from aufer.image_input import STRETCH, ImageInput


def name_outputs(
    source: Source, preset: Preset | None, emotions: Emotions | None
) -> tuple[Emotions, list[str]]:
    """The emotions of the outputs, and the words of labels.txt.

    Args:
        preset: what the model is known to be. emotions: those that the user names.

    Raises:
        UsageError: nobody says them, or they contradict the preset. DataError: labels.txt is
        missing or damaged, or has words that are no emotions.
    """
    words = read_labels(source.labels) if source.labels is not None else []
    if preset is not None and preset.emotions is not None:
        if emotions is not None and emotions.names != preset.emotions.names:
            raise UsageError(
                f"The outputs of {source.model.name} ({preset.title}) are {preset.emotions}, not "
                f"{emotions}.",
                hint="leave --emotions away",
            )
        return preset.emotions, words
    if emotions is not None:
        if words and len(words) != len(emotions):
            raise DataError(
                f"{LABELS_NAME} has {len(words)} labels ({', '.join(words)}), and {len(emotions)} "
                f"emotions are named: {emotions}.",
                hint="name one emotion for each label, in their order: --emotions a,b,c",
            )
        return emotions, words
    if words:
        return to_emotions(words, LABELS_NAME), words
    if source.is_export:
        raise DataError(
            f"{source.given} lacks {LABELS_NAME}: which emotion is which output, nobody says.",
            hint="put it back, or name the outputs in order: --emotions happy,sad,…",
        )
    raise UsageError(
        f"{source.model.name} doesn't say which emotions its outputs are.",
        hint=f"name them in order: --emotions {','.join(DEFAULT_NAMES)}",
    )


def wrong_number(source: Source, n_outputs: int, named: Emotions, *, has_labels: bool) -> DataError:
    """The error about a model that has more or fewer outputs than there are names for them.

    Args:
        has_labels: whether the names are those of labels.txt.
    """
    where = f"{LABELS_NAME} has" if has_labels else "there are"
    return DataError(
        f"{source.model.name} has {n_outputs} outputs, and {where} {len(named)} names for them: "
        f"{named}.",
        hint=f"name them in order, all {n_outputs}: --emotions a,b,…",
    )


def check_options(preset: Preset | None, scale: str | None, fit: str | None, where: str) -> None:
    """Raise `UsageError` where the user's options contradict what a model is known to want."""
    if preset is None:
        return
    for option, asked, known in (("--scale", scale, preset.scale), ("--fit", fit, preset.fit)):
        if asked is not None and asked != known:
            raise UsageError(
                f"{where} ({preset.title}) was trained with {option} {known}, not {asked}.",
                hint=f"leave {option} away",
            )


def choose_input(
    original: Original, preset: Preset | None, scale: str | None, fit: str | None, where: str
) -> tuple[ImageInput | None, Scale | None]:
    """The pictures that a model takes, and what their values become for it; None for AUs.

    Args:
        scale, fit: what the user names. where: the file's name, for messages.

    Raises:
        UsageError: nobody says the scale, or it is for other pictures. DataError: the model takes
        something else than the preset's.
    """
    if not original.is_of_pictures:
        named = {"--scale": scale, "--fit": fit, "--preset": preset and preset.name}
        wrong = [option for option, value in named.items() if value is not None]
        if wrong:
            raise UsageError(
                f"{where} takes the 17 AU intensities; {wrong[0]} is for models of pictures.",
                hint=f"leave {wrong[0]} away",
            )
        return None, None
    height, width, channels = original.shape
    if preset is None:
        if scale is None:
            raise UsageError(
                f"Which values {where} was trained on, it doesn't say; the wrong ones cost many "
                "points.",
                hint="say what 0-255 became: --scale 0-1, -1-1, 0-255 or imagenet",
            )
        picture = ImageInput(width, height, channels, fit or STRETCH)
        return picture, _fitting(SCALES[scale], channels)
    if (width, height, channels) not in preset.inputs:
        known = " or ".join("x".join(map(str, one)) for one in preset.inputs)
        raise DataError(
            f"{where} takes pictures of {width}x{height}x{channels}; {preset.title}: {known}.",
            hint="without a preset: rename keras_model.h5, and say --emotions and --scale"
            if preset is TEACHABLE_MACHINE
            else "without --preset: say --emotions and --scale",
        )
    return ImageInput(width, height, channels, preset.fit), SCALES[preset.scale]


def _fitting(scale: Scale, channels: int) -> Scale:
    if len(scale.factor) not in (1, channels):
        raise UsageError(
            f"--scale {scale.name} is for RGB pictures; this model takes grey ones.",
            hint="--scale 0-1, -1-1 or 0-255",
        )
    return scale
