"""Going on with an unfinished training of an AU network: with the same settings, on the same
faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aufer.classifiers.au_net_recipe import AuNetRecipe
from aufer.classifiers.cnn_state import State
from aufer.classifiers.cnn_unfinished import begun_recipe, check_same

KIND = "au-net"


def begun_facts(recipe: AuNetRecipe, seed: int, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a training must be gone on with; for `State.facts`.

    Args:
        data: `FaceSet.facts`.
    """
    return {
        "kind": KIND,
        "images": data["images"],
        "settings": recipe.facts(),
        "seed": seed,
        "data": {"sha256": data["sha256"], "n": data["n"]},
    }


def same_settings(
    state: State, typed: Mapping[str, Any], seed: int | None
) -> tuple[AuNetRecipe, int]:
    """What a training was begun with.

    Args:
        typed: settings of the recipe that are asked for now; None for the ones it was begun with.

    Raises:
        UsageError: something else is asked for. DataError: another version began it.
    """
    settings = state.facts["settings"]
    check_same({**settings, "seed": state.facts["seed"]}, {**typed, "seed": seed})
    return begun_recipe(AuNetRecipe, settings), state.facts["seed"]
