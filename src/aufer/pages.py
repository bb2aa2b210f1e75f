"""HTML pages from the package's templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aufer.measures import measurer

if TYPE_CHECKING:
    from jinja2 import Environment


def page_environment() -> Environment:
    """Finds the templates; what is put into them is escaped, and nothing may be missing.

    Filters of all pages: ``sentence`` (a capital first, a full stop last), ``unbroken``,
    ``measurer`` (`measures.measurer`) and ``partition`` (as `str.partition`).
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("aufer", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["sentence"] = lambda text: f"{text[:1].upper()}{text[1:]}."
    environment.filters["unbroken"] = unbroken
    environment.filters["measurer"] = measurer
    environment.filters["partition"] = str.partition
    return environment


def unbroken(text: str) -> str:
    """A text whose numbers stay on one line with their percent signs."""
    return text.replace(" %", "\u00a0%")
