"""``aufer models``."""

from __future__ import annotations

from pathlib import Path

import click

from aufer.cli.options import PATH, json_option, talk_options


@click.group(
    "models",
    epilog="""\b
Example:
  aufer models list""",
)
def command() -> None:
    """The models at hand: those of the workspace, and those that come with aufer."""


@command.command(
    "list",
    epilog="""\b
Example:
  aufer models list --json""",
)
@click.option(
    "--models",
    "folder",
    type=PATH,
    default=Path("models"),
    show_default=True,
    help="The workspace's models.",
)
@json_option
@talk_options
def list_models(folder: Path, as_json: bool) -> None:
    """List the models, newest first: name, kind, emotions, accuracy on its held-out faces."""
    from aufer.bundle import list_bundles, read_bundle
    from aufer.cli.talk import print_data, say, warn
    from aufer.errors import AuferError
    from aufer.files import to_json
    from aufer.metrics import percent
    from aufer.shipped import models_folder

    rows = []
    shipped = models_folder()
    places = {"workspace": folder, **({"shipped": shipped} if shipped else {})}
    for place, models in places.items():
        if place == "shipped" and models.resolve() == folder.resolve():
            continue
        for path in list_bundles(models):
            try:
                bundle = read_bundle(path)
            except AuferError as error:
                warn(error.message)
                continue
            tested = bundle.facts.get("metrics", {}).get("test") or {}  # None: no test rows
            rows.append(
                {
                    "name": bundle.name,
                    "where": place,
                    "path": str(path),
                    "kind": bundle.facts["kind"],
                    "recipe": bundle.facts.get("recipe", ""),
                    "made_at": bundle.facts.get("made_at", ""),
                    "labels": list(bundle.emotions.names),
                    "features": list(bundle.features),
                    "pictures": str(bundle.image_input or ""),
                    "test_accuracy": tested.get("accuracy", {}).get("value"),
                }
            )
    if as_json:
        print_data(to_json(rows).rstrip())
        return
    if not rows:
        say(f"There is no model in {folder} yet; train one: aufer train")
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        accuracy = percent(row["test_accuracy"])
        print_data(
            f"{row['name']:<{width}}  {' '.join(filter(None, (row['kind'], row['recipe'])))}  "
            f"{row['pictures'] or len(row['features'])} "
            f"{'pictures' if row['pictures'] else 'features'}  {','.join(row['labels'])}  "
            f"test accuracy {accuracy}  ({row['where']})"
        )
