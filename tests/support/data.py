"""The real audio for tests, which lies outside the repository and may be missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA_VARIABLE = "TIDZAM_TEST_DATA"
_ROOT = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def shared_data(*parts: str) -> Path:
    """Path of ``parts`` within the test data; skips the test where it is missing."""
    path = Path(os.environ.get(DATA_VARIABLE) or _ROOT).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"test data missing: {path} (set {DATA_VARIABLE} to the folder that holds it)")
    return path
