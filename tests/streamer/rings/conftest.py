"""Rings of tests: in shared memory, below a home of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.engine.rings import RingFolder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RingFolder]:
    """A ring folder; what was made in it is gone afterwards."""
    with RingFolder(tmp_path) as made:
        yield made
    assert not made.path.exists()
