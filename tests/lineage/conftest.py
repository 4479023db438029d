"""An empty catalog with a store, once on each database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lineage.made import Lineages
from tidzam_platform.catalog import Catalog
from tidzam_platform.store import LocalStore


@pytest.fixture
def site(catalog: Catalog, tmp_path: Path) -> Lineages:
    return Lineages(catalog, LocalStore(tmp_path / "store"))
