"""Going on with an unfinished training: with the same settings, on the same pictures."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from aufer.bundle import CHECKPOINTS
from aufer.classifiers.cnn_recipe import CnnRecipe
from aufer.classifiers.cnn_state import STATE_NAME, State, read_state, write_state
from aufer.emotions import Emotions
from aufer.errors import DataError, UsageError
from aufer.runs import find_trainings, training_folder

if TYPE_CHECKING:
    from typing_extensions import Self

KIND = "cnn"
AGAIN = "begin again, with --force in place of --resume"


def begun_facts(recipe: CnnRecipe, seed: int, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What a training must be gone on with; for `State.facts`.

    Args:
        dataset: `PictureSet.facts`.
    """
    return {
        "kind": KIND,
        "images": dataset["path"],
        "settings": recipe.facts(),
        "seed": seed,
        "emotions": list(dataset["counts"]),
        "data": {"sha256": dataset["sha256"], "n": dataset["n_rows"]},
    }


def find_newest(models_folder: Path, images: Path, kind: str = KIND) -> Path:
    """The future bundle of the newest unfinished training of a kind on a folder of images.

    Raises:
        UsageError: there is none.
    """
    for path in find_trainings(models_folder):
        if not is_unfinished(path):  # killed before it began
            continue
        facts = read_state(training_folder(path)).facts
        if facts.get("kind", KIND) == kind and Path(facts["images"]).resolve() == images.resolve():
            return path
    raise UsageError(
        f"There is no unfinished training on {images} in {models_folder}.",
        hint="begin one, without --resume; or name the bundle that it was to become: --out",
    )


def read_unfinished(bundle: Path, kind: str = KIND) -> State:
    """The state of the training that was to become a bundle of a kind.

    Raises:
        UsageError: there is none, or one of another kind. DataError: its file is damaged.
    """
    if not is_unfinished(bundle):
        raise UsageError(
            f"There is no unfinished training of {bundle}.", hint="begin one, without --resume"
        )
    state = read_state(training_folder(bundle))
    begun = state.facts.get("kind", KIND)
    if begun != kind:
        raise UsageError(
            f"The unfinished training of {bundle} is one of the kind {begun}, not {kind}.",
            hint=f"go on with it: --kind {begun} --resume; or {AGAIN}",
        )
    return state


def is_unfinished(bundle: Path) -> bool:
    """Whether a future bundle has an unfinished training."""
    return (training_folder(bundle) / STATE_NAME).is_file()


def check_not_begun(bundle: Path) -> None:
    """Raise `UsageError` where a future bundle has an unfinished training."""
    if is_unfinished(bundle):
        raise UsageError(
            f"There is an unfinished training in {training_folder(bundle)}.",
            hint="go on with it: --resume; or begin again: --force",
        )


def begin(folder: Path, state: State) -> None:
    """Write the state that a training begins with; what an earlier one left there goes."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    write_state(state, folder)


def check_same(begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `UsageError` where a setting of ``now``, None aside, is not what it was begun with."""
    for key, value in now.items():
        if value is not None and value != begun[key]:
            raise UsageError(
                f"The training was begun with {key.replace('_', '-')} {begun[key]}, not {value}; "
                "it can't be gone on with another.",
                hint=f"leave the option away; or {AGAIN}",
            )


def same_settings(
    state: State, typed: Mapping[str, Any], seed: int | None, emotions: Emotions | None
) -> tuple[CnnRecipe, int, Emotions]:
    """What a training was begun with.

    Args:
        typed: settings of the recipe that are asked for now; None for the ones it was begun with.

    Raises:
        UsageError: something else is asked for. DataError: another version began it.
    """
    settings = state.facts["settings"]
    names = ",".join(state.facts["emotions"])
    begun = {**settings, "seed": state.facts["seed"], "emotions": names}
    now = {**typed, "seed": seed, "emotions": ",".join(emotions) if emotions else None}
    check_same(begun, now)
    return begun_recipe(CnnRecipe, settings), begun["seed"], Emotions.parse(names)


class _Recipe(Protocol):
    def facts(self) -> dict[str, Any]: ...

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self: ...


R = TypeVar("R", bound=_Recipe)


def begun_recipe(kind: type[R], settings: dict[str, Any]) -> R:
    """The recipe that a training was begun with.

    Args:
        kind: the class of the recipe. settings: its `facts`, as they were written then.

    Raises:
        DataError: another version began it, whose recipe had other settings.
    """
    try:
        recipe: R | None = kind.from_facts(settings)
    except (KeyError, TypeError):
        recipe = None
    if recipe is None or recipe.facts() != settings:
        raise DataError(
            "The training was begun by another version, which had other settings.", hint=AGAIN
        )
    return recipe


def check_same_data(state: State, begun: Mapping[str, Any]) -> None:
    """Raise `DataError` where the pictures are not those that a training was begun with.

    Args:
        begun: `begun_facts` of the pictures as they are now.
    """
    before, now = state.facts["data"], begun["data"]
    if before != now:
        raise DataError(
            f"The images in {begun['images']} are not those that this training was begun with "
            f"({before['n']} readable ones then, {now['n']} now; names, emotions or contents "
            "differ).",
            hint=f"bring them back; or {AGAIN}",
        )
