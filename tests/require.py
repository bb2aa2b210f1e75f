"""Tests that need a tool: skipped with the reason, or failed where the tool was promised."""

from __future__ import annotations

import os

import pytest


def require(name: str, reason: str | None) -> None:
    """Go on if `reason` is None; else skip, or fail if AUFER_REQUIRE (comma separated) names it."""
    if reason is None:
        return
    if name in os.environ.get("AUFER_REQUIRE", "").split(","):
        pytest.fail(f"{name} is required (AUFER_REQUIRE): {reason}")
    pytest.skip(f"{name}: {reason}")
