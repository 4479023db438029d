"""Waiting for something to become true, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = 20.0) -> None:
    """Wait until ``condition()``; fails the test with ``what`` if it does not hold within ``deadline_s``."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            pytest.fail(f"not within {deadline_s} s: {what}")
        time.sleep(0.02)
