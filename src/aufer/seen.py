"""Which test faces a model saw in training: the same file, the same AUs, or a near copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aufer.action_units import au_digest, au_key
from aufer.au_table import AuTable
from aufer.near_copies import find_near_copies
from aufer.splits import TRAINING_PARTS

SAME_FILE = "same_file"
EQUAL_AUS = "equal_aus"
NEAR_COPY = "near_copy"
WAYS = {
    SAME_FILE: "the same file",
    EQUAL_AUS: "equal Action Units",
    NEAR_COPY: "a near copy",
}
"""How a test face can be a training face, most certain first: equal bytes, equal AUs to two
decimals, or perceptual hashes within `near_copies.NEAR_BITS` bits."""

N_NAMED = 5
"""So many names stand in a warning."""


@dataclass(frozen=True)
class Seen:
    """Which test faces were training faces.

    Attributes:
        how: object [n], a key of `WAYS`; empty for a face that the model never saw.
        checked: whether the model says what it was trained on.
        near_copies_checked: whether pictures of both sides have perceptual hashes.
        shared_groups: names of groups (persons) that are on both sides.
        in_shared_group: bool [n], faces of these.
    """

    how: np.ndarray
    checked: bool
    near_copies_checked: bool
    shared_groups: tuple[str, ...]
    in_shared_group: np.ndarray

    @property
    def is_seen(self) -> np.ndarray:
        """Faces that the model saw, bool [n]."""
        seen: np.ndarray = self.how != ""
        return seen

    def facts(self, faces: AuTable) -> dict[str, Any]:
        """The same for ``report.json``, with the names of the images."""
        return {
            "checked": self.checked,
            "near_copies_checked": self.near_copies_checked,
            "n": int(self.is_seen.sum()),
            "ways": {way: int((self.how == way).sum()) for way in WAYS},
            "shared_groups": list(self.shared_groups),
            "n_in_shared_groups": int(self.in_shared_group.sum()),
            "images": faces.frame.loc[self.is_seen, "image"].tolist(),
        }

    def warnings(self) -> list[str]:
        """What somebody who reads the figures must know of this."""
        warnings = []
        if not self.checked:
            warnings.append(
                "which faces the model was trained on is not known: "
                "test faces that it saw can't be found"
            )
        if self.shared_groups:
            named = ", ".join(self.shared_groups[:N_NAMED])
            more = ", …" if len(self.shared_groups) > N_NAMED else ""
            warnings.append(
                f"{int(self.in_shared_group.sum())} test faces are of {len(self.shared_groups)} "
                f"persons who are in the training data too ({named}{more}): on new people expect "
                "less"
            )
        return warnings


def nothing_seen(n: int, *, checked: bool) -> Seen:
    """What is said of ``n`` faces where nothing can be, or needs to be, looked for."""
    return Seen(np.full(n, "", dtype=object), checked, False, (), np.zeros(n, dtype=bool))


def find_seen(
    rows: pd.DataFrame | None, faces: AuTable, values: np.ndarray, *, persons_known: bool
) -> Seen:
    """Compare test faces with the faces that a model was fitted to, or stopped by.

    Args:
        rows: the bundle's ``rows.csv`` (`of_model.read_rows`); None: nobody knows.
        faces: the test faces. values: float64 [n, 17], their AUs as the model takes them
            (`model.relate_faces`), NaN where there is no face.
        persons_known: whether the groups in ``rows`` are persons, so that names can be compared.
    """
    frame = faces.frame
    if rows is None:
        return nothing_seen(len(frame), checked=False)
    rows = rows[rows["part"].isin(TRAINING_PARTS)]
    how = np.full(len(frame), "", dtype=object)
    test_hashes = frame["phash"].tolist()
    hashes = [text for text in dict.fromkeys(rows["phash"].tolist()) if text]
    near_checked = bool(hashes) and any(test_hashes)
    if near_checked:
        how[find_near_copies(test_hashes, hashes)] = NEAR_COPY
    keys = set(rows["aus"].tolist()) - {""}
    texts = [au_key(row) for row in values.tolist()]
    equal = [text in keys or au_digest(text) in keys for text in texts]
    how[np.array(equal, dtype=bool)] = EQUAL_AUS
    how[frame["sha256"].isin(set(rows["sha256"].tolist()) - {""}).to_numpy()] = SAME_FILE
    shared = (
        sorted((set(rows["group"].tolist()) & set(frame["group"].tolist())) - {""})
        if persons_known
        else []
    )
    in_shared = frame["group"].isin(shared).to_numpy()
    return Seen(how, True, near_checked, tuple(shared), in_shared)
