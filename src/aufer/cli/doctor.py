"""``aufer doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from aufer.cli.options import json_option, talk_options

EXIT_NOT_READY = 3


@click.command(
    "doctor",
    epilog="""\b
Examples:
  aufer doctor
  aufer doctor --openface ~/OpenFace/build/bin/FaceLandmarkImg --json""",
)
@click.option(
    "--image",
    default="algebr/openface:latest",
    show_default=True,
    metavar="NAME[@sha256:…]",
    help="Docker image with OpenFace to look for.",
)
@click.option("--openface", metavar="COMMAND", help="FaceLandmarkImg of this machine to look for.")
@json_option
@talk_options
@click.pass_context
def command(ctx: click.Context, image: str, openface: str | None, as_json: bool) -> None:
    """Check what each command needs on this machine: OpenFace (in Docker or local), packages, disk,
    memory; with a hint for whatever is missing.

    Exits with 3 when no engine can be used, or something is missing that every way needs.
    """
    from aufer.cli.talk import print_data
    from aufer.doctor import can_run_openface, check_all, is_ready
    from aufer.files import to_json

    checks = check_all(Path(), image=image, openface=openface)
    ready = is_ready(checks)
    if as_json:
        facts = {
            "ready": ready,
            "openface": can_run_openface(checks),
            "checks": [check.facts() for check in checks],
        }
        print_data(to_json(facts).rstrip())
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            mark = "ok     " if check.ok else "missing"
            print_data(f"{mark}  {check.name:<{width}}  {check.detail}  [{check.needed_by}]")
            if check.hint:
                print_data(f"         hint: {check.hint}")
        verdict = "ready" if ready else "not ready: see the hints above"
        if ready and not can_run_openface(checks):
            verdict = "ready, without OpenFace: use --engine builtin, an approximation of it"
        print_data(f"aufer is {verdict}.")
    if not ready:
        ctx.exit(EXIT_NOT_READY)
