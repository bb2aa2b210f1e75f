"""``aufer import-model``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from aufer.cli.options import (
    PATH,
    emotions_option,
    force_option,
    json_option,
    out_option,
    talk_options,
    typed_emotions,
)
from aufer.emotions import Emotions

_SCALES = ("0-1", "-1-1", "0-255", "imagenet")
_PRESETS = ("teachable-machine", "mini-xception")


@click.command(
    "import-model",
    epilog="""\b
Examples:
  aufer import-model converted_keras.zip           of Google's Teachable Machine
  aufer import-model converted_keras/ --emotions happy,sad,neutral
  aufer import-model fer2013_mini_XCEPTION.102-0.66.hdf5
  aufer import-model best_model.hdf5 \\
      --emotions angry,disgust,happy,neutral,sad,surprise
  aufer import-model faces.onnx --emotions happy,sad --input 64x64x1 --scale 0-1

From then on the model is one like any other:
  aufer evaluate --model NAME --testset FOLDER
  aufer compare NAME OTHER --testset FOLDER""",
)
@click.argument("source", type=PATH)
@emotions_option(default=False)
@click.option(
    "--input",
    "size",
    metavar="WxHxC",
    help="Width, height and channels (1 grey, 3 RGB) of the model's pictures. Default: what the "
    "file says.",
)
@click.option(
    "--scale",
    type=click.Choice(_SCALES),
    help="What the values 0-255 became when the model was trained: x/255, x/127.5 - 1, nothing, or "
    "ImageNet's mean and deviation. Only a preset knows it.",
)
@click.option(
    "--fit",
    type=click.Choice(["stretch", "crop"]),
    help="How a picture of another shape comes to the model's: pressed into it, or its middle "
    "square cut out. Default: the preset's, else stretch.",
)
@click.option(
    "--preset",
    type=click.Choice(_PRESETS),
    help="A model whose input is known. Default: recognised by its files or its sha256.",
)
@click.option("--name", metavar="NAME", help="The bundle goes to models/NAME. Default: the file's.")
@out_option(None, "The bundle's folder. Default: models/NAME.")
@force_option
@json_option
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    source: Path,
    emotions: Emotions | None,
    size: str | None,
    scale: str | None,
    fit: str | None,
    preset: str | None,
    name: str | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make a model bundle of a model that another program made, once.

    SOURCE is a Teachable Machine export (the zip or the folder, with keras_model.h5 and
    labels.txt), a Keras file (.keras, .h5, .hdf5) or an ONNX file, of pictures or of the 17 AU
    intensities. A file that runs code of its own (a Lambda layer) is refused. The bundle is checked
    against the original on made-up inputs; from then on it needs no TensorFlow.
    """
    from aufer.classifiers.foreign.presets import parse_input
    from aufer.cli.talk import print_data, say
    from aufer.files import to_json
    from aufer.import_model import import_model

    bundle = import_model(
        source,
        emotions=typed_emotions(ctx, emotions, None),
        size=parse_input(size) if size is not None else None,
        scale=scale,
        fit=fit,
        preset=preset,
        out=out,
        name=name,
        force=force,
        command=shlex.join(["aufer", *sys.argv[1:]]),
    )
    model = shlex.quote(bundle.name if out is None else str(bundle.path))
    say(f"Emotions, in the order of its outputs: {bundle.emotions}")
    say(f"Model: {bundle.path} (model card: {bundle.path / 'README.md'})")
    say("Go on:")
    say(f"  aufer evaluate --model {model} --testset FOLDER    how accurate it is on your faces")
    say(f"  aufer predict --model {model} FOLDER               what it says of each")
    say(f"  aufer compare {model} OTHER --testset FOLDER       beside another model")
    print_data(to_json(bundle.facts).rstrip() if as_json else str(bundle.path))
