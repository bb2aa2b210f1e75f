"""``aufer train --kind au-net``: the part of ``aufer train`` that is about measuring AUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aufer.cli.train_pictures import is_typed, training_progress
from aufer.errors import UsageError

_STAGES = ("landmarks", "AUs")


def train_network(
    images: Path | None, aus: Path | None, *, resume: bool, as_json: bool, **settings: Any
) -> None:
    """Train, tell of it on stderr, print the folder's path or facts on stdout.

    Args:
        settings: of `train_au_net.train_au_net`, as they were typed, or as aufer.toml has them. On
            resuming only what was typed counts.
    """
    from aufer.cli.talk import print_data, progress, say
    from aufer.files import to_json
    from aufer.train_au_net import train_au_net

    if images is None or aus is None:
        missing = "--images" if images is None else "--aus"
        raise UsageError(
            f"--kind au-net needs {missing}: it learns from pictures (--images) and what OpenFace "
            "measured of them (--aus).",
            hint="aufer train --kind au-net --images IMAGES --aus data/aus.csv",
        )
    given = dict(settings)
    if resume:
        for name in ("seed", "epochs", "steps", "batch_size", "learning_rate", "test_size"):
            given[name] = given[name] if is_typed(name) else None
    with training_progress(_describe) as told:
        trained = train_au_net(
            images,
            aus,
            resume=resume,
            on_start=told.start,
            on_step=told.step,
            on_epoch=told.epoch,
            progress=progress,
            **given,
        )
    held = trained.facts["agreement"]["held_out"]
    r = "unknown" if held["mean_r"] is None else f"{held['mean_r']:.3f}"
    say(f"Mean correlation with OpenFace over the AUs, {held['n']} held-out faces: {r}.")
    say(f"AU network: {trained.path} (card: {trained.path / 'README.md'})")
    print_data(to_json(trained.facts).rstrip() if as_json else str(trained.path))


def _describe(epoch: int, values: dict[str, float]) -> str:
    stage = _STAGES[int(values["stage"])]
    return (
        f"epoch {epoch:3d}  {stage:9s}  loss {values['loss']:.4f}  "
        f"val_loss {values['val_loss']:.4f}  {values['seconds']:.1f} s"
    )
