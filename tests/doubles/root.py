"""For tests that need root: skipped aloud elsewhere, never in continuous integration."""

import os

import pytest


def require_root(why: str) -> None:
    """Go on as root only; `why` completes "needs root to"."""
    if os.geteuid() == 0:
        return
    fault = f"needs root to {why}: run the tests with sudo"
    if os.environ.get("CI") == "true":
        pytest.fail(fault)
    pytest.skip(fault)
