"""The second fit, to training and validation rows, and what Ctrl-C leaves of it."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aufer.classifiers import dense
from aufer.classifiers.classifier import INTERRUPTED, Examples, no_epochs
from aufer.classifiers.ctrl_c import CtrlC
from aufer.classifiers.fitting import fit_calibrated
from aufer.classifiers.recipe import RECIPES
from aufer.classifiers.refitted import Refitted
from tests.test_classifiers import examples_of

QUICK = RECIPES["standard"].changed(epochs=2)


def interrupting(at_fit: int) -> Any:
    """The fit of a dense network; at the given one Ctrl-C comes after the first epoch."""
    n_fits = 0

    def fit(examples: Examples, recipe: Any, seed: int, **options: Any) -> Any:
        nonlocal n_fits
        n_fits += 1

        def press(epoch: int, values: dict[str, float]) -> None:
            raise KeyboardInterrupt

        on_epoch = press if n_fits == at_fit else options.pop("on_epoch", no_epochs)
        return original(examples, recipe, seed, **{**options, "on_epoch": on_epoch})

    original = dense.fit
    return fit


def test_the_model_is_fitted_again_with_the_validation_rows() -> None:
    examples = examples_of()
    found = fit_calibrated("dense", examples, QUICK, 0)
    assert isinstance(found.classifier, Refitted)
    every = np.sort(np.concatenate([examples.train, examples.validation]))
    rows = replace(examples, train=every, validation=every[:0])
    expected = dense.fit(rows, QUICK, 0).predict_proba(examples.aus)
    np.testing.assert_array_equal(found.classifier.predict_proba(examples.aus), expected)
    # the temperature is that of the first fit, which had not seen the validation rows
    first = dense.fit(examples, QUICK, 0)
    assert found.classifier.history[-1]["val_loss"] == first.history[-1]["val_loss"]
    assert np.abs(found.classifier.first.predict_proba(examples.aus) - expected).max() > 1e-3


@pytest.mark.parametrize("at_fit", [1, 2])
def test_ctrl_c_leaves_the_first_fit(at_fit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = examples_of()
    monkeypatch.setattr(dense, "fit", interrupting(at_fit))
    found = fit_calibrated("dense", examples, QUICK, 0)
    assert not isinstance(found.classifier, Refitted)
    assert (found.classifier.stopped == INTERRUPTED) == (at_fit == 1)
    assert len(found.classifier.history) == at_fit


def test_a_model_without_epochs_is_not_lost_when_it_is_fitted() -> None:
    with CtrlC() as ctrl_c:
        fit_calibrated("logistic", examples_of(), QUICK, 0, ctrl_c=ctrl_c)
        os.kill(os.getpid(), signal.SIGINT)  # while the bundle is written
        assert ctrl_c.pressed
