"""``aufer models``."""

from __future__ import annotations

from pathlib import Path

import click

from aufer.cli.options import PATH, force_option, json_option, out_option, talk_options


@click.group(
    "models",
    epilog="""\b
Examples:
  aufer models list
  aufer models fetch""",
)
def command() -> None:
    """The models at hand: those of the workspace, those that come with aufer, those to fetch."""


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


@command.command(
    "fetch",
    epilog="""\b
Examples:
  aufer models fetch                                 lists what can be fetched
  aufer models fetch yunet                           a face detector for aufer live
  aufer models fetch yunet --from ~/Downloads/face_detection_yunet_2023mar.onnx""",
)
@click.argument("name", required=False)
@out_option(
    None, "The folder it goes to. Default: this user's data folder, where it is looked for."
)
@click.option(
    "--from",
    "source",
    type=PATH,
    metavar="FILE",
    help="A file that was downloaded by other means, for a machine without a network.",
)
@click.option("--url", metavar="ADDRESS", help="Download it from there instead.")
@force_option
@json_option
@talk_options
def fetch(
    name: str | None,
    out: Path | None,
    source: Path | None,
    url: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Fetch a model that others publish, and check that it is the right file (sha256).

    Without NAME, list what can be fetched. Nothing else of aufer downloads models.
    """
    from aufer.cli.talk import print_data, progress
    from aufer.errors import UsageError
    from aufer.fetch_model import fetch_model, find_fetchable
    from aufer.fetchable import FETCHABLE, fetched_path
    from aufer.files import to_json

    if name is None:
        if any((out, source, url, force)):
            raise UsageError(
                "What is to be fetched has no name.", hint=f"aufer models fetch {min(FETCHABLE)}"
            )
        if as_json:
            print_data(to_json([each.facts() for each in FETCHABLE.values()]).rstrip())
            return
        for each in FETCHABLE.values():
            path = fetched_path(each)
            state = f"fetched: {path}" if path.is_file() else f"{each.size / 1000:.0f} kB"
            print_data(f"{each.name}  {each.what}  ({state})  licence: {each.licence}")
        return
    path = fetch_model(name, out=out, source=source, address=url, force=force, progress=progress)
    facts = {**find_fetchable(name).facts(), "path": str(path)}
    print_data(to_json(facts).rstrip() if as_json else str(path))
