"""What may never go: what a dataset version or a test set is made of."""

from __future__ import annotations

from sqlalchemy import select

from tidzam_platform.catalog.tables import DatasetVersion, TestSet
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.datasets.test_sets import load_test_set
from tidzam_platform.home import Home


def protected_hashes(home: Home) -> set[str]:
    """SHA-256 of all clips and recordings that a dataset version or a test set names.

    Raises:
        DatasetError, StoreError: one of them cannot be read: nobody knows what it needs.
    """
    with home.catalog.reading() as session:
        versions = session.scalars(select(DatasetVersion.version)).all()
        sets = session.scalars(select(TestSet)).all()
    found: set[str] = set()
    for version in versions:
        found |= {row.clip_sha256 for row in load_manifest(home.catalog, home.store, version).rows}
    for test_set in sets:
        found |= {row.sha256 for row in load_test_set(home.store, test_set)}
    return found
