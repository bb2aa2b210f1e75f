"""``aufer agreement``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from aufer.cli.options import (
    PATH,
    emotions_option,
    force_option,
    json_option,
    min_confidence_option,
    out_option,
    seed_option,
    talk_options,
)
from aufer.emotions import Emotions


@click.command(
    "agreement",
    epilog="""\b
Examples:
  aufer agreement data/aus.csv other/aus.csv
  aufer agreement ~/openface-2.2 ~/openface-2.0         two folders of OpenFace's CSVs
  aufer agreement data/aus.csv theirs.csv --image file \\
      --columns AU01_r=au1,AU02_r=au2,AU12_r=smile
  aufer agreement a.csv b.csv --columns-a a.toml --columns-b b.toml""",
)
@click.argument("a", type=PATH, metavar="A")
@click.argument("b", type=PATH, metavar="B")
@click.option(
    "--columns",
    metavar="MAP",
    help="Which columns of another toolkit's CSV are which AUs: AU01_r=au1,AU02_r=au2,…, or a "
    "TOML, JSON or CSV file of such pairs (also of image, confidence, emotion, group). It is taken "
    "for whichever table has these columns.",
)
@click.option("--columns-a", metavar="MAP", help="The same, for A alone.")
@click.option("--columns-b", metavar="MAP", help="The same, for B alone.")
@click.option(
    "--image",
    "--image-column",
    "image",
    metavar="COLUMN",
    help="The column that names the image (frame, sample), in whichever table has it. "
    "In aufer.toml: image-column.",
)
@click.option("--image-a", metavar="COLUMN", help="The same, for A alone.")
@click.option("--image-b", metavar="COLUMN", help="The same, for B alone.")
@min_confidence_option
@emotions_option(default=False)
@seed_option
@out_option(None, "The agreement's folder. Default: reports/agreement-<A>-<B>/")
@force_option
@json_option
@talk_options
def command(
    a: Path,
    b: Path,
    columns: str | None,
    columns_a: str | None,
    columns_b: str | None,
    image: str | None,
    image_a: str | None,
    image_b: str | None,
    min_confidence: float,
    emotions: Emotions | None,
    seed: int,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure how two AU tables of the same images agree: of two engines, two versions of OpenFace,
    or another toolkit. A and B: an AU table, a folder of OpenFace's CSVs, one of them, or any CSV.

    AU by AU: Pearson's r, pooled and within emotions, ICC(3,1) and ICC(2,1), Lin's CCC, mean error,
    bias and limits of agreement, zeros. Writes agreement.html to read with Bland-Altman plots,
    agreement.json, pairs.csv, and every table and figure as a file.
    """
    from aufer.agreeing.column_map import ColumnMap
    from aufer.agreeing.page import agreement_folder, check_agreement_folder, write_agreement
    from aufer.agreeing.source import fit_sources
    from aufer.agreeing.text import sentences
    from aufer.agreement import agreement
    from aufer.cli.talk import print_data, say, warn
    from aufer.files import to_json

    folder = out or agreement_folder(Path("reports"), a, b)
    check_agreement_folder(folder, force=force)
    both, of_a, of_b = (
        ColumnMap.parse(text) if text else None for text in (columns, columns_a, columns_b)
    )
    sources = fit_sources((a, b), both, image, (of_a, of_b), (image_a, image_b))
    found = agreement(
        *sources,
        emotions=emotions,
        min_confidence=min_confidence,
        seed=seed,
        command=shlex.join(["aufer", *sys.argv[1:]]),
    )
    page = write_agreement(folder, found.facts, found.pairs, found.left_out, force=force)
    for side in ("a", "b"):
        of_side = found.facts[side]
        say(f"{side.upper()}: {of_side['path']}, {of_side['measured']}")
    _say_figures(found.facts)
    for note in found.facts["notes"]:
        warn(note)
    for sentence in sentences(found.facts):
        say(sentence)
    print_data(to_json(found.facts).rstrip() if as_json else str(page))


def _say_figures(facts: dict[str, Any]) -> None:
    """The figures to lead with, a line per AU."""
    import pandas as pd

    from aufer.agreeing.tables import title
    from aufer.agreeing.text import with_limits
    from aufer.cli.talk import say_table
    from aufer.metrics import percent
    from aufer.tables import DASH

    def number(value: float | None) -> str:
        return DASH if value is None else f"{value:.2f}"

    rows = [*facts["aus"], *([facts["mean"]] if len(facts["aus"]) > 1 else [])]
    say_table(
        pd.DataFrame(
            {
                "AU": title(row),
                "n": "" if row["n"] is None else f"{row['n']:,}",
                "r": with_limits(row["r"]) if row["r"] else DASH,
                "within": number(row["within"]["value"]) if row["within"] else DASH,
                "ICC(3,1)": with_limits(row["icc3"]) if row["icc3"] else DASH,
                "CCC": number(row["ccc"]),
                "MAE": number(row["mae"]),
                "bias": number(row["bias"]),
                "zeros A": percent(row["zeros_a"], 0),
                "zeros B": percent(row["zeros_b"], 0),
                "is": row["verdict"],
            }
            for row in rows
        )
    )
