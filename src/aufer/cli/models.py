"""``aufer models``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """List the models, newest first: name, kind, emotions, accuracy on its held-out faces, and
    whose AUs they read; then the AU networks of --engine builtin: agreement with OpenFace, size.
    """
    from aufer.bundle import list_bundles, read_bundle
    from aufer.cli.talk import print_data, say, warn
    from aufer.errors import AuferError
    from aufer.files import to_json
    from aufer.measures import APPROXIMATES, AU_NETWORK
    from aufer.metrics import percent
    from aufer.provenance import MEASURE_AU_NET
    from aufer.shipped import models_folder

    rows: list[dict[str, Any]] = []
    networks = []
    shipped = models_folder()
    places = {"workspace": folder, **({"shipped": shipped} if shipped else {})}
    for place, models in places.items():
        if place == "shipped" and models.resolve() == folder.resolve():
            continue
        networks += [{**facts, "where": place} for facts in _read_networks(models)]
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
                    "measure": "" if bundle.image_input else bundle.extractor.measure,
                    "test_accuracy": tested.get("accuracy", {}).get("value"),
                }
            )
    if as_json:
        print_data(to_json([*rows, *networks]).rstrip())
        return
    if not rows:
        say(f"There is no model in {folder} yet; train one: aufer train")
    width = max((len(row["name"]) for row in [*rows, *networks]), default=0)
    for row in rows:
        of_network = f" of {AU_NETWORK}" if row["measure"] == MEASURE_AU_NET else ""
        accuracy = percent(row["test_accuracy"])
        print_data(
            f"{row['name']:<{width}}  {' '.join(filter(None, (row['kind'], row['recipe'])))}  "
            f"{row['pictures'] or len(row['features'])} "
            f"{'pictures' if row['pictures'] else 'features'}{of_network}  "
            f"{','.join(row['labels'])}  test accuracy {accuracy}  ({row['where']})"
        )
    for row in networks:
        told = ", ".join(f"{r:.3f} ({name})" for name, r in row["mean_r"].items())
        agrees = f"mean r with OpenFace {told}" if told else "agreement not known"
        print_data(
            f"{row['name']:<{width}}  {row['kind']}  for --engine builtin, {APPROXIMATES}  "
            f"{agrees}; {row['bytes'] / 1e6:.1f} MB  ({row['where']})"
        )


def _read_networks(folder: Path) -> list[dict[str, Any]]:
    """What is known of the AU networks in a folder of models, by name."""
    from aufer.au_net.format import FACTS_NAME
    from aufer.cli.talk import warn
    from aufer.errors import AuferError
    from aufer.files import read_json
    from aufer.provenance import MEASURE_AU_NET

    found = []
    for path in sorted(folder.glob(f"*/{FACTS_NAME}")):
        if path.parent.name.startswith("."):  # still being written
            continue
        try:
            facts = read_json(path)
        except AuferError as error:
            warn(error.message)
            continue
        agreement = facts.get("agreement")
        sets = agreement if isinstance(agreement, dict) else {}
        found.append(
            {
                "name": path.parent.name,
                "path": str(path.parent),
                "kind": "AU network",
                "recipe": "",
                "made_at": str(facts.get("made_at", "")),
                "labels": [],
                "features": facts.get("features", []),
                "pictures": "",
                "measure": MEASURE_AU_NET,
                "test_accuracy": None,
                "mean_r": {
                    name: told["mean_r"]
                    for name, told in sets.items()
                    if isinstance(told, dict) and isinstance(told.get("mean_r"), float)
                },
                "bytes": sum(each.stat().st_size for each in path.parent.glob("*.onnx")),
            }
        )
    return found


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
